/* SPDX-License-Identifier: Apache-2.0 */
/* map_facts.h - a device's facts (rows of JSON as the agent sent them) to the contract's structs. Pure. */
#ifndef SEKISHO_HANDLER_MAP_FACTS_H
#define SEKISHO_HANDLER_MAP_FACTS_H

#include "handler/api.gen.h"
#include "store/device.h"

/* Rows of all kinds but software, in order of kind and key. */
void map_facts(struct arena *a, const struct fact_row *rows, size_t n, struct api_device_detail *ret);
void map_software(struct arena *a, const struct fact_row *row, struct api_software *ret);

#endif
