/* run.h: what the checks see of the probe that runs them. */
#ifndef MONITOR_RUN_H
#define MONITOR_RUN_H

#include "monitor/fetch.h"
#include "monitor/talk.h"

struct probe_shared { /* by all endpoints of one probe_all */
    const struct probe_plan *plan;
    struct loop *loop;
    unsigned running;
    /* a maildrop is for one session at a time (RFC 1939 section 8) */
    struct fiber_lock maildrop;
    struct resolver *resolver;
    bool dns_away; /* it did not answer even for a name: nobody waits for it again */
    X509_STORE *system_roots;
    struct run_page *pages; /* that were fetched, each once */
};

struct probe_run {
    struct probe_shared *shared;
    const struct probe_plan *plan;
    const struct probe_target *target;
    struct probe_result *result;
    struct probe_seen *seen; /* of the endpoint, by the first check that needs it */
};

/* What one handshake has shown. */
struct probe_seen {
    bool silent; /* no connection, or no answer in time: the other checks would only wait as well */
    bool looked;
    struct err error;   /* why there is no certificate */
    const char *remedy; /* for that; NULL: the check's */
    struct chain chain;
    long verify; /* OpenSSL's own judgement */
    char version[16], cipher[64], group[PROBE_GROUP_BYTES];
    bool stapled;
    struct buf staple; /* OCSPResponse, DER */
};

enum {
    NEEDS_LOGIN = 1,
    NEEDS_NEWSGROUP = 2,
    NEEDS_READER = 4,     /* an IMAP4 endpoint to fetch through */
    NEEDS_SUBMISSION = 8, /* a submission endpoint to send through */
    NEEDS_MX = 16,        /* it is one that takes mail of strangers */
    NEEDS_OWN = 32,       /* only our own configuration says what is right */
    NEEDS_CLIENT = 64,    /* a certificate to log in with */
};

#define CHECK_ROW(name, protocols, policies, needs, handler, doc, remedy, rfc)                     \
    void handler(struct probe_run *p);
#include "monitor/checks.def"
#undef CHECK_ROW

void run_pass(struct probe_run *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void run_fail(struct probe_run *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void run_skip(struct probe_run *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* After run_fail: what to do, where its reason asks for something else than the check's remedy;
 * NULL: it does not. Not freed. */
void run_remedy(struct probe_run *p, const char *remedy);
/* remedy.c: why a dialogue did not come about; NULL: it did, what was said did not please. */
const char *remedy_of(const struct talk *t);
/* Fails with the talk's reason and remedy; where the endpoint under test is silent no further check is tried.
 */
void run_fail_talk(struct probe_run *p, const struct talk *t);

static inline const struct probe_trust *run_trust_of(const struct probe_plan *plan,
                                                     const struct probe_target *t)
{
    return t->trust != NULL ? t->trust : plan->trust;
}
static inline const struct probe_trust *run_trust(const struct probe_run *p)
{
    return run_trust_of(p->plan, p->target);
}
/* Dialogues of a run; with our certificate where there is no session without one. */
void run_talk_to(const struct probe_run *p, const struct probe_target *target, struct talk *t);
static inline void run_talk(struct probe_run *p, struct talk *t)
{
    run_talk_to(p, p->target, t);
}
/* Made when it is first asked for; NULL with the reason. */
struct resolver *run_resolver(struct probe_run *p, struct err *e);
/* GET, once in a probe for each address; NULL with the reason. https: trusted are the target's
 * roots and this machine's. suspends */
const struct fetched *run_fetch(struct probe_run *p, const char *url, size_t max, struct err *e);
/* As the probe ends. */
void run_shared_done(struct probe_shared *s);
/* The first target of that protocol and kind with TLS; those that are wanted come first. NULL:
 * none. */
const struct probe_target *run_helper(const struct probe_plan *plan, enum conf_protocol protocol,
                                      enum conf_smtp_kind kind);
/* The name that it should greet with. */
const char *run_own_name(const struct probe_plan *plan, const struct probe_target *t);
/* Shakes hands once per endpoint and keeps what it saw. suspends */
const struct probe_seen *run_look(struct probe_run *p);
void probe_seen_done(struct probe_seen *s);
void probe_seen_facts(const struct probe_seen *s, struct probe_facts *ret);
/* No connection, or no answer in time? */
bool talk_was_silent(const struct talk *t);
/* Of the key exchange: "X25519"; "" without one. */
void probe_group(SSL *ssl, char ret[PROBE_GROUP_BYTES]);
/* suspends. The chain, as it was served. */
bool probe_look(const struct probe_trust *trust, const struct probe_client *client,
                const struct probe_target *target, struct probe_seen *ret);

/* message.c: a message that can be recognised, and what became of it. */
struct marked {
    char token[33];
    char id[128]; /* Message-ID with its brackets */
    struct buf text;
};
void marked_init(struct marked *m, const char *from, const char *to, const char *newsgroups);
/* One more line of the body; "": none. */
void marked_add(struct marked *m, const char *word);
void marked_done(struct marked *m);
/* Fields in front, then every byte as it was sent? NULL: yes, else what is wrong. */
const char *marked_compare(const struct marked *m, struct span got);
/* An article: the same body, and all fields that were sent. */
const char *marked_compare_article(const struct marked *m, struct span got);

/* suspend; failures are in the talk. */
bool send_submission(struct talk *t, const struct probe_login *l, const struct marked *m);
bool send_stranger(struct talk *t, const char *to, const struct marked *m);
bool fetch_imap(struct talk *t, const struct probe_login *l, const struct marked *m);
/* Takes an article out of its public folder, where the account may; NULL: done, else why not. */
const char *remove_article(struct talk *t, const struct probe_login *l, const char *newsgroup,
                           const struct marked *m);
bool fetch_pop3(struct talk *t, const struct probe_login *l, const struct marked *m);

#endif
