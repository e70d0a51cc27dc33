/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as a tree with line numbers, for manifests: one document, no anchors, aliases or tags, bounded in depth and number of
 * nodes, keys unique and scalar, no NUL in any text. Scalars are kept as written: `on`, `1.10` and `0x10` are texts until somebody
 * asks for something else.
 *
 * libyaml's events are read directly. libcyaml, which sits on top of it, was tried and takes "1x" for the number 1, names the line of
 * the enclosing mapping instead of the key's, and says what it expected only in its log.
 */
#ifndef IMAGE_MANIFEST_YAML_H
#define IMAGE_MANIFEST_YAML_H

#include "host/err.h"

#include <stdbool.h>
#include <stddef.h>

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	size_t line; /* from 1 on; for a member of a map that of its key */
	char *key; /* for a member of a map */
	char *text; /* TEXT */
	bool plain; /* TEXT: not quoted, not a block */
	size_t count; /* LIST, MAP: members */
	struct node *first, *last; /* LIST, MAP: members in order */
	struct node *next;
};

/*
 * Sets *err to "SHOWN_NAME:LINE: TEXT", without the line if it is 0, or to the text alone without a name. Returns -EINVAL.
 */
int node_fail(struct df_err *err, const char *shown_name, size_t line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Reads a text. An empty document gives an empty map. *root is for node_free. Returns 0, -EINVAL or -ENOMEM with *err set; messages
 * are those of node_fail.
 */
int node_read(const char *text, size_t length, const char *shown_name, struct node **root,
	struct df_err *err) __attribute__((warn_unused_result));

/* NULL is allowed. */
void node_free(struct node *root);

/* A member of a map, or NULL. */
const struct node *node_get(const struct node *map, const char *key);

/* Is it `key:` with nothing behind it, `~` or `null`? */
bool node_is_null(const struct node *node);

#endif
