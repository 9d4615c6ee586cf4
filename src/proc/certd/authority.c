#include "proc/certd/authority.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/container.h"
#include "pki/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PEM_MAX = 4 << 20,
    SECRET_MAX = 4096,
    CONF_MAX = 16 << 20,
    ACCOUNTS_MAX = 64,
    KEYD_MS = 15000
};
#define SYSTEM_TRUST "/etc/ssl/certs/ca-certificates.crt"

/* Where accounts are, found once: of an authority's key, at a directory. */
static struct account {
    char authority[IDENTITY_NAME_MAX + 1];
    char directory[WEB_URL_MAX + 1], url[WEB_URL_MAX + 1];
} accounts[ACCOUNTS_MAX];
static unsigned account_count;

static struct account *account_find(const struct authority *a)
{
    for (unsigned i = 0; i < account_count; i++)
        if (strcmp(accounts[i].authority, a->conf->name) == 0 &&
            strcmp(accounts[i].directory, a->client.url) == 0)
            return &accounts[i];
    return NULL;
}

static void account_recall(struct authority *a)
{
    const struct account *found = account_find(a);

    if (found)
        memcpy(a->client.account, found->url, sizeof(a->client.account));
}

/* Also that it is gone. */
static void account_keep(const struct authority *a)
{
    struct account *v = account_find(a);

    if (!v && account_count == ACCOUNTS_MAX)
        return;
    if (!v) {
        v = &accounts[account_count++];
        snprintf(v->authority, sizeof(v->authority), "%s", a->conf->name);
        snprintf(v->directory, sizeof(v->directory), "%s", a->client.url);
    }
    memcpy(v->url, a->client.account, sizeof(v->url));
}

/* --- files */

struct file_job {
    char path[2000];
    size_t max;
    struct buf *out;
    struct err *e;
    int rc;
};

static void work_read(void *arg)
{
    struct file_job *j = arg;
    j->rc = file_read(AT_FDCWD, j->path, j->max, j->out, j->e);
}

int authority_file(struct certd *d, const char *name, size_t max, struct buf *out, struct err *e)
{
    struct file_job j = {.max = max, .out = out, .e = e};

    if (name[0] == '/')
        snprintf(j.path, sizeof(j.path), "%s", name);
    else
        snprintf(j.path, sizeof(j.path), "%s/certs/%s", d->child->root, name);
    fiber_offload(work_read, &j);
    return j.rc < 0
               ? err_wrap(e, j.rc, "%s cannot be read by certd (its user must be able to)", j.path)
               : 0;
}

int authority_secret(struct certd *d, const char *name, bool (*decode)(struct buf *, struct span),
                     struct buf *out, struct err *e)
{
    struct buf text BUF_AUTO = BUF(SECRET_MAX);
    int rc = authority_file(d, name, SECRET_MAX - 1, &text, e);
    struct span s = span_trim(buf_span(&text));

    while (rc == 0 && decode == base64url_decode && s.n > 0 && s.p[s.n - 1] == '=')
        s.n--;
    *out = BUF(SECRET_MAX);
    if (rc == 0 && (s.n == 0 || !(decode ? decode(out, s) : buf_put_span(out, s))))
        rc = err_set(e, -EBADMSG, "%s does not hold a key in the form that it should have", name);
    if (text.p)
        secret_wipe(text.p, text.n);
    return rc;
}

static int trust(struct certd *d, const char *file, struct tls_client_context **ret, struct err *e)
{
    struct buf pem BUF_AUTO = BUF(PEM_MAX);
    int rc = authority_file(d, file[0] ? file : SYSTEM_TRUST, PEM_MAX / 2, &pem, e);

    if (rc < 0)
        return rc;
    *ret = tls_client_context_new(buf_span(&pem), e);
    return *ret ? 0 : err_wrap(e, -EBADMSG, "%s", file[0] ? file : SYSTEM_TRUST);
}

/* --- the network */

static int open_resolver(struct certd *d, struct err *e)
{
    const struct conf *c = d->child->conf;

    if (d->resolver)
        return 0;
    d->resolver = resolver_new(d->child->loop, c->dns_servers.v, c->dns_servers.n, "", e);
    return d->resolver ? 0 : -EIO;
}

int authority_clear_web(struct certd *d, struct web *ret, struct err *e)
{
    int rc = open_resolver(d, e);

    *ret = (struct web){.loop = d->child->loop, .resolver = d->resolver};
    return rc;
}

int authority_web(struct certd *d, struct web *ret, struct err *e)
{
    int rc = authority_clear_web(d, ret, e);

    return rc < 0 ? rc : trust(d, "", &ret->tls, e);
}

/* --- the account key */

static int open_key(const struct key_info *k, const char *name, EVP_PKEY **ret_signer,
                    EVP_PKEY **ret_public, struct err *e)
{
    const unsigned char *p = k->spki;

    *ret_signer = key_handle(k->id, KEY_ACME, span_of(k->spki, k->spki_bytes));
    *ret_public = d2i_PUBKEY(NULL, &p, k->spki_bytes);
    if (*ret_signer && *ret_public)
        return 0;
    EVP_PKEY_free(*ret_signer);
    EVP_PKEY_free(*ret_public);
    return err_set(e, -EIO, "the account key of %s cannot be used", name);
}

int authority_key_make(struct authority *a, char ret_id[IDENTITY_KEY_ID_MAX + 1],
                       EVP_PKEY **ret_signer, EVP_PKEY **ret_public, struct err *e)
{
    char label[KEY_LABEL_MAX + 1];
    struct key_info k;
    int rc;

    snprintf(label, sizeof(label), "acme/%s", a->conf->name);
    rc = key_create(label, "p256", KEY_ACME, false, &k);
    if (rc < 0)
        return err_set(e, rc, "keyd gives no account key for %s: %s", a->conf->name, strerror(-rc));
    log_info("authority %s: an account key was made", a->conf->name);
    snprintf(ret_id, IDENTITY_KEY_ID_MAX + 1, "%s", k.id);
    return open_key(&k, a->conf->name, ret_signer, ret_public, e);
}

void authority_key_use(struct authority *a, const char *id, EVP_PKEY *take_signer,
                       EVP_PKEY *take_public)
{
    EVP_PKEY_free(a->client.signer);
    EVP_PKEY_free(a->client.public);
    a->client.signer = take_signer;
    a->client.public = take_public;
    snprintf(a->key_id, sizeof(a->key_id), "%s", id);
}

void authority_key_drop(const char *id)
{
    int rc = key_delete(id);

    if (rc < 0 && rc != -ENOENT)
        log_warn("the account key %s stays at keyd: %s", id, strerror(-rc));
}

/* Several: we died, or the CA did not answer, while the account went over to another one. The CA says which it knows;
 * the others go. Where it knows none, the first stays. */
static int settle(struct authority *a, const struct key_info *keys, size_t n, struct err *e)
{
    size_t known = 0;
    int rc = -ENOENT;

    for (size_t i = 0; i < n && rc == -ENOENT; i++) {
        EVP_PKEY *signer, *public;
        rc = open_key(&keys[i], a->conf->name, &signer, &public, e);
        if (rc < 0)
            return rc;
        authority_key_use(a, keys[i].id, signer, public);
        a->client.account[0] = '\0';
        rc = acme_client_find_account(&a->client, e);
        if (rc == 0)
            known = i;
    }
    if (rc < 0 && rc != -ENOENT)
        return err_wrap(e, rc, "which account key %s knows cannot be found out", a->conf->name);
    for (size_t i = 0; i < n; i++)
        if (i != known)
            authority_key_drop(keys[i].id);
    return 1;
}

/* The keys of its account, those of that label only. */
static size_t keys_of(struct key_info *all, size_t n, const char *label)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].label, label) == 0)
            all[kept++] = all[i];
    return kept;
}

static int take_key(struct certd *d, struct authority *a, struct err *e)
{
    struct key_info *all = NULL;
    EVP_PKEY *signer = NULL, *public = NULL;
    char label[KEY_LABEL_MAX + 1], id[IDENTITY_KEY_ID_MAX + 1] = "";
    size_t n = 0;
    int rc;

    snprintf(label, sizeof(label), "acme/%s", a->conf->name);
    if (!child_peer_wait(d->child, ROLE_KEYD, KEYD_MS))
        return err_set(e, -EPIPE, "keyd is away");
    rc = key_list(label, &all, &n);
    if (rc < 0)
        return err_set(e, rc, "keyd gives no account key for %s: %s", a->conf->name, strerror(-rc));
    n = keys_of(all, n, label);
    rc = n > 1 ? settle(a, all, n, e) : 0;
    if (rc == 1) { /* and one is left */
        free(all);
        return take_key(d, a, e);
    }
    if (rc == 0 && n == 1) {
        snprintf(id, sizeof(id), "%s", all[0].id);
        rc = open_key(&all[0], a->conf->name, &signer, &public, e);
    } else if (rc == 0) {
        rc = authority_key_make(a, id, &signer, &public, e);
    }
    free(all);
    if (rc == 0)
        authority_key_use(a, id, signer, public);
    return rc;
}

/* --- all of it */

static struct conf *copy_conf(const struct conf *c)
{
    struct buf bytes BUF_AUTO = BUF(CONF_MAX);
    struct conf *copy;

    conf_wr(c, &bytes);
    CHECK(!bytes.overflow);
    copy = conf_rd(buf_span(&bytes));
    CHECK(copy);
    return copy;
}

static int open_secrets(struct certd *d, struct authority *a, struct err *e)
{
    const struct conf_authority *c = a->conf;
    int rc = 0;

    if (c->kind == AUTHORITY_ACME && c->eab_kid[0])
        rc = authority_secret(d, c->eab_key_file, base64url_decode, &a->eab, e);
    if (rc == 0 && c->kind == AUTHORITY_ACME && c->challenge == CHALLENGE_DNS_UPDATE &&
        c->tsig_name[0])
        rc = authority_secret(d, c->tsig_key_file, base64_decode, &a->secret, e);
    if (rc == 0 && c->kind == AUTHORITY_EST && c->user[0])
        rc = authority_secret(d, c->password_file, NULL, &a->secret, e);
    return rc;
}

int authority_open(struct certd *d, const char *name, bool rehearsal, struct authority **ret,
                   struct err *e)
{
    struct authority *a;
    int rc = 0;

    if (!conf_authority_by_name(d->child->conf, name))
        return err_set(e, -ENOENT,
                       "the configuration has no authority %s; add it to authorities, or request "
                       "the certificate elsewhere",
                       log_quote(span_cstr(name)));
    a = calloc(1, sizeof(*a));
    CHECK(a);
    a->copy = copy_conf(d->child->conf);
    a->conf = conf_authority_by_name(a->copy, name);
    a->client.web = (struct web){.loop = d->child->loop, .private = a->conf->private};
    a->client.url = rehearsal && a->conf->rehearsal_url[0] ? a->conf->rehearsal_url : a->conf->url;
    a->client.contact = a->conf->contact;
    a->client.eab_kid = a->conf->eab_kid;
    rc = open_resolver(d, e);
    a->client.web.resolver = d->resolver;
    if (rc == 0)
        rc = trust(d, a->conf->trust_file, &a->client.web.tls, e);
    if (rc == 0)
        rc = open_secrets(d, a, e);
    if (rc == 0 && a->conf->kind == AUTHORITY_ACME)
        rc = take_key(d, a, e);
    if (rc < 0) {
        authority_close(d, a);
        return rc;
    }
    a->client.eab_key = buf_span(&a->eab);
    account_recall(a);
    *ret = a;
    return 0;
}

bool authority_takes_certificates(const struct certd *d, const char *name)
{
    const struct conf_authority *a =
        name && name[0] ? conf_authority_by_name(d->child->conf, name) : NULL;

    return a && a->kind == AUTHORITY_EST;
}

int authority_show(struct certd *d, struct authority *a, const struct identity_slot *s,
                   struct err *e)
{
    struct buf chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    char key_id[IDENTITY_KEY_ID_MAX + 1];
    struct tls_client_context *tls = NULL;
    struct key_info k;
    int rc;

    /* copies: it may change while we wait */
    buf_put_span(&chain, identity_chain(s));
    memcpy(key_id, s->key_id, sizeof(key_id));
    if (!child_peer_wait(d->child, ROLE_KEYD, KEYD_MS))
        return err_set(e, -EPIPE, "keyd is away");
    rc = key_get(key_id, &k);
    if (rc < 0)
        return err_set(e, rc, "keyd does not give the key: %s", strerror(-rc));
    if (!(k.purposes & KEY_TLS_CLIENT))
        return err_set(e, -EACCES, "its key was not made to prove who we are to a CA");
    rc = trust(d, a->conf->trust_file, &tls, e);
    if (rc == 0)
        rc = tls_client_context_identity(tls, buf_span(&chain), key_id, e);
    if (rc < 0) {
        tls_client_context_free(tls);
        return rc;
    }
    a->own = a->client.web;
    a->own.tls = tls;
    return 0;
}

/* The certificate's key among those that were brought for this authority. */
static int first_key(const struct authority *a, const struct certificate *leaf,
                     char ret_id[IDENTITY_KEY_ID_MAX + 1], struct err *e)
{
    char label[KEY_LABEL_MAX + 1];
    struct key_info *all = NULL;
    size_t n = 0;
    int rc;

    snprintf(label, sizeof(label), "est/%s", a->conf->name);
    rc = key_list(label, &all, &n);
    if (rc < 0)
        return err_set(e, rc, "keyd does not give the key: %s", strerror(-rc));
    rc = -ENOENT;
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].label, label) == 0 &&
            certificate_has_spki(leaf, span_of(all[i].spki, all[i].spki_bytes))) {
            snprintf(ret_id, IDENTITY_KEY_ID_MAX + 1, "%s", all[i].id);
            rc = 0;
        }
    free(all);
    return rc == 0 ? 0
                   : err_set(e, -ENOKEY,
                             "keyd does not have the key of the certificate in %s; bring both with "
                             "`sealpost authority certificate %s FILE`",
                             a->conf->certificate_file, a->conf->name);
}

int authority_show_first(struct certd *d, struct authority *a, struct err *e)
{
    struct buf pem BUF_AUTO = BUF(PEM_MAX), bytes BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct chain chain = CHAIN_NONE;
    char key_id[IDENTITY_KEY_ID_MAX + 1];
    int rc;

    rc = authority_file(d, a->conf->certificate_file, CERTIFICATE_CHAIN_BYTES, &pem, e);
    if (rc == 0)
        rc = container_certificates(buf_span(&pem), &chain, e);
    if (rc == 0 && chain.n == 0)
        rc = err_set(e, -EBADMSG, "%s holds no certificate", a->conf->certificate_file);
    if (rc == 0 && !child_peer_wait(d->child, ROLE_KEYD, KEYD_MS))
        rc = err_set(e, -EPIPE, "keyd is away");
    if (rc == 0)
        rc = first_key(a, chain.v[0], key_id, e);
    a->first = a->client.web;
    a->first.tls = NULL;
    if (rc == 0)
        rc = trust(d, a->conf->trust_file, &a->first.tls, e);
    if (rc == 0) {
        chain_write(&chain, &bytes);
        rc = tls_client_context_identity(a->first.tls, buf_span(&bytes), key_id, e);
    }
    chain_done(&chain);
    return rc;
}

static void wipe(struct buf *b)
{
    if (b->p)
        secret_wipe(b->p, b->n);
    buf_done(b);
}

void authority_close(struct certd *d, struct authority *a)
{
    if (!a)
        return;
    if (a->conf->kind == AUTHORITY_ACME)
        account_keep(a);
    EVP_PKEY_free(a->client.signer);
    EVP_PKEY_free(a->client.public);
    tls_client_context_free(a->client.web.tls);
    tls_client_context_free(a->own.tls);
    tls_client_context_free(a->first.tls);
    wipe(&a->eab);
    wipe(&a->secret);
    conf_free(a->copy);
    free(a);
}

int authority_roots(struct certd *d, const struct authority *a, const struct certificate *top,
                    struct buf *ret, struct err *e)
{
    const char *file = a->conf->root_file[0] ? a->conf->root_file : SYSTEM_TRUST;
    struct buf pem BUF_AUTO = BUF(PEM_MAX);
    struct chain roots = CHAIN_NONE;
    int rc = authority_file(d, file, PEM_MAX / 2, &pem, e);

    if (rc == 0)
        rc = container_pool(buf_span(&pem), top, &roots, e);
    if (rc == 0 && roots.n == 0)
        rc = err_set(e, -EKEYREJECTED,
                     "the certificate leads to %s, which is not in %s; set root_file of the "
                     "authority to the CA's root if it is to be trusted",
                     top->issuer, file);
    if (rc == 0)
        chain_write(&roots, ret);
    chain_done(&roots);
    return rc;
}
