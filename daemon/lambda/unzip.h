/* SPDX-License-Identifier: Apache-2.0 */
/* How dayfly-unzip (unzip.c) ends: between it and the daemon. */
#ifndef DAEMON_UNZIP_H
#define DAEMON_UNZIP_H

enum unzip_status {
	UNZIP_OK,
	UNZIP_FAILED, /* not for what the archive holds */
	UNZIP_NO_ARCHIVE,
	UNZIP_NO_FILE,
	UNZIP_TOO_LARGE,
	UNZIP_DAMAGED,
};

#endif
