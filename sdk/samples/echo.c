// SPDX-License-Identifier: Apache-2.0
/* echo: answers each event with its own body and, as attributes, what it was. */
#include <dayfly.h>

int main(void)
{
	struct df_event_view event;

	while (df_next_event(&event) > 0) {
		const char *type = df_attribute(&event, "datacontenttype");
		const char *attributes[] = {
			"datacontenttype", type ? type : "application/octet-stream", NULL};

		df_log("event %llu: %zu bytes", event.number, event.body_bytes);
		if (df_reply(200, attributes, event.body, event.body_bytes))
			return 1;
	}
	return 0;
}
