/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket's notification configuration: which functions are told about its objects. */
#include "daemon/object/s3_change.h"

#include "daemon/function/function.h"
#include "daemon/lambda/lambda.h"
#include "daemon/object/loop.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ELEMENT "CloudFunctionConfiguration"

/* --- reading --- */

static bool invalid(struct s3_request *r, const char *message)
{
	s3_fail(r, 400, "InvalidArgument", "%s", message);
	return false;
}

/* The name of the function that an ARN means, if there is one. To be freed. */
static char *read_function(struct s3_request *r, const char *arn)
{
	struct lambda_target target = {.name = ""};
	struct function *function;
	char *name = NULL;

	if (!lambda_parse_name(arn, &target)) {
		(void)invalid(r, "The ARN is not well formed");
		return NULL;
	}
	function = registry_find(target.name, *target.qualifier ? target.qualifier : NULL);
	if (!function || function->config->mode == FUNCTION_SERVICE) {
		function_unref(function);
		(void)invalid(r,
			"Unable to validate the following destination configurations: there is no such function");
		return NULL;
	}
	function_unref(function);
	name = *target.qualifier ? df_format("%s:%s", target.name, target.qualifier)
				 : strdup(target.name);
	if (!name)
		s3_fail_result(r, -ENOMEM);
	return name;
}

static bool read_changes(struct s3_request *r, const struct xml_node *node, unsigned int *changes)
{
	for (struct xml_node *e = xml_child(node, "Event"); e; e = xml_next(e, "Event")) {
		unsigned int bits = notify_changes(df_str_text(&e->text));

		if (!bits)
			return invalid(r, "The event is not supported for notifications");
		*changes |= bits;
	}
	return *changes != 0 || invalid(r, "An event is required");
}

static bool read_filter(struct s3_request *r, const struct xml_node *node,
	struct notify_subscription *s)
{
	const struct xml_node *key = xml_child(xml_child(node, "Filter"), "S3Key");

	s->prefix = s->suffix = (char *)"";
	for (struct xml_node *rule = xml_child(key, "FilterRule"); rule;
		rule = xml_next(rule, "FilterRule")) {
		const char *name = xml_child_text(rule, "Name");
		char *value = (char *)xml_child_text(rule, "Value");

		if (strlen(value) > OBJECTS_KEY_MAX)
			return invalid(r,
				"Size of filter rule value cannot exceed 1024 bytes in UTF-8");
		if (strcasecmp(name, "prefix") == 0)
			s->prefix = value;
		else if (strcasecmp(name, "suffix") == 0)
			s->suffix = value;
		else
			return invalid(r, "filter rule name must be either prefix or suffix");
	}
	return true;
}

static bool read_one(struct s3_request *r, const struct xml_node *node, struct notify_list *list)
{
	const char *arn = xml_child_text(node, "CloudFunction");
	struct notify_subscription s = {.bucket = (char *)r->target.bucket};
	char id[32];
	bool good;

	s.id = (char *)xml_child_text(node, "Id");
	if (strlen(s.id) > NOTIFY_ID_MAX)
		return invalid(r, "ID is too long");
	if (!*s.id) {
		snprintf(id, sizeof(id), "notification-%zu", list->count + 1);
		s.id = id;
	}
	s.function = read_function(r, arn);
	if (!s.function)
		return false;
	good = read_changes(r, node, &s.changes) && read_filter(r, node, &s);
	if (good && notify_list_add(list, &s) != 0)
		s3_fail_result(r, -ENOMEM);
	free(s.function);
	return good && r->error.status == 0;
}

static bool read_all(struct s3_request *r, struct notify_list *list)
{
	static const char *const refused[] = {
		"TopicConfiguration", "QueueConfiguration", "EventBridgeConfiguration"};
	struct xml_node *root = s3_xml(r, "NotificationConfiguration");

	for (size_t i = 0; root && i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (xml_child(root, refused[i]))
			(void)invalid(r, "Only functions can be notified here.");
	}
	for (struct xml_node *n = xml_child(root, ELEMENT); n && r->error.status == 0;
		n = xml_next(n, ELEMENT))
		(void)read_one(r, n, list);
	xml_free(root);
	return r->error.status == 0;
}

/* Stored first, then in force; what refuses it is asked before. */
static bool store(struct s3_request *r, const struct notify_list *list)
{
	DF_FREE char *text = list->count ? notify_write(list) : NULL;
	struct df_err err = {0};
	int error;

	if (list->count && !text) {
		s3_fail_result(r, -ENOMEM);
		return false;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (loop_check_subscription(&list->items[i], &err))
			return invalid(r, err.text);
	}
	error = objects_put_setting(s3_objects(), r->target.bucket, OBJECTS_NOTIFICATION, text);
	if (error) {
		s3_fail_result(r, error);
		return false;
	}
	if (notify_set_bucket(r->target.bucket, list, &err))
		s3_fail(r, 400, "TooManyConfigurations", "%s", err.text);
	return r->error.status == 0;
}

enum MHD_Result s3_put_notification(struct s3_request *r)
{
	struct objects_bucket bucket;
	struct notify_list list = {0};
	int result = objects_find_bucket(s3_objects(), r->target.bucket, &bucket);
	bool good;

	if (result)
		return s3_send_result(r, result);
	good = read_all(r, &list) && store(r, &list);
	notify_list_free(&list);
	return good ? s3_send_empty(r, 200) : s3_send_error(r);
}

/* --- writing --- */

static void add_rule(struct df_str *xml, const char *name, const char *value)
{
	if (!*value)
		return;
	xml_open(xml, "FilterRule");
	xml_text(xml, "Name", name);
	xml_text(xml, "Value", value);
	xml_close(xml, "FilterRule");
}

/* In groups where all of one are meant. */
static void add_events(struct df_str *xml, unsigned int changes)
{
	DF_STR struct df_str name = DF_STR_EMPTY;

	if ((changes & NOTIFY_CREATED) == NOTIFY_CREATED) {
		xml_text(xml, "Event", "s3:ObjectCreated:*");
		changes &= ~NOTIFY_CREATED;
	}
	if ((changes & NOTIFY_REMOVED) == NOTIFY_REMOVED) {
		xml_text(xml, "Event", "s3:ObjectRemoved:*");
		changes &= ~NOTIFY_REMOVED;
	}
	for (unsigned int i = 0; i < NOTIFY_CHANGES; i++) {
		if (!(changes >> i & 1))
			continue;
		df_str_clear(&name);
		df_str_addf(&name, "s3:%s", notify_name((enum notify_change)i));
		xml_text(xml, "Event", df_str_text(&name));
	}
}

static void add_subscription(struct df_str *xml, const struct notify_subscription *s)
{
	char name[FUNCTION_NAME_MAX + 1], arn[LAMBDA_ARN_MAX];
	size_t length = strcspn(s->function, ":");

	snprintf(name, sizeof(name), "%.*s", (int)length, s->function);
	lambda_arn(name, s->function[length] ? s->function + length + 1 : "", arn);
	xml_open(xml, ELEMENT);
	xml_text(xml, "Id", s->id);
	xml_text(xml, "CloudFunction", arn);
	add_events(xml, s->changes);
	if (*s->prefix || *s->suffix) {
		xml_open(xml, "Filter");
		xml_open(xml, "S3Key");
		add_rule(xml, "Prefix", s->prefix);
		add_rule(xml, "Suffix", s->suffix);
		xml_close(xml, "S3Key");
		xml_close(xml, "Filter");
	}
	xml_close(xml, ELEMENT);
}

enum MHD_Result s3_get_notification(struct s3_request *r)
{
	struct df_str xml = DF_STR_EMPTY;
	struct notify_list list = {0};
	DF_FREE char *text = NULL;
	int result =
		objects_get_setting(s3_objects(), r->target.bucket, OBJECTS_NOTIFICATION, &text);

	if (result == 0 && text)
		result = notify_read(r->target.bucket, text, &list);
	if (result)
		return s3_send_result(r, result);
	xml_begin(&xml, "NotificationConfiguration");
	for (size_t i = 0; i < list.count; i++)
		add_subscription(&xml, &list.items[i]);
	xml_close(&xml, "NotificationConfiguration");
	notify_list_free(&list);
	return s3_send_xml(r, &xml);
}
