/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathering: from "run this program" to the tree of files it needs, and the list of host files that the tree
 * depends on (watched paths): while none of those changes, the tree would come out the same.
 *
 * Files stand in the guest at the paths they have on the host, symbolic links included, because programs, dynamic
 * linkers and interpreters look for them there. Nothing private goes in unasked: users, groups and hosts are generated.
 *
 * Order of calls: gather_init, then gather_base and gather_program, or gather_root; then gather_file for each addition;
 * then gather_finish. Single-threaded; starts the program's dynamic linker as a child process.
 * Results: 0; IMAGE_CANNOT_RUN or IMAGE_NOT_FOUND when the program itself is at fault; -errno for anything else. *err is set.
 */
#ifndef IMAGE_GATHER_H
#define IMAGE_GATHER_H

#include "host/err.h"
#include "host/map.h"
#include "image/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum image_result {
	IMAGE_CANNOT_RUN = 1, /* not an ELF file, wrong processor, no permission: exit status 126 */
	IMAGE_NOT_FOUND = 2, /* the program, its interpreter or a library of it is missing: 127 */
};

/* What is compared later. A path that must stay absent has mode 0. */
struct watch {
	char *path; /* absolute, of the host; owned */
	uint64_t device, inode, size;
	int64_t mtime_ns;
	uint32_t mode;
};

/* How closely a gathered tree is watched. */
enum watch_level {
	WATCH_NOTHING,
	/* Directories only: sees files that come, go or are replaced (what package managers do), not one rewritten in place. */
	WATCH_DIRS,
	WATCH_ALL,
};

struct gather_options {
	const char *shown_name; /* the program as the user typed it, for messages */
	const char *guest_path; /* PATH in the guest: where `#!/usr/bin/env NAME` finds NAME */
	const char *library_path; /* LD_LIBRARY_PATH in the guest, or NULL */
	const char *time_zone; /* TZ in the guest, or NULL */
};

struct gather {
	struct tree tree;
	struct watch *watches;
	size_t watch_count, watch_capacity;
	struct df_map watched; /* path -> anything */
	struct gather_options options;
	const char *program; /* what gather_program was called with; borrowed */
	struct df_err *err;

	/* Shared objects found so far: path (owned) -> itself. */
	char **libraries;
	size_t library_count, library_capacity;
	struct df_map library_known;
	/* Names that a dynamic linker could not find; gather_finish looks whether --file brought them. */
	char **missing;
	char **missing_for;
	size_t missing_count, missing_capacity, missing_for_capacity;
	/* The dynamic linker of the program, for the libraries of what recipes add. NULL: static. */
	char *interpreter;
	char *elf_program;
	uint64_t recipes_done; /* bit per row of the table */
};

/* Borrows *options' strings and err until gather_deinit. Returns 0 or -ENOMEM; deinit is allowed after a failure. */
int gather_init(struct gather *g, const struct gather_options *options, struct df_err *err)
	__attribute__((warn_unused_result));
void gather_deinit(struct gather *g);

/* The files that any program may expect: users, hosts, time zone, certificates. */
int gather_base(struct gather *g) __attribute__((warn_unused_result));

/* The program at this absolute host path, what it names (libraries, `#!` interpreter) and what its runtime opens later. */
int gather_program(struct gather *g, const char *path) __attribute__((warn_unused_result));

/* A prepared directory becomes the whole root; only /dev, /proc and /tmp are added where missing. */
int gather_root(struct gather *g, const char *dir) __attribute__((warn_unused_result));

/* A file or a whole directory of the host at a path of the guest (absolute, cleaned). A final link of `host` is followed. */
int gather_file(struct gather *g, const char *host, const char *guest)
	__attribute__((warn_unused_result));

/* Complains about libraries that are still missing, and adds the directories every root has. */
int gather_finish(struct gather *g) __attribute__((warn_unused_result));

/* --- for the parts of gathering (program.c, recipes.c, base.c) --- */

/*
 * Adds /tmp, /dev, /proc and the like where they are missing. Last, because on some systems these names are links, which
 * the program's own path may bring.
 */
int gather_directories(struct gather *g) __attribute__((warn_unused_result));

/* A stat as a watch without its path. */
struct watch watch_of(const struct stat *from);

/* Remembers that `path` looks like *now; NULL: that it does not exist. A path is remembered once. */
int gather_watch(struct gather *g, const char *path, const struct stat *now)
	__attribute__((warn_unused_result));

/*
 * Adds a host path under its own name with every link on the way. A missing or unreadable file gives -errno without a
 * text in *err, for the caller to judge. *real (may be NULL) is where the links lead, for the caller to free; *now (may be NULL)
 * is what stands there. A directory is added without its contents.
 */
int gather_host_path(struct gather *g, const char *path, enum watch_level level, char **real,
	struct stat *now) __attribute__((warn_unused_result));

struct gather_tree_options {
	const char *const *
		skip; /* NULL at the end, or NULL: patterns (fnmatch) of names, or of paths from the top if they begin with '/' */
	enum watch_level level;
	bool follow_links; /* also add what links inside lead to */
	bool skip_unreadable; /* leave out what may not be read, instead of failing */
};

/* Adds the contents of the host directory `host` below the guest directory `guest` (which is in the tree). */
int gather_contents(struct gather *g, const char *host, const char *guest,
	const struct gather_tree_options *options) __attribute__((warn_unused_result));

/*
 * Asks the program's dynamic linker which libraries `program` and the shared objects in `extra` (`extra_count` paths) need, and adds them.
 * What is missing for the program is remembered, what is missing for extra objects is not.
 */
int gather_libraries(struct gather *g, const char *program, char *const *extra, size_t extra_count)
	__attribute__((warn_unused_result));

/*
 * The same for all shared objects among the tree's nodes from number `first` on. What they need of libraries is added,
 * and what those libraries' recipes bring.
 */
int gather_module_libraries(struct gather *g, size_t first) __attribute__((warn_unused_result));

/* Runs the rows of the table that fit the program's real path, or (NULL) the libraries found so far. */
int recipes_for_program(struct gather *g, const char *path, const char *real)
	__attribute__((warn_unused_result));
int recipes_for_libraries(struct gather *g) __attribute__((warn_unused_result));

#endif
