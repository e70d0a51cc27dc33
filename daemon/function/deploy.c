/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying: see deploy.h. */
#include "daemon/function/deploy.h"

#include "daemon/event/async.h"
#include "daemon/clock.h"
#include "daemon/function/freeze.h"
#include "daemon/function/images.h"
#include "daemon/function/reuse.h"
#include "daemon/function/routes.h"
#include "daemon/function/turn.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "daemon/object/loop.h"
#include "daemon/service/service.h"
#include "daemon/state.h"
#include "daemon/trigger/trigger.h"
#include "host/cleanup.h"
#include "host/str.h"
#include "host/write.h"
#include "image/erofs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static struct deploy_settings settings;

void deploy_init(const struct deploy_settings *with)
{
	settings = *with;
}

void deploy_uuid(char text[FUNCTION_REVISION_BYTES])
{
	uint8_t b[16];

	while (getrandom(b, sizeof(b), 0) != sizeof(b))
		;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(text, FUNCTION_REVISION_BYTES,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

/* --- files --- */

static char *file_path(const char *revision, const char *ending)
{
	DF_FREE char *name = df_format("functions/%s.%s", revision, ending);

	return name ? state_path(name) : NULL;
}

static int copy_bytes(int from, int to, uint64_t bytes)
{
	while (bytes) {
		ssize_t got = sendfile(to, from, NULL, bytes > 1u << 30 ? 1u << 30 : bytes);

		if (got <= 0)
			return got ? -errno : -EIO;
		bytes -= (uint64_t)got;
	}
	return fsync(to) < 0 ? -errno : 0;
}

static int copy_file(const char *from, const char *to)
{
	DF_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
	DF_CLOSE int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat now;

	if (out < 0 || fstat(in, &now) < 0)
		return -errno;
	return copy_bytes(in, out, (uint64_t)now.st_size);
}

/* Images never change in place, so a second name is as good as a copy. */
static int link_file(const char *from, const char *to)
{
	if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno == ENOENT || errno == EEXIST)
		return -errno;
	return copy_file(from, to);
}

static int check_image(const struct deployment *deployment, uint64_t *bytes, struct df_err *err)
{
	DF_CLOSE int fd = open(deployment->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return df_err_set(err, -errno, "the image %s: %s", deployment->image,
			df_errno_text(errno));
	if (!S_ISREG(now.st_mode))
		return df_err_set(err, -EINVAL, "the image %s is no file", deployment->image);
	if (!deployment->config->raw_root && erofs_check(fd, (uint64_t)now.st_size))
		return df_err_set(err, -EINVAL, "the image %s is no EROFS image that can be used",
			deployment->image);
	*bytes = (uint64_t)now.st_size;
	return 0;
}

static int sync_directory(void)
{
	DF_FREE char *path = state_path("functions");
	DF_CLOSE int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* --- freezing --- */

static const char *wait_point_text(uint32_t wait_point)
{
	switch (wait_point) {
	case DF_WAIT_POINT_ENTRY:
		return "entry";
	case DF_WAIT_POINT_SDK:
		return "sdk";
	case DF_WAIT_POINT_HTTP:
		return "http";
	default:
		return "stdio";
	}
}

static void tell_frozen(const struct function *function, const struct df_str *output, int error,
	const struct df_err *err)
{
	const struct log_event event = {
		.function = function->config->name,
		.version = function->version,
		.request_id = function->revision,
		.level = error ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		.message = error ? err->text : "frozen",
		.output = output->data,
		.output_bytes = output->length,
	};

	log_event(function->tally->log, &event);
}

/* Writes the snapshot beside its place and gives it its name when it is whole. */
static int freeze(struct function *function, const struct deployment *deployment,
	struct df_err *err)
{
	DF_FREE char *temporary = df_format("%s.new", function->snapshot_path);
	DF_CLOSE int fd =
		temporary ? open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	DF_STR struct df_str output = DF_STR_EMPTY;
	DF_STR struct df_str report = DF_STR_EMPTY;
	struct df_ready ready = {0};
	int error;

	if (fd < 0)
		return df_err_set(err, -errno, "%s: %s", temporary ? temporary : "a snapshot",
			df_errno_text(errno));
	error = freeze_program(&settings, deployment, function->root_path, fd, &ready, &output,
		&report, err);
	if (deployment->output)
		df_str_add_bytes(deployment->output, df_str_text(&output), output.length);
	if (deployment->report)
		df_str_add_bytes(deployment->report, df_str_text(&report), report.length);
	df_str_add_bytes(&output, df_str_text(&report), report.length);
	tell_frozen(function, &output, error, err);
	if (!error && (fsync(fd) < 0 || rename(temporary, function->snapshot_path) < 0))
		error = df_err_set(err, -errno, "writing %s failed: %s", function->snapshot_path,
			df_errno_text(errno));
	if (error) {
		unlink(temporary);
		return error;
	}
	function->boot_ns = ready.boot_ns;
	function->snapshot_bytes = ready.snapshot_bytes;
	function->event_pages = ready.event_pages;
	function->boot_status = ready.exit_status;
	strcpy(function->wait_point, wait_point_text(ready.wait_point));
	return 0;
}

static int take_image(const struct function *function, const struct deployment *deployment,
	struct df_err *err)
{
	/* A program may be written over; an image never is. */
	int error = deployment->config->raw_root
		? copy_file(deployment->image, function->root_path)
		: link_file(deployment->image, function->root_path);

	return error ? df_err_set(err, error, "taking the image %s failed: %s", deployment->image,
			       df_errno_text(error))
		     : 0;
}

/* Root image and snapshot of a function, and what is known of them. */
static int take_files(struct function *function, const struct function *from, struct df_err *err)
{
	int error = link_file(from->root_path, function->root_path);

	if (!error)
		error = link_file(from->snapshot_path, function->snapshot_path);
	function->snapshot_bytes = from->snapshot_bytes;
	function->boot_ns = from->boot_ns;
	function->event_pages = from->event_pages;
	function->code_bytes = from->code_bytes;
	function->boot_status = from->boot_status;
	memcpy(function->wait_point, from->wait_point, sizeof(function->wait_point));
	return error ? df_err_set(err, error, "taking the snapshot of %s failed: %s",
			       from->config->name, df_errno_text(error))
		     : 0;
}

static void name_frozen(const struct deployment *deployment)
{
	struct function_config *config = deployment->config;
	char *key = reuse_key(&settings, deployment);

	free(config->frozen);
	config->frozen = key;
}

/* A function whose snapshot is what freezing would give, whatever its name: a reference, or NULL. The one that is replaced is asked first. */
static struct function *frozen_already(const struct deployment *deployment, struct function *before)
{
	struct function **list, *found = NULL;

	if (reuse_possible(deployment, before))
		return function_ref(before);
	list = registry_list(NULL);
	for (size_t i = 0; list && list[i] && !found; i++) {
		if (list[i] != before && reuse_possible(deployment, list[i]))
			found = function_ref(list[i]);
	}
	registry_list_free(list);
	return found;
}

static bool is_service(const struct function *function)
{
	return function && function->config->mode == FUNCTION_SERVICE;
}

/* It has a root image, and runs. 1: it did not come up. */
static int make_service(struct function *function, const struct deployment *deployment,
	struct df_err *err)
{
	uint64_t before_ns = clock_now_ns();
	int error = take_image(function, deployment, err);

	free(deployment->config->frozen);
	deployment->config->frozen = NULL;
	strcpy(function->wait_point, "service");
	if (!error)
		error = sync_directory();
	if (!error)
		error = service_replace(function, deployment->output, err);
	function->boot_ns = clock_now_ns() - before_ns;
	return error;
}

/* All that an Active function has. 1: the program could not be frozen, or as a service did not come up. */
static int make_files(struct function *function, struct function *before,
	const struct deployment *deployment, struct df_err *err)
{
	int error = check_image(deployment, &function->code_bytes, err);
	struct function *same;

	if (error)
		return 1;
	function->root_path = file_path(function->revision, "root");
	if (function->root_path && is_service(function))
		return make_service(function, deployment, err);
	function->snapshot_path = file_path(function->revision, "snapshot");
	if (!function->root_path || !function->snapshot_path)
		return df_err_set(err, -ENOMEM, "out of memory");
	name_frozen(deployment);
	same = frozen_already(deployment, before);
	function->reused = same != NULL;
	if (same) {
		error = take_files(function, same, err);
		function_unref(same);
	} else {
		error = take_image(function, deployment, err);
		if (!error)
			error = freeze(function, deployment, err);
		/* The first monitor of all has found out by now what this host has. */
		name_frozen(deployment);
	}
	return error ? error : sync_directory();
}

/* --- the whole --- */

static struct function *begin(struct function_config *config)
{
	struct tally *tally = tally_get(config->name);
	struct function *function;

	if (!tally) {
		function_config_free(config);
		return NULL;
	}
	function = function_new(config, tally);
	tally_unref(tally);
	if (!function)
		return NULL;
	deploy_uuid(function->revision);
	function->modified_ms = clock_wall_ms();
	/* Until it is in the registry: whoever drops it removes its files. */
	function->owns_files = true;
	return function;
}

static bool serves(const char *name)
{
	struct function *function = registry_find(name, NULL);
	bool active = function && function->state == FUNCTION_ACTIVE;

	function_unref(function);
	return active;
}

/* Into state and registry. */
static int put(struct function *function, struct df_err *err)
{
	int error = state_put_function(function, err);

	if (!error) {
		function->owns_files = false;
		error = registry_put(function);
		if (error)
			df_err_set(err, error, "out of memory");
		else
			async_limit(function);
	}
	return error;
}

/* There is nothing to keep: a Failed function says why to whoever asks. */
static void put_failed(struct function *function, const struct df_err *err)
{
	struct df_err ignored;

	function->state = FUNCTION_FAILED;
	function->reason = strdup(err->text);
	if (function->root_path)
		unlink(function->root_path);
	free(function->root_path);
	free(function->snapshot_path);
	function->root_path = function->snapshot_path = NULL;
	(void)put(function, &ignored);
}

static int put_active(struct function *function, struct function *before, struct df_err *err)
{
	int error;

	function->state = FUNCTION_ACTIVE;
	error = put(function, err);
	if (error && is_service(function))
		service_put_back(function->config->name, before);
	return error;
}

static enum deploy_result deploy_in_turn(struct function *function,
	const struct deployment *deployment, struct df_err *err)
{
	const char *name = function->config->name;
	struct function *before = registry_find(name, NULL);
	enum deploy_result result = before ? DEPLOY_REPLACED : DEPLOY_MADE;
	int error = triggers_prepare(function->config, err)
		? 1
		: make_files(function, before, deployment, err);

	if (error > 0) {
		if (!serves(name))
			put_failed(function, err);
		result = DEPLOY_FAILED;
	} else if (error || put_active(function, before, err)) {
		result = DEPLOY_ERROR;
	} else {
		triggers_apply(name, function);
		if (is_service(before) && !is_service(function))
			service_forget(name);
	}
	function_unref(before);
	return result;
}

enum deploy_result deploy(const struct deployment *deployment, struct df_err *err)
{
	struct function *function = begin(deployment->config);
	enum deploy_result result;
	struct turn turn;

	if (!function) {
		df_err_set(err, -ENOMEM, "out of memory");
		return DEPLOY_ERROR;
	}
	if (turn_take(&turn, function->config->name, err)) {
		function_unref(function);
		return DEPLOY_CONFLICT;
	}
	if (routes_check(function->config->name, function->config->triggers, err) ||
		loop_check_function(function->config, err) ||
		images_admit(function->config->image_digest, err))
		result = DEPLOY_CONFLICT;
	else
		result = deploy_in_turn(function, deployment, err);
	if (result == DEPLOY_MADE || result == DEPLOY_REPLACED)
		images_deployed(function->config->name, function->config->image_digest);
	turn_end(&turn);
	if (result == DEPLOY_MADE || result == DEPLOY_REPLACED)
		log_line(LOG_LEVEL_INFO, "deployed %s, %s after %.1f ms", function->config->name,
			is_service(function)       ? "up"
				: function->reused ? "with a snapshot that was there, frozen"
						   : "frozen",
			(double)function->boot_ns / 1e6);
	function_unref(function);
	return result;
}

/* --- versions --- */

static struct function *copy_of(const struct function *latest, const char *description,
	struct df_err *err)
{
	json_t *json = function_config_json(latest->config, SECRETS_WHOLE);
	struct function_config *config;
	struct function *copy;

	if (json && description)
		(void)json_object_set_new(json, "description", json_string(description));
	if (function_config_parse(latest->config->name, json, &config, err)) {
		json_decref(json);
		return NULL;
	}
	json_decref(json);
	copy = begin(config);
	if (!copy)
		return NULL;
	copy->state = latest->state;
	copy->root_path = file_path(copy->revision, "root");
	copy->snapshot_path = file_path(copy->revision, "snapshot");
	return copy;
}

static int publish(const struct function *latest, const char *description,
	struct function **version, struct df_err *err)
{
	unsigned int number = state_next_version(latest->config->name);
	struct function *copy = number ? copy_of(latest, description, err) : NULL;
	int error = copy && copy->root_path && copy->snapshot_path ? 0 : -ENOMEM;

	if (!error) {
		snprintf(copy->version, sizeof(copy->version), "%u", number);
		error = take_files(copy, latest, err);
	}
	if (!error)
		error = sync_directory();
	if (error) {
		function_unref(copy);
		return df_err_set(err, error, "publishing %s failed: %s", latest->config->name,
			df_errno_text(error));
	}
	error = put(copy, err);
	if (error)
		function_unref(copy);
	else
		*version = copy;
	return error;
}

int deploy_publish(const char *name, const char *description, struct function **version,
	struct df_err *err)
{
	struct function *latest = registry_find(name, NULL);
	int error;

	if (!latest)
		return df_err_set(err, -ENOENT, "there is no function named %s", name);
	if (is_service(latest))
		error = df_err_set(err, -EINVAL, "%s is a service, which has no versions", name);
	else
		error = latest->state == FUNCTION_ACTIVE
			? publish(latest, description, version, err)
			: df_err_set(err, -EINVAL, "the function is %s: %s",
				  function_state_text(latest->state), latest->reason);
	function_unref(latest);
	return error;
}

/* --- again --- */

static bool is_current(const struct function *function)
{
	struct function *found = registry_find(function->config->name, function->version);
	bool same = found == function;

	function_unref(found);
	return same;
}

static int freeze_copy(struct function *copy, const struct function *pending, struct df_err *err)
{
	const struct deployment deployment = {.config = copy->config, .image = pending->root_path};
	int error = copy->root_path && copy->snapshot_path
		? link_file(pending->root_path, copy->root_path)
		: -ENOMEM;

	if (error)
		return df_err_set(err, error, "taking the image %s failed: %s", pending->root_path,
			df_errno_text(error));
	copy->code_bytes = pending->code_bytes;
	name_frozen(&deployment);
	error = freeze(copy, &deployment, err);
	return error ? error : sync_directory();
}

static void again_in_turn(struct function *pending)
{
	struct df_err err = {0};
	struct function *copy = copy_of(pending, NULL, &err);
	int error = copy ? 0 : -ENOMEM;

	if (!error) {
		memcpy(copy->version, pending->version, sizeof(copy->version));
		error = freeze_copy(copy, pending, &err);
	}
	/* Without a word in the state directory: the next start tries again. */
	if (error && freeze_is_aborted())
		log_line(LOG_LEVEL_INFO, "%s was not frozen anew", pending->config->name);
	else if (error > 0)
		put_failed(copy, &err);
	else if (!error) {
		copy->state = FUNCTION_ACTIVE;
		error = put(copy, &err);
	}
	if (error && !freeze_is_aborted())
		log_line(LOG_LEVEL_ERROR, "%s could not be frozen anew: %s", pending->config->name,
			err.text);
	else if (!error)
		log_line(LOG_LEVEL_INFO, "%s was frozen anew", pending->config->name);
	function_unref(copy);
}

void deploy_again(struct function *pending)
{
	struct turn turn;

	/* Who deploys it just now makes this needless. */
	if (turn_take(&turn, pending->config->name, NULL))
		return;
	if (is_current(pending))
		again_in_turn(pending);
	turn_end(&turn);
}

int deploy_remove(const char *name, const char *version, struct df_err *err)
{
	struct turn turn;
	int error = turn_take(&turn, name, err);

	if (error)
		return error;
	if (!version || strcmp(version, FUNCTION_LATEST) == 0)
		service_forget(name);
	error = state_remove_function(name, version, err);
	if (!error && !registry_remove(name, version))
		error = df_err_set(err, -ENOENT, "there is no function named %s", name);
	if (!error && !version) {
		triggers_apply(name, NULL);
		async_forget(name);
		log_forget(name);
	}
	turn_end(&turn);
	return error;
}
