/* SPDX-License-Identifier: Apache-2.0 */
/* What a reply means: see outcome.h. */
#include "host/outcome.h"

#include "host/str.h"
#include "host/write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int df_outcome_status(const struct df_slot_reply *reply)
{
	switch (reply->outcome) {
	case DF_OUTCOME_EXIT:
		return reply->status;
	case DF_OUTCOME_SIGNAL:
		return 128 + reply->status;
	case DF_OUTCOME_WALL_TIME:
	case DF_OUTCOME_CPU_TIME:
		return DF_EXIT_TIME_LIMIT;
	case DF_OUTCOME_MEMORY:
		return DF_EXIT_MEMORY_LIMIT;
	case DF_OUTCOME_REPLY_SIZE:
	case DF_OUTCOME_LOG_SIZE:
		return DF_EXIT_SIZE_LIMIT;
	default:
		return DF_EXIT_FAILED;
	}
}

/* The outcomes that are more than a number. */
static const char *const outcomes[DF_OUTCOME_COUNT] = {
	[DF_OUTCOME_WALL_TIME] = "the event took longer than --wall allows",
	[DF_OUTCOME_CPU_TIME] = "the event took more processor time than --cpu allows",
	[DF_OUTCOME_MEMORY] = "the event needed more memory than --memory gives",
	[DF_OUTCOME_REPLY_SIZE] = "the reply is larger than --reply-max allows",
	[DF_OUTCOME_LOG_SIZE] = "the event wrote more to standard error than --log-max allows",
	[DF_OUTCOME_STOPPED] = "the instance was stopped",
};

void df_outcome_describe(enum df_outcome outcome, int status, char *text, size_t size)
{
	if (outcome == DF_OUTCOME_EXIT)
		snprintf(text, size, "exit status %d", status);
	else if (outcome == DF_OUTCOME_SIGNAL)
		snprintf(text, size, "signal %d", status);
	else
		snprintf(text, size, "%s", outcomes[outcome]);
}

void df_outcome_print(const char *text)
{
	DF_STR struct df_str lines = DF_STR_EMPTY;

	while (*text) {
		size_t length = strcspn(text, "\n");

		/* Indented lines belong to the one before. */
		if (length && *text != ' ' && !df_starts_with(text, "dayfly: "))
			df_str_add(&lines, "dayfly: ");
		df_str_add_plain(&lines, text, length);
		df_str_add(&lines, "\n");
		text += length + (text[length] == '\n');
	}
	df_write_error(df_str_text(&lines), lines.length);
}

int df_outcome_write(const struct df_slot_reply *reply, struct df_err *err)
{
	int error;

	df_write_error(reply->log, reply->log_bytes);
	error = df_write(STDOUT_FILENO, reply->body, reply->body_bytes);
	if (error)
		return df_err_set(err, error, "standard output can not be written: %s",
			df_errno_text(error));
	df_outcome_print(reply->text);
	if (!*reply->text && outcomes[reply->outcome])
		dprintf(STDERR_FILENO, "dayfly: %s\n", outcomes[reply->outcome]);
	return 0;
}
