// SPDX-License-Identifier: Apache-2.0
/* See reply.h. */
#include <kernel/http/reply.h>

static void bad(struct http_reply *r, const char *why)
{
	r->state = HTTP_BAD;
	r->why = why;
}

void http_reply_begin(struct http_reply *r)
{
	r->state = HTTP_STATUS;
	r->why = NULL;
	r->status = 0;
	r->chunked = r->has_length = r->until_end = false;
	r->left = 0;
	r->head_bytes = r->line_bytes = 0;
}

/* --- words --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool is_token(char c)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	char l = lower(c);

	return (l >= 'a' && l <= 'z') || is_digit(c) || (c && strchr(others, c));
}

static bool same(const char *a, size_t bytes, const char *word)
{
	size_t i;

	for (i = 0; i < bytes && word[i] && lower(a[i]) == word[i]; i++)
		;
	return i == bytes && !word[i];
}

bool http_is_hop_by_hop(const char *name, size_t bytes)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
		"proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
		"upgrade"};

	for (unsigned i = 0; i < array_size(names); i++)
		if (same(name, bytes, names[i]))
			return true;
	return false;
}

/* A number in this base that takes all of the text. False: it is none, or too large. */
static bool number(const char *text, size_t bytes, unsigned base, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++) {
		char c = lower(text[i]);
		unsigned digit = is_digit(c)                 ? (unsigned)(c - '0')
			: base == 16 && c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
							     : base;

		if (digit >= base || n > (1ULL << 56))
			return false;
		n = n * base + digit;
	}
	*out = n;
	return bytes;
}

/* --- lines --- */

static void status_line(struct http_reply *r)
{
	const char *l = r->line;

	if (r->line_bytes < 12 || strncmp(l, "HTTP/1.", 7) || !is_digit(l[7]) || l[8] != ' ' ||
		!is_digit(l[9]) || !is_digit(l[10]) || !is_digit(l[11]) ||
		(l[12] && l[12] != ' ')) {
		bad(r, "its first line is no status line");
		return;
	}
	r->status = (unsigned)((l[9] - '0') * 100 + (l[10] - '0') * 10 + (l[11] - '0'));
	r->state = HTTP_HEADERS;
	if (r->status < 100 || r->status > 599)
		bad(r, "its status is not one of 100 to 599");
	else if (r->status == 101)
		bad(r, "it changes to another protocol");
}

/* Where the body ends, as far as this header says. */
static bool framing(struct http_reply *r, const char *name, size_t name_bytes, const char *value)
{
	uint64_t length;

	if (same(name, name_bytes, "content-length")) {
		if (!number(value, strlen(value), 10, &length) ||
			(r->has_length && length != r->left)) {
			bad(r, "its content-length makes no sense");
			return false;
		}
		r->has_length = true;
		r->left = length;
	} else if (same(name, name_bytes, "transfer-encoding")) {
		if (r->chunked || !same(value, strlen(value), "chunked")) {
			bad(r, "its transfer-encoding is not chunked");
			return false;
		}
		r->chunked = true;
	}
	return true;
}

static void header_line(struct http_reply *r)
{
	char *name = r->line, *value, *end = r->line + r->line_bytes;
	size_t n = 0;

	while (is_token(name[n]))
		n++;
	if (!n || name[n] != ':') {
		bad(r, "a line of its head is no header");
		return;
	}
	for (value = name + n + 1; *value == ' ' || *value == '\t'; value++)
		;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	name[n] = 0;
	/* A server that says more than once what follows is read over says it of another answer. */
	if (r->status >= 200 && framing(r, name, n, value) && !http_is_hop_by_hop(name, n) &&
		!same(name, n, "content-length") && !r->header(r->to, name, value))
		bad(r, "its head is too large");
}

/* The head is complete. */
static void head_end(struct http_reply *r)
{
	if (r->status < 200) {
		r->state = HTTP_STATUS;
	} else if (r->no_body || r->status == 204 || r->status == 304) {
		r->state = HTTP_DONE;
	} else if (r->chunked && r->has_length) {
		bad(r, "it has both content-length and transfer-encoding");
	} else if (r->chunked) {
		r->state = HTTP_CHUNK_SIZE;
	} else {
		r->until_end = !r->has_length;
		r->state = r->has_length && !r->left ? HTTP_DONE : HTTP_BODY;
	}
}

static void chunk_size_line(struct http_reply *r)
{
	size_t n = 0;

	while (r->line[n] && r->line[n] != ';' && r->line[n] != ' ' && r->line[n] != '\t')
		n++;
	if (!number(r->line, n, 16, &r->left)) {
		bad(r, "the size of a chunk makes no sense");
		return;
	}
	r->head_bytes = 0;
	r->state = r->left ? HTTP_CHUNK : HTTP_TRAILERS;
}

static void line_done(struct http_reply *r)
{
	if (r->line_bytes && r->line[r->line_bytes - 1] == '\r')
		r->line_bytes--;
	r->line[r->line_bytes] = 0;
	for (size_t i = 0; i < r->line_bytes; i++) {
		unsigned char c = (unsigned char)r->line[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			bad(r, "it has a control character in a line");
			return;
		}
	}
	switch (r->state) {
	case HTTP_STATUS:
		status_line(r);
		break;
	case HTTP_HEADERS:
		if (r->line_bytes)
			header_line(r);
		else
			head_end(r);
		break;
	case HTTP_CHUNK_SIZE:
		chunk_size_line(r);
		break;
	case HTTP_CHUNK_END:
		r->state = HTTP_CHUNK_SIZE;
		if (r->line_bytes)
			bad(r, "a chunk is longer than it says");
		break;
	default: /* trailers are read over */
		if (!r->line_bytes)
			r->state = HTTP_DONE;
	}
	r->line_bytes = 0;
}

/* Adds to the line; bytes taken. */
static size_t take_line(struct http_reply *r, const char *bytes, size_t n)
{
	size_t i = 0;

	for (; i < n; i++) {
		if (++r->head_bytes > HTTP_HEAD_MAX || r->line_bytes >= HTTP_LINE_MAX) {
			bad(r, "its head is too large");
			return i;
		}
		if (bytes[i] == '\n') {
			line_done(r);
			return i + 1;
		}
		r->line[r->line_bytes++] = bytes[i];
	}
	return i;
}

static size_t take_body(struct http_reply *r, const char *bytes, size_t n)
{
	if (!r->until_end && n > r->left)
		n = (size_t)r->left;
	if (!r->body(r->to, bytes, n)) {
		bad(r, "its body is too large");
		return n;
	}
	if (r->until_end)
		return n;
	r->left -= n;
	if (!r->left)
		r->state = r->state == HTTP_CHUNK ? HTTP_CHUNK_END : HTTP_DONE;
	return n;
}

void http_reply_take(struct http_reply *r, const char *bytes, size_t n)
{
	while (n && r->state < HTTP_DONE) {
		size_t taken = r->state == HTTP_BODY || r->state == HTTP_CHUNK
			? take_body(r, bytes, n)
			: take_line(r, bytes, n);

		bytes += taken;
		n -= taken;
	}
}

void http_reply_end(struct http_reply *r)
{
	if (r->state == HTTP_BODY && r->until_end)
		r->state = HTTP_DONE;
	else if (r->state == HTTP_STATUS && !r->line_bytes)
		bad(r, "the server closed the connection without one");
	else if (r->state < HTTP_DONE)
		bad(r, "the server closed the connection before its end");
}
