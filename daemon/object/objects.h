/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects in buckets: a directory that one process has open.
 *
 *	lock            held by it
 *	objects.db      buckets, objects, uploads, parts, outbox (SQLite, WAL, synchronous=FULL); its user_version is OBJECTS_SCHEMA
 *	files/ID        bodies, ID as 16 hexadecimal digits drawn at random: no key is ever part of a path
 *
 * A body is written to a file of its own and synchronised; then the row that names it is committed, together with those of all other writers that
 * wait (commit.h). So a key has its old object or its new one at any moment, whole. Files are made empty and in advance, some dozens at a time with one
 * synchronisation of their directory. Those that no row names are removed when the store is opened.
 *
 * What is to be told about a change (events) is stored in the same transaction, in the outbox, and stays there until objects_told.
 *
 * Results are 0, -errno (the machine failed, nothing changed; after -EIO it may have), or an enum objects_result above 0.
 * All functions may be called from any thread between objects_open and objects_close; they wait for the disk.
 */
#ifndef DAEMON_OBJECT_OBJECTS_H
#define DAEMON_OBJECT_OBJECTS_H

#include "daemon/object/checksum.h"
#include "host/err.h"
#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJECTS_SCHEMA 1
#define OBJECTS_KEY_MAX 1024 /* bytes */
#define OBJECTS_BUCKET_MAX 63
#define OBJECTS_BUCKETS_MAX 1000
#define OBJECTS_UPLOADS_MAX 10000 /* that are not complete, of all buckets */
#define OBJECTS_PARTS_MAX 10000
#define OBJECTS_PART_MIN (5ull << 20) /* of any part but the last one */
#define OBJECTS_PUT_MAX (5ull << 30) /* bytes of one body */
#define OBJECTS_BYTES_MAX (5ull << 40) /* bytes of one object */
#define OBJECTS_OUTBOX_MAX 100000 /* events that wait; changes with events are refused then */
#define OBJECTS_ETAG_BYTES 40 /* 32 digits, "-10000" and the terminator */

enum objects_result {
	OBJECTS_NO_BUCKET = 1,
	OBJECTS_NO_KEY,
	OBJECTS_NO_UPLOAD,
	OBJECTS_NO_PART, /* a part that is to be put together is not there, or is another one */
	OBJECTS_PART_SMALL,
	OBJECTS_EXISTS, /* the bucket does */
	OBJECTS_NOT_EMPTY,
	OBJECTS_CONDITION, /* If-Match or If-None-Match does not hold */
	OBJECTS_TOO_LARGE,
	OBJECTS_TOO_MANY, /* buckets, or uploads */
	OBJECTS_QUOTA, /* the store's bytes_max */
	OBJECTS_OUTBOX, /* too many events wait */
	OBJECTS_CHECKSUM, /* the whole's is not what was announced */
};

struct objects;

struct objects_options {
	const char *directory; /* made if it is missing, 0700; the store's alone */
	uint64_t bytes_max; /* of all bodies; 0: no limit */
	uint64_t
		upload_age_ms; /* uploads that were begun before are aborted by objects_sweep (7 days) */
};

/*
 * Opens or makes a store, and puts in order what a crash left. Returns 0, -EBUSY (another process has it), -EPROTONOSUPPORT (a newer version's), -EINVAL (no
 * store, or damaged) or -errno, with *err set.
 */
int objects_open(const struct objects_options *options, struct objects **objects,
	struct df_err *err) __attribute__((warn_unused_result));
void objects_close(struct objects *objects); /* when no other thread uses it; NULL is allowed */

/* --- buckets --- */

/* 3 to 63 of a-z 0-9 - and single dots, with a letter or digit at both ends, and no IPv4 address. */
bool objects_bucket_ok(const char *name);

/* 1 to OBJECTS_KEY_MAX bytes of UTF-8 without control characters. */
bool objects_key_ok(const char *key, size_t length);

struct objects_bucket {
	char name[OBJECTS_BUCKET_MAX + 1];
	uint64_t made_ms;
};

int objects_make_bucket(struct objects *objects, const char *name)
	__attribute__((warn_unused_result));
int objects_remove_bucket(struct objects *objects, const char *name)
	__attribute__((warn_unused_result));
int objects_find_bucket(struct objects *objects, const char *name, struct objects_bucket *bucket)
	__attribute__((warn_unused_result));

/* All of them, by name: to be freed. */
int objects_buckets(struct objects *objects, struct objects_bucket **buckets, size_t *count)
	__attribute__((warn_unused_result));

/* Texts that a bucket carries. NULL: none. */
enum objects_setting { OBJECTS_NOTIFICATION, OBJECTS_BUCKET_TAGS };
int objects_get_setting(struct objects *objects, const char *bucket, enum objects_setting setting,
	char **text) __attribute__((warn_unused_result));
int objects_put_setting(struct objects *objects, const char *bucket, enum objects_setting setting,
	const char *text) __attribute__((warn_unused_result));

/* --- what is known about an object --- */

struct objects_checksum {
	enum checksum_kind kind;
	bool whole; /* of the whole object; else of its parts' checksums */
	char text[CHECKSUM_TEXT_BYTES];
};

struct objects_info {
	uint64_t file; /* of its body; of an object with parts: what its parts are found by */
	uint64_t bytes, modified_ms;
	unsigned int parts; /* 0: put in one piece */
	char etag[OBJECTS_ETAG_BYTES];
	struct objects_checksum checksum;
	/* Pairs "name\0value\0" (host/attributes.h): content-type, x-amz-meta-..., as they are to be answered. NULL: none. */
	char *headers;
	size_t header_bytes;
	char *tags; /* pairs; NULL: none */
	size_t tag_bytes;
};

void objects_info_free(struct objects_info *info); /* what it points to */

/* Returns 0 with *info, OBJECTS_NO_BUCKET, OBJECTS_NO_KEY or -errno. */
int objects_find(struct objects *objects, const char *bucket, const char *key,
	struct objects_info *info) __attribute__((warn_unused_result));

/* One of the files that an object's body lies in. */
struct objects_piece {
	uint64_t file, offset, bytes;
	unsigned int number;
	char etag[OBJECTS_ETAG_BYTES]; /* and below: of listed parts */
	struct objects_checksum checksum;
	uint64_t modified_ms;
};

/* The files of an object, in order: to be freed. */
int objects_pieces(struct objects *objects, const struct objects_info *info,
	struct objects_piece **pieces, size_t *count) __attribute__((warn_unused_result));

/* Opens the file of a piece, to read. Returns the descriptor; -ENOENT: the object was replaced or deleted since. */
int objects_open_file(struct objects *objects, uint64_t file) __attribute__((warn_unused_result));

/* --- writing a body --- */

struct objects_body {
	struct objects *objects;
	int fd;
	uint64_t file, bytes, reserved;
};

/*
 * Begins a file. `expected` bytes are charged at once. Returns 0, OBJECTS_QUOTA or -errno (-ENOSPC); objects_body_abandon must follow in the end, unless the
 * body was given to a change that returned 0.
 */
int objects_body_begin(struct objects *objects, uint64_t expected, struct objects_body *body)
	__attribute__((warn_unused_result));
int objects_body_write(struct objects_body *body, const void *bytes, size_t length)
	__attribute__((warn_unused_result));
/* All of it is on disk now. */
int objects_body_sync(struct objects_body *body) __attribute__((warn_unused_result));
/* Closes and removes. Allowed more than once, and for a body that is all zero. */
void objects_body_abandon(struct objects_body *body);

/* --- changes --- */

/* One thing that is to be told: kept until objects_told. All borrowed by who makes it, owned where it is read. */
struct objects_event {
	uint64_t id;
	char *function, *request_id;
	char *target; /* or NULL */
	struct df_str attributes, body;
};

void objects_event_free(struct objects_event *event); /* what it points to */

/*
 * Makes the events of a change, called inside its transaction once it is certain: `sequence` ascends with the changes of the store. Fills up to `room` events, which
 * are then owned by the change, and returns how many, or -errno.
 */
struct objects_teller {
	int (*tell)(void *user, uint64_t sequence, const struct objects_info *info,
		struct objects_event *events, unsigned int room);
	void *user;
	unsigned int count; /* at most OBJECTS_EVENTS_MAX; 0: nothing to tell */
};

#define OBJECTS_EVENTS_MAX 64

/* What a change has stored in the outbox. */
struct objects_told {
	struct objects_event events[OBJECTS_EVENTS_MAX];
	unsigned int count;
};

void objects_told_free(struct objects_told *told);

struct objects_put {
	const char *bucket, *key;
	struct objects_body *body; /* synchronised; taken when the result is 0 */
	const struct objects_info *info; /* etag, checksum, headers, tags */
	const char *if_match; /* an ETag without quotes, or NULL */
	bool if_none; /* only if there is no such object */
	struct objects_teller teller;
};

/* Puts an object in place of the one with its key. *modified_ms becomes its time. */
int objects_put(struct objects *objects, const struct objects_put *put, uint64_t *modified_ms,
	struct objects_told *told) __attribute__((warn_unused_result));

/* Removes an object. Returns OBJECTS_NO_KEY if there was none. */
int objects_remove(struct objects *objects, const char *bucket, const char *key,
	const char *if_match, const struct objects_teller *teller, struct objects_told *told)
	__attribute__((warn_unused_result));

/* Replaces an object's tags; NULL: none. */
int objects_put_tags(struct objects *objects, const char *bucket, const char *key, const char *tags,
	size_t tag_bytes) __attribute__((warn_unused_result));

/* --- uploads in parts --- */

struct objects_upload {
	uint64_t id;
	uint64_t begun_ms;
	char *key;
	struct objects_checksum checksum; /* kind and whole, as the client wants them */
	char *headers, *tags; /* or NULL */
	size_t header_bytes, tag_bytes;
};

void objects_upload_free(struct objects_upload *upload);

/* Sets upload->id. */
int objects_begin_upload(struct objects *objects, const char *bucket, struct objects_upload *upload)
	__attribute__((warn_unused_result));
/* The upload of that number for that key, or OBJECTS_NO_UPLOAD. */
int objects_find_upload(struct objects *objects, const char *bucket, const char *key, uint64_t id,
	struct objects_upload *upload) __attribute__((warn_unused_result));
/* Takes the body when it returns 0; part->number, etag and checksum are given. */
int objects_put_part(struct objects *objects, const char *bucket, const char *key, uint64_t id,
	struct objects_body *body, const struct objects_piece *part)
	__attribute__((warn_unused_result));
/* Parts above `after`, at most `room`: to be freed. */
int objects_parts(struct objects *objects, uint64_t id, unsigned int after, size_t room,
	struct objects_piece **parts, size_t *count) __attribute__((warn_unused_result));

struct objects_complete {
	const char *bucket, *key;
	uint64_t id;
	const struct objects_piece *
		parts; /* number and etag; ascending. Their checksums' texts are compared if there are any */
	size_t count;
	const char *checksum; /* of the whole, as the client knows it; or NULL */
	const char *if_match;
	bool if_none;
	struct objects_teller teller;
};

/* Makes the parts an object; *info is it then (its headers and tags too, to be freed). Repeated after success it is OBJECTS_NO_UPLOAD. */
int objects_complete(struct objects *objects, const struct objects_complete *complete,
	struct objects_info *info, struct objects_told *told) __attribute__((warn_unused_result));
int objects_abort(struct objects *objects, const char *bucket, const char *key, uint64_t id)
	__attribute__((warn_unused_result));

/* Uploads of a bucket behind (key, id), in order, at most `room`: each to be freed, and the list. */
int objects_uploads(struct objects *objects, const char *bucket, const char *prefix,
	const char *key, uint64_t id, size_t room, struct objects_upload **uploads, size_t *count)
	__attribute__((warn_unused_result));

/* Aborts uploads that are too old. To be called now and then. */
int objects_sweep(struct objects *objects) __attribute__((warn_unused_result));

/* --- listing --- */

struct objects_list {
	const char *prefix, *delimiter; /* "" if there is none */
	const char *
		after; /* only what comes behind it: a key or a common prefix that was listed; "" */
	unsigned int room; /* objects and prefixes, at most */
	/* Called in order. `info` is NULL for a common prefix. Returns 0 or -errno. */
	int (*each)(void *user, const char *key, size_t length, const struct objects_info *info);
	void *user;
};

/* *more: there is something behind what was listed. */
int objects_list(struct objects *objects, const char *bucket, const struct objects_list *list,
	bool *more) __attribute__((warn_unused_result));

/* --- the outbox --- */

/* Events above `after`, at most `room`, each to be freed. *count is how many. */
int objects_outbox(struct objects *objects, uint64_t after, struct objects_event *events,
	unsigned int room, unsigned int *count) __attribute__((warn_unused_result));

/* These have been taken over by someone else who keeps them: they are removed with the next change, at the latest by objects_sweep. */
void objects_told(struct objects *objects, const uint64_t *ids, unsigned int count);

struct objects_gauges {
	uint64_t objects, bytes, outbox, commits;
};
void objects_gauges(struct objects *objects, struct objects_gauges *gauges);

#endif
