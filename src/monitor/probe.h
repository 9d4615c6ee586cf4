/*
 * probe.h: does an endpoint do what it should? Each check is a row of checks.def; it makes its own
 * connection as a client would, and says what it saw. Checks of one endpoint run one after the
 * other, endpoints side by side, all in fibers of one loop.
 */
#ifndef MONITOR_PROBE_H
#define MONITOR_PROBE_H

#include "conf/conf.h"
#include "loop/fiber.h"
#include "pki/certificate.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

enum { PROBE_DETAIL_MAX = 400, PROBE_LOGINS = 2, PROBE_GROUP_BYTES = 32, PROBE_SECRET_MAX = 1024 };

enum probe_verdict { PROBE_SKIP, PROBE_PASS, PROBE_FAIL };
const char *probe_verdict_name(enum probe_verdict v); /* "PASS" */

/* What a client needs to trust: roots as PEM. */
struct probe_trust {
    X509_STORE *store;
    struct chain roots;
    struct buf pem;
};
int probe_trust_init(struct probe_trust *t, struct span pem, struct err *e);
/* The roots that this machine trusts. */
int probe_trust_system(struct probe_trust *t, struct err *e);
void probe_trust_done(struct probe_trust *t); /* NULL is fine, and what is zero */

/* A certificate to log in with, and its key. */
struct probe_client {
    EVP_PKEY *key;
    struct chain chain; /* without the root */
};
void probe_client_done(struct probe_client *c); /* what is zero is fine */

/* One endpoint, and what is expected of it. */
struct probe_target {
    const struct conf_vserver *vserver;
    const struct conf_endpoint *endpoint;
    struct sockaddr_storage to;   /* where to connect: loopback for an endpoint on all addresses */
    struct sockaddr_storage from; /* an address of this machine to come from; AF_UNSPEC: any */
    const struct probe_trust *trust;     /* for this one; NULL: the plan's */
    const struct cert_names *names;      /* that the certificate must have */
    char serial[CERTIFICATE_SERIAL_MAX]; /* what the register says is in service; "": not known */
    char spki_sha256[65];                /* and its key; "" */
    char register_state[32];             /* "valid", "revoked", …; "" */
    bool wanted;                         /* false: only helps in the checks of others */
    bool foreign; /* no server of ours: what only our own configuration can say is not asked */
};
/* The address to connect to; false: the endpoint's address is none. */
bool probe_target_init(struct probe_target *t, const struct conf_vserver *v,
                       const struct conf_endpoint *p);
const char *probe_target_name(const struct probe_target *t,
                              char ret[80]); /* "127.0.0.1:993", "[::1]:993" */

struct probe_login {
    char user[321], password[PROBE_SECRET_MAX + 1]; /* "": none */
};

/* What an endpoint serves, as the first handshake has shown it. */
struct probe_facts {
    bool known;
    char version[16], cipher[64], group[PROBE_GROUP_BYTES];
    char subject[256], issuer[256], names[1024];
    char serial[CERTIFICATE_SERIAL_MAX], sha256[65], spki_sha256[65], key_type[32];
    int64_t not_before, not_after;
    unsigned chain_length;
    bool stapled; /* an OCSP answer came with it */
};

struct probe_plan {
    const struct probe_trust *trust;
    const struct conf *conf;
    const struct probe_target *targets;
    unsigned target_count;
    struct probe_login logins[PROBE_LOGINS];
    char newsgroup[256];               /* "": none */
    bool own_newsgroup;                /* it is the probe's alone and removed after it */
    const struct probe_client *client; /* stands for the first of the logins; NULL: none */
    /* DNS: servers as in dns_servers of the configuration, none: the machine's. */
    const char *const *dns_servers;
    size_t dns_server_count;
    const char *dns_trust_anchor; /* file; "": DNSSEC is not validated */
    const char *domain; /* whose mail a mail server elsewhere takes; NULL: DNS is searched for it */
    /* Words that stand in the bodies of messages and articles, so that a capture can look for them;
     * "": none. */
    char mark_message[33], mark_article[33];
    struct probe_facts *facts; /* one a target, to be filled; NULL: nobody asks */
    /* Where that is set, also by a signal, no further check is begun. NULL: never. */
    const volatile sig_atomic_t *ended;
};

bool probe_was_ended(const struct probe_plan *p);

/* A row of checks.def. */
struct probe_run;
typedef void (*check_fn)(struct probe_run *p);
struct check_row {
    const char *name;
    unsigned protocols, policies; /* bits of enum conf_protocol, conf_policy */
    unsigned needs;
    check_fn fn;
    const char *doc;    /* what a PASS proves */
    const char *remedy; /* what to do after a FAIL that has no reason of its own */
    const char *rfc;    /* where it is demanded; "" */
};
extern const struct check_row probe_checks[];
extern const unsigned probe_check_count;

struct probe_result {
    const struct probe_target *target;
    const struct check_row *check;
    enum probe_verdict verdict;
    bool untried;                  /* skipped because the endpoint is silent */
    char detail[PROBE_DETAIL_MAX]; /* what was seen; for SKIP with the remedy */
    const char *remedy;            /* what to do after a FAIL: the check's, or that of its reason */
    unsigned ms;
};

/* All checks of all wanted targets; blocks until they are done. *ret_results malloc'ed, in the
 * order of the targets and rows. */
void probe_all(const struct probe_plan *p, struct probe_result **ret_results, unsigned *ret_count);

/* One handshake, as the standing probe of watchd makes it. suspends. */
struct probe_handshake {
    bool up;   /* it listens, and TLS came about */
    bool fits; /* chain, names and dates hold */
    char detail[PROBE_DETAIL_MAX];
    char serial[CERTIFICATE_SERIAL_MAX], spki_sha256[65];
    int64_t not_before, not_after; /* 0: no certificate was seen */
    char version[16];
};
void probe_handshake(const struct probe_trust *t, const struct probe_target *target,
                     struct probe_handshake *ret);

/* How far a certificate's life has run out: 0: a third or more is left; 1, 2, 3: less than 1/3,
 * 1/6, 1/12. */
enum { PROBE_LIFE_STEPS = 3 };
unsigned probe_life_step(int64_t not_before, int64_t not_after, int64_t now);
unsigned probe_life_part(unsigned step); /* 3, 6, 12; step from 1 */

#endif
