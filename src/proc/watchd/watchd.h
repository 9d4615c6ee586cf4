/*
 * watchd.h: the standing probe: looks every minute at what each TLS endpoint really serves, as a
 * client would, and says so in the log, in /metrics and in `sealpost status`. It has no authority
 * over anything.
 */
#ifndef PROC_WATCHD_WATCHD_H
#define PROC_WATCHD_WATCHD_H

#include "monitor/probe.h"
#include "proc/child/child.h"

enum {
    WATCH_ROUND_MS = 60000,
    WATCH_FIRST_MS = 2000, /* after the start: the workers come up meanwhile */
    WATCH_AGAIN_MS = 3000, /* before a fault is believed: a swap may be under way */
    WATCH_AT_ONCE = 16,    /* endpoints looked at side by side */
};

/* One endpoint and what was seen of it last. */
struct watched {
    struct probe_target target;
    struct probe_handshake last;
    int64_t at; /* wall clock seconds; 0: not looked at yet */
    bool
        is_expected; /* it serves the serial that certd calls live; true where certd does not say */
    unsigned failures;                        /* in a row */
    char told[PROBE_DETAIL_MAX];              /* the fault that stands in the log; "": none */
    char told_serial[CERTIFICATE_SERIAL_MAX]; /* whose life was warned of, and up to which step */
    unsigned told_step;
};

/* The endpoints of one configuration; counted references, because probes may be under way when the
 * next one comes. */
struct watch_list {
    unsigned refs;
    struct conf *conf;        /* an own copy */
    struct cert_names *names; /* one a virtual server */
    struct watched *v;
    unsigned n;
};
struct watch_list *watch_list_new(const struct conf *c);
void watch_list_unref(struct watch_list *l); /* NULL is fine */

struct watchd {
    struct child *child;
    struct watch_list *list;
    struct probe_trust trust;
    bool trusts; /* trust is known */
    unsigned round_running;
    struct fiber_cond round_done;
    uint64_t rounds;
    bool stopping;
};

extern const struct child_ops watchd_ops;
void watchd_warm_up(void); /* what OpenSSL reads from files, before the jail */

/* report.c */
void watchd_status(struct child *c, struct buf *json);
void watchd_metrics(struct child *c, struct buf *text);
/* Says in the log what has changed since it was said last. */
void watchd_tell(struct watched *w, int64_t now);

#endif
