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
    WATCH_FIRST_MS = 2000,  /* after the start: the workers come up meanwhile */
    WATCH_AGAIN_MS = 3000,  /* before a fault is believed: a swap may be under way */
    WATCH_AT_ONCE = 16,     /* endpoints looked at side by side */
    WATCH_REMIND_S = 86400, /* an alarm about what is still so */
    WATCH_OUTSIDE_MAX = 512,
    WATCH_NAMES_MAX = 128,
    WATCH_ADDRESSES = 4, /* of one name */
    WATCH_VSERVERS_MAX = 256,
};

enum watch_fault { WATCH_FINE, WATCH_UNREACHABLE, WATCH_UNFIT, WATCH_OTHER };

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
    enum watch_fault alarmed; /* what the postmaster knows; and since when */
    int64_t alarmed_at;
    bool was_up;
    /* at an address that a name of the virtual server leads to (outside.c) */
    bool is_outside, is_wanted;
    char name[256], address[64];
};

/* A name and where DNS says that it leads. */
struct watch_name {
    const char *vserver, *name; /* of the list's configuration */
    char state[400];
};

/* Whom clients trust; counted references, because looks may be under way when it changes. */
struct watch_trust {
    unsigned refs;
    bool system; /* the roots of this machine, and those of the own CA */
    struct probe_trust trust;
};

/* The endpoints of one configuration; counted references, because probes may be under way when the
 * next one comes. */
struct watch_list {
    unsigned refs;
    struct conf *conf;          /* an own copy */
    struct cert_names *names;   /* one a virtual server */
    struct watch_trust **given; /* one a virtual server: of its certificate; NULL: the own CA's */
    struct watched *v;
    unsigned n;
    struct watched *outside[WATCH_OUTSIDE_MAX];
    unsigned outside_n;
    struct watch_name dns[WATCH_NAMES_MAX];
    unsigned dns_n;
    uint64_t plain[WATCH_VSERVERS_MAX]; /* plaintext_bytes_total by place in the configuration */
};
struct watch_list *watch_list_new(const struct conf *c);
void watch_list_unref(struct watch_list *l); /* NULL is fine */
/* What was seen and told of endpoints that are still there. */
void watch_list_follow(struct watch_list *l, const struct watch_list *before);
/* "127.0.0.1:993", "mail.example.org at 192.0.2.1:993" */
const char *watched_name(const struct watched *w, char ret[400]);

struct watchd {
    struct child *child;
    struct watch_list *list;
    struct watch_trust *own,
        *system; /* roots of the own CA, with this machine's; NULL: not known */
    unsigned round_running;
    struct fiber_cond round_done;
    uint64_t rounds, alarms;
    struct resolver *resolver; /* NULL: names are not asked for */
    bool stopping;
};

extern const struct child_ops watchd_ops;
void watchd_warm_up(void); /* what OpenSSL reads from files, before the jail */

/* trust.c */
void trust_learn_own(struct watchd *w); /* suspends. What is known stays where certd is silent */
/* suspends. Of a virtual server, by its place in the list's configuration. */
void trust_learn_given(struct watchd *w, struct watch_list *l, uint32_t place);
struct watch_trust *trust_ref(struct watch_trust *t); /* NULL is fine, here and below */
void trust_unref(struct watch_trust *t);

/* outside.c */
void outside_open(struct watchd *w);                        /* before the jail */
void outside_learn(struct watchd *w, struct watch_list *l); /* suspends. No look is under way */

/* alarm.c */
enum watch_fault watchd_fault(const struct watched *w);
void watchd_alarm(struct watchd *d, struct watched *w, int64_t now); /* suspends */
void watchd_plaintext(struct watchd *d);                             /* suspends */

/* report.c */
void watchd_status(struct child *c, struct buf *json);
void watchd_metrics(struct child *c, struct buf *text);
/* Says in the log what has changed since it was said last. */
void watchd_tell(struct watched *w, int64_t now);

#endif
