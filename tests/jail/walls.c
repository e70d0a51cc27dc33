// SPDX-License-Identifier: Apache-2.0
/* What stops a process in the jail that no filter of system calls stops. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "jail_test.h"

#define LANDLOCK_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */
#define LANDLOCK_NETWORK 4 /* since this version of its interface */
#define LANDLOCK_SIGNALS 6

#define FAILS(call, error) CHECK((call) == -1 && errno == (error))

static pid_t parent;

static int have_no_files(void)
{
	struct stat st;
	DIR *root = opendir("/");

	/* Landlock, or an empty folder. */
	CHECK(root ? !readdir(root) || errno == 0 : errno == EACCES);
	CHECK(open("/x", O_WRONLY | O_CREAT, 0600) < 0 && (errno == EROFS || errno == EACCES));
	CHECK(mkdir("/x", 0700) < 0 && (errno == EROFS || errno == EACCES));
	FAILS(stat("/proc/self/status", &st), ENOENT);
	for (int i = 0; i < 10; i++)
		CHECK(!chdir(".."));
	FAILS(stat("etc", &st), ENOENT);
	return 0;
}

static int have_no_rights(void)
{
	FAILS(mount("none", "/", "tmpfs", 0, NULL), EPERM);
	FAILS(umount2("/", MNT_DETACH), EPERM);
	FAILS(chroot("/"), EPERM);
	FAILS(sethostname("x", 1), EPERM);
	/* Nobody is mapped, so nobody can become anyone, or begin anew with all rights. */
	FAILS(unshare(CLONE_NEWUSER), EPERM);
	FAILS(unshare(CLONE_NEWNET), EPERM);
	FAILS(setuid(0), EINVAL);
	FAILS(setgid(0), EINVAL);
	return 0;
}

static int have_no_others(void)
{
	static char page[64];
	struct iovec vector = {page, sizeof(page)};

	FAILS(ptrace(PTRACE_ATTACH, parent, 0, 0), EPERM);
	FAILS(process_vm_readv(parent, &vector, 1, &vector, 1, 0), EPERM);
	return 0;
}

static void *nothing(void *argument)
{
	return argument;
}

static int make_nothing(void)
{
	pthread_t thread;

	FAILS(syscall(SYS_fork), EAGAIN);
	CHECK(pthread_create(&thread, NULL, nothing, NULL) == EAGAIN);
	FAILS(dup(0), EMFILE);
	FAILS(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
	FAILS(memfd_create("x", 0), EMFILE);
	return 0;
}

/* A folder of the host's that was left open. */
static void open_folder(void)
{
	move(open("/etc", O_RDONLY | O_DIRECTORY), KEPT);
}

static int open_in_folder(void)
{
	FAILS(openat(KEPT, "passwd", O_RDONLY), EACCES);
	FAILS(openat(KEPT, "..", O_RDONLY | O_DIRECTORY), EACCES);
	return 0;
}

static int use_network(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	FAILS(bind(fd, (struct sockaddr *)&address, sizeof(address)), EACCES);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	FAILS(connect(fd, (struct sockaddr *)&address, sizeof(address)), EACCES);
	return 0;
}

static int send_signal(void)
{
	FAILS(kill(parent, 0), EPERM);
	return 0;
}

/* What needs a descriptor is done before the lock, which allows none. */
static int (*early)(void);

static void act_early(void)
{
	_exit(early());
}

static int never(void)
{
	return 1;
}

static void run_early(enum jail_profile profile, const char *name, int (*act)(void),
	void (*before)(void))
{
	struct deed d = {name, before, act_early, never, LIVED, 1ULL << KEPT, false};

	early = act;
	run_deed(profile == JAIL_RUN ? "run" : "serve", profile, &d);
}

static void test_profile(enum jail_profile profile, long version)
{
	static const struct deed deeds[] = {
		{"rights", NULL, NULL, have_no_rights, LIVED, 0, false},
		{"others", NULL, NULL, have_no_others, LIVED, 0, false},
		{"limits", NULL, NULL, make_nothing, LIVED, 0, false},
	};

	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		run_deed(profile == JAIL_RUN ? "run" : "serve", profile, &deeds[i]);
	run_early(profile, "files", have_no_files, NULL);
	if (version >= 1)
		run_early(profile, "landlock_files", open_in_folder, open_folder);
	if (version >= LANDLOCK_NETWORK)
		run_early(profile, "landlock_network", use_network, NULL);
	if (version >= LANDLOCK_SIGNALS)
		run_early(profile, "landlock_signals", send_signal, NULL);
}

/* `run` goes on without namespaces: then the host's root is there, and closed. */
static int open_a_file(void)
{
	FAILS(open("/etc/passwd", O_RDONLY), EACCES);
	FAILS(open("/", O_RDONLY | O_DIRECTORY), EACCES);
	FAILS(mount("none", "/", "tmpfs", 0, NULL), EPERM);
	return 0;
}

void test_walls(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);

	parent = getpid();
	if (version < LANDLOCK_SIGNALS)
		printf("skip jail.walls.landlock: version %ld of Landlock, not %d\n", version,
			LANDLOCK_SIGNALS);
	test_profile(JAIL_SERVE, version);
	test_profile(JAIL_RUN, version);
	if (version >= 1)
		run_early(JAIL_RUN, "no_namespaces", open_a_file, no_user_namespaces);
}
