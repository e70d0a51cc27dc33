// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of what S3's clients send: XML (daemon/object/xml.c), targets and their parameters (target.c), bodies in chunks (chunked.c). The first byte says
 * which: X, T, S (signed), R (signed, with a trailer), others: unsigned with a trailer. What comes out must be within what the headers promise.
 */
#include "daemon/object/chunked.h"
#include "daemon/object/target.h"
#include "daemon/object/xml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	volatile size_t length = strlen(text);

	(void)length;
}

static void walk(const struct xml_node *node, unsigned int depth, unsigned int *count)
{
	if (depth > XML_DEPTH_MAX || ++*count > XML_ELEMENTS_MAX)
		abort();
	for (; node; node = node->next) {
		check_text(node->name);
		if (strlen(df_str_text(&node->text)) != node->text.length)
			abort();
		if (node->child)
			walk(node->child, depth + 1, count);
	}
}

static void try_xml(const uint8_t *data, size_t size)
{
	struct xml_node *root = NULL;
	unsigned int count = 0;
	struct df_str again = DF_STR_EMPTY;

	if (xml_parse(data, size, &root) != 0)
		return;
	walk(root, 1, &count);
	/* What is written can be read, and says the same. */
	xml_bytes(&again, "Text", df_str_text(&root->text), root->text.length);
	xml_free(root);
	root = NULL;
	if (xml_parse(df_str_text(&again), again.length, &root) != 0)
		abort();
	xml_free(root);
	df_str_deinit(&again);
}

static void try_target(const char *text, const char *bucket)
{
	struct target target;

	if (target_parse(text, bucket, &target) == TARGET_OK) {
		if (target.bucket)
			check_text(target.bucket);
		if (target.key)
			check_text(target.key);
		if (target.parameter_count > TARGET_PARAMETERS_MAX)
			abort();
		for (size_t i = 0; i < target.parameter_count; i++) {
			check_text(target.parameters[i].value);
			if (!target_parameter(&target, target.parameters[i].name))
				abort();
		}
	}
	target_deinit(&target);
}

static size_t taken;

static int take(void *user, const void *bytes, size_t length)
{
	(void)bytes;
	taken += length;
	return taken > *(size_t *)user;
}

/* In pieces of `step` bytes: the result does not depend on them. */
static enum chunked_result feed(enum sigv4_payload payload, const char *bytes, size_t size,
	size_t step, bool *done)
{
	struct sigv4_identity identity = {.payload = payload};
	enum chunked_result result = CHUNKED_MORE;
	struct chunked chunked;

	taken = 0;
	if (chunked_init(&chunked, &identity, take, &size) != 0)
		abort();
	for (size_t at = 0; at < size && result == CHUNKED_MORE; at += step)
		result = chunked_feed(&chunked, bytes + at, size - at < step ? size - at : step);
	for (size_t i = 0; i < chunked.trailer_count; i++) {
		check_text(chunked.trailers[i].value);
		if (!chunked_trailer(&chunked, chunked.trailers[i].name))
			abort();
	}
	*done = chunked.done;
	chunked_deinit(&chunked);
	return result;
}

static void try_chunks(enum sigv4_payload payload, const char *bytes, size_t size)
{
	bool done, again;
	enum chunked_result whole = feed(payload, bytes, size, size ? size : 1, &done);

	if (feed(payload, bytes, size, 1, &again) != whole || done != again)
		abort();
	/* Nobody has signed that. */
	if (payload != SIGV4_PAYLOAD_UNSIGNED_TRAILER && whole == CHUNKED_MORE && done)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (*data) {
	case 'X':
		try_xml(data + 1, size - 1);
		break;
	case 'T':
		try_target(text, NULL);
		try_target(text, "bucket");
		break;
	case 'S':
		try_chunks(SIGV4_PAYLOAD_CHUNKS, text, size - 1);
		break;
	case 'R':
		try_chunks(SIGV4_PAYLOAD_CHUNKS_TRAILER, text, size - 1);
		break;
	default:
		try_chunks(SIGV4_PAYLOAD_UNSIGNED_TRAILER, text, size - 1);
	}
	free(text);
	return 0;
}
