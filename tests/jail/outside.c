// SPDX-License-Identifier: Apache-2.0
/* The locked jail as /proc shows it to others, what a message can bring into it, and when it can not be entered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jail_test.h"

#define FILE_MAX 8192

static const char *where; /* "outside" or "run_outside" */

/* --- From outside --- */

static int open_of(const struct child *c, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", c->pid, name);
	return open(path, flags | O_CLOEXEC);
}

/* A file of the child's folder in /proc. Empty if it can not be read. */
static void read_of(const struct child *c, const char *name, char text[FILE_MAX])
{
	int fd = open_of(c, name, O_RDONLY);
	ssize_t n, length = 0;

	while (fd >= 0 && (n = read(fd, text + length, (size_t)(FILE_MAX - 1 - length))) > 0)
		length += n;
	text[length] = 0;
	if (fd >= 0)
		close(fd);
}

/* Whether a line of /proc/PID/status says this. */
static void look_at_status(const struct child *c, const char *name, const char *line)
{
	char text[FILE_MAX], wanted[80];

	read_of(c, "status", text);
	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	verdict(strstr(text, wanted) != NULL, where, name, line);
}

static void look_at_limit(const struct child *c, const char *name, const char *line)
{
	char text[FILE_MAX], *found;
	unsigned long soft = 1, hard = 1;

	read_of(c, "limits", text);
	found = strstr(text, line);
	if (found)
		sscanf(found + strlen(line), "%lu %lu", &soft, &hard);
	verdict(soft == hard && soft == (strstr(line, "files") ? JAIL_FD_SOCKET + 1 : 0), where,
		name, found ? found : "not there");
}

static void look_at_namespace(const struct child *c, const char *name)
{
	char path[64], ours[64] = "", theirs[64] = "";
	bool good;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	good = readlink(path, ours, sizeof(ours) - 1) > 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", c->pid, name);
	good &= readlink(path, theirs, sizeof(theirs) - 1) > 0;
	verdict(good && strcmp(ours, theirs) != 0, where, name, theirs);
}

/* Numbers or names in one of the child's folders, in order: "0 1 2 3". */
static void list_of(const struct child *c, const char *name, char text[TEXT_MAX])
{
	int fd = open_of(c, name, O_RDONLY | O_DIRECTORY);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t at = 0;

	text[0] = 0;
	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' && at < TEXT_MAX - 64)
			at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s%.50s", at ? " " : "",
				entry->d_name);
	if (folder)
		closedir(folder);
	else
		strcpy(text, "can not be read");
}

static void look_at_root(const struct child *c)
{
	char text[TEXT_MAX], mounts[FILE_MAX];
	int fd;

	list_of(c, "root", text);
	verdict(!*text, where, "root_empty", text);
	fd = open_of(c, "root/x", O_WRONLY | O_CREAT);
	verdict(fd < 0 && errno == EROFS, where, "root_read_only", strerror(errno));
	read_of(c, "mountinfo", mounts);
	verdict(*mounts && strchr(mounts, '\n') == strrchr(mounts, '\n'), where, "mounts", mounts);
}

/* What root alone may see. */
static void look_as_root(const struct child *c, enum jail_profile profile)
{
	const char *descriptors = profile == JAIL_RUN
		? have_kvm ? "0 1 2 3 48 64 96 128 144 160" : "0 1 2 3 48 128 144 160"
		: have_kvm ? "0 1 2 3 64 96 128 144 160"
			   : "0 1 2 3 128 144 160";
	char text[TEXT_MAX], map[FILE_MAX];

	look_at_namespace(c, "user");
	look_at_namespace(c, "mnt");
	look_at_namespace(c, "ipc");
	look_at_namespace(c, "uts");
	look_at_root(c);
	list_of(c, "fd", text);
	verdict(!strcmp(text, descriptors), where, "descriptors", text);
	read_of(c, "uid_map", map);
	verdict(!*map, where, "uid_map", map);
	look_at_status(c, "uid", "Uid:\t65534\t65534\t65534\t65534");
	look_at_status(c, "gid", "Gid:\t65534\t65534\t65534\t65534");
	look_at_status(c, "groups", "Groups:\t ");
}

static void look(const struct child *c, enum jail_profile profile)
{
	char path[64];
	struct stat st;

	look_at_status(c, "new_privileges", "NoNewPrivs:\t1");
	look_at_status(c, "seccomp", jail_filters_calls() ? "Seccomp:\t2" : "Seccomp:\t0");
	look_at_status(c, "permitted", "CapPrm:\t0000000000000000");
	look_at_status(c, "effective", "CapEff:\t0000000000000000");
	look_at_status(c, "inheritable", "CapInh:\t0000000000000000");
	look_at_status(c, "ambient", "CapAmb:\t0000000000000000");
	look_at_limit(c, "core", "Max core file size");
	look_at_limit(c, "processes", "Max processes");
	look_at_limit(c, "files", "Max open files");
	snprintf(path, sizeof(path), "/proc/%d/environ", c->pid);
	verdict(!stat(path, &st) && st.st_uid == 0, where, "not_dumpable", "others may trace it");
	if (!geteuid())
		look_as_root(c, profile);
}

/* --- A descriptor in a message --- */

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static bool send_descriptor(int socket, int fd)
{
	union control control = {.bytes = {0}};
	struct iovec vector = {(char[]){"fd"}, 2};
	struct msghdr message = {.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL) == 2;
}

/* The message comes, but not what is in it. */
static int take_descriptor(void)
{
	union control control = {.bytes = {0}};
	char text[2];
	struct iovec vector = {text, sizeof(text)};
	struct msghdr message = {.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	CHECK(recvmsg(JAIL_FD_SOCKET, &message, 0) == 2);
	CHECK(message.msg_flags & MSG_CTRUNC && message.msg_controllen == 0);
	return 0;
}

/* Four files, in the wrong places: where one goes another is. */
static void give_descriptors(void)
{
	int *const give[] = {&given.life, &given.wake, &given.kick, &given.watch};
	const int at[] = {JAIL_FD_WATCH, JAIL_FD_KICK, JAIL_FD_WAKE, JAIL_FD_LIFE};

	for (int i = 0; i < 4; i++) {
		*give[i] = at[i];
		dup2(STDIN_FILENO, *give[i]);
	}
}

static void test_locked(const char *name, enum jail_profile profile)
{
	char text[TEXT_MAX] = "";
	struct child c;

	where = name;
	if (!start(&c)) {
		if (have_kvm)
			move(open_kvm(), KEPT);
		enter(profile, (uint64_t)have_kvm << KEPT);
		if (have_kvm)
			make_vm(KEPT);
		give_descriptors();
		lock(profile);
		if (write(JAIL_FD_SOCKET, "here", 4) != 4)
			_exit(1);
		_exit(take_descriptor());
	}
	if (recv(c.socket, text, 4, 0) == 4)
		look(&c, profile);
	send_descriptor(c.socket, STDIN_FILENO);
	finish(&c, text);
	verdict(!strcmp(text, LIVED), where, "descriptor_in_message", text);
}

/* --- Descriptors that nobody told of --- */

#define INHERITED_LOW 9
#define INHERITED_HIGH 150

static void leave_descriptors(void)
{
	dup2(STDIN_FILENO, KEPT);
	dup2(STDIN_FILENO, INHERITED_LOW);
	dup2(STDIN_FILENO, INHERITED_HIGH);
}

static void look_for_descriptors(void)
{
	if (fcntl(KEPT, F_GETFD) < 0 || fcntl(INHERITED_LOW, F_GETFD) >= 0 ||
		fcntl(INHERITED_HIGH, F_GETFD) >= 0)
		_exit(1);
}

static int nothing(void)
{
	return 0;
}

/* --- When it can not be entered --- */

static void no_socket(void)
{
	close(JAIL_FD_SOCKET);
}

static void network_socket(void)
{
	move(socket(AF_INET, SOCK_STREAM, 0), JAIL_FD_SOCKET);
}

static void stream_socket(void)
{
	int sockets[2];

	if (!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		move(sockets[0], JAIL_FD_SOCKET);
}

static void no_stdin(void)
{
	close(STDIN_FILENO);
}

static void few_descriptors(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64});
}

/* As `ulimit -S -n 64` leaves it. */
static void few_unless_asked(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 1024});
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

void no_user_namespaces(void)
{
	give_up_root();
	if (unshare(CLONE_NEWUSER) || !put("/proc/sys/user/max_user_namespaces", "0"))
		_exit(1);
}

/* Root of a container that knows no other user. */
static void root_alone(void)
{
	char users[64], groups[64];

	give_up_root();
	snprintf(users, sizeof(users), "0 %u 1", (unsigned)geteuid());
	snprintf(groups, sizeof(groups), "0 %u 1", (unsigned)getegid());
	if (unshare(CLONE_NEWUSER) || !put("/proc/self/setgroups", "deny") ||
		!put("/proc/self/uid_map", users) || !put("/proc/self/gid_map", groups))
		_exit(1);
}

/* A sysctl of some distributions. */
static bool unprivileged_may(void)
{
	int fd = open("/proc/sys/kernel/unprivileged_userns_clone", O_RDONLY | O_CLOEXEC);
	char value = '1';

	if (fd >= 0) {
		(void)!read(fd, &value, 1);
		close(fd);
	}
	return value != '0';
}

static void test_enter(enum jail_profile profile, const char *name, void (*before)(void),
	const char *want)
{
	char text[TEXT_MAX];
	struct child c;

	if (!start(&c)) {
		before();
		enter(profile, 0);
		lock(profile);
		_exit(0);
	}
	finish(&c, text);
	verdict(strstr(text, want) != NULL, profile == JAIL_RUN ? "run" : "enter", name, text);
}

void test_outside(void)
{
	static const struct deed inherited = {"inherited", leave_descriptors, look_for_descriptors,
		nothing, LIVED, 1ULL << KEPT, false};

	test_locked("outside", JAIL_SERVE);
	test_locked("run_outside", JAIL_RUN);
	run_deed("enter", JAIL_SERVE, &inherited);
	test_enter(JAIL_SERVE, "no_socket", no_socket, "not the client's Unix socket");
	test_enter(JAIL_SERVE, "network_socket", network_socket, "not the client's Unix socket");
	test_enter(JAIL_SERVE, "stream_socket", stream_socket, "not the client's Unix socket");
	test_enter(JAIL_SERVE, "no_stdin", no_stdin,
		"descriptor 0, a standard stream, is not open");
	test_enter(JAIL_SERVE, "no_user_namespaces", no_user_namespaces,
		"user namespaces are switched off here");
	if (unprivileged_may())
		test_enter(JAIL_SERVE, "root_alone", root_alone, LIVED);
	test_enter(JAIL_RUN, "network_socket", network_socket, "not the client's Unix socket");
	test_enter(JAIL_RUN, "no_stdin", no_stdin, "descriptor 0, a standard stream, is not open");
	test_enter(JAIL_RUN, "no_user_namespaces", no_user_namespaces, LIVED);
	test_enter(JAIL_RUN, "few_unless_asked", few_unless_asked, LIVED);
	test_enter(JAIL_RUN, "few_descriptors", few_descriptors, "ulimit -n");
}
