/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: paths besides /fn/NAME that triggers of the kind http give to functions. Each belongs to one function, whose $LATEST is called.
 * The registry keeps them up to date (function.c). Any thread; nothing blocks.
 */
#ifndef DAEMON_ROUTES_H
#define DAEMON_ROUTES_H

#include "daemon/function/function.h"

void routes_init(void);
void routes_deinit(void);

/* Is none of the paths of these triggers another function's? Returns 0 or -EEXIST with *err set. */
int routes_check(const char *name, const json_t *triggers, struct df_err *err)
	__attribute__((warn_unused_result));

/* The paths of these triggers are the function's from now on, and no others; NULL: none. What is another one's stays so. Returns 0 or -ENOMEM. */
int routes_set(const char *name, const json_t *triggers) __attribute__((warn_unused_result));

enum route_found { ROUTE_NONE, ROUTE_METHOD, ROUTE_FOUND };

/*
 * Which function is called by a request for `target` (path and query, as it came)? The longest route that is the path, or the beginning of it up to
 * a '/'. ROUTE_FOUND: its name, and *rest is what stands behind the route; ROUTE_METHOD: there is one, but not for this method.
 */
enum route_found routes_find(const char *target, const char *method,
	char name[FUNCTION_NAME_MAX + 1], const char **rest);

#endif
