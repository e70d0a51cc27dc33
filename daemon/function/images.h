/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon does for the image store (image/store.h): names for what is deployed, and retiring old versions (docs/images.md). A store
 * that cannot be used is no reason to refuse a deployment or to stop: the log says so. Any thread may call.
 */
#ifndef DAEMON_IMAGES_H
#define DAEMON_IMAGES_H

#include "host/err.h"

#include <stdint.h>

/* The settings images.keep and images.quota (bytes; 0: none). */
void images_change(uint64_t keep_ms, uint64_t quota_bytes);

/*
 * May a function be made from this image of the store (NULL: of none)? Above the quota, old versions go first. Returns 0, or -EDQUOT with
 * *err set. Blocks for files.
 */
int images_admit(const char *digest, struct df_err *err) __attribute__((warn_unused_result));

/* A function was deployed from this image (NULL: of none): it is a version of its name and NAME:latest, unless it is already. */
void images_deployed(const char *name, const char *digest);

/* Called each minute: retires after deployments, and each hour. Puts it off while something is being added. */
void images_tidy(void);

#endif
