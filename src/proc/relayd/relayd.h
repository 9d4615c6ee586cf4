/* relayd.h: the files of relayd among themselves: outgoing mail from the queue to other servers,
 * and the reports about it. */
#ifndef PROC_RELAYD_RELAYD_H
#define PROC_RELAYD_RELAYD_H

#include "dns/resolver.h"
#include "proc/child/child.h"
#include "proc/relayd/policy/policy.h"
#include "sasl/auth.h"
#include "smtp/client.h"
#include "store/store.h"

#include <sys/stat.h>

struct route_secret { /* of a connector, read before the jail */
    char connector[64];
    char password[256];
    struct tls_client_context *tls; /* NULL: as for everybody */
};

struct relay {
    struct child *child;
    const struct conf *conf; /* a copy for the life of this process: deliveries outlive a reload */
    struct store *store;
    struct auth_client *auth;
    struct resolver *resolver;
    struct tls_client_context *tls;
    struct stat roots; /* our own CA's file, st_ino 0: there was none yet */
    struct route_secret *secrets;
    size_t secret_count;
    struct map64 *items; /* under way, by id */
    struct map *domains; /* slots.c: where connections are open or waited for */
    unsigned connections_open;
    struct fiber_cond work, slot_free;
    unsigned active; /* items */
    bool kicked;     /* something may be due: look again before waiting */
    bool stopping;
    uint64_t drain_ms;
    struct {
        uint64_t delivered, failed, expired, deferred; /* recipients */
        uint64_t connections, unreachable;             /* tries, and those that came to nothing */
        uint64_t plain, tls, tls_verified,
            tls_failed; /* how messages went; handshakes that failed */
        uint64_t reports[REPORT_KINDS], reports_failed;
    } count;
};

extern const struct child_ops relayd_ops;

/* relayd.c: before the jail. */
void relay_open(struct child *c);
/* The roots of our own CA: takes the first where there was none yet when this process began (false: still
 * none); where there are others than those that were read it starts anew, as after a reload. suspends */
bool relay_follow_roots(struct relay *r);

/* queue.c: leases what is due and has it delivered, for ever. A fiber. */
void relay_dispatch(void *arg);
void relay_kick(struct relay *r); /* something may be due */
/* A message under way. */
struct job;
const struct queue_item *job_item(const struct job *j);
/* The message, from the store at the first call; the job closes it. suspends; 0 or negative errno
 */
int job_body(struct job *j, int *ret_fd);

/* slots.c: a connection to that domain may be opened now; relay_slot_leave is due. False: while
 * this waited others found that nobody can be reached there; *ret_why says how. suspends */
bool relay_slot_enter(struct relay *r, const char *domain, struct smtp_recipient_result *ret_why);
/* unreachable: why nobody could be reached, NULL if somebody was */
void relay_slot_leave(struct relay *r, const char *domain,
                      const struct smtp_recipient_result *unreachable);

/* deliver.c: tries the recipients of one domain; v is of the whole item. suspends */
void relay_deliver(struct relay *r, struct job *j, const struct policy_group *g,
                   struct relay_verdict *v);

/* report.c: what the sender must be told about this try (RFC 3464). Sets delay_notified of
 * recipients that were told of a delay. 0: all that must be is in the store. suspends */
int relay_report(struct relay *r, struct job *j, struct relay_verdict *v);

/* Where mail for an address of ours goes, or remote; texts in the arena. suspends */
int relay_recipient(struct relay *r, struct arena *a, struct span to, struct store_recipient *ret);
/* alarm.c: certd's alarms become mail to the postmaster. */
void msg_cert_alarm(void *arg, struct msg *m);

#endif
