/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token that callers show where a face asks for one (`Authorization: Bearer TOKEN`): 256 random bits as text, in a file of mode 0600,
 * made once. To have another one, remove the file and start the daemon anew.
 */
#ifndef DAEMON_TOKEN_H
#define DAEMON_TOKEN_H

#include "host/err.h"

#include <stdbool.h>

#define TOKEN_BYTES 65 /* 64 hexadecimal digits, terminated */

/*
 * Reads the file, or makes it. Returns 0, -EPERM (it is not this user's own, or others may read it), -EINVAL (it holds no token), or -errno, with
 * *err set. Waits for the disk.
 */
int token_ensure(const char *path, char token[TOKEN_BYTES], struct df_err *err)
	__attribute__((warn_unused_result));

/* Is the value of the header Authorization (NULL allowed) this token? Takes as long for each wrong one. */
bool token_matches(const char token[TOKEN_BYTES], const char *authorization);

#endif
