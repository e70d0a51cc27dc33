/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, the server's side: was this request signed by someone who knows the secret of the key it names?
 * (Source: "AWS Signature Version 4 for API requests" in the IAM User Guide, "Authenticating Requests" in the S3 API Reference.)
 *
 * Both forms: the Authorization header, and the presigned query string, which is good for at most 7 days. Requests are described by plain
 * structs; clock and secrets come from the caller, so nothing here blocks, and every function may be called from any thread.
 *
 * What is demanded beyond a matching signature: Host and every x-amz-* header are signed, the time is within 15 minutes of
 * the caller's clock, date, region and service of the credential scope are right, each part is there once.
 *
 * A face calls sigv4_verify when the headers are in. SIGV4_NEED_BODY: all that can be known without the body is right; read the body, and
 * call again with its hash. Signatures are compared in constant time.
 */
#ifndef DAEMON_SIGV4_H
#define DAEMON_SIGV4_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define SIGV4_HEX_BYTES 65 /* 64 digits and the terminator */
#define SIGV4_KEY_ID_MAX 128
#define SIGV4_SECRET_MAX 128
#define SIGV4_SCOPE_MAX 160
#define SIGV4_SKEW_S 900
#define SIGV4_EXPIRES_MAX_S 604800
#define SIGV4_HEADERS_MAX 200 /* of a request, and parameters of its query: more are refused */

/* As they came. A name may appear more than once. Compared without regard to case. */
struct sigv4_header {
	const char *name;
	const char *value;
};

struct sigv4_request {
	const char *method;
	const char *path; /* with its percent signs, up to '?' */
	const char *query; /* behind '?', or NULL */
	const struct sigv4_header *headers;
	size_t header_count; /* at most SIGV4_HEADERS_MAX */
	const char *body_sha256; /* 64 lower-case digits, or NULL: not known yet */
};

/*
 * Signing keys that were derived lately: deriving one (four HMACs) costs more than all else. Zeroed memory with an initialised lock; shared by any number of
 * threads. It holds secrets.
 */
#define SIGV4_KEYS 8
struct sigv4_keys {
	pthread_mutex_t lock;
	/* protected by lock: */
	struct {
		char scope[SIGV4_SCOPE_MAX];
		char secret[SIGV4_SECRET_MAX + 1];
		unsigned char key[32];
	} entries[SIGV4_KEYS];
	unsigned int next; /* to be replaced */
};

/* Whom we are, and whom we know. */
struct sigv4_verifier {
	const char *region; /* "us-east-1" */
	const char *service; /* "lambda", "s3" */
	int64_t now_s; /* since 1970 */
	/* The secret of a key, at most SIGV4_SECRET_MAX characters, terminated. Returns 1, 0 (no such key) or -errno. */
	int (*find)(void *user, const char *access_key_id, char secret[SIGV4_SECRET_MAX + 1]);
	void *user;
	struct sigv4_keys *keys; /* or NULL */
};

enum sigv4_payload {
	SIGV4_PAYLOAD_HASHED, /* the body's hash is signed; compare it (payload_sha256) if it was not given */
	SIGV4_PAYLOAD_UNSIGNED, /* UNSIGNED-PAYLOAD: nothing is known about the body */
	SIGV4_PAYLOAD_CHUNKS, /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD: each chunk is signed */
	SIGV4_PAYLOAD_CHUNKS_TRAILER, /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
	SIGV4_PAYLOAD_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

/* A verified request. Holds what later chunks are verified with: wipe it when done (sigv4_forget). */
struct sigv4_identity {
	char access_key_id[SIGV4_KEY_ID_MAX + 1];
	enum sigv4_payload payload;
	char payload_sha256[SIGV4_HEX_BYTES]; /* with HASHED; else empty */
	int64_t signed_s; /* when, since 1970 */
	char timestamp[17]; /* the same, "20130524T000000Z" */
	char scope[SIGV4_SCOPE_MAX]; /* "20130524/us-east-1/s3/aws4_request" */
	unsigned char key[32]; /* the signing key: secret */
	char signature
		[SIGV4_HEX_BYTES]; /* of the request; then of the last chunk that was verified */
};

enum sigv4_result {
	SIGV4_OK,
	SIGV4_NEED_BODY, /* body_sha256 was NULL and no header has it */
	SIGV4_MISSING, /* it is not signed at all */
	SIGV4_INCOMPLETE, /* a part is missing, there twice, or malformed */
	SIGV4_QUERY, /* the same of a presigned query */
	SIGV4_BOTH, /* header and query form together */
	SIGV4_UNKNOWN_KEY,
	SIGV4_SCOPE, /* for another date, region or service */
	SIGV4_SKEWED, /* more than 15 minutes off */
	SIGV4_EXPIRED, /* presigned, and too late */
	SIGV4_EARLY, /* presigned for the future */
	SIGV4_UNSIGNED, /* Host or an x-amz-* header is not signed */
	SIGV4_MISMATCH, /* the signature is wrong */
	SIGV4_BODY, /* the body is not the one that was signed */
	SIGV4_PAYLOAD, /* x-amz-content-sha256 has no valid value */
	SIGV4_PATH, /* a percent sign without two digits, in path or query */
	SIGV4_TOO_MANY, /* headers or parameters */
	SIGV4_RESULTS
};

/* What a result is called in answers. */
struct sigv4_error {
	unsigned int status; /* of HTTP */
	const char *s3; /* <Code> of S3's XML */
	const char *json; /* x-amzn-errortype of the services with JSON */
	const char *message;
};

/* Of every result but OK and NEED_BODY. Static. */
const struct sigv4_error *sigv4_error(enum sigv4_result result);

/*
 * Verifies a request. Returns an enum sigv4_result, -ENOMEM, -EIO (libcrypto failed), or what `find` returned; *identity is filled
 * with SIGV4_OK only. Payloads other than hashed ones are accepted for the service "s3" only; a presigned request of "s3" without
 * an x-amz-content-sha256 header has an unsigned payload.
 */
int sigv4_verify(const struct sigv4_verifier *verifier, const struct sigv4_request *request,
	struct sigv4_identity *identity) __attribute__((warn_unused_result));

/*
 * Verifies the next chunk of a payload CHUNKS or CHUNKS_TRAILER, in order, the last one (of no bytes) too: `sha256` is its data's hash, `signature`
 * what stands in the chunk's header (chunk-signature=), any text. Returns SIGV4_OK, SIGV4_MISMATCH or -EIO.
 */
int sigv4_chunk(struct sigv4_identity *identity, const char sha256[SIGV4_HEX_BYTES],
	const char *signature) __attribute__((warn_unused_result));

/*
 * Verifies the trailer that follows the last chunk of CHUNKS_TRAILER: its headers without x-amz-trailer-signature, whose value is
 * `signature`. Returns SIGV4_OK, SIGV4_MISMATCH, SIGV4_TOO_MANY, -ENOMEM or -EIO.
 */
int sigv4_trailer(struct sigv4_identity *identity, const struct sigv4_header *headers, size_t count,
	const char *signature) __attribute__((warn_unused_result));

/* The SHA-256 of `length` bytes as 64 lower-case digits. Returns 0 or -EIO. */
int sigv4_sha256(const void *bytes, size_t length, char hex[SIGV4_HEX_BYTES])
	__attribute__((warn_unused_result));

/* Wipes the signing key. */
void sigv4_forget(struct sigv4_identity *identity);

#endif
