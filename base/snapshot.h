// SPDX-License-Identifier: Apache-2.0
/*
 * Checks a snapshot (dayfly/snapshot.h) before anything in it is used, and gives one its checksum.
 * Freestanding C for the monitor and for host tools.
 *
 * The file may be cut off, damaged or made by an enemy: each number is checked before it is used, and no
 * call reads outside the file. It must not change while it is checked and used: who can not be sure of
 * that takes a private copy of its start first (up to data_offset, which is all that is checked).
 *
 * `why` is a text for a user, without the name of the file, good until the thread's next call.
 */
#ifndef BASE_SNAPSHOT_H
#define BASE_SNAPSHOT_H

#include <base/crc32c.h>
#include <dayfly/snapshot.h>

/*
 * Checks header, extents and learned set; of the pages and the root image only that they are there. A
 * header that passes holds what this promises:
 *   - header, extents, learned set, pages and root image lie in the file, in this order, aligned;
 *   - extents and runs are in order of region and page, apart from each other, within the plugged part of
 *     their region; the extents have as many pages as the file;
 *   - regions are whole pages, not larger than dayfly/layout.h has room for; the windows are whole large
 *     pages;
 *   - boot, request and apply page are three pages of the system region;
 *   - rip and rsp are addresses of the program or the kernel, rflags has nothing that traps or privileges;
 *   - enums are in range, strings end, `features` is a list of lower-case names.
 * Not checked: whether kernel build, CPU features and XCR0 suit the caller, and what the pages hold.
 *
 * 0, -EINVAL (not a snapshot), -EOPNOTSUPP (of another version), -EUCLEAN (cut off or damaged).
 */
int df_snapshot_check(const void *map, uint64_t file_bytes, const char **why);

/* Checks the sum of all pages, which takes time in proportion to the file. Needs a file that passes
 * df_snapshot_check(). 0, -EUCLEAN. */
int df_snapshot_check_memory(const void *map, uint64_t file_bytes, const char **why);

/* The root_checksum of a root image. */
uint32_t df_snapshot_root_checksum(const void *root, uint64_t root_bytes);

/*
 * Fills in `checksum`, the last step after any change. What `memory_checksum` holds is the writer's:
 * df_crc32c() over the pages in their order. The two arrays are those of the header's counts.
 */
void df_snapshot_seal(struct df_snapshot *header, const struct df_extent *extents,
	const struct df_page_run *learned);

#endif
