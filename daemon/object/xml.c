/* SPDX-License-Identifier: Apache-2.0 */
/* XML: see xml.h. The reader is expat's; what is done here is the tree, and the refusals. */
#include "daemon/object/xml.h"

#include "host/cleanup.h"

#include <errno.h>
#include <expat.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	XML_Parser parser;
	struct xml_node *root, *at;
	unsigned int depth, elements;
	int error;
};

static void stop(struct reading *reading, int error)
{
	reading->error = error;
	(void)XML_StopParser(reading->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static void XMLCALL start(void *user, const char *name, const char **attributes)
{
	struct reading *reading = user;
	struct xml_node *node, *parent = reading->at;

	(void)attributes;
	if (reading->error)
		return;
	if (++reading->depth > XML_DEPTH_MAX || ++reading->elements > XML_ELEMENTS_MAX) {
		stop(reading, -E2BIG);
		return;
	}
	node = calloc(1, sizeof(*node));
	if (node)
		node->name = strdup(local_name(name));
	if (!node || !node->name) {
		free(node);
		stop(reading, -ENOMEM);
		return;
	}
	node->parent = parent;
	if (!parent)
		reading->root = node;
	else if (parent->last)
		parent->last->next = node;
	else
		parent->child = node;
	if (parent)
		parent->last = node;
	reading->at = node;
}

static void XMLCALL finish(void *user, const char *name)
{
	struct reading *reading = user;

	(void)name;
	if (reading->error)
		return;
	reading->at = reading->at->parent;
	reading->depth--;
}

static void XMLCALL characters(void *user, const char *text, int length)
{
	struct reading *reading = user;

	if (reading->error || !reading->at)
		return;
	df_str_add_bytes(&reading->at->text, text, (size_t)length);
	if (reading->at->text.failed)
		stop(reading, -ENOMEM);
}

static void XMLCALL doctype(void *user, const char *name, const char *system, const char *public,
	int internal)
{
	(void)name, (void)system, (void)public, (void)internal;
	stop(user, -EINVAL);
}

static void XMLCALL entity(void *user, const char *name, int is_parameter, const char *value,
	int length, const char *base, const char *system, const char *public, const char *notation)
{
	(void)name, (void)is_parameter, (void)value, (void)length;
	(void)base, (void)system, (void)public, (void)notation;
	stop(user, -EINVAL);
}

int xml_parse(const void *bytes, size_t length, struct xml_node **root)
{
	struct reading reading = {.parser = XML_ParserCreate(NULL)};
	enum XML_Status status;

	if (!reading.parser)
		return -ENOMEM;
	XML_SetUserData(reading.parser, &reading);
	XML_SetElementHandler(reading.parser, start, finish);
	XML_SetCharacterDataHandler(reading.parser, characters);
	XML_SetStartDoctypeDeclHandler(reading.parser, doctype);
	XML_SetEntityDeclHandler(reading.parser, entity);
	status = length <= INT32_MAX ? XML_Parse(reading.parser, bytes, (int)length, XML_TRUE)
				     : XML_STATUS_ERROR;
	if (!reading.error && status != XML_STATUS_OK)
		reading.error =
			XML_GetErrorCode(reading.parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EINVAL;
	XML_ParserFree(reading.parser);
	if (reading.error) {
		xml_free(reading.root);
		return reading.error;
	}
	*root = reading.root;
	return 0;
}

/* Without recursion or a stack: the deepest first child goes first, then its parent has the next one as its first. */
void xml_free(struct xml_node *root)
{
	struct xml_node *at = root;

	while (at) {
		struct xml_node *up = at->parent;

		if (at->child) {
			at = at->child;
			continue;
		}
		if (up)
			up->child = at->next;
		df_str_deinit(&at->text);
		free(at->name);
		free(at);
		at = up;
	}
}

struct xml_node *xml_next(const struct xml_node *node, const char *name)
{
	struct xml_node *at = node ? node->next : NULL;

	while (at && strcmp(at->name, name) != 0)
		at = at->next;
	return at;
}

struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
	struct xml_node *at = node ? node->child : NULL;

	return !at || strcmp(at->name, name) == 0 ? at : xml_next(at, name);
}

const char *xml_child_text(const struct xml_node *node, const char *name)
{
	const struct xml_node *child = xml_child(node, name);

	return child ? df_str_text(&child->text) : "";
}

/* --- writing --- */

void xml_begin(struct df_str *xml, const char *root)
{
	df_str_addf(xml,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
		root);
}

void xml_open(struct df_str *xml, const char *name)
{
	df_str_addf(xml, "<%s>", name);
}

void xml_close(struct df_str *xml, const char *name)
{
	df_str_addf(xml, "</%s>", name);
}

static const char *escape(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\r':
		return "&#13;";
	default:
		return c < 0x20 && c != '\n' && c != '\t' ? "\xef\xbf\xbd" : NULL;
	}
}

void xml_bytes(struct df_str *xml, const char *name, const void *text, size_t length)
{
	const char *at = text, *end = at + length;

	xml_open(xml, name);
	while (at < end) {
		const char *plain = at, *escaped = NULL;

		while (at < end && !(escaped = escape((unsigned char)*at)))
			at++;
		df_str_add_bytes(xml, plain, (size_t)(at - plain));
		if (at < end) {
			df_str_add(xml, escaped);
			at++;
		}
	}
	xml_close(xml, name);
}

void xml_text(struct df_str *xml, const char *name, const char *text)
{
	xml_bytes(xml, name, text, strlen(text));
}

void xml_number(struct df_str *xml, const char *name, uint64_t number)
{
	df_str_addf(xml, "<%s>%" PRIu64 "</%s>", name, number, name);
}

void xml_bool(struct df_str *xml, const char *name, bool value)
{
	xml_text(xml, name, value ? "true" : "false");
}
