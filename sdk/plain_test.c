// SPDX-License-Identifier: Apache-2.0
/* plain_test FOLDER: runs the samples in FOLDER as processes on plain Linux, one event each. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *folder;

struct outcome {
	int status;
	char *out, *err; /* zero-ended */
	size_t out_bytes;
};

static char *read_back(FILE *f, size_t *bytes)
{
	char *at;
	long size;

	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	rewind(f);
	at = calloc(1, (size_t)size + 1);
	assert_int_equal(fread(at, 1, (size_t)size, f), size);
	fclose(f);
	*bytes = (size_t)size;
	return at;
}

/* Runs a sample on a body, through a pipe when `piped`; `variable` is one of its environment, or NULL. */
static struct outcome run(const char *sample, const char *variable, const void *body, size_t bytes,
	int piped)
{
	char path[PATH_MAX], *const environment[] = {(char *)variable, NULL};
	FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
	struct outcome o;
	size_t ignored;
	int ends[2], status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", folder, sample);
	assert_int_equal(fwrite(body, 1, bytes, in), bytes);
	assert_int_equal(fflush(in), 0);
	rewind(in);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		dup2(piped ? ends[0] : fileno(in), 0);
		dup2(fileno(out), 1);
		dup2(fileno(err), 2);
		close(ends[0]);
		close(ends[1]);
		execve(path, (char *const[]){(char *)sample, NULL}, environment);
		_exit(99);
	}
	assert_true(pid > 0);
	close(ends[0]);
	if (piped)
		assert_int_equal(write(ends[1], body, bytes), bytes);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	o.status = WEXITSTATUS(status);
	o.out = read_back(out, &o.out_bytes);
	o.err = read_back(err, &ignored);
	fclose(in);
	return o;
}

static void done(struct outcome *o)
{
	free(o->out);
	free(o->err);
}

static int is_there(const char *sample)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, sample);
	return !access(path, X_OK);
}

static void echoes(void **state)
{
	static const char *const names[] = {"echo", "echo_musl"};
	size_t bytes = 300001;
	char *large = malloc(bytes);

	(void)state;
	for (size_t i = 0; i < bytes; i++)
		large[i] = (char)(i * 31 + i / 777);
	for (unsigned i = 0; i < 2; i++) {
		struct outcome o;

		if (i && !is_there(names[i]))
			continue;
		o = run(names[i], NULL, large, bytes, 0);
		assert_int_equal(o.status, 0);
		assert_int_equal(o.out_bytes, bytes);
		assert_memory_equal(o.out, large, bytes);
		assert_string_equal(o.err,
			"event 1: 300001 bytes\nreply status 200\n"
			"reply datacontenttype: application/octet-stream\n");
		done(&o);
		o = run(names[i], "DF_ATTRIBUTE_DATACONTENTTYPE=a=b", "x", 1, 1);
		assert_int_equal(o.status, 0);
		assert_string_equal(o.out, "x");
		assert_non_null(strstr(o.err, "reply datacontenttype: a=b\n"));
		done(&o);
		o = run(names[i], "DF_ATTRIBUTE_", "", 0, 1);
		assert_int_equal(o.status, 0);
		assert_int_equal(o.out_bytes, 0);
		done(&o);
	}
	free(large);
}

static void counts_words(void **state)
{
	static const char *const names[] = {"wordcount", "wordcount_musl"};
	static const char text[] = "the cat and the dog\nand The end.\n";

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct outcome o;

		if (i && !is_there(names[i]))
			continue;
		o = run(names[i], "DF_ATTRIBUTE_TOP=2", text, strlen(text), 1);
		assert_int_equal(o.status, 0);
		assert_string_equal(o.out,
			"{\"lines\":2,\"words\":8,\"bytes\":33,\"top\":{\"the\":3,\"and\":2}}\n");
		done(&o);
	}
}

static void packs(void **state)
{
	size_t bytes = 100000;
	char *body = malloc(bytes), path[] = "/tmp/sdk-test-XXXXXX", command[100];
	struct outcome o;
	FILE *unpacked;
	int fd;

	(void)state;
	for (size_t i = 0; i < bytes; i++)
		body[i] = "abcdefg hij\n"[i * i / 100 % 12];
	o = run("pack", "DF_ATTRIBUTE_LEVEL=1", body, bytes, 0);
	assert_int_equal(o.status, 0);
	assert_true(o.out_bytes > 0 && o.out_bytes < bytes / 2);
	fd = mkstemp(path);
	assert_int_equal(write(fd, o.out, o.out_bytes), o.out_bytes);
	close(fd);
	done(&o);
	snprintf(command, sizeof(command), "bzip2 -dc %s", path);
	unpacked = popen(command, "r");
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(getc(unpacked), body[i]);
	assert_int_equal(getc(unpacked), EOF);
	assert_int_equal(pclose(unpacked), 0);
	unlink(path);
	o = run("pack", "DF_ATTRIBUTE_LEVEL=10", body, bytes, 0);
	assert_int_equal(o.status, 0);
	assert_int_equal(o.out_bytes, 0);
	assert_non_null(strstr(o.err, "reply status 400\nreply error: level must be 1 to 9\n"));
	done(&o);
	free(body);
}

static void sorts(void **state)
{
	static const char lines[] = "b\na\n\nc\nb";
	struct outcome o;

	(void)state;
	o = run("sort", NULL, lines, strlen(lines), 1);
	assert_int_equal(o.status, 0);
	assert_string_equal(o.out, "\na\nb\nb\nc\n");
	done(&o);
	o = run("sort", "DF_ATTRIBUTE_UNIQUE=1", lines, strlen(lines), 1);
	assert_string_equal(o.out, "\na\nb\nc\n");
	done(&o);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
		cmocka_unit_test(counts_words),
		cmocka_unit_test(packs),
		cmocka_unit_test(sorts),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
