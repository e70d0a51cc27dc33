// SPDX-License-Identifier: Apache-2.0
#include <base/net_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct pair {
	uint8_t *memory;
	struct net_ring in, out;
};

static struct pair make(void)
{
	struct pair p = {.memory = calloc(1, DF_NET_BYTES)};

	assert_non_null(p.memory);
	net_ring_init(&p.in, p.memory, DF_NET_TO_HOST);
	net_ring_init(&p.out, p.memory, DF_NET_TO_HOST);
	return p;
}

/* Random sizes, random batches: all arrive in order, whole, over several turns of the ring. */
static void packets_arrive(void **state)
{
	struct pair p = make();
	uint32_t sent = 0, seen = 0, n;

	(void)state;
	srand(1);
	while (seen < 5000) {
		for (int i = rand() % 40; i && sent < 5000; i--) {
			uint32_t bytes = (sent * 2654435761u >> 8) % 20000 + 1;
			uint8_t *to = net_ring_room(&p.in, bytes);

			if (!to)
				break;
			memset(to, (int)(sent & 255), bytes);
			net_ring_put(&p.in, bytes);
			sent++;
		}
		for (int i = rand() % 40; i; i--) {
			const uint8_t *at = net_ring_next(&p.out, &n);

			if (!at)
				break;
			assert_int_equal(n, (seen * 2654435761u >> 8) % 20000 + 1);
			assert_int_equal(at[0], seen & 255);
			assert_int_equal(at[n - 1], seen & 255);
			net_ring_taken(&p.out, n);
			seen++;
		}
	}
	assert_false(p.in.broken || p.out.broken);
	free(p.memory);
}

static void full_is_no_error(void **state)
{
	struct pair p = make();
	unsigned count = 0;
	uint32_t n;

	(void)state;
	while (net_ring_room(&p.in, DF_NET_PACKET_MAX)) {
		net_ring_put(&p.in, DF_NET_PACKET_MAX);
		count++;
	}
	assert_in_range(count, 15, 16);
	assert_non_null(net_ring_next(&p.out, &n));
	net_ring_taken(&p.out, n);
	assert_non_null(net_ring_room(&p.in, 60000));
	free(p.memory);
}

static void wakes_once(void **state)
{
	struct pair p = make();

	(void)state;
	assert_false(net_ring_must_wake(&p.in));
	assert_true(net_ring_sleep(&p.out, DF_NET_ASLEEP));
	assert_non_null(net_ring_room(&p.in, 1));
	net_ring_put(&p.in, 1);
	assert_true(net_ring_must_wake(&p.in));
	assert_false(net_ring_must_wake(&p.in));
	assert_false(net_ring_sleep(&p.out, DF_NET_ASLEEP));
	assert_false(net_ring_sleep(&p.out, DF_NET_NAPS));
	free(p.memory);
}

/* Whatever the other side writes, nothing outside the ring is named. */
static void nonsense_is_seen(void **state)
{
	static const uint32_t tails[] = {
		1, 4, DF_NET_RING_BYTES + 8, 0x80000000, UINT32_MAX, UINT32_MAX - 7};
	static const uint32_t sizes[] = {0, 65536, DF_NET_SKIP, 0x7fffffff, 4000};
	uint32_t n;

	(void)state;
	for (unsigned i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct pair p = make();

		p.in.shared->tail = tails[i];
		assert_null(net_ring_next(&p.out, &n));
		assert_true(p.out.broken);
		p.in.shared->head = 8 + i; /* more than was ever sent */
		assert_null(net_ring_room(&p.in, 100));
		free(p.memory);
	}
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct pair p = make();

		memcpy(p.in.data, &sizes[i], sizeof(sizes[i]));
		p.in.shared->tail = 64;
		assert_null(net_ring_next(&p.out, &n));
		assert_true(p.out.broken);
		free(p.memory);
	}
}

/* Behind net_ring_clear nothing is left of what this end wrote, also when the ring went round, and it works again. */
static void cleared(void **state)
{
	static const uint32_t turns[] = {1, 100, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		struct pair p = make();
		uint32_t n;

		for (uint32_t sent = 0; sent < turns[i]; sent++) {
			uint8_t *to = net_ring_room(&p.in, 1500);

			assert_non_null(to);
			memset(to, 255, 1500);
			net_ring_put(&p.in, 1500);
			assert_non_null(net_ring_next(&p.out, &n));
			net_ring_taken(&p.out, n);
		}
		net_ring_clear(&p.in);
		net_ring_init(&p.out, p.memory, DF_NET_TO_HOST);
		for (size_t at = 0; at < DF_NET_BYTES; at++)
			if (p.memory[at])
				fail_msg("%zu", at);
		assert_null(net_ring_next(&p.out, &n));
		assert_non_null(net_ring_room(&p.in, 10));
		net_ring_put(&p.in, 10);
		assert_non_null(net_ring_next(&p.out, &n));
		free(p.memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleared),
		cmocka_unit_test(packets_arrive),
		cmocka_unit_test(full_is_no_error),
		cmocka_unit_test(wakes_once),
		cmocka_unit_test(nonsense_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
