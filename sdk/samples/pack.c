// SPDX-License-Identifier: Apache-2.0
/*
 * pack: compresses the event's body with libbz2, straight into the room for the reply, so that no byte is
 * copied. The attribute `level` is 1 to 9. A body that can not be answered gets a status that says why.
 */
#include <dayfly.h>

#include <bzlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static int refuse(int status, const char *why)
{
	const char *attributes[] = {"error", why, NULL};

	df_log("%s", why);
	return df_reply(status, attributes, "", 0);
}

static int answer(const struct df_event_view *event)
{
	static const char *const type[] = {"datacontenttype", "application/x-bzip2", NULL};
	const char *level = df_attribute(event, "level");
	int number = level ? atoi(level) : 9;
	unsigned room = event->reply_max < UINT_MAX ? (unsigned)event->reply_max : UINT_MAX;
	int r;

	if (number < 1 || number > 9)
		return refuse(400, "level must be 1 to 9");
	if (event->body_bytes > UINT_MAX)
		return refuse(413, "the body is too large");
	/* libbz2 does not write to its input, whatever its prototype says. */
	r = BZ2_bzBuffToBuffCompress(event->reply, &room, (char *)event->body,
		(unsigned)event->body_bytes, number, 0, 0);
	if (r == BZ_OUTBUFF_FULL)
		return refuse(413, "the reply would be too large");
	if (r != BZ_OK)
		return refuse(500, "libbz2 failed");
	df_log("%zu to %u bytes", event->body_bytes, room);
	return df_reply(200, type, event->reply, room);
}

int main(void)
{
	struct df_event_view event;

	while (df_next_event(&event) > 0)
		if (answer(&event)) {
			perror("pack");
			return 1;
		}
	return 0;
}
