// SPDX-License-Identifier: Apache-2.0
/* Finds a file in the mapped root image; base/erofs.h checks everything it reads. */
#include <base/erofs.h>
#include <string.h>
#include <sys/stat.h>

#include "helper.h"

#define LINKS_MAX 16
#define PATH_ROOM 4096

/* Goes from the root along `path`, which it loses. Follows links, at most *links more. */
static bool walk(const struct erofs *e, char *path, unsigned *links, struct erofs_inode *out)
{
	struct erofs_inode at, next;
	char target[PATH_ROOM];
	uint64_t nid;

	if (erofs_inode(e, e->root_nid, &at))
		return false;
	for (char *p = path + strspn(path, "/"); *p;) {
		size_t n = strcspn(p, "/");
		char *rest = p + n + strspn(p + n, "/");
		int length;

		if (erofs_lookup(e, &at, p, n, &nid) || erofs_inode(e, nid, &next))
			return false;
		if (!S_ISLNK(next.mode)) {
			at = next;
			p = rest;
			continue;
		}
		/* What leads on is the link's folder (or the root), its target, and the rest. */
		length = erofs_link(e, &next, target, sizeof(target) - 1);
		if (length <= 0 || (size_t)length >= sizeof(target) - 1 || !(*links)--)
			return false;
		target[length] = 0;
		{
			char whole[PATH_ROOM];
			size_t head = target[0] == '/' ? 0 : (size_t)(p - path);

			if (head + (size_t)length + 1 + strlen(rest) >= sizeof(whole))
				return false;
			memcpy(whole, path, head);
			strcpy(whole + head, target);
			strcat(strcat(whole, "/"), rest);
			return walk(e, whole, links, out);
		}
	}
	*out = at;
	return true;
}

bool files_find(const struct files *files, const char *path, uint8_t **data, uint64_t *bytes)
{
	char copy[BACKTRACE_PATH];
	unsigned links = LINKS_MAX;
	struct erofs_inode inode;
	struct erofs e;
	uint64_t where;

	if (path[0] != '/' && !files->raw)
		return false;
	if (files->raw) {
		if (path[0] == '[')
			return false;
		*data = files->data;
		*bytes = files->bytes;
		return true;
	}
	strncpy(copy, path, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = 0;
	if (erofs_open(&e, files->data, files->bytes) || !walk(&e, copy, &links, &inode) ||
		!S_ISREG(inode.mode) || !inode.size)
		return false;
	/* A file of one piece; images are made so. */
	if (erofs_extent(&inode, 0, &where) != inode.size)
		return false;
	*data = files->data + where;
	*bytes = inode.size;
	return true;
}
