// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic file systems: see synth.h. Nodes are made when a path leads to them and keep the text that is
 * being read; entries are constant. The number of an inode is made of the entry's address and its id.
 */
#include <kernel/fs/synth.h>

#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/time/clock.h>
#include <linux/fs.h>

struct synth_node {
	struct node node;
	const struct synth *synth;
	int id;
	bool read; /* the text is there */
	struct text text;
};

static const struct node_ops synth_ops, synth_jump_ops, device_ops;
static const struct file_ops text_ops;

/* --- text --- */

static bool text_room(struct text *t, size_t n)
{
	size_t size = max(t->size * 2, (size_t)512);
	char *buf;

	if (t->size - t->used > n)
		return true;
	while (size - t->used <= n)
		size *= 2;
	buf = kmalloc(size);
	if (!buf)
		return false;
	memcpy(buf, t->buf, t->used);
	kfree(t->buf);
	t->buf = buf;
	t->size = size;
	return true;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n <= 0 || !text_room(t, (size_t)n))
		return;
	va_start(args, fmt);
	kvsnprintf(t->buf + t->used, t->size - t->used, fmt, args);
	va_end(args);
	t->used += (size_t)n;
}

void text_bytes(struct text *t, const void *p, size_t n)
{
	if (text_room(t, n) && copy_any(t->buf + t->used, p, n) == 0)
		t->used += n;
}

void text_free(struct text *t)
{
	kfree(t->buf);
	*t = (struct text){0};
}

/* --- nodes --- */

static struct synth_node *synth_node(struct node *n)
{
	return container_of(n, struct synth_node, node);
}

static uint64_t ino_of(const struct synth *s, int id)
{
	return ((uint64_t)s & 0xffffff) | (uint64_t)(uint32_t)id << 24;
}

static int make(const struct synth *s, int id, struct mount *mount, struct node **out)
{
	struct synth_node *n = kzalloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->synth = s;
	n->id = id;
	n->node = (struct node){
		.ops = s->more && s->more->jump ? &synth_jump_ops
			: S_ISCHR(s->mode)      ? &device_ops
						: &synth_ops,
		.mount = mount,
		.refs = 1,
		.mode = s->mode,
		.ino = ino_of(s, id),
	};
	*out = &n->node;
	return 0;
}

int synth_root(const struct synth *s, struct node **out)
{
	return make(s, 0, NULL, out);
}

static unsigned children(const struct synth *s)
{
	return S_ISDIR(s->mode) ? s->count : 0;
}

static void make_text(const struct synth *s, struct text *t, int id)
{
	if (s->fixed)
		text_bytes(t, s->constant, strlen(s->constant));
	else
		s->text(t, id);
}

/* A decimal number without leading zeroes, or -1. */
static int number(const char *name, unsigned name_bytes)
{
	int n = 0;

	if (name_bytes == 0 || name_bytes > 9 || (name[0] == '0' && name_bytes > 1))
		return -1;
	for (unsigned i = 0; i < name_bytes; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

static int lookup(struct node *dir, const char *name, unsigned name_bytes, struct node **out)
{
	const struct synth *s = synth_node(dir)->synth, *found = NULL;
	int id = synth_node(dir)->id, r;

	for (unsigned i = 0; i < children(s); i++)
		if (strlen(s->list[i].name) == name_bytes &&
			memcmp(s->list[i].name, name, name_bytes) == 0)
			found = &s->list[i];
	if (!found && s->more) {
		id = number(name, name_bytes);
		if (id >= 0 && s->more->next_id(id) == id)
			found = s->more->child;
	}
	if (!found)
		return -ENOENT;
	r = make(found, id, dir->mount, out);
	if (r < 0)
		return r;
	r = node_place(*out, dir, name, name_bytes);
	if (r < 0)
		node_unref(*out);
	return r;
}

static int next(struct node *dir, uint64_t *pos, struct dir_item *out)
{
	static char digits[12]; /* of the name that was handed out last */
	const struct synth *s = synth_node(dir)->synth;
	uint64_t at = *pos - 2;
	int id;

	if (at < children(s)) {
		const struct synth *e = &s->list[at];
		out->name = e->name;
		out->name_bytes = (unsigned)strlen(e->name);
		out->type = (uint8_t)(e->mode >> 12);
		out->ino = ino_of(e, synth_node(dir)->id);
		++*pos;
		return 1;
	}
	at -= children(s);
	id = s->more && at <= INT32_MAX ? s->more->next_id((int)at) : -1;
	if (id < 0)
		return 0;
	out->name_bytes = (unsigned)ksnprintf(digits, sizeof(digits), "%d", id);
	out->name = digits;
	out->type = (uint8_t)(s->more->child->mode >> 12);
	out->ino = ino_of(s->more->child, id);
	*pos = (uint64_t)id + 1 + children(s) + 2;
	return 1;
}

static int target(struct node *n, char *buf, size_t size)
{
	struct synth_node *s = synth_node(n);
	struct text t = {0};
	int bytes;

	make_text(s->synth, &t, s->id);
	bytes = (int)t.used;
	memcpy(buf, t.buf, min(t.used, size));
	text_free(&t);
	return bytes;
}

static int jump(struct node *n, struct node **out)
{
	return synth_node(n)->synth->more->jump(synth_node(n)->id, out);
}

static void stat(struct node *n, struct stat *st)
{
	uint64_t now = clock_realtime();

	st->st_nlink = S_ISDIR(n->mode) ? 2 : 1;
	st->st_rdev = S_ISCHR(n->mode) ? synth_node(n)->synth->rdev : 0;
	st->st_atime = st->st_mtime = st->st_ctime = now / NS_PER_S;
	st->st_atime_nsec = st->st_mtime_nsec = st->st_ctime_nsec = now % NS_PER_S;
	if (S_ISLNK(n->mode))
		st->st_size = 64;
	if (!S_ISREG(n->mode))
		return;
	st->st_blksize = 1024;
}

static int open(struct node *n, unsigned flags, struct file **out)
{
	if ((flags & O_ACCMODE) != O_RDONLY && !synth_node(n)->synth->more)
		return -EACCES;
	return node_file(&text_ops, n, flags, out);
}

static void release(struct node *n)
{
	text_free(&synth_node(n)->text);
	kfree(n->name);
	kfree(synth_node(n));
}

static const struct node_ops synth_ops = {
	.lookup = lookup,
	.next = next,
	.target = target,
	.stat = stat,
	.open = open,
	.release = release,
};

static const struct node_ops synth_jump_ops = {
	.target = target,
	.jump = jump,
	.stat = stat,
	.release = release,
};

/* Devices are opened by their number. */
static const struct node_ops device_ops = {
	.stat = stat,
	.release = release,
};

/* --- files with text --- */

static int64_t text_read(struct file *f, void *buf, size_t bytes, uint64_t *pos, unsigned flags)
{
	struct synth_node *n = synth_node(f->data);
	size_t left;

	(void)flags;
	if (*pos == 0 || !n->read) {
		text_free(&n->text);
		make_text(n->synth, &n->text, n->id);
		n->read = true;
	}
	if (*pos >= n->text.used)
		return 0;
	left = min(n->text.used - (size_t)*pos, bytes);
	if (user_copy_to(buf, n->text.buf + *pos, left) < 0)
		return -EFAULT;
	*pos += left;
	return (int64_t)left;
}

static int64_t text_write(struct file *f, const void *buf, size_t bytes, uint64_t *pos,
	unsigned flags)
{
	struct synth_node *n = synth_node(f->data);
	char text[64];
	size_t used = min(bytes, sizeof(text));
	int64_t r;

	(void)pos, (void)flags;
	if (user_copy_from(text, buf, used) < 0)
		return -EFAULT;
	r = n->synth->more->store(n->id, text, used);
	return r < 0 ? r : (int64_t)bytes;
}

static const struct file_ops text_ops = {
	.read = text_read,
	.write = text_write,
	.seek = node_file_seek,
	.stat = node_file_stat,
	.path = node_file_path,
	.release = node_file_release,
};
