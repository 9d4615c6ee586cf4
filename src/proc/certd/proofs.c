#include "proc/certd/proofs.h"
#include "acme/alpn.h"
#include "base/check.h"
#include "base/log.h"
#include "dns/update.h"
#include "pki/key.h"
#include "proc/child/order_msg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { COMMAND_MS = 60000, TTL = 60, WORKER_MS = 5000, PROOFS_MAX = 500 };
#define CHALLENGE_LABEL "acme/challenge"

/* What is under way: http-01 by token, tls-alpn-01 by name. */
static struct active {
    char token[ACME_TOKEN_MAX + 1], text[512];
    char name[ORDER_NAME_MAX + 1], key_id[IDENTITY_KEY_ID_MAX + 1];
    struct buf certificate;
} * all[PROOFS_MAX];
static unsigned count;

static struct active *add(struct err *e)
{
    struct active *a;

    if (count == PROOFS_MAX) {
        err_set(e, -ENOSPC, "more than %d challenges at once", PROOFS_MAX);
        return NULL;
    }
    a = calloc(1, sizeof(*a));
    CHECK(a);
    a->certificate = BUF(ORDER_CERTIFICATE_MAX);
    return all[count++] = a;
}

static void drop(struct active *v)
{
    for (unsigned i = 0; i < count; i++)
        if (all[i] == v)
            all[i] = all[--count];
    buf_done(&v->certificate);
    free(v);
}

/* --- http-01 */

static int http_present(struct certd *d, const struct authority *a, struct acme_proof *p,
                        struct err *e)
{
    struct active *v = add(e);

    if (!v)
        return -ENOSPC;
    snprintf(v->token, sizeof(v->token), "%s", p->token);
    snprintf(v->text, sizeof(v->text), "%s", p->authorization);
    return 0;
}

static void http_withdraw(struct certd *d, const struct authority *a, struct acme_proof *p)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(all[i]->token, p->token) == 0) {
            drop(all[i]);
            return;
        }
}

void msg_cert_challenge(void *arg, struct msg *m)
{
    for (unsigned i = 0; i < count; i++)
        if (all[i]->token[0] && span_eq_cstr(m->body, all[i]->token)) {
            log_info("challenge: http-01 was asked for");
            msg_reply(m, 0, span_cstr(all[i]->text));
            return;
        }
    msg_reply(m, -ENOENT, SPAN_EMPTY);
}

/* --- tls-alpn-01 */

static bool put_proof(const struct active *v, bool over, struct buf *body)
{
    struct cert_proof_msg m = {.certificate = over ? SPAN_EMPTY : buf_span(&v->certificate)};

    snprintf(m.name, sizeof(m.name), "%s", v->name);
    snprintf(m.key_id, sizeof(m.key_id), "%s", v->key_id);
    wr_cert_proof(body, &m);
    return !body->overflow;
}

/* Each worker answers when it has it. One that is away learns it when it comes. */
static int tell_workers(struct certd *d, const struct active *v, bool over, struct err *e)
{
    static const enum role workers[] = {ROLE_ACCESS, ROLE_MX};
    struct buf body BUF_AUTO = BUF(8192);
    int rc = 0;

    put_proof(v, over, &body);
    for (size_t r = 0; r < ARRAY_LEN(workers); r++)
        for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++) {
            struct buf why BUF_AUTO = BUF(1024);
            struct link *l = d->child->peers[role_index(workers[r])][i];
            int one =
                l ? link_call(l, MSG_CERT_PROOF, buf_span(&body), NULL, 0, WORKER_MS, &why, NULL)
                  : 0;
            if (one < 0 && one != -EPIPE)
                rc = err_set(e, one, "a session process cannot show the challenge: %s",
                             why.n ? log_quote(buf_span(&why)) : strerror(-one));
        }
    return rc;
}

static int make_certificate(struct active *v, const struct acme_proof *p, struct err *e)
{
    struct key_info k;
    EVP_PKEY *signer;
    int rc = key_create(CHALLENGE_LABEL, "p256", KEY_TLS_SERVER | KEY_CHALLENGE, false, &k);

    if (rc < 0)
        return err_set(e, rc, "keyd makes no key for the challenge: %s", strerror(-rc));
    memcpy(v->key_id, k.id, sizeof(v->key_id) < sizeof(k.id) ? sizeof(v->key_id) : sizeof(k.id));
    signer = key_handle(k.id, KEY_CHALLENGE, span_of(k.spki, k.spki_bytes));
    if (!signer)
        return err_set(e, -EIO, "the key of the challenge cannot be used");
    rc = acme_alpn_certificate(signer, span_of(k.spki, k.spki_bytes), p->name, p->is_address,
                               p->authorization, &v->certificate, e);
    EVP_PKEY_free(signer);
    return rc;
}

static void alpn_withdraw(struct certd *d, const struct authority *a, struct acme_proof *p)
{
    struct err ignored;

    for (unsigned i = 0; i < count; i++) {
        struct active *v = all[i];
        if (strcmp(v->key_id, p->state) != 0 || v->key_id[0] == '\0')
            continue;
        all[i] = all[--count]; /* nobody else finds it while we wait */
        tell_workers(d, v, true, &ignored);
        key_delete(v->key_id);
        buf_done(&v->certificate);
        free(v);
        return;
    }
}

static int alpn_present(struct certd *d, const struct authority *a, struct acme_proof *p,
                        struct err *e)
{
    struct active *v = add(e);
    int rc = v ? 0 : -ENOSPC;

    _Static_assert(sizeof(v->key_id) <= ACME_PROOF_STATE + 1, "the state holds an id");
    if (rc == 0 && !acme_alpn_sni(p->name, p->is_address, v->name, sizeof(v->name)))
        rc = err_set(e, -EINVAL, "%s cannot be proved by tls-alpn-01", p->name);
    if (rc == 0)
        rc = make_certificate(v, p, e);
    if (v)
        span_to_cstr(span_cstr(v->key_id), p->state, ACME_PROOF_STATE);
    if (rc == 0)
        rc = tell_workers(d, v, false, e);
    if (rc < 0 && v && p->state[0])
        alpn_withdraw(d, a, p);
    else if (rc < 0 && v)
        drop(v);
    return rc;
}

static void on_told(void *arg, int status, struct span body, int *fds, unsigned fd_count)
{
    if (status < 0 && status != -EPIPE)
        log_warn("challenge: a session process cannot show it: %s", log_quote(body));
}

void proofs_show(struct certd *d, struct link *to)
{
    for (unsigned i = 0; i < count; i++) {
        struct buf body BUF_AUTO = BUF(8192);
        if (all[i]->certificate.n > 0 && put_proof(all[i], false, &body))
            link_call_async(to, MSG_CERT_PROOF, buf_span(&body), NULL, 0, on_told, NULL);
    }
}

void proofs_tidy(struct certd *d)
{
    struct key_info *keys = NULL;
    size_t n = 0;

    if (!child_peer_wait(d->child, ROLE_KEYD, UINT64_MAX) ||
        key_list(CHALLENGE_LABEL, &keys, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        bool used = false;
        for (unsigned k = 0; k < count; k++)
            used |= strcmp(all[k]->key_id, keys[i].id) == 0;
        if (!used && strcmp(keys[i].label, CHALLENGE_LABEL) == 0)
            key_delete(keys[i].id);
    }
    free(keys);
}

/* --- dns-01 */

static int dns_names(const struct acme_proof *p, struct cert_command_msg *m, struct err *e)
{
    struct buf text BUF_AUTO = BUF(ORDER_VALUE_MAX);

    if (p->is_address)
        return err_set(e, -EINVAL, "%s is an address, which DNS cannot prove", p->name);
    if (snprintf(m->name, sizeof(m->name), "_acme-challenge.%s", p->name) >= (int)sizeof(m->name) ||
        !acme_dns_text(p->authorization, &text))
        return err_set(e, -EMSGSIZE, "%s is too long for dns-01", p->name);
    span_to_cstr(buf_span(&text), m->value, sizeof(m->value));
    return 0;
}

static int run_command(struct certd *d, const struct authority *a, const struct acme_proof *p,
                       bool present, struct err *e)
{
    struct buf body BUF_AUTO = BUF(2048), reply BUF_AUTO = BUF(4096);
    struct cert_command_msg m = {.present = present};
    int rc = dns_names(p, &m, e);

    if (rc < 0)
        return rc;
    snprintf(m.authority, sizeof(m.authority), "%s", a->conf->name);
    wr_cert_command(&body, &m);
    rc = link_call(d->child->supervisor, MSG_CERT_COMMAND, buf_span(&body), NULL, 0, COMMAND_MS,
                   &reply, NULL);
    return rc < 0 ? err_set(e, rc, "dns_command of authority %s (%s): %.300s", a->conf->name,
                            present ? "present" : "withdraw",
                            reply.n ? buf_cstr(&reply) : strerror(-rc))
                  : 0;
}

static int command_present(struct certd *d, const struct authority *a, struct acme_proof *p,
                           struct err *e)
{
    return run_command(d, a, p, true, e);
}

static void command_withdraw(struct certd *d, const struct authority *a, struct acme_proof *p)
{
    struct err e;

    if (run_command(d, a, p, false, &e) < 0)
        log_warn("authority %s: a challenge stays in DNS: %s", a->conf->name, e.text);
}

static int update(struct certd *d, const struct authority *a, const struct acme_proof *p,
                  bool add_it, struct err *e)
{
    static const enum dns_hmac algorithms[] = {[TSIG_SHA256] = DNS_HMAC_SHA256,
                                               [TSIG_SHA384] = DNS_HMAC_SHA384,
                                               [TSIG_SHA512] = DNS_HMAC_SHA512};
    struct dns_key key = {.name = a->conf->tsig_name,
                          .algorithm = algorithms[a->conf->tsig_algorithm],
                          .secret = buf_span(&a->secret)};
    struct dns_update u = {.zone = a->conf->dns_zone[0] ? a->conf->dns_zone : a->copy->domain,
                           .add = add_it,
                           .ttl = TTL};
    struct cert_command_msg m = {.present = add_it};
    struct sockaddr_storage server;
    int rc = dns_names(p, &m, e);

    u.name = m.name;
    u.text = m.value;
    if (rc == 0 && !dns_server_parse(a->conf->dns_server, &server))
        rc = err_set(e, -EINVAL, "dns_server of authority %s is no address", a->conf->name);
    if (rc == 0)
        rc = dns_update_send(&server, &u, &key, e);
    return rc < 0 ? err_wrap(e, rc, "dns-update at %s", a->conf->dns_server) : 0;
}

static int update_present(struct certd *d, const struct authority *a, struct acme_proof *p,
                          struct err *e)
{
    return update(d, a, p, true, e);
}

static void update_withdraw(struct certd *d, const struct authority *a, struct acme_proof *p)
{
    struct err e;

    if (update(d, a, p, false, &e) < 0)
        log_warn("authority %s: a challenge stays in DNS: %s", a->conf->name, e.text);
}

/* --- by what the configuration says */

static const struct {
    int (*present)(struct certd *d, const struct authority *a, struct acme_proof *p, struct err *e);
    void (*withdraw)(struct certd *d, const struct authority *a, struct acme_proof *p);
} kinds[] = {
    [CHALLENGE_HTTP] = {http_present,    http_withdraw   },
    [CHALLENGE_TLS_ALPN] = {alpn_present,    alpn_withdraw   },
    [CHALLENGE_DNS_COMMAND] = {command_present, command_withdraw},
    [CHALLENGE_DNS_UPDATE] = {update_present,  update_withdraw },
};

int proof_present(struct certd *d, const struct authority *a, struct acme_proof *p, struct err *e)
{
    return kinds[a->conf->challenge].present(d, a, p, e);
}

void proof_withdraw(struct certd *d, const struct authority *a, struct acme_proof *p)
{
    kinds[a->conf->challenge].withdraw(d, a, p);
}
