/* SPDX-License-Identifier: Apache-2.0 */
/* Telling systemd (sd_notify(3)) what this daemon does: "READY=1", "STOPPING=1". Nothing happens when nobody asked ($NOTIFY_SOCKET). */
#ifndef DAEMON_SYSTEMD_H
#define DAEMON_SYSTEMD_H

void systemd_tell(const char *state);

#endif
