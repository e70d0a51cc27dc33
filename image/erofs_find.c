/* SPDX-License-Identifier: Apache-2.0 */
/* Looking a program up in a finished image: erofs_find_program() of erofs.h, with the reader that the guest has, too. */
#include "image/erofs.h"

#include "base/erofs.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <string.h>

/* Walks from the top to `path`. 0 when something other than a directory stands there. */
static int find_file(const struct erofs *image, const char *path)
{
	struct erofs_inode inode;
	int error = erofs_inode(image, image->root_nid, &inode);

	while (!error && *path) {
		size_t length = strcspn(path, "/");
		uint64_t nid;

		if (length > 0) {
			if (!S_ISDIR(inode.mode))
				return -ENOENT;
			error = erofs_lookup(image, &inode, path, length, &nid);
			if (!error)
				error = erofs_inode(image, nid, &inode);
		}
		path += length;
		path += strspn(path, "/");
	}
	return !error && S_ISDIR(inode.mode) ? -ENOENT : error;
}

int erofs_find_program(int fd, uint64_t file_bytes, const char *search_path, const char *name,
	char **found)
{
	DF_UNMAP struct df_mapping map = DF_MAPPING_NONE;
	struct erofs image;
	void *data;
	int error;

	data = mmap(NULL, file_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	map = (struct df_mapping){data, file_bytes};
	error = erofs_open(&image, map.data, map.length);
	if (error)
		return error;
	while (*search_path) {
		size_t length = strcspn(search_path, ":");
		DF_FREE char *path = df_format("%.*s/%s", (int)length, search_path, name);

		if (!path)
			return -ENOMEM;
		df_path_clean(path);
		error = find_file(&image, path);
		if (!error) {
			*found = df_take_ptr(&path);
			return 0;
		}
		if (error != -ENOENT)
			return error;
		search_path += length + (search_path[length] == ':');
	}
	return -ENOENT;
}
