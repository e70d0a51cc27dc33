// SPDX-License-Identifier: Apache-2.0
/*
 * Names of Unix sockets: paths, which the feature `files` resolves, and abstract ones, which begin with a zero byte.
 */
#include <kernel/net/unix.h>
#include <kernel/core/program.h>

static struct list names = LIST_INIT(names);

struct unix_name *unix_name_ref(struct unix_name *n)
{
	if (n)
		n->refs++;
	return n;
}

void unix_name_unref(struct unix_name *n)
{
	if (!n || --n->refs)
		return;
	list_del(&n->node);
	if (n->fs)
		fs_hooks.socket_forget(n->fs);
	kfree(n);
}

static struct unix_name *find_abstract(const struct address *a)
{
	struct unix_name *n;

	list_for_each(n, &names, node)
		if (n->owner && !n->fs && n->address.used == a->used &&
			!memcmp(n->address.bytes, a->bytes, a->used))
			return n;
	return NULL;
}

static int check(const struct address *a)
{
	if (a->used < UNIX_PATH || a->used > sizeof(struct sockaddr_un) || a->family != AF_UNIX)
		return -EINVAL;
	return 0;
}

/* The path with an end. */
static void path_of(const struct address *a, char path[UNIX_PATH_MAX + 1])
{
	unsigned bytes = a->used - (unsigned)UNIX_PATH;

	memcpy(path, a->bytes + UNIX_PATH, bytes);
	path[bytes] = 0;
}

int unix_find(const struct address *a, struct unix_socket **out)
{
	char path[UNIX_PATH_MAX + 1];
	struct unix_name *n;
	struct node *fs;
	int r = check(a);

	if (r || a->used == UNIX_PATH)
		return r ? r : -EINVAL;
	if (!a->bytes[UNIX_PATH]) {
		n = find_abstract(a);
		*out = n ? n->owner : NULL;
		return n ? 0 : -ECONNREFUSED;
	}
	if (!fs_hooks.socket_find)
		return -ENOENT;
	path_of(a, path);
	r = fs_hooks.socket_find(path, &fs);
	if (r)
		return r;
	r = -ECONNREFUSED;
	list_for_each(n, &names, node) {
		if (n->owner && n->fs == fs) {
			*out = n->owner;
			r = 0;
			break;
		}
	}
	fs_hooks.socket_forget(fs);
	return r;
}

/* Linux: five hexadecimal digits. */
static int any_name(struct address *a)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = a->bytes + UNIX_PATH;
	uint32_t any;

	do {
		random_bytes(&any, sizeof(any));
		to[0] = 0;
		for (unsigned i = 1; i <= 5; i++, any >>= 4)
			to[i] = (uint8_t)digits[any & 15];
		a->used = (unsigned)UNIX_PATH + 6;
	} while (find_abstract(a));
	return 0;
}

int unix_bind(struct unix_socket *u, const struct address *a)
{
	char path[UNIX_PATH_MAX + 1];
	struct unix_name *n;
	int r = check(a);

	if (r)
		return r;
	if (u->name)
		return a->used == UNIX_PATH ? 0 : -EINVAL;
	n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->address = *a;
	n->refs = 1;
	list_init(&n->node);
	if (a->used == UNIX_PATH) {
		r = any_name(&n->address);
	} else if (!a->bytes[UNIX_PATH]) {
		r = find_abstract(a) ? -EADDRINUSE : 0;
	} else {
		path_of(a, path);
		r = fs_hooks.socket_make ? fs_hooks.socket_make(path, &n->fs) : -EROFS;
		memcpy(n->address.bytes + UNIX_PATH, path, strlen(path) + 1);
		n->address.used = (unsigned)(UNIX_PATH + strlen(path) + 1);
	}
	if (r) {
		n->fs = NULL;
		unix_name_unref(n);
		return r;
	}
	n->owner = u;
	u->name = n;
	list_add_tail(&names, &n->node);
	return 0;
}
