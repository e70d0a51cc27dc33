// SPDX-License-Identifier: Apache-2.0
/*
 * The kinds of arguments that rows of sys/calls.def name, in groups that print.c knows by their limits:
 * numbers, names of numbers (names.c), memory that the call reads and memory that it writes (memory.c),
 * arguments that take all that follow (rest.c). What the call writes is shown when it is over.
 */
#ifndef KERNEL_TRACE_KINDS_H
#define KERNEL_TRACE_KINDS_H

enum kind {
	END, /* no further argument */

	/* numbers */
	INT,
	UINT,
	LONG,
	SIZE,
	HEX,
	MODE, /* permissions, octal */
	OPEN_MODE, /* as MODE; only behind flags that make a file */
	MASK, /* as MODE; so is the result */
	FD,
	DIRFD,
	DEVICE,
	SIGNAL,
	STATUS, /* of exit: the call does not come back */
	POINTER,
	PLACE, /* an address; so is the result */

	/* names: names.def */
	KIND_NAMES,
	OPEN = KIND_NAMES,
	DESCRIPTOR, /* flags of open that make sense without a file */
	PROT,
	MAP,
	REMAP,
	ADVICE,
	MSYNC,
	WHENCE,
	ACCESS,
	AT,
	ACCESS_AT,
	UNLINK_AT,
	LINK_AT,
	STATX_AT,
	STATX_MASK,
	RENAME,
	LOCK,
	MASK_HOW,
	ITIMER,
	CLOCK,
	TIMER_FLAGS,
	TIMERFD,
	TIMERFD_SET,
	RESOURCE,
	RUSAGE_WHO,
	PRIORITY,
	POLICY,
	WAIT,
	ID_TYPE,
	ARCH_CODE,
	EPOLL_OP,
	EPOLL_CREATE,
	EVENTFD,
	SIGNALFD,
	MEMFD,
	RANDOM_FLAGS,
	MEMBARRIER,
	FILE_ADVICE,
	FALLOCATE,
	CLOSE_RANGE,
	SPLICE,
	SOCKET_DOMAIN,
	SOCKET_TYPE,
	/* and those that appear inside of other arguments */
	ACCESS_MODE,
	FILE_TYPE,
	POLL_EVENTS,
	EPOLL_EVENTS,
	ACTION_FLAGS,
	STACK_FLAGS,
	CLONE_FLAGS,
	FUTEX_OPERATION,
	FCNTL_COMMAND,
	LOCK_TYPE,
	DESCRIPTOR_FLAGS,
	IOCTL_REQUEST,
	PRCTL_OPTION,
	SIGNAL_CODE,

	/* read before the call, and no plain address */
	KIND_SPECIAL,
	FUTEX = KIND_SPECIAL, /* the operation and what it takes */
	SIGFRAME, /* what rt_sigreturn finds on the stack: no argument */

	/* memory that the call reads */
	KIND_READ,
	PATH = KIND_READ,
	STRINGS,
	ENVIRONMENT,
	IN, /* as many bytes as the next argument says */
	IOV,
	TIMESPEC,
	TIMESPECS, /* two */
	TIMEVAL,
	TIMEVALS,
	ITIMERSPEC,
	ITIMERVAL,
	SIGSET,
	SIGMASK, /* of pselect6 */
	SIGACTION,
	STACK,
	POLLFDS,
	FDSET,
	LIMIT,
	EVENT,
	OFFSET,
	CPUS,
	INT_IN,

	/* memory that the call writes */
	KIND_WRITTEN,
	OUT = KIND_WRITTEN, /* as many bytes as the call returns */
	RANDOM_OUT,
	OUT_PATH,
	IOV_OUT,
	STAT,
	STATX,
	STATFS,
	DENTS,
	TIMESPEC_OUT,
	LEFT, /* a timespec, written when a signal interrupts */
	TIMEVAL_OUT,
	ZONE,
	ITIMERSPEC_OUT,
	ITIMERVAL_OUT,
	SIGSET_OUT,
	SIGACTION_OUT,
	SIGINFO,
	STACK_OUT,
	EVENTS,
	PIPE,
	LIMIT_OUT,
	RUSAGE,
	TMS,
	SYSINFO,
	UTSNAME,
	CPUS_OUT,
	INT_OUT,

	/* the last argument: it and what follows depend on one another */
	KIND_REST,
	FCNTL = KIND_REST,
	IOCTL,
	PRCTL,
	CLONE,
	CLONE3,
	KINDS,
};

#endif
