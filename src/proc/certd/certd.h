/* certd.h: what the files of certd share: one life a virtual server, each led by a fiber of its
 * own. */
#ifndef CERTD_CERTD_H
#define CERTD_CERTD_H

#include "pki/life.h"
#include "proc/child/child.h"

struct certd;
struct leader;
struct stapler;
struct resolver;

struct vserver_life {
    struct certd *certd;
    char name[IDENTITY_NAME_MAX + 1];
    struct life life;
    struct life_ops ops;    /* with this struct as argument */
    struct fiber_lock lock; /* around whatever changes the life */
    struct fiber_cond wake; /* there is something new to look at */
    bool loaded;            /* the file has been read */
    bool reconciled;        /* and compared with keyd */
    bool state_known; /* cad has said whether the certificate in use is revoked, since it came up */
    int64_t noticed;  /* when it was last logged that it comes to its end */
    bool wanted;      /* the configuration has the virtual server, enabled */
    int64_t reconciled_at, sweep_at; /* sweep_at: when keys are looked for that nobody remembers */
    struct leader *orders;           /* at other CAs: orders.c */
    struct dane *dane;               /* dane.c */
    struct stapler *stapler;         /* staple.c */
};

enum { CERTD_VSERVERS_MAX = 256, CERTD_TRUST_MAX = 8 << 20, CERTD_ASLEEP_MAX = 1024 };

/* Whose client certificates hold at a virtual server: PEM. */
struct vserver_trust {
    char vserver[IDENTITY_NAME_MAX + 1];
    struct buf pem;
    uint64_t epoch;
    char problem[600]; /* why nobody is trusted; "": it is as the configuration says */
};

struct certd {
    struct child *child;
    struct vserver_life *lives[CERTD_VSERVERS_MAX]; /* never freed: a fiber leads each */
    unsigned life_count;
    struct chain roots; /* of our own CA; empty: not known yet */
    struct buf between; /* of our own CA: what stands between its certificates and the roots; PEM */
    struct fiber_lock roots_lock;
    /* Virtual servers that have left an identity and may be without a life: switched off, or not in
     * the configuration any more. */
    char (*asleep)[IDENTITY_NAME_MAX + 1];
    unsigned asleep_count;
    struct vserver_trust trust[CERTD_VSERVERS_MAX];
    unsigned trust_count;
    struct fiber_lock trust_lock;
    uint64_t shown;
    struct resolver *resolver; /* NULL: nobody has asked yet */
    char anchor_file[1001];    /* dns_trust_anchor, read before the jail; "": it could not be */
    struct buf anchor;
};

extern const struct child_ops certd_ops;
extern const struct msg_handler certd_handlers[];

void certd_open(struct child *c);
struct vserver_life *certd_find(struct certd *d, const char *vserver); /* NULL: there is none */

/* lives.c: makes lives for new virtual servers of the configuration, tells the others what is
 * wanted now. */
void lives_follow_conf(struct certd *d);
/* A new certificate now, whatever is there. suspends */
int lives_issue(struct vserver_life *v, bool same_key, struct err *e);
/* Something else with the lock held, on a life that is up to date. suspends */
typedef int (*life_fn)(struct vserver_life *v, void *arg, struct err *e);
int lives_do(struct vserver_life *v, life_fn fn, void *arg, struct err *e);
/* Shows what `from` shows, and follows it. suspends */
int lives_assign(struct vserver_life *v, const struct vserver_life *from, struct err *e);
/* Installs what `from` shows, key and all, as its own: what becomes of that of `from` later is
 * nothing to it. suspends */
int lives_copy(struct vserver_life *v, const struct vserver_life *from, struct err *e);
/* Soon a look for keys that keyd made and could not tell of. */
void lives_keyd_came(struct certd *d);

/* trust.c: reads the lists anew and tells the workers what has changed; tells one worker all. */
void trust_follow(struct certd *d);
void trust_show(struct certd *d, struct link *l);
void msg_cert_trust_show(void *arg, struct msg *m);

/* prove.c: struct life_ops.prove. suspends */
int certd_prove(void *arg, const char *vserver, bool live, const struct identity_slot *s,
                struct err *e);

/* sources.c: the handlers of other sources than our own CA. All answer themselves. */
void msg_cert_request(void *arg, struct msg *m);
void msg_cert_pending(void *arg, struct msg *m);
void msg_cert_cancel(void *arg, struct msg *m);
void msg_cert_offer(void *arg, struct msg *m);
void msg_cert_assign(void *arg, struct msg *m);
void msg_cert_copy(void *arg, struct msg *m);
void msg_cert_renew(void *arg, struct msg *m);
void msg_cert_remove(void *arg, struct msg *m);
void msg_cert_rollback(void *arg, struct msg *m);
void msg_cert_chain(void *arg, struct msg *m);

/* handlers.c */
enum { CERTD_REPLY_MAX = 65536 - 64 };
/* NULL with the reason: no such virtual server. */
struct vserver_life *certd_named(struct certd *d, const char *name, struct err *e);
/* All there is to say; with very many names the row alone. */
void certd_put_life(const struct vserver_life *v, struct buf *out);

/* alarm.c */
void msg_watch_alarm(void *arg, struct msg *m);

/* ops.c */
extern const struct life_ops certd_life_ops; /* arg: struct vserver_life */
/* Has our own CA revoked that serial? 1, 0 (also for one that is not ours), negative errno.
 * suspends */
int state_ask(struct certd *d, const char *serial, struct err *e);
/* An OCSPRequest to our own CA. suspends */
int ocsp_ask(struct certd *d, struct span question, struct buf *ret_answer, struct err *e);
int roots_load(struct certd *d, struct err *e); /* suspends */
/* Reads what has left an identity and has no life (yet). Before the jail. */
void asleep_find(struct certd *d, int folder);
/* suspends; -ENOENT: none. *ret_has_damaged: one that was put aside is still there. */
int life_file_read(struct vserver_life *v, struct buf *out, bool *ret_has_damaged, struct err *e);
void life_file_put_aside(struct vserver_life *v); /* suspends */

/* want.c: the names that a virtual server's certificate must have. */
void names_wanted(const struct conf *c, const struct conf_vserver *v, struct cert_names *ret);
/* Those of them that another CA can certify: its own names, else that of the machine. */
void names_public(const struct conf *c, const struct conf_vserver *v, struct cert_names *ret);

#endif
