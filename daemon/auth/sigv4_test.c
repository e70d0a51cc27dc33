/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of sigv4.c: the examples of the S3 API Reference ("Signature Calculations for the Authorization Header", "... in Multiple
 * Chunks", "... Including Trailing Headers", "Authenticating Requests: Using Query Parameters"), and what is to be refused.
 * tests/sigv4 compares with botocore.
 */
#include "daemon/auth/sigv4.h"

#include "daemon/auth/sigv4_canonical.h"
#include "host/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define NOW 1369353600 /* 20130524T000000Z */
#define CREDENTIAL "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20130524/us-east-1/s3/aws4_request,"
#define HOST                                             \
	{                                                \
		"Host", "examplebucket.s3.amazonaws.com" \
	}
#define DATE                                     \
	{                                        \
		"x-amz-date", "20130524T000000Z" \
	}
#define RANGE_SIGNATURE "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"

static int find(void *user, const char *access_key_id, char secret[SIGV4_SECRET_MAX + 1])
{
	if (user)
		return -EIO;
	if (strcmp(access_key_id, KEY_ID) != 0)
		return 0;
	strcpy(secret, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
	return 1;
}

static struct sigv4_verifier verifier = {
	.region = "us-east-1", .service = "s3", .now_s = NOW, .find = find};

static int verify(const char *method, const char *path, const char *query,
	const struct sigv4_header *headers, size_t count, struct sigv4_identity *identity)
{
	struct sigv4_request request = {.method = method,
		.path = path,
		.query = query,
		.headers = headers,
		.header_count = count};

	return sigv4_verify(&verifier, &request, identity);
}

#define COUNT(headers) (sizeof(headers) / sizeof((headers)[0]))

static void test_header_form(void **state)
{
	const struct sigv4_header range[] = {HOST, DATE, {"range", "bytes=0-9"},
		{"x-amz-content-sha256", EMPTY},
		{"Authorization",
			CREDENTIAL
			"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=" RANGE_SIGNATURE}};
	const struct sigv4_header put[] = {HOST, DATE, {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
		{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
		{"x-amz-content-sha256",
			"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
		{"authorization",
			CREDENTIAL
			" SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
			"Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"}};
	const struct sigv4_header lifecycle[] = {HOST, DATE, {"x-amz-content-sha256", EMPTY},
		{"authorization",
			CREDENTIAL
			"SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
			"Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"}};
	const struct sigv4_header list[] = {HOST, DATE, {"x-amz-content-sha256", EMPTY},
		{"authorization",
			CREDENTIAL
			"SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
			"Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"}};
	struct sigv4_identity identity;

	(void)state;
	assert_int_equal(verify("GET", "/test.txt", NULL, range, COUNT(range), &identity),
		SIGV4_OK);
	assert_string_equal(identity.access_key_id, KEY_ID);
	assert_int_equal(identity.payload, SIGV4_PAYLOAD_HASHED);
	assert_string_equal(identity.payload_sha256, EMPTY);
	assert_string_equal(identity.scope, "20130524/us-east-1/s3/aws4_request");
	assert_int_equal(identity.signed_s, NOW);
	assert_int_equal(verify("PUT", "/test%24file.text", "", put, COUNT(put), &identity),
		SIGV4_OK);
	/* What was not escaped by the client is the same path. */
	assert_int_equal(verify("PUT", "/test$file.text", NULL, put, COUNT(put), &identity),
		SIGV4_OK);
	assert_int_equal(verify("GET", "/", "lifecycle", lifecycle, COUNT(lifecycle), &identity),
		SIGV4_OK);
	assert_int_equal(verify("GET", "/", "lifecycle=", lifecycle, COUNT(lifecycle), &identity),
		SIGV4_OK);
	assert_int_equal(verify("GET", "/", "prefix=J&max-keys=2", list, COUNT(list), &identity),
		SIGV4_OK);
	assert_int_equal(verify("GET", "/", "prefix=%4a&&max-keys=2", list, COUNT(list), &identity),
		SIGV4_OK);
	assert_int_equal(verify("GET", "/", "prefix=K&max-keys=2", list, COUNT(list), &identity),
		SIGV4_MISMATCH);
	assert_int_equal(verify("GET", "/", "prefix=%4", list, COUNT(list), &identity), SIGV4_PATH);
}

#define PRESIGNED                                                                  \
	"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY_ID                \
	"%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&" \
	"X-Amz-SignedHeaders=host&"                                                \
	"X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

/* A good request, which the verifier is not to believe now. */
static void test_header_refused(struct sigv4_identity *identity)
{
	const struct sigv4_header range[] = {HOST, DATE, {"range", "bytes=0-9"},
		{"x-amz-content-sha256", EMPTY},
		{"Authorization",
			CREDENTIAL
			"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=" RANGE_SIGNATURE}};

	assert_int_not_equal(verify("GET", "/test.txt", NULL, range, COUNT(range), identity),
		SIGV4_OK);
}

static int find_other(void *user, const char *access_key_id, char secret[SIGV4_SECRET_MAX + 1])
{
	(void)user;
	(void)access_key_id;
	strcpy(secret, "another");
	return 1;
}

/* A signing key that is remembered is used for its own secret and scope alone, and what is refused leaves none. */
static void test_keys(void **state)
{
	struct sigv4_keys keys = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct sigv4_identity identity;

	(void)state;
	verifier.keys = &keys;
	verifier.now_s = NOW + 100000;
	test_header_refused(&identity);
	assert_int_equal(keys.next, 0);
	verifier.now_s = NOW;
	test_header_form(NULL);
	test_header_form(NULL);
	assert_int_equal(keys.next, 1);
	verifier.find = find_other;
	test_header_refused(&identity);
	assert_int_equal(keys.next, 2);
	verifier.find = find;
	test_header_form(NULL);
	assert_int_equal(keys.next, 2);
	verifier.keys = NULL;
}

static void test_query_form(void **state)
{
	const struct sigv4_header headers[] = {HOST, {"X-Amz-Meta-A", "b"}};
	const struct sigv4_header both[] = {HOST, {"Authorization", CREDENTIAL}};
	struct sigv4_identity identity;

	(void)state;
	assert_int_equal(verify("GET", "/test.txt", PRESIGNED "&X-Amz-Expires=86400", headers, 1,
				 &identity),
		SIGV4_OK);
	assert_int_equal(identity.payload, SIGV4_PAYLOAD_UNSIGNED);
	assert_string_equal(identity.payload_sha256, "");
	assert_int_equal(verify("GET", "/test.txt", PRESIGNED "&X-Amz-Expires=86401", headers, 1,
				 &identity),
		SIGV4_MISMATCH);
	assert_int_equal(verify("GET", "/test.txt", PRESIGNED "&X-Amz-Expires=86400", headers, 2,
				 &identity),
		SIGV4_UNSIGNED);
	assert_int_equal(verify("GET", "/test.txt", PRESIGNED "&X-Amz-Expires=86400", both, 2,
				 &identity),
		SIGV4_BOTH);
	assert_int_equal(verify("GET", "/test.txt",
				 PRESIGNED "&X-Amz-Expires=86400&X-Amz-Expires=86400", headers, 1,
				 &identity),
		SIGV4_QUERY);
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = {"", "&X-Amz-Expires=0", "&X-Amz-Expires=604801",
			"&X-Amz-Expires=-1", "&X-Amz-Expires="};
		DF_STR struct df_str query = DF_STR_EMPTY;

		df_str_addf(&query, "%s%s", PRESIGNED, bad[i]);
		assert_int_equal(verify("GET", "/test.txt", query.data, headers, 1, &identity),
			SIGV4_QUERY);
	}
	verifier.now_s = NOW + 86400;
	assert_int_equal(verify("GET", "/test.txt", PRESIGNED "&X-Amz-Expires=86400", headers, 1,
				 &identity),
		SIGV4_OK);
	verifier.now_s = NOW + 86401;
	assert_int_equal(verify("GET", "/test.txt", PRESIGNED "&X-Amz-Expires=86400", headers, 1,
				 &identity),
		SIGV4_EXPIRED);
	verifier.now_s = NOW - SIGV4_SKEW_S - 1;
	assert_int_equal(verify("GET", "/test.txt", PRESIGNED "&X-Amz-Expires=86400", headers, 1,
				 &identity),
		SIGV4_EARLY);
	verifier.now_s = NOW;
}

/* The range example with other headers in place of its own. */
static int altered(size_t which, const char *name, const char *value)
{
	struct sigv4_header headers[] = {HOST, DATE, {"range", "bytes=0-9"},
		{"x-amz-content-sha256", EMPTY},
		{"Authorization",
			CREDENTIAL
			"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=" RANGE_SIGNATURE},
		{"Accept", "*/*"}};
	struct sigv4_identity identity;

	headers[which] = (struct sigv4_header){name, value};
	return verify("GET", "/test.txt", NULL, headers, COUNT(headers), &identity);
}

#define SCOPED(scope)                        \
	"AWS4-HMAC-SHA256 Credential=" scope \
	",SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=" RANGE_SIGNATURE
#define NAMES(names) CREDENTIAL "SignedHeaders=" names ",Signature=" RANGE_SIGNATURE

static void test_refused(void **state)
{
	static const struct {
		size_t which;
		const char *name, *value;
		int result;
	} cases[] = {
		{5, "Accept", "x", SIGV4_OK},
		{2, "Range", "  bytes=0-9\t ", SIGV4_OK},
		{2, "Range", "bytes=0-8", SIGV4_MISMATCH},
		{5, "range", "bytes=0-9", SIGV4_MISMATCH},
		{5, "x-amz-acl", "public-read", SIGV4_UNSIGNED},
		{5, "Host", "examplebucket.s3.amazonaws.com", SIGV4_INCOMPLETE},
		{0, "Hosts", "examplebucket.s3.amazonaws.com", SIGV4_INCOMPLETE},
		{5, "x-amz-date", "20130524T000000Z", SIGV4_INCOMPLETE},
		{5, "x-amz-content-sha256", EMPTY, SIGV4_INCOMPLETE},
		{5, "authorization", "Basic eDp5", SIGV4_INCOMPLETE},
		{1, "x-amz-date", "20130524T001501Z", SIGV4_SKEWED},
		{1, "x-amz-date", "20130524T001500Z", SIGV4_MISMATCH},
		{1, "x-amz-date", "20130523T234459Z", SIGV4_SCOPE},
		{1, "x-amz-date", "20130532T000000Z", SIGV4_INCOMPLETE},
		{1, "x-amz-date", "2013-05-24T0000Z", SIGV4_INCOMPLETE},
		{1, "x-date", "20130524T000000Z", SIGV4_INCOMPLETE},
		{3, "x-amz-content-sha256", "E3b0", SIGV4_PAYLOAD},
		{3, "x-other", EMPTY, SIGV4_PAYLOAD},
		{4, "x-authorization", "", SIGV4_MISSING},
		{4, "authorization", "", SIGV4_MISSING},
		{4, "authorization", "Bearer x", SIGV4_MISSING},
		{4, "authorization", "AWS a:b", SIGV4_INCOMPLETE},
		{4, "authorization", "AWS4-HMAC-SHA256", SIGV4_INCOMPLETE},
		{4, "authorization", "AWS4-HMAC-SHA256 ,", SIGV4_INCOMPLETE},
		{4, "authorization", CREDENTIAL "Signature=" RANGE_SIGNATURE, SIGV4_INCOMPLETE},
		{4, "authorization", CREDENTIAL "SignedHeaders=host", SIGV4_INCOMPLETE},
		{4, "authorization", NAMES("host;range") ",Signature=a", SIGV4_INCOMPLETE},
		{4, "authorization", NAMES("range;host;x-amz-content-sha256;x-amz-date"),
			SIGV4_INCOMPLETE},
		{4, "authorization", NAMES("host;host;x-amz-date"), SIGV4_INCOMPLETE},
		{4, "authorization", NAMES("Host;x-amz-date"), SIGV4_INCOMPLETE},
		{4, "authorization", NAMES("host;;x-amz-date"), SIGV4_INCOMPLETE},
		{4, "authorization", NAMES("host;nobody;x-amz-content-sha256;x-amz-date"),
			SIGV4_INCOMPLETE},
		{4, "authorization", NAMES("range;x-amz-content-sha256;x-amz-date"),
			SIGV4_UNSIGNED},
		{4, "authorization", NAMES("host;range"), SIGV4_UNSIGNED},
		{4, "authorization", NAMES("host;x-amz-content-sha256;x-amz-date"), SIGV4_MISMATCH},
		{4, "authorization", SCOPED("NOBODY/20130524/us-east-1/s3/aws4_request"),
			SIGV4_UNKNOWN_KEY},
		{4, "authorization", SCOPED(KEY_ID "/20130525/us-east-1/s3/aws4_request"),
			SIGV4_SCOPE},
		{4, "authorization", SCOPED(KEY_ID "/20130524/us-east-2/s3/aws4_request"),
			SIGV4_SCOPE},
		{4, "authorization", SCOPED(KEY_ID "/20130524/us-east-1/lambda/aws4_request"),
			SIGV4_SCOPE},
		{4, "authorization", SCOPED(KEY_ID "/20130524/us-east-1/s3/aws4"),
			SIGV4_INCOMPLETE},
		{4, "authorization", SCOPED(KEY_ID "/20130524/us-east-1/s3"), SIGV4_INCOMPLETE},
		{4, "authorization", SCOPED(KEY_ID "/20130524//s3/aws4_request"), SIGV4_INCOMPLETE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int result = altered(cases[i].which, cases[i].name, cases[i].value);

		if (result != cases[i].result)
			fail_msg("%s: %s: %d, not %d", cases[i].name, cases[i].value, result,
				cases[i].result);
	}
	verifier.user = &verifier;
	assert_int_equal(altered(5, "a", "b"), -EIO);
	verifier.user = NULL;
}

static void test_need_body(void **state)
{
	const struct sigv4_header headers[] = {HOST, DATE,
		{"authorization",
			"AWS4-HMAC-SHA256 Credential=" KEY_ID
			"/20130524/us-east-1/lambda/aws4_request,"
			"SignedHeaders=host;x-amz-date,Signature=" RANGE_SIGNATURE}};
	const struct sigv4_header unsigned_payload[] = {HOST, DATE,
		{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"},
		{"authorization",
			"AWS4-HMAC-SHA256 Credential=" KEY_ID
			"/20130524/us-east-1/lambda/aws4_request,"
			"SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
			"Signature=" RANGE_SIGNATURE}};
	const struct sigv4_header range[] = {HOST, DATE, {"range", "bytes=0-9"},
		{"x-amz-content-sha256", EMPTY},
		{"Authorization", NAMES("host;range;x-amz-content-sha256;x-amz-date")}};
	struct sigv4_request request = {
		.method = "POST", .path = "/", .headers = headers, .header_count = COUNT(headers)};
	struct sigv4_identity identity;
	char hash[SIGV4_HEX_BYTES];

	(void)state;
	assert_int_equal(sigv4_sha256("", 0, hash), 0);
	assert_string_equal(hash, EMPTY);
	verifier.service = "lambda";
	assert_int_equal(sigv4_verify(&verifier, &request, &identity), SIGV4_NEED_BODY);
	request.body_sha256 = EMPTY;
	assert_int_equal(sigv4_verify(&verifier, &request, &identity), SIGV4_MISMATCH);
	request.headers = unsigned_payload;
	request.header_count = COUNT(unsigned_payload);
	assert_int_equal(sigv4_verify(&verifier, &request, &identity), SIGV4_PAYLOAD);
	verifier.service = "s3";
	request = (struct sigv4_request){.method = "GET",
		.path = "/test.txt",
		.headers = range,
		.header_count = COUNT(range),
		.body_sha256 = EMPTY};
	assert_int_equal(sigv4_verify(&verifier, &request, &identity), SIGV4_OK);
	assert_int_equal(sigv4_sha256("x", 1, hash), 0);
	request.body_sha256 = hash;
	assert_int_equal(sigv4_verify(&verifier, &request, &identity), SIGV4_BODY);
}

/* The seed request of the examples that come in chunks. */
static void seed(struct sigv4_identity *identity, const char *payload, bool trailer,
	const char *authorization)
{
	const struct sigv4_header headers[] = {{"Host", "s3.amazonaws.com"}, DATE,
		{"x-amz-storage-class", "REDUCED_REDUNDANCY"}, {"x-amz-content-sha256", payload},
		{"Content-Encoding", "aws-chunked"}, {"x-amz-decoded-content-length", "66560"},
		{"authorization", authorization},
		trailer ? (struct sigv4_header){"x-amz-trailer", "x-amz-checksum-crc32c"}
			: (struct sigv4_header){"Content-Length", "66824"}};

	assert_int_equal(verify("PUT", "/examplebucket/chunkObject.txt", NULL, headers,
				 COUNT(headers), identity),
		SIGV4_OK);
}

static void chunk(struct sigv4_identity *identity, size_t length, const char *signature)
{
	static char data[65536];
	char hash[SIGV4_HEX_BYTES], wrong[SIGV4_HEX_BYTES];

	memset(data, 'a', sizeof(data));
	assert_int_equal(sigv4_sha256(data, length, hash), 0);
	memcpy(wrong, signature, sizeof(wrong));
	wrong[63] ^= 1;
	assert_int_equal(sigv4_chunk(identity, hash, wrong), SIGV4_MISMATCH);
	assert_int_equal(sigv4_chunk(identity, hash, ""), SIGV4_MISMATCH);
	assert_int_equal(sigv4_chunk(identity, hash, signature), SIGV4_OK);
}

static void test_chunks(void **state)
{
	struct sigv4_identity identity;

	(void)state;
	seed(&identity, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false,
		CREDENTIAL
		"SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;"
		"x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature="
		"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
	assert_int_equal(identity.payload, SIGV4_PAYLOAD_CHUNKS);
	chunk(&identity, 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
	chunk(&identity, 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
	chunk(&identity, 0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
	sigv4_forget(&identity);
}

static void test_trailer(void **state)
{
	const struct sigv4_header trailer[] = {{"X-Amz-Checksum-Crc32c", " sOO8/Q== "}};
	const struct sigv4_header wrong[] = {{"x-amz-checksum-crc32c", "sOO8/Q="}};
	static const char signature[] =
		"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
	struct sigv4_identity identity;

	(void)state;
	seed(&identity, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true,
		CREDENTIAL
		"SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;"
		"x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature="
		"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
	assert_int_equal(identity.payload, SIGV4_PAYLOAD_CHUNKS_TRAILER);
	chunk(&identity, 65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
	chunk(&identity, 1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
	chunk(&identity, 0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
	assert_int_equal(sigv4_trailer(&identity, wrong, 1, signature), SIGV4_MISMATCH);
	assert_int_equal(sigv4_trailer(&identity, wrong, 0, signature), SIGV4_MISMATCH);
	assert_int_equal(sigv4_trailer(&identity, trailer, 1, signature), SIGV4_OK);
}

static void path_is(const char *path, bool s3, const char *want)
{
	DF_STR struct df_str text = DF_STR_EMPTY;

	assert_true(sigv4_canonical_path(&text, path, s3));
	assert_string_equal(df_str_text(&text), want);
}

static void test_canonical(void **state)
{
	DF_STR struct df_str query = DF_STR_EMPTY;

	(void)state;
	path_is("", false, "/");
	path_is("/", false, "/");
	path_is("/../a/./b//c/..", false, "/a/b");
	path_is("/a/..", false, "/");
	path_is("/a/b/", false, "/a/b/");
	path_is("/a//", false, "/a/");
	path_is("/a%20b:~c", false, "/a%2520b%3A~c");
	path_is("/a//../b%2fc", true, "/a//../b/c");
	path_is("/%C3%BC%e2%82%ac+", true, "/%C3%BC%E2%82%AC%2B");
	assert_int_equal(sigv4_canonical_query(&query, "b=2&a-=3&a=+%2b&a=1&c&%C3%BC=/=&a=10",
				 false),
		SIGV4_OK);
	assert_string_equal(df_str_text(&query), "%C3%BC=%2F%3D&a=%20%2B&a=1&a=10&a-=3&b=2&c=");
}

static void test_errors(void **state)
{
	(void)state;
	for (int i = SIGV4_MISSING; i < SIGV4_RESULTS; i++) {
		const struct sigv4_error *error = sigv4_error((enum sigv4_result)i);

		assert_true(error->status >= 400 && error->s3 && error->json && error->message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_form),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_query_form),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_need_body),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_trailer),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
