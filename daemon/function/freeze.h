/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing a program into a snapshot file, by a monitor of its own. */
#ifndef DAEMON_FREEZE_H
#define DAEMON_FREEZE_H

#include "daemon/function/deploy.h"
#include "host/str.h"

#include <dayfly/wire.h>

/*
 * Boots what the deployment says from its root image at `root_path` and writes a snapshot to the empty file `fd`. Returns 0 with *ready filled; 1: the
 * program could not be frozen; or -errno; *err is set then, in one line. `output` gets what the program wrote to standard error, `report` the registers and the
 * call chain of one that died.
 */
int freeze_program(const struct deploy_settings *settings, const struct deployment *deployment,
	const char *root_path, int fd, struct df_ready *ready, struct df_str *output,
	struct df_str *report, struct df_err *err) __attribute__((warn_unused_result));

/* Ends those that run, which fail, and all later ones. */
void freeze_abort(void);
bool freeze_is_aborted(void);

#endif
