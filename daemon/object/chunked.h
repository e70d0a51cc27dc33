/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the content coding aws-chunked, as they stream by: chunks with their lengths, perhaps each with a signature that is verified before the next chunk is
 * taken, and perhaps a trailer. (Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and "... with Trailing
 * Headers" in the S3 API Reference.)
 *
 *	400;chunk-signature=SIGNATURE\r\n DATA \r\n ... 0;chunk-signature=SIGNATURE\r\n x-amz-checksum-crc32:VALUE\r\n x-amz-trailer-signature:SIGNATURE\r\n \r\n
 *
 * What a chunk brings is handed on before its signature is known to be right: whoever keeps it does so provisionally.
 */
#ifndef DAEMON_OBJECT_CHUNKED_H
#define DAEMON_OBJECT_CHUNKED_H

#include "daemon/auth/sigv4.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNKED_LINE_MAX 1024
#define CHUNKED_CHUNK_MAX (1ull << 30) /* bytes */
#define CHUNKED_TRAILERS_MAX 8

enum chunked_result {
	CHUNKED_MORE, /* all was taken */
	CHUNKED_MALFORMED,
	CHUNKED_SIGNATURE, /* of a chunk or of the trailer: wrong */
	CHUNKED_STOPPED, /* `data` said so */
	CHUNKED_FAILED, /* no memory, or libcrypto */
};

struct chunked {
	/* Set by the caller: */
	struct sigv4_identity
		*identity; /* verified; its payload says which form it is; its signature changes */
	int (*data)(void *user, const void *bytes, size_t length); /* 0, or stop */
	void *user;
	/* Its own: */
	int state;
	bool done; /* the body is complete */
	uint64_t left; /* of the chunk */
	char line[CHUNKED_LINE_MAX + 1];
	size_t line_length;
	char signature[SIGV4_HEX_BYTES]; /* of the chunk */
	EVP_MD_CTX *hash; /* of the chunk; NULL if they are not signed */
	char *trailer_lines[CHUNKED_TRAILERS_MAX]; /* "name\0value" */
	struct sigv4_header trailers[CHUNKED_TRAILERS_MAX];
	size_t trailer_count;
};

/* Begins a body of `identity`, of a payload CHUNKS, CHUNKS_TRAILER or UNSIGNED_TRAILER. Returns 0 or -ENOMEM; chunked_deinit must follow. */
int chunked_init(struct chunked *chunked, struct sigv4_identity *identity,
	int (*data)(void *user, const void *bytes, size_t length), void *user)
	__attribute__((warn_unused_result));
void chunked_deinit(struct chunked *chunked); /* also of zeroed memory */

/* Takes the next bytes of the body. Not after another result than CHUNKED_MORE. */
enum chunked_result chunked_feed(struct chunked *chunked, const char *bytes, size_t length)
	__attribute__((warn_unused_result));

/* The value of a trailer, or NULL. Once it is done. */
const char *chunked_trailer(const struct chunked *chunked, const char *name);

#endif
