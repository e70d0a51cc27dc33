/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signature Version 4: see sigv4.h. The order of the checks: what the request claims (struct claim) is taken apart, then what needs no
 * secret is checked, then the signature is computed anew and compared.
 */
#include "daemon/auth/sigv4.h"

#include "daemon/auth/sigv4_canonical.h"
#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* What a request says about its own signature. */
struct claim {
	struct df_str credential, names, signature; /* names: of the signed headers, "a;b" */
	bool presigned;
	int64_t expires_s; /* presigned */
	char timestamp[17];
	int64_t signed_s;
	/* Parts of `credential`, terminated. */
	const char *key_id, *date, *region, *service;
	const char *scope; /* all behind the key id, as it is signed */
	char *split; /* what the parts point into */
	struct df_str query_payload; /* X-Amz-Content-Sha256 of a presigned query */
	const char *payload; /* x-amz-content-sha256 or what stands for it; NULL: the body's hash */
};

#define CLAIM __attribute__((cleanup(claim_deinit)))

static void claim_deinit(struct claim *claim)
{
	df_str_deinit(&claim->credential);
	df_str_deinit(&claim->names);
	df_str_deinit(&claim->signature);
	df_str_deinit(&claim->query_payload);
	free(claim->split);
}

/* --- hashes --- */

static void to_hex(const unsigned char *bytes, char hex[SIGV4_HEX_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 32; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[64] = '\0';
}

int sigv4_sha256(const void *bytes, size_t length, char hex[SIGV4_HEX_BYTES])
{
	unsigned char digest[32];

	if (EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL) != 1)
		return -EIO;
	to_hex(digest, hex);
	return 0;
}

static bool hmac(const void *key, size_t key_length, const char *text, unsigned char out[32])
{
	unsigned int length = 0;

	return HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, strlen(text),
		       out, &length) &&
		length == 32;
}

static int derive_key(const struct claim *claim, const char *secret, unsigned char key[32])
{
	char start[4 + SIGV4_SECRET_MAX + 1] = "AWS4";
	bool good;

	memccpy(start + 4, secret, '\0', SIGV4_SECRET_MAX);
	good = hmac(start, strlen(start), claim->date, key) && hmac(key, 32, claim->region, key) &&
		hmac(key, 32, claim->service, key) && hmac(key, 32, "aws4_request", key);
	OPENSSL_cleanse(start, sizeof(start));
	return good ? 0 : -EIO;
}

/* Signs, and compares with what was given, in constant time. */
static int check_text(const unsigned char key[32], const struct df_str *text, const char *given,
	char signature[SIGV4_HEX_BYTES])
{
	unsigned char digest[32];
	char hex[SIGV4_HEX_BYTES];

	if (text->failed)
		return -ENOMEM;
	if (!hmac(key, 32, df_str_text(text), digest))
		return -EIO;
	to_hex(digest, hex);
	if (strlen(given) != 64 || CRYPTO_memcmp(hex, given, 64) != 0)
		return SIGV4_MISMATCH;
	memcpy(signature, hex, sizeof(hex));
	return SIGV4_OK;
}

static bool is_hash(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* --- taking the request apart --- */

/* The value of the only header of a name; NULL if there is none. *count says how many there are. */
static const char *only_header(const struct sigv4_request *request, const char *name, size_t *count)
{
	const char *value = NULL;

	*count = 0;
	for (size_t i = 0; i < request->header_count; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0) {
			value = request->headers[i].value;
			++*count;
		}
	}
	return *count == 1 ? value : NULL;
}

/* Two or more digits of a date. */
static int number(const char *text, size_t digits)
{
	int value = 0;

	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

/* "20130524T000000Z" */
static bool parse_timestamp(const char *text, struct claim *claim)
{
	struct tm tm = {0}, again;
	time_t seconds;

	if (strlen(text) != 16 || text[8] != 'T' || text[15] != 'Z' ||
		strspn(text, "0123456789") != 8 || strspn(text + 9, "0123456789") != 6)
		return false;
	tm.tm_year = number(text, 4) - 1900;
	tm.tm_mon = number(text + 4, 2) - 1;
	tm.tm_mday = number(text + 6, 2);
	tm.tm_hour = number(text + 9, 2);
	tm.tm_min = number(text + 11, 2);
	tm.tm_sec = number(text + 13, 2);
	again = tm;
	seconds = timegm(&again);
	if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
		again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min ||
		again.tm_sec != tm.tm_sec)
		return false;
	claim->signed_s = seconds;
	memcpy(claim->timestamp, text, sizeof(claim->timestamp));
	return true;
}

/* "Fri, 24 May 2013 00:00:00 GMT", what old clients send instead of x-amz-date */
static bool parse_http_date(const char *text, struct claim *claim)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	char timestamp[sizeof(claim->timestamp)];

	return end && !*end && tm.tm_year >= 0 && tm.tm_year < 8100 &&
		strftime(timestamp, sizeof(timestamp), "%Y%m%dT%H%M%SZ", &tm) == 16 &&
		parse_timestamp(timestamp, claim);
}

static int header_time(const struct sigv4_request *request, struct claim *claim)
{
	size_t count;
	const char *text = only_header(request, "x-amz-date", &count);

	if (count > 0)
		return text && parse_timestamp(text, claim) ? SIGV4_OK : SIGV4_INCOMPLETE;
	text = only_header(request, "date", &count);
	return text && (parse_timestamp(text, claim) || parse_http_date(text, claim))
		? SIGV4_OK
		: SIGV4_INCOMPLETE;
}

/* Puts a value where it belongs; it must be the first for its place. */
static bool put_once(struct df_str *into, const char *value, size_t length)
{
	if (into->length > 0 || length == 0)
		return false;
	df_str_add_bytes(into, value, length);
	return true;
}

static bool put_field(struct claim *claim, const char *text, size_t length)
{
	static const char *const names[] = {"Credential=", "SignedHeaders=", "Signature="};
	struct df_str *const places[] = {&claim->credential, &claim->names, &claim->signature};

	while (length > 0 && strchr(" \t", text[length - 1]))
		length--;
	for (; length > 0 && strchr(" \t", *text); length--)
		text++;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t name = strlen(names[i]);

		if (length > name && strncmp(text, names[i], name) == 0)
			return put_once(places[i], text + name, length - name);
	}
	return false;
}

/* The Authorization header. */
static int parse_header(const struct sigv4_request *request, const char *value, struct claim *claim)
{
	size_t length = strlen(ALGORITHM);
	const char *rest, *part;

	if (strncmp(value, "AWS", 3) != 0)
		return SIGV4_MISSING; /* another scheme, not meant for us */
	if (strncmp(value, ALGORITHM, length) != 0 || !strchr(" \t", value[length]) ||
		!value[length])
		return SIGV4_INCOMPLETE;
	rest = value + length;
	while (sigv4_next_part(&rest, ',', &part, &length)) {
		if (!put_field(claim, part, length))
			return SIGV4_INCOMPLETE;
	}
	return header_time(request, claim);
}

/* The parameters of the query form. */
struct presigned {
	struct df_str algorithm, credential, date, expires, names, signature, payload;
};

static void presigned_deinit(struct presigned *query)
{
	df_str_deinit(&query->algorithm);
	df_str_deinit(&query->credential);
	df_str_deinit(&query->date);
	df_str_deinit(&query->expires);
	df_str_deinit(&query->names);
	df_str_deinit(&query->signature);
	df_str_deinit(&query->payload);
}

/* Collects a parameter if it is one of ours. False: it is there twice or malformed. */
static bool put_parameter(struct presigned *query, const char *part, size_t length)
{
	const struct {
		const char *name;
		struct df_str *place;
	} places[] = {
		{"X-Amz-Algorithm=", &query->algorithm},
		{"X-Amz-Credential=", &query->credential},
		{"X-Amz-Date=", &query->date},
		{"X-Amz-Expires=", &query->expires},
		{"X-Amz-SignedHeaders=", &query->names},
		{"X-Amz-Signature=", &query->signature},
		{"X-Amz-Content-Sha256=", &query->payload},
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t name = strlen(places[i].name);

		if (length < name || strncmp(part, places[i].name, name) != 0)
			continue;
		return places[i].place->length == 0 && length > name &&
			sigv4_decode(places[i].place, part + name, length - name, true) &&
			!memchr(df_str_text(places[i].place), '\0', places[i].place->length);
	}
	return true;
}

static bool parse_expires(const char *text, int64_t *expires_s)
{
	size_t length = strlen(text);

	if (length == 0 || length > 6 || strspn(text, "0123456789") != length)
		return false;
	*expires_s = number(text, length);
	return *expires_s >= 1 && *expires_s <= SIGV4_EXPIRES_MAX_S;
}

/* Is this query of the presigned form? Any of the parameters that only it has will do. */
static bool is_presigned(const char *query)
{
	const char *part;
	size_t length;

	while (sigv4_next_part(&query, '&', &part, &length)) {
		if (strncmp(part, "X-Amz-Algorithm=", 16) == 0 ||
			strncmp(part, "X-Amz-Credential=", 17) == 0 ||
			strncmp(part, "X-Amz-Signature=", 16) == 0)
			return true;
	}
	return false;
}

/* Moves a text from one builder to another one, which is empty. */
static void move(struct df_str *into, struct df_str *from)
{
	*into = *from;
	*from = DF_STR_EMPTY;
}

static int parse_query(const char *text, struct claim *claim)
{
	__attribute__((cleanup(presigned_deinit))) struct presigned query = {0};
	const char *part;
	size_t length;

	claim->presigned = true;
	while (sigv4_next_part(&text, '&', &part, &length)) {
		if (!put_parameter(&query, part, length))
			return SIGV4_QUERY;
	}
	if (strcmp(df_str_text(&query.algorithm), ALGORITHM) != 0 || query.credential.length == 0 ||
		query.names.length == 0 || query.signature.length == 0 ||
		!parse_timestamp(df_str_text(&query.date), claim) ||
		!parse_expires(df_str_text(&query.expires), &claim->expires_s))
		return SIGV4_QUERY;
	move(&claim->query_payload, &query.payload);
	if (claim->query_payload.length > 0)
		claim->payload = claim->query_payload.data;
	move(&claim->credential, &query.credential);
	move(&claim->names, &query.names);
	move(&claim->signature, &query.signature);
	return SIGV4_OK;
}

/* "KEYID/20130524/us-east-1/s3/aws4_request" */
static bool split_credential(struct claim *claim)
{
	const char **const parts[] = {
		&claim->key_id, &claim->date, &claim->region, &claim->service};
	char *text = strdup(df_str_text(&claim->credential)), *rest = text;

	claim->split = text;
	if (!text)
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		*parts[i] = strsep(&rest, "/");
		if (!rest || !**parts[i])
			return false;
	}
	claim->scope = df_str_text(&claim->credential) + strlen(claim->key_id) + 1;
	return strcmp(rest, "aws4_request") == 0 && strlen(claim->key_id) <= SIGV4_KEY_ID_MAX &&
		strlen(claim->scope) < SIGV4_SCOPE_MAX;
}

/* The list of signed headers: lower-case names in ascending order, none twice. */
static bool names_ok(const char *names)
{
	static const char *const allowed = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
	const char *part, *before = NULL;
	size_t length, before_length = 0;

	while (sigv4_next_part(&names, ';', &part, &length)) {
		if (length == 0 || strspn(part, allowed) < length)
			return false;
		if (before) {
			size_t shorter = before_length < length ? before_length : length;
			int order = memcmp(before, part, shorter);

			if (order > 0 || (order == 0 && before_length >= length))
				return false;
		}
		before = part;
		before_length = length;
	}
	return true;
}

static int parse(const struct sigv4_request *request, struct claim *claim)
{
	size_t count;
	const char *header = only_header(request, "authorization", &count);
	bool presigned = is_presigned(request->query);
	int result;

	if (request->header_count > SIGV4_HEADERS_MAX)
		return SIGV4_TOO_MANY;
	if (count > 1 || (count == 1 && presigned))
		return count > 1 ? SIGV4_INCOMPLETE : SIGV4_BOTH;
	if (count == 0 && !presigned)
		return SIGV4_MISSING;
	result = presigned ? parse_query(request->query, claim)
			   : parse_header(request, header, claim);
	if (result != SIGV4_OK)
		return result;
	if (claim->credential.failed || claim->names.failed || claim->signature.failed)
		return -ENOMEM;
	if (!split_credential(claim) || !claim->names.length || !claim->signature.length ||
		!names_ok(claim->names.data))
		return presigned ? SIGV4_QUERY : SIGV4_INCOMPLETE;
	return SIGV4_OK;
}

/* --- what needs no secret --- */

static bool is_signed(const struct claim *claim, const char *name)
{
	const char *names = df_str_text(&claim->names), *part;
	size_t length, wanted = strlen(name);

	while (sigv4_next_part(&names, ';', &part, &length)) {
		if (length == wanted && strncasecmp(part, name, wanted) == 0)
			return true;
	}
	return false;
}

static int check_signed(const struct sigv4_request *request, const struct claim *claim)
{
	size_t count;

	if (!only_header(request, "host", &count))
		return SIGV4_INCOMPLETE;
	if (!is_signed(claim, "host"))
		return SIGV4_UNSIGNED;
	for (size_t i = 0; i < request->header_count; i++) {
		if (strncasecmp(request->headers[i].name, "x-amz-", 6) == 0 &&
			!is_signed(claim, request->headers[i].name))
			return SIGV4_UNSIGNED;
	}
	return SIGV4_OK;
}

static int check_time(const struct claim *claim, int64_t now_s)
{
	if (!claim->presigned)
		return claim->signed_s > now_s + SIGV4_SKEW_S ||
				claim->signed_s < now_s - SIGV4_SKEW_S
			? SIGV4_SKEWED
			: SIGV4_OK;
	if (claim->signed_s > now_s + SIGV4_SKEW_S)
		return SIGV4_EARLY;
	return now_s > claim->signed_s + claim->expires_s ? SIGV4_EXPIRED : SIGV4_OK;
}

static bool is_s3(const struct sigv4_verifier *verifier)
{
	return strcmp(verifier->service, "s3") == 0;
}

static int payload_kind(const char *text, enum sigv4_payload *kind)
{
	static const struct {
		const char *text;
		enum sigv4_payload kind;
	} kinds[] = {
		{"UNSIGNED-PAYLOAD", SIGV4_PAYLOAD_UNSIGNED},
		{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGV4_PAYLOAD_CHUNKS},
		{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIGV4_PAYLOAD_CHUNKS_TRAILER},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGV4_PAYLOAD_UNSIGNED_TRAILER},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(text, kinds[i].text) == 0) {
			*kind = kinds[i].kind;
			return SIGV4_OK;
		}
	}
	*kind = SIGV4_PAYLOAD_HASHED;
	return is_hash(text) ? SIGV4_OK : SIGV4_PAYLOAD;
}

/* Finds what is signed for the body (claim->payload) and of what kind it is. */
static int check_payload(const struct sigv4_verifier *verifier, const struct sigv4_request *request,
	struct claim *claim, enum sigv4_payload *kind)
{
	size_t count;
	const char *header = only_header(request, "x-amz-content-sha256", &count);
	int result;

	if (count > 1)
		return SIGV4_INCOMPLETE;
	if (header)
		claim->payload = header;
	else if (is_s3(verifier) && !claim->payload)
		claim->payload = claim->presigned ? "UNSIGNED-PAYLOAD" : "";
	if (claim->payload) {
		result = payload_kind(claim->payload, kind);
		if (result != SIGV4_OK)
			return result;
		if (*kind != SIGV4_PAYLOAD_HASHED)
			return is_s3(verifier) ? SIGV4_OK : SIGV4_PAYLOAD;
	}
	*kind = SIGV4_PAYLOAD_HASHED;
	if (!request->body_sha256)
		return is_s3(verifier) ? SIGV4_OK : SIGV4_NEED_BODY;
	if (!claim->payload)
		claim->payload = request->body_sha256;
	return strcmp(claim->payload, request->body_sha256) == 0 ? SIGV4_OK : SIGV4_BODY;
}

static int check_scope(const struct sigv4_verifier *verifier, const struct claim *claim)
{
	return strcmp(claim->region, verifier->region) == 0 &&
			strcmp(claim->service, verifier->service) == 0 &&
			strlen(claim->date) == 8 && strncmp(claim->date, claim->timestamp, 8) == 0
		? SIGV4_OK
		: SIGV4_SCOPE;
}

/* --- the signature --- */

static int canonical_request(const struct sigv4_request *request, const struct claim *claim,
	bool s3, struct df_str *text)
{
	int result;

	df_str_addf(text, "%s\n", request->method);
	if (!sigv4_canonical_path(text, request->path, s3))
		return SIGV4_PATH;
	df_str_add(text, "\n");
	result = sigv4_canonical_query(text, request->query, claim->presigned);
	if (result != SIGV4_OK)
		return result;
	df_str_add(text, "\n");
	result = sigv4_canonical_headers(text, request, claim->names.data, claim->names.length);
	if (result != SIGV4_OK)
		return result;
	df_str_addf(text, "\n%s\n%s", claim->names.data, claim->payload);
	return text->failed ? -ENOMEM : SIGV4_OK;
}

static int check_signature(const struct sigv4_request *request, const struct claim *claim, bool s3,
	struct sigv4_identity *identity)
{
	DF_STR struct df_str canonical = DF_STR_EMPTY;
	DF_STR struct df_str text = DF_STR_EMPTY;
	char hash[SIGV4_HEX_BYTES];
	int result = canonical_request(request, claim, s3, &canonical);

	if (result != SIGV4_OK)
		return result;
	result = sigv4_sha256(canonical.data, canonical.length, hash);
	if (result < 0)
		return result;
	df_str_addf(&text, ALGORITHM "\n%s\n%s\n%s", claim->timestamp, claim->scope, hash);
	return check_text(identity->key, &text, claim->signature.data, identity->signature);
}

/* Only a key that was made of this very secret for this very scope. */
static bool recall_key(struct sigv4_keys *keys, const struct claim *claim, const char *secret,
	unsigned char key[32])
{
	bool found = false;

	pthread_mutex_lock(&keys->lock);
	for (unsigned int i = 0; i < SIGV4_KEYS && !found; i++) {
		found = strcmp(keys->entries[i].scope, claim->scope) == 0 &&
			strcmp(keys->entries[i].secret, secret) == 0;
		if (found)
			memcpy(key, keys->entries[i].key, 32);
	}
	pthread_mutex_unlock(&keys->lock);
	return found;
}

static void keep_key(struct sigv4_keys *keys, const struct claim *claim, const char *secret,
	const unsigned char key[32])
{
	unsigned int i;

	pthread_mutex_lock(&keys->lock);
	i = keys->next++ % SIGV4_KEYS;
	memccpy(keys->entries[i].scope, claim->scope, '\0', SIGV4_SCOPE_MAX);
	memccpy(keys->entries[i].secret, secret, '\0', SIGV4_SECRET_MAX + 1);
	memcpy(keys->entries[i].key, key, 32);
	pthread_mutex_unlock(&keys->lock);
}

/* Looks the key up and derives the signing key from it. */
static int find_key(const struct sigv4_verifier *verifier, const struct claim *claim,
	unsigned char key[32])
{
	char secret[SIGV4_SECRET_MAX + 1];
	int result = verifier->find(verifier->user, claim->key_id, secret);
	bool known =
		result == 1 && verifier->keys && recall_key(verifier->keys, claim, secret, key);

	if (result == 0)
		result = SIGV4_UNKNOWN_KEY;
	else if (result == 1)
		result = known ? 0 : derive_key(claim, secret, key);
	/* What will be refused anyway is not to push others out. */
	if (result == 0 && !known && verifier->keys && check_scope(verifier, claim) == SIGV4_OK &&
		check_time(claim, verifier->now_s) == SIGV4_OK)
		keep_key(verifier->keys, claim, secret, key);
	OPENSSL_cleanse(secret, sizeof(secret));
	return result;
}

static void fill_identity(const struct claim *claim, struct sigv4_identity *identity)
{
	memcpy(identity->access_key_id, claim->key_id, strlen(claim->key_id) + 1);
	memcpy(identity->scope, claim->scope, strlen(claim->scope) + 1);
	memcpy(identity->timestamp, claim->timestamp, sizeof(identity->timestamp));
	identity->signed_s = claim->signed_s;
	if (identity->payload == SIGV4_PAYLOAD_HASHED)
		memcpy(identity->payload_sha256, claim->payload, SIGV4_HEX_BYTES);
}

static int check_claim(const struct sigv4_verifier *verifier, const struct sigv4_request *request,
	struct claim *claim, struct sigv4_identity *identity)
{
	int result = find_key(verifier, claim, identity->key);

	if (result == 0)
		result = check_scope(verifier, claim);
	if (result == SIGV4_OK)
		result = check_time(claim, verifier->now_s);
	if (result == SIGV4_OK)
		result = check_signed(request, claim);
	if (result == SIGV4_OK)
		result = check_payload(verifier, request, claim, &identity->payload);
	if (result == SIGV4_OK)
		result = check_signature(request, claim, is_s3(verifier), identity);
	return result;
}

int sigv4_verify(const struct sigv4_verifier *verifier, const struct sigv4_request *request,
	struct sigv4_identity *identity)
{
	CLAIM struct claim claim = {0};
	struct sigv4_identity found = {0};
	int result = parse(request, &claim);

	if (result == SIGV4_OK)
		result = check_claim(verifier, request, &claim, &found);
	if (result == SIGV4_OK) {
		fill_identity(&claim, &found);
		*identity = found;
	}
	sigv4_forget(&found);
	return result;
}

int sigv4_chunk(struct sigv4_identity *identity, const char sha256[SIGV4_HEX_BYTES],
	const char *signature)
{
	DF_STR struct df_str text = DF_STR_EMPTY;

	df_str_addf(&text, ALGORITHM "-PAYLOAD\n%s\n%s\n%s\n" EMPTY_SHA256 "\n%s",
		identity->timestamp, identity->scope, identity->signature, sha256);
	return check_text(identity->key, &text, signature, identity->signature);
}

static int compare_names(const void *left, const void *right)
{
	const struct sigv4_header *a = left, *b = right;

	return strcasecmp(a->name, b->name);
}

/* The trailer's headers, in order of name. */
static bool canonical_trailer(struct df_str *text, const struct sigv4_header *headers, size_t count)
{
	struct sigv4_header sorted[SIGV4_HEADERS_MAX];

	if (count == 0 || count > SIGV4_HEADERS_MAX)
		return false;
	memcpy(sorted, headers, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare_names);
	for (size_t i = 0; i < count; i++) {
		size_t start = text->length;

		if (i > 0 && compare_names(&sorted[i - 1], &sorted[i]) == 0)
			continue;
		sigv4_canonical_header(text, headers, count, sorted[i].name,
			strlen(sorted[i].name));
		for (; start < text->length && text->data[start] != ':'; start++) {
			if (text->data[start] >= 'A' && text->data[start] <= 'Z')
				text->data[start] = (char)(text->data[start] + ('a' - 'A'));
		}
	}
	return true;
}

int sigv4_trailer(struct sigv4_identity *identity, const struct sigv4_header *headers, size_t count,
	const char *signature)
{
	DF_STR struct df_str trailer = DF_STR_EMPTY;
	DF_STR struct df_str text = DF_STR_EMPTY;
	char hash[SIGV4_HEX_BYTES];

	if (!canonical_trailer(&trailer, headers, count))
		return count ? SIGV4_TOO_MANY : SIGV4_MISMATCH;
	if (trailer.failed)
		return -ENOMEM;
	if (sigv4_sha256(trailer.data, trailer.length, hash) < 0)
		return -EIO;
	df_str_addf(&text, ALGORITHM "-TRAILER\n%s\n%s\n%s\n%s", identity->timestamp,
		identity->scope, identity->signature, hash);
	return check_text(identity->key, &text, signature, identity->signature);
}

void sigv4_forget(struct sigv4_identity *identity)
{
	OPENSSL_cleanse(identity->key, sizeof(identity->key));
}

const struct sigv4_error *sigv4_error(enum sigv4_result result)
{
	static const struct sigv4_error errors[SIGV4_RESULTS] = {
		[SIGV4_MISSING] = {403, "AccessDenied", "MissingAuthenticationTokenException",
			"The request is not signed: it needs the credentials of this dayflyd."},
		[SIGV4_INCOMPLETE] = {400, "AuthorizationHeaderMalformed",
			"IncompleteSignatureException",
			"The Authorization header or one it needs (Host, X-Amz-Date) is missing, repeated or malformed."},
		[SIGV4_QUERY] = {400, "AuthorizationQueryParametersError",
			"IncompleteSignatureException",
			"A query parameter of the presigned request is missing, repeated or malformed."},
		[SIGV4_BOTH] = {400, "InvalidArgument", "IncompleteSignatureException",
			"Only one way to sign is allowed: the Authorization header or the query."},
		[SIGV4_UNKNOWN_KEY] = {403, "InvalidAccessKeyId", "UnrecognizedClientException",
			"The access key id is not known to this dayflyd."},
		[SIGV4_SCOPE] = {400, "AuthorizationHeaderMalformed", "InvalidSignatureException",
			"The credential is scoped to another date, region or service."},
		[SIGV4_SKEWED] = {403, "RequestTimeTooSkewed", "InvalidSignatureException",
			"The request's time and the server's differ by more than 15 minutes."},
		[SIGV4_EXPIRED] = {403, "AccessDenied", "InvalidSignatureException",
			"The presigned request has expired."},
		[SIGV4_EARLY] = {403, "AccessDenied", "InvalidSignatureException",
			"The presigned request is not valid yet."},
		[SIGV4_UNSIGNED] = {403, "AccessDenied", "InvalidSignatureException",
			"Host and all x-amz-* headers of the request must be signed."},
		[SIGV4_MISMATCH] = {403, "SignatureDoesNotMatch", "InvalidSignatureException",
			"The signature does not match: check the secret access key and how the request is signed."},
		[SIGV4_BODY] = {400, "XAmzContentSHA256Mismatch", "InvalidSignatureException",
			"The body is not the one that was signed."},
		[SIGV4_PAYLOAD] = {400, "InvalidRequest", "InvalidSignatureException",
			"The x-amz-content-sha256 header is missing or has no valid value."},
		[SIGV4_PATH] = {400, "InvalidURI", "InvalidSignatureException",
			"A percent sign in path or query is not followed by two hexadecimal digits."},
		[SIGV4_TOO_MANY] = {400, "RequestHeaderSectionTooLarge",
			"InvalidSignatureException",
			"The request has too many headers or query parameters."},
	};

	return &errors[result];
}
