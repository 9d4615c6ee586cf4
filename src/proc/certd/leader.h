/* leader.h: what the files of orders share: the fiber of a virtual server that leads its orders, and what it remembers. */
#ifndef CERTD_LEADER_H
#define CERTD_LEADER_H

#include "proc/certd/order.h"
#include "proc/certd/orders.h"
#include "proc/certd/proofs.h"

enum {
    ORDER_LOOK_MS = 30000,
    ORDER_LOOK_SOON_MS = 1000,
    ORDER_SHORT_LIFE = 7200, /* a certificate that lives no longer is looked at each second */
    REHEARSAL_SECONDS = 7 * 86400,
};

struct leader {
    struct vserver_life *v;
    struct order order;
    bool loaded, running;
    char progress[120];
    int64_t looks_at; /* at the CA, again */
    struct fiber_lock file;
};

static inline struct leader *leader_of(const struct vserver_life *v)
{
    return v->orders;
}

/* One course at the CA. */
struct running {
    struct leader *l;
    struct authority *a;
    bool rehearsal;
};

/* orders.c */

/* The authority of the pending request, or of the certificate in use; "": it is another's. */
const char *leader_authority(const struct identity_slot *s);
int leader_save(struct leader *l, struct err *e); /* suspends */
/* Counts it, says when it is tried again. suspends */
void leader_failed(struct leader *l, const char *authority, bool passes, uint32_t wish,
                   const struct err *why);
int leader_run_acme(struct running *r, const struct cert_names *names, struct span csr,
                    struct buf *ret_pem, bool *ret_passes, struct err *e);

/* renewal.c */

void leader_follow_serial(struct leader *l);
/* The CA's own wish (RFC 9773), asked for. suspends */
void leader_look_at_window(struct leader *l, const char *authority, int64_t now);
int64_t leader_renew_at(const struct leader *l);
void leader_renew(struct leader *l); /* suspends */
/* Up to the certificate, and no further. 0, or why it would fail. suspends */
int leader_rehearse(struct leader *l, const char *authority, int64_t now, struct err *e);
void leader_watch_end(void *arg); /* a fiber: alarms, and the second source */

#endif
