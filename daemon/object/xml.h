/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML as S3's clients send and read it. Requests become a small tree; declarations of any kind (DOCTYPE, and with it entities) are refused before they
 * can mean anything, and size, depth and number of elements are bounded. Namespaces are not looked at: a name is what stands behind its colon.
 */
#ifndef DAEMON_OBJECT_XML_H
#define DAEMON_OBJECT_XML_H

#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XML_DEPTH_MAX 16
#define XML_ELEMENTS_MAX 65536 /* CompleteMultipartUpload with 10,000 parts has 40,000 */

struct xml_node {
	char *name;
	struct df_str text; /* all of the element's own text; no NUL in it */
	struct xml_node *child, *next; /* the first one; the next one beside it */
	struct xml_node *last, *parent;
};

/* Returns 0 with the root element, to be freed with xml_free; -EINVAL (not well-formed, or refused), -E2BIG (too many elements, too deep) or -ENOMEM. */
int xml_parse(const void *bytes, size_t length, struct xml_node **root)
	__attribute__((warn_unused_result));
void xml_free(struct xml_node *root); /* NULL is allowed */

/* The first child of that name, or the next element of that name behind `node`; NULL: none. */
struct xml_node *xml_child(const struct xml_node *node, const char *name);
struct xml_node *xml_next(const struct xml_node *node, const char *name);

/* The text of the first child of that name, never NULL. */
const char *xml_child_text(const struct xml_node *node, const char *name);

/* Writing. Text is escaped; what XML 1.0 cannot hold becomes U+FFFD. */
void xml_begin(struct df_str *xml, const char *root); /* declaration and root, in S3's namespace */
void xml_open(struct df_str *xml, const char *name);
void xml_close(struct df_str *xml, const char *name);
void xml_text(struct df_str *xml, const char *name, const char *text);
void xml_bytes(struct df_str *xml, const char *name, const void *text, size_t length);
void xml_number(struct df_str *xml, const char *name, uint64_t number);
void xml_bool(struct df_str *xml, const char *name, bool value);

#endif
