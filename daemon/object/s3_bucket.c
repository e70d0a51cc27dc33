/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on the service and on buckets, and the table of all operations. */
#include "daemon/object/notify.h"
#include "daemon/object/s3.h"

#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum MHD_Result list_buckets(struct s3_request *r)
{
	struct objects_bucket *buckets = NULL;
	struct df_str xml = DF_STR_EMPTY;
	char time[CLOCK_TEXT_BYTES];
	size_t count = 0;
	int result = objects_buckets(s3_objects(), &buckets, &count);

	if (result)
		return s3_send_result(r, result);
	xml_begin(&xml, "ListAllMyBucketsResult");
	s3_owner(&xml, "Owner");
	xml_open(&xml, "Buckets");
	for (size_t i = 0; i < count; i++) {
		xml_open(&xml, "Bucket");
		xml_text(&xml, "Name", buckets[i].name);
		s3_time(buckets[i].made_ms, time);
		xml_text(&xml, "CreationDate", time);
		xml_close(&xml, "Bucket");
	}
	xml_close(&xml, "Buckets");
	xml_close(&xml, "ListAllMyBucketsResult");
	free(buckets);
	return s3_send_xml(r, &xml);
}

/* 200 with the bucket's place, for a bucket that is there; else the error. */
static bool bucket_is_there(struct s3_request *r)
{
	struct objects_bucket bucket;
	int result = objects_find_bucket(s3_objects(), r->target.bucket, &bucket);

	if (result)
		s3_fail_result(r, result);
	return result == 0;
}

static bool location_ok(struct s3_request *r)
{
	struct xml_node *root;
	const char *region;
	bool good;

	if (r->memory.length == 0)
		return true;
	root = s3_xml(r, "CreateBucketConfiguration");
	if (!root)
		return false;
	region = xml_child_text(root, "LocationConstraint");
	good = !*region || strcmp(region, SIGNED_REGION) == 0;
	if (!good)
		s3_fail(r, 400, "InvalidLocationConstraint",
			"There is one region here: " SIGNED_REGION);
	xml_free(root);
	return good;
}

static enum MHD_Result make_bucket(struct s3_request *r)
{
	DF_STR struct df_str location = DF_STR_EMPTY;
	struct MHD_Response *response;
	const char *lock = s3_header(r, "x-amz-bucket-object-lock-enabled");
	int result;

	if (!location_ok(r) || !s3_check_wishes(r))
		return s3_send_error(r);
	if (lock && strcasecmp(lock, "true") == 0)
		return s3_refuse(r, 501, "NotImplemented", "Object lock is not there.");
	result = objects_make_bucket(s3_objects(), r->target.bucket);
	if (result)
		return s3_send_result(r, result);
	df_str_addf(&location, "/%s", r->target.bucket);
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	if (response)
		(void)MHD_add_response_header(response, "Location", df_str_text(&location));
	return s3_send(r, 200, response);
}

static enum MHD_Result head_bucket(struct s3_request *r)
{
	struct MHD_Response *response;

	if (!bucket_is_there(r))
		return s3_send_error(r);
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	if (response)
		(void)MHD_add_response_header(response, "x-amz-bucket-region", SIGNED_REGION);
	return s3_send(r, 200, response);
}

static enum MHD_Result remove_bucket(struct s3_request *r)
{
	const struct notify_list nobody = {.count = 0};
	int result = objects_remove_bucket(s3_objects(), r->target.bucket);

	/* A bucket of the same name is another one. */
	if (result == 0)
		(void)!notify_set_bucket(r->target.bucket, &nobody, NULL);
	return result ? s3_send_result(r, result) : s3_send_empty(r, 204);
}

/* --- what every bucket answers alike --- */

/* By the query's parameter: what is the same for every bucket, and what no bucket has. */
static const struct {
	const char *parameter;
	const char *root, *content; /* the answer */
	const char *code, *message; /* or that there is none */
} alike[] = {
	/* us-east-1 is the region without a name. */
	{.parameter = "location", .root = "LocationConstraint", .content = ""},
	{.parameter = "versioning", .root = "VersioningConfiguration", .content = ""},
	{.parameter = "logging", .root = "BucketLoggingStatus", .content = ""},
	{.parameter = "accelerate", .root = "AccelerateConfiguration", .content = ""},
	{.parameter = "requestPayment",
		.root = "RequestPaymentConfiguration",
		.content = "<Payer>BucketOwner</Payer>"},
	{.parameter = "policy",
		.code = "NoSuchBucketPolicy",
		.message = "The bucket policy does not exist"},
	{.parameter = "policyStatus",
		.code = "NoSuchBucketPolicy",
		.message = "The bucket policy does not exist"},
	{.parameter = "cors",
		.code = "NoSuchCORSConfiguration",
		.message = "The CORS configuration does not exist"},
	{.parameter = "lifecycle",
		.code = "NoSuchLifecycleConfiguration",
		.message = "The lifecycle configuration does not exist"},
	{.parameter = "encryption",
		.code = "ServerSideEncryptionConfigurationNotFoundError",
		.message = "The server side encryption configuration was not found"},
	{.parameter = "website",
		.code = "NoSuchWebsiteConfiguration",
		.message = "The specified bucket does not have a website configuration"},
	{.parameter = "replication",
		.code = "ReplicationConfigurationNotFoundError",
		.message = "The replication configuration was not found"},
	{.parameter = "publicAccessBlock",
		.code = "NoSuchPublicAccessBlockConfiguration",
		.message = "The public access block configuration was not found"},
	{.parameter = "ownershipControls",
		.code = "OwnershipControlsNotFoundError",
		.message = "The bucket ownership controls were not found"},
	{.parameter = "object-lock",
		.code = "ObjectLockConfigurationNotFoundError",
		.message = "Object Lock configuration does not exist for this bucket"},
	{.parameter = "retention",
		.code = "ObjectLockConfigurationNotFoundError",
		.message = "Object Lock configuration does not exist for this bucket"},
	{.parameter = "legal-hold",
		.code = "ObjectLockConfigurationNotFoundError",
		.message = "Object Lock configuration does not exist for this bucket"},
};

static enum MHD_Result get_alike(struct s3_request *r)
{
	struct df_str xml = DF_STR_EMPTY;
	size_t i = 0, last = sizeof(alike) / sizeof(alike[0]) - 1;

	while (i < last && strcmp(alike[i].parameter, r->operation->parameter) != 0)
		i++;
	if (!bucket_is_there(r))
		return s3_send_error(r);
	if (alike[i].code) {
		s3_fail(r, 404, alike[i].code, "%s", alike[i].message);
		return s3_send_error(r);
	}
	xml_begin(&xml, alike[i].root);
	df_str_add(&xml, alike[i].content);
	xml_close(&xml, alike[i].root);
	return s3_send_xml(r, &xml);
}

static bool subject_is_there(struct s3_request *r)
{
	struct objects_info info;
	int result;

	if (!r->target.key)
		return bucket_is_there(r);
	result = objects_find(s3_objects(), r->target.bucket, r->target.key, &info);
	if (result)
		s3_fail_result(r, result);
	else
		objects_info_free(&info);
	return result == 0;
}

/* Everything belongs to the one owner. */
static enum MHD_Result get_acl(struct s3_request *r)
{
	struct df_str xml = DF_STR_EMPTY;

	if (!subject_is_there(r))
		return s3_send_error(r);
	xml_begin(&xml, "AccessControlPolicy");
	s3_owner(&xml, "Owner");
	df_str_add(&xml,
		"<AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
		" xsi:type=\"CanonicalUser\"><ID>" S3_OWNER "</ID><DisplayName>" S3_OWNER
		"</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>");
	xml_close(&xml, "AccessControlPolicy");
	return s3_send_xml(r, &xml);
}

/* Is it the one ACL that there is? Clients set it again after they have copied an object. */
static bool is_own_acl(struct s3_request *r)
{
	struct xml_node *root = s3_xml(r, "AccessControlPolicy");
	const struct xml_node *list = xml_child(root, "AccessControlList");
	struct xml_node *grant = xml_child(list, "Grant");
	bool own = grant != NULL;

	for (; grant && own; grant = xml_next(grant, "Grant"))
		own = strcmp(xml_child_text(xml_child(grant, "Grantee"), "ID"), S3_OWNER) == 0 &&
			strcmp(xml_child_text(grant, "Permission"), "FULL_CONTROL") == 0;
	xml_free(root);
	return own;
}

static enum MHD_Result put_acl(struct s3_request *r)
{
	if (!s3_check_wishes(r) || !subject_is_there(r))
		return s3_send_error(r);
	if (s3_header(r, "x-amz-acl") || is_own_acl(r))
		return s3_send_empty(r, 200);
	return s3_refuse(r, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs");
}

static enum MHD_Result refuse(struct s3_request *r)
{
	return s3_refuse(r, 501, "NotImplemented",
		"A header or parameter you provided implies functionality that is not implemented.");
}

/* --- tags --- */

static enum MHD_Result get_tags(struct s3_request *r)
{
	struct df_str xml = DF_STR_EMPTY;
	struct objects_info info = {0};
	DF_FREE char *stored = NULL;
	int result;

	if (r->target.key) {
		result = objects_find(s3_objects(), r->target.bucket, r->target.key, &info);
	} else {
		result = objects_get_setting(s3_objects(), r->target.bucket, OBJECTS_BUCKET_TAGS,
			&stored);
		if (result == 0 && !stored)
			return s3_refuse(r, 404, "NoSuchTagSet", "The TagSet does not exist");
	}
	if (result)
		return s3_send_result(r, result);
	if (stored) {
		df_str_add(&xml, stored);
		return s3_send_xml(r, &xml);
	}
	xml_begin(&xml, "Tagging");
	s3_write_tags(&xml, info.tags, info.tag_bytes);
	xml_close(&xml, "Tagging");
	objects_info_free(&info);
	return s3_send_xml(r, &xml);
}

/* A bucket's are kept as the answer that they will be. */
static int put_bucket_tags(struct s3_request *r, const struct df_str *tags)
{
	DF_STR struct df_str xml = DF_STR_EMPTY;

	xml_begin(&xml, "Tagging");
	s3_write_tags(&xml, tags->data, tags->length);
	xml_close(&xml, "Tagging");
	return xml.failed ? -ENOMEM
			  : objects_put_setting(s3_objects(), r->target.bucket, OBJECTS_BUCKET_TAGS,
				    df_str_text(&xml));
}

static enum MHD_Result put_tags(struct s3_request *r)
{
	DF_STR struct df_str tags = DF_STR_EMPTY;
	struct xml_node *root = s3_xml(r, "Tagging");
	bool good = root && s3_read_tags(r, root, &tags);

	xml_free(root);
	if (!good)
		return s3_send_error(r);
	if (r->target.key)
		return s3_send_result(r,
			objects_put_tags(s3_objects(), r->target.bucket, r->target.key, tags.data,
				tags.length));
	return s3_send_result(r, put_bucket_tags(r, &tags));
}

static enum MHD_Result remove_tags(struct s3_request *r)
{
	int result = r->target.key
		? objects_put_tags(s3_objects(), r->target.bucket, r->target.key, NULL, 0)
		: objects_put_setting(s3_objects(), r->target.bucket, OBJECTS_BUCKET_TAGS, NULL);

	return result ? s3_send_result(r, result) : s3_send_empty(r, 204);
}

/* --- all of them: the first row that fits --- */

const struct s3_operation s3_operations[] = {
	{"GET", S3_OBJECT, "uploadId", NULL, NULL, S3_NO_BODY, NULL, s3_list_parts},
	{"GET", S3_OBJECT, "tagging", NULL, NULL, S3_NO_BODY, NULL, get_tags},
	{"GET", S3_OBJECT, "acl", NULL, NULL, S3_NO_BODY, NULL, get_acl},
	{"GET", S3_OBJECT, "attributes", NULL, NULL, S3_NO_BODY, NULL, s3_get_attributes},
	{"GET", S3_OBJECT, "retention", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_OBJECT, "legal-hold", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_OBJECT, "torrent", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"GET", S3_OBJECT, NULL, NULL, NULL, S3_NO_BODY, NULL, s3_get_object},
	{"HEAD", S3_OBJECT, NULL, NULL, NULL, S3_NO_BODY, NULL, s3_get_object},
	{"PUT", S3_OBJECT, "partNumber", "uploadId", "x-amz-copy-source", S3_NO_BODY, NULL,
		s3_copy_part},
	{"PUT", S3_OBJECT, "partNumber", "uploadId", NULL, S3_FILE, s3_prepare_part, s3_put_part},
	{"PUT", S3_OBJECT, "tagging", NULL, NULL, S3_MEMORY, NULL, put_tags},
	{"PUT", S3_OBJECT, "acl", NULL, NULL, S3_MEMORY, NULL, put_acl},
	{"PUT", S3_OBJECT, "retention", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_OBJECT, "legal-hold", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_OBJECT, NULL, NULL, "x-amz-copy-source", S3_NO_BODY, NULL, s3_copy_object},
	{"PUT", S3_OBJECT, NULL, NULL, NULL, S3_FILE, s3_prepare_put, s3_put_object},
	{"POST", S3_OBJECT, "uploads", NULL, NULL, S3_NO_BODY, NULL, s3_begin_upload},
	{"POST", S3_OBJECT, "uploadId", NULL, NULL, S3_MEMORY, NULL, s3_complete_upload},
	{"POST", S3_OBJECT, "select", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"POST", S3_OBJECT, "restore", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"DELETE", S3_OBJECT, "uploadId", NULL, NULL, S3_NO_BODY, NULL, s3_abort_upload},
	{"DELETE", S3_OBJECT, "tagging", NULL, NULL, S3_NO_BODY, NULL, remove_tags},
	{"DELETE", S3_OBJECT, NULL, NULL, NULL, S3_NO_BODY, NULL, s3_remove_object},

	{"GET", S3_BUCKET, "location", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "versioning", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "versions", NULL, NULL, S3_NO_BODY, NULL, s3_list_versions},
	{"GET", S3_BUCKET, "uploads", NULL, NULL, S3_NO_BODY, NULL, s3_list_uploads},
	{"GET", S3_BUCKET, "notification", NULL, NULL, S3_NO_BODY, NULL, s3_get_notification},
	{"GET", S3_BUCKET, "tagging", NULL, NULL, S3_NO_BODY, NULL, get_tags},
	{"GET", S3_BUCKET, "acl", NULL, NULL, S3_NO_BODY, NULL, get_acl},
	{"GET", S3_BUCKET, "policy", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "policyStatus", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "cors", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "lifecycle", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "encryption", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "website", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "replication", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "object-lock", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "publicAccessBlock", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "ownershipControls", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "logging", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "accelerate", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "requestPayment", NULL, NULL, S3_NO_BODY, NULL, get_alike},
	{"GET", S3_BUCKET, "analytics", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"GET", S3_BUCKET, "inventory", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"GET", S3_BUCKET, "metrics", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"GET", S3_BUCKET, NULL, NULL, NULL, S3_NO_BODY, NULL, s3_list_objects},
	{"HEAD", S3_BUCKET, NULL, NULL, NULL, S3_NO_BODY, NULL, head_bucket},
	{"PUT", S3_BUCKET, "notification", NULL, NULL, S3_MEMORY, NULL, s3_put_notification},
	{"PUT", S3_BUCKET, "tagging", NULL, NULL, S3_MEMORY, NULL, put_tags},
	{"PUT", S3_BUCKET, "acl", NULL, NULL, S3_MEMORY, NULL, put_acl},
	{"PUT", S3_BUCKET, "versioning", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "policy", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "cors", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "lifecycle", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "encryption", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "website", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "replication", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "object-lock", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "publicAccessBlock", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "ownershipControls", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "logging", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "accelerate", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, "requestPayment", NULL, NULL, S3_MEMORY, NULL, refuse},
	{"PUT", S3_BUCKET, NULL, NULL, NULL, S3_MEMORY, NULL, make_bucket},
	{"POST", S3_BUCKET, "delete", NULL, NULL, S3_MEMORY, NULL, s3_remove_objects},
	{"DELETE", S3_BUCKET, "tagging", NULL, NULL, S3_NO_BODY, NULL, remove_tags},
	{"DELETE", S3_BUCKET, "policy", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, "cors", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, "lifecycle", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, "encryption", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, "website", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, "replication", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, "publicAccessBlock", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, "ownershipControls", NULL, NULL, S3_NO_BODY, NULL, refuse},
	{"DELETE", S3_BUCKET, NULL, NULL, NULL, S3_NO_BODY, NULL, remove_bucket},

	{"GET", S3_SERVICE, NULL, NULL, NULL, S3_NO_BODY, NULL, list_buckets},
	{0},
};
