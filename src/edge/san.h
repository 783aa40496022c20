/* SPDX-License-Identifier: Apache-2.0 */
/* san.h - the name of a device in its certificate: URI "sekisho://<tenant>.agent.<platform domain>/<device>". Foreign
 * bytes: nothing here trusts them; nothing found here is verified. Pure functions. */
#ifndef SEKISHO_SAN_H
#define SEKISHO_SAN_H

#include "common/id.h"

/* der: the value of the extension subjectAltName (GeneralNames). True when exactly one of its names is a device's name.
 */
bool san_find(struct slice der, struct slice platform_domain, char ret_tenant[41], struct uuid *ret_device);
/* One URI. */
bool san_parse_uri(struct slice uri, struct slice platform_domain, char ret_tenant[41], struct uuid *ret_device);

#endif
