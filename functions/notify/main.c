/* SPDX-License-Identifier: Apache-2.0 */
/* notify: makes a message of any event. See template.h and docs/functions.md. */
#include "functions/common/params.h"
#include "functions/notify/template.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { P_TEMPLATE, P_TYPE, P_LOG };

/* All fixed: a message is worded by whoever deploys the function. */
static const struct param table[] = {
	[P_TEMPLATE] = {"template", "{{type}} {{subject}}\n", true,
		"text with {{NAME}} and {{json NAME}} in it; NAME is an attribute, body, or body.FIELD"},
	[P_TYPE] = {"content-type", "text/plain; charset=utf-8", true, "of the message"},
	[P_LOG] = {"log", "no", true, "yes: the message is a line of the log, too"},
	{0},
};

static const struct program program = {"notify", "NOTIFY_",
	"an event on standard input becomes a message on standard output", table};

static void log_missing(const char *name)
{
	df_log("the event has no %s", name);
}

/* One line, whatever is in it: nothing in an event can make up lines of its own. */
static void log_message(const char *text, size_t bytes)
{
	char line[1024];
	size_t n = bytes < sizeof(line) - 1 ? bytes : sizeof(line) - 1;

	while (n && text[n - 1] == '\n')
		n--;
	for (size_t i = 0; i < n; i++)
		line[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
	line[n] = 0;
	df_log("%s", line);
}

static int answer(const struct params *params, const struct message_template *template, bool log,
	const struct df_event_view *event)
{
	struct failure failure = {0};
	size_t bytes;

	if (template_fill(template, event, event->reply, event->reply_max, &bytes,
		    event->plain ? NULL : log_missing, &failure))
		return answer_failure(event, program.name, &failure);
	if (log)
		log_message(event->reply, bytes);
	return answer_body(event, params->values[P_TYPE], NULL, event->reply, bytes);
}

int main(int argc, char **argv)
{
	static const char *const no_yes[] = {"no", "yes", NULL};
	static struct message_template template;
	struct df_event_view event;
	struct failure failure = {0};
	struct params params;
	int log;

	params_start(&params, &program, argc, argv);
	json_object_seed(0);
	log = params_word(&params, P_LOG, no_yes, &failure);
	if (log < 0 || template_parse(&template, params.values[P_TEMPLATE], &failure)) {
		fprintf(stderr, "notify: %s\n", failure.text);
		return 2;
	}
	if (strpbrk(params.values[P_TYPE], "\r\n") || !strchr(params.values[P_TYPE], '/')) {
		fprintf(stderr, "notify: content-type must be one, such as application/json\n");
		return 2;
	}
	if (df_next_event(&event) <= 0)
		return 1;
	return answer(&params, &template, log == 1, &event);
}
