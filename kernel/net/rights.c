// SPDX-License-Identifier: Apache-2.0
/*
 * Files that travel in messages (SCM_RIGHTS). How many are on their way at a time is bounded, since sockets that
 * hold each other this way are never freed. One that is thrown away may be a socket with more files in it, and so
 * on: they are dropped one after the other, not one within the other.
 */
#include <kernel/net/net.h>

static unsigned travelling;
static struct list doomed = LIST_INIT(doomed);
static bool dropping;

int rights_new(const int *fds, unsigned count, struct rights **out)
{
	struct rights *r;

	if (count > RIGHTS_MAX)
		return -EINVAL;
	if (travelling + count > FD_MAX)
		return -ETOOMANYREFS;
	for (unsigned i = 0; i < count; i++)
		if (!fd_get(fds[i]))
			return -EBADF;
	r = kmalloc(sizeof(*r) + count * sizeof(r->file[0]));
	if (!r)
		return -ENOMEM;
	list_init(&r->node);
	r->count = count;
	for (unsigned i = 0; i < count; i++)
		r->file[i] = fd_ref(fds[i]);
	travelling += count;
	*out = r;
	return 0;
}

void rights_free(struct rights *r)
{
	if (!r)
		return;
	list_add_tail(&doomed, &r->node);
	if (dropping)
		return;
	dropping = true;
	while (!list_empty(&doomed)) {
		r = list_entry(doomed.next, struct rights, node);
		list_del(&r->node);
		travelling -= r->count;
		for (unsigned i = 0; i < r->count; i++)
			file_unref(r->file[i]);
		kfree(r);
	}
	dropping = false;
}
