// SPDX-License-Identifier: Apache-2.0
/*
 * Open files and the descriptor table. A struct file is an open file description (shared by dup);
 * what it does is in its struct file_ops. The core has the console streams 0-2; features add others.
 *
 * Buffers in ops may be program memory: implementations use user_copy_from/user_copy_to (mm/user.h),
 * which take program addresses only: a kernel caller uses a buffer of arena frames (frames_alloc).
 */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include <asm/stat.h>
#include <kernel/core/thread.h>

struct file;
struct vma;
struct poll_table;

#define FILE_NONBLOCK 1u /* in flags of read and write: do not sleep */

struct file_ops {
	const char *
		kind; /* what /proc/self/fd shows: "pipe", "anon_inode:[eventpoll]", NULL = a path */
	/* pos: NULL for streams; else the position to use, advanced by the bytes moved. Result: bytes or
	 * -errno. A missing op gives the usual error (-EINVAL, -ESPIPE, -ENOTTY, -ENODEV ...). */
	int64_t (*read)(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags);
	int64_t (*write)(struct file *f, const void *buf, size_t n, uint64_t *pos, unsigned flags);
	int64_t (*seek)(struct file *f, int64_t offset, int whence);
	/* Poll events (EPOLLIN ...) that are true now. With pt, registers the caller's waiter on the
	 * file's queue(s) by poll_wait(). */
	unsigned (*poll)(struct file *f, struct poll_table *pt);
	int (*stat)(struct file *f, struct stat *st);
	int64_t (*ioctl)(struct file *f, unsigned long request, gva_t arg);
	int (*truncate)(struct file *f, uint64_t size);
	int (*getdents)(struct file *f, gva_t buf,
		size_t n); /* fills struct linux_dirent64s; bytes */
	/* Frame that shows page `index` of the file in a mapping. write: the mapping is shared and
	 * writable. Result 0 with *gpa, -ENODATA past the end (SIGBUS), -ENOMEM. */
	int (*frame)(struct file *f, uint64_t index, bool write, gpa_t *gpa);
	/* Contiguous frames from *gpa on (>= 1, at most max), a hint for larger mappings; may be NULL. */
	uint64_t (*frames)(struct file *f, uint64_t index, uint64_t max, gpa_t *gpa);
	int (*path)(struct file *f, char *buf, size_t size); /* absolute path; for /proc and maps */
	void (*release)(struct file *f); /* last reference is gone */
	/* fcntl commands of one kind of file (F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS).
	 * Missing: the command's usual error. */
	int64_t (*control)(struct file *f, int cmd, uint64_t arg);
	/* readv and writev of files whose transfers have boundaries (sockets): all of the vector at once. */
	int64_t (*vector)(struct file *f, gva_t iov, unsigned count, bool writing);
	bool copies; /* a write is a copy and no more: nothing is gained by joining small ones */
};

struct file {
	const struct file_ops *ops;
	unsigned refs;
	unsigned flags; /* O_ACCMODE, O_APPEND, O_NONBLOCK, O_DIRECTORY, O_PATH ... */
	uint64_t pos;
	void *data; /* of the implementation */
	void *watches; /* feature events: its epoll items on this file, NULL: none */
};

/* Hook of the feature `events`; NULL while it is absent. */
struct event_hooks {
	/* The last reference of a file with watches is gone: they end. file_unref calls it before the
	 * release op. */
	void (*file_gone)(struct file *f);
	/* Does a thread sleep behind this waiter, directly or in an epoll_wait that wants input from it? */
	bool (*awaited)(const struct waiter *w);
	/* After a thaw: CLOCK_REALTIME and CLOCK_BOOTTIME have jumped. Set with the first timer file. */
	void (*clock_jumped)(void);
};
extern struct event_hooks event_hooks;

/* New file with one reference. -ENOMEM. */
int file_new(const struct file_ops *ops, unsigned flags, void *data, struct file **out) must_check;
void file_ref(struct file *f);
void file_unref(struct file *f);

/* Reads or writes at the file's own position (or stream), honouring O_APPEND and O_NONBLOCK. */
int64_t file_read(struct file *f, void *buf, size_t n);
int64_t file_write(struct file *f, const void *buf, size_t n);

/* --- descriptors --- */

#define FD_MAX 4096 /* RLIMIT_NOFILE: hard limit */

/* Borrowed: valid until the thread sleeps; take a reference to keep it. NULL: no such descriptor. */
struct file *fd_get(int fd);
/* As fd_get, with a reference that the caller drops by file_unref. */
struct file *fd_ref(int fd);
/* Lowest free descriptor >= from; takes over the reference. Result fd, -EMFILE (reference kept by caller). */
int fd_install(struct file *f, int from, bool cloexec) must_check;
/* Puts f (reference taken over) at fd, closing what was there. */
int fd_replace(int fd, struct file *f, bool cloexec) must_check;
int fd_close(int fd);
void fd_close_on_exec(void);
bool fd_cloexec(int fd);
void fd_set_cloexec(int fd, bool on);
int fd_next(int from); /* lowest open descriptor >= from, or -1; for /proc/self/fd */
unsigned fd_limit(void); /* RLIMIT_NOFILE, soft */
void fd_set_limit(uint64_t soft);

/* --- readiness --- */

struct poll_table {
	/* Called by a file's poll op for each queue that announces its changes. */
	void (*add)(struct poll_table *pt, struct wait_queue *q);
};

static inline void poll_wait(struct poll_table *pt, struct wait_queue *q)
{
	if (pt)
		pt->add(pt, q);
}

/* poll of a file; files without the op are always ready. */
unsigned file_poll(struct file *f, struct poll_table *pt);

#endif
