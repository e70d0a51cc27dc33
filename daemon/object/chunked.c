/* SPDX-License-Identifier: Apache-2.0 */
/* aws-chunked bodies: see chunked.h. */
#include "daemon/object/chunked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SIGNATURE_NAME "chunk-signature="
#define TRAILER_SIGNATURE "x-amz-trailer-signature"

enum state { HEADER, DATA, DATA_END, TRAILER, END };

static bool is_signed(const struct chunked *c)
{
	return c->identity->payload != SIGV4_PAYLOAD_UNSIGNED_TRAILER;
}

int chunked_init(struct chunked *c, struct sigv4_identity *identity,
	int (*data)(void *user, const void *bytes, size_t length), void *user)
{
	*c = (struct chunked){.identity = identity, .data = data, .user = user, .state = HEADER};
	if (!is_signed(c))
		return 0;
	c->hash = EVP_MD_CTX_new();
	return c->hash && EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

void chunked_deinit(struct chunked *c)
{
	EVP_MD_CTX_free(c->hash);
	for (size_t i = 0; i < CHUNKED_TRAILERS_MAX; i++)
		free(c->trailer_lines[i]);
	*c = (struct chunked){0};
}

const char *chunked_trailer(const struct chunked *c, const char *name)
{
	for (size_t i = 0; i < c->trailer_count; i++) {
		if (strcasecmp(c->trailers[i].name, name) == 0)
			return c->trailers[i].value;
	}
	return NULL;
}

/* --- signatures --- */

static enum chunked_result verified(int result)
{
	if (result == SIGV4_OK)
		return CHUNKED_MORE;
	return result < 0 ? CHUNKED_FAILED : CHUNKED_SIGNATURE;
}

static enum chunked_result verify_chunk(struct chunked *c)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[SIGV4_HEX_BYTES];

	if (!is_signed(c))
		return CHUNKED_MORE;
	if (EVP_DigestFinal_ex(c->hash, digest, NULL) != 1 ||
		EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) != 1)
		return CHUNKED_FAILED;
	for (size_t i = 0; i < 32; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[64] = '\0';
	return verified(sigv4_chunk(c->identity, hex, c->signature));
}

/* --- lines --- */

/* "LENGTH" or "LENGTH;chunk-signature=SIGNATURE" */
static enum chunked_result take_header(struct chunked *c)
{
	size_t digits = strspn(c->line, "0123456789abcdefABCDEF");
	const char *rest = c->line + digits;

	if (digits == 0 || digits > 8)
		return CHUNKED_MALFORMED;
	c->left = strtoull(c->line, NULL, 16);
	if (c->left > CHUNKED_CHUNK_MAX)
		return CHUNKED_MALFORMED;
	c->signature[0] = '\0';
	if (is_signed(c)) {
		if (*rest != ';' || strncmp(rest + 1, SIGNATURE_NAME, strlen(SIGNATURE_NAME)) != 0)
			return CHUNKED_MALFORMED;
		rest += 1 + strlen(SIGNATURE_NAME);
		if (strlen(rest) != SIGV4_HEX_BYTES - 1)
			return CHUNKED_SIGNATURE;
		memcpy(c->signature, rest, SIGV4_HEX_BYTES);
	} else if (*rest && *rest != ';') {
		return CHUNKED_MALFORMED;
	}
	if (c->left > 0) {
		c->state = DATA;
		return CHUNKED_MORE;
	}
	c->done = c->identity->payload == SIGV4_PAYLOAD_CHUNKS;
	c->state = c->done ? END : TRAILER;
	return verify_chunk(c);
}

static enum chunked_result finish(struct chunked *c)
{
	c->state = END;
	c->done = true;
	return CHUNKED_MORE;
}

/* One line of the trailer. Its signature is the last of it; some clients put empty lines before that. */
static enum chunked_result take_trailer(struct chunked *c)
{
	char *colon = strchr(c->line, ':'), *value, *end;
	bool ends_signed = c->identity->payload == SIGV4_PAYLOAD_CHUNKS_TRAILER;
	enum chunked_result result;

	if (c->line_length == 0)
		return ends_signed ? CHUNKED_MORE : finish(c);
	if (!colon || colon == c->line || c->trailer_count == CHUNKED_TRAILERS_MAX)
		return CHUNKED_MALFORMED;
	*colon = '\0';
	for (value = colon + 1; *value == ' ' || *value == '\t'; value++)
		;
	for (end = value + strlen(value); end > value && strchr(" \t", end[-1]); end--)
		end[-1] = '\0';
	if (ends_signed && strcasecmp(c->line, TRAILER_SIGNATURE) == 0) {
		result = verified(sigv4_trailer(c->identity, c->trailers, c->trailer_count, value));
		return result == CHUNKED_MORE ? finish(c) : result;
	}
	c->trailer_lines[c->trailer_count] = malloc(c->line_length + 1);
	if (!c->trailer_lines[c->trailer_count])
		return CHUNKED_FAILED;
	memcpy(c->trailer_lines[c->trailer_count], c->line, c->line_length + 1);
	c->trailers[c->trailer_count] = (struct sigv4_header){
		.name = c->trailer_lines[c->trailer_count],
		.value = c->trailer_lines[c->trailer_count] + (value - c->line),
	};
	c->trailer_count++;
	return CHUNKED_MORE;
}

static enum chunked_result take_line(struct chunked *c)
{
	switch (c->state) {
	case HEADER:
		return take_header(c);
	case DATA_END:
		c->state = HEADER;
		return c->line_length == 0 ? CHUNKED_MORE : CHUNKED_MALFORMED;
	case TRAILER:
		return take_trailer(c);
	default:
		/* What may stand behind the end is an empty line. */
		return c->line_length == 0 ? CHUNKED_MORE : CHUNKED_MALFORMED;
	}
}

/* --- bytes --- */

static enum chunked_result feed_line(struct chunked *c, const char **at, const char *end)
{
	const char *found = memchr(*at, '\n', (size_t)(end - *at));
	size_t length = (size_t)((found ? found : end) - *at);
	enum chunked_result result;

	if (c->line_length + length > CHUNKED_LINE_MAX || memchr(*at, '\0', length))
		return CHUNKED_MALFORMED;
	memcpy(c->line + c->line_length, *at, length);
	c->line_length += length;
	*at += length + (found != NULL);
	if (!found)
		return CHUNKED_MORE;
	if (c->line_length > 0 && c->line[c->line_length - 1] == '\r')
		c->line_length--;
	c->line[c->line_length] = '\0';
	result = take_line(c);
	c->line_length = 0;
	return result;
}

static enum chunked_result feed_data(struct chunked *c, const char **at, const char *end)
{
	size_t length = (size_t)(end - *at);

	if (length > c->left)
		length = (size_t)c->left;
	if (c->hash && EVP_DigestUpdate(c->hash, *at, length) != 1)
		return CHUNKED_FAILED;
	if (c->data(c->user, *at, length) != 0)
		return CHUNKED_STOPPED;
	*at += length;
	c->left -= length;
	if (c->left > 0)
		return CHUNKED_MORE;
	c->state = DATA_END;
	return verify_chunk(c);
}

enum chunked_result chunked_feed(struct chunked *c, const char *bytes, size_t length)
{
	const char *at = bytes, *end = bytes + length;
	enum chunked_result result = CHUNKED_MORE;

	while (at < end && result == CHUNKED_MORE)
		result = c->state == DATA ? feed_data(c, &at, end) : feed_line(c, &at, end);
	return result;
}
