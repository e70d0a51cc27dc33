/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all keys of a manifest. Reading (manifest_read.c), writing (manifest_write.c) and the test that compares
 * docs/manifest.md with the code go over it; a new key is a row here, a member of struct manifest and a row of the page.
 */
#ifndef IMAGE_MANIFEST_SCHEMA_H
#define IMAGE_MANIFEST_SCHEMA_H

#include "host/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value is, and as which C type it is kept at `offset`. */
enum schema_type {
	SCHEMA_TEXT, /* char * */
	SCHEMA_NUMBER, /* uint64_t */
	SCHEMA_SIZE, /* uint64_t, bytes */
	SCHEMA_DURATION, /* uint64_t, ms */
	SCHEMA_WORD, /* uint32_t, index into `words` */
	SCHEMA_WORDS, /* uint32_t, bits by index into `words` */
	SCHEMA_LIST, /* struct manifest_list */
	SCHEMA_PAIRS, /* struct manifest_pairs; `good` is for the values */
	SCHEMA_SECTION, /* members are in the surrounding struct; `keys` */
	SCHEMA_TRIGGERS, /* struct manifest_trigger *, and the count behind it; `keys` are the kinds, each a SECTION */
	SCHEMA_DESTINATION, /* struct manifest_destination; `keys` are the kinds from 1 on, each a TEXT, and then what may stand beside them */
};

struct schema_key {
	const char *name; /* NULL ends a list of keys */
	enum schema_type type;
	bool required;
	size_t offset; /* within the struct that `keys` of this list describe */
	const char *fallback; /* the default, as it would be written; NULL: none */
	const char *expected; /* "a name ...": completes "KEY must be ..." */
	uint64_t least, most; /* NUMBER, SIZE, DURATION */
	bool (*good)(const char *text); /* TEXT; items of a LIST; values of PAIRS. NULL: any */
	const char *const *words; /* WORD, WORDS: NULL at the end */
	const char *const *later; /* WORD: known, but not supported yet. NULL: none */
	const struct schema_key *keys; /* SECTION, TRIGGERS, DESTINATION */
};

extern const struct schema_key manifest_keys[];

/*
 * The same for any table of keys, such as the daemon's settings: `base` is the struct that the offsets are in. Types that hold a struct manifest
 * (TRIGGERS) are for manifests alone.
 *
 * schema_init sets the defaults in a struct that is all zero: 0 or -ENOMEM. schema_read reads a YAML text over what is there; messages are those of
 * manifest_parse. schema_set reads one value, of the key "NAME" or "SECTION.NAME", and calls it `shown`; it adds to a LIST. Both return 0, -EINVAL (schema_set:
 * -ENOENT, no such key) or -ENOMEM, with *err set. schema_free frees what the struct owns, also after an error.
 */
int schema_init(const struct schema_key *keys, void *base) __attribute__((warn_unused_result));
int schema_read(const struct schema_key *keys, const char *text, size_t length,
	const char *shown_name, void *base, struct df_err *err) __attribute__((warn_unused_result));
int schema_set(const struct schema_key *keys, const char *name, const char *text, const char *shown,
	void *base, struct df_err *err) __attribute__((warn_unused_result));
void schema_free(const struct schema_key *keys, void *base);

/* Limits of a whole manifest, in items. */
#define SCHEMA_ITEMS_MAX 1000

/* What docs/manifest.md says in the column "type": "size", "list of texts", ... Never NULL. */
const char *schema_type_name(enum schema_type type);

#endif
