/*
 * policy.h: what is decided about outgoing mail without talking to anybody: what belongs together,
 * when to try again, when to give up, what the sender is told.
 */
#ifndef PROC_RELAYD_POLICY_H
#define PROC_RELAYD_POLICY_H

#include "base/arena.h"
#include "conf/conf.h"
#include "dns/resolver.h"
#include "smtp/client.h"

struct relay_verdict { /* about one recipient of an item, after a try */
    const struct queue_recipient *recipient;
    struct smtp_recipient_result result;
    char host[DNS_NAME_MAX + 1]; /* whose words result.text are; "": nobody's */
    bool expired;                /* deferred so long that it is given up */
    bool delay_notified;
};

/* Recipients of one domain: they are delivered together. */
struct policy_group {
    char domain[DNS_NAME_MAX + 1]; /* lower case, as DNS knows it (RFC 5890 A-labels); "": the
                                      addresses have none that is any good */
    size_t *members;               /* indices of item->recipients */
    size_t count;
};
/* Recipients that were delivered here already are in none. Memory from the arena. Returns how many
 * groups. */
size_t policy_groups(const struct queue_item *item, struct arena *a, struct policy_group **ret);

/* The pause after a try, when `tries` came before it: the row of the schedule. */
int64_t policy_pause_seconds(const struct conf *c, uint32_t tries);
bool policy_expired(const struct conf *c, const struct queue_item *item, int64_t now);

enum report_kind {
    REPORT_NONE,
    REPORT_FAILED,
    REPORT_DELAYED,
    REPORT_RELAYED,
    REPORT_DELIVERED,
    REPORT_KINDS
};
/* With what our own reports go out: the next server is asked for none about them (RFC 3461 section
 * 6.2), and we tell the postmaster of their failure. No client can say this. */
enum { REPORT_NOTIFY = NOTIFY_NEVER | NOTIFY_FAILURE };
/* RFC 3461 section 4.1: what the sender hears of this recipient now. */
enum report_kind policy_report(const struct conf *c, const struct queue_item *item,
                               const struct relay_verdict *v, int64_t now);
/* RFC 3463: the status for the report. Memory from the arena. */
struct span policy_status(struct arena *a, const struct relay_verdict *v, enum report_kind k);

#endif
