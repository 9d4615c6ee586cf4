/*
 * worker.h: what the sessions of one sessiond share: store, logins, virtual servers with their TLS
 * contexts, limits, counters.
 */
#ifndef LINE_WORKER_H
#define LINE_WORKER_H

#include "ipc/link.h"
#include "line/session.h"

struct worker_vserver {
    char name[64];
    const struct conf_vserver *conf; /* in the newest configuration; NULL: it is no longer in it */
    const struct protocol *protocol; /* NULL: not served by this kind of worker */
    struct tls_context *tls;
    unsigned sessions;
    uint64_t accepted, refused, logins, login_failures, commands, protocol_errors, timeouts;
    uint64_t bytes_in, bytes_out;
    bool stopped;     /* takes no new connection */
    struct buf trust; /* PEM: whose client certificates hold; empty: not known */
    uint64_t trust_epoch;
};

struct worker {
    struct loop *loop;
    const struct conf *conf; /* the worker's own copy of the newest */
    struct list confs;       /* copies that sessions still hold */
    struct list listeners;
    struct store *store; /* mx: NULL for reading, bodies and delivery work */
    struct auth_client *auth;
    enum role role;
    unsigned instance, instances; /* this one, and how many share the endpoints */
    uint32_t generation;
    struct worker_vserver **vservers; /* the first conf->vserver_count as in conf->vservers */
    unsigned vserver_count;
    struct list sessions;
    unsigned session_count;
    uint64_t last_number;
    struct map *by_address;       /* connections per peer address */
    struct tally *by_address_all; /* with the other workers; NULL: there are none */
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    struct timer *drain_timer;
    struct timer *rest_timer;
    unsigned opened; /* since the last look */
    bool rest_awaited;
    const struct protocol *const *protocols;
    struct link *(*peer)(struct worker *w, enum role role); /* link to another process, or NULL */
    void *peer_arg;
};

/* protocols: indexed by enum conf_protocol; a NULL entry is not served. */
struct worker *worker_new(struct loop *l, const struct conf *c, enum role role, unsigned instance,
                          uint32_t generation,
                          const struct protocol *const protocols[PROTOCOL_COUNT]);
void worker_listen(struct worker *w, unsigned vserver, unsigned endpoint, int take_fd);
/* A connection from elsewhere than accept (probe injection, tests): as if it had been accepted at
 * that endpoint. */
struct session *worker_inject(struct worker *w, unsigned vserver, unsigned endpoint, int take_fd,
                              const struct sockaddr_storage *peer);
/* The same for a probe: it is shown the certificate of `slot`, and connection control does not apply to
 * it. False: there is no such endpoint here. */
bool worker_probe(struct worker *w, const char *vserver, unsigned endpoint, enum tls_slot slot,
                  int take_fd);
/* A certificate has come: endpoints that waited for one start to accept. */
void worker_identities(struct worker *w);
/* Do all listening endpoints accept? (None waits for a certificate.) */
bool worker_serving(const struct worker *w);
/* From certd; in force with new handshakes, where the configuration asks for certificates. */
enum { WORKER_TRUST_MAX = 8 << 20 };
void worker_trust(struct worker_vserver *v, struct span pem, uint64_t epoch);
struct worker_vserver *worker_vserver(struct worker *w, const char *name); /* NULL: none */
void worker_conf(struct worker *w,
                 const struct conf *c); /* reload: running sessions keep the old one */
void worker_drain(struct worker *w, uint64_t ms, void (*done)(void *arg),
                  void *arg); /* no new connections; idle sessions are told and ended */
/* Sessions of a virtual server, opened with the certificate of that serial number ("": all), end with
 * the farewell when their command is done. How many. */
unsigned worker_drain_sessions(struct worker *w, const char *vserver, const char *serial,
                               const char *reason);
/* The logins of an account may have ended: its sessions that wait ask now, the others with their next
 * command. */
void worker_confirm(struct worker *w, uint64_t account);
/* Ends a session with its protocol's farewell; false: no such session. */
bool worker_kill(struct worker *w, uint64_t number, const char *reason);
void worker_status(struct worker *w, struct buf *json);  /* members of a JSON object */
void worker_metrics(struct worker *w, struct buf *text); /* Prometheus lines */
/* Rows for sessions: one JSON object each, separated by commas, from session number `after` on, as
 * many as fit in out. */
void worker_sessions(struct worker *w, uint64_t after, struct buf *json);
void worker_free(struct worker *w);

#endif
