/*
 * capture_server.h: the tap in the server (tls/tap.h): each worker copies what goes over the wires of the virtual servers that are asked for
 * into a feed of its own, as long as this lives. It sees the connections of everybody, not only the probe's.
 */
#ifndef MANAGER_CAPTURE_SERVER_H
#define MANAGER_CAPTURE_SERVER_H

#include "capture/observe.h"
#include "capture/source.h"
#include "manager/control.h"

struct capture_server;
/* From now on; *ret_source is what the parser reads. */
int capture_server_start(struct control *control, const struct observe_endpoint *endpoints,
                         unsigned count, struct capture_server **ret, struct source **ret_source,
                         struct err *e);
/* Nothing more comes. -EPIPE: a worker has ended meanwhile, and what it did before its end was not all seen. */
int capture_server_stop(struct capture_server *s, struct err *e);
void capture_server_free(struct capture_server *s); /* NULL is fine */
unsigned capture_server_workers(const struct capture_server *s);

#endif
