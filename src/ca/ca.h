/*
 * ca.h: our own CA: a root that signs itself, an issuing CA below it, and the certificates that it
 * makes. Used by cad.
 *
 * Calls marked "suspends" do so where the hooks do (a key at keyd, a helper thread for the
 * register); several may be under way. A name is certified only where the issuing CA's name
 * constraints permit it; a certificate never outlives its issuer; it is checked as a client would
 * check it and written to the register before it is handed out.
 */
#ifndef CA_CA_H
#define CA_CA_H

#include "ca/register.h"
#include "conf/conf.h"
#include "pki/profile.h"

enum ca_key_use { CA_KEY_CERTIFICATES, CA_KEY_CRL, CA_KEY_OCSP, CA_KEY_REQUEST };

struct ca_key {
    char id[CA_KEY_ID_MAX + 1];
    unsigned char spki[1024];
    size_t spki_bytes;
};

/* A key that a CA needs. keyd holds whatever it signs to this. */
struct ca_key_plan {
    const char *label; /* "ca/root-1" */
    struct span name;  /* X.501 name of the CA, DER */
    bool root;
    unsigned levels;   /* of CAs below it */
    unsigned max_days; /* longest life of what it issues */
    bool fresh;        /* one that is there already with that label did not do */
};

/* Where keys and threads come from: cad asks keyd, tests make keys themselves. */
struct ca_hooks {
    /* The key with exactly that label, made if there is none. suspends */
    int (*key_make)(void *arg, const struct ca_key_plan *plan, struct ca_key *ret, struct err *e);
    /* To sign with. The caller frees it; NULL: there is no such key. */
    EVP_PKEY *(*key_signer)(void *arg, const char *id, enum ca_key_use use, struct span spki);
    /* Runs work(work_arg) elsewhere and waits, one at a time; NULL: at once. suspends */
    void (*offload)(void (*work)(void *work_arg), void *work_arg);
    /* Is the key there, to sign with? NULL: always. suspends */
    bool (*key_there)(void *arg, const char *id);
    /* A key that is not needed any more. NULL: it stays. suspends */
    void (*key_forget)(void *arg, const char *id);
    void *arg;
};

/* What the configuration says about the CA. */
struct ca_settings {
    char organization[65];
    struct permitted issuing, root; /* complete; the root's covers the issuing's */
    unsigned root_days, ca_days, cert_days;
    char url[256]; /* where the public HTTP virtual server is: "http://mail.example.org"; "": there
                      is none, so certificates name no addresses */
    unsigned crl_hours;
    bool crl_delta;
    unsigned officer; /* 1 << enum profile_id: these wait for approval */
    struct cert_names
        serves; /* what the virtual servers are called: another CA must permit these */
};
/* Permitted is what ca_dns and ca_ip list, or else the local domains; always the hostname,
 * "localhost", 127.0.0.1 and ::1, so that every kind is bounded; mail addresses of the local
 * domains. Entries that are no names are refused; those over CERT_NAMES_MAX are left out. */
int ca_settings_init(struct ca_settings *s, const struct conf *c, struct err *e);
void ca_settings_done(struct ca_settings *s);

struct ca;

int ca_open(const char *path, const struct ca_hooks *hooks, struct ca **ret, struct err *e);
void ca_close(struct ca *ca); /* NULL is fine; not while a call is under way */

/*
 * Sees to it that there are a root and an issuing CA with the permitted names of the settings and
 * life enough; makes what is missing, takes up what was begun before a crash. Not two at a time. A
 * change that the root does not permit is -EPERM; the CA in use is kept. suspends
 */
int ca_ensure(struct ca *ca, const struct ca_settings *s, struct err *e);
/* A new issuing CA below the own root, though the one in use would do; that one is retired.
 * suspends */
int ca_rollover(struct ca *ca, const struct ca_settings *s, struct err *e);
/*
 * A new root and an issuing CA below it. Each root certifies the key of the other, so that who
 * trusts only one of them trusts both: what is issued from then on is shown with the new root's key
 * as the old root certified it, as long as that lasts. ret_crossed: false where the old root has no
 * room for a root below it (one made before there was such a thing). -ENOKEY: the old root's key is
 * away. suspends
 */
int ca_rollover_root(struct ca *ca, const struct ca_settings *s, bool *ret_crossed, struct err *e);
/* The certificates that are to be trusted for what we issue and have issued, DER, each as wr_span:
 * that above the issuing CA in use first; at most CERTIFICATE_CHAIN_MAX. with_cas: the issuing CA
 * and what is shown with it too. */
void ca_roots(const struct ca *ca, bool with_cas, struct buf *out);
/* What stands between our certificates and those roots, as far as it is still good: for who gets a
 * certificate alone. DER, each as wr_span, the newest first, as many as fit. */
void ca_between(const struct ca *ca, struct buf *out);

/* --- below another CA: subordinate.c */

/*
 * A request (PKCS#10, DER, appended) to another CA, for the key of a new issuing CA of ours; it
 * waits until the answer is installed. One that waits is given out again, unless `anew`: then it is
 * forgotten and its key with it. ret_anew: it was made now. suspends
 */
int ca_ask_other(struct ca *ca, const struct ca_settings *s, const struct cert_subject *subject,
                 bool anew, struct buf *ret_der, bool *ret_new, struct err *e);
/*
 * The other CA's answer, in any order, and roots to trust: looked at (chain, dates, path length,
 * key usage, names, key), and taken into use; the issuing CA before is retired. -EPERM or
 * -EKEYREJECTED with the reason; nothing has changed then. suspends
 */
int ca_install(struct ca *ca, const struct ca_settings *s, struct chain *take_answer,
               const struct chain *roots, struct err *e);
/* A retired issuing CA and all that it issued: revoked. suspends */
int ca_revoke_ca(struct ca *ca, int64_t id, enum crl_reason reason, int64_t *ret_count,
                 struct err *e);
/* Before the root's key goes: a CRL of the root that holds for a year. suspends */
int ca_root_last_crl(struct ca *ca, struct err *e);
/* A file that is not ours holds that key of a CA: it may go from keyd. -ENOENT. suspends */
int ca_kept(struct ca *ca, const char *key_id, struct err *e);
/* The root's key is at keyd again, under that id. -EINVAL: it is another key. suspends */
int ca_root_take(struct ca *ca, const char *key_id, struct span spki, struct err *e);
/* The register as a new SQLite file; other calls go on meanwhile. suspends */
int ca_backup(struct ca *ca, const char *path, struct err *e);
/*
 * The register of such a file in place of this one; the file is removed. keys: what the CAs' keys
 * are called at keyd now. -EEXIST: this CA has issued to others than our own virtual servers, and
 * force was not said. replaced: where the register that was there goes then. What was revoked stays
 * revoked (ret: how much of it the file did not know so); where that is the issuing CA, none is in
 * use until ca_ensure has made one. suspends
 */
int ca_restore(struct ca *ca, const char *path, const struct register_key *keys, size_t key_count,
               bool force, const char *replaced, struct register_carried *ret, struct err *e);
bool ca_ready(const struct ca *ca);
const struct ca_record *ca_root(const struct ca *ca);    /* NULL: none yet */
const struct ca_record *ca_issuing(const struct ca *ca); /* NULL: none yet */

struct ca_request {
    const struct profile *profile; /* not of a CA */
    struct span spki;              /* whose holder has proved to have the key */
    struct cert_subject subject;   /* an empty organization: that of the settings */
    const struct cert_names *names;
    unsigned days;         /* 0: as configured */
    const char *requester; /* for the register */
};

struct ca_status {
    bool revoked;
    uint8_t reason;
    int64_t revoked_at;
    char profile[32];
    char requester[CA_REQUESTER_MAX + 1];
};

/*
 * Appends the chain (leaf, issuing CA; each DER as wr_span). The same question asked again within
 * an hour (its asker died before the answer) gets the same certificate. -EPERM: a name is not
 * permitted; -EKEYREVOKED: the key is known as compromised; -EAGAIN: no CA yet. suspends
 */
int ca_issue(struct ca *ca, const struct ca_request *q, struct buf *ret_chain,
             char ret_serial[CERTIFICATE_SERIAL_MAX], struct err *e);
/* -ENOENT: our CA has made none with that serial. suspends */
int ca_status(struct ca *ca, const char *serial, struct ca_status *ret, struct err *e);
int ca_revoke(struct ca *ca, const char *serial, enum crl_reason reason,
              struct err *e); /* suspends */
/* Ends a hold. -ENOENT, -EALREADY. suspends */
int ca_unhold(struct ca *ca, const char *serial, struct err *e);

/*
 * The whole CRL of a CA (id 0: the issuing one in use), DER, appended. Made anew after a revocation
 * and on schedule; kept in the register. -EMSGSIZE: longer than keyd signs (some 1,100 entries):
 * then only its parts are to be had. suspends
 */
int ca_crl(struct ca *ca, int64_t id, struct buf *ret_der, struct err *e);
/*
 * What is public, by name: "issuing-1.crt" a CA's certificate, "issuing-1.crl" and
 * "issuing-1-K.crl" the CRLs that certificates name, "…-delta.crl" what has changed since the last
 * regular one. DER, appended. -ENOENT. suspends
 */
enum { CA_FILE_MAX = 80 * 1024 };
int ca_file(struct ca *ca, struct span name, struct buf *ret_der, struct err *e);
/* Makes anew the CRLs whose time has come. The first that failed is returned. suspends */
int ca_crl_refresh(struct ca *ca, struct err *e);
/* The answer to an OCSP request, DER; also to what is none, or cannot be answered. suspends */
void ca_ocsp(struct ca *ca, struct span request, struct buf *ret_der);

/*
 * Stand-alone: requests for some profiles wait until somebody approves them. `message` is what came,
 * whole; the same one again is the same request. 0: it was approved within the last hour, go on;
 * -EINPROGRESS: it waits; -EPERM: it was denied. suspend
 */
bool ca_needs_officer(const struct ca *ca, const struct profile *p); /* does not suspend */
int ca_wait(struct ca *ca, const struct request_record *r, struct span message, struct err *e);
/* {"requests":[…],"next":id} */
int ca_waiting(struct ca *ca, bool all, int64_t after, size_t max_bytes, struct buf *json,
               struct err *e);
/* -ENOENT; -EALREADY: decided before. */
int ca_waiting_message(struct ca *ca, int64_t id, struct buf *ret, struct err *e);
int ca_waiting_decide(struct ca *ca, int64_t id, const char *serial, const char *reason,
                      struct err *e); /* serial NULL: denied */

/* For people, as JSON. suspend */
int ca_info(struct ca *ca, struct buf *json, struct err *e);
/* {"certificates":[…],"next":id}: next is missing on the last page. */
int ca_list(struct ca *ca, const struct ca_search *search, size_t max_bytes, struct buf *json,
            struct err *e);
int ca_show(struct ca *ca, const char *serial, struct buf *json, struct err *e);

#endif
