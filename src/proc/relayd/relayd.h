/* relayd.h: the files of relayd among themselves: outgoing mail from the queue to other servers,
 * and the reports about it. */
#ifndef PROC_RELAYD_RELAYD_H
#define PROC_RELAYD_RELAYD_H

#include "dns/resolver.h"
#include "proc/child/child.h"
#include "sasl/auth.h"
#include "smtp/client.h"
#include "store/store.h"

struct secret { /* a connector's password, read before the jail */
    char connector[64];
    char password[256];
};

struct relay {
    struct child *child;
    struct store *store;
    struct auth_client *auth;
    struct resolver *resolver;
    struct tls_client_context *tls;
    struct secret *secrets;
    size_t secret_count;
    struct map *busy_domains; /* connections open per domain */
    struct fiber_cond work, domain_free;
    unsigned active;
    uint64_t delivered, failed, deferred, connections, plain;
};

extern const struct child_ops relayd_ops;

/* relayd.c: before the jail. */
void relay_open(struct child *c);

/* queue.c: leases what is due and has it delivered, for ever. A fiber. */
void relay_dispatch(void *arg);

/* deliver.c: tries every recipient of one item. results in the order of item->recipients. suspends
 */
void relay_deliver(struct relay *r, const struct queue_item *item, int body_fd,
                   struct smtp_recipient_result *results);

/* report.c: what the sender must be told about this try (RFC 3464). Sets delay_notified of
 * recipients that were told of a delay. suspends */
struct relay_verdict {
    const struct queue_recipient *recipient;
    const struct smtp_recipient_result *result;
    bool expired; /* deferred so long that it is given up */
    bool delay_notified;
};
int relay_report(struct relay *r, const struct queue_item *item, int body_fd,
                 struct relay_verdict *v, size_t count);

#endif
