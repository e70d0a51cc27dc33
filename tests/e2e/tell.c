/* SPDX-License-Identifier: Apache-2.0 */
/* An event program for tests/e2e/triggers: it answers with the event's attributes, a line each, an empty line, and the body. */
#include <dayfly.h>
#include <stdio.h>

int main(void)
{
	struct df_event_view event;

	while (df_next_event(&event) > 0) {
		const char *value;

		for (const char *name = NULL; (name = df_next_attribute(&event, name, &value));)
			printf("%s=%s\n", name, value);
		putchar('\n');
		fwrite(event.body, 1, event.body_bytes, stdout);
	}
	return 0;
}
