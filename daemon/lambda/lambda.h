/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lambda's REST interface, as far as dayfly has it: what its handlers share. Names, paths and texts are Amazon's, as its clients expect them.
 *
 * On the network face every request must be signed with the daemon's key (sigv4.h); on the local face that is not asked.
 */
#ifndef DAEMON_LAMBDA_H
#define DAEMON_LAMBDA_H

#include "daemon/http/faces.h"
#include "daemon/http/signed.h"

#define LAMBDA_ACCOUNT "000000000000"
#define LAMBDA_REGION SIGNED_REGION
#define LAMBDA_ARN_MAX 256

extern const struct route face_lambda[];

/* A function as the path of a request names it: name, partial ARN or ARN, with a qualifier or ?Qualifier=. */
struct lambda_target {
	char name[FUNCTION_NAME_MAX + 1];
	char qualifier[129]; /* empty: none */
};

/* Checks the signature, and reads the function of the path if there is a part for it. False: *result is the answer that was sent. */
bool lambda_begin(struct request *request, struct lambda_target *target, enum MHD_Result *result);

/* The target's function: a reference, or NULL after an answer. */
struct function *lambda_find(struct request *request, const struct lambda_target *target,
	enum MHD_Result *result) __attribute__((warn_unused_result));

/* Reads "arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]", the end of one, or a name. False: none of them. */
bool lambda_parse_name(const char *text, struct lambda_target *target);

/* A function's configuration: a new reference, NULL without memory. */
json_t *lambda_configuration(const struct function *function) __attribute__((warn_unused_result));

void lambda_arn(const char *name, const char *qualifier, char arn[LAMBDA_ARN_MAX]);

/* Answers: with x-amzn-RequestId; json is taken. */
enum MHD_Result lambda_send(struct request *request, unsigned int status, json_t *json);
enum MHD_Result lambda_send_error(struct request *request, unsigned int status, const char *type,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
enum MHD_Result lambda_not_found(struct request *request, const struct lambda_target *target);

/* Creating and updating (lambda_create.c). */
enum MHD_Result lambda_create(struct request *request);
enum MHD_Result lambda_update_code(struct request *request);
enum MHD_Result lambda_update_configuration(struct request *request);
enum MHD_Result lambda_put_concurrency(struct request *request);
enum MHD_Result lambda_delete_concurrency(struct request *request);

/* Versions and aliases (lambda_versions.c). */
enum MHD_Result lambda_publish(struct request *request);
enum MHD_Result lambda_list_versions(struct request *request);
enum MHD_Result lambda_create_alias(struct request *request);
enum MHD_Result lambda_list_aliases(struct request *request);
enum MHD_Result lambda_get_alias(struct request *request);
enum MHD_Result lambda_update_alias(struct request *request);
enum MHD_Result lambda_delete_alias(struct request *request);

/* Asynchronous calls (lambda_async.c). The call's attributes are set. */
enum MHD_Result lambda_put_event(struct request *request, const struct lambda_target *target,
	struct call *call);
enum MHD_Result lambda_put_async(struct request *request);
enum MHD_Result lambda_get_async(struct request *request);
enum MHD_Result lambda_delete_async(struct request *request);

#endif
