/*
 * control.h: the command line's way to the processes: the control socket of the supervisor, which
 * checks who asks and makes a link to the process that was asked for. Everything blocks; one call
 * at a time.
 *
 * Reasons are complete sentences for the administrator: what, where, what to do.
 */
#ifndef MANAGER_CONTROL_H
#define MANAGER_CONTROL_H

#include "conf/conf.h"
#include "ipc/link.h"

enum { CONTROL_TIMEOUT_MS = 60000 };

struct call;
struct control;

/* The configuration file that --config, SEALPOST_CONFIG or ./run/sealpost.conf names. */
const char *call_config(const struct call *c);
/* Connected to the server of that configuration; kept for the rest of the call. NULL with the
 * reason. */
struct control *call_control(struct call *c, struct err *e);

/* `file` is only looked at for its data folder. */
int control_open(const char *file, struct control **ret, struct err *e);
void control_free(struct control *c); /* NULL is fine */

/* A call to a process; ROLE_SUPERVISOR is the supervisor itself. Returns the status of the answer;
 * where it is negative the reason is the answer's text, or words for the errno. The answer's bytes
 * are appended to reply (may be NULL). A process that is just being started is waited for. */
int control_call(struct control *c, enum role role, unsigned instance, enum msg_id id,
                 struct span body, struct buf *reply, struct err *e);
/* The same with a descriptor in the request; it stays the caller's. */
int control_call_with(struct control *c, enum role role, unsigned instance, enum msg_id id,
                      struct span body, int fd, struct buf *reply, struct err *e);
/* The same with a descriptor in the answer. */
int control_call_fd(struct control *c, enum role role, unsigned instance, enum msg_id id,
                    struct span body, int *ret_fd, struct err *e);
/* The configuration that the server runs with; owned by the control. NULL with the reason. */
const struct conf *control_conf(struct control *c, struct err *e);

/* Its data folder, as this process reaches it. */
const char *control_data(const struct control *c);

/* `data = "…"` in the text of a configuration, however broken the rest of it is; relative to the
 * file's folder. */
bool control_find_data(struct span text, const char *file, struct buf *ret);

#endif
