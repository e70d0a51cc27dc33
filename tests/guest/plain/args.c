/*
 * args.c - what reaches a program from outside: arguments and environment.
 *
 * args LABEL VARIABLES [ARGUMENT...]: VARIABLES is a comma-separated list of names to show.
 */
#include "../case.h"

static uint64_t hash(const char *text)
{
	uint64_t value = 14695981039346656037ULL;
	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 1099511628211ULL;
	return value;
}

int main(int argc, char **argv)
{
	char line[65536];
	size_t used = (size_t)snprintf(line, sizeof line, "CASE args.%s argc=%d",
		argc > 1 ? argv[1] : "none", argc);

	for (int i = 3; i < argc && used < sizeof line - 400; i++) {
		size_t length = strlen(argv[i]);
		if (argc > 40 || length > 200)
			used += (size_t)snprintf(line + used, sizeof line - used,
				i % 100 == 3 ? " %zu:%016lx" : "", length,
				(unsigned long)hash(argv[i]));
		else
			used += (size_t)snprintf(line + used, sizeof line - used, " [%s]", argv[i]);
	}
	for (char *name = argc > 2 ? strtok(argv[2], ",") : NULL; name && used < sizeof line - 400;
		name = strtok(NULL, ",")) {
		const char *value = getenv(name);
		used += (size_t)snprintf(line + used, sizeof line - used,
			value ? " %s={%.200s}" : " %s unset%s", name, value ? value : "");
	}
	for (size_t i = 0; i < used; i++)
		if (line[i] == '\n')
			line[i] = '|';
	line[used++] = '\n';
	case_write(line, used);
	/* The vectors end with NULL, and the strings lie one behind the other as the kernel lays them. */
	bool packed = argv[argc] == NULL;
	for (int i = 4; i < argc; i++)
		packed = packed && argv[i] == argv[i - 1] + strlen(argv[i - 1]) + 1;
	case_write(line,
		(size_t)snprintf(line, sizeof line, "CASE args.%s.packed %s\n",
			argc > 1 ? argv[1] : "none", yes(packed)));
	return 0;
}
