/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of a deployment: variables whose values are read from files here, and sent to the daemon over its own socket: see platform.h. */
#include "cli/platform/platform.h"

#include "host/cleanup.h"
#include "image/manifest_values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As the daemon takes it, and one more to see that there is more. */
#define SECRET_MAX 65536u

int secrets_add_flag(struct secret_flags *flags, const char *value, struct df_err *err)
{
	const char *equals = strchr(value, '=');
	DF_FREE char *name = equals ? strndup(value, (size_t)(equals - value)) : NULL;

	if (!name || !equals[1] || !value_is_variable(name))
		return df_err_set(err, -EINVAL,
			"--secret %s is not NAME=FILE: a variable, and a file that holds its value",
			value);
	if (flags->count == SECRETS_MAX)
		return df_err_set(err, -E2BIG, "--secret can be given %d times", SECRETS_MAX);
	flags->list[flags->count++] = value;
	return 0;
}

/* What a file holds; one line's end at its end is not part of it. */
static int read_secret(json_t *secrets, const char *name, const char *path, struct df_err *err)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value[SECRET_MAX + 2];
	size_t length = 0;
	ssize_t got = -1;
	json_t *text;

	while (fd >= 0 && length < sizeof(value)) {
		got = read(fd, value + length, sizeof(value) - length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	if (fd < 0 || got < 0)
		return df_err_set(err, CLI_FAILED, "the secret %s: %s: %s", name, path,
			df_errno_text(errno));
	if (length && value[length - 1] == '\n')
		length--;
	if (length > SECRET_MAX || memchr(value, 0, length))
		return df_err_set(err, CLI_FAILED,
			"the secret %s: %s must hold a text of at most 64 KiB", name, path);
	text = json_stringn(value, length);
	explicit_bzero(value, sizeof(value));
	if (!text || json_object_set_new(secrets, name, text))
		return df_err_set(err, CLI_FAILED, "the secret %s: %s must hold UTF-8", name, path);
	return 0;
}

static int add_flags(json_t *secrets, const struct secret_flags *flags, struct df_err *err)
{
	int status = 0;

	for (size_t i = 0; i < flags->count && !status; i++) {
		const char *equals = strchr(flags->list[i], '=');
		DF_FREE char *name = strndup(flags->list[i], (size_t)(equals - flags->list[i]));

		status = name ? read_secret(secrets, name, equals + 1, err)
			      : df_err_set(err, CLI_FAILED, "out of memory");
	}
	return status;
}

static bool is_given(const struct secret_flags *flags, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < flags->count; i++) {
		if (strncmp(flags->list[i], name, length) == 0 && flags->list[i][length] == '=')
			return true;
	}
	return false;
}

int secrets_name(struct manifest *m, const struct secret_flags *flags, struct df_err *err)
{
	struct manifest_pair *items = calloc(m->secrets.count + flags->count + 1, sizeof(*items));

	if (!items)
		return df_err_set(err, CLI_FAILED, "out of memory");
	for (size_t i = 0; i < m->secrets.count; i++)
		items[i] = m->secrets.items[i];
	free(m->secrets.items);
	m->secrets.items = items;
	for (size_t i = 0; i < flags->count; i++) {
		size_t length = strcspn(flags->list[i], "="), known = 0;
		struct manifest_pair *pair = &items[m->secrets.count];

		while (known < m->secrets.count &&
			(strlen(items[known].name) != length ||
				strncmp(items[known].name, flags->list[i], length) != 0))
			known++;
		if (known < m->secrets.count)
			continue;
		/* Counted first: what is half done is freed with the rest. */
		m->secrets.count++;
		pair->name = strndup(flags->list[i], length);
		pair->value = strdup("");
		if (!pair->name || !pair->value)
			return df_err_set(err, CLI_FAILED, "out of memory");
	}
	return 0;
}

int secrets_read(const struct manifest *m, const struct secret_flags *flags, json_t **secrets,
	struct df_err *err)
{
	json_t *object = json_object();
	int status = 0;

	for (size_t i = 0; m && i < m->secrets.count && !status; i++) {
		const struct manifest_pair *pair = &m->secrets.items[i];
		DF_FREE char *path = manifest_host_path(m, pair->value);

		if (is_given(flags, pair->name))
			continue;
		if (!*pair->value)
			status = df_err_set(err, CLI_FAILED,
				"the manifest asks for the secret %s; deploy it with --secret %s=FILE",
				pair->name, pair->name);
		if (status)
			break;
		status = path ? read_secret(object, pair->name, path, err)
			      : df_err_set(err, CLI_FAILED, "out of memory");
	}
	if (!status)
		status = add_flags(object, flags, err);
	if (status)
		json_decref(object);
	else
		*secrets = object;
	return status;
}
