/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a manifest: questions about single texts. None of them allocates or looks at files. */
#ifndef IMAGE_MANIFEST_VALUES_H
#define IMAGE_MANIFEST_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits only. Returns 0 or -EINVAL. */
int value_number(const char *text, uint64_t *number) __attribute__((warn_unused_result));

/* Not empty. */
bool value_is_text(const char *text);

/* Of an image: 1 to 63 letters and digits, with single '-', '_' or '.' between them. */
bool value_is_tag(const char *text);

/* A host path, absolute or relative. */
bool value_is_path(const char *text);

/* The same, or "": the deployment has to name the file. */
bool value_is_secret(const char *text);

/* An absolute path without "..". */
bool value_is_guest_path(const char *text);

/* "HOST" or "HOST:GUEST". */
bool value_is_file(const char *text);

/* A name of an environment variable (POSIX: letters, digits, '_', no digit in front). */
bool value_is_variable(const char *text);

/* "type/subtype", with parameters or without (RFC 9110, 8.3.1), printable ASCII. */
bool value_is_media_type(const char *text);

/* A path that HTTP requests can have, outside of what the platform itself answers. */
bool value_is_route(const char *text);

/* GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS. */
bool value_is_method(const char *text);

/* A bucket's name by the rules of S3: 3 to 63 lower-case letters, digits, '.' and '-'. */
bool value_is_bucket(const char *text);

/* Part of an object's key: at most 1024 bytes, also none. */
bool value_is_key_part(const char *text);

/* A cron expression: host/cron.h. */
bool value_is_cron(const char *text);

/* A name of the time zone database: letters, digits, '_', '+', '-', and '/' between them. */
bool value_is_time_zone(const char *text);

/* A rule about what may be reached: host/egress_rule.h. */
bool value_is_egress(const char *text);

/* A published port: host/publish.h. */
bool value_is_publish(const char *text);

/* What stands in an HTTP request: begins with '/', printable, no blanks, at most 1024 bytes. */
bool value_is_url_path(const char *text);

/* http:// or https://, with a host, without user, password or blanks. */
bool value_is_url(const char *text);

/* A path of the host with {placeholders}, and "BUCKET/KEY" with placeholders in the key only. */
bool value_is_file_template(const char *text);
bool value_is_object_template(const char *text);

#endif
