/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask on the network face. Loopback is no authentication (any local user, any web page), and off loopback there is none at all, so
 *
 *	- Host must be loopback's, the address that the connection came to, or a name that the settings have: else a page could
 *	  reach us under a name of its own (DNS rebinding);
 *	- a request that a web page of another origin makes is refused;
 *	- routes of ACCESS_INVOKE and ACCESS_METRICS ask for the token, if the settings say so.
 *
 * Any thread.
 */
#ifndef DAEMON_ACCESS_H
#define DAEMON_ACCESS_H

#include "daemon/http/http.h"

/* `path` is the token's file (token.h). Returns 0 or -errno with *err set. */
int access_init(const char *path, struct df_err *err) __attribute__((warn_unused_result));

struct access_settings {
	const char *const *hosts; /* NULL at the end; or NULL */
	bool invoke_token, metrics_token;
};

/* From now on. Copies. Returns 0 or -ENOMEM. */
int access_change(const struct access_settings *settings) __attribute__((warn_unused_result));
void access_deinit(void);

/* NULL: it may. Else why not: Host or Origin. */
const char *access_refusal(const struct request *request);

/* The two halves of that, for servers with rules of their own. */
bool access_host_ok(const struct request *request, const char *host);
bool access_origin_ok(const char *origin, const char *host);

/* False: the route (its `faces`) asks for a token, and this is not it. */
bool access_allowed(const struct request *request, unsigned int faces);

/* Is the header Authorization the token, which the function must not see? */
bool access_is_token(const char *authorization);

#endif
