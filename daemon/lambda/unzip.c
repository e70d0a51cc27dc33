/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dayfly-unzip FILE NAME MAX: writes the file NAME of a ZIP archive to standard output, at most MAX bytes. Started by dayflyd for one
 * archive that a client sent.
 *
 * The archive is taken for hostile. Before its first byte is looked at, the process gives up all system calls but read, write and
 * exit (seccomp, strict): it has mapped what it reads and allocated what it needs by then.
 *
 * Exit status: enum unzip_status. (Source: APPNOTE.TXT, .ZIP File Format Specification 6.3; RFC 1951.)
 */
#include "daemon/lambda/unzip.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#define ARENA_BYTES (1u << 20) /* for zlib */
#define END_BYTES 22u /* end of central directory */
#define ENTRY_BYTES 46u
#define LOCAL_BYTES 30u
#define COMMENT_MAX 65535u
#define STORED 0u
#define DEFLATED 8u

struct archive {
	const uint8_t *bytes;
	size_t length;
};

struct entry {
	uint32_t method, crc, packed, size, offset;
};

struct arena {
	uint8_t *next, *end;
};

/* exit_group, which exit(3) makes, is not allowed. */
static _Noreturn void leave(enum unzip_status status)
{
	for (;;)
		syscall(SYS_exit, status);
}

static uint32_t read16(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t read32(const uint8_t *at)
{
	return read16(at) | read16(at + 2) << 16;
}

/* The end of the central directory, which a comment may follow. NULL: it is no archive. */
static const uint8_t *find_end(const struct archive *archive)
{
	size_t least = archive->length > END_BYTES + COMMENT_MAX
		? archive->length - END_BYTES - COMMENT_MAX
		: 0;

	if (archive->length < END_BYTES)
		return NULL;
	for (size_t at = archive->length - END_BYTES + 1; at-- > least;) {
		if (read32(archive->bytes + at) == 0x06054b50)
			return archive->bytes + at;
	}
	return NULL;
}

/* Names may be written with "./" before them. */
static bool is_name(const uint8_t *at, size_t length, const char *name)
{
	if (length > 2 && at[0] == '.' && at[1] == '/') {
		at += 2;
		length -= 2;
	}
	return strlen(name) == length && memcmp(at, name, length) == 0;
}

static enum unzip_status find_entry(const struct archive *archive, const char *name,
	struct entry *entry)
{
	const uint8_t *end = find_end(archive);
	uint32_t count = end ? read16(end + 10) : 0;
	size_t at = end ? read32(end + 16) : 0;

	if (!end)
		return UNZIP_NO_ARCHIVE;
	for (; count; count--) {
		const uint8_t *e = archive->bytes + at;
		uint32_t name_length;

		if (at > archive->length || archive->length - at < ENTRY_BYTES ||
			read32(e) != 0x02014b50)
			return UNZIP_DAMAGED;
		name_length = read16(e + 28);
		if (archive->length - at - ENTRY_BYTES < name_length)
			return UNZIP_DAMAGED;
		if (is_name(e + ENTRY_BYTES, name_length, name)) {
			*entry = (struct entry){.method = read16(e + 10),
				.crc = read32(e + 16),
				.packed = read32(e + 20),
				.size = read32(e + 24),
				.offset = read32(e + 42)};
			return UNZIP_OK;
		}
		at += ENTRY_BYTES + name_length + read16(e + 30) + read16(e + 32);
	}
	return UNZIP_NO_FILE;
}

/* Where the entry's data begins; NULL: not in the archive. */
static const uint8_t *find_data(const struct archive *archive, const struct entry *entry)
{
	const uint8_t *local = archive->bytes + entry->offset;
	size_t rest, head;

	if (entry->offset > archive->length)
		return NULL;
	rest = archive->length - entry->offset;
	if (rest < LOCAL_BYTES || read32(local) != 0x04034b50)
		return NULL;
	head = LOCAL_BYTES + read16(local + 26) + read16(local + 28);
	return rest >= head && rest - head >= entry->packed ? local + head : NULL;
}

static void *take(void *arena, unsigned int count, unsigned int size)
{
	struct arena *a = arena;
	size_t bytes = ((size_t)count * size + 15) & ~(size_t)15;
	void *taken = a->next;

	if (bytes > (size_t)(a->end - a->next))
		return NULL;
	a->next += bytes;
	return taken;
}

static void give(void *arena, void *address)
{
	(void)arena;
	(void)address;
}

static bool unpack(const struct entry *entry, const uint8_t *data, uint8_t *out,
	struct arena *arena)
{
	z_stream stream = {.zalloc = take, .zfree = give, .opaque = arena};

	if (entry->method == STORED) {
		if (entry->packed != entry->size)
			return false;
		memcpy(out, data, entry->size);
		return true;
	}
	if (entry->method != DEFLATED || inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		return false;
	stream.next_in = (uint8_t *)data;
	stream.avail_in = entry->packed;
	stream.next_out = out;
	stream.avail_out = entry->size;
	return inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == entry->size;
}

static enum unzip_status extract(const struct archive *archive, const char *name, uint64_t max,
	uint8_t *out, struct arena *arena)
{
	struct entry entry;
	const uint8_t *data;
	enum unzip_status status = find_entry(archive, name, &entry);

	if (status != UNZIP_OK)
		return status;
	if (entry.size > max)
		return UNZIP_TOO_LARGE;
	data = find_data(archive, &entry);
	if (!data || !unpack(&entry, data, out, arena) || crc32(0, out, entry.size) != entry.crc)
		return UNZIP_DAMAGED;
	for (size_t at = 0; at < entry.size;) {
		ssize_t wrote = write(STDOUT_FILENO, out + at, entry.size - at);

		if (wrote <= 0)
			return UNZIP_FAILED;
		at += (size_t)wrote;
	}
	return UNZIP_OK;
}

static void *allocate(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	uint64_t max = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	struct archive archive;
	struct arena arena;
	struct stat now;
	uint8_t *out = max ? allocate(max) : NULL;

	if (fd < 0 || fstat(fd, &now) < 0 || !out)
		return UNZIP_FAILED;
	if (now.st_size == 0)
		return UNZIP_NO_ARCHIVE;
	archive.length = (size_t)now.st_size;
	archive.bytes = mmap(NULL, archive.length, PROT_READ, MAP_PRIVATE, fd, 0);
	arena.next = allocate(ARENA_BYTES);
	if (archive.bytes == MAP_FAILED || !arena.next ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		return UNZIP_FAILED;
	arena.end = arena.next + ARENA_BYTES;
	leave(extract(&archive, argv[2], max, out, &arena));
}
