// SPDX-License-Identifier: Apache-2.0
/* The network device: see net.h. */
#include <dayfly/net.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm.h"

/* A file that shrinks under us would be a fault of ours, in the middle of anything. */
static bool file_ok(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & F_SEAL_SHRINK) && !fstat(fd, &st) &&
		st.st_size == DF_NET_BYTES;
}

int net_map(struct vm *vm, struct df_err *err)
{
	uint8_t *host;

	if (!vm->net.there)
		return 0;
	if (!file_ok(vm->net.memory_fd))
		return df_err_set(err, -EINVAL,
			"the network's memory is not a sealed file of %llu bytes", DF_NET_BYTES);
	host = mmap(NULL, DF_NET_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vm->net.memory_fd, 0);
	if (host == MAP_FAILED)
		return df_err_set(err, -errno, "can not map the network's memory: %s",
			df_errno_text(errno));
	vm->net.host = (struct df_net_host *)(void *)(host + DF_NET_GUEST_BYTES);
	return memory_map_window(&vm->memory, MEMORY_NET, DF_GPA_NET, host, DF_NET_GUEST_BYTES,
		err);
}

int net_show(struct vm *vm)
{
	return vm->net.there
		? tables_map(&vm->tables, DF_VA_NET, DF_NET_GUEST_BYTES >> DF_PAGE_SHIFT,
			  DF_GPA_NET, DF_PROT_READ | DF_PROT_WRITE, TABLES_USER)
		: 0;
}

void net_kick(struct vm *vm)
{
	uint64_t one = 1;

	if (!(vm->net.phase & 1))
		__atomic_store_n(&vm->net.host->phase, ++vm->net.phase, __ATOMIC_SEQ_CST);
	(void)!write(vm->net.kick_fd, &one, sizeof(one));
}

void net_woken(const struct vm *vm)
{
	uint64_t count;

	(void)!read(vm->net.wake_fd, &count, sizeof(count));
}
