// SPDX-License-Identifier: Apache-2.0
/*
 * open(2) and its family, the working directory, and the list of files that the program looked for
 * in vain: a failed program's report names them, so that the user can add them to the image.
 */
#include <kernel/fs/calls.h>

#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/fs/walk.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>

/* --- files that are missing --- */

#define MISSING_MAX 16u

static char *missing[MISSING_MAX]; /* a ring, own memory */
static unsigned missing_next;

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Remembers the name of a file of the image that is not there. The path, of the program or ours, is read
 * again: the walk has overwritten its copy. */
static void remember_missing(const char *path)
{
	char text[256];
	size_t bytes = 0;
	char *copy;

	while (bytes < sizeof(text) && copy_any(&text[bytes], path + bytes, 1) == 0 && text[bytes])
		bytes++;
	if (bytes == sizeof(text) || bytes < 2 || text[bytes] || text[0] != '/' ||
		text[bytes - 1] == '/' || starts_with(text, "/proc/") ||
		starts_with(text, "/sys/") || starts_with(text, "/dev/") ||
		starts_with(text, "/tmp/"))
		return;
	for (unsigned i = 0; i < MISSING_MAX; i++)
		if (missing[i] && strcmp(missing[i], text) == 0)
			return;
	copy = kmalloc(bytes + 1);
	if (!copy)
		return;
	memcpy(copy, text, bytes + 1);
	kfree(missing[missing_next % MISSING_MAX]);
	missing[missing_next++ % MISSING_MAX] = copy;
}

void missing_report(int status)
{
	if (status == 0)
		return;
	for (unsigned i = 0; i < MISSING_MAX; i++) {
		const char *path = missing[(missing_next + i) % MISSING_MAX];
		if (!path)
			continue;
		memcpy(request_page->data, path, strlen(path));
		hypercall(DF_CALL_LOG, DF_LOG_MISSING, strlen(path), 0, 0);
	}
}

/* --- open --- */

/* Makes the file that O_CREAT found missing. */
static int create(const struct walk *w, unsigned mode, struct node **out)
{
	struct node_new what = {.mode = S_IFREG | (mode & 07777 & ~fs_umask)};

	if (!w->dir->ops->create)
		return fs_no_create(w->dir);
	return w->dir->ops->create(w->dir, w->name, w->name_bytes, &what, out);
}

/* O_TMPFILE: a file without a name in the directory that was found. */
static int create_unnamed(struct node *dir, unsigned flags, unsigned mode, struct file **out)
{
	struct node_new what = {.mode = S_IFREG | (mode & 07777 & ~fs_umask)};
	struct node *n;
	int r;

	if (!dir->ops->create)
		return -EROFS;
	r = dir->ops->create(dir, NULL, 0, &what, &n);
	if (r < 0)
		return r;
	r = node_open(n, flags & ~(O_TMPFILE), out);
	node_unref(n);
	return r;
}

/* Flags that contradict each other. */
static int check_flags(unsigned flags)
{
	if ((flags & __O_TMPFILE) &&
		(!(flags & O_DIRECTORY) || (flags & O_CREAT) || (flags & O_ACCMODE) == O_RDONLY ||
			(flags & O_PATH)))
		return -EINVAL;
	if ((flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT) && !(flags & O_PATH))
		return -EINVAL;
	return 0;
}

/* The walk for open has ended at w: finds or makes the node. The result has a reference. */
static int find_or_create(const struct walk *w, unsigned flags, unsigned mode, struct node **out)
{
	if (!w->node)
		return flags & O_CREAT ? create(w, mode, out) : -ENOENT;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((flags & O_CREAT) && S_ISDIR(w->node->mode))
		return -EISDIR;
	*out = node_ref(w->node);
	return 0;
}

/* Opens the fetched path. */
static int open_fetched(int dirfd, unsigned flags, unsigned mode, struct file **out)
{
	unsigned how = flags & O_NOFOLLOW || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)
		? 0
		: WALK_FOLLOW;
	struct walk w;
	struct node *n = NULL;
	int r = check_flags(flags);

	if (r < 0)
		return r;
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (flags & O_CREAT)
		how |= WALK_CREATE;
	r = walk(dirfd, how, &w);
	if (r < 0)
		return r;
	r = find_or_create(&w, flags, mode, &n);
	if (!w.node)
		flags &= ~(unsigned)O_TRUNC;
	walk_end(&w);
	if (r < 0 || !n)
		return r;
	if ((flags & O_DIRECTORY) && !S_ISDIR(n->mode))
		r = -ENOTDIR;
	else if (flags & __O_TMPFILE)
		r = create_unnamed(n, flags, mode, out);
	else
		r = node_open(n, flags, out);
	node_unref(n);
	return r;
}

int fs_open(const char *path, int flags, unsigned mode, struct file **out)
{
	int r = walk_path(path);

	if (r < 0)
		return r;
	r = open_fetched(AT_FDCWD, (unsigned)flags, mode, out);
	if (r == -ENOENT)
		remember_missing(path);
	return r;
}

int64_t sys_openat(uint64_t dirfd, uint64_t path, uint64_t flags, uint64_t mode)
{
	struct file *f = NULL;
	int r = walk_fetch(path), fd;

	if (r < 0)
		return r;
	r = open_fetched((int)dirfd, (unsigned)flags, (unsigned)mode, &f);
	if (r == -ENOENT && !(flags & (O_CREAT | O_DIRECTORY)))
		remember_missing((const char *)path);
	if (r < 0)
		return r;
	fd = fd_install(f, 0, flags & O_CLOEXEC);
	if (fd < 0)
		file_unref(f);
	return fd;
}

int64_t sys_open(uint64_t path, uint64_t flags, uint64_t mode)
{
	return sys_openat((uint64_t)AT_FDCWD, path, flags, mode);
}

int64_t sys_creat(uint64_t path, uint64_t mode)
{
	return sys_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* --- working directory --- */

static int set_cwd(struct node *n)
{
	if (!n || !S_ISDIR(n->mode))
		return -ENOTDIR;
	node_ref(n);
	node_unref(fs_cwd);
	fs_cwd = n;
	return 0;
}

static int chdir_fetched(void)
{
	struct walk w;
	int r = walk(AT_FDCWD, WALK_FOLLOW, &w);

	if (r < 0)
		return r;
	r = set_cwd(w.node);
	walk_end(&w);
	return r;
}

int fs_set_cwd(const char *path)
{
	int r = walk_path(path);

	return r < 0 ? r : chdir_fetched();
}

int64_t sys_chdir(uint64_t path)
{
	int r = walk_fetch(path);

	return r < 0 ? r : chdir_fetched();
}

int64_t sys_fchdir(uint64_t fd)
{
	struct file *f = fd_get((int)fd);

	return f ? set_cwd(file_node(f)) : -EBADF;
}

int64_t sys_getcwd(uint64_t buf, uint64_t size)
{
	char *path;
	int r;

	if (fs_cwd->gone)
		return -ENOENT;
	path = kmalloc(PATH_BYTES_MAX);
	if (!path)
		return -ENOMEM;
	r = node_path(fs_cwd, path, PATH_BYTES_MAX);
	if (r >= 0 && (uint64_t)r + 1 > size)
		r = -ERANGE;
	if (r >= 0 && user_copy_to((void *)buf, path, (size_t)r + 1) < 0)
		r = -EFAULT;
	kfree(path);
	return r < 0 ? r : r + 1;
}

int64_t sys_umask(uint64_t mask)
{
	uint32_t old = fs_umask;

	fs_umask = mask & 0777;
	return old;
}

/* getdents: the same records, but the type is the last byte of each and the name lies where it was. */
int64_t sys_getdents(uint64_t fd, uint64_t buf, uint64_t size)
{
	int64_t bytes = sys_getdents64(fd, buf, size);
	uint16_t record_bytes;

	for (int64_t at = 0; at < bytes; at += record_bytes) {
		char record[280];
		char *p = (char *)buf + at, type;

		if (user_copy_from(&record_bytes, p + 16, 2) < 0 || record_bytes > sizeof(record) ||
			record_bytes < 24 || user_copy_from(record, p, record_bytes) < 0)
			return -EFAULT;
		type = record[18];
		memmove(record + 18, record + 19, record_bytes - 19u);
		record[record_bytes - 1] = type;
		if (user_copy_to(p, record, record_bytes) < 0)
			return -EFAULT;
	}
	return bytes;
}

int64_t sys_getdents64(uint64_t fd, uint64_t buf, uint64_t size)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	if (!f->ops->getdents)
		return f->flags & O_PATH ? -EBADF : -ENOTDIR;
	size = (uint32_t)size;
	if (!user_ok((void *)buf, size))
		return -EFAULT;
	return f->ops->getdents(f, buf, size);
}
