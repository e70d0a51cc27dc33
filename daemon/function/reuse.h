/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying without freezing: when nothing has changed that is in the snapshot, the one that is there serves on. */
#ifndef DAEMON_REUSE_H
#define DAEMON_REUSE_H

#include "daemon/function/deploy.h"

/*
 * A hash of all that decides what a snapshot holds, but for the root image: the program's part of the configuration, secrets, the rehearsed event,
 * the sizes of the event's windows, kernel and monitor, and what this host's processor has. To be freed; NULL without memory, or when
 * kernel or monitor cannot be read: then nothing is reused.
 */
char *reuse_key(const struct deploy_settings *settings, const struct deployment *deployment)
	__attribute__((warn_unused_result));

/* Would freezing this deployment, whose config->frozen is set, give the snapshot that `before` (or NULL) has? Reads both images if need be, and the
 * snapshot: one that is damaged is not used again. */
bool reuse_possible(const struct deployment *deployment, const struct function *before);

#endif
