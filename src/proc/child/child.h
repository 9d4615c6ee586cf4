/*
 * child.h: what every process of sealpost does at its start, in this order: take the link to the supervisor (descriptor 3), receive
 * CHILD_START, open the files it needs, enter the jail, and only then talk to peers and parse.
 *
 *     struct child *c = child_open(ROLE_AUTHD, &ops);   // blocks for CHILD_START; fatal on failure
 *     ... open databases ...
 *     child_jail(c, "authd");                           // user, limits, seccomp, Landlock
 *     child_run(c);                                     // READY, then the loop until CHILD_STOP
 */
#ifndef PROC_CHILD_H
#define PROC_CHILD_H

#include "conf/conf.h"
#include "ipc/link.h"

enum { CHILD_INSTANCES_MAX = 64, CHILD_SECRET_BYTES = 32 };

struct child;

struct child_ops {
    const struct msg_handler
        *handlers;    /* for links to all peers; child adds its own for the supervisor's messages */
    bool ready_later; /* the process calls child_ready itself, when it can serve */
    void (*on_ready)(struct child *c); /* in the loop, before CHILD_READY is sent; may be NULL */
    void (*on_peer)(struct child *c, struct link *l);      /* a link to a peer is there (again) */
    void (*on_peer_gone)(struct child *c, struct link *l); /* about to be freed */
    void (*on_listen)(struct child *c, unsigned vserver, unsigned endpoint, int take_fd);
    void (*on_conf)(
        struct child *c,
        const struct conf
            *old); /* after a reload; c->conf is the new one; old lives until it returns */
    void (*on_stop)(struct child *c, uint64_t drain_ms); /* NULL: the loop stops at once */
    /* Appends members of a JSON object ("\"x\":1,…" without braces) for `sealpost status` and /metrics. */
    void (*on_status)(struct child *c, struct buf *json);
    /* Appends Prometheus lines for /metrics (sent as CHILD_METRICS each second); may be NULL. */
    void (*on_metrics)(struct child *c, struct buf *text);
};

struct child {
    enum role role;
    unsigned instance; /* 0 …: number among the processes of this role */
    unsigned instance_count;
    uint32_t generation; /* counts restarts of this role and instance; from 1 */
    struct loop *loop;
    const struct conf *conf;
    struct link *supervisor;
    struct link *peers[ROLE_COUNT][CHILD_INSTANCES_MAX];
    unsigned char grant_secret[CHILD_SECRET_BYTES]; /* of this run; zero but for authd and stored */
    char root[256];                                 /* the data folder (conf.data), absolute */
    const struct child_ops *ops;
    void *state; /* the process's own */
};

struct child *child_open(enum role role, const struct child_ops *ops);
/* `profile` is a row of sandbox/profiles.def. Fatal if a wall that the kernel offers does not go up. */
void child_jail(struct child *c, const char *profile);
int child_run(struct child *c); /* the exit status */
/* Tells the supervisor that this process can serve; with ready_later, once. */
void child_ready(struct child *c);
/* The only (or first) instance; NULL while it is being restarted: link_call on NULL gives -EPIPE. */
struct link *child_peer(const struct child *c, enum role role);
/* Waits until there is a link to that role. suspends; NULL after timeout_ms. */
struct link *child_peer_wait(struct child *c, enum role role, uint64_t timeout_ms);
/* Whose message the running fiber (or the loop) handles; false: nobody's, and role stays 0. */
bool child_asker(enum role *ret_role, unsigned *ret_instance);
_Noreturn void child_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
