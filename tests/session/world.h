/* world.h: one virtual server with everything behind it, in this process, for one golden dialogue.
 */
#ifndef SESSION_WORLD_H
#define SESSION_WORLD_H

#include "line/worker.h"

struct world {
    struct loop *loop;
    struct worker *worker;
    struct tls_client_context *client_tls;
    struct store_harness *harness;
    char folder[64];
    enum conf_protocol protocol;
    enum conf_policy endpoint_policy;
    enum conf_smtp_kind smtp_kind;
    struct buf options; /* lines for the virtual server */
    struct conf *conf;
};

struct world *world_new(const char *protocol);
void world_option(struct world *w, struct span text);
void world_policy(struct world *w, struct span name);
void world_smtp_kind(struct world *w, struct span name);
void world_start(struct world *w);  /* before the first connection; nothing if it has been done */
int world_connect(struct world *w); /* the client's end */
/* Ends the sessions and stops the loop. */
void world_end(struct world *w);
void world_free(struct world *w);

#endif
