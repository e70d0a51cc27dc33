/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: see page.h. */
#include "cli/page.h"

#include "host/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int page_set_bool(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	*(bool *)into = true;
	return 0;
}

const struct flag page_json_flags[] = {
	{"--json", NULL, "print JSON, for programs", page_set_bool},
	{0},
};

static void print_page(const struct page *page, const struct flag_set *sets)
{
	bool first = true;

	printf("Usage: dayfly %s\n\n%s", page->usage, page->text);
	for (; sets->flags; sets++) {
		if (first && sets->flags->name)
			putchar('\n');
		first = first && !sets->flags->name;
		flags_print(sets->flags);
	}
	if (page->more)
		printf("\n%s", page->more);
}

/* --- completion --- */

/* What the words typed so far mean for the last one. */
struct typed {
	const struct flag *open; /* the last one is the value of this flag */
	int words; /* that are neither flags nor their values */
	bool flags_over;
};

static void look_at(const struct page *page, const struct flag_set *sets, const char *word,
	struct typed *typed)
{
	bool is_flag = *word == '-' && word[1];

	if (typed->open) {
		typed->open = NULL;
	} else if (typed->flags_over || !is_flag) {
		typed->words++;
		typed->flags_over = typed->flags_over || page->most == PAGE_PROGRAM;
	} else if (strcmp(word, "--") == 0) {
		typed->flags_over = true;
	} else {
		for (; sets->flags && !typed->open; sets++) {
			for (const struct flag *flag = sets->flags; flag->name; flag++) {
				if (flag->value && !flag_may_stand_alone(flag) &&
					strcmp(flag->name, word) == 0)
					typed->open = flag;
			}
		}
	}
}

static void offer_flags(const struct flag_set *sets, const char *begin)
{
	for (; sets->flags; sets++) {
		for (const struct flag *flag = sets->flags; flag->name; flag++) {
			if (df_starts_with(flag->name, begin))
				printf("%s\t%s\n", flag->name, flag->help);
		}
	}
	if (df_starts_with("--help", begin))
		printf("--help\texplain the command\n");
}

static void offer_words(const struct page *page, const struct typed *typed)
{
	static const char *const lists[] = {[WORDS_FILES] = "=files",
		[WORDS_FUNCTIONS] = "=functions",
		[WORDS_IMAGES] = "=images",
		[WORDS_COMMANDS] = "=commands"};

	if (page->most == PAGE_PROGRAM)
		printf("%s\n", typed->words ? "=files" : "=programs");
	else if (page->words != WORDS_NONE && typed->words < page->most)
		printf("%s\n", lists[page->words]);
}

static void complete(const struct page *page, const struct flag_set *sets, int count, char **words)
{
	const char *last = count ? words[count - 1] : "";
	struct typed typed = {0};

	for (int i = 0; i + 1 < count; i++)
		look_at(page, sets, words[i], &typed);
	if (typed.open) {
		if (strstr(typed.open->value, "FILE") || strstr(typed.open->value, "DIR") ||
			strstr(typed.open->value, "PATH") || strstr(typed.open->value, "HOST"))
			printf("=files\n");
	} else if (*last == '-' && !typed.flags_over) {
		offer_flags(sets, last);
	} else {
		offer_words(page, &typed);
	}
}

/* --- reading --- */

/*
 * Flags may also stand behind words ("invoke NAME --async"): reads them there too and moves the words to the end. Returns as
 * flags_parse does.
 */
static int parse_around(const struct flag_set *sets, int argc, char **argv, int *next,
	struct df_err *err)
{
	int from = 0, words = 0, at, status;
	bool over = false;

	while (from < argc) {
		at = 1;
		status = over ? 0 : flags_parse(sets, argc - from, argv + from, &at, err);
		if (status)
			return status;
		from += at;
		over = over || (at > 1 && strcmp(argv[from - 1], "--") == 0);
		if (from < argc)
			argv[1 + words++] = argv[from];
	}
	*next = argc - words;
	memmove(argv + *next, argv + 1, (size_t)words * sizeof(*argv));
	return 0;
}

static const char *const nouns[] = {[WORDS_FILES] = "file",
	[WORDS_FUNCTIONS] = "function",
	[WORDS_IMAGES] = "image",
	[WORDS_COMMANDS] = "command",
	[WORDS_NONE] = "one"};

int page_flags(const struct page *page, const struct flag_set *sets, int argc, char **argv,
	int *next, struct df_err *err)
{
	int status;

	if (argc > 1 && strcmp(argv[1], PAGE_COMPLETE) == 0) {
		complete(page, sets, argc - 2, argv + 2);
		return FLAGS_HELP;
	}
	status = page->most == PAGE_PROGRAM ? flags_parse(sets, argc, argv, next, err)
					    : parse_around(sets, argc, argv, next, err);
	if (status == FLAGS_HELP) {
		print_page(page, sets);
		return FLAGS_HELP;
	}
	if (status)
		return -EINVAL;
	if (argc - *next < page->least)
		return df_err_set(err, -EINVAL, "which %s? usage: dayfly %s",
			page->most == PAGE_PROGRAM ? "program" : nouns[page->words], page->usage);
	if (argc - *next > page->most)
		return df_err_set(err, -EINVAL, "%s is too much; usage: dayfly %s",
			argv[*next + page->most], page->usage);
	return 0;
}

int page_end(int status, const struct df_err *err)
{
	if (status == FLAGS_HELP)
		return CLI_OK;
	return status ? cli_fail(err, status < 0 ? CLI_FAILED : status) : CLI_OK;
}
