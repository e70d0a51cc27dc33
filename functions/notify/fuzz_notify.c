// SPDX-License-Identifier: Apache-2.0
/* Fuzz target: a template, a zero, and the body of an event. What is written as JSON must be JSON. */
#include "functions/common/fuzz_memory.h"
#include "functions/notify/template.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEEP "{{json body}}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(const char *text, const struct df_event_view *event, bool json)
{
	static struct message_template template;
	static char message[1 << 20];
	struct failure failure = {0};
	json_t *read_back;
	size_t bytes;

	if (template_parse(&template, text, &failure)) {
		if (failure.status != 400)
			abort();
		return;
	}
	if (template_fill(&template, event, message, sizeof(message), &bytes, NULL, &failure) ||
		!json)
		return;
	read_back = json_loadb(message, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (!read_back)
		abort();
	json_decref(read_back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char attributes[] = "subject\0a \"b\"";
	char *text = malloc(size + 1);
	size_t length;
	struct df_event_view event = {
		.attributes = attributes, .attribute_bytes = sizeof(attributes)};

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	length = strlen(text);
	event.body = length < size ? text + length + 1 : "";
	event.body_bytes = length < size ? size - length - 1 : 0;
	fuzz_memory_begin();
	fill(text, &event, false);
	fill(DEEP, &event, true);
	fuzz_memory_end();
	free(text);
	return 0;
}
