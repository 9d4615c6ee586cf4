/* certd.h: what the files of certd share: one life a virtual server, each led by a fiber of its
 * own. */
#ifndef CERTD_CERTD_H
#define CERTD_CERTD_H

#include "pki/life.h"
#include "proc/child/child.h"

struct certd;

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
    bool wanted;      /* the configuration has the virtual server, enabled */
};

enum { CERTD_VSERVERS_MAX = 256 };

struct certd {
    struct child *child;
    struct vserver_life *lives[CERTD_VSERVERS_MAX]; /* never freed: a fiber leads each */
    unsigned life_count;
    struct chain roots; /* of our own CA; empty: not known yet */
    struct fiber_lock roots_lock;
    uint64_t shown;
};

extern const struct child_ops certd_ops;
extern const struct msg_handler certd_handlers[];

void certd_open(struct child *c);
struct vserver_life *certd_find(struct certd *d, const char *vserver); /* NULL: there is none */

/* lives.c: makes lives for new virtual servers of the configuration, tells the others what is
 * wanted now. */
void lives_follow_conf(struct certd *d);
/* A new certificate now, whatever is there. suspends */
int lives_issue(struct vserver_life *v, struct err *e);

/* ops.c */
extern const struct life_ops certd_life_ops; /* arg: struct vserver_life */
/* Has our own CA revoked that serial? 1, 0 (also for one that is not ours), negative errno.
 * suspends */
int state_ask(struct certd *d, const char *serial, struct err *e);
int roots_load(struct certd *d, struct err *e); /* suspends */
/* suspends; -ENOENT: none. *ret_has_damaged: one that was put aside is still there. */
int life_file_read(struct vserver_life *v, struct buf *out, bool *ret_has_damaged, struct err *e);
void life_file_put_aside(struct vserver_life *v); /* suspends */

/* want.c: the names that a virtual server's certificate must have. */
void names_wanted(const struct conf *c, const struct conf_vserver *v, struct cert_names *ret);

#endif
