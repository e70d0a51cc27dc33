/* SPDX-License-Identifier: Apache-2.0 */
/* A root file system in the making: see tree.h. */
#include "image/tree.h"

#include "host/array.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As many as Linux follows. */
#define LINKS_MAX 40

static void node_free(struct tree_node *node)
{
	if (node) {
		free(node->path);
		free(node->source);
		free(node);
	}
}

static struct tree_node *parent_of(const struct tree *tree, const char *path)
{
	DF_FREE char *dir = df_dir_name(path);

	return dir ? tree_find(tree, dir) : NULL;
}

/* Adds a node for a path that has none. */
static int add_new(struct tree *tree, const char *path, struct tree_node **out)
{
	struct tree_node *parent = parent_of(tree, path), *node;

	if (tree->count > 0 && (!parent || parent->type != TREE_DIR))
		return -ENOTDIR;
	if (df_array_reserve(&tree->nodes, &tree->capacity, tree->count + 1, sizeof(node)) < 0)
		return -ENOMEM;
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->path = strdup(path);
	if (!node->path || df_map_put(&tree->by_path, node->path, node) < 0) {
		node_free(node);
		return -ENOMEM;
	}
	node->name = df_base_name(node->path);
	node->parent = parent ? parent : node;
	tree->nodes[tree->count++] = node;
	*out = node;
	return 0;
}

/* Finds or adds the node, and gives it the type and source. `source` may be NULL and is copied. */
static int put(struct tree *tree, const char *path, enum tree_type type, const char *source,
	struct tree_node **out)
{
	struct tree_node *node = tree_find(tree, path);
	char *copy = NULL;
	int error;

	if (node && type == TREE_DIR && node->type != TREE_DIR)
		return -EEXIST;
	if (node && type != TREE_DIR && node->type == TREE_DIR)
		return -EISDIR;
	if (source) {
		copy = strdup(source);
		if (!copy)
			return -ENOMEM;
	}
	if (!node) {
		error = add_new(tree, path, &node);
		if (error) {
			free(copy);
			return error;
		}
	}
	free(node->source);
	node->source = copy;
	node->type = type;
	node->size = source && type != TREE_FILE ? strlen(source) : 0;
	node->shared = false;
	*out = node;
	return 0;
}

static void take_stat(struct tree_node *node, const struct stat *from)
{
	node->mode = from->st_mode & 07777;
	node->mtime_s = from->st_mtim.tv_sec;
	node->mtime_ns = (uint32_t)from->st_mtim.tv_nsec;
}

int tree_init(struct tree *tree)
{
	struct tree_node *top;
	int error;

	*tree = (struct tree){0};
	error = add_new(tree, "/", &top);
	if (!error) {
		top->type = TREE_DIR;
		top->mode = 0755;
	}
	return error;
}

void tree_deinit(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		node_free(tree->nodes[i]);
	free(tree->nodes);
	df_map_deinit(&tree->by_path);
	*tree = (struct tree){0};
}

struct tree_node *tree_find(const struct tree *tree, const char *path)
{
	return df_map_get(&tree->by_path, path);
}

int tree_add_dir(struct tree *tree, const char *path, const struct stat *from)
{
	struct tree_node *node;
	int error = put(tree, path, TREE_DIR, NULL, &node);

	if (!error)
		take_stat(node, from);
	return error;
}

int tree_add_file(struct tree *tree, const char *path, const struct stat *from,
	const char *host_path)
{
	struct tree_node *node;
	int error = put(tree, path, TREE_FILE, host_path, &node);

	if (error)
		return error;
	take_stat(node, from);
	node->size = (uint64_t)from->st_size;
	node->device = from->st_dev;
	node->inode = from->st_ino;
	node->shared = from->st_nlink > 1;
	return 0;
}

int tree_add_link(struct tree *tree, const char *path, const struct stat *from, const char *target)
{
	struct tree_node *node;
	int error = put(tree, path, TREE_LINK, target, &node);

	if (!error) {
		take_stat(node, from);
		node->mode = 0777;
	}
	return error;
}

int tree_add_text(struct tree *tree, const char *path, const char *text)
{
	struct tree_node *node;
	int error = tree_add_parents(tree, path);

	if (!error)
		error = put(tree, path, TREE_TEXT, text, &node);
	if (!error)
		take_stat(node, &(const struct stat){.st_mode = 0644});
	return error;
}

int tree_add_parents(struct tree *tree, const char *path)
{
	DF_FREE char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct tree_node *node;
		int error;

		*slash = '\0';
		node = tree_find(tree, part);
		if (node && node->type != TREE_DIR)
			return -ENOTDIR;
		if (!node) {
			error = tree_add_dir(tree, part, &(const struct stat){.st_mode = 0755});
			if (error)
				return error;
		}
		*slash = '/';
	}
	return 0;
}

int tree_ensure_dir(struct tree *tree, const char *path, uint32_t mode)
{
	DF_FREE char *real = tree_resolve(tree, path);
	int error;

	if (!real)
		return -errno;
	if (tree_find(tree, real))
		return 0;
	error = tree_add_parents(tree, real);
	return error ? error : tree_add_dir(tree, real, &(const struct stat){.st_mode = mode});
}

/* Cuts the last part off a path in *real; the top stays. */
static void go_up(struct df_str *real)
{
	while (real->length > 0) {
		bool slash = real->data[real->length - 1] == '/';

		df_str_cut(real, real->length - 1);
		if (slash)
			return;
	}
}

char *tree_resolve(const struct tree *tree, const char *path)
{
	DF_STR struct df_str real = DF_STR_EMPTY;
	DF_FREE char *rest = strdup(path);
	char *at = rest;
	int links = 0;

	while (at && *at) {
		size_t length = strcspn(at, "/"), before = real.length;
		const struct tree_node *node;
		char *joined;

		if (length == 0) {
			at++;
			continue;
		}
		if (length == 2 && memcmp(at, "..", 2) == 0) {
			go_up(&real);
			at += length;
			continue;
		}
		if (!(length == 1 && *at == '.')) {
			df_str_add(&real, "/");
			df_str_add_bytes(&real, at, length);
		}
		at += length;
		node = tree_find(tree, df_str_text(&real));
		if (!node || node->type != TREE_LINK)
			continue;
		if (++links > LINKS_MAX) {
			errno = ELOOP;
			return NULL;
		}
		/* The link's target comes before what is left of the path. */
		df_str_cut(&real, *node->source == '/' ? 0 : before);
		joined = df_path_join(node->source, at);
		free(rest);
		rest = at = joined;
	}
	if (!rest) {
		errno = ENOMEM;
		return NULL;
	}
	if (real.length == 0)
		df_str_add(&real, "/");
	return df_str_take(&real);
}
