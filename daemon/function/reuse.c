/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying without freezing: see reuse.h. */
#include "daemon/function/reuse.h"

#include "host/cleanup.h"
#include "host/slot.h"
#include "host/str.h"

#include <base/snapshot.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPAN_BYTES (256u << 10)

/* --- the key --- */

/* The length first, so that two parts can not be taken for one. */
static void add(EVP_MD_CTX *hash, const void *bytes, size_t length)
{
	uint64_t size = length;

	EVP_DigestUpdate(hash, &size, sizeof(size));
	EVP_DigestUpdate(hash, bytes, length);
}

static int add_file(EVP_MD_CTX *hash, const char *path)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	DF_FREE char *buffer = malloc(SPAN_BYTES);
	ssize_t got = -1;

	while (fd >= 0 && buffer && (got = read(fd, buffer, SPAN_BYTES)) > 0)
		add(hash, buffer, (size_t)got);
	add(hash, "", 0);
	return got == 0 ? 0 : -EIO;
}

/* What is in the guest's memory, or decides about it, as text. */
static char *program_text(const struct function_config *config)
{
	static const char *const keys[] = {"command", "program", "raw_root", "features",
		"environment", "secrets", "memory", "workdir", "egress"};
	json_t *all = function_config_json(config, SECRETS_WHOLE), *part = json_object();
	char *text = NULL;
	bool whole = all && part;

	for (size_t i = 0; whole && i < sizeof(keys) / sizeof(keys[0]); i++)
		whole = !json_object_get(all, keys[i]) ||
			json_object_set(part, keys[i], json_object_get(all, keys[i])) == 0;
	if (whole && config->wait == FUNCTION_WAIT_HTTP)
		whole = json_object_set_new(part, "http", json_integer(config->port)) == 0;
	if (whole)
		text = json_dumps(part, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(all);
	json_decref(part);
	return text;
}

char *reuse_key(const struct deploy_settings *settings, const struct deployment *deployment)
{
	const struct function_config *config = deployment->config;
	const uint64_t windows[] = {
		df_slot_window(config->body_max), df_slot_window(config->reply_max)};
	DF_FREE char *text = program_text(config);
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct df_str key = DF_STR_EMPTY;
	unsigned int size = 0;

	if (text && hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
		!add_file(hash, settings->kernel_path) && !add_file(hash, settings->monitor_path)) {
		/* Not there before the first monitor has looked: then it is frozen once more. */
		(void)!add_file(hash, settings->host_cache);
		add(hash, text, strlen(text));
		add(hash, windows, sizeof(windows));
		add(hash, deployment->event ? deployment->event : "", deployment->event_bytes);
		if (EVP_DigestFinal_ex(hash, digest, &size) != 1)
			size = 0;
	}
	if (text)
		explicit_bzero(text, strlen(text));
	EVP_MD_CTX_free(hash);
	for (unsigned int i = 0; i < size; i++)
		df_str_addf(&key, "%02x", digest[i]);
	return size ? df_str_take(&key) : NULL;
}

/* --- images --- */

static bool same_bytes(int a, int b, uint64_t bytes)
{
	DF_FREE char *x = malloc(SPAN_BYTES), *y = malloc(SPAN_BYTES);
	uint64_t at = 0;

	while (x && y && at < bytes) {
		uint64_t left = bytes - at;
		size_t span = left < SPAN_BYTES ? (size_t)left : SPAN_BYTES;
		ssize_t got = pread(a, x, span, (off_t)at);

		if (got <= 0 || pread(b, y, (size_t)got, (off_t)at) != got ||
			memcmp(x, y, (size_t)got) != 0)
			return false;
		at += (uint64_t)got;
	}
	return at == bytes;
}

static bool same_file(const char *a, const char *b)
{
	DF_CLOSE int x = open(a, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	DF_CLOSE int y = open(b, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat p, q;

	if (x < 0 || y < 0 || fstat(x, &p) < 0 || fstat(y, &q) < 0 || !S_ISREG(p.st_mode))
		return false;
	if (p.st_dev == q.st_dev && p.st_ino == q.st_ino)
		return true;
	return p.st_size == q.st_size && same_bytes(x, y, (uint64_t)p.st_size);
}

/* Is it frozen where this deployment wants it? If not, freezing says why it can not be. */
static bool wait_point_fits(const struct function_config *config, const char *is)
{
	if ((config->wait == FUNCTION_WAIT_SDK || config->mode == FUNCTION_WARM) &&
		strcmp(is, "sdk") != 0)
		return false;
	if (config->wait == FUNCTION_WAIT_HTTP)
		return strcmp(is, "http") == 0;
	return config->wait != FUNCTION_WAIT_STDIO || strcmp(is, "stdio") == 0;
}

/* Who deploys again because something is wrong must not get the damage once more. */
static bool is_whole(const char *path)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	DF_UNMAP struct df_mapping map = DF_MAPPING_NONE;
	const char *why;
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0 || now.st_size == 0)
		return false;
	map.data = mmap(NULL, (size_t)now.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map.data == MAP_FAILED) {
		map.data = NULL;
		return false;
	}
	map.length = (size_t)now.st_size;
	return df_snapshot_check(map.data, map.length, &why) == 0 &&
		df_snapshot_check_memory(map.data, map.length, &why) == 0;
}

bool reuse_possible(const struct deployment *deployment, const struct function *before)
{
	const struct function_config *config = deployment->config;

	return before && before->state == FUNCTION_ACTIVE && config->frozen &&
		before->config->frozen && strcmp(config->frozen, before->config->frozen) == 0 &&
		wait_point_fits(config, before->wait_point) &&
		same_file(deployment->image, before->root_path) && is_whole(before->snapshot_path);
}
