// SPDX-License-Identifier: Apache-2.0
/* The network device: see net.h. */
#include <dayfly/net.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vm.h"

#define NS_PER_S 1000000000ULL
/* dayfly-net serves several guests, one after the other, and none for long. */
#define SETTLE_NS (10 * NS_PER_S)

/* A file that shrinks under us would be a fault of ours, in the middle of anything. */
static bool file_ok(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & F_SEAL_SHRINK) && !fstat(fd, &st) &&
		st.st_size == DF_NET_BYTES;
}

int net_open(struct net *net, struct df_err *err)
{
	uint8_t *host;

	if (!file_ok(net->memory_fd))
		return df_err_set(err, -EINVAL,
			"the network's memory is not a sealed file of %llu bytes", DF_NET_BYTES);
	host = mmap(NULL, DF_NET_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, net->memory_fd, 0);
	if (host == MAP_FAILED)
		return df_err_set(err, -errno, "can not map the network's memory: %s",
			df_errno_text(errno));
	close(net->memory_fd);
	net->memory_fd = -1;
	net->memory = host;
	net->host = (struct df_net_host *)(void *)(host + DF_NET_GUEST_BYTES);
	net->phase = net->host->phase;
	return 0;
}

int net_plug(struct vm *vm, struct df_err *err)
{
	return vm->net.there ? memory_map_window(&vm->memory, MEMORY_NET, DF_GPA_NET,
				       vm->net.memory, DF_NET_GUEST_BYTES, err)
			     : 0;
}

int net_show(struct vm *vm)
{
	return vm->net.there
		? tables_map(&vm->tables, DF_VA_NET, DF_NET_GUEST_BYTES >> DF_PAGE_SHIFT,
			  DF_GPA_NET, DF_PROT_READ | DF_PROT_WRITE, TABLES_USER)
		: 0;
}

static void set_phase(struct net *net, uint32_t phase)
{
	net->phase = phase;
	__atomic_store_n(&net->host->phase, phase, __ATOMIC_SEQ_CST);
}

static void wake_peer(const struct net *net)
{
	uint64_t one = 1;

	(void)!write(net->kick_fd, &one, sizeof(one));
}

void net_kick(struct net *net)
{
	if (!(net->phase & 1))
		set_phase(net, net->phase + 1);
	wake_peer(net);
}

void net_woken(const struct net *net)
{
	uint64_t count;

	(void)!read(net->wake_fd, &count, sizeof(count));
}

void net_close(struct net *net)
{
	if (!(net->phase & 1))
		return;
	set_phase(net, net->phase + 1);
	net->settling = true;
	wake_peer(net);
}

int net_settle(struct net *net)
{
	uint64_t deadline_ns = clock_now_ns() + SETTLE_NS;
	const struct timespec deadline = {
		(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};

	while (net->settling) {
		uint32_t settled = __atomic_load_n(&net->host->settled, __ATOMIC_SEQ_CST);

		if (settled == net->phase)
			break;
		/* The kind of futex wait whose time is absolute. */
		if (syscall(SYS_futex, &net->host->settled, FUTEX_WAIT_BITSET, settled, &deadline,
			    NULL, FUTEX_BITSET_MATCH_ANY) &&
			errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	/* Nor must a wake-up of the event before tell this one of it. */
	if (net->settling)
		net_woken(net);
	net->settling = false;
	return 0;
}

int net_empty(struct net *net)
{
	int r;

	if (!net->there)
		return 0;
	net_close(net);
	r = net_settle(net);
	if (!r && madvise(net->memory, DF_NET_GUEST_BYTES, MADV_REMOVE))
		r = -errno;
	return r;
}
