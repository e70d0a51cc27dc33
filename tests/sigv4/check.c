// SPDX-License-Identifier: Apache-2.0
/*
 * sigv4-check: verifies requests that it reads from standard input, and says what it found, one line each. tests/sigv4/botocore writes them:
 *
 *	REGION SERVICE NOW METHOD PATH HEADERS      then
 *	QUERY (may be empty)
 *	BODY-SHA256 (may be empty)
 *	NAME: VALUE                                  HEADERS times
 *
 * The key is AKIDEXAMPLE with the secret of AWS's own examples.
 */
#include "daemon/auth/sigv4.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 65536

static int find(void *user, const char *access_key_id, char secret[SIGV4_SECRET_MAX + 1])
{
	(void)user;
	strcpy(secret, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
	return strcmp(access_key_id, "AKIDEXAMPLE") == 0;
}

static char *read_line(void)
{
	static char line[LINE_MAX_BYTES];

	if (!fgets(line, sizeof(line), stdin))
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return strdup(line);
}

static char *must_read_line(void)
{
	char *line = read_line();

	if (!line) {
		fprintf(stderr, "sigv4-check: the input ends in the middle\n");
		exit(2);
	}
	return line;
}

static void read_header(struct sigv4_header *header)
{
	char *line = must_read_line(), *colon = strchr(line, ':');

	if (!colon) {
		fprintf(stderr, "sigv4-check: no header: %s\n", line);
		exit(2);
	}
	*colon = '\0';
	header->name = line;
	header->value = colon + 1;
}

static int verify(const char *line)
{
	static struct sigv4_header headers[SIGV4_HEADERS_MAX];
	static char path[LINE_MAX_BYTES];
	char region[64], service[64], method[16];
	struct sigv4_verifier verifier = {.region = region, .service = service, .find = find};
	struct sigv4_request request = {.method = method, .path = path, .headers = headers};
	struct sigv4_identity identity;
	int result;

	if (sscanf(line, "%63s %63s %" SCNd64 " %15s %65535s %zu", region, service, &verifier.now_s,
		    method, path, &request.header_count) != 6 ||
		request.header_count > SIGV4_HEADERS_MAX) {
		fprintf(stderr, "sigv4-check: no request: %s\n", line);
		exit(2);
	}
	request.query = must_read_line();
	request.body_sha256 = must_read_line();
	for (size_t i = 0; i < request.header_count; i++)
		read_header(&headers[i]);
	if (!*request.body_sha256) {
		free((char *)request.body_sha256);
		request.body_sha256 = NULL;
	}
	result = sigv4_verify(&verifier, &request, &identity);
	for (size_t i = 0; i < request.header_count; i++)
		free((char *)headers[i].name);
	free((char *)request.query);
	free((char *)request.body_sha256);
	return result;
}

int main(void)
{
	for (char *line; (line = read_line()); free(line))
		printf("%d\n", verify(line));
	return 0;
}
