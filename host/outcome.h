/* SPDX-License-Identifier: Apache-2.0 */
/* What a reply means to who sent the event from a command line: exit status, words, output. */
#ifndef HOST_OUTCOME_H
#define HOST_OUTCOME_H

#include "host/err.h"
#include "host/slot.h"

#include <stddef.h>

/* What a limit becomes as an exit status: of time as timeout(1) says it, else as that of a process which Linux ends for it. */
enum df_outcome_exit {
	DF_EXIT_TIME_LIMIT = 124,
	DF_EXIT_FAILED = 125,
	DF_EXIT_MEMORY_LIMIT = 128 + 9, /* SIGKILL */
	DF_EXIT_SIZE_LIMIT = 128 + 25, /* SIGXFSZ */
};

/* The exit status that a reply means: the program's, 128 + signal, or one of the above. */
int df_outcome_status(const struct df_slot_reply *reply);

/* The outcome in a few words: "exit status 3", "signal 11". */
void df_outcome_describe(enum df_outcome outcome, int status, char *text, size_t size);

/*
 * Writes the log to standard error, the reply to standard output, and then to standard error what there is to say
 * about the outcome. Returns 0, or -errno with *err set when the reply could not be written.
 */
int df_outcome_write(const struct df_slot_reply *reply, struct df_err *err)
	__attribute__((warn_unused_result));

/* Prints a text of a monitor's on standard error, cleaned, each line that is not indented with "dayfly: " before it. */
void df_outcome_print(const char *text);

#endif
