/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object store's S3 interface, on a port of its own: what its files share. docs/reference-s3.md tells it to users; names, paths and texts are Amazon's.
 *
 * A request's life (s3.c), in the thread of its connection:
 *
 *	headers are there   Host, Origin, signature, bucket and key; the operation is found (s3_operations) and may prepare
 *	body comes          decoded (chunked.h), summed (checksum.h), into memory or into a file of the store, never more in memory than S3_MEMORY_MAX
 *	body is complete    length, hashes and checksums are compared; the operation answers
 *
 * An error that is found early is kept until the body was read and thrown away, since clients listen only then.
 */
#ifndef DAEMON_OBJECT_S3_H
#define DAEMON_OBJECT_S3_H

#include "daemon/clock.h"
#include "daemon/http/http_request.h"
#include "daemon/http/signed.h"
#include "daemon/object/chunked.h"
#include "daemon/object/objects.h"
#include "daemon/object/target.h"
#include "daemon/object/xml.h"

#define S3_MEMORY_MAX (2u << 20) /* of a body in XML */
#define S3_LIST_MAX 1000
#define S3_OWNER "dayfly"

struct s3_settings {
	const char *listen; /* "127.0.0.1:9000" (address.h); port 0: any */
	unsigned int connections_max;
	unsigned int idle_s;
	struct objects *objects;
};

/* After http_start. Returns 0 or -errno with *err set. */
int s3_start(const struct s3_settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));

/* As http_quiesce, http_active and http_stop; allowed when it was not started. Stopped before http_stop. */
void s3_quiesce(void);
unsigned int s3_active(void);
void s3_stop(void);

/* Where it is: "http://127.0.0.1:9000"; empty if it was not started. */
const char *s3_url(void);

/* --- for the files of this interface --- */

enum s3_level { S3_SERVICE, S3_BUCKET, S3_OBJECT };
enum s3_body { S3_NO_BODY, S3_MEMORY, S3_FILE };

struct s3_request;

struct s3_operation {
	const char *method;
	enum s3_level level;
	const char *parameter, *second; /* that the query must have; NULL: none */
	const char *header; /* the same of the headers */
	enum s3_body body;
	/* Before the body, with a body in a file: says what is wrong by s3_fail. May be NULL. */
	void (*prepare)(struct s3_request *r);
	enum MHD_Result (*handle)(struct s3_request *r);
};

struct s3_error {
	unsigned int status; /* 0: none */
	const char *code;
	char message[256];
};

/* A checksum that came with a body or is to come in its trailer. */
struct s3_wanted {
	enum checksum_kind kind;
	bool in_trailer;
	char text[CHECKSUM_TEXT_BYTES];
};

struct s3_request {
	struct request request; /* first */
	bool looked;
	struct target target;
	char host_bucket[OBJECTS_BUCKET_MAX + 1];
	const struct s3_operation *operation;
	struct s3_error error;
	uint64_t discarded; /* bytes that came after the error */
	/* The body: */
	enum s3_body kind; /* the operation's, or S3_NO_BODY if it does without */
	struct sigv4_identity identity;
	struct chunked chunked;
	bool is_chunked;
	uint64_t announced; /* its length, decoded; UINT64_MAX: not said */
	uint64_t received;
	struct checksums sums;
	struct s3_wanted wanted;
	bool has_md5;
	unsigned char md5[16], computed_md5[16];
	struct df_str memory;
	struct objects_body body;
	char *texts; /* the raw target */
};

extern const struct s3_operation s3_operations[];

/* The store. */
struct objects *s3_objects(void);

/* Remembers the first error. Returns its status. */
unsigned int s3_fail(struct s3_request *r, unsigned int status, const char *code,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The error that a result of the store (above 0, or -errno) means. */
unsigned int s3_fail_result(struct s3_request *r, int result);

/* Answers. */
enum MHD_Result s3_send_error(struct s3_request *r);
enum MHD_Result s3_send_result(struct s3_request *r, int result); /* of the store; 0: 200, empty */
enum MHD_Result s3_send_empty(struct s3_request *r, unsigned int status);
enum MHD_Result s3_send_xml(struct s3_request *r, struct df_str *xml); /* 200; takes the text */
enum MHD_Result s3_send(struct s3_request *r, unsigned int status, struct MHD_Response *response);
enum MHD_Result s3_refuse(struct s3_request *r, unsigned int status, const char *code,
	const char *message);

/* A header; a parameter of the query. NULL: it is not there. */
const char *s3_header(const struct s3_request *r, const char *name);
const char *s3_parameter(const struct s3_request *r, const char *name);

/* A number that a parameter has. False: it is none, or above `most`, and the error is set. *number is kept if the parameter is not there. */
bool s3_number(struct s3_request *r, const char *parameter, uint64_t most, uint64_t *number);

/* The body as XML with this root, to be freed; NULL: the error is set. */
struct xml_node *s3_xml(struct s3_request *r, const char *root);

/* "2009-10-12T17:50:30.000Z"; "Mon, 12 Oct 2009 17:50:30 GMT" */
void s3_time(uint64_t ms, char text[CLOCK_TEXT_BYTES]);
void s3_http_time(uint64_t ms, char text[40]);

/* Quotes: "\"...\"" */
void s3_etag(const char *etag, char text[OBJECTS_ETAG_BYTES + 2]);
/* Appends the text with what is not plain percent-encoded; slashes are plain. `form`: spaces become '+'. */
void s3_encode(struct df_str *out, const char *text, size_t length, bool form);

/* <Owner> and the like. */
void s3_owner(struct df_str *xml, const char *element);

/* What a request says about an object that is to be made (s3_put.c). */
struct s3_made {
	struct df_str headers; /* pairs */
	struct df_str tags;
};
/* Reads content-type, x-amz-meta-... and x-amz-tagging. False: the error is set. */
bool s3_read_made(struct s3_request *r, struct s3_made *made);
void s3_made_free(struct s3_made *made);
/* Refuses what is asked for and not there: encryption, locks, storage classes, ACLs. */
bool s3_check_wishes(struct s3_request *r);
/* If-Match and If-None-Match of a put. False: the error is set. */
bool s3_read_condition(struct s3_request *r, char if_match[OBJECTS_ETAG_BYTES + 2],
	const char **match, bool *if_none);
/* Reads <Tagging>, or "a=b&c=d". False: the error is set. */
bool s3_read_tags(struct s3_request *r, const struct xml_node *tagging, struct df_str *tags);
void s3_write_tags(struct df_str *xml, const char *tags, size_t length);
/* Response headers of an object; with_body: those that GET and HEAD have alone. */
void s3_add_checksum(const struct objects_checksum *checksum, struct MHD_Response *response);

/* Where a body is copied from (s3_copy.c). */
struct s3_source {
	struct objects_info info;
	char *bucket, *key;
};
/* Reads x-amz-copy-source and looks the object up, conditions too. False: the error is set. s3_source_free must follow. */
bool s3_find_source(struct s3_request *r, struct s3_source *source);
void s3_source_free(struct s3_source *source);
/* Copies `length` bytes from `first` on into r->body, which it begins; sums as r->sums says. False: the error is set. */
bool s3_copy_bytes(struct s3_request *r, const struct s3_source *source, uint64_t first,
	uint64_t length);
/* The MD5 of the body that came or was copied, as an ETag, and its checksum. False: the error is set. */
bool s3_sum_up(struct s3_request *r, enum checksum_kind kind, char etag[OBJECTS_ETAG_BYTES],
	struct objects_checksum *checksum);

/* "bytes=FIRST-LAST" and its kin: 1 (part of it), 0 (all of it: no range, or not understood), -1 (not satisfiable). */
int s3_range(const char *text, uint64_t bytes, uint64_t *first, uint64_t *length);

/* The operations, by file. */
enum MHD_Result s3_list_objects(struct s3_request *r); /* s3_list.c */
enum MHD_Result s3_list_versions(struct s3_request *r);
enum MHD_Result s3_get_object(struct s3_request *r); /* s3_get.c */
enum MHD_Result s3_get_attributes(struct s3_request *r);
void s3_prepare_put(struct s3_request *r); /* s3_put.c */
enum MHD_Result s3_put_object(struct s3_request *r);
enum MHD_Result s3_copy_object(struct s3_request *r); /* s3_copy.c */
enum MHD_Result s3_remove_object(struct s3_request *r); /* s3_remove.c */
enum MHD_Result s3_remove_objects(struct s3_request *r);
enum MHD_Result s3_begin_upload(struct s3_request *r); /* s3_upload.c */
void s3_prepare_part(struct s3_request *r);
enum MHD_Result s3_put_part(struct s3_request *r);
enum MHD_Result s3_copy_part(struct s3_request *r);
enum MHD_Result s3_complete_upload(struct s3_request *r);
enum MHD_Result s3_abort_upload(struct s3_request *r);
enum MHD_Result s3_list_parts(struct s3_request *r);
enum MHD_Result s3_list_uploads(struct s3_request *r);
enum MHD_Result s3_get_notification(struct s3_request *r); /* s3_notification.c */
enum MHD_Result s3_put_notification(struct s3_request *r);

#endif
