/* SPDX-License-Identifier: Apache-2.0 */
/* Having the daemon freeze a program, and explaining why it could not: see platform.h. */
#include "cli/platform/platform.h"

#include "cli/progress.h"
#include "host/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All is said here, in order: what failed, the program's last words, what to do. */
static int explain(const char *name, const json_t *error, bool verbose, struct df_err *err)
{
	const char *report = member_text(error, "report");
	DF_STR struct df_str lines = DF_STR_EMPTY;

	df_err_set(err, CLI_FAILED, "%s %s: %s", name,
		strcmp(member_text(error, "code"), "NotUp") == 0 ? "did not come up"
								 : "could not be frozen",
		member_text(error, "message"));
	(void)cli_fail(err, CLI_FAILED);
	print_last_words(member_text(error, "output"));
	if (verbose)
		add_indented(&lines, report);
	dprintf(STDERR_FILENO, "%s", df_str_text(&lines));
	if (*report && !verbose)
		dprintf(STDERR_FILENO,
			"  `dayfly deploy --verbose ...` shows registers and call chain, `dayfly logs %s` too\n",
			name);
	err->text[0] = '\0';
	return CLI_FAILED;
}

int deploy_send(const char *path, const json_t *deployment, bool verbose, json_t **function,
	struct df_err *err)
{
	static const char *const headers[] = {"content-type: application/json", NULL};
	DF_FREE char *text = json_dumps(deployment, JSON_COMPACT);
	const char *name = strrchr(path, '/') + 1;
	const struct client_request request = {"PUT", path, text, text ? strlen(text) : 0, headers};
	struct client_reply reply;
	json_t *answer;
	int status;

	if (!text)
		return df_err_set(err, CLI_FAILED, "out of memory");
	progress_begin(strcmp(member_text(deployment, "mode"), "service") == 0 ? "starting"
									       : "freezing",
		name);
	status = client_ask(&request, &reply, err);
	progress_end();
	if (status)
		return status;
	answer = json_loadb(df_str_text(&reply.body), reply.body.length, 0, NULL);
	if (reply.status == 422)
		status = explain(name, json_object_get(answer, "error"), verbose, err);
	else if (reply.status >= 400)
		status = client_refused(&reply, err);
	else
		*function = json_incref(answer);
	json_decref(answer);
	df_str_deinit(&reply.body);
	return status;
}

void deploy_note(const json_t *function)
{
	unsigned long long status = member_number(function, "boot_status");

	if (strcmp(member_text(function, "wait_point"), "entry") != 0)
		return;
	if (status)
		dprintf(STDERR_FILENO,
			"dayfly: %s ended with status %llu without asking for input; it will run so for each "
			"event (`dayfly invoke %s` shows what it says)\n",
			member_text(function, "program"), status, member_text(function, "name"));
	else
		dprintf(STDERR_FILENO,
			"dayfly: %s does not ask for input; it runs whole for each event\n",
			member_text(function, "program"));
}
