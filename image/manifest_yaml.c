/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as a tree: see manifest_yaml.h. */
#include "image/manifest_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define DEPTH_MAX 12
#define NODES_MAX 5000

struct reading {
	yaml_parser_t parser;
	const char *shown_name;
	size_t node_count;
	struct df_err *err;
};

static int read_node(struct reading *r, const yaml_event_t *event, unsigned int depth,
	struct node **node);

void node_free(struct node *root)
{
	/* Depth is bounded, so is this recursion. */
	while (root) {
		struct node *next = root->next;

		node_free(root->first);
		free(root->key);
		free(root->text);
		free(root);
		root = next;
	}
}

const struct node *node_get(const struct node *map, const char *key)
{
	for (const struct node *at = map->first; at; at = at->next) {
		if (at->key && strcmp(at->key, key) == 0)
			return at;
	}
	return NULL;
}

bool node_is_null(const struct node *node)
{
	return node->kind == NODE_TEXT && node->plain &&
		(node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
			strcmp(node->text, "null") == 0);
}

int node_fail(struct df_err *err, const char *shown_name, size_t line, const char *format, ...)
{
	char text[DF_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!shown_name)
		return df_err_set(err, -EINVAL, "%s", text);
	if (!line)
		return df_err_set(err, -EINVAL, "%s: %s", shown_name, text);
	return df_err_set(err, -EINVAL, "%s:%zu: %s", shown_name, line, text);
}

static int fail(const struct reading *r, size_t line, const char *why)
{
	return node_fail(r->err, r->shown_name, line, "%s", why);
}

/* The parser's own words, with the line where the trouble is. */
static int fail_parse(const struct reading *r)
{
	const yaml_parser_t *p = &r->parser;

	if (p->error == YAML_MEMORY_ERROR)
		return df_err_set(r->err, -ENOMEM, "out of memory");
	if (p->error == YAML_READER_ERROR)
		return node_fail(r->err, r->shown_name, 0,
			"it is not a text in UTF-8: %s (byte %zu)",
			p->problem ? p->problem : "cannot read it", p->problem_offset);
	node_fail(r->err, r->shown_name, p->problem_mark.line + 1, "%s",
		p->problem ? p->problem : "this is not YAML");
	if (p->context)
		df_err_add(r->err, " (%s that begins in line %zu)", p->context,
			p->context_mark.line + 1);
	return -EINVAL;
}

/* Takes the next event, for yaml_event_delete on success. */
static int next_event(struct reading *r, yaml_event_t *event)
{
	return yaml_parser_parse(&r->parser, event) ? 0 : fail_parse(r);
}

/* Anchors, aliases and tags have no use here and are how a small text becomes a large one. */
static int refuse_extras(const struct reading *r, const yaml_event_t *event)
{
	const size_t line = event->start_mark.line + 1;
	const unsigned char *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return fail(r, line, "aliases (*NAME) are not supported; write the value out");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return fail(r, line, "anchors (&NAME) are not supported; write the value out");
	if (tag)
		return fail(r, line, "tags (!NAME) are not supported");
	return 0;
}

static int copy_text(const struct reading *r, const yaml_event_t *event, char **text)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;

	if (memchr(value, '\0', length))
		return fail(r, event->start_mark.line + 1, "a text holds a NUL character");
	*text = strdup(value);
	return *text ? 0 : df_err_set(r->err, -ENOMEM, "out of memory");
}

static void append(struct node *parent, struct node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
}

static int read_list(struct reading *r, struct node *list, unsigned int depth)
{
	yaml_event_t event;
	int error = next_event(r, &event);

	while (error == 0 && event.type != YAML_SEQUENCE_END_EVENT) {
		struct node *item = NULL;

		error = read_node(r, &event, depth + 1, &item);
		yaml_event_delete(&event);
		if (error == 0) {
			append(list, item);
			error = next_event(r, &event);
		}
	}
	if (error == 0)
		yaml_event_delete(&event);
	return error;
}

static int read_key(const struct reading *r, const yaml_event_t *event, const struct node *map,
	char **key)
{
	const struct node *earlier;
	int error = refuse_extras(r, event);

	if (error == 0 && event->type != YAML_SCALAR_EVENT)
		error = fail(r, event->start_mark.line + 1, "a key must be a single word");
	if (error == 0)
		error = copy_text(r, event, key);
	if (error || !*key)
		return error;
	earlier = node_get(map, *key);
	if (earlier) {
		error = node_fail(r->err, r->shown_name, event->start_mark.line + 1,
			"the key %s is there twice (first in line %zu)", *key, earlier->line);
		free(*key);
		*key = NULL;
	}
	return error;
}

/* One member of a map; *event is its key. */
static int read_member(struct reading *r, const yaml_event_t *event, struct node *map,
	unsigned int depth)
{
	struct node *value = NULL;
	yaml_event_t value_event;
	char *key = NULL;
	int error = read_key(r, event, map, &key);

	if (error)
		return error;
	error = next_event(r, &value_event);
	if (error == 0) {
		error = read_node(r, &value_event, depth + 1, &value);
		yaml_event_delete(&value_event);
	}
	if (error || !value) {
		free(key);
		return error;
	}
	value->key = key;
	value->line = event->start_mark.line + 1;
	append(map, value);
	return 0;
}

static int read_map(struct reading *r, struct node *map, unsigned int depth)
{
	yaml_event_t event;
	int error = next_event(r, &event);

	while (error == 0 && event.type != YAML_MAPPING_END_EVENT) {
		error = read_member(r, &event, map, depth);
		yaml_event_delete(&event);
		if (error == 0)
			error = next_event(r, &event);
	}
	if (error == 0)
		yaml_event_delete(&event);
	return error;
}

static int fill_node(struct reading *r, const yaml_event_t *event, unsigned int depth,
	struct node *node)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = NODE_TEXT;
		node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		return copy_text(r, event, &node->text);
	case YAML_SEQUENCE_START_EVENT:
		node->kind = NODE_LIST;
		return read_list(r, node, depth);
	case YAML_MAPPING_START_EVENT:
		node->kind = NODE_MAP;
		return read_map(r, node, depth);
	default:
		return fail(r, event->start_mark.line + 1, "a value is missing");
	}
}

static int read_node(struct reading *r, const yaml_event_t *event, unsigned int depth,
	struct node **node)
{
	const size_t line = event->start_mark.line + 1;
	struct node *made;
	int error = refuse_extras(r, event);

	if (error < 0)
		return error;
	if (depth > DEPTH_MAX)
		return fail(r, line, "lists and mappings are nested too deep");
	if (++r->node_count > NODES_MAX)
		return fail(r, line, "there are too many values");
	made = calloc(1, sizeof(*made));
	if (!made)
		return df_err_set(r->err, -ENOMEM, "out of memory");
	made->line = line;
	error = fill_node(r, event, depth, made);
	if (error < 0) {
		node_free(made);
		return error;
	}
	*node = made;
	return 0;
}

/* Skips events up to the first node of the document: *event is that, or the stream's end. */
static int find_start(struct reading *r, yaml_event_t *event)
{
	for (;;) {
		int error = next_event(r, event);

		if (error < 0 ||
			(event->type != YAML_STREAM_START_EVENT &&
				event->type != YAML_DOCUMENT_START_EVENT))
			return error;
		yaml_event_delete(event);
	}
}

/* Behind the document nothing may follow. */
static int expect_end(struct reading *r)
{
	for (;;) {
		yaml_event_t event;
		yaml_event_type_t type;
		size_t line;
		int error = next_event(r, &event);

		if (error < 0)
			return error;
		type = event.type;
		line = event.start_mark.line + 1;
		yaml_event_delete(&event);
		if (type == YAML_STREAM_END_EVENT)
			return 0;
		if (type != YAML_DOCUMENT_END_EVENT)
			return fail(r, line, "a second document begins here; there can be one");
	}
}

static int read_document(struct reading *r, struct node **root)
{
	yaml_event_t event;
	int error = find_start(r, &event);

	if (error < 0)
		return error;
	if (event.type == YAML_STREAM_END_EVENT) {
		*root = calloc(1, sizeof(**root));
		if (*root)
			**root = (struct node){.kind = NODE_MAP, .line = 1};
		error = *root ? 0 : df_err_set(r->err, -ENOMEM, "out of memory");
	} else {
		error = read_node(r, &event, 0, root);
		if (error == 0)
			error = expect_end(r);
	}
	yaml_event_delete(&event);
	return error;
}

int node_read(const char *text, size_t length, const char *shown_name, struct node **root,
	struct df_err *err)
{
	struct reading r = {.shown_name = shown_name, .err = err};
	struct node *made = NULL;
	int error;

	if (!yaml_parser_initialize(&r.parser))
		return df_err_set(err, -ENOMEM, "out of memory");
	/* UTF-8 is said rather than guessed: a text in UTF-16 would come out as something that nobody checked. */
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
	error = read_document(&r, &made);
	yaml_parser_delete(&r.parser);
	if (error < 0)
		node_free(made);
	else
		*root = made;
	return error;
}
