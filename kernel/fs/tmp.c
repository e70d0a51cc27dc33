// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `tmp`: nodes of the writable file system, their attributes, memfds, and the start, which puts
 * the overlay in the place of the read-only root and adds /dev/shm. See tmp.h for how it works.
 */
#include <kernel/fs/tmp.h>

#include <asm/unistd.h>
#include <kernel/core/feature.h>
#include <kernel/core/hypercall.h>
#include <kernel/fs/image.h>
#include <kernel/fs/walk.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/time/clock.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/memfd.h>

#ifndef MFD_EXEC /* newer than Debian 12's headers */
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 0x10u
#define F_SEAL_EXEC 0x20u
#endif

#define LOWER_BUCKETS 256u

static struct tmp_node *lower_nodes[LOWER_BUCKETS]; /* all lower nodes that exist, by nid */
static uint64_t next_ino;
static struct mount *shm;

struct node_time tmp_now(void)
{
	uint64_t now = clock_realtime();

	return (struct node_time){.s = (int64_t)(now / NS_PER_S), .ns = (uint32_t)(now % NS_PER_S)};
}

static uint64_t used_nodes; /* nodes that are not the image's, and entries */

int tmp_count(void)
{
	if (used_nodes >= mm_total_bytes() >> DF_PAGE_SHIFT)
		return -ENOSPC;
	used_nodes++;
	return 0;
}

void tmp_uncount(void)
{
	used_nodes--;
}

int tmp_new(struct mount *mount, const struct node_new *what, struct tmp_node **out)
{
	struct tmp_node *n;

	if (tmp_count() < 0)
		return -ENOSPC;
	n = kzalloc(offsetof(struct tmp_node, next));
	if (!n)
		goto out_uncount;
	n->node = (struct node){
		.ops = &tmp_ops, .mount = mount, .refs = 1, .mode = what->mode, .ino = ++next_ino};
	n->nlink = S_ISDIR(what->mode) ? 2 : 1;
	n->rdev = what->rdev;
	n->atime = n->mtime = n->ctime = tmp_now();
	if (S_ISDIR(what->mode))
		tmp_dir_init(&n->dir);
	if (S_ISLNK(what->mode)) {
		n->target = kmalloc(what->target_bytes);
		if (!n->target) {
			kfree(n);
			goto out_uncount;
		}
		memcpy(n->target, what->target, what->target_bytes);
		n->size = what->target_bytes;
	}
	*out = n;
	return 0;
out_uncount:
	tmp_uncount();
	return -ENOSPC;
}

int tmp_lower(uint64_t nid, struct mount *mount, struct tmp_node **out)
{
	struct tmp_node **bucket = &lower_nodes[nid % LOWER_BUCKETS], *n;
	int r;

	for (n = *bucket; n; n = n->next)
		if (n->lower.nid == nid) {
			node_ref(&n->node);
			*out = n;
			return 0;
		}
	n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	r = image_inode(nid, &n->lower);
	if (r < 0) {
		kfree(n);
		return r;
	}
	n->node = (struct node){
		.ops = &tmp_ops, .mount = mount, .refs = 1, .mode = n->lower.mode, .ino = nid + 1};
	n->has_lower = true;
	n->nlink = n->lower.nlink;
	n->uid = n->lower.uid;
	n->gid = n->lower.gid;
	n->rdev = n->lower.rdev;
	n->size = n->lower.size;
	n->mtime = (struct node_time){.s = (int64_t)n->lower.mtime_s, .ns = n->lower.mtime_ns};
	n->atime = n->ctime = n->mtime;
	if (S_ISDIR(n->node.mode))
		tmp_dir_init(&n->dir);
	if (S_ISREG(n->node.mode))
		n->data.lower_bytes = n->size;
	n->next = *bucket;
	*bucket = n;
	*out = n;
	return 0;
}

void tmp_hold(struct tmp_node *n)
{
	if (n->has_lower && !n->held) {
		n->held = true;
		node_ref(&n->node);
	}
}

void tmp_modified(struct tmp_node *n)
{
	tmp_hold(n);
	n->mtime = n->ctime = tmp_now();
}

void tmp_unlinked(struct tmp_node *n, bool all)
{
	tmp_hold(n);
	n->ctime = tmp_now();
	n->nlink = all || n->nlink == 0 ? 0 : n->nlink - 1;
	if (n->nlink == 0 && n->held) {
		n->held = false;
		node_unref(&n->node);
	}
}

static void release(struct node *node)
{
	struct tmp_node *n = tmp_node(node), **p;

	if (!n->has_lower) {
		tmp_uncount();
	} else {
		for (p = &lower_nodes[n->lower.nid % LOWER_BUCKETS]; *p != n;)
			p = &(*p)->next;
		*p = n->next;
	}
	if (S_ISDIR(node->mode))
		tmp_dir_free(&n->dir);
	else if (S_ISREG(node->mode))
		tmp_data_free(&n->data);
	else if (S_ISLNK(node->mode))
		kfree(n->target);
	kfree(node->name);
	kfree(n);
}

/* --- attributes --- */

static int target(struct node *node, char *buf, size_t size)
{
	struct tmp_node *n = tmp_node(node);

	if (!n->target)
		return image_target(&n->lower, buf, size);
	memcpy(buf, n->target, min((size_t)n->size, size));
	return (int)n->size;
}

static void stat(struct node *node, struct stat *st)
{
	struct tmp_node *n = tmp_node(node);

	st->st_nlink = n->nlink;
	st->st_uid = n->uid;
	st->st_gid = n->gid;
	st->st_rdev = n->rdev;
	st->st_size = (long)n->size;
	if (S_ISREG(node->mode))
		st->st_blocks = (long)(max(n->data.pages << DF_PAGE_SHIFT,
					       df_page_up(n->data.lower_bytes)) >>
			9);
	else if (S_ISDIR(node->mode) && !n->has_lower)
		st->st_size = 40 + 20 * (long)n->dir.names;
	st->st_atime = (unsigned long)n->atime.s;
	st->st_atime_nsec = n->atime.ns;
	st->st_mtime = (unsigned long)n->mtime.s;
	st->st_mtime_nsec = n->mtime.ns;
	st->st_ctime = (unsigned long)n->ctime.s;
	st->st_ctime_nsec = n->ctime.ns;
}

static int change(struct node *node, const struct node_change *c)
{
	struct tmp_node *n = tmp_node(node);

	tmp_hold(n);
	if (c->what & CHANGE_MODE)
		node->mode = (node->mode & S_IFMT) | c->mode;
	if (c->what & CHANGE_UID)
		n->uid = c->uid;
	if (c->what & CHANGE_GID)
		n->gid = c->gid;
	/* A new owner of an executable does not get its old owner's rights (chown(2)). */
	if ((c->what & (CHANGE_UID | CHANGE_GID)) && !S_ISDIR(node->mode)) {
		node->mode &= ~(uint32_t)S_ISUID;
		if (node->mode & S_IXGRP)
			node->mode &= ~(uint32_t)S_ISGID;
	}
	if (c->what & CHANGE_ATIME)
		n->atime = c->atime;
	if (c->what & CHANGE_MTIME)
		n->mtime = c->mtime;
	if (c->what)
		n->ctime = tmp_now();
	return 0;
}

static void space(struct statfs *st)
{
	st->f_blocks = (long)(mm_total_bytes() >> DF_PAGE_SHIFT);
	st->f_bfree = st->f_bavail = (long)(mm_free_bytes() >> DF_PAGE_SHIFT);
	st->f_files = st->f_blocks / 2;
	st->f_ffree = st->f_files - (long)used_nodes / 2;
}

/* --- memfd --- */

/* True when the program has a shared writable mapping of the node. */
static bool mapped_writable(struct node *n)
{
	struct vma *v;

	list_for_each(v, &vma_list, node)
		if (v->file && (v->flags & VMA_SHARED) && (v->prot & 2) && file_node(v->file) == n)
			return true;
	return false;
}

static int64_t control(struct node *node, int cmd, uint64_t arg)
{
	struct tmp_node *n = tmp_node(node);

	if (!n->memfd)
		return -EINVAL;
	if (cmd == F_GET_SEALS)
		return n->seals;
	if (cmd != F_ADD_SEALS || arg & ~0x3fULL)
		return -EINVAL;
	if (n->seals & F_SEAL_SEAL)
		return -EPERM;
	if ((arg & F_SEAL_WRITE) && !(n->seals & F_SEAL_WRITE) && mapped_writable(node))
		return -EBUSY;
	n->seals |= (unsigned)arg;
	return 0;
}

static int64_t sys_memfd_create(uint64_t name, uint64_t flags)
{
	struct node_new what = {.mode = S_IFREG | 0777};
	char text[NAME_BYTES_MAX + 1] = "memfd:";
	struct tmp_node *n = NULL;
	struct file *f = NULL;
	int64_t bytes;
	int r;

	if (flags & ~(uint64_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) ||
		(flags & (MFD_NOEXEC_SEAL | MFD_EXEC)) == (MFD_NOEXEC_SEAL | MFD_EXEC))
		return -EINVAL;
	bytes = user_string(text + 6, name, 250);
	if (bytes < 0)
		return bytes == -ENAMETOOLONG ? -EINVAL : bytes;
	r = tmp_new(shm, &what, &n);
	if (r < 0)
		return r;
	n->nlink = 0;
	n->memfd = true;
	n->seals = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) ? 0 : F_SEAL_SEAL;
	if (flags & MFD_NOEXEC_SEAL) {
		n->node.mode &= ~0111u;
		n->seals |= F_SEAL_EXEC;
	}
	r = node_place(&n->node, fs_root, text, (unsigned)bytes + 6);
	n->node.gone = true;
	if (r == 0)
		r = node_open(&n->node, O_RDWR, &f);
	node_unref(&n->node);
	if (r < 0)
		return r;
	r = fd_install(f, 0, flags & MFD_CLOEXEC);
	if (r < 0)
		file_unref(f);
	return r;
}

/* --- start --- */

const struct node_ops tmp_ops = {
	.lasting = true,
	.lookup = tmp_lookup,
	.next = tmp_next,
	.target = target,
	.stat = stat,
	.read = tmp_read,
	.frame = tmp_frame,
	.frames = tmp_frames,
	.release = release,
	.write = tmp_write,
	.resize = tmp_resize,
	.allocate = tmp_allocate,
	.hole = tmp_hole,
	.create = tmp_create,
	.link = tmp_link,
	.unlink = tmp_unlink,
	.rename = tmp_rename,
	.change = change,
	.control = control,
};

/* Makes sure that a directory for temporary files is there. */
static void add_directory(const char *name, uint32_t mode)
{
	struct node_new what = {.mode = S_IFDIR | mode};
	struct node *n;

	if (tmp_lookup(fs_root, name, (unsigned)strlen(name), &n) == 0 ||
		tmp_create(fs_root, name, (unsigned)strlen(name), &what, &n) == 0)
		node_unref(n);
}

static void init(void)
{
	struct node_new dir = {.mode = S_IFDIR | 01777};
	struct mount m = {.type = "tmpfs", .magic = TMPFS_MAGIC, .name = "shm", .space = space};
	struct mount *dev;
	struct tmp_node *root;

	next_ino = image_ino_end();
	if (tmp_lower(image_root(), &mounts[0], &root) < 0)
		panic("no memory for the root directory");
	root_replace(&root->node, "overlay", OVERLAYFS_SUPER_MAGIC, space);
	add_directory("tmp", 01777);
	add_directory("run", 0755);
	dev = mount_at(fs_root, "dev", 3);
	if (tmp_new(NULL, &dir, &root) < 0)
		panic("no memory for /dev/shm");
	m.root = &root->node;
	m.over = dev->root;
	mount_add(&m);
	shm = root->node.mount;
}

static const struct feature_call calls[] = {
	{__NR_memfd_create, sys_memfd_create},
};

FEATURE(tmp, "files", init, calls);
