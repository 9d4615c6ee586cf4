/*
 * life.h: leads a certificate through its life, for one virtual server: key, request, issue, check,
 * stage, swap; renewal in time; what was replaced is kept a while and then removed. Every step is
 * written down before the next begins, so a process that dies anywhere finds its way on: what was
 * begun is finished or given up, and what is shown always has its key.
 *
 * Where keys, the CA, the file and the workers are is the caller's: certd, or a test. All calls
 * suspend where the ops do; one at a time per life.
 */
#ifndef PKI_LIFE_H
#define PKI_LIFE_H

#include "pki/identity.h"

struct life_key {
    char id[IDENTITY_KEY_ID_MAX + 1];
    unsigned char spki[1024];
    size_t spki_bytes;
};

enum { LIFE_KEYS_MAX = 32 };

/*
 * int: 0 or negative errno with the reason. After -ENOENT (a key), -EKEYREJECTED, -EKEYREVOKED and
 * -EBADMSG the certificate under way is given up; after any other the same step is tried again
 * later.
 */
struct life_ops {
    /* client: it may also prove who we are to a CA that is asked over TLS. */
    int (*key_make)(void *arg, const char *label, const char *type, bool exportable, bool client,
                    struct life_key *ret, struct err *e);
    int (*key_get)(void *arg, const char *id, struct life_key *ret,
                   struct err *e);                               /* -ENOENT: there is none */
    int (*key_delete)(void *arg, const char *id, struct err *e); /* one that is not there: 0 */
    /* Ids of the keys with exactly that label that were made before then and that no other life
     * names, at most LIFE_KEYS_MAX. */
    int (*key_ids)(void *arg, const char *label, int64_t before,
                   char (*ret)[IDENTITY_KEY_ID_MAX + 1], size_t *ret_count, struct err *e);
    EVP_PKEY *(*key_signer)(void *arg, const struct life_key *key); /* for a request; NULL: later */
    /* Asks the CA: request (PKCS#10, DER) and names in, chain out, appended. */
    int (*issue)(void *arg, const char *vserver, struct span request,
                 const struct cert_names *names, struct buf *ret_chain, struct err *e);
    const struct chain *(*roots)(void *arg); /* to be trusted; NULL: not known yet */
    int (*save)(void *arg, const char *vserver, struct span bytes,
                struct err *e); /* whole or not at all */
    /* To all workers. slot 0 current, 1 next; an empty chain empties it. */
    void (*show)(void *arg, const char *vserver, unsigned slot, const char *key_id,
                 const char *serial, struct span chain);
    /* Does it work, as a client sees it: injected before it goes live, or over TCP when it is?
     * -EKEYREJECTED with the reason: no. Where nothing could be seen: 0 before it goes live,
     * -EAGAIN when it is. NULL: not looked at. suspends */
    int (*prove)(void *arg, const char *vserver, bool live, const struct identity_slot *s,
                 struct err *e);
    void *arg;
    /* May `next` take the place of `current`? -EINPROGRESS with the reason: not yet, which is no failure: it
     * stays staged until life_release. A word for the history may be left in note. NULL: always. */
    int (*may_swap)(void *arg, const struct identity_slot *current,
                    const struct identity_slot *next, char note[IDENTITY_NOTE_MAX + 1],
                    struct err *e);
    /* The last before `next` goes live: what its CA says of it, to be shown with it (RFC 6066). A failure with the
     * reason: it demands such an answer (RFC 7633), and there is none. NULL: none is shown. suspends */
    int (*staple)(void *arg, const char *vserver, const struct identity_slot *next, struct err *e);
    /* Something else is in service from now on, or nothing any more: once for each swap, for the log. NULL: nobody is told. */
    void (*swapped)(void *arg, const struct identity *id);
};

struct life_want {
    struct cert_names names;  /* owned by the life */
    struct cert_names public; /* those of them by which clients come from outside; owned too */
    char key_type[16];
    char organization[65];
};

struct life {
    struct identity id;
    struct life_want want;
    const struct life_ops *ops;
    bool checked;    /* key and chain of the current slot are known to fit: it may be shown */
    bool revoked;    /* the CA has revoked what is live: see life_revoked */
    bool unwritten;  /* the last save failed */
    bool unshown;    /* a swap is in memory that the workers do not know yet */
    bool going_back; /* a swap that undoes one: not proved again */
    bool swapping;   /* what is live was not seen to work yet, and may be taken back */
    bool same_key;   /* the next certificate of our own CA is for the key in use */
    bool held;       /* what is staged waits: ops.may_swap */
    bool now;        /* it is not asked: an administrator does not want to wait */
    bool keep_unknown_keys; /* keys are left alone that the identity does not name */
    unsigned looks;         /* at what is live, in a row, that saw nothing */
    unsigned failures;      /* in a row */
    int64_t retry_at;       /* wall clock seconds; 0: nothing failed */
    char failure[600];      /* the last, in words; "" after a success */
};

/* Takes over the identity (as read, or new). */
void life_init(struct life *l, struct identity *take_id, const struct life_ops *ops);
void life_done(struct life *l);
/* What the configuration wants; `names` is copied. Not while a call that suspends is under way. */
void life_set_want(struct life *l, const struct cert_names *names, const struct cert_names *public,
                   const char *key_type, const char *organization);

/* After a start: compares with keyd, gives up what has lost its key, removes keys that nobody
 * remembers, shows what is live. */
int life_reconcile(struct life *l, struct err *e);
/* A swap that nobody has looked at since, because we died or could not see: that is made up, and it
 * goes back where it fails. Not before the workers have what is live. -EKEYREJECTED: it went back. */
int life_make_up(struct life *l, struct err *e);
/* Removes the keys that nobody remembers and that were made before then: a key whose maker could
 * not tell of it any more. */
int life_sweep(struct life *l, int64_t before, struct err *e);
/* Begins a new certificate, or goes on with the one under way, until it is live. On a failure that
 * waiting does not mend it is given up; the one in use stays. `why` for the history. */
int life_renew(struct life *l, const char *why, struct err *e);
/* Is it time to try again after a failure (the pause grows with each)? */
bool life_may_try(const struct life *l, int64_t now);
/* Why a new certificate is wanted now: two thirds of the life are over (with a spread of a
 * twentieth), names are missing, nothing is there, a step waits to be repeated. NULL: nothing to
 * do. */
const char *life_due(const struct life *l, int64_t now);
/* What the administrator must do soon, in words: a certificate of another CA comes to its end. */
bool life_notice(const struct life *l, int64_t now, char ret[600]);
/* The CA has revoked that serial. Where it is live it is due to be replaced; until then it is shown
 * on. Never suspends. False: it is not this one. */
bool life_revoked(struct life *l, const char *serial);
/* Does a slot of it need that key? */
bool life_names_key(const struct life *l, const char *key);
/* Removes keys that were retired a day ago. */
int life_tidy(struct life *l, int64_t now, struct err *e);
/* The current slot to one that asks (a worker that came later), if it may be shown. */
void life_show(const struct life *l,
               void (*show)(void *arg, const char *vserver, unsigned slot, const char *key_id,
                            const char *serial, struct span chain),
               void *arg);
/* --- other sources than our own CA (life_source.c); all suspend */

struct life_request {
    const char *name; /* for people */
    const char *key_type;
    struct cert_subject subject;
    const struct cert_names *names;
    bool exportable;
    bool same_key;         /* that of the certificate in use */
    const char *authority; /* that is asked over the network; NULL: a file for some CA */
    bool client;           /* where the certificate is to renew itself there, in TLS */
};
/* Key and request for another CA: PENDING, until the answer is installed or it is cancelled. The
 * request as DER. */
int life_request(struct life *l, const struct life_request *q, struct buf *ret_der, struct err *e);
int life_cancel(struct life *l, struct err *e);
int life_drop_pending(struct life *l, const char *why, struct err *e);

struct life_offer {
    enum identity_source source;
    const char *key_id; /* NULL: that of the pending request */
    struct span spki;   /* looked at before its key is at keyd: instead of the key's */
    const char *key_type;
    const char *name, *origin;
    const char *note;           /* for the history; NULL: the source's name */
    struct chain *certificates; /* the key's own and its issuers, in any order: put into order */
    struct span roots;          /* as a chain travels; empty: our own CA's */
};
/* Is it fit to be installed? -EKEYREJECTED and -ENOENT with the reason. Nothing changes. */
int life_look(struct life *l, const struct life_offer *o, struct err *e);
/* The same, and then it goes live. What is refused leaves everything as it was. */
int life_take(struct life *l, const struct life_offer *o, const char *why, struct err *e);
/* What is staged goes into service; `now`: without waiting for anything. -ENOENT: nothing is staged; -EINPROGRESS:
 * it waits, and why. */
int life_swap(struct life *l, bool now, struct err *e);
/* What was held may be looked at again. Never suspends. */
void life_release(struct life *l);
/* Nothing is shown any more until one is made or installed; the key is kept as of a retired one. */
int life_remove(struct life *l, struct err *e);
/* The one that was retired last is shown again, if it still may be. */
int life_rollback(struct life *l, struct err *e);

int64_t life_renew_at(const struct life *l); /* wall clock seconds; 0: nothing is live */
void life_json(const struct life *l, int64_t now, struct buf *out);

#endif
