/*
 * input.c - standard input, whatever it is: input LABEL lines|bytes|sum|poll|kind|seek|first|none
 */
#include "../case.h"

#include <poll.h>
#include <sys/ioctl.h>

static const char *label;

static void finish(void)
{
	char line[20000];
	case_write(line,
		(size_t)snprintf(line, sizeof line, "CASE input.%s %s\n", label, case_text));
}

/* Reads to the end in pieces of at most `piece` bytes; what is said does not depend on where reads were cut. */
static void read_all(size_t piece)
{
	static unsigned char block[65536];
	uint64_t hash = 14695981039346656037ULL;
	size_t total = 0;
	ssize_t n;

	while ((n = read(0, block, piece)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			hash = (hash ^ block[i]) * 1099511628211ULL;
		total += (size_t)n;
	}
	say("total=%zu hash=%016lx end=%s", total, (unsigned long)hash, num(n));
	say("again=%s", num(read(0, block, piece)));
}

int main(int argc, char **argv)
{
	const char *how = argc > 2 ? argv[2] : "";
	label = argc > 1 ? argv[1] : "none";

	if (strcmp(how, "lines") == 0) {
		char line[4096];
		int lines = 0;
		size_t longest = 0;
		while (fgets(line, sizeof line, stdin)) {
			lines++;
			longest = strlen(line) > longest ? strlen(line) : longest;
		}
		say("lines=%d", lines);
		say("longest=%zu", longest);
		say("eof=%d", feof(stdin) != 0);
	} else if (strcmp(how, "bytes") == 0) {
		read_all(1);
	} else if (strcmp(how, "sum") == 0) {
		read_all(65536);
	} else if (strcmp(how, "poll") == 0) {
		struct pollfd p = {0, POLLIN, 0};
		char block[4096];
		say("poll=%d", poll(&p, 1, 10000));
		say("readable=%s", yes((p.revents & (POLLIN | POLLHUP)) != 0));
		while (read(0, block, sizeof block) > 0)
			;
		say("end=%d", poll(&p, 1, 0));
	} else if (strcmp(how, "kind") == 0) {
		struct stat st;
		say("fstat=%s", rc(fstat(0, &st)));
		say("kind=%o", (unsigned)st.st_mode & S_IFMT);
		say("isatty=%d", isatty(0));
	} else if (strcmp(how, "seek") == 0) {
		char byte = '?';
		say("seek=%s", num(lseek(0, 3, SEEK_SET)));
		say("read=%s", num(read(0, &byte, 1)));
		say("byte=%c", byte);
		say("size=%ld", file_size(0));
	} else if (strcmp(how, "first") == 0) {
		/* Answers the first line while standard input stays open. */
		char block[4096];
		ssize_t n = read(0, block, sizeof block);
		say("first=%.*s", (int)(n > 0 ? n - 1 : 0), block);
	} else if (strcmp(how, "none") == 0) {
		say("not read");
	}
	finish();
	return 0;
}
