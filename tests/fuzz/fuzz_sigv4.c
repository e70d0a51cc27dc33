// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of what signed requests are made of before anyone is trusted: header and query form, canonicalisation, chunks (daemon/auth/sigv4.c).
 * The input is text: method, path, query, body's hash, then "name:value" headers, one a line. What verifies must not verify with another secret.
 */
#include "daemon/auth/sigv4.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *secret_text;

static int find(void *user, const char *access_key_id, char secret[SIGV4_SECRET_MAX + 1])
{
	(void)user;
	if (strlen(access_key_id) > SIGV4_KEY_ID_MAX)
		abort();
	strcpy(secret, secret_text);
	return *access_key_id != 'X';
}

/* The text up to the next new line, terminated; "" at the end. */
static const char *line(char **rest)
{
	char *found = strsep(rest, "\n");

	return found ? found : "";
}

static size_t split_headers(char *rest, struct sigv4_header *headers)
{
	size_t count = 0;

	while (rest && count < SIGV4_HEADERS_MAX) {
		char *name = strsep(&rest, "\n"), *colon = strchr(name, ':');

		if (!colon)
			continue;
		*colon = '\0';
		headers[count++] = (struct sigv4_header){name, colon + 1};
	}
	return count;
}

static int verify(const char *service, const struct sigv4_request *request, const char *secret)
{
	const struct sigv4_verifier verifier = {
		.region = "us-east-1", .service = service, .now_s = 1369353600, .find = find};
	struct sigv4_identity identity;
	int result;

	secret_text = secret;
	result = sigv4_verify(&verifier, request, &identity);
	if (result < 0 || result >= SIGV4_RESULTS)
		abort();
	if (result == SIGV4_OK &&
		(strlen(identity.signature) != 64 || strlen(identity.timestamp) != 16))
		abort();
	if (result == SIGV4_OK &&
		sigv4_trailer(&identity, request->headers, request->header_count, "") == SIGV4_OK)
		abort();
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sigv4_header headers[SIGV4_HEADERS_MAX];
	char *text = malloc(size + 1), *rest = text;
	struct sigv4_request request = {.headers = headers};
	const char *hash;

	memcpy(text, data, size);
	text[size] = '\0';
	request.method = line(&rest);
	request.path = line(&rest);
	request.query = line(&rest);
	hash = line(&rest);
	request.body_sha256 = *hash ? hash : NULL;
	request.header_count = split_headers(rest, headers);
	if (verify("s3", &request, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY") == SIGV4_OK &&
		verify("s3", &request, "another") != SIGV4_MISMATCH)
		abort();
	verify("lambda", &request, "another");
	free(text);
	return 0;
}
