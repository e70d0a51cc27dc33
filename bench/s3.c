// SPDX-License-Identifier: Apache-2.0
/*
 * What putting and getting objects costs, and what it costs without an object store. Prints how many came to their end per second.
 *
 *	bench-s3 put PORT CREDENTIALS BUCKET CLIENTS SECONDS BYTES    puts of new objects, signed
 *	bench-s3 get PORT CREDENTIALS BUCKET CLIENTS SECONDS BYTES    gets of one object, "file", signed
 *	bench-s3 job PORT CREDENTIALS BUCKET THUMBS CLIENTS COUNT FILE
 *	                                                              FILE is put COUNT times, NAME.jpg, and waited for: THUMBS/NAME.webp
 *	bench-s3 files DIRECTORY CLIENTS SECONDS BYTES                each file written beside, fsync, rename
 *
 * `job` prints JSON instead: rate, results per second; and with one client, which waits for each result before its next put, p50, ns from a put's beginning
 * until its result can be read. Several clients put without waiting, and one more thread looks for the results.
 *
 * Each client is a thread with one connection that it keeps. Bodies are not hashed by the client (UNSIGNED-PAYLOAD): what is measured is the server. The
 * same gets go to bench-http-static, which does not look at signatures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define HEAD_MAX 4096
#define RESULT_MAX (256u << 10)
#define JOB_SECONDS_MAX 60

static struct {
	const char *what, *bucket, *directory;
	uint16_t port;
	char id[129], secret[129];
	unsigned int clients;
	double seconds;
	size_t bytes;
	char *body;
} o;

static _Atomic bool over;
static unsigned long counts[CLIENTS_MAX];

static void die(const char *what)
{
	fprintf(stderr, "bench-s3: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- signing --- */

static void hex(const unsigned char *bytes, char text[65])
{
	for (int i = 0; i < 32; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

static void mac(const void *key, int length, const char *text, unsigned char out[32])
{
	HMAC(EVP_sha256(), key, length, (const unsigned char *)text, strlen(text), out, NULL);
}

static void sign(const char *method, const char *path, char *head)
{
	char date[17], canonical[2048], text[512], hash[65], signature[65], scope[64], start[160];
	unsigned char digest[32], key[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(scope, sizeof(scope), "%.8s/us-east-1/s3/aws4_request", date);
	snprintf(canonical, sizeof(canonical),
		"%s\n%s\n\nhost:127.0.0.1:%u\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:%s\n\n"
		"host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
		method, path, o.port, date);
	EVP_Digest(canonical, strlen(canonical), digest, NULL, EVP_sha256(), NULL);
	hex(digest, hash);
	snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash);
	snprintf(start, sizeof(start), "AWS4%s", o.secret);
	mac(start, (int)strlen(start),
		(char[]){date[0], date[1], date[2], date[3], date[4], date[5], date[6], date[7], 0},
		key);
	mac(key, 32, "us-east-1", key);
	mac(key, 32, "s3", key);
	mac(key, 32, "aws4_request", key);
	mac(key, 32, text, digest);
	hex(digest, signature);
	snprintf(head, HEAD_MAX,
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: %s\r\n"
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=%s\r\n"
		"Content-Length: %zu\r\n\r\n",
		method, path, o.port, date, o.id, scope, signature,
		strcmp(method, "PUT") == 0 ? o.bytes : 0);
}

static void read_credentials(const char *path)
{
	char line[512];
	FILE *file = fopen(path, "r");

	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "aws_access_key_id = %128s", o.id);
		sscanf(line, "aws_secret_access_key = %128s", o.secret);
	}
	fclose(file);
}

/* --- clients --- */

static int connect_to(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(o.port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void send_all(int fd, const char *bytes, size_t length, int flags)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, flags | MSG_NOSIGNAL);

		if (sent <= 0)
			die("send");
		bytes += sent;
		length -= (size_t)sent;
	}
}

/* Reads an answer to its end; it must be 200, or 404 where that may be: then false. */
static bool read_answer(int fd, char *buffer, size_t room, bool may_miss)
{
	size_t got = 0, want = 0;
	char *end = NULL, *length;
	bool found = true;

	while (!end || got < want) {
		ssize_t more = recv(fd, buffer + got, room - 1 - got, 0);

		if (more <= 0)
			die("recv");
		got += (size_t)more;
		buffer[got] = '\0';
		end = end ? end : strstr(buffer, "\r\n\r\n");
		if (!end || want)
			continue;
		length = strcasestr(buffer, "content-length:");
		want = (size_t)(end - buffer) + 4 +
			(length && length < end ? strtoul(length + 15, NULL, 10) : 0);
		found = strncmp(buffer, "HTTP/1.1 200", 12) == 0;
		if ((!found && !(may_miss && strncmp(buffer, "HTTP/1.1 404", 12) == 0)) ||
			want >= room) {
			fprintf(stderr, "bench-s3: %.400s\n", buffer);
			exit(1);
		}
	}
	return found;
}

static void *client(void *user)
{
	unsigned long number = (unsigned long)user;
	char head[HEAD_MAX], path[128], *buffer = malloc(o.bytes + 65536);
	bool put = strcmp(o.what, "put") == 0;
	int fd = connect_to();

	for (unsigned long n = 0; !over; n++) {
		if (put)
			snprintf(path, sizeof(path), "/%s/%d-%lu-%lu", o.bucket, getpid(), number,
				n);
		else
			snprintf(path, sizeof(path), "/%s/file", o.bucket);
		sign(put ? "PUT" : "GET", path, head);
		send_all(fd, head, strlen(head), put ? MSG_MORE : 0);
		if (put)
			send_all(fd, o.body, o.bytes, 0);
		read_answer(fd, buffer, o.bytes + 65536, false);
		counts[number]++;
	}
	close(fd);
	free(buffer);
	return NULL;
}

static void *writer(void *user)
{
	unsigned long number = (unsigned long)user;
	char beside[512], path[512];

	for (unsigned long n = 0; !over; n++) {
		int fd;

		snprintf(beside, sizeof(beside), "%s/.%d-%lu", o.directory, getpid(), number);
		snprintf(path, sizeof(path), "%s/%d-%lu-%lu", o.directory, getpid(), number, n);
		fd = open(beside, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || write(fd, o.body, o.bytes) != (ssize_t)o.bytes || fsync(fd) < 0 ||
			close(fd) < 0 || rename(beside, path) < 0)
			die(path);
		counts[number]++;
	}
	return NULL;
}

/* --- put, and wait for what comes of it --- */

static struct {
	const char *thumbs;
	unsigned long count;
	_Atomic unsigned long next;
	double *took; /* seconds, by number of the put; with one client only */
} job;

/* Asks again and again, with pauses that leave the processors to who makes it. */
static void wait_for(int fd, unsigned long n)
{
	const struct timespec pause = {0, o.clients == 1 ? 500000 : 5000000};
	char head[HEAD_MAX], path[128], buffer[RESULT_MAX];

	snprintf(path, sizeof(path), "/%s/%d-%lu.webp", job.thumbs, getpid(), n);
	for (double end = now_s() + JOB_SECONDS_MAX;;) {
		sign("GET", path, head);
		send_all(fd, head, strlen(head), 0);
		if (read_answer(fd, buffer, sizeof(buffer), true))
			return;
		if (now_s() > end) {
			fprintf(stderr, "bench-s3: %s does not come\n", path);
			exit(1);
		}
		nanosleep(&pause, NULL);
	}
}

static void *putter(void *user)
{
	char head[HEAD_MAX], path[128], buffer[RESULT_MAX];
	int fd = connect_to();
	unsigned long n;

	(void)user;
	while ((n = job.next++) < job.count) {
		double start = now_s();

		snprintf(path, sizeof(path), "/%s/%d-%lu.jpg", o.bucket, getpid(), n);
		sign("PUT", path, head);
		send_all(fd, head, strlen(head), MSG_MORE);
		send_all(fd, o.body, o.bytes, 0);
		read_answer(fd, buffer, sizeof(buffer), false);
		if (o.clients == 1)
			wait_for(fd, n);
		job.took[n] = now_s() - start;
	}
	close(fd);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void read_body(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file || fseek(file, 0, SEEK_END) < 0)
		die(path);
	o.bytes = (size_t)ftell(file);
	rewind(file);
	o.body = malloc(o.bytes + 1);
	if (!o.body || fread(o.body, 1, o.bytes, file) != o.bytes)
		die(path);
	fclose(file);
}

static int run_job(char **argv)
{
	pthread_t threads[CLIENTS_MAX];
	double start;
	int fd;

	o.port = (uint16_t)atoi(argv[2]);
	read_credentials(argv[3]);
	o.bucket = argv[4];
	job.thumbs = argv[5];
	o.clients = (unsigned int)atoi(argv[6]);
	job.count = strtoul(argv[7], NULL, 10);
	read_body(argv[8]);
	job.took = calloc(job.count, sizeof(*job.took));
	if (!job.took || o.clients == 0 || o.clients > CLIENTS_MAX || job.count == 0)
		return 2;
	fd = connect_to();
	start = now_s();
	for (unsigned long i = 0; i < o.clients; i++) {
		if (pthread_create(&threads[i], NULL, putter, NULL))
			die("pthread_create");
	}
	for (unsigned long n = 0; o.clients > 1 && n < job.count; n++)
		wait_for(fd, n);
	for (unsigned int i = 0; i < o.clients; i++)
		pthread_join(threads[i], NULL);
	printf("{\"rate\": %.2f", (double)job.count / (now_s() - start));
	qsort(job.took, job.count, sizeof(*job.took), compare);
	if (o.clients == 1)
		printf(", \"p50\": %.0f", job.took[job.count / 2] * 1e9);
	printf("}\n");
	close(fd);
	free(job.took);
	free(o.body);
	return 0;
}

int main(int argc, char **argv)
{
	bool files = argc == 6 && strcmp(argv[1], "files") == 0;
	pthread_t threads[CLIENTS_MAX];
	unsigned long sum = 0;
	double start, seconds;
	struct timespec pause;

	if (argc == 9 && strcmp(argv[1], "job") == 0)
		return run_job(argv);
	if (!files && argc != 8) {
		fprintf(stderr,
			"bench-s3 put|get PORT CREDENTIALS BUCKET CLIENTS SECONDS BYTES | files DIRECTORY CLIENTS SECONDS BYTES\n");
		return 2;
	}
	o.what = argv[1];
	o.clients = (unsigned int)atoi(argv[argc - 3]);
	seconds = o.seconds = atof(argv[argc - 2]);
	o.bytes = strtoul(argv[argc - 1], NULL, 10);
	o.body = malloc(o.bytes + 1);
	if (!o.body || o.clients == 0 || o.clients > CLIENTS_MAX)
		return 2;
	memset(o.body, 'x', o.bytes);
	if (files) {
		o.directory = argv[2];
	} else {
		o.port = (uint16_t)atoi(argv[2]);
		read_credentials(argv[3]);
		o.bucket = argv[4];
	}
	start = now_s();
	for (unsigned long i = 0; i < o.clients; i++) {
		if (pthread_create(&threads[i], NULL, files ? writer : client, (void *)i))
			die("pthread_create");
	}
	pause = (struct timespec){
		(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	nanosleep(&pause, NULL);
	over = true;
	for (unsigned int i = 0; i < o.clients; i++) {
		pthread_join(threads[i], NULL);
		sum += counts[i];
	}
	printf("%.1f\n", (double)sum / (now_s() - start));
	free(o.body);
	return 0;
}
