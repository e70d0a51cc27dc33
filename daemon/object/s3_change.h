/* SPDX-License-Identifier: Apache-2.0 */
/* A change of an object that a request makes, and who is told: around every objects_put, objects_remove and objects_complete. */
#ifndef DAEMON_OBJECT_S3_CHANGE_H
#define DAEMON_OBJECT_S3_CHANGE_H

#include "daemon/http/address.h"
#include "daemon/object/notify.h"
#include "daemon/object/s3.h"

struct s3_change {
	struct notify_event event;
	struct objects_teller teller; /* for the change */
	struct objects_told told;
	char remote[ADDRESS_TEXT_BYTES];
};

/* False: the error is set. s3_end_change must follow otherwise. */
bool s3_begin_change(struct s3_request *r, enum notify_change change, struct s3_change *c);

/* With the change's result. False: the error is set. */
bool s3_end_change(struct s3_request *r, struct s3_change *c, int result);

#endif
