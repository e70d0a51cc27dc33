/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying: from a prepared program to a function that serves. */
#ifndef DAEMON_DEPLOY_H
#define DAEMON_DEPLOY_H

#include "daemon/function/function.h"
#include "host/str.h"

struct deploy_settings {
	const char *monitor_path, *net_path, *kernel_path, *host_cache;
	bool no_jail;
};

/* Borrows the strings. */
void deploy_init(const struct deploy_settings *settings);

struct deployment {
	struct function_config *config; /* taken, whatever comes of it */
	const char *image; /* path of the root image */
	const void *event; /* body that is rehearsed */
	size_t event_bytes;
	/* Both may be NULL. What a program that could not be frozen wrote to standard error; registers and call chain of one that died. */
	struct df_str *output, *report;
};

enum deploy_result {
	DEPLOY_MADE, /* a new function */
	DEPLOY_REPLACED, /* in place of an older revision, which drains */
	DEPLOY_CONFLICT, /* the same name is being deployed just now, a route is another function's, results would go round in a ring, or the image store is above its quota */
	DEPLOY_FAILED, /* the program could not be frozen. What served before goes on serving; else the function is Failed now */
	DEPLOY_ERROR, /* the daemon could not do it: disk, memory */
};

/*
 * Boots the program, freezes it into the state directory, and puts it into state and registry as $LATEST. Blocks until that is done: boot,
 * rehearsal, writing. *err is set unless it was made or replaced.
 */
enum deploy_result deploy(const struct deployment *deployment, struct df_err *err);

/*
 * Gives $LATEST of a name the next version number, with files of its own. *version is a reference for the caller. Returns 0, -ENOENT,
 * or -errno with *err set.
 */
int deploy_publish(const char *name, const char *description, struct function **version,
	struct df_err *err) __attribute__((warn_unused_result));

/*
 * Freezes a Pending function anew, from its own root image and configuration, and puts the result in its place; Failed if that does not work. Nothing is done if
 * the function was replaced meanwhile. Blocks as `deploy` does.
 */
void deploy_again(struct function *pending);

/* Removes a version or, with NULL, everything of the name. Returns 0, -ENOENT, -EBUSY (it is being deployed) or -EIO with *err set. */
int deploy_remove(const char *name, const char *version, struct df_err *err)
	__attribute__((warn_unused_result));

/* A random UUID. */
void deploy_uuid(char text[FUNCTION_REVISION_BYTES]);

#endif
