// SPDX-License-Identifier: Apache-2.0
/*
 * The system calls of the feature `files` and the few functions its parts share. Every sys_* has the
 * contract of its manual page (section 2) and takes the registers of the program as they are.
 */
#ifndef KERNEL_FS_CALLS_H
#define KERNEL_FS_CALLS_H

#include <kernel/fs/node.h>

typedef uint64_t arg;

/* open.c */
int64_t sys_open(arg path, arg flags, arg mode);
int64_t sys_openat(arg dirfd, arg path, arg flags, arg mode);
int64_t sys_creat(arg path, arg mode);
int64_t sys_chdir(arg path);
int64_t sys_fchdir(arg fd);
int64_t sys_getcwd(arg buf, arg size);
int64_t sys_umask(arg mask);
int64_t sys_getdents(arg fd, arg buf, arg size);
int64_t sys_getdents64(arg fd, arg buf, arg size);
/* For struct fs_hooks. */
int fs_open(const char *path, int flags, unsigned mode, struct file **out);
int fs_set_cwd(const char *path);
void missing_report(int status);

/* sockets.c: for struct fs_hooks */
int fs_socket_make(const char *path, struct node **out);
int fs_socket_find(const char *path, struct node **out);
void fs_socket_forget(struct node *n);

/* stat.c */
int64_t sys_stat(arg path, arg buf);
int64_t sys_lstat(arg path, arg buf);
int64_t sys_newfstatat(arg dirfd, arg path, arg buf, arg flags);
int64_t sys_statx(arg dirfd, arg path, arg flags, arg mask, arg buf);
int64_t sys_access(arg path, arg mode);
int64_t sys_faccessat(arg dirfd, arg path, arg mode);
int64_t sys_faccessat2(arg dirfd, arg path, arg mode, arg flags);
int64_t sys_readlink(arg path, arg buf, arg size);
int64_t sys_readlinkat(arg dirfd, arg path, arg buf, arg size);
int64_t sys_statfs(arg path, arg buf);
int64_t sys_fstatfs(arg fd, arg buf);

/* names.c */
int64_t sys_mkdir(arg path, arg mode);
int64_t sys_mkdirat(arg dirfd, arg path, arg mode);
int64_t sys_mknod(arg path, arg mode, arg dev);
int64_t sys_mknodat(arg dirfd, arg path, arg mode, arg dev);
int64_t sys_rmdir(arg path);
int64_t sys_unlink(arg path);
int64_t sys_unlinkat(arg dirfd, arg path, arg flags);
int64_t sys_symlink(arg target, arg path);
int64_t sys_symlinkat(arg target, arg dirfd, arg path);
int64_t sys_link(arg from, arg to);
int64_t sys_linkat(arg from_fd, arg from, arg to_fd, arg to, arg flags);
int64_t sys_rename(arg from, arg to);
int64_t sys_renameat(arg from_fd, arg from, arg to_fd, arg to);
int64_t sys_renameat2(arg from_fd, arg from, arg to_fd, arg to, arg flags);

/* change.c */
int64_t sys_chmod(arg path, arg mode);
int64_t sys_fchmod(arg fd, arg mode);
int64_t sys_fchmodat(arg dirfd, arg path, arg mode);
int64_t sys_fchmodat2(arg dirfd, arg path, arg mode, arg flags);
int64_t sys_chown(arg path, arg uid, arg gid);
int64_t sys_lchown(arg path, arg uid, arg gid);
int64_t sys_fchown(arg fd, arg uid, arg gid);
int64_t sys_fchownat(arg dirfd, arg path, arg uid, arg gid, arg flags);
int64_t sys_utimensat(arg dirfd, arg path, arg times, arg flags);
int64_t sys_utime(arg path, arg times);
int64_t sys_utimes(arg path, arg times);
int64_t sys_futimesat(arg dirfd, arg path, arg times);
int64_t sys_truncate(arg path, arg size);
int64_t sys_ftruncate(arg fd, arg size);
int64_t sys_fallocate(arg fd, arg mode, arg offset, arg bytes);
int64_t sys_getxattr(arg path, arg name);
int64_t sys_lgetxattr(arg path, arg name);
int64_t sys_fgetxattr(arg fd, arg name);
int64_t sys_setxattr(arg path);
int64_t sys_lsetxattr(arg path);
int64_t sys_fsetxattr(arg fd);
int64_t sys_listxattr(arg path);
int64_t sys_llistxattr(arg path);
int64_t sys_flistxattr(arg fd);

/* move.c */
int64_t sys_sendfile(arg out_fd, arg in_fd, arg offset, arg bytes);
int64_t sys_copy_file_range(arg in_fd, arg in_offset, arg out_fd, arg out_offset, arg bytes,
	arg flags);
int64_t sys_splice(arg in_fd, arg in_offset, arg out_fd, arg out_offset, arg bytes, arg flags);
int64_t sys_fsync(arg fd);
int64_t sys_sync(void);
int64_t sys_syncfs(arg fd);
int64_t sys_sync_file_range(arg fd, arg offset, arg bytes, arg flags);
int64_t sys_fadvise64(arg fd, arg offset, arg bytes, arg advice);
int64_t sys_readahead(arg fd, arg offset, arg bytes);

/* The error for a new name in a directory that takes none. */
int fs_no_create(const struct node *dir);

/* lock.c */
int64_t sys_flock(arg fd, arg operation);

/* The node that (dirfd, path) names, with a reference. flags: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. A
 * descriptor without a node: *out NULL and *file (borrowed). */
int fs_find(int dirfd, gva_t path, unsigned flags, struct node **out,
	struct file **file) must_check;

#endif
