/* SPDX-License-Identifier: Apache-2.0 */
/* Code that Lambda's clients send: see lambda_code.h. */
#include "daemon/lambda/lambda_code.h"

#include "daemon/function/source.h"
#include "daemon/state.h"
#include "daemon/lambda/unzip.h"
#include "host/child.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNZIP_LIMIT_MS 30000u

static const char *unzip_path;

void lambda_code_init(const char *path)
{
	unzip_path = path;
}

/* A new file in the spool with these bytes; its name, or NULL with *err set. */
static char *write_spool(const void *bytes, size_t length, struct df_err *err)
{
	DF_FREE char *path = state_path("spool/code-XXXXXX");
	DF_CLOSE int fd = path ? mkostemp(path, O_CLOEXEC) : -1;
	int error = fd < 0 ? -errno : df_write(fd, bytes, length);

	if (!error)
		return df_take_ptr(&path);
	if (fd >= 0)
		unlink(path);
	df_err_set(err, error, "keeping the code failed: %s", df_errno_text(error));
	return NULL;
}

static int explain(int status, struct df_err *err)
{
	switch (status) {
	case UNZIP_NO_ARCHIVE:
		return df_err_set(err, -EINVAL,
			"Could not unzip uploaded file: it is no ZIP archive");
	case UNZIP_NO_FILE:
		return df_err_set(err, -EINVAL,
			"The archive holds no bootstrap: dayfly runs a static executable of that name");
	case UNZIP_TOO_LARGE:
		return df_err_set(err, -EINVAL, "bootstrap is larger than %u bytes",
			LAMBDA_CODE_MAX);
	case UNZIP_DAMAGED:
		return df_err_set(err, -EINVAL, "Could not unzip uploaded file: it is damaged");
	default:
		return df_err_set(err, -EIO, "unpacking the code failed (status %d)", status);
	}
}

static int unpack(const char *archive, struct lambda_code *code, struct df_err *err)
{
	char max[16];
	char *words[] = {(char *)"dayfly-unzip", (char *)archive, (char *)"bootstrap", max, NULL};
	char *nothing[] = {NULL};
	const struct df_child child = {
		.path = unzip_path,
		.arguments = words,
		.environment = nothing,
		.output_cap_bytes = LAMBDA_CODE_MAX,
		.time_limit_ms = UNZIP_LIMIT_MS,
	};
	struct df_child_result result;
	int error;

	snprintf(max, sizeof(max), "%u", LAMBDA_CODE_MAX);
	error = df_child_run(&child, &result, err);
	if (error)
		return error;
	if (result.exit_status != UNZIP_OK) {
		error = explain(result.exit_status, err);
	} else {
		code->path = write_spool(result.output.data, result.output.length, err);
		code->temporary = true;
		error = code->path ? 0 : err->code;
	}
	df_child_result_deinit(&result);
	return error;
}

static int hash(const void *bytes, size_t length, struct lambda_code *code)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size;

	if (EVP_Digest(bytes, length, digest, &size, EVP_sha256(), NULL) != 1)
		return -EIO;
	EVP_EncodeBlock((unsigned char *)code->sha256, digest, (int)size);
	return 0;
}

static json_t *bootstrap_config(void)
{
	return json_pack("{s:[s], s:s, s:b, s:[s,s,s], s:s}", "command", "bootstrap", "program",
		"/bootstrap", "raw_root", 1, "features", "tasks", "events", "signals", "reply_type",
		"application/json");
}

int lambda_code_unzip(const json_t *zip_file, struct lambda_code *code, struct df_err *err)
{
	size_t length = json_string_length(zip_file);
	const char *text = json_string_value(zip_file);
	DF_FREE unsigned char *zip = malloc(length + 4);
	DF_FREE char *archive = NULL;
	int bytes, error;

	*code = (struct lambda_code){.path = NULL};
	bytes = zip && text && length && length % 4 == 0
		? EVP_DecodeBlock(zip, (const unsigned char *)text, (int)length)
		: -1;
	if (bytes < 0)
		return df_err_set(err, -EINVAL, "ZipFile is no base64");
	for (size_t i = 1; i <= 2 && text[length - i] == '='; i++)
		bytes--;
	if (hash(zip, (size_t)bytes, code))
		return df_err_set(err, -EIO, "hashing the code failed");
	archive = write_spool(zip, (size_t)bytes, err);
	if (!archive)
		return err->code;
	error = unpack(archive, code, err);
	unlink(archive);
	if (!error)
		code->config = bootstrap_config();
	return error;
}

int lambda_code_image(const json_t *image_uri, struct lambda_code *code, struct df_err *err)
{
	const char *uri = json_string_value(image_uri);
	struct source source;
	int error;

	*code = (struct lambda_code){.path = NULL};
	if (!uri)
		return df_err_set(err, -EINVAL, "ImageUri is no string");
	error = source_open(df_base_name(uri), &source, err);
	if (!error)
		error = source_check_secrets(&source, source.config, err);
	if (!error) {
		code->path = df_take_ptr(&source.root_path);
		code->config = json_incref(source.config);
		(void)json_object_set_new(code->config, "lambda",
			json_string("{\"PackageType\":\"Image\"}"));
		snprintf(code->sha256, sizeof(code->sha256), "%s", source.digest);
	}
	source_deinit(&source);
	return error == -ENOENT ? df_err_set(err, -EINVAL, "%s", err->text) : error;
}

void lambda_code_deinit(struct lambda_code *code)
{
	if (code->path && code->temporary)
		unlink(code->path);
	free(code->path);
	json_decref(code->config);
	*code = (struct lambda_code){.path = NULL};
}
