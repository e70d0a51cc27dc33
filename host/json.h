/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON (RFC 8259) into a string builder. The caller keeps braces in balance; commas come by themselves.
 *
 *	df_json_open(&s, NULL, '{');
 *	df_json_text(&s, "name", name);
 *	df_json_number(&s, "bytes", bytes);
 *	df_json_close(&s, '}');
 *
 * A NULL key is for members of an array and for the outermost value. Bytes that are no UTF-8 become U+FFFD.
 */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* '{' or '[' */
void df_json_open(struct df_str *json, const char *key, char bracket);
void df_json_close(struct df_str *json, char bracket);
void df_json_bytes(struct df_str *json, const char *key, const void *bytes, size_t length);
void df_json_text(struct df_str *json, const char *key, const char *text);
void df_json_number(struct df_str *json, const char *key, uint64_t number);
void df_json_bool(struct df_str *json, const char *key, bool value);

#endif
