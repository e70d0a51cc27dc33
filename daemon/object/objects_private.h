/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files objects*.c share: see objects.h.
 *
 * Changes are ops, run by the leader of a batch (commit.h) one after the other in one transaction. An op first looks, then writes: one that returns an enum
 * objects_result has changed nothing, one that returns -errno undoes the whole batch.
 */
#ifndef DAEMON_OBJECT_OBJECTS_PRIVATE_H
#define DAEMON_OBJECT_OBJECTS_PRIVATE_H

#include "daemon/commit.h"
#include "daemon/database.h"
#include "daemon/object/objects.h"

#include <pthread.h>

#define OBJECTS_FILE_NAME_BYTES 17
#define OBJECTS_READERS 4
#define OBJECTS_SPARES 64
#define OBJECTS_NO_OFFSET (-1) /* of a part that is not in an object yet */

/* The columns that objects_read_info reads, in this order. */
#define OBJECTS_INFO_COLUMNS                                                                  \
	"o.file, o.bytes, o.modified_ms, o.parts, o.etag, o.checksum_kind, o.checksum_whole," \
	" o.checksum, o.headers, o.tags"
#define OBJECTS_INFO_COUNT 10
#define OBJECTS_PART_COLUMNS \
	"file, offset, bytes, number, etag, checksum_kind, checksum, modified_ms"

enum objects_write {
	WRITE_BEGIN,
	WRITE_COMMIT,
	WRITE_ROLLBACK,
	WRITE_FIND_BUCKET,
	WRITE_MAKE_BUCKET,
	WRITE_COUNT_BUCKETS,
	WRITE_REMOVE_BUCKET,
	WRITE_HAS_OBJECTS,
	WRITE_HAS_UPLOADS,
	WRITE_NOTIFICATION,
	WRITE_BUCKET_TAGS,
	WRITE_FIND_OBJECT,
	WRITE_PUT_OBJECT,
	WRITE_REMOVE_OBJECT,
	WRITE_OBJECT_TAGS,
	WRITE_COUNT_UPLOADS,
	WRITE_BEGIN_UPLOAD,
	WRITE_FIND_UPLOAD,
	WRITE_REMOVE_UPLOAD,
	WRITE_OLD_UPLOADS,
	WRITE_FIND_PART,
	WRITE_PUT_PART,
	WRITE_SET_OFFSET,
	WRITE_REMOVE_PARTS,
	WRITE_REMOVE_SPARE_PARTS,
	WRITE_PUT_EVENT,
	WRITE_REMOVE_EVENT,
	OBJECTS_WRITES
};

enum objects_read {
	READ_BUCKET,
	READ_BUCKETS,
	READ_OBJECT,
	READ_OBJECTS,
	READ_PARTS,
	READ_PIECES,
	READ_UPLOAD,
	READ_UPLOADS,
	READ_OUTBOX,
	OBJECTS_READS
};

struct objects_reader {
	pthread_mutex_t lock;
	/* protected by lock: */
	sqlite3 *database;
	sqlite3_stmt *statements[OBJECTS_READS];
};

struct objects {
	int lock_fd, files_fd;
	uint64_t bytes_max, upload_age_ms;
	struct commit commit;
	/* The leader's: */
	sqlite3 *writer;
	sqlite3_stmt *statements[OBJECTS_WRITES];
	uint64_t sequence;
	struct objects_reader readers[OBJECTS_READERS];
	unsigned int next_reader; /* atomic */
	pthread_mutex_t spare_lock;
	/* protected by spare_lock: files that are there, empty and open, their names on disk; nobody's yet */
	struct {
		uint64_t file;
		int fd;
	} spares[OBJECTS_SPARES];
	unsigned int spare_count;
	pthread_mutex_t lock;
	/* protected by lock: */
	struct objects_gauges totals; /* bytes: of files that are being written too */
	uint64_t *told; /* events to be removed with the next change */
	size_t told_count, told_capacity;
};

/* A change: the first member of what `run` knows. */
struct objects_op {
	struct commit_op commit; /* first */
	int (*run)(struct objects *objects, struct objects_op *op);
	/* What it did: */
	uint64_t *files; /* that no row names any more */
	size_t file_count, file_capacity;
	uint64_t bytes; /* that they have */
	int64_t object_count, event_count;
};

/* Runs an op, and after it was committed does to files and totals what it says. Returns the op's result. */
int objects_run(struct objects *objects, struct objects_op *op) __attribute__((warn_unused_result));

/* Writes a list of ops: what commit.h calls. */
void objects_write_batch(void *objects, struct commit_op *batch);

extern const char *const objects_write_sql[OBJECTS_WRITES];
extern const char *const objects_read_sql[OBJECTS_READS];

/* --- for ops --- */

sqlite3_stmt *objects_statement(struct objects *objects, enum objects_write which);

/* Runs a statement that has no rows, whose values are bound, and resets it. */
int objects_step(struct objects *objects, enum objects_write which)
	__attribute__((warn_unused_result));

/* Runs a statement for its first row and reads a number of it: 1, 0 (no row) or -errno. */
int objects_ask(struct objects *objects, enum objects_write which, int64_t *number)
	__attribute__((warn_unused_result));

void objects_bind_text(sqlite3_stmt *statement, int at, const char *text);
void objects_bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t length);
void objects_bind_key(sqlite3_stmt *statement, int at, const char *key);

/* 0 and the bucket's number, OBJECTS_NO_BUCKET or -errno. */
int objects_bucket_id(struct objects *objects, const char *bucket, int64_t *id)
	__attribute__((warn_unused_result));

/* A file that no row names any more. */
int objects_note_file(struct objects_op *op, uint64_t file, uint64_t bytes)
	__attribute__((warn_unused_result));
/* The same for what a statement returns: file and bytes. */
int objects_note_files(struct objects *objects, struct objects_op *op, enum objects_write which)
	__attribute__((warn_unused_result));
/* The same for all files of an object. */
int objects_note_object(struct objects *objects, struct objects_op *op,
	const struct objects_info *info) __attribute__((warn_unused_result));

/* The object of a key: 1 with *info, 0 or -errno. */
int objects_current(struct objects *objects, int64_t bucket, const char *key,
	struct objects_info *info) __attribute__((warn_unused_result));

/* Does what the client demands of the object that is there hold? 0, OBJECTS_CONDITION or OBJECTS_NO_KEY. */
int objects_condition(const struct objects_info *current, const char *if_match, bool if_none)
	__attribute__((warn_unused_result));

int objects_replace(struct objects *objects, int64_t bucket, const char *key,
	const struct objects_info *info) __attribute__((warn_unused_result));

/* Stores the events of a change. */
int objects_tell(struct objects *objects, struct objects_op *op,
	const struct objects_teller *teller, const struct objects_info *info,
	struct objects_told *told) __attribute__((warn_unused_result));

/* Is there room in the outbox? 0 or OBJECTS_OUTBOX. */
int objects_outbox_room(struct objects *objects, const struct objects_teller *teller)
	__attribute__((warn_unused_result));

/* --- rows --- */

/* Copies what a row says, from column `first` on. Returns 0 or -ENOMEM; *info is the caller's then. */
int objects_read_info(sqlite3_stmt *row, int first, struct objects_info *info)
	__attribute__((warn_unused_result));
void objects_read_part(sqlite3_stmt *row, struct objects_piece *part);
int objects_read_upload(sqlite3_stmt *row, struct objects_upload *upload)
	__attribute__((warn_unused_result));

/* A copy of a column, NULL if it is NULL; *failed is set without memory. */
char *objects_column(sqlite3_stmt *row, int at, size_t *length, bool *failed);

/* --- files --- */

void objects_file_name(uint64_t file, char name[OBJECTS_FILE_NAME_BYTES]);
void objects_remove_file(struct objects *objects, uint64_t file);
void objects_remove_spares(struct objects *objects);
/* A random number that is not 0 and fits SQLite's integers. */
int objects_random(uint64_t *number) __attribute__((warn_unused_result));

#endif
