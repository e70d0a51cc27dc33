/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes: what a runtime opens by itself while it runs, which no header of the program tells.
 *
 * One row per runtime, in the table below. A row is for programs by the name of their executable (links followed), or for
 * whatever uses a certain library. Its paths may hold patterns in every part and these words:
 *	{prefix}	the directory above the program's own: /usr for /usr/bin/python3.11
 *	{here}		the same before links are followed: the top of a virtual environment of Python
 *	{version}	the digits and dots at the end of its name: 3.11; "*" when there are none
 *	{libdir}	the directory of the library that the row is for
 * A path that ends in '/' is a whole directory tree. What does not exist is passed over: a row names all places that
 * distributions use. Trees are watched by their directories alone: package managers replace files, they do
 * not rewrite them in place, and thousands of files cost more to look at than a guest costs to start.
 */
#include "image/gather.h"

#include "host/array.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW_PATHS 12
/* A single file that a row names (locale-archive can have hundreds of megabytes). */
#define FILE_MAX_BYTES (16u << 20)

struct recipe {
	const char *name;
	const char *program; /* pattern of the executable's name, or NULL */
	const char *library; /* pattern of a library's name, or NULL */
	const char *needs; /* a file without which the row is not for this program, or NULL */
	const char *paths[ROW_PATHS];
	const char *skip[ROW_PATHS]; /* as in struct gather_tree_options */
	bool modules; /* the trees hold shared objects that need libraries of their own */
};

static const struct recipe recipes[] = {
	{
		.name = "glibc",
		.library = "libc.so.6",
		.paths = {"{libdir}/libnss_files.so.2", "{libdir}/libnss_dns.so.2",
			"{libdir}/libresolv.so.2", "{libdir}/libgcc_s.so.1",
			"{libdir}/gconv/gconv-modules*", "{libdir}/gconv/gconv-modules.d/",
			"{libdir}/gconv/UTF-*.so", "{libdir}/gconv/ISO8859-*.so",
			"/usr/lib/locale/C.utf8/", "/usr/lib/locale/locale-archive",
			"/usr/share/locale/locale.alias", "/etc/locale.alias"},
	},
	{
		.name = "python",
		.program = "python*",
		.paths = {"{prefix}/lib/python{version}/", "{prefix}/lib64/python{version}/"},
		.skip = {"test", "tests", "idlelib", "turtledemo", "tkinter", "_tkinter*",
			"ensurepip", "lib2to3", "config-*", "/site-packages", "/dist-packages"},
		.modules = true,
	},
	{
		/* Here the user has chosen the packages: they belong to the program. */
		.name = "python-venv",
		.program = "python*",
		.needs = "{here}/pyvenv.cfg",
		.paths = {"{here}/pyvenv.cfg", "{here}/lib/python{version}/", "{here}/lib64"},
		.modules = true,
	},
	{
		.name = "java",
		.program = "java",
		.paths = {"{prefix}/lib/", "{prefix}/conf/", "/etc/java-*-openjdk/"},
		.skip = {"src.zip", "ct.sym"},
		.modules = true,
	},
	{
		.name = "tcl",
		.program = "tclsh*",
		.paths = {"/usr/share/tcltk/tcl{version}/", "/usr/share/tcltk/tcl8/"},
	},
	{
		.name = "perl",
		.program = "perl*",
		.paths = {"{prefix}/lib/*/perl-base/", "{prefix}/lib/*/perl/",
			"{prefix}/lib/*/perl5/", "{prefix}/share/perl/", "{prefix}/share/perl5/",
			"{prefix}/lib64/perl5/", "{prefix}/lib/perl5/", "/etc/perl/"},
		.skip = {"CORE", "*.pod", "*.h", "*.a"},
		.modules = true,
	},
	{
		.name = "lua",
		.program = "lua*",
		.paths = {"{prefix}/share/lua/{version}/", "{prefix}/lib/lua/{version}/",
			"{prefix}/lib/*/lua/{version}/", "/usr/local/share/lua/{version}/",
			"/usr/local/lib/lua/{version}/"},
		.modules = true,
	},
	{
		.name = "gawk",
		.program = "gawk*",
		.paths = {"{prefix}/share/awk/", "{prefix}/lib/*/gawk/", "{prefix}/lib64/gawk/"},
		.modules = true,
	},
	{
		.name = "openssl",
		.library = "libcrypto.so.*",
		.paths = {"{libdir}/ossl-modules/", "/usr/lib/ssl/openssl.cnf",
			"/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/usr/lib/ssl/certs",
			"/usr/lib/ssl/cert.pem"},
	},
	{
		.name = "terminfo",
		.library = "libtinfo.so.*",
		.paths = {"/etc/terminfo/", "/lib/terminfo/", "/usr/share/terminfo/[adlstvx]/ansi",
			"/usr/share/terminfo/[lsx]/linux", "/usr/share/terminfo/[lsx]/screen*",
			"/usr/share/terminfo/[lsx]/xterm*", "/usr/share/terminfo/[dt]/tmux*"},
	},
	{
		.name = "magic",
		.library = "libmagic.so.*",
		.paths = {"/etc/magic", "/etc/magic.mime", "/usr/share/misc/magic.mgc",
			"/usr/lib/file/magic.mgc", "/usr/share/file/magic.mgc"},
	},
};
#define RECIPE_COUNT (sizeof(recipes) / sizeof(recipes[0]))
_Static_assert(RECIPE_COUNT <= 64, "recipes_done has 64 bits");

/* What the words of a row's paths stand for. */
struct words {
	const char *prefix, *here, *version, *libdir;
};

static int out_of_memory(struct gather *g)
{
	return df_err_set(g->err, -ENOMEM, "gathering files failed: out of memory");
}

/* Replaces the words. NULL without memory. */
static char *fill_in(const char *path, const struct words *words)
{
	const struct {
		const char *word, *value;
	} table[] = {
		{"{prefix}", words->prefix},
		{"{here}", words->here},
		{"{version}", words->version},
		{"{libdir}", words->libdir},
	};
	DF_STR struct df_str filled = DF_STR_EMPTY;

	while (*path) {
		size_t length = 1;

		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && *path == '{'; i++) {
			if (df_starts_with(path, table[i].word) && table[i].value) {
				length = strlen(table[i].word);
				df_str_add(&filled, table[i].value);
				break;
			}
		}
		if (length == 1)
			df_str_add_bytes(&filled, path, 1);
		path += length;
	}
	return df_str_take(&filled);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

struct context {
	const struct recipe *recipe;
	bool whole_tree;
};

/*
 * Calls found() for every existing path that the pattern fits, in the order of names. `done` is the part that is fixed
 * already. (glob(3) would bring the user database into a static program for its "~".)
 */
static int expand(struct gather *g, const char *done, const char *pattern,
	int (*found)(struct gather *, const char *, const struct context *),
	const struct context *context)
{
	size_t length;
	DF_FREE char *part = NULL;
	struct dirent **names = NULL;
	int count, error = 0;

	pattern += strspn(pattern, "/");
	if (*pattern == '\0')
		return found(g, done, context);
	length = strcspn(pattern, "/");
	part = strndup(pattern, length);
	if (!part)
		return out_of_memory(g);
	if (!strpbrk(part, "*?[")) {
		DF_FREE char *next = df_path_join(*done ? done : "/", part);

		return next ? expand(g, next, pattern + length, found, context) : out_of_memory(g);
	}
	count = scandir(*done ? done : "/", &names, NULL, by_name);
	for (int i = 0; i < count; i++) {
		if (!error && fnmatch(part, names[i]->d_name, FNM_PERIOD) == 0) {
			DF_FREE char *next = df_path_join(*done ? done : "/", names[i]->d_name);

			error = next ? expand(g, next, pattern + length, found, context)
				     : out_of_memory(g);
		}
		free(names[i]);
	}
	free(names);
	return error;
}

/* Adds one path of a row. Only a lack of memory is an error: the guest may do without all the rest. */
static int add_path(struct gather *g, const char *path, const struct context *c)
{
	const struct gather_tree_options options = {
		.skip = c->recipe->skip,
		.level = WATCH_DIRS,
		.follow_links = true,
		.skip_unreadable = true,
	};
	DF_FREE char *real = NULL;
	struct stat now;
	int error;

	if (stat(path, &now) < 0 || (c->whole_tree && !S_ISDIR(now.st_mode)))
		return 0;
	if (S_ISREG(now.st_mode) && now.st_size > (off_t)FILE_MAX_BYTES)
		return 0;
	error = gather_host_path(g, path, WATCH_ALL, &real, &now);
	if (error)
		return error == -ENOMEM ? out_of_memory(g) : 0;
	return c->whole_tree ? gather_contents(g, real, real, &options) : 0;
}

static int apply(struct gather *g, const struct recipe *recipe, const struct words *words)
{
	size_t first = g->tree.count;

	g->recipes_done |= 1ull << (recipe - recipes);
	for (size_t i = 0; i < ROW_PATHS && recipe->paths[i]; i++) {
		struct context context = {recipe, df_ends_with(recipe->paths[i], "/")};
		DF_FREE char *pattern = fill_in(recipe->paths[i], words);
		int error;

		if (!pattern)
			return out_of_memory(g);
		error = expand(g, "", pattern, add_path, &context);
		if (error)
			return error;
	}
	return recipe->modules ? gather_module_libraries(g, first) : 0;
}

static bool is_done(const struct gather *g, size_t row)
{
	return g->recipes_done >> row & 1;
}

/* The directory above the one that holds `path`, for the caller to free. */
static char *two_above(const char *path)
{
	DF_FREE char *dir = df_dir_name(path);

	return dir ? df_dir_name(dir) : NULL;
}

/* Is what a row asks for there? */
static bool has_needs(const struct recipe *recipe, const struct words *words)
{
	DF_FREE char *path = recipe->needs ? fill_in(recipe->needs, words) : NULL;

	return !recipe->needs || (path && access(path, R_OK) == 0);
}

int recipes_for_program(struct gather *g, const char *path, const char *real)
{
	const char *name = df_base_name(real), *version = name + strlen(name);
	DF_FREE char *prefix = two_above(real), *here = two_above(path);

	if (!prefix || !here)
		return out_of_memory(g);
	while (version > name && (version[-1] == '.' || (version[-1] >= '0' && version[-1] <= '9')))
		version--;
	for (size_t row = 0; row < RECIPE_COUNT; row++) {
		const struct words words = {
			.prefix = prefix, .here = here, .version = *version ? version : "*"};
		int error;

		if (!recipes[row].program || is_done(g, row) ||
			fnmatch(recipes[row].program, name, 0) != 0 ||
			!has_needs(&recipes[row], &words))
			continue;
		error = apply(g, &recipes[row], &words);
		if (error)
			return error;
	}
	return 0;
}

static int recipe_for_library(struct gather *g, const struct recipe *recipe, const char *library)
{
	DF_FREE char *real = realpath(library, NULL);
	DF_FREE char *libdir = real ? df_dir_name(real) : NULL;
	const struct words words = {.libdir = libdir};

	return libdir ? apply(g, recipe, &words) : 0;
}

int recipes_for_libraries(struct gather *g)
{
	/* Rows may bring further libraries, which are looked at in turn: the count grows. */
	for (size_t i = 0; i < g->library_count; i++) {
		for (size_t row = 0; row < RECIPE_COUNT; row++) {
			int error;

			if (!recipes[row].library || is_done(g, row) ||
				fnmatch(recipes[row].library, df_base_name(g->libraries[i]), 0) !=
					0)
				continue;
			error = recipe_for_library(g, &recipes[row], g->libraries[i]);
			if (error)
				return error;
		}
	}
	return 0;
}
