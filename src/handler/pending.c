/* SPDX-License-Identifier: Apache-2.0 */
/* pending.c - handlers that are being written. */
#include "handler/api.gen.h"
#include "call/call.h"
#define P2(n, req) __attribute__((weak)) enum rc n(struct call *c, const struct req *r) { (void)r; return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable); }
#define P3(n, req, ret) __attribute__((weak)) enum rc n(struct call *c, const struct req *r, struct ret *x) { (void)r; (void)x; return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable); }
#define P1(n, ret) __attribute__((weak)) enum rc n(struct call *c, struct ret *x) { (void)x; return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable); }
P3(api_two_factor_begin, api_two_factor_begin_request, api_two_factor_secret)
P2(api_two_factor_end, api_two_factor_end_request)
P3(api_two_factor_confirm, api_two_factor_confirm_request, api_recovery_codes)
P3(api_user_list, api_user_list_request, api_user_page)
P3(api_user_create, api_user_create_request, api_user_password)
P3(api_user_show, api_user_show_request, api_user)
P3(api_user_update, api_user_update_request, api_user)
P2(api_user_remove, api_user_remove_request)
P3(api_user_password_reset, api_user_password_reset_request, api_user_password)
P2(api_user_two_factor_reset, api_user_two_factor_reset_request)
P3(api_user_session_list, api_user_session_list_request, api_session_page)
P3(api_user_session_end, api_user_session_end_request, api_changed)
P1(api_permission_set_list, api_permission_set_page)
P3(api_permission_set_create, api_permission_set_create_request, api_permission_set)
P3(api_permission_set_show, api_permission_set_show_request, api_permission_set)
P3(api_permission_set_update, api_permission_set_update_request, api_permission_set)
P2(api_permission_set_remove, api_permission_set_remove_request)
P3(api_target_list, api_target_list_request, api_target_page)
