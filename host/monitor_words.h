/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of dayfly-monitor (monitor/options.c reads it), for all who start one. */
#ifndef HOST_MONITOR_WORDS_H
#define HOST_MONITOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct df_monitor_words {
	const char *name; /* run, freeze, serve */
	const char *host_cache; /* where it remembers what KVM supports; NULL: nowhere */
	const char *const *flags; /* more flags with their values, NULL at the end; or NULL */

	/* What to run; all NULL or 0 without a program. */
	const char *kernel;
	const char *root; /* the root image, or with raw_root the static executable itself */
	bool raw_root;
	const char *program; /* its path in the guest */
	const char *features; /* "core,files,..." */
	const char *cwd;
	uint64_t memory_bytes;
	const char *argv0;
	char *const *arguments; /* behind argv0 */
	size_t argument_count;
};

/*
 * The words to start it with, NULL at the end, for execve and the like. The list is to be freed with free(); what it points to is
 * borrowed. NULL without memory.
 */
char **df_monitor_words(const struct df_monitor_words *command) __attribute__((warn_unused_result));

#endif
