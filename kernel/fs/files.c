// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `files`: the root image, /dev, /proc and /sys, and the system calls on paths.
 */
#include <kernel/fs/calls.h>

#include <asm/unistd.h>
#include <kernel/core/feature.h>
#include <kernel/core/program.h>
#include <kernel/fs/image.h>
#include <kernel/fs/synth.h>
#include <linux/magic.h>

static void add_tree(const struct synth *tree, const char *name, const char *type, uint32_t magic)
{
	struct mount m = {.type = type, .magic = magic, .over = fs_root, .name = name};

	if (synth_root(tree, &m.root) < 0)
		panic("no memory for /%s", name);
	mount_add(&m);
}

static void init(void)
{
	struct mount root = {.type = "erofs", .magic = EROFS_SUPER_MAGIC_V1, .space = image_space};

	image_init();
	if (image_mount(&root.root) < 0)
		panic("the root directory of the image can not be read");
	mount_add(&root);
	fs_root = root.root;
	fs_cwd = node_ref(fs_root);
	add_tree(&dev_tree, "dev", "devtmpfs", TMPFS_MAGIC);
	add_tree(&proc_tree, "proc", "proc", PROC_SUPER_MAGIC);
	add_tree(&sys_tree, "sys", "sysfs", SYSFS_MAGIC);
	fs_hooks.open = fs_open;
	fs_hooks.set_cwd = fs_set_cwd;
	fs_hooks.at_exit = missing_report;
	fs_hooks.socket_make = fs_socket_make;
	fs_hooks.socket_find = fs_socket_find;
	fs_hooks.socket_forget = fs_socket_forget;
}

static const struct feature_call calls[] = {
	{__NR_open, sys_open},
	{__NR_openat, sys_openat},
	{__NR_creat, sys_creat},
	{__NR_chdir, sys_chdir},
	{__NR_fchdir, sys_fchdir},
	{__NR_getcwd, sys_getcwd},
	{__NR_umask, sys_umask},
	{__NR_getdents, sys_getdents},
	{__NR_getdents64, sys_getdents64},
	{__NR_stat, sys_stat},
	{__NR_lstat, sys_lstat},
	{__NR_newfstatat, sys_newfstatat},
	{__NR_statx, sys_statx},
	{__NR_access, sys_access},
	{__NR_faccessat, sys_faccessat},
	{__NR_faccessat2, sys_faccessat2},
	{__NR_readlink, sys_readlink},
	{__NR_readlinkat, sys_readlinkat},
	{__NR_statfs, sys_statfs},
	{__NR_fstatfs, sys_fstatfs},
	{__NR_mkdir, sys_mkdir},
	{__NR_mkdirat, sys_mkdirat},
	{__NR_mknod, sys_mknod},
	{__NR_mknodat, sys_mknodat},
	{__NR_rmdir, sys_rmdir},
	{__NR_unlink, sys_unlink},
	{__NR_unlinkat, sys_unlinkat},
	{__NR_symlink, sys_symlink},
	{__NR_symlinkat, sys_symlinkat},
	{__NR_link, sys_link},
	{__NR_linkat, sys_linkat},
	{__NR_rename, sys_rename},
	{__NR_renameat, sys_renameat},
	{__NR_renameat2, sys_renameat2},
	{__NR_chmod, sys_chmod},
	{__NR_fchmod, sys_fchmod},
	{__NR_fchmodat, sys_fchmodat},
	{452, sys_fchmodat2}, /* newer than Debian 12's headers */
	{__NR_chown, sys_chown},
	{__NR_lchown, sys_lchown},
	{__NR_fchown, sys_fchown},
	{__NR_fchownat, sys_fchownat},
	{__NR_utimensat, sys_utimensat},
	{__NR_utime, sys_utime},
	{__NR_utimes, sys_utimes},
	{__NR_futimesat, sys_futimesat},
	{__NR_truncate, sys_truncate},
	{__NR_ftruncate, sys_ftruncate},
	{__NR_fallocate, sys_fallocate},
	{__NR_getxattr, sys_getxattr},
	{__NR_lgetxattr, sys_lgetxattr},
	{__NR_fgetxattr, sys_fgetxattr},
	/* Removing answers as asking does. */
	{__NR_setxattr, sys_setxattr},
	{__NR_lsetxattr, sys_lsetxattr},
	{__NR_fsetxattr, sys_fsetxattr},
	{__NR_removexattr, sys_getxattr},
	{__NR_lremovexattr, sys_lgetxattr},
	{__NR_fremovexattr, sys_fgetxattr},
	{__NR_listxattr, sys_listxattr},
	{__NR_llistxattr, sys_llistxattr},
	{__NR_flistxattr, sys_flistxattr},
	{__NR_sendfile, sys_sendfile},
	{__NR_copy_file_range, sys_copy_file_range},
	{__NR_splice, sys_splice},
	{__NR_fsync, sys_fsync},
	{__NR_fdatasync, sys_fsync},
	{__NR_sync, sys_sync},
	{__NR_syncfs, sys_syncfs},
	{__NR_sync_file_range, sys_sync_file_range},
	{__NR_fadvise64, sys_fadvise64},
	{__NR_readahead, sys_readahead},
	{__NR_flock, sys_flock},
};

FEATURE(files, "", init, calls);
