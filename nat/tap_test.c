/* SPDX-License-Identifier: Apache-2.0 */
#include "nat/tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD sizeof(struct df_net_frame)

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

/* A frame from `mac`, behind this header. */
static uint8_t *frame(uint8_t *packet, const struct df_net_frame *head)
{
	memset(packet, 0, DF_NET_PACKET_MAX);
	memcpy(packet, head, sizeof(*head));
	memcpy(packet + HEAD + 6, mac, sizeof(mac));
	return packet;
}

static bool good(const struct df_net_frame *head, size_t bytes)
{
	static uint8_t packet[DF_NET_PACKET_MAX];
	static struct tap tap = {.mtu = 1500};

	memcpy(tap.mac, mac, sizeof(mac));
	return tap_good(&tap, frame(packet, head), HEAD + bytes);
}

static void whole_frames(void **state)
{
	const struct df_net_frame head = {0}, odd = {.part_bytes = 500};
	const struct df_net_frame sum = {
		.flags = DF_NET_SUM_MISSING, .sum_start = 34, .sum_offset = 16};

	(void)state;
	assert_true(good(&head, 14));
	assert_true(good(&head, 1518));
	assert_false(good(&head, 13));
	assert_false(good(&head, 1519));
	assert_false(good(&odd, 1000));
	assert_true(good(&sum, 52));
	assert_false(good(&sum, 51));
}

static void sums_stay_inside(void **state)
{
	static const struct df_net_frame wrong[] = {
		{.flags = DF_NET_SUM_MISSING, .sum_start = 0, .sum_offset = 16},
		{.flags = DF_NET_SUM_MISSING, .sum_start = 34, .sum_offset = 65535},
		{.flags = DF_NET_SUM_MISSING, .sum_start = 65535, .sum_offset = 65535},
		{.flags = DF_NET_SUM_CHECKED, .sum_start = 34, .sum_offset = 16},
		{.flags = 0xff, .sum_start = 34, .sum_offset = 16},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(good(&wrong[i], 1000));
}

static void large_frames(void **state)
{
	const struct df_net_frame right = {.flags = DF_NET_SUM_MISSING,
		.kind = DF_NET_TCP4,
		.header_bytes = 54,
		.part_bytes = 1460,
		.sum_start = 34,
		.sum_offset = 16};
	struct df_net_frame head = right;

	(void)state;
	assert_true(good(&head, 60000));
	head.part_bytes = 1; /* 60,000 packets of one */
	assert_false(good(&head, 60000));
	head.part_bytes = 1501;
	assert_false(good(&head, 60000));
	head = right;
	head.kind = 2;
	assert_false(good(&head, 60000));
	head = right;
	head.flags = 0;
	assert_false(good(&head, 60000));
	head = right;
	head.header_bytes = 60000;
	assert_false(good(&head, 60000));
	head.header_bytes = 34;
	assert_false(good(&head, 60000));
}

static void nobody_else(void **state)
{
	static uint8_t packet[DF_NET_PACKET_MAX];
	static struct tap tap = {.mtu = 1500};

	(void)state;
	memcpy(tap.mac, mac, sizeof(mac));
	frame(packet, &(struct df_net_frame){0});
	assert_true(tap_good(&tap, packet, HEAD + 60));
	packet[HEAD + 11] = 2;
	assert_false(tap_good(&tap, packet, HEAD + 60));
}

static void parsed(void **state)
{
	static const char *const wrong[] = {"", "7", "7,02:00:00:00:00:01",
		"2,02:00:00:00:00:01,1500", "7,02:00:00:00:00:01,1", "7,02:00:00:00:00:01,70000",
		"7,02:00:00:00:00,1500", "7,02:00:00:00:00:01,1500x"};
	static struct tap tap;
	struct df_err err;

	(void)state;
	assert_int_equal(tap_parse(&tap, "7,02:00:00:00:00:01,1500", &err), 0);
	assert_int_equal(tap.fd, 7);
	assert_int_equal(tap.mtu, 1500);
	assert_memory_equal(tap.mac, mac, sizeof(mac));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(tap_parse(&tap, wrong[i], &err), -22);
}

static void *serve(void *tap)
{
	tap_run(tap);
	return NULL;
}

/* A frame of the guest's with this last byte. */
static void put(struct net_ring *ring, uint8_t *packet, uint8_t last)
{
	uint8_t *room = net_ring_room(ring, HEAD + 60);

	packet[HEAD + 59] = last;
	memcpy(room, packet, HEAD + 60);
	net_ring_put(ring, HEAD + 60);
}

/* The device is one of a pair of sockets: what the guest sends comes out of the other, but for what is wrong, and what goes in there
 * reaches the guest. */
static void copies(void **state)
{
	static _Alignas(8) uint8_t memory[DF_NET_BYTES];
	static struct tap tap = {.mtu = 1500, .program = "test"};
	static uint8_t packet[DF_NET_PACKET_MAX];
	struct net_ring out, in;
	int pair[2], life[2];
	pthread_t server;
	uint64_t woken;
	const uint8_t *came;
	uint32_t bytes;

	(void)state;
	memcpy(tap.mac, mac, sizeof(mac));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pipe(life), 0);
	tap.fd = pair[0];
	tap.kick_fd = eventfd(0, EFD_NONBLOCK);
	tap.wake_fd = eventfd(0, 0);
	tap.life_fd = life[0];
	net_ring_init(&tap.from_guest, memory, DF_NET_TO_HOST);
	net_ring_init(&tap.to_guest, memory, DF_NET_TO_GUEST);
	net_ring_init(&out, memory, DF_NET_TO_HOST);
	net_ring_init(&in, memory, DF_NET_TO_GUEST);
	frame(packet, &(struct df_net_frame){0});
	put(&out, packet, 1);
	packet[HEAD + 11] = 9; /* from somebody else */
	put(&out, packet, 2);
	packet[HEAD + 11] = 1;
	put(&out, packet, 3);
	assert_true(net_ring_sleep(&in, DF_NET_ASLEEP));
	assert_int_equal(pthread_create(&server, NULL, serve, &tap), 0);
	for (uint8_t last = 1; last <= 3; last += 2) {
		assert_int_equal(recv(pair[1], packet, sizeof(packet), 0), HEAD + 60);
		assert_int_equal(packet[HEAD + 59], last);
	}
	packet[HEAD + 59] = 77;
	assert_int_equal(send(pair[1], packet, HEAD + 60, 0), HEAD + 60);
	assert_int_equal(read(tap.wake_fd, &woken, sizeof(woken)), sizeof(woken));
	came = net_ring_next(&in, &bytes);
	assert_non_null(came);
	assert_int_equal(bytes, HEAD + 60);
	assert_int_equal(came[HEAD + 59], 77);
	close(life[1]);
	assert_int_equal(pthread_join(server, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_frames),
		cmocka_unit_test(sums_stay_inside),
		cmocka_unit_test(large_frames),
		cmocka_unit_test(nobody_else),
		cmocka_unit_test(parsed),
		cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
