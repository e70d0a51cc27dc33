// SPDX-License-Identifier: Apache-2.0
/*
 * A line of the trace under construction: appending formatted text and strings in C notation, as strace
 * writes them. A line that is full takes no more; nothing fails.
 */
#include <kernel/trace/print.h>

void line_put(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(l->text + l->used, LINE_BYTES - l->used, fmt, args);
	va_end(args);
	l->used = min(l->used + (unsigned)n, LINE_BYTES - 1);
}

void line_hex(struct line *l, uint64_t v)
{
	if (v)
		line_put(l, "0x%lx", v);
	else
		line_put(l, "0");
}

void line_pointer(struct line *l, uint64_t v)
{
	if (v)
		line_put(l, "0x%lx", v);
	else
		line_put(l, "NULL");
}

/* One byte, octal. `next` is what follows it: a digit there would become part of the number. */
static void put_number(struct line *l, unsigned char c, char next)
{
	if (next >= '0' && next <= '9')
		line_put(l, "\\%03o", c);
	else
		line_put(l, "\\%o", c);
}

void line_quote(struct line *l, const char *bytes, size_t n, bool hex)
{
	static const char letters[] = "tnvfr"; /* of 9 to 13 */

	line_put(l, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (hex)
			line_put(l, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			line_put(l, "\\%c", c);
		else if (c >= ' ' && c < 127)
			line_put(l, "%c", c);
		else if (c >= '\t' && c <= '\r')
			line_put(l, "\\%c", letters[c - '\t']);
		else
			put_number(l, c, i + 1 < n ? bytes[i + 1] : 0);
	}
	line_put(l, "\"");
}

void line_pad(struct line *l, unsigned column)
{
	while (l->used < column)
		line_put(l, " ");
}
