// SPDX-License-Identifier: Apache-2.0
/*
 * dayfly-backtrace KIND FILE: prints the call chain of a guest that has failed, and ends. Started by
 * dayfly-monitor (backtrace.c) with a socket as descriptor 3; wire.h has the words.
 *
 * The work is done by elfutils' libdw on files that may be hostile. So this process maps the one file,
 * then gives up everything: no new files, processes or connections, a small address space, few
 * seconds. Only then does it look at a byte of the file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper.h"

/* A private copy: libelf may write to what it is given. */
static bool map_file(const char *path, struct files *files)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st) || st.st_size <= 0)
		return false;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
		fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		return false;
	files->data = data;
	files->bytes = (uint64_t)st.st_size;
	return true;
}

/* The pages met last, so that a frame costs no round trip. */
static struct {
	uint64_t va;
	bool known, there;
	uint8_t bytes[DF_PAGE_SIZE];
} cache[64];

bool guest_word(uint64_t va, uint64_t *out)
{
	uint64_t page = df_page_down(va), at = va - page;
	unsigned slot = (page >> DF_PAGE_SHIFT) % 64;
	uint8_t reply[1 + DF_PAGE_SIZE] = {0};
	ssize_t n;

	if (at > DF_PAGE_SIZE - sizeof(*out))
		return false; /* crosses pages: no stack slot does */
	if (!cache[slot].known || cache[slot].va != page) {
		if (write(SOCKET, &page, sizeof(page)) != sizeof(page))
			return false;
		n = read(SOCKET, reply, sizeof(reply));
		if (n < 1 || (reply[0] && n != sizeof(reply)))
			return false;
		memcpy(cache[slot].bytes, reply + 1, DF_PAGE_SIZE);
		cache[slot].va = page;
		cache[slot].known = true;
		cache[slot].there = reply[0];
	}
	if (!cache[slot].there)
		return false;
	memcpy(out, cache[slot].bytes + at, sizeof(*out));
	return true;
}

int main(int argc, char **argv)
{
	static struct backtrace_head head;
	static struct files files;

	if (argc != 3 || !map_file(argv[2], &files)) {
		fprintf(stderr, "dayfly-backtrace is started by dayfly-monitor\n");
		return 1;
	}
	files.raw = !strcmp(argv[1], BACKTRACE_RAW);
	if (!lock_down())
		return 1;
	if (read(SOCKET, &head, sizeof(head)) != sizeof(head) || head.magic != BACKTRACE_MAGIC ||
		head.module_count > BACKTRACE_MODULES)
		return 1;
	for (unsigned i = 0; i < head.module_count; i++)
		head.module[i].path[BACKTRACE_PATH - 1] = 0;
	unwind_print(&head, &files);
	_exit(0);
}
