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
    enum conf_protocol protocol;
    enum conf_policy endpoint_policy;
    enum conf_smtp_kind smtp_kind;
    enum world_certificate { CLIENT_NONE, CLIENT_KNOWN, CLIENT_UNKNOWN } certificate;
    struct buf options, root_options; /* lines for the virtual server, and beside it */
    struct conf *conf;
    bool draining, drained, ending;
};

/* Opens an empty store; not from a fiber. */
struct world *world_new(const char *protocol);
/* Before world_start. */
void world_option(struct world *w, struct span text);
void world_root_option(struct world *w, struct span text);
bool world_policy(struct world *w, struct span name);
bool world_smtp_kind(struct world *w, struct span name);
/* Of the clients: "known" (to the trust list) or "unknown". Before world_start. */
bool world_client_certificate(struct world *w, struct span name);
void world_start(struct world *w); /* nothing if it has been done. suspends */
/* The client's end, and the number of the session at the other end. */
int world_connect(struct world *w, uint64_t *ret_session);
/* A message of an account's INBOX, or of a newsgroup ("16" or "local.test"), prefix and body as
 * they lie in the store. False: no such message. */
bool world_message(struct world *w, struct span where, uint32_t uid, struct buf *out);
/* As a stranger would: into an account's INBOX, or as an article of that Message-ID into a
 * newsgroup. suspends */
void world_deliver(struct world *w, struct span where, struct span message_id, struct span prefix,
                   struct span text);
/* Somebody else removes a message. suspends */
void world_expunge(struct world *w, struct span where, uint32_t uid);
/* The next item of the outgoing queue in words, one thing a line; "nothing" when there is none.
 * suspends */
void world_queue(struct world *w, struct buf *out);
/* "accepted", "errors", "plaintext_bytes", … of the virtual server. False: no such counter. */
bool world_counter(struct world *w, struct span name, uint64_t *ret);
/* Perhaps with one option more of the virtual server. */
void world_reload(struct world *w, struct span option);
/* The server begins to stop. */
void world_drain(struct world *w);
/* Ends the sessions and stops the loop. */
void world_end(struct world *w);
void world_free(struct world *w);

#endif
