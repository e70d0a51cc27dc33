/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of destinations: texts, records, files, and webhooks against a server of the test's own. */
#include "daemon/event/destination.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/write.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[] = "/tmp/dayfly-destination-XXXXXX";
static struct destination_settings settings = {.directory_fd = -1};

static struct queue_event event = {.id = 7,
	.kind = QUEUE_DELIVERY,
	.function = "squeeze",
	.request_id = "1b2c-3",
	.body = "{\"a\": 1}\n",
	.body_bytes = 9,
	.put_ms = 1573761365568};

static void test_texts(void **state)
{
	static const struct {
		const char *text, *again; /* again NULL: refused */
	} cases[] = {
		{"function:squeeze", "function:squeeze"},
		{"function:squeeze:$LATEST", "function:squeeze:$LATEST"},
		{"arn:aws:lambda:us-east-1:000000000000:function:a-b_C:live",
			"function:a-b_C:live"},
		{"https://example.com/hook?x=1", "https://example.com/hook?x=1"},
		{"http://[::1]:8080", "http://[::1]:8080"},
		{"file:{function}/{date}/{id}.json", "file:{function}/{date}/{id}.json"},
		{"", NULL},
		{"squeeze", NULL},
		{"function:", NULL},
		{"function:a/b", NULL},
		{"function:a$", NULL},
		{"function:a:", NULL},
		{"arn:aws:sqs:us-east-1:000000000000:queue", NULL},
		{"arn:aws:lambda:us-east-1:000000000000:function:", NULL},
		{"ftp://example.com/", NULL},
		{"http://", NULL},
		{"http://user:pass@example.com/", NULL},
		{"http://user@example.com/", NULL},
		{"https://example.com/a b", NULL},
		{"https://example.com/\r\nx: y", NULL},
		{"file:/srv/out/{name.stem}.webp", "file:/srv/out/{name.stem}.webp"},
		{"file:/etc/../passwd", NULL},
		{"file:/", NULL},
		{"file:a/../b", NULL},
		{"file:a//b", NULL},
		{"file:./b", NULL},
		{"file:.hidden", NULL},
		{"file:a/", NULL},
		{"file:{Name}", NULL},
		{"file:{}", NULL},
		{"file:{id", NULL},
		{"file:id}", NULL},
		{"object:thumbs/{key.stem}.webp", "object:thumbs/{key.stem}.webp"},
		{"object:thumbs/a//../b", "object:thumbs/a//../b"},
		{"object:{bucket}/a", NULL},
		{"object:thumbs{id}/a", NULL},
		{"object:thumbs", NULL},
		{"object:thumbs/", NULL},
		{"object:/a", NULL},
		{"object:ab/c", NULL},
		{"object:thumbs/{Key}", NULL},
		{"object:thumbs/a\nb", NULL},
		{"reply:function:f", "reply:function:f"},
		{"reply:https://example.com/x", "reply:https://example.com/x"},
		{"reply:file:a", NULL},
		{"reply:object:thumbs/a", NULL},
		{"reply:reply:function:f", NULL},
		{"reply:", NULL},
	};
	struct destination destination;
	struct df_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int error = destination_parse(cases[i].text, &destination, &err);

		if (error != (cases[i].again ? 0 : -EINVAL))
			fail_msg("'%s': %d", cases[i].text, error);
		if (error == 0) {
			DF_FREE char *again = destination_text(&destination);

			assert_string_equal(again, cases[i].again);
		}
	}
}

static void json_is(const char *text, enum destination_kind kind, const char *value)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	struct destination destination;
	struct df_err err;
	int error;

	assert_non_null(json);
	error = destination_parse_json(json, &destination, &err);
	json_decref(json);
	if (error != (value ? 0 : -EINVAL))
		fail_msg("%s: %d", text, error);
	if (value) {
		assert_int_equal(destination.kind, kind);
		assert_string_equal(destination.value, value);
	}
}

static void test_json(void **state)
{
	(void)state;
	json_is("\"function:f\"", DESTINATION_FUNCTION, "f");
	json_is("{\"function\": \"f\"}", DESTINATION_FUNCTION, "f");
	json_is("{\"webhook\": \"http://a/\"}", DESTINATION_WEBHOOK, "http://a/");
	json_is("{\"file\": \"{id}\"}", DESTINATION_FILE, "{id}");
	json_is("{\"object\": \"abc/{id}\"}", DESTINATION_OBJECT, "abc/{id}");
	json_is("{\"webhook\": \"http://a/\", \"body\": \"reply\"}", DESTINATION_WEBHOOK,
		"http://a/");
	json_is("{\"function\": \"f\", \"body\": \"record\"}", DESTINATION_FUNCTION, "f");
	json_is("{\"function\": \"f\", \"body\": \"all\"}", DESTINATION_FUNCTION, NULL);
	json_is("{\"function\": \"f\", \"x\": \"reply\"}", DESTINATION_FUNCTION, NULL);
	json_is("{\"object\": \"abc/{id}\", \"body\": \"reply\"}", DESTINATION_OBJECT, NULL);
	json_is("{\"body\": \"reply\"}", DESTINATION_FUNCTION, NULL);
	json_is("{\"webhook\": \"f\"}", DESTINATION_WEBHOOK, NULL);
	json_is("{\"file\": \"{id}\", \"function\": \"f\"}", DESTINATION_FILE, NULL);
	json_is("{\"queue\": \"f\"}", DESTINATION_FILE, NULL);
	json_is("{\"function\": 1}", DESTINATION_FILE, NULL);
	json_is("[]", DESTINATION_FILE, NULL);
	json_is("null", DESTINATION_FILE, NULL);
}

static void record_is(const char *body, size_t body_bytes, const char *reply, size_t reply_bytes,
	enum queue_reason reason, const char *want)
{
	struct queue_event of = {
		.request_id = "id", .body = body, .body_bytes = body_bytes, .function = "f"};
	const struct destination_outcome outcome = {.event = &of,
		.function_arn = "arn:f",
		.executed_version = "$LATEST",
		.reason = reason,
		.invocations = 3,
		.status = reply ? 200 : 0,
		.function_error = reason == QUEUE_ALIVE ? NULL : "Unhandled",
		.reply = reply,
		.reply_bytes = reply_bytes,
		.now_ms = 1573761365068};
	DF_STR struct df_str record = DF_STR_EMPTY;
	json_t *json;

	destination_record(&record, &outcome);
	assert_string_equal(df_str_text(&record), want);
	json = json_loads(df_str_text(&record), JSON_ALLOW_NUL, NULL);
	assert_non_null(json);
	json_decref(json);
}

#define START(condition)                                                                       \
	"{\"version\":\"1.0\",\"timestamp\":\"2019-11-14T19:56:05.068Z\",\"requestContext\":{" \
	"\"requestId\":\"id\",\"functionArn\":\"arn:f\",\"condition\":\"" condition            \
	"\",\"approximateInvokeCount\":3},\"requestPayload\":"

static void test_record(void **state)
{
	(void)state;
	record_is(" {\"n\": 1.50}\n", 13, "[\n", 2, QUEUE_ALIVE,
		START("Success") " {\"n\": 1.50},\"responseContext\":{\"statusCode\":200,"
				 "\"executedVersion\":\"$LATEST\"},\"responsePayload\":\"[\"}");
	record_is("a\"b\0c", 5, "\xff\xfe", 2, QUEUE_RETRIES_EXHAUSTED,
		START("RetriesExhausted") "\"a\\\"b\\u0000c\",\"responseContext\":{\"statusCode\":200,"
					  "\"executedVersion\":\"$LATEST\",\"functionError\":\"Unhandled\"},"
					  "\"responsePayload\":{\"base64\":\"//4=\"}}");
	record_is("", 0, NULL, 0, QUEUE_AGE_EXCEEDED, START("EventAgeExceeded") "null}");
	record_is("\x80\x81\x82", 3, NULL, 0, QUEUE_REFUSED,
		START("RetriesExhausted") "{\"base64\":\"gIGC\"}}");
}

static void test_large_payloads(void **state)
{
	static char body[5u << 20];
	struct queue_event of = {
		.request_id = "id", .function = "f", .body = body, .body_bytes = sizeof(body)};
	const struct destination_outcome outcome = {.event = &of, .function_arn = "arn:f"};
	DF_STR struct df_str record = DF_STR_EMPTY;

	(void)state;
	/* Each byte takes six as JSON. */
	destination_record(&record, &outcome);
	assert_non_null(strstr(df_str_text(&record), "\"requestPayload\":{\"omitted\":5242880}}"));
	df_str_clear(&record);
	of.body_bytes = (4u << 20) - 1;
	destination_record(&record, &outcome);
	assert_null(strstr(df_str_text(&record), "omitted"));
	assert_true(record.length > 6u * ((4u << 20) - 1));
	df_str_clear(&record);
	of.body = "123456789012345678901234567890";
	of.body_bytes = 30;
	destination_record(&record, &outcome);
	assert_non_null(strstr(df_str_text(&record), ":123456789012345678901234567890}"));
}

static void test_next(void **state)
{
	struct destination function = {.kind = DESTINATION_FUNCTION, .value = "g:live"};
	struct destination file = {.kind = DESTINATION_FILE, .value = "{id}"};
	DF_STR struct df_str record = DF_STR_EMPTY;
	struct queue_event_new next;

	(void)state;
	df_str_add(&record, "{}");
	destination_next(&function, NULL, &event, df_str_text(&record), record.length, &next);
	assert_int_equal(next.kind, QUEUE_EVENT);
	assert_string_equal(next.function, "g:live");
	assert_null(next.target);
	destination_next(&file, "file:{id}", &event, df_str_text(&record), record.length, &next);
	assert_int_equal(next.kind, QUEUE_DELIVERY);
	assert_string_equal(next.function, "squeeze");
	assert_string_equal(next.target, "file:{id}");
	assert_int_equal(next.body_bytes, 2);
}

static enum destination_result deliver(const char *target, unsigned int *status)
{
	struct df_err err = {0};
	enum destination_result result;

	event.target = target;
	result = destination_deliver(&settings, &event, status, &err);
	if (result != DESTINATION_DELIVERED)
		assert_int_not_equal(err.text[0], 0);
	return result;
}

static void file_is(const char *name, const char *want)
{
	DF_FREE char *path = df_path_join(directory, name);
	DF_CLOSE int fd = open(path, O_RDONLY);
	char text[64] = "";
	struct stat status;

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, want);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

/* In a directory of the host, with words that are the event's attributes. */
static void test_files_by_words(void **state)
{
	static const char attributes[] = "name\0a/.b.jpg\0data.stem\0whole\0empty\0";
	DF_FREE char *plain = df_format("file:%s/host/{name.stem}.webp", directory);
	DF_FREE char *exact = df_format("file:%s/host/x-{data.stem}", directory);
	DF_FREE char *missing = df_format("file:%s/host/{key}", directory);
	DF_FREE char *empty = df_format("file:%s/host/{empty}", directory);
	DF_FREE char *absent = df_format("file:%s/none/{id}", directory);
	DF_FREE char *linked = df_format("file:%s/hostlink/{id}", directory);
	DF_FREE char *host = df_path_join(directory, "host");
	DF_FREE char *link = df_path_join(directory, "hostlink");
	unsigned int status;

	(void)state;
	event.attributes = attributes;
	event.attribute_bytes = sizeof(attributes);
	assert_int_equal(mkdir(host, 0700), 0);
	assert_int_equal(symlink(host, link), 0);
	assert_int_equal(deliver(plain, &status), DESTINATION_DELIVERED);
	file_is("host/a_.b.webp", "{\"a\": 1}\n");
	assert_int_equal(deliver(exact, &status), DESTINATION_DELIVERED);
	file_is("host/x-whole", "{\"a\": 1}\n");
	assert_int_equal(deliver(missing, &status), DESTINATION_REFUSED);
	assert_int_equal(deliver(empty, &status), DESTINATION_REFUSED);
	assert_int_equal(deliver(absent, &status), DESTINATION_LATER);
	assert_int_equal(deliver(linked, &status), DESTINATION_REFUSED);
	event.attributes = NULL;
	event.attribute_bytes = 0;
}

static void test_files(void **state)
{
	DF_FREE char *link = df_path_join(directory, "link");
	DF_FREE char *final = df_path_join(directory, "final");
	unsigned int status;

	(void)state;
	assert_int_equal(deliver("file:{id}", &status), DESTINATION_REFUSED);
	settings.directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(deliver("file:{id}", &status), DESTINATION_DELIVERED);
	file_is("1b2c-3", "{\"a\": 1}\n");
	assert_int_equal(deliver("file:{function}/{date}/x-{id}.json", &status),
		DESTINATION_DELIVERED);
	file_is("squeeze/2019-11-14/x-1b2c-3.json", "{\"a\": 1}\n");
	event.request_id = "../../x";
	assert_int_equal(deliver("file:{id}", &status), DESTINATION_DELIVERED);
	file_is("_._.._x", "{\"a\": 1}\n");
	event.request_id = "1b2c-3";
	/* Links are not followed: in the path they are an error, at its end they are replaced. */
	assert_int_equal(symlink("/tmp", link), 0);
	assert_int_equal(deliver("file:link/x", &status), DESTINATION_REFUSED);
	assert_int_equal(symlink("/etc/passwd", final), 0);
	assert_int_equal(deliver("file:final", &status), DESTINATION_DELIVERED);
	file_is("final", "{\"a\": 1}\n");
	assert_int_equal(deliver("file:squeeze", &status), DESTINATION_REFUSED);
	assert_int_equal(deliver("file:final/x", &status), DESTINATION_REFUSED);
	close(settings.directory_fd);
	settings.directory_fd = -1;
}

static bool address_ok(const char *text)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return destination_address_ok(&settings, (struct sockaddr *)&four);
	assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
	return destination_address_ok(&settings, (struct sockaddr *)&six);
}

static void test_addresses(void **state)
{
	static const char *const good[] = {"1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.0.1",
		"172.32.0.1", "100.63.0.1", "100.128.0.1", "192.167.0.1", "223.255.255.255",
		"2606:4700::1111", "2001:200::1", "::ffff:8.8.8.8"};
	static const char *const bad[] = {"0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1",
		"127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"198.19.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
		"fec0::1", "fc00::1", "fdff::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1",
		"3fff::1", "100::1"};
	static const char *const wrong[] = {"", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/x",
		"::/129", "example.com", "::1/-1"};
	static struct destination_network networks[3];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!address_ok(good[i]))
			fail_msg("%s is refused", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (address_ok(bad[i]))
			fail_msg("%s is allowed", bad[i]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(destination_network_parse(wrong[i], &networks[0]), -EINVAL);
	assert_int_equal(destination_network_parse("10.1.0.0/15", &networks[0]), 0);
	assert_int_equal(destination_network_parse("127.0.0.2", &networks[1]), 0);
	assert_int_equal(destination_network_parse("fd00::/9", &networks[2]), 0);
	settings.allowed = networks;
	settings.allowed_count = 3;
	assert_true(address_ok("10.0.255.255"));
	assert_true(address_ok("::ffff:10.1.2.3"));
	assert_false(address_ok("10.2.0.0"));
	assert_true(address_ok("127.0.0.2"));
	assert_false(address_ok("127.0.0.1"));
	assert_true(address_ok("fd7f::1"));
	assert_false(address_ok("fd80::1"));
	settings.allowed_count = 0;
}

/* A server that answers one connection with `answer`, and keeps what it was sent. */
struct server {
	pthread_t thread;
	int fd;
	char url[64];
	const char *answer;
	char got[4096];
};

static void *serve_one(void *user)
{
	struct server *server = user;
	DF_CLOSE int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
	size_t length = 0;
	ssize_t got = 1;

	/* The request is whole when the body's last bytes are there. */
	while (got > 0 && !strstr(server->got, "{\"a\": 1}\n")) {
		got = read(fd, server->got + length, sizeof(server->got) - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	if (df_write(fd, server->answer, strlen(server->answer)) < 0)
		return NULL;
	shutdown(fd, SHUT_WR);
	while (read(fd, &got, sizeof(got)) > 0)
		;
	return NULL;
}

static void start(struct server *server, const char *answer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	*server = (struct server){.answer = answer};
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(server->fd, 1), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/hook",
		ntohs(address.sin_port));
	pthread_create(&server->thread, NULL, serve_one, server);
}

static enum destination_result post(const char *answer, unsigned int *status, struct server *server)
{
	enum destination_result result;

	start(server, answer);
	result = deliver(server->url, status);
	pthread_join(server->thread, NULL);
	close(server->fd);
	return result;
}

static void test_webhooks(void **state)
{
	static struct server server;
	static struct destination_network loopback;
	unsigned int status;

	(void)state;
	assert_int_equal(destination_network_parse("127.0.0.1", &loopback), 0);
	settings.allowed = &loopback;
	settings.allowed_count = 1;
	assert_int_equal(post("HTTP/1.1 204 Fine\r\n\r\n", &status, &server),
		DESTINATION_DELIVERED);
	assert_int_equal(status, 204);
	assert_non_null(strstr(server.got, "POST /hook HTTP/1.1\r\n"));
	assert_non_null(strstr(server.got, "x-dayfly-request-id: 1b2c-3\r\n"));
	assert_non_null(strstr(server.got, "content-type: application/json\r\n"));
	assert_int_equal(post("HTTP/1.1 302 Over there\r\nLocation: http://127.0.0.1:1/\r\n"
			      "Content-Length: 0\r\n\r\n",
				 &status, &server),
		DESTINATION_REFUSED);
	assert_int_equal(status, 302);
	assert_int_equal(post("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", &status, &server),
		DESTINATION_REFUSED);
	assert_int_equal(post("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", &status, &server),
		DESTINATION_LATER);
	assert_int_equal(post("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", &status, &server),
		DESTINATION_LATER);
	assert_int_equal(post("", &status, &server), DESTINATION_LATER);
	assert_int_equal(status, 0);
	/* The server is closed. */
	assert_int_equal(deliver(server.url, &status), DESTINATION_LATER);
	settings.allowed_count = 0;
	assert_int_equal(deliver(server.url, &status), DESTINATION_REFUSED);
	assert_int_equal(deliver("http://localhost:1/", &status), DESTINATION_REFUSED);
	assert_int_equal(deliver("http://[::ffff:7f00:1]:1/", &status), DESTINATION_REFUSED);
	assert_int_equal(deliver("http://2130706433:1/", &status), DESTINATION_REFUSED);
}

/* One that never answers, and one that never ends. */
static void test_bounds(void **state)
{
	static char endless[DESTINATION_REPLY_MAX * 2];
	static struct server server;
	static struct destination_network loopback;
	unsigned int status;

	(void)state;
	assert_int_equal(destination_network_parse("127.0.0.1", &loopback), 0);
	settings.allowed = &loopback;
	settings.allowed_count = 1;
	memset(endless, 'x', sizeof(endless) - 1);
	endless[snprintf(endless, sizeof(endless), "HTTP/1.1 200 Ok\r\n\r\n")] = 'x';
	assert_int_equal(post(endless, &status, &server), DESTINATION_DELIVERED);
	settings.timeout_ms = 20;
	start(&server, "");
	/* The connection is in the listener's queue and is never answered. */
	event.body_bytes = 3;
	assert_int_equal(deliver(server.url, &status), DESTINATION_LATER);
	event.body_bytes = 9;
	pthread_join(server.thread, NULL);
	close(server.fd);
	settings.allowed_count = 0;
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) && destination_init() == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	DF_FREE char *command = df_format("rm -rf '%s'", directory);

	(void)state;
	destination_deinit();
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_large_payloads),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_files_by_words),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_webhooks),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
