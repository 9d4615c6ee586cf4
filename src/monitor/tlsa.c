#include "monitor/tlsa.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

enum { CA_CONSTRAINT, EE_CONSTRAINT, TRUST_ANCHOR, DOMAIN_ISSUED }; /* usages */
enum { WHOLE, SPKI };                                               /* selectors */
enum { EXACT, SHA_256, SHA_512 };                                   /* matching types */

static bool usable(const struct tlsa_question *q, const struct dns_tlsa *t)
{
    if (t->usage > DOMAIN_ISSUED || t->selector > SPKI || t->matching > SHA_512)
        return false;
    if (q->smtp && t->usage < TRUST_ANCHOR) /* RFC 7672 section 3.1.3 */
        return false;
    return t->matching == EXACT ||
           t->bytes == (t->matching == SHA_256 ? SHA256_DIGEST_LENGTH : SHA512_DIGEST_LENGTH);
}

static bool is_it(const struct dns_tlsa *t, const struct certificate *c)
{
    struct buf spki BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    unsigned char digest[SHA512_DIGEST_LENGTH];
    struct span whole = certificate_der(c);

    if (t->selector == SPKI) {
        if (!certificate_spki(c, &spki))
            return false;
        whole = buf_span(&spki);
    }
    if (t->matching == EXACT && t->whole == 0)
        return span_eq(whole, span_of(t->data, t->bytes));
    if (t->matching == EXACT && t->whole != whole.n)
        return false;
    if (t->matching == SHA_256)
        SHA256((const unsigned char *)whole.p, whole.n, digest);
    else
        SHA512((const unsigned char *)whole.p, whole.n, digest);
    return memcmp(digest, t->data, t->bytes) == 0;
}

/* Is each certificate up to that one issued by the next, and in force? */
static bool leads_to(const struct tlsa_question *q, size_t anchor)
{
    for (size_t i = 0; i <= anchor; i++) {
        const struct certificate *c = q->chain->v[i];
        if (c->not_before > q->now || c->not_after < q->now)
            return false;
        if (i == anchor)
            break;
        const struct certificate *issuer = q->chain->v[i + 1];
        if (!issuer->is_ca || X509_check_issued(issuer->x509, c->x509) != X509_V_OK ||
            X509_verify(c->x509, X509_get0_pubkey(issuer->x509)) != 1) {
            ERR_clear_error();
            return false;
        }
    }
    return true;
}

static bool has_name(const struct tlsa_question *q)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    bool ok;

    cert_names_add_any(&names, span_cstr(q->host));
    ok = names.n == 1 && certificate_name_matches(q->chain->v[0], &names.v[0]);
    cert_names_done(&names);
    return ok;
}

enum tlsa_fit tlsa_judge(const struct tlsa_question *q, const struct dns_tlsa *t)
{
    size_t first = t->usage == CA_CONSTRAINT || t->usage == TRUST_ANCHOR ? 1 : 0;
    size_t behind = first == 0 ? 1 : q->chain->n;

    CHECK(q->chain->n > 0);
    if (!usable(q, t))
        return TLSA_UNUSABLE;
    for (size_t i = first; i < behind; i++) {
        if (!is_it(t, q->chain->v[i]))
            continue;
        if (t->usage == DOMAIN_ISSUED || /* neither dates nor names: DNS says it all */
            (t->usage != TRUST_ANCHOR && q->trusted) ||
            (t->usage == TRUST_ANCHOR && leads_to(q, i) && has_name(q)))
            return TLSA_FITS;
    }
    return TLSA_DIFFERS;
}

void tlsa_print(const struct dns_tlsa *t, struct buf *out)
{
    buf_printf(out, "%u %u %u ", t->usage, t->selector, t->matching);
    if (t->whole != 0) {
        buf_printf(out, "(%zu bytes)", t->whole);
        return;
    }
    for (size_t i = 0; i < t->bytes; i++)
        buf_printf(out, "%02x", t->data[i]);
}

void tlsa_of(const struct certificate *leaf, struct dns_tlsa *ret)
{
    struct buf spki BUF_AUTO = BUF(CERTIFICATE_DER_MAX);

    *ret = (struct dns_tlsa){.usage = DOMAIN_ISSUED,
                             .selector = SPKI,
                             .matching = SHA_256,
                             .bytes = SHA256_DIGEST_LENGTH};
    certificate_spki(leaf, &spki);
    SHA256((const unsigned char *)spki.p, spki.n, ret->data);
}
