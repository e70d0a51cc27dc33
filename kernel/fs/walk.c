// SPDX-License-Identifier: Apache-2.0
/*
 * Path resolution. See walk.h.
 *
 * The path to walk lies at the end of the buffer. A symlink's target is put in front of what is left of the
 * path, over names that were walked already, so one buffer serves any chain of links. As in Linux, 40 links
 * are followed in one walk; a target that does not fit in front of the rest is -ENAMETOOLONG.
 */
#include <kernel/fs/walk.h>

#include <kernel/mm/user.h>

#define LINKS_MAX 40

static char buffer[2 * PATH_BYTES_MAX];

/* The nodes that names led to last, each with a reference, by a hash of directory and name. A node knows its
 * place, which says whether it is still the answer. */
#define RECENT 128u
static struct node *recent[RECENT];

#define PATH_START (buffer + PATH_BYTES_MAX)

int walk_fetch(gva_t path)
{
	int64_t r = user_string(PATH_START, path, PATH_BYTES_MAX);

	return r < 0 ? (int)r : 0;
}

int walk_path(const char *path)
{
	size_t bytes = strlen(path);

	if (bytes >= PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	memcpy(PATH_START, path, bytes + 1);
	return 0;
}

void walk_end(struct walk *w)
{
	node_unref(w->dir);
	node_unref(w->node);
	w->dir = w->node = NULL;
}

/* Moves to another node: takes over the reference of `to`. */
static void go(struct node **at, struct node *to)
{
	node_unref(*at);
	*at = to;
}

/* Where a relative path starts. */
static int start(int dirfd, bool empty, struct walk *w, struct node **out)
{
	struct file *f;
	struct node *n;

	if (PATH_START[0] == '/') {
		*out = node_ref(fs_root);
		return 0;
	}
	if (dirfd == AT_FDCWD) {
		*out = node_ref(fs_cwd);
		return 0;
	}
	f = fd_get(dirfd);
	if (!f)
		return -EBADF;
	n = file_node(f);
	if (empty) {
		w->file = f;
		*out = n ? node_ref(n) : NULL;
		return 0;
	}
	if (!n || !S_ISDIR(n->mode))
		return -ENOTDIR;
	*out = node_ref(n);
	return 0;
}

/* Puts the target of a link in front of the rest of the path. */
static int expand(struct node *link, char **rest)
{
	size_t space = (size_t)(*rest - buffer);
	int n = link->ops->target(link, buffer, space);

	if (n < 0)
		return n;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n >= space)
		return -ENAMETOOLONG;
	memmove(*rest - n, buffer, n);
	*rest -= n;
	return 0;
}

static struct node **slot(const struct node *dir, const char *name, unsigned name_bytes)
{
	uint32_t h = (uint32_t)((uintptr_t)dir >> 4);

	for (unsigned i = 0; i < name_bytes; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return &recent[(h ^ h >> 15) % RECENT];
}

void walk_forget(struct node *dir, const char *name, unsigned name_bytes)
{
	struct node **s = slot(dir, name, name_bytes), *n = *s;

	*s = NULL;
	node_unref(n);
}

static int child(struct node *dir, const char *name, unsigned name_bytes, struct node **out)
{
	struct mount *m = mount_at(dir, name, name_bytes);
	struct node **s, *old;
	int r;

	if (m) {
		*out = node_ref(m->root);
		return 0;
	}
	if (!dir->ops->lasting)
		return dir->ops->lookup(dir, name, name_bytes, out);
	s = slot(dir, name, name_bytes);
	old = *s;
	if (old && old->parent == dir && !old->gone && strcmp(old->name, name) == 0) {
		*out = node_ref(old);
		return 0;
	}
	r = dir->ops->lookup(dir, name, name_bytes, out);
	if (r == 0) {
		*s = node_ref(*out);
		node_unref(old);
	}
	return r;
}

/* State of a walk: `dir` is where it is (with a reference), `p` what is left. */
struct state {
	struct node *dir;
	char *p;
	unsigned links;
};

/* Follows the symlink `link` (whose reference it takes over). With *out set the walk is at a node that
 * stands for no name: a magic link. */
static int follow(struct state *s, struct node *link, struct node **out)
{
	int r;

	*out = NULL;
	if (++s->links > LINKS_MAX)
		r = -ELOOP;
	else if (link->ops->jump)
		r = link->ops->jump(link, out);
	else
		r = expand(link, &s->p);
	node_unref(link);
	if (r == 0 && !*out && *s->p == '/')
		go(&s->dir, node_ref(fs_root));
	return r;
}

/* The walk ends at node n (reference taken over), reached by no name of its own. */
static int end_at(struct walk *w, struct node *n, enum walk_last last)
{
	go(&w->dir, node_ref(n->parent ? n->parent : n));
	go(&w->node, n);
	w->last = last;
	return 0;
}

/* The last name of the path, in w->name. Result 1: a link was followed, go on. */
static int last_name(struct state *s, unsigned flags, struct walk *w)
{
	struct node *n, *jumped;
	int r;

	if ((flags & WALK_CREATE) && w->trailing)
		return -EISDIR;
	r = child(s->dir, w->name, w->name_bytes, &n);
	if (r == -ENOENT && (flags & (WALK_PARENT | WALK_CREATE)))
		n = NULL;
	else if (r < 0)
		return r;
	if (n && S_ISLNK(n->mode) && !(flags & WALK_PARENT) &&
		((flags & WALK_FOLLOW) || w->trailing)) {
		r = follow(s, n, &jumped);
		if (r < 0)
			return r;
		if (!jumped)
			return 1;
		if (w->trailing && !S_ISDIR(jumped->mode)) {
			node_unref(jumped);
			return -ENOTDIR;
		}
		return end_at(w, jumped, LAST_NAME);
	}
	if (n && w->trailing && !(flags & WALK_PARENT) && !S_ISDIR(n->mode)) {
		node_unref(n);
		return -ENOTDIR;
	}
	go(&w->dir, node_ref(s->dir));
	go(&w->node, n);
	w->last = LAST_NAME;
	return 0;
}

/* A name on the way, in w->name. */
static int middle_name(struct state *s, struct walk *w)
{
	struct node *n, *jumped;
	int r = child(s->dir, w->name, w->name_bytes, &n);

	if (r < 0)
		return r;
	if (!S_ISLNK(n->mode)) {
		go(&s->dir, n);
		return 0;
	}
	r = follow(s, n, &jumped);
	if (r == 0 && jumped)
		go(&s->dir, jumped);
	return r;
}

/* One component. Result 1: the walk goes on, 0: it has ended. */
static int step(struct state *s, unsigned flags, struct walk *w)
{
	char *end;
	size_t bytes;
	bool last;
	int r;

	while (*s->p == '/')
		s->p++;
	/* Only slashes, in the path or in a link that ended it. */
	if (*s->p == 0)
		return end_at(w, node_ref(s->dir), LAST_ROOT);
	if (!S_ISDIR(s->dir->mode))
		return -ENOTDIR;
	for (end = s->p; *end && *end != '/';)
		end++;
	bytes = (size_t)(end - s->p);
	if (bytes > NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	memcpy(w->name, s->p, bytes);
	w->name[bytes] = 0;
	w->name_bytes = (unsigned)bytes;
	w->trailing = *end == '/';
	for (s->p = end; *end == '/';)
		end++;
	last = *end == 0;
	if (strcmp(w->name, ".") == 0)
		return last ? end_at(w, node_ref(s->dir), LAST_DOT) : 1;
	if (strcmp(w->name, "..") == 0) {
		if (s->dir->parent)
			go(&s->dir, node_ref(s->dir->parent));
		return last ? end_at(w, node_ref(s->dir), LAST_DOTDOT) : 1;
	}
	if (last)
		return last_name(s, flags, w);
	r = middle_name(s, w);
	return r < 0 ? r : 1;
}

int walk(int dirfd, unsigned flags, struct walk *w)
{
	struct state s = {.p = PATH_START};
	bool empty = PATH_START[0] == 0;
	int r;

	w->dir = w->node = NULL;
	w->file = NULL;
	w->trailing = false;
	w->name_bytes = 0;
	w->name[0] = 0;
	if (empty && !(flags & WALK_EMPTY))
		return -ENOENT;
	r = start(dirfd, empty, w, &s.dir);
	if (r < 0)
		return r;
	if (empty) {
		if (s.dir)
			end_at(w, s.dir, LAST_DOT);
		return 0;
	}
	while ((r = step(&s, flags, w)) > 0)
		;
	node_unref(s.dir);
	if (r < 0)
		walk_end(w);
	return r;
}
