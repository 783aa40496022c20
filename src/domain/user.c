/* SPDX-License-Identifier: Apache-2.0 */
/* user.c - see user.h. */
#include "domain/user.h"

static bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool user_name_fits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!letter_or_digit(s.p[i]) && !(s.p[i] && strchr("._@+-", s.p[i])))
            return false;
    return s.n > 0;
}

bool user_email_fits(struct slice s)
{
    struct slice domain = s, local = slice_cut(&domain, '@');
    size_t at;

    if (s.n == 0)
        return true;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("<>()[],;:\\\"", s.p[i]))
            return false;
    return local.n > 0 && local.n <= 64 && domain.n > 2 && !slice_find(domain, '@', &at) &&
           slice_find(domain, '.', &at) && domain.p[0] != '.' && domain.p[domain.n - 1] != '.';
}
