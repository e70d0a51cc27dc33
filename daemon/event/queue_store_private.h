/* SPDX-License-Identifier: Apache-2.0 */
/* What queue_store.c, queue_open.c and queue_read.c share. */
#ifndef DAEMON_QUEUE_STORE_PRIVATE_H
#define DAEMON_QUEUE_STORE_PRIVATE_H

#include "daemon/database.h"
#include "daemon/event/queue_store.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORE_ID_BLOCK 1000000 /* numbers that are reserved at once */
#define STORE_NAME_BYTES 17 /* of a body's file, terminated */

/* Is a row the function's, with any qualifier? */
#define STORE_OF_FUNCTION(name) \
	"(function = " name " OR substr(function, 1, length(" name ") + 1) = " name " || ':')"

enum store_statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_RESERVE,
	STATEMENT_PUT,
	STATEMENT_DONE,
	STATEMENT_RETRY,
	STATEMENT_DEAD,
	STATEMENT_REPLAY,
	STATEMENT_DELETE,
	STATEMENT_PURGE,
	STATEMENT_SWEEP,
	STATEMENT_MARK,
	STATEMENT_UNMARK,
	STATEMENT_FORGET,
	STORE_STATEMENTS
};

extern const char *const store_sql[STORE_STATEMENTS];

struct store {
	int lock_fd, bodies_fd;
	_Atomic uint64_t next_id;
	/* The writer's: only inside store_write, or before the first. */
	sqlite3 *writer;
	sqlite3_stmt *statements[STORE_STATEMENTS];
	uint64_t reserved_id; /* numbers below it are reserved on disk */
	uint64_t reserving_id; /* the same once the transaction is committed */
	pthread_mutex_t read_lock;
	/* protected by read_lock: */
	sqlite3 *reader;
	sqlite3_stmt *read_one, *read_dead, *read_marks;
};

/* "0123456789abcdef" */
void store_body_name(uint64_t id, char name[STORE_NAME_BYTES]);

/* The columns that store_read and store_list_dead select. */
extern const char store_read_sql[], store_dead_sql[], store_marks_sql[];

#endif
