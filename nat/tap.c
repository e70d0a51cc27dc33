/* SPDX-License-Identifier: Apache-2.0 */
/* Between the guest and a TAP device: see tap.h. */
#include "nat/tap.h"

#include <errno.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH 256
#define NAP_MS 1
#define NAPS_MAX 20u /* without anything between them */
#define HEAD sizeof(struct df_net_frame)
/* Smaller parts would have the host's kernel make thousands of packets of one of ours. */
#define PART_LEAST 256u
#define MTU_LEAST 68u /* IPv4's */
#define TAG_BYTES 4u /* of a VLAN, beyond the MTU */

int tap_parse(struct tap *tap, const char *text, struct df_err *err)
{
	uint8_t *m = tap->mac;
	char end;

	if (sscanf(text, "%d,%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx,%u%c", &tap->fd, &m[0], &m[1],
		    &m[2], &m[3], &m[4], &m[5], &tap->mtu, &end) != 8 ||
		tap->fd < 3 || tap->mtu < MTU_LEAST || tap->mtu > UINT16_MAX)
		return df_err_set(err, -EINVAL, "--tap %.100s: not DESCRIPTOR,MAC,MTU", text);
	return 0;
}

/* --- from the guest --- */

static bool sum_good(const struct df_net_frame *head, size_t bytes)
{
	if (head->flags == 0)
		return true;
	return head->flags == DF_NET_SUM_MISSING && head->sum_start >= ETHER_HDR_LEN &&
		(size_t)head->sum_start + head->sum_offset + 2 <= bytes;
}

static bool parts_good(const struct df_net_frame *head, size_t bytes, uint32_t mtu)
{
	switch (head->kind) {
	case DF_NET_WHOLE:
		return head->part_bytes == 0 && bytes <= mtu + ETHER_HDR_LEN + TAG_BYTES;
	case DF_NET_TCP4:
	case DF_NET_TCP6:
	case DF_NET_UDP:
		return head->flags == DF_NET_SUM_MISSING && head->part_bytes >= PART_LEAST &&
			head->part_bytes <= mtu && head->header_bytes > head->sum_start &&
			head->header_bytes < bytes;
	default:
		return false;
	}
}

bool tap_good(const struct tap *tap, const uint8_t *packet, size_t bytes)
{
	struct df_net_frame head;
	const uint8_t *frame = packet + HEAD;

	if (bytes < HEAD + ETHER_HDR_LEN)
		return false;
	memcpy(&head, packet, HEAD);
	bytes -= HEAD;
	return memcmp(frame + ETHER_ADDR_LEN, tap->mac, ETHER_ADDR_LEN) == 0 &&
		sum_good(&head, bytes) && parts_good(&head, bytes, tap->mtu);
}

/* A batch of them. True: there may be more. What the device has no room for is lost. */
static bool take_from_guest(struct tap *tap)
{
	for (int i = 0; i < BATCH; i++) {
		uint32_t bytes;
		const uint8_t *from = net_ring_next(&tap->from_guest, &bytes);

		if (!from)
			return false;
		tap->quiet = 0;
		memcpy(tap->packet, from, bytes);
		net_ring_taken(&tap->from_guest, bytes);
		if (tap_good(tap, tap->packet, bytes))
			(void)!write(tap->fd, tap->packet, bytes);
	}
	return true;
}

/* --- to the guest --- */

static void wake(struct tap *tap)
{
	uint64_t one = 1;

	if (net_ring_must_wake(&tap->to_guest))
		(void)!write(tap->wake_fd, &one, sizeof(one));
}

/* A batch of frames, straight into the ring, or nowhere if that is full. False: the device is gone. */
static bool take_from_device(struct tap *tap)
{
	bool there = true;

	for (int i = 0; i < BATCH; i++) {
		uint8_t *room = net_ring_room(&tap->to_guest, DF_NET_PACKET_MAX);
		ssize_t n = read(tap->fd, room ? room : tap->packet, DF_NET_PACKET_MAX);

		if (n < 0) {
			there = errno == EAGAIN || errno == EINTR;
			break;
		}
		if (room && n > (ssize_t)HEAD)
			net_ring_put(&tap->to_guest, (uint32_t)n);
	}
	wake(tap);
	return there;
}

/*
 * Waits for the guest or the device. While there is traffic it naps, which spares a busy guest its kicks: they cost it more than us a look.
 * Returns the device's events, -1 when the monitor is gone.
 */
static int wait(struct tap *tap, bool more)
{
	struct pollfd fds[] = {
		{tap->kick_fd, POLLIN, 0}, {tap->life_fd, POLLIN, 0}, {tap->fd, POLLIN, 0}};
	const bool naps = tap->quiet < NAPS_MAX;
	uint64_t kicks;
	int found;

	more = more || !net_ring_sleep(&tap->from_guest, naps ? DF_NET_NAPS : DF_NET_ASLEEP);
	found = poll(fds, sizeof(fds) / sizeof(fds[0]), more ? 0 : naps ? NAP_MS : -1);
	if (found < 0 && errno != EINTR)
		return -1;
	net_ring_awake(&tap->from_guest);
	if (fds[0].revents)
		(void)!read(tap->kick_fd, &kicks, sizeof(kicks));
	tap->quiet = found == 0 ? tap->quiet + 1 : 0;
	return fds[1].revents ? -1 : fds[2].revents;
}

void tap_run(struct tap *tap)
{
	bool more = false;
	int events;

	while ((events = wait(tap, more)) >= 0) {
		more = take_from_guest(tap);
		if (tap->from_guest.broken || tap->to_guest.broken) {
			fprintf(stderr, "dayfly: %s: the guest broke its network device\n",
				tap->program);
			return;
		}
		if (events && (!take_from_device(tap) || (events & POLLERR))) {
			fprintf(stderr, "dayfly: %s: the TAP device is gone\n", tap->program);
			return;
		}
	}
	/* What the guest had sent when it ended goes on its way; its ring is not filled any more. */
	while (take_from_guest(tap))
		;
}
