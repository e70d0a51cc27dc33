/* SPDX-License-Identifier: Apache-2.0 */
/* From a tree of YAML to a manifest, along the table of keys: see manifest.h. */
#include "host/array.h"
#include "host/cleanup.h"
#include "host/egress_rule.h"
#include "image/manifest.h"
#include "image/manifest_schema.h"
#include "image/manifest_service.h"
#include "image/manifest_values.h"
#include "image/manifest_yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_BYTES 384
/* How much of a wrong value a message repeats. */
#define SHOWN_BYTES 60

struct reader {
	const char *shown_name; /* NULL: messages without a place in a file */
	struct df_err *err;
	char place[PLACE_BYTES]; /* "limits.reply": the key that is being read */
};

static int read_keys(struct reader *r, const struct schema_key *keys, const struct node *map,
	void *base);

/* --- messages --- */

static size_t enter(struct reader *r, const char *name)
{
	size_t length = strlen(r->place);

	snprintf(r->place + length, sizeof(r->place) - length, "%s%s", length ? "." : "", name);
	return length;
}

static void leave(struct reader *r, size_t length)
{
	r->place[length] = '\0';
}

static int fail(const struct reader *r, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct reader *r, const struct node *node, const char *format, ...)
{
	char text[DF_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return node_fail(r->err, r->shown_name, node->line, "%s", text);
}

static int no_memory(const struct reader *r)
{
	return df_err_set(r->err, -ENOMEM, "out of memory");
}

/* The nearest of the words by edit distance, if it is near: a third of the letters may differ. */
static void consider(const char *typed, const char *word, const char **nearest, size_t *distance)
{
	size_t d = df_edit_distance(typed, word), length = strlen(word);

	if (d < *distance && d <= (length < 6 ? 2 : length / 3) && d < length) {
		*nearest = word;
		*distance = d;
	}
}

static void add_nearest_word(const struct reader *r, const char *typed, const char *const *words)
{
	const char *nearest = NULL;
	size_t distance = SIZE_MAX;

	for (; words && *words; words++)
		consider(typed, *words, &nearest, &distance);
	if (nearest)
		df_err_add(r->err, "; did you mean %s?", nearest);
}

/* "unknown key limits.replay; did you mean reply?", or all that there are. */
static int fail_unknown(const struct reader *r, const struct schema_key *keys,
	const struct node *node)
{
	const char *nearest = NULL;
	size_t distance = SIZE_MAX;

	for (const struct schema_key *key = keys; key->name; key++)
		consider(node->key, key->name, &nearest, &distance);
	fail(r, node, "unknown key %s%s%.*s", r->place, *r->place ? "." : "", SHOWN_BYTES,
		node->key);
	if (nearest) {
		df_err_add(r->err, "; did you mean %s?", nearest);
		return -EINVAL;
	}
	for (const struct schema_key *key = keys; key->name; key++)
		df_err_add(r->err, "%s%s", key == keys ? "; there are " : ", ", key->name);
	return -EINVAL;
}

/* "memory must be a size such as 64M; this is 12Q" */
static int fail_value(const struct reader *r, const struct node *node, const char *expected)
{
	if (node->kind != NODE_TEXT)
		return fail(r, node, "%s must be %s; this is a %s", r->place, expected,
			node->kind == NODE_LIST ? "list" : "mapping");
	if (node_is_null(node))
		return fail(r, node, "%s has no value; it must be %s", r->place, expected);
	if (strlen(node->text) > SHOWN_BYTES)
		return fail(r, node, "%s must be %s; this is %.*s...", r->place, expected,
			SHOWN_BYTES, node->text);
	return fail(r, node, "%s must be %s; this is %s", r->place, expected,
		*node->text ? node->text : "empty");
}

/* --- single values --- */

static int read_text(const struct reader *r, const struct schema_key *key, const struct node *node,
	char **text)
{
	char *copy;

	if (node->kind != NODE_TEXT || node_is_null(node) || (key->good && !key->good(node->text)))
		return fail_value(r, node, key->expected);
	copy = strdup(node->text);
	if (!copy)
		return no_memory(r);
	free(*text);
	*text = copy;
	return 0;
}

static const char *say_quantity(enum schema_type type, uint64_t quantity,
	char text[MANIFEST_UNITS_BYTES])
{
	if (type == SCHEMA_SIZE)
		return manifest_say_size(quantity, text);
	if (type == SCHEMA_DURATION)
		return manifest_say_duration(quantity, text);
	snprintf(text, MANIFEST_UNITS_BYTES, "%" PRIu64, quantity);
	return text;
}

static int parse_quantity(enum schema_type type, const char *text, uint64_t *quantity)
{
	if (type == SCHEMA_SIZE)
		return manifest_parse_size(text, quantity);
	if (type == SCHEMA_DURATION)
		return manifest_parse_duration(text, quantity);
	return value_number(text, quantity);
}

static int read_quantity(const struct reader *r, const struct schema_key *key,
	const struct node *node, uint64_t *quantity)
{
	char least[MANIFEST_UNITS_BYTES], most[MANIFEST_UNITS_BYTES];
	uint64_t number;

	if (node->kind != NODE_TEXT || parse_quantity(key->type, node->text, &number) < 0)
		return fail_value(r, node, key->expected);
	if (number < key->least || number > key->most)
		return fail(r, node, "%s is %.*s; it can be %s to %s", r->place, SHOWN_BYTES,
			node->text, say_quantity(key->type, key->least, least),
			say_quantity(key->type, key->most, most));
	*quantity = number;
	return 0;
}

static bool find_word(const char *const *words, const char *text, uint32_t *index)
{
	for (uint32_t i = 0; words && words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*index = i;
			return true;
		}
	}
	return false;
}

static int read_word(const struct reader *r, const struct schema_key *key, const struct node *node,
	uint32_t *word)
{
	uint32_t index;

	if (node->kind == NODE_TEXT && find_word(key->words, node->text, word))
		return 0;
	if (node->kind == NODE_TEXT && find_word(key->later, node->text, &index))
		return fail(r, node, "%s %s is not supported yet; it can be %s", r->place,
			node->text, key->expected);
	fail_value(r, node, key->expected);
	if (node->kind == NODE_TEXT)
		add_nearest_word(r, node->text, key->words);
	return -EINVAL;
}

/* --- lists and mappings of texts --- */

static int check_count(const struct reader *r, const struct node *node)
{
	if (node->count > SCHEMA_ITEMS_MAX)
		return fail(r, node, "%s has %zu items; there can be %d", r->place, node->count,
			SCHEMA_ITEMS_MAX);
	return 0;
}

static int read_words(const struct reader *r, const struct schema_key *key, const struct node *node,
	uint32_t *bits)
{
	uint32_t found = 0, index;

	if (node->kind != NODE_LIST)
		return fail_value(r, node, key->expected);
	for (const struct node *item = node->first; item; item = item->next) {
		if (item->kind != NODE_TEXT || !find_word(key->words, item->text, &index)) {
			fail_value(r, item, key->expected);
			if (item->kind == NODE_TEXT)
				add_nearest_word(r, item->text, key->words);
			return -EINVAL;
		}
		found |= 1u << index;
	}
	if (node->count < key->least)
		return fail(r, node, "%s is empty; it must be %s", r->place, key->expected);
	*bits = found;
	return 0;
}

static int read_list(const struct reader *r, const struct schema_key *key, const struct node *node,
	struct manifest_list *list)
{
	int error;

	if (node->kind != NODE_LIST)
		return fail_value(r, node, key->expected);
	error = check_count(r, node);
	if (error < 0)
		return error;
	if (key->required && node->count == 0)
		return fail(r, node, "%s is empty; it must be %s", r->place, key->expected);
	if (node->count == 0)
		return 0;
	list->items = calloc(node->count + 1, sizeof(*list->items));
	if (!list->items)
		return no_memory(r);
	for (const struct node *item = node->first; item; item = item->next) {
		error = read_text(r, key, item, &list->items[list->count]);
		if (error < 0)
			return error;
		list->count++;
	}
	return 0;
}

static int read_pair(struct reader *r, const struct schema_key *key, const struct node *node,
	struct manifest_pair *pair)
{
	if (!value_is_variable(node->key))
		return fail(r, node,
			"%s.%.*s: a variable's name has letters, digits and '_', and no digit in front",
			r->place, SHOWN_BYTES, node->key);
	pair->name = strdup(node->key);
	if (!pair->name)
		return no_memory(r);
	if (node_is_null(node))
		return fail(r, node, "%s.%s has no value; write \"\" if it is to be empty",
			r->place, node->key);
	if (node->kind != NODE_TEXT || (key->good && !key->good(node->text))) {
		size_t place = enter(r, node->key);
		int error = fail_value(r, node, key->good ? "a file of the host" : "a text");

		leave(r, place);
		return error;
	}
	pair->value = strdup(node->text);
	return pair->value ? 0 : no_memory(r);
}

static int read_pairs(struct reader *r, const struct schema_key *key, const struct node *node,
	struct manifest_pairs *pairs)
{
	int error;

	if (node->kind != NODE_MAP)
		return fail_value(r, node, key->expected);
	error = check_count(r, node);
	if (error < 0 || node->count == 0)
		return error;
	pairs->items = calloc(node->count, sizeof(*pairs->items));
	if (!pairs->items)
		return no_memory(r);
	for (const struct node *item = node->first; item; item = item->next) {
		/* Counted first: what a failure leaves half done is freed with the rest. */
		error = read_pair(r, key, item, &pairs->items[pairs->count++]);
		if (error < 0)
			return error;
	}
	return 0;
}

/* --- defaults --- */

static int set_words(const struct schema_key *key, uint32_t *bits)
{
	const char *at = key->fallback + 1;

	*bits = 0;
	for (size_t length; (length = strcspn(at, ",]")) > 0; at += strspn(at, ", ")) {
		for (uint32_t i = 0; key->words[i]; i++) {
			if (strlen(key->words[i]) == length &&
				memcmp(key->words[i], at, length) == 0)
				*bits |= 1u << i;
		}
		at += length;
	}
	return 0;
}

static int set_fallback(const struct schema_key *key, void *value)
{
	switch (key->type) {
	case SCHEMA_TEXT:
		*(char **)value = strdup(key->fallback);
		return *(char **)value ? 0 : -ENOMEM;
	case SCHEMA_NUMBER:
	case SCHEMA_SIZE:
	case SCHEMA_DURATION:
		return parse_quantity(key->type, key->fallback, value);
	case SCHEMA_WORD:
		return find_word(key->words, key->fallback, value) ? 0 : -EINVAL;
	case SCHEMA_WORDS:
		return set_words(key, value);
	default:
		return -EINVAL;
	}
}

static int set_fallbacks(const struct schema_key *keys, void *base)
{
	for (const struct schema_key *key = keys; key->name; key++) {
		int error = 0;

		if (key->type == SCHEMA_SECTION)
			error = set_fallbacks(key->keys, base);
		else if (key->fallback)
			error = set_fallback(key, (char *)base + key->offset);
		if (error < 0)
			return error;
	}
	return 0;
}

int schema_init(const struct schema_key *keys, void *base)
{
	return set_fallbacks(keys, base) < 0 ? -ENOMEM : 0;
}

int manifest_init(struct manifest *m)
{
	*m = (struct manifest){0};
	if (set_fallbacks(manifest_keys, m) < 0) {
		manifest_deinit(m);
		return -ENOMEM;
	}
	return 0;
}

/* --- freeing --- */

static void free_list(struct manifest_list *list)
{
	for (size_t i = 0; list->items && list->items[i]; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct manifest_list){0};
}

static void free_pairs(struct manifest_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(pairs->items);
	*pairs = (struct manifest_pairs){0};
}

static void free_keys(const struct schema_key *keys, void *base);

static void free_triggers(const struct schema_key *kinds, struct manifest *m)
{
	for (size_t i = 0; i < m->trigger_count; i++)
		free_keys(kinds, &m->triggers[i]);
	free(m->triggers);
	m->triggers = NULL;
	m->trigger_count = 0;
}

static void free_keys(const struct schema_key *keys, void *base)
{
	for (const struct schema_key *key = keys; key->name; key++) {
		void *value = (char *)base + key->offset;

		switch (key->type) {
		case SCHEMA_TEXT:
			/* Kinds of triggers share members, so a text can come twice. */
			free(*(char **)value);
			*(char **)value = NULL;
			break;
		case SCHEMA_LIST:
			free_list(value);
			break;
		case SCHEMA_PAIRS:
			free_pairs(value);
			break;
		case SCHEMA_SECTION:
			free_keys(key->keys, base);
			break;
		case SCHEMA_TRIGGERS:
			free_triggers(key->keys, base);
			break;
		case SCHEMA_DESTINATION:
			free(((struct manifest_destination *)value)->target);
			break;
		default:
			break;
		}
	}
}

void schema_free(const struct schema_key *keys, void *base)
{
	free_keys(keys, base);
}

void manifest_deinit(struct manifest *m)
{
	free_keys(manifest_keys, m);
	free(m->directory);
	*m = (struct manifest){0};
}

/* --- triggers and destinations --- */

static bool is_last(const struct schema_key *kind)
{
	return !kind[1].name || kind[1].type == SCHEMA_WORD;
}

/* The only member of a mapping, which names a kind; or NULL with *err set. */
static const struct node *only_member(const struct reader *r, const struct node *node,
	const struct schema_key *kinds, const char *what)
{
	char names[128] = "";

	if (node->kind == NODE_MAP && node->count == 1)
		return node->first;
	/* Without what stands beside a kind. */
	for (const struct schema_key *kind = kinds; kind->name && kind->type != SCHEMA_WORD; kind++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			kind == kinds           ? ""
				: is_last(kind) ? " or "
						: ", ",
			kind->name);
	fail(r, node, "%s: a %s is one of %s, with what belongs to it indented below", r->place,
		what, names);
	return NULL;
}

static int find_kind(const struct reader *r, const struct schema_key *kinds,
	const struct node *node, const struct schema_key **kind)
{
	for (*kind = kinds; (*kind)->name; (*kind)++) {
		if (strcmp((*kind)->name, node->key) == 0)
			return 0;
	}
	return fail_unknown(r, kinds, node);
}

static int check_trigger(const struct reader *r, const struct node *node,
	const struct manifest_trigger *t)
{
	if (t->kind == MANIFEST_SCHEDULE && (t->cron != NULL) == (t->every_ms != 0))
		return fail(r, node, "%s needs either cron or every", r->place);
	return 0;
}

static int read_trigger_keys(struct reader *r, const struct schema_key *kind,
	const struct node *node, struct manifest_trigger *t)
{
	static const struct node nothing = {.kind = NODE_MAP};
	struct node empty = nothing;
	int error;

	if (set_fallbacks(kind->keys, t) < 0)
		return no_memory(r);
	empty.line = node->line;
	if (node_is_null(node))
		node = &empty;
	if (node->kind != NODE_MAP)
		return fail_value(r, node, "a mapping of keys");
	error = read_keys(r, kind->keys, node, t);
	return error < 0 ? error : check_trigger(r, node, t);
}

static int read_trigger(struct reader *r, const struct schema_key *kinds, const struct node *node,
	struct manifest_trigger *t)
{
	const struct node *member;
	const struct schema_key *kind;
	struct node word;
	size_t place;
	int error;

	/* "- http" is short for "- http:". */
	if (node->kind == NODE_TEXT && !node_is_null(node)) {
		word = (struct node){.kind = NODE_MAP, .line = node->line, .key = node->text};
		member = &word;
	} else {
		member = only_member(r, node, kinds, "trigger");
	}
	if (!member)
		return -EINVAL;
	error = find_kind(r, kinds, member, &kind);
	if (error < 0)
		return error;
	t->kind = (uint32_t)(kind - kinds);
	t->line = member->line;
	place = enter(r, kind->name);
	error = read_trigger_keys(r, kind, member, t);
	leave(r, place);
	return error;
}

static int read_triggers(struct reader *r, const struct schema_key *key, const struct node *node,
	struct manifest *m)
{
	int error;

	if (node->kind != NODE_LIST)
		return fail_value(r, node, key->expected);
	error = check_count(r, node);
	if (error < 0 || node->count == 0)
		return error;
	m->triggers = calloc(node->count, sizeof(*m->triggers));
	if (!m->triggers)
		return no_memory(r);
	for (const struct node *item = node->first; item; item = item->next) {
		error = read_trigger(r, key->keys, item, &m->triggers[m->trigger_count++]);
		if (error < 0)
			return error;
	}
	return 0;
}

static int read_destination_key(struct reader *r, const struct schema_key *key,
	const struct node *member, struct manifest_destination *to)
{
	const struct schema_key *kind;
	size_t place;
	int error = find_kind(r, key->keys, member, &kind);

	if (error < 0)
		return error;
	if (kind->type == SCHEMA_TEXT && to->kind)
		return fail(r, member, "%s: it has one target, not two", r->place);
	place = enter(r, kind->name);
	if (kind->type == SCHEMA_TEXT) {
		error = read_text(r, kind, member, &to->target);
		to->kind = (uint32_t)(kind - key->keys) + 1;
		to->line = member->line;
	} else {
		error = read_word(r, kind, member, &to->body);
	}
	leave(r, place);
	return error;
}

static int read_destination(struct reader *r, const struct schema_key *key, const struct node *node,
	struct manifest_destination *to)
{
	int error = 0;

	to->body = MANIFEST_SEND_RECORD;
	if (node->kind != NODE_MAP || node->count != 2)
		return only_member(r, node, key->keys, "destination")
			? read_destination_key(r, key, node->first, to)
			: -EINVAL;
	for (const struct node *member = node->first; member && error == 0; member = member->next)
		error = read_destination_key(r, key, member, to);
	if (error < 0)
		return error;
	if (to->kind != MANIFEST_TO_FUNCTION && to->kind != MANIFEST_TO_WEBHOOK)
		return fail(r, node, "%s.body is for a function or a webhook", r->place);
	return 0;
}

/* --- mappings of known keys --- */

static int read_section(struct reader *r, const struct schema_key *key, const struct node *node,
	void *base)
{
	if (node->kind != NODE_MAP)
		return fail_value(r, node, "a mapping of keys");
	return read_keys(r, key->keys, node, base);
}

static int read_value(struct reader *r, const struct schema_key *key, const struct node *node,
	void *base)
{
	void *value = (char *)base + key->offset;

	switch (key->type) {
	case SCHEMA_TEXT:
		return read_text(r, key, node, value);
	case SCHEMA_NUMBER:
	case SCHEMA_SIZE:
	case SCHEMA_DURATION:
		return read_quantity(r, key, node, value);
	case SCHEMA_WORD:
		return read_word(r, key, node, value);
	case SCHEMA_WORDS:
		return read_words(r, key, node, value);
	case SCHEMA_LIST:
		return read_list(r, key, node, value);
	case SCHEMA_PAIRS:
		return read_pairs(r, key, node, value);
	case SCHEMA_SECTION:
		return read_section(r, key, node, base);
	case SCHEMA_TRIGGERS:
		return read_triggers(r, key, node, base);
	case SCHEMA_DESTINATION:
		return read_destination(r, key, node, value);
	}
	return -EINVAL;
}

static int check_required(const struct reader *r, const struct schema_key *keys,
	const struct node *map)
{
	for (const struct schema_key *key = keys; key->name; key++) {
		if (key->required && !node_get(map, key->name))
			return fail(r, map, "%s%s%s is missing; it must be %s", r->place,
				*r->place ? "." : "", key->name, key->expected);
	}
	return 0;
}

static int read_keys(struct reader *r, const struct schema_key *keys, const struct node *map,
	void *base)
{
	for (const struct node *node = map->first; node; node = node->next) {
		const struct schema_key *key;
		size_t place;
		int error = find_kind(r, keys, node, &key);

		if (error < 0)
			return error;
		place = enter(r, key->name);
		error = read_value(r, key, node, base);
		leave(r, place);
		if (error < 0)
			return error;
	}
	return check_required(r, keys, map);
}

/* --- other tables --- */

int schema_read(const struct schema_key *keys, const char *text, size_t length,
	const char *shown_name, void *base, struct df_err *err)
{
	struct reader r = {.shown_name = shown_name, .err = err};
	struct node *root = NULL;
	int error = node_read(text, length, shown_name, &root, err);

	if (error)
		return error;
	error = root->kind == NODE_MAP ? read_keys(&r, keys, root, base)
				       : fail(&r, root, "this must be a mapping of keys");
	node_free(root);
	return error;
}

static const struct schema_key *find_key(const struct schema_key *keys, const char *name)
{
	for (; keys->name; keys++) {
		size_t length = strlen(keys->name);

		if (keys->type != SCHEMA_SECTION && strcmp(keys->name, name) == 0)
			return keys;
		if (keys->type == SCHEMA_SECTION && strncmp(keys->name, name, length) == 0 &&
			name[length] == '.')
			return find_key(keys->keys, name + length + 1);
	}
	return NULL;
}

static int add_item(const struct reader *r, const struct schema_key *key, const struct node *node,
	struct manifest_list *list)
{
	char **grown = reallocarray(list->items, list->count + 2, sizeof(*grown));
	int error;

	if (!grown)
		return no_memory(r);
	list->items = grown;
	grown[list->count] = grown[list->count + 1] = NULL;
	if (list->count >= SCHEMA_ITEMS_MAX)
		return fail(r, node, "%s has too many items", r->place);
	error = read_text(r, key, node, &grown[list->count]);
	if (!error)
		list->count++;
	return error;
}

int schema_set(const struct schema_key *keys, const char *name, const char *text, const char *shown,
	void *base, struct df_err *err)
{
	const struct schema_key *key = find_key(keys, name);
	struct reader r = {.err = err};
	const struct node node = {.kind = NODE_TEXT, .text = (char *)text};

	if (!key)
		return df_err_set(err, -ENOENT, "there is no setting %s", name);
	snprintf(r.place, sizeof(r.place), "%s", shown);
	if (key->type == SCHEMA_LIST)
		return add_item(&r, key, &node, (void *)((char *)base + key->offset));
	return read_value(&r, key, &node, base);
}

/* --- the whole --- */

static int check_secrets(const struct reader *r, const struct node *root, const struct manifest *m)
{
	const struct node *environment = node_get(root, "environment");
	const struct node *node;

	for (size_t i = 0; environment && i < m->secrets.count; i++) {
		node = node_get(environment, m->secrets.items[i].name);
		if (node)
			return fail(r, node, "%s is both in environment and in secrets", node->key);
	}
	return 0;
}

/* What one key alone cannot tell. */
static int check_whole(const struct reader *r, const struct node *root, const struct manifest *m)
{
	/* There is one: the key is required, and so is an item. */
	if (m->command.count == 0 || !*m->command.items[0])
		return fail(r, node_get(root, "command"), "command: the program's name is empty");
	if ((m->features & MANIFEST_TMP) && !(m->features & MANIFEST_FILES))
		return fail(r, node_get(root, "features"),
			"features: tmp changes files, so it needs files too");
	if (m->egress.count > DF_EGRESS_RULES_MAX)
		return fail(r, node_get(root, "egress"), "egress can have %d rules",
			DF_EGRESS_RULES_MAX);
	return check_secrets(r, root, m);
}

static int read_whole(struct reader *r, const char *text, size_t length, struct manifest *m)
{
	struct node *root = NULL;
	int error;

	if (length > MANIFEST_BYTES_MAX) {
		node_fail(r->err, r->shown_name, 0, "it is too large; a manifest can have %u KiB",
			MANIFEST_BYTES_MAX >> 10);
		return -EFBIG;
	}
	error = node_read(text, length, r->shown_name, &root, r->err);
	if (error)
		return error;
	if (root->kind != NODE_MAP)
		error = fail(r, root, "a manifest is a mapping of keys, such as name: squeeze");
	if (error == 0)
		error = read_keys(r, manifest_keys, root, m);
	if (error == 0)
		error = check_whole(r, root, m);
	if (error == 0)
		error = manifest_check_service(m, root, r->shown_name, r->err);
	node_free(root);
	return error;
}

int manifest_parse(const char *text, size_t length, const char *shown_name, struct manifest *m,
	struct df_err *err)
{
	struct reader r = {.shown_name = shown_name, .err = err};
	struct manifest made;
	int error;

	*m = (struct manifest){0};
	if (manifest_init(&made) < 0)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = read_whole(&r, text, length, &made);
	if (error < 0)
		manifest_deinit(&made);
	else
		*m = made;
	return error;
}
