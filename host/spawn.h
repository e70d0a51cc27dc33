/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a process and waiting for its end: what child.c, monitor.c and net.c share. Safe in threaded programs. */
#ifndef HOST_SPAWN_H
#define HOST_SPAWN_H

#include <spawn.h>
#include <sys/types.h>

/*
 * Starts the executable `path` with these words and this environment, each with a NULL at the end, and with default signal handling,
 * whatever this program ignores or blocks. Returns 0 or -errno.
 */
int df_spawn(const char *path, char *const *arguments, char *const *environment,
	const posix_spawn_file_actions_t *actions, pid_t *pid) __attribute__((warn_unused_result));

/*
 * poll(2) for reading from one descriptor, which goes on after a signal. 1: ready, 0: the time is up, or -errno. UINT_MAX ms: no
 * limit.
 */
int df_spawn_poll(int fd, unsigned int limit_ms) __attribute__((warn_unused_result));

/*
 * Waits for the end of a child that was told of it; after `grace_ms` it is killed. Returns its exit status, or 128 + the signal
 * that ended it; -ECHILD when there was none.
 */
int df_spawn_end(pid_t pid, unsigned int grace_ms);

#endif
