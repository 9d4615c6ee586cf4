/* world_test.h: keys and certificates made for tests, in this process. */
#ifndef PKI_WORLD_TEST_H
#define PKI_WORLD_TEST_H

#include "base/check.h"
#include "base/random.h"
#include "pki/chain.h"
#include "pki/issue.h"
#include "unit/unit.h"

enum { WORLD_DAY = 86400 };
#define WORLD_NOW INT64_C(1795500000) /* 2026-11-24 */

static EVP_PKEY *world_key(const char *type)
{
    EVP_PKEY *k = NULL;

    if (strcmp(type, "p256") == 0)
        k = EVP_EC_gen("P-256");
    else if (strcmp(type, "p384") == 0)
        k = EVP_EC_gen("P-384");
    else if (strcmp(type, "ed25519") == 0)
        k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (strcmp(type, "rsa1024") == 0)
        k = EVP_RSA_gen(1024);
    else
        k = EVP_RSA_gen(2048);
    CHECK(k);
    return k;
}

__attribute__((unused)) static void world_spki(EVP_PKEY *k, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k, &der);

    CHECK(n > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
}

__attribute__((unused)) static void world_permit(struct permitted *p)
{
    permitted_add_dns(p, SPAN("example.org"));
    permitted_add_dns(p, SPAN("localhost"));
    permitted_add_email(p, SPAN("example.org"));
    permitted_add_network(p, SPAN("127.0.0.1/32"));
    permitted_add_network(p, SPAN("::1/128"));
}

/* Names as words. */
__attribute__((unused)) static void world_names(struct cert_names *n, const char *words)
{
    struct span s = span_cstr(words), word;

    while (span_split(&s, ' ', &word))
        CHECK(cert_names_add_any(n, word) == 0);
}

struct world_cert {
    enum profile_id profile;
    const char *cn, *names; /* names as words */
    int64_t from, to;       /* 0, 0: now and a month */
    const struct certificate *issuer;
    EVP_PKEY *key, *signer; /* signer NULL: key */
};

/* The certificate, or NULL (and the reason in *e). */
__attribute__((unused)) static struct certificate *world_issue(const struct world_cert *w,
                                                               struct err *e)
{
    struct buf spki BUF_AUTO = BUF(4096), der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct cert_names names = CERT_NAMES_EMPTY;
    struct permitted permitted = {.network_count = 0};
    struct cert_subject subject = {.common_name = w->cn, .organization = "Example"};
    struct certificate *c = NULL;
    struct issue_plan p = {.profile = cert_profile_get(w->profile),
                           .issuer = w->issuer,
                           .signer = w->signer ? w->signer : w->key,
                           .subject = &subject,
                           .names = &names,
                           .permitted = &permitted,
                           .not_before = w->from ? w->from : WORLD_NOW - WORLD_DAY,
                           .not_after = w->to ? w->to : WORLD_NOW + 30 * WORLD_DAY};

    world_spki(w->key, &spki);
    world_permit(&permitted);
    if (w->names)
        world_names(&names, w->names);
    random_bytes(p.serial, sizeof(p.serial));
    p.spki = buf_span(&spki);
    if (issue_certificate(&p, &der, e) == 0)
        CHECK(certificate_parse(buf_span(&der), &c, e) == 0);
    cert_names_done(&names);
    permitted_done(&permitted);
    return c;
}

/* A root, an issuing CA below it and keys. */
struct world {
    EVP_PKEY *root_key, *issuing_key, *leaf_key;
    struct certificate *root, *issuing;
};

__attribute__((unused)) static void world_init(struct world *w, const char *type)
{
    struct err e;

    w->root_key = world_key(type);
    w->issuing_key = world_key(type);
    w->leaf_key = world_key(type);
    w->root = world_issue(&(struct world_cert){.profile = PROFILE_ROOT,
                                               .cn = "Example Root",
                                               .from = WORLD_NOW - 10 * WORLD_DAY,
                                               .to = WORLD_NOW + 3000 * INT64_C(86400),
                                               .key = w->root_key},
                          &e);
    CHECK(w->root);
    w->issuing = world_issue(&(struct world_cert){.profile = PROFILE_ISSUING,
                                                  .cn = "Example Issuing 1",
                                                  .from = WORLD_NOW - 10 * WORLD_DAY,
                                                  .to = WORLD_NOW + 1000 * INT64_C(86400),
                                                  .issuer = w->root,
                                                  .key = w->issuing_key,
                                                  .signer = w->root_key},
                             &e);
    CHECK(w->issuing);
}

__attribute__((unused)) static void world_done(struct world *w)
{
    certificate_free(w->root);
    certificate_free(w->issuing);
    EVP_PKEY_free(w->root_key);
    EVP_PKEY_free(w->issuing_key);
    EVP_PKEY_free(w->leaf_key);
}

#endif
