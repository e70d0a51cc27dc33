/* SPDX-License-Identifier: Apache-2.0 */
/* Removing objects: one, or up to a thousand. */
#include "daemon/object/s3_change.h"

#include <string.h>

/* Removing what is not there is a success. 0, or the error is set. */
static bool remove_one(struct s3_request *r, const char *key, const char *if_match)
{
	struct s3_change change;
	int result;

	r->target.key = key;
	if (!s3_begin_change(r, NOTIFY_DELETE, &change))
		return false;
	result = objects_remove(s3_objects(), r->target.bucket, key, if_match, &change.teller,
		&change.told);
	if (result == OBJECTS_NO_KEY && !if_match) {
		notify_forget(&change.event);
		return true;
	}
	return s3_end_change(r, &change, result);
}

static bool version_ok(struct s3_request *r, const char *version)
{
	if (version && *version && strcmp(version, "null") != 0)
		s3_fail(r, 400, "NoSuchVersion", "The specified version does not exist.");
	return r->error.status == 0;
}

enum MHD_Result s3_remove_object(struct s3_request *r)
{
	char buffer[OBJECTS_ETAG_BYTES + 2];
	const char *if_match;
	bool if_none;

	if (!version_ok(r, s3_parameter(r, "versionId")) ||
		!s3_read_condition(r, buffer, &if_match, &if_none) ||
		!remove_one(r, r->target.key, if_match))
		return s3_send_error(r);
	return s3_send_empty(r, 204);
}

/* --- DeleteObjects --- */

static void add_result(struct s3_request *r, struct df_str *xml, const char *key, bool quiet)
{
	if (r->error.status) {
		xml_open(xml, "Error");
		xml_text(xml, "Key", key);
		xml_text(xml, "Code", r->error.code);
		xml_text(xml, "Message", r->error.message);
		xml_close(xml, "Error");
		/* It was this key's alone. */
		r->error = (struct s3_error){.status = 0};
	} else if (!quiet) {
		xml_open(xml, "Deleted");
		xml_text(xml, "Key", key);
		xml_close(xml, "Deleted");
	}
}

static void remove_listed(struct s3_request *r, const struct xml_node *object)
{
	const char *key = xml_child_text(object, "Key");

	if (!objects_key_ok(key, strlen(key)))
		s3_fail(r, 400, "InvalidArgument", "A key has 1 to 1024 bytes.");
	else if (version_ok(r, xml_child_text(object, "VersionId")))
		(void)remove_one(r, key, NULL);
}

static size_t count_objects(const struct xml_node *root)
{
	size_t count = 0;

	for (struct xml_node *o = xml_child(root, "Object"); o; o = xml_next(o, "Object"))
		count++;
	return count;
}

enum MHD_Result s3_remove_objects(struct s3_request *r)
{
	struct df_str xml = DF_STR_EMPTY;
	struct objects_bucket bucket;
	struct xml_node *root;
	int result = objects_find_bucket(s3_objects(), r->target.bucket, &bucket);
	bool quiet;

	if (result)
		return s3_send_result(r, result);
	root = s3_xml(r, "Delete");
	if (!root)
		return s3_send_error(r);
	if (count_objects(root) == 0 || count_objects(root) > S3_LIST_MAX) {
		xml_free(root);
		return s3_refuse(r, 400, "MalformedXML",
			"The XML you provided was not well-formed or did not validate against our published schema");
	}
	quiet = strcmp(xml_child_text(root, "Quiet"), "true") == 0;
	xml_begin(&xml, "DeleteResult");
	for (struct xml_node *o = xml_child(root, "Object"); o; o = xml_next(o, "Object")) {
		remove_listed(r, o);
		add_result(r, &xml, xml_child_text(o, "Key"), quiet);
	}
	r->target.key = NULL;
	xml_close(&xml, "DeleteResult");
	xml_free(root);
	return s3_send_xml(r, &xml);
}
