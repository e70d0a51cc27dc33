// SPDX-License-Identifier: Apache-2.0
/*
 * Open files of nodes: plain files, directories, and O_PATH descriptors. The node does the work; here
 * is what is the same for every file system: positions, O_APPEND, directory records.
 */
#include <kernel/fs/node.h>

#include <asm/ioctls.h>
#include <kernel/core/program.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <linux/fs.h>

static const struct file_ops plain_ops, dir_ops, path_ops;

static struct node *node_of(struct file *f)
{
	return f->data;
}

struct node *file_node(struct file *f)
{
	return f->ops->release == node_file_release ? f->data : NULL;
}

int node_file(const struct file_ops *ops, struct node *n, unsigned flags, struct file **out)
{
	int r = file_new(ops, flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC), n, out);

	if (r == 0)
		node_ref(n);
	return r;
}

int node_file_stat(struct file *f, struct stat *st)
{
	node_stat(node_of(f), st);
	return 0;
}

int node_file_path(struct file *f, char *buf, size_t size)
{
	return node_path(node_of(f), buf, size);
}

void node_file_release(struct file *f)
{
	if (fs_file_closed)
		fs_file_closed(f);
	node_unref(node_of(f));
}

/* True when n is the program that runs. */
static bool is_running(struct node *n)
{
	char *path;
	bool is;

	if (!(n->mode & 0111) || !n->name || strcmp(n->name, str_last(program.path, '/') + 1) != 0)
		return false;
	path = kmalloc(PATH_BYTES_MAX);
	is = path && node_path(n, path, PATH_BYTES_MAX) > 0 && strcmp(path, program.path) == 0;
	kfree(path);
	return is;
}

int node_open(struct node *n, unsigned flags, struct file **out)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	int r;

	if (flags & O_PATH)
		return node_file(&path_ops, n, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW), out);
	flags |= O_LARGEFILE;
	if (S_ISDIR(n->mode))
		return writes || (flags & O_TRUNC) ? -EISDIR : node_file(&dir_ops, n, flags, out);
	if (S_ISLNK(n->mode))
		return -ELOOP;
	if (n->ops->open)
		return n->ops->open(n, flags, out);
	if (S_ISCHR(n->mode)) {
		struct stat st;
		node_stat(n, &st);
		return device_open((uint32_t)st.st_rdev, n, flags, out);
	}
	if (!S_ISREG(n->mode))
		return -ENXIO;
	if ((writes || (flags & O_TRUNC)) && !n->ops->write)
		return -EROFS;
	if (writes && is_running(n))
		return -ETXTBSY;
	if (flags & O_TRUNC) {
		r = n->ops->resize(n, 0);
		if (r < 0)
			return r;
	}
	return node_file(&plain_ops, n, flags, out);
}

/* --- plain files --- */

static uint64_t node_size(struct node *n)
{
	struct stat st;

	node_stat(n, &st);
	return st.st_size;
}

static int64_t plain_read(struct file *f, void *buf, size_t bytes, uint64_t *pos, unsigned flags)
{
	struct node *n = node_of(f);
	int64_t r;

	(void)flags;
	if (*pos > INT64_MAX)
		return -EINVAL;
	r = n->ops->read(n, buf, bytes, *pos);
	if (r > 0)
		*pos += (uint64_t)r;
	return r;
}

static int64_t plain_write(struct file *f, const void *buf, size_t bytes, uint64_t *pos,
	unsigned flags)
{
	struct node *n = node_of(f);
	uint64_t at = f->flags & O_APPEND ? node_size(n) : *pos;
	int64_t r;

	(void)flags;
	if (!n->ops->write)
		return -EBADF;
	if (bytes == 0)
		return 0;
	if (at >= FILE_BYTES_MAX)
		return -EFBIG;
	bytes = min(bytes, FILE_BYTES_MAX - at);
	r = n->ops->write(n, buf, bytes, at);
	if (r > 0)
		*pos = at + (uint64_t)r;
	return r;
}

static int64_t plain_seek(struct file *f, int64_t offset, int whence)
{
	struct node *n = node_of(f);
	int64_t size = (int64_t)node_size(n);

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		if (__builtin_add_overflow(offset, (int64_t)f->pos, &offset))
			return -EOVERFLOW;
		break;
	case SEEK_END:
		if (__builtin_add_overflow(offset, size, &offset))
			return -EOVERFLOW;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (offset < 0 || offset >= size)
			return -ENXIO;
		if (n->ops->hole)
			offset = n->ops->hole(n, (uint64_t)offset, whence == SEEK_DATA);
		else if (whence == SEEK_HOLE)
			offset = size;
		if (offset < 0)
			return offset;
		break;
	default:
		return -EINVAL;
	}
	if (offset < 0 || (uint64_t)offset > FILE_BYTES_MAX)
		return -EINVAL;
	f->pos = (uint64_t)offset;
	return offset;
}

static int64_t plain_ioctl(struct file *f, unsigned long request, gva_t arg)
{
	uint64_t size = node_size(node_of(f));
	int left = (int)(size - min(size, f->pos));

	return request == FIONREAD ? user_put(arg, &left) : -ENOTTY;
}

static int plain_truncate(struct file *f, uint64_t size)
{
	struct node *n = node_of(f);

	return n->ops->resize ? n->ops->resize(n, size) : -EINVAL;
}

static int plain_frame(struct file *f, uint64_t index, bool write, gpa_t *gpa)
{
	struct node *n = node_of(f);

	return n->ops->frame ? n->ops->frame(n, index, write, gpa) : -ENODEV;
}

static uint64_t plain_frames(struct file *f, uint64_t index, uint64_t most, gpa_t *gpa)
{
	struct node *n = node_of(f);

	return n->ops->frames ? n->ops->frames(n, index, most, gpa) : 0;
}

/* Record locks belong to processes: the only one there is gets every lock, and no other holds any. */
static int64_t record_lock(struct file *f, int cmd, gva_t arg)
{
	unsigned mode = f->flags & O_ACCMODE;
	struct flock lock;

	if (user_get(&lock, arg))
		return -EFAULT;
	if ((lock.l_type != F_RDLCK && lock.l_type != F_WRLCK && lock.l_type != F_UNLCK) ||
		lock.l_whence < SEEK_SET || lock.l_whence > SEEK_END)
		return -EINVAL;
	if (cmd == F_GETLK) {
		lock.l_type = F_UNLCK;
		return user_put(arg, &lock);
	}
	if ((lock.l_type == F_RDLCK && mode == O_WRONLY) ||
		(lock.l_type == F_WRLCK && mode == O_RDONLY))
		return -EBADF;
	return 0;
}

static int64_t plain_control(struct file *f, int cmd, uint64_t arg)
{
	struct node *n = node_of(f);

	if (cmd == F_SETPIPE_SZ || cmd == F_GETPIPE_SZ)
		return -EBADF;
	if (cmd == F_GETLK || cmd == F_SETLK || cmd == F_SETLKW)
		return record_lock(f, cmd, arg);
	return n->ops->control ? n->ops->control(n, cmd, arg) : -EINVAL;
}

static const struct file_ops plain_ops = {
	.read = plain_read,
	.write = plain_write,
	.seek = plain_seek,
	.stat = node_file_stat,
	.ioctl = plain_ioctl,
	.truncate = plain_truncate,
	.frame = plain_frame,
	.frames = plain_frames,
	.path = node_file_path,
	.release = node_file_release,
	.control = plain_control,
};

/* --- directories --- */

/* Positions from here on stand for mount points that have no directory of their own below them. */
#define MOUNT_POS (1ULL << 62)

static int next_item(struct node *n, uint64_t *pos, struct dir_item *item)
{
	struct node *below;
	int r;

	if (*pos < 2) {
		item->name = "..";
		item->name_bytes = (unsigned)++*pos;
		item->type = 4; /* DT_DIR */
		item->ino = *pos == 2 && n->parent ? n->parent->ino : n->ino;
		return 1;
	}
	if (*pos < MOUNT_POS) {
		r = n->ops->next(n, pos, item);
		if (r != 0)
			return r;
		*pos = MOUNT_POS + 1;
	}
	for (uint64_t i; (i = *pos - MOUNT_POS) < mount_count;) {
		struct mount *m = &mounts[i];
		++*pos;
		if (m->over != n)
			continue;
		item->name = m->name;
		item->name_bytes = (unsigned)strlen(m->name);
		if (n->ops->lookup(n, item->name, item->name_bytes, &below) == 0) {
			node_unref(below);
			continue;
		}
		item->ino = m->root->ino;
		item->type = 4;
		return 1;
	}
	return 0;
}

/* struct linux_dirent64 of the kernel's ABI: the name follows. */
struct record {
	uint64_t ino;
	int64_t off;
	uint16_t bytes;
	uint8_t type;
	char name[];
} __attribute__((packed));
#define RECORD_BYTES 19u

static int dir_getdents(struct file *f, gva_t buf, size_t size)
{
	struct node *n = node_of(f);
	size_t used = 0;

	if (n->gone)
		return -ENOENT;
	for (;;) {
		union {
			struct record record;
			char bytes[RECORD_BYTES + NAME_BYTES_MAX + 1 + 7];
		} u;
		struct dir_item item;
		uint64_t pos = f->pos;
		size_t bytes;
		int r = next_item(n, &pos, &item);

		if (r <= 0)
			return used > 0 || r == 0 ? (int)used : r;
		bytes = (RECORD_BYTES + item.name_bytes + 1 + 7) & ~7ULL;
		if (bytes > size - used)
			return used > 0 ? (int)used : -EINVAL;
		memset(&u, 0, bytes);
		u.record.ino = item.ino;
		u.record.off = (int64_t)pos;
		u.record.bytes = (uint16_t)bytes;
		u.record.type = item.type;
		memcpy(u.bytes + RECORD_BYTES, item.name, item.name_bytes);
		if (user_copy_to((void *)(buf + used), &u, bytes) < 0)
			return used > 0 ? (int)used : -EFAULT;
		used += bytes;
		f->pos = pos;
	}
}

static int64_t dir_read(struct file *f, void *buf, size_t bytes, uint64_t *pos, unsigned flags)
{
	(void)f, (void)buf, (void)bytes, (void)pos, (void)flags;
	return -EISDIR;
}

int64_t node_file_seek(struct file *f, int64_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += (int64_t)f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	f->pos = (uint64_t)offset;
	return offset;
}

static const struct file_ops dir_ops = {
	.read = dir_read,
	.seek = node_file_seek,
	.stat = node_file_stat,
	.getdents = dir_getdents,
	.path = node_file_path,
	.release = node_file_release,
};

/* --- O_PATH: a place in the tree, nothing to read or write --- */

static int64_t path_read(struct file *f, void *buf, size_t bytes, uint64_t *pos, unsigned flags)
{
	(void)f, (void)buf, (void)bytes, (void)pos, (void)flags;
	return -EBADF;
}

static int64_t path_write(struct file *f, const void *buf, size_t bytes, uint64_t *pos,
	unsigned flags)
{
	(void)f, (void)buf, (void)bytes, (void)pos, (void)flags;
	return -EBADF;
}

static int64_t path_ioctl(struct file *f, unsigned long request, gva_t arg)
{
	(void)f, (void)request, (void)arg;
	return -EBADF;
}

static int64_t path_seek(struct file *f, int64_t offset, int whence)
{
	(void)f, (void)offset, (void)whence;
	return -EBADF;
}

static int64_t path_control(struct file *f, int cmd, uint64_t arg)
{
	(void)f, (void)cmd, (void)arg;
	return -EBADF;
}

static const struct file_ops path_ops = {
	.control = path_control,
	.read = path_read,
	.write = path_write,
	.seek = path_seek,
	.ioctl = path_ioctl,
	.stat = node_file_stat,
	.path = node_file_path,
	.release = node_file_release,
};
