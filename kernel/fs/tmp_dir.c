// SPDX-License-Identifier: Apache-2.0
/*
 * Directories of the writable file system: a hash table of the entries that were made or removed here, over
 * the entries of the image. See tmp.h.
 *
 * Positions for listing: 2 and up number our own entries in the order of their making, LOWER_POS and up are
 * positions in the image's directory.
 */
#include <kernel/fs/tmp.h>

#include <kernel/fs/image.h>
#include <kernel/mm/mm.h>

#define LOWER_POS (1ULL << 40)
#define FIRST_BUCKETS 8u

void tmp_dir_init(struct tmp_dir *d)
{
	list_init(&d->list);
	d->next_pos = 2;
}

static uint32_t hash_of(const char *name, unsigned name_bytes)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (unsigned i = 0; i < name_bytes; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h ^ h >> 16;
}

static struct tmp_entry *find(struct tmp_dir *d, const char *name, unsigned name_bytes)
{
	uint32_t hash = hash_of(name, name_bytes);
	struct tmp_entry *e = d->table ? d->table[hash & (d->buckets - 1)] : NULL;

	for (; e; e = e->next)
		if (e->hash == hash && e->name_bytes == name_bytes &&
			memcmp(e->name, name, name_bytes) == 0)
			return e;
	return NULL;
}

static int grow(struct tmp_dir *d)
{
	unsigned buckets = d->table ? d->buckets * 2 : FIRST_BUCKETS;
	struct tmp_entry **table, *e;

	if (d->entries < d->buckets)
		return 0;
	table = kzalloc(buckets * sizeof(struct tmp_entry *));
	if (!table)
		return -ENOSPC;
	list_for_each(e, &d->list, list) {
		e->next = table[e->hash & (buckets - 1)];
		table[e->hash & (buckets - 1)] = e;
	}
	kfree(d->table);
	d->table = table;
	d->buckets = buckets;
	return 0;
}

/* Adds an entry without a node, which hides the name of the image. */
static int add(struct tmp_dir *d, const char *name, unsigned name_bytes, struct tmp_entry **out)
{
	struct tmp_entry *e, **bucket;

	if (grow(d) < 0 || tmp_count() < 0)
		return -ENOSPC;
	e = kmalloc(sizeof(*e) + name_bytes);
	if (!e) {
		tmp_uncount();
		return -ENOSPC;
	}
	e->node = NULL;
	e->hash = hash_of(name, name_bytes);
	e->name_bytes = (uint8_t)name_bytes;
	memcpy(e->name, name, name_bytes);
	e->pos = d->next_pos++;
	list_add_tail(&d->list, &e->list);
	bucket = &d->table[e->hash & (d->buckets - 1)];
	e->next = *bucket;
	*bucket = e;
	d->entries++;
	*out = e;
	return 0;
}

static void drop(struct tmp_dir *d, struct tmp_entry *e)
{
	struct tmp_entry **p = &d->table[e->hash & (d->buckets - 1)];

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	if (d->hint == e)
		d->hint = NULL;
	list_del(&e->list);
	d->entries--;
	tmp_uncount();
	kfree(e);
}

/* Gives the entry a node (with a reference of its own) or, with NULL, takes it away. */
static void assign(struct tmp_dir *d, struct tmp_entry *e, struct tmp_node *n)
{
	struct tmp_node *old = e->node;

	if (n)
		node_ref(&n->node);
	d->names += (n != NULL) - (unsigned)(old != NULL);
	e->node = n;
	if (old)
		node_unref(&old->node);
}

/* A name that exists now becomes `n`, or goes. Entries for names of the image stay, to hide them. */
static void settle(struct tmp_node *dir, struct tmp_entry *e, struct tmp_node *n)
{
	uint64_t nid;

	assign(&dir->dir, e, n);
	if (!n && (!dir->has_lower || image_lookup(&dir->lower, e->name, e->name_bytes, &nid) < 0))
		drop(&dir->dir, e);
}

/* The entry of a name, made when there is none. *fresh: it was made, and hides the image's name until it is
 * assigned or dropped. */
static int entry_for(struct tmp_node *dir, const char *name, unsigned name_bytes,
	struct tmp_entry **out, bool *fresh)
{
	*out = find(&dir->dir, name, name_bytes);
	*fresh = !*out;
	return *out ? 0 : add(&dir->dir, name, name_bytes, out);
}

void tmp_dir_free(struct tmp_dir *d)
{
	struct tmp_entry *e, *next;

	list_for_each_safe(e, next, &d->list, list) {
		if (e->node)
			node_unref(&e->node->node);
		kfree(e);
	}
	kfree(d->table);
}

/* --- reading --- */

int tmp_lookup(struct node *node, const char *name, unsigned name_bytes, struct node **out)
{
	struct tmp_node *dir = tmp_node(node), *n = NULL;
	struct tmp_entry *e = find(&dir->dir, name, name_bytes);
	uint64_t nid;
	int r;

	if (e) {
		n = e->node;
		if (!n)
			return -ENOENT;
		node_ref(&n->node);
	} else {
		if (!dir->has_lower)
			return -ENOENT;
		r = image_lookup(&dir->lower, name, name_bytes, &nid);
		if (r == 0)
			r = tmp_lower(nid, node->mount, &n);
		if (r < 0)
			return r;
	}
	r = node_place(&n->node, node, name, name_bytes);
	if (r < 0)
		node_unref(&n->node);
	else
		*out = &n->node;
	return r;
}

/* Our own entry with a node at pos or behind it, or NULL. */
static struct tmp_entry *entry_at(struct tmp_dir *d, uint64_t pos)
{
	struct list *l = d->hint && d->hint->pos <= pos ? &d->hint->list : d->list.next;

	for (; l != &d->list; l = l->next) {
		struct tmp_entry *e = list_entry(l, struct tmp_entry, list);
		if (e->pos >= pos && e->node)
			return e;
	}
	return NULL;
}

int tmp_next(struct node *node, uint64_t *pos, struct dir_item *out)
{
	struct tmp_node *dir = tmp_node(node);
	struct tmp_entry *e;
	uint64_t at;
	int r;

	if (*pos < LOWER_POS) {
		e = entry_at(&dir->dir, *pos);
		if (e) {
			dir->dir.hint = e;
			out->name = e->name;
			out->name_bytes = e->name_bytes;
			out->ino = e->node->node.ino;
			out->type = (uint8_t)((e->node->node.mode & S_IFMT) >> 12);
			*pos = e->pos + 1;
			return 1;
		}
		*pos = LOWER_POS;
	}
	if (!dir->has_lower)
		return 0;
	at = *pos - LOWER_POS;
	do
		r = image_next(&dir->lower, &at, out);
	while (r > 0 && find(&dir->dir, out->name, out->name_bytes));
	*pos = at + LOWER_POS;
	return r;
}

static bool is_empty(struct tmp_node *dir)
{
	struct dir_item item;
	uint64_t at = 0;
	int r;

	if (dir->dir.names > 0)
		return false;
	while (dir->has_lower && (r = image_next(&dir->lower, &at, &item)) != 0)
		if (r < 0 || !find(&dir->dir, item.name, item.name_bytes))
			return false;
	return true;
}

/* --- changing --- */

int tmp_create(struct node *node, const char *name, unsigned name_bytes,
	const struct node_new *what, struct node **out)
{
	struct tmp_node *dir = tmp_node(node), *n;
	struct tmp_entry *e = NULL;
	char unnamed[24];
	bool fresh = false;
	int r;

	if (dir->nlink == 0)
		return -ENOENT;
	r = tmp_new(node->mount, what, &n);
	if (r < 0)
		return r;
	if (name) {
		r = entry_for(dir, name, name_bytes, &e, &fresh);
	} else {
		n->nlink = 0;
		n->linkable = true;
		name_bytes = (unsigned)ksnprintf(unnamed, sizeof(unnamed), "#%lu", n->node.ino);
		name = unnamed;
	}
	if (r == 0)
		r = node_place(&n->node, node, name, name_bytes);
	if (r < 0)
		goto out_undo;
	if (e) {
		tmp_modified(dir);
		assign(&dir->dir, e, n);
		dir->nlink += S_ISDIR(what->mode) ? 1 : 0;
	} else {
		n->node.gone = true;
	}
	*out = &n->node;
	return 0;
out_undo:
	if (fresh && e)
		drop(&dir->dir, e);
	node_unref(&n->node);
	return r;
}

int tmp_link(struct node *node, const char *name, unsigned name_bytes, struct node *linked)
{
	struct tmp_node *dir = tmp_node(node), *n = tmp_node(linked);
	struct tmp_entry *e;
	bool fresh;
	int r;

	if (dir->nlink == 0 || (n->nlink == 0 && !n->linkable))
		return -ENOENT;
	r = entry_for(dir, name, name_bytes, &e, &fresh);
	if (r < 0)
		return r;
	r = node_place(linked, node, name, name_bytes);
	if (r < 0) {
		if (fresh)
			drop(&dir->dir, e);
		return r;
	}
	tmp_modified(dir);
	assign(&dir->dir, e, n);
	tmp_hold(n);
	n->nlink++;
	n->ctime = tmp_now();
	return 0;
}

/* The name (dir, name) of n is no more. */
static void name_gone(struct tmp_node *n, struct node *dir, const char *name, unsigned name_bytes)
{
	if (n->node.parent == dir && n->node.name && strlen(n->node.name) == name_bytes &&
		memcmp(n->node.name, name, name_bytes) == 0)
		n->node.gone = true;
}

int tmp_unlink(struct node *node, const char *name, unsigned name_bytes, struct node *victim)
{
	struct tmp_node *dir = tmp_node(node), *n = tmp_node(victim);
	bool is_dir = S_ISDIR(victim->mode);
	struct tmp_entry *e;
	bool fresh;
	int r;

	if (is_dir && !is_empty(n))
		return -ENOTEMPTY;
	r = entry_for(dir, name, name_bytes, &e, &fresh);
	if (r < 0)
		return r;
	tmp_modified(dir);
	dir->nlink -= is_dir ? 1 : 0;
	name_gone(n, node, name, name_bytes);
	settle(dir, e, NULL);
	tmp_unlinked(n, is_dir);
	return 0;
}

/* What stood at the target of a rename loses that name. */
static void replaced(struct tmp_node *dir, struct tmp_node *old, const struct rename_side *to)
{
	bool is_dir = S_ISDIR(old->node.mode);

	dir->nlink -= is_dir ? 1 : 0;
	name_gone(old, to->dir, to->name, to->name_bytes);
	tmp_unlinked(old, is_dir);
}

int tmp_rename(const struct rename_side *from, const struct rename_side *to, bool exchange)
{
	struct tmp_node *from_dir = tmp_node(from->dir), *to_dir = tmp_node(to->dir),
			*n = tmp_node(from->node);
	struct tmp_node *old = to->node ? tmp_node(to->node) : NULL;
	struct tmp_entry *from_entry, *to_entry = NULL;
	bool from_fresh, to_fresh = false;
	int r;

	if (to_dir->nlink == 0)
		return -ENOENT;
	if (old && !exchange && S_ISDIR(old->node.mode) && !is_empty(old))
		return -ENOTEMPTY;
	r = entry_for(from_dir, from->name, from->name_bytes, &from_entry, &from_fresh);
	if (r < 0)
		return r;
	r = entry_for(to_dir, to->name, to->name_bytes, &to_entry, &to_fresh);
	if (r == 0)
		r = node_place(&n->node, to->dir, to->name, to->name_bytes);
	if (r == 0 && exchange)
		r = node_place(&old->node, from->dir, from->name, from->name_bytes);
	if (r < 0) {
		if (to_fresh && to_entry)
			drop(&to_dir->dir, to_entry);
		if (from_fresh)
			drop(&from_dir->dir, from_entry);
		return r;
	}
	tmp_modified(from_dir);
	tmp_modified(to_dir);
	tmp_hold(n);
	n->ctime = tmp_now();
	if (S_ISDIR(n->node.mode)) {
		from_dir->nlink--;
		to_dir->nlink++;
	}
	if (exchange && old) {
		tmp_hold(old);
		old->ctime = n->ctime;
		if (S_ISDIR(old->node.mode)) {
			to_dir->nlink--;
			from_dir->nlink++;
		}
	} else if (old) {
		replaced(to_dir, old, to);
	}
	/* The caller's references keep both nodes while the entries change. */
	assign(&to_dir->dir, to_entry, n);
	settle(from_dir, from_entry, exchange ? old : NULL);
	return 0;
}
