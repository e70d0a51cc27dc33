// SPDX-License-Identifier: Apache-2.0
/*
 * The root image, and the read-only file system that shows it as it is: see image.h.
 * The reader checks all that the image says; here a node keeps the inode that was read once.
 */
#include <kernel/fs/image.h>

#include <kernel/core/hypercall.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>

static struct erofs image;
static bool broken; /* no image, or a damaged one: / is empty */

void image_init(void)
{
	if (erofs_open(&image, files_va(0), boot_info->files_bytes) == 0)
		return;
	note("the root image is not a usable EROFS image; / is empty");
	broken = true;
}

uint64_t image_root(void)
{
	return image.root_nid;
}

uint64_t image_ino_end(void)
{
	return boot_info->files_bytes / 32 + 4096;
}

int image_inode(uint64_t nid, struct erofs_inode *out)
{
	if (!broken)
		return erofs_inode(&image, nid, out);
	*out = (struct erofs_inode){.nid = nid, .mode = S_IFDIR | 0755, .nlink = 2};
	return 0;
}

int image_lookup(const struct erofs_inode *dir, const char *name, unsigned name_bytes,
	uint64_t *nid)
{
	return broken ? -ENOENT : erofs_lookup(&image, dir, name, name_bytes, nid);
}

int image_next(const struct erofs_inode *dir, uint64_t *pos, struct dir_item *out)
{
	struct erofs_entry entry;
	int r;

	do {
		r = broken ? 0 : erofs_next(&image, dir, pos, &entry);
		if (r <= 0)
			return r;
	} while (entry.name[0] == '.' &&
		(entry.name_bytes == 1 || (entry.name_bytes == 2 && entry.name[1] == '.')));
	out->ino = entry.nid + 1;
	out->name = entry.name;
	out->name_bytes = entry.name_bytes;
	out->type = entry.type;
	return 1;
}

int image_target(const struct erofs_inode *link, char *buf, size_t size)
{
	return erofs_link(&image, link, buf, size);
}

int64_t image_read(const struct erofs_inode *file, void *buf, size_t bytes, uint64_t offset)
{
	size_t done = 0;

	while (done < bytes) {
		uint64_t where, n = erofs_extent(file, offset + done, &where);
		if (n == 0)
			break;
		n = min(n, (uint64_t)(bytes - done));
		if (user_copy_to((char *)buf + done, files_va(where), n) < 0)
			return done > 0 ? (int64_t)done : -EFAULT;
		done += n;
	}
	return (int64_t)done;
}

uint64_t image_frames(const struct erofs_inode *file, uint64_t index, uint64_t most, gpa_t *gpa)
{
	uint64_t where, n;

	if (index > UINT64_MAX >> DF_PAGE_SHIFT)
		return 0;
	n = erofs_extent(file, index << DF_PAGE_SHIFT, &where);
	if (n == 0 || where & DF_PAGE_MASK)
		return 0;
	*gpa = DF_GPA_FILES + where;
	return min(df_page_up(n) >> DF_PAGE_SHIFT, most);
}

void image_stat(const struct erofs_inode *inode, struct stat *st)
{
	st->st_nlink = inode->nlink;
	st->st_uid = inode->uid;
	st->st_gid = inode->gid;
	st->st_rdev = inode->rdev;
	st->st_size = inode->size;
	st->st_blocks = df_page_up(inode->size) >> 9;
	st->st_mtime = st->st_ctime = st->st_atime = inode->mtime_s;
	st->st_mtime_nsec = st->st_ctime_nsec = st->st_atime_nsec = inode->mtime_ns;
}

void image_space(struct statfs *st)
{
	st->f_blocks = boot_info->files_bytes >> DF_PAGE_SHIFT;
	st->f_files = image.inode_count;
}

/* --- the read-only file system --- */

struct image_node {
	struct node node;
	struct erofs_inode inode;
	void *tail; /* copy of the last page where it is not aligned in the image; or NULL */
};

static const struct node_ops image_node_ops;

static struct image_node *image_node(struct node *n)
{
	return container_of(n, struct image_node, node);
}

static int node_of(uint64_t nid, struct mount *mount, struct node **out)
{
	struct image_node *n = kzalloc(sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	r = image_inode(nid, &n->inode);
	if (r < 0) {
		kfree(n);
		return r;
	}
	n->node = (struct node){
		.ops = &image_node_ops,
		.mount = mount,
		.refs = 1,
		.mode = n->inode.mode,
		.ino = nid + 1, /* 0 would read as "no entry" */
	};
	*out = &n->node;
	return 0;
}

int image_mount(struct node **root)
{
	return node_of(image_root(), NULL, root);
}

static int lookup(struct node *dir, const char *name, unsigned name_bytes, struct node **out)
{
	struct node *n;
	uint64_t nid;
	int r = image_lookup(&image_node(dir)->inode, name, name_bytes, &nid);

	if (r < 0)
		return r;
	r = node_of(nid, dir->mount, &n);
	if (r < 0)
		return r;
	r = node_place(n, dir, name, name_bytes);
	if (r < 0)
		node_unref(n);
	else
		*out = n;
	return r;
}

static int next(struct node *dir, uint64_t *pos, struct dir_item *out)
{
	uint64_t at = *pos - 2;
	int r = image_next(&image_node(dir)->inode, &at, out);

	*pos = at + 2;
	return r;
}

static int target(struct node *n, char *buf, size_t size)
{
	return image_target(&image_node(n)->inode, buf, size);
}

static void stat(struct node *n, struct stat *st)
{
	image_stat(&image_node(n)->inode, st);
}

static int64_t read(struct node *n, void *buf, size_t bytes, uint64_t offset)
{
	return image_read(&image_node(n)->inode, buf, bytes, offset);
}

static uint64_t frames(struct node *n, uint64_t index, uint64_t most, gpa_t *gpa)
{
	return image_frames(&image_node(n)->inode, index, most, gpa);
}

static int frame(struct node *n, uint64_t index, bool write, gpa_t *gpa)
{
	struct image_node *i = image_node(n);

	(void)write; /* a file that is open for reading only has no shared writable mapping */
	if (image_frames(&i->inode, index, 1, gpa) > 0)
		return 0;
	if (index >= df_page_up(i->inode.size) >> DF_PAGE_SHIFT)
		return -ENODATA;
	/* A foreign image that packs tails: only the last page is unaligned. */
	if (!i->tail) {
		i->tail = frames_alloc(1);
		if (!i->tail)
			return -ENOMEM;
		if (image_read(&i->inode, i->tail, DF_PAGE_SIZE, index << DF_PAGE_SHIFT) < 0)
			return -EIO;
	}
	*gpa = arena_gpa(i->tail);
	return 0;
}

static void release(struct node *n)
{
	struct image_node *i = image_node(n);

	if (i->tail)
		frames_free(i->tail, 1);
	kfree(n->name);
	kfree(i);
}

static const struct node_ops image_node_ops = {
	.lasting = true,
	.lookup = lookup,
	.next = next,
	.target = target,
	.stat = stat,
	.read = read,
	.frame = frame,
	.frames = frames,
	.release = release,
};
