#include "pki/chain.h"
#include "base/check.h"
#include "base/date.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

enum { SECURITY_BITS_MIN = 112 };

const char *chain_fault_name(enum chain_fault f)
{
    static const char *const names[] = {
#define FAULT(id, name, doc) name,
#include "pki/chain_faults.def"
#undef FAULT
    };
    CHECK((unsigned)f < CHAIN_FAULT_COUNT);
    return names[f];
}

__attribute__((format(printf, 3, 4))) static enum chain_fault
fault(enum chain_fault f, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    return f;
}

/* "the certificate of CN=…" for the leaf, "the CA certificate CN=…" above it; one of 4 static
 * buffers in turn */
static const char *who(const struct certificate *c, size_t depth)
{
    static char texts[4][260];
    static unsigned turn;
    char *out = texts[turn++ % 4];
    const char *subject = c->subject[0] ? c->subject : c->names.n ? c->names.v[0].text : c->serial;

    snprintf(out, sizeof(texts[0]),
             depth == 0 ? "the certificate of %.200s" : "the CA certificate of %.200s", subject);
    return out;
}

static const char *day(int64_t seconds)
{
    static char texts[4][32];
    static unsigned turn;
    char *out = texts[turn++ % 4];
    struct buf b BUF_AUTO = BUF(sizeof(texts[0]) - 1);

    date_print_iso(&b, seconds);
    span_to_cstr(buf_span(&b), out, sizeof(texts[0]));
    return out;
}

static enum chain_fault check_key(const struct chain *c, const struct chain_want *w, struct err *e)
{
    if (w->spki.n == 0 || certificate_has_spki(c->v[0], w->spki))
        return CHAIN_FAULT_NONE;
    for (size_t i = 1; i < c->n; i++)
        if (certificate_has_spki(c->v[i], w->spki))
            return fault(
                CHAIN_FAULT_ORDER, e,
                "the server's own certificate is number %zu of the file; it must be the first",
                i + 1);
    return fault(CHAIN_FAULT_KEY, e,
                 "%s is for another key than the one that waits for it; install the answer to the "
                 "request that is pending, or make a new request",
                 who(c->v[0], 0));
}

static enum chain_fault check_dates(const struct chain *c, const struct chain_want *w,
                                    struct err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->v[i]->not_before > w->now)
            return fault(
                CHAIN_FAULT_NOT_YET, e,
                "%s is valid from %s on only (it is %s here); check this machine's clock, or "
                "install it then",
                who(c->v[i], i), day(c->v[i]->not_before), day(w->now));
        if (c->v[i]->not_after < w->now)
            return fault(CHAIN_FAULT_EXPIRED, e,
                         "%s expired on %s (it is %s here); get a new one from %s", who(c->v[i], i),
                         day(c->v[i]->not_after), day(w->now), c->v[i]->issuer);
    }
    return CHAIN_FAULT_NONE;
}

static enum chain_fault check_strength(const struct chain *c, struct err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct certificate *x = c->v[i];
        if (x->key_security < SECURITY_BITS_MIN)
            return fault(CHAIN_FAULT_WEAK, e,
                         "the key (%s) of %s is too weak or of an unknown kind; take P-256, P-384, "
                         "Ed25519 or RSA of 2048 bits or more",
                         x->key_type, who(x, i));
        /* nobody relies on the signature that a root puts on itself */
        if (x->signature_security < SECURITY_BITS_MIN && !(i > 0 && x->self_issued))
            return fault(CHAIN_FAULT_WEAK, e,
                         "the signature (%s) on %s is too weak; ask the CA for one with SHA-256",
                         x->signature, who(x, i));
    }
    return CHAIN_FAULT_NONE;
}

static enum chain_fault check_names(const struct chain *c, const struct chain_want *w,
                                    struct err *e)
{
    const struct certificate *leaf = c->v[0];

    for (uint32_t i = 0; w->names && i < w->names->n; i++) {
        const struct cert_name *n = &w->names->v[i];
        struct buf has BUF_AUTO = BUF(8192);
        if (certificate_name_matches(leaf, n))
            continue;
        cert_names_print(&leaf->names, &has);
        return fault(
            CHAIN_FAULT_NAME, e,
            "%s is not for the %s name %.120s (it is for: %.200s); request one that names it",
            who(leaf, 0), cert_name_type_name(n->type), n->text,
            has.n ? buf_cstr(&has) : "no name at all");
    }
    return CHAIN_FAULT_NONE;
}

static const struct {
    int x509;
    uint32_t ext_usage;
    const char *text;
} purposes[] = {
    [CHAIN_SERVER] = {X509_PURPOSE_SSL_SERVER,  XKU_SSL_SERVER,           "TLS server"       },
    [CHAIN_CLIENT] = {X509_PURPOSE_SSL_CLIENT,  XKU_SSL_CLIENT,           "TLS client"       },
    [CHAIN_EMAIL] = {X509_PURPOSE_SMIME_SIGN,  XKU_SMIME,                "e-mail protection"},
    [CHAIN_CODE] = {X509_PURPOSE_ANY,         XKU_CODE_SIGN,            "code signing"     },
    [CHAIN_OCSP] = {X509_PURPOSE_OCSP_HELPER, XKU_OCSP_SIGN,            "OCSP signing"     },
    [CHAIN_CA] = {X509_PURPOSE_ANY,         0,                        "CA"               },
    [CHAIN_DOCUMENT] = {X509_PURPOSE_ANY,         CERTIFICATE_XKU_DOCUMENT, "document signing" },
};

/* RFC 5280: without the extension the key may be used for anything (section 4.2.1.12; but code and
 * OCSP signing are never meant by silence), and without key usage in any way (4.2.1.3). */
static enum chain_fault check_purpose(const struct chain *c, const struct chain_want *w,
                                      struct err *e)
{
    const struct certificate *leaf = c->v[0];
    bool strict =
        w->purpose == CHAIN_CODE || w->purpose == CHAIN_OCSP || w->purpose == CHAIN_DOCUMENT;
    bool extended = leaf->ext_usage == UINT32_MAX
                        ? !strict
                        : (leaf->ext_usage & purposes[w->purpose].ext_usage) != 0;

    if (w->purpose == CHAIN_CA)
        return leaf->is_ca ? CHAIN_FAULT_NONE
                           : fault(CHAIN_FAULT_PURPOSE, e,
                                   "%s is not made for the use as CA; request one with that "
                                   "purpose (basic constraints CA:TRUE)",
                                   who(leaf, 0));
    if (!extended)
        return fault(
            CHAIN_FAULT_PURPOSE, e,
            "%s is not made for the use as %s; request one with that purpose (extended key usage)",
            who(leaf, 0), purposes[w->purpose].text);
    if (leaf->key_usage != UINT32_MAX && !(leaf->key_usage & KU_DIGITAL_SIGNATURE))
        return fault(CHAIN_FAULT_PURPOSE, e,
                     "%s is not made for the use as %s: its key may not sign what is sent; request "
                     "one with digitalSignature (key usage)",
                     who(leaf, 0), purposes[w->purpose].text);
    return CHAIN_FAULT_NONE;
}

/* RFC 5280 does not forbid it, many clients do; and such a key should not be where strangers are. */
static enum chain_fault check_leaf(const struct chain *c, const struct chain_want *w, struct err *e)
{
    if (w->purpose == CHAIN_CA || !c->v[0]->is_ca)
        return CHAIN_FAULT_NONE;
    return fault(CHAIN_FAULT_CA_LEAF, e,
                 "%s is a CA's own (basic constraints CA:TRUE): with its key anybody could sign "
                 "certificates, and many clients take none such as %s; have one issued that is no "
                 "CA's",
                 who(c->v[0], 0), purposes[w->purpose].text);
}

static bool names_equal(const struct certificate *child, const struct certificate *parent)
{
    return X509_NAME_cmp(X509_get_issuer_name(child->x509), X509_get_subject_name(parent->x509)) ==
           0;
}

static bool signed_by(const struct certificate *child, const struct certificate *parent)
{
    EVP_PKEY *key = X509_get0_pubkey(parent->x509);
    bool ok = key && X509_verify(child->x509, key) == 1;

    ERR_clear_error();
    return ok;
}

static enum chain_fault check_pair(const struct certificate *child,
                                   const struct certificate *parent, size_t depth, struct err *e)
{
    if (!names_equal(child, parent))
        return fault(CHAIN_FAULT_ORDER, e,
                     "%s was issued by %.200s, but %.200s follows it; add the missing issuer's "
                     "certificate behind it",
                     who(child, depth), child->issuer, parent->subject);
    if (!parent->is_ca ||
        (parent->key_usage != UINT32_MAX && !(parent->key_usage & KU_KEY_CERT_SIGN)))
        return fault(CHAIN_FAULT_NOT_CA, e,
                     "%.200s signed %s but is no CA; such a chain is worthless", parent->subject,
                     who(child, depth));
    if (parent->path_len >= 0 && depth > (size_t)parent->path_len)
        return fault(CHAIN_FAULT_NOT_CA, e, "%.200s may have no more than %d CAs below it",
                     parent->subject, parent->path_len);
    if (!signed_by(child, parent))
        return fault(
            CHAIN_FAULT_SIGNATURE, e,
            "the signature on %s is not that of %.200s; the file is damaged or mixed up, get "
            "it again from the CA",
            who(child, depth), parent->subject);
    if (child->not_after > parent->not_after)
        return fault(
            CHAIN_FAULT_OUTLIVES, e,
            "%s ends on %s, later than its issuer (%s), and would fail from then on; renew "
            "the issuer first",
            who(child, depth), day(child->not_after), day(parent->not_after));
    return CHAIN_FAULT_NONE;
}

static const struct certificate *find_root(const struct certificate *top, const struct chain *roots)
{
    const struct certificate *by_name = NULL;

    for (size_t i = 0; roots && i < roots->n; i++) {
        if (span_eq(certificate_der(roots->v[i]), certificate_der(top)))
            return roots->v[i];
        if (names_equal(top, roots->v[i]) && (!by_name || signed_by(top, roots->v[i])))
            by_name = roots->v[i];
    }
    return by_name;
}

/* Our own walk up, for sentences that name both ends of the broken place. */
static enum chain_fault check_links(const struct chain *c, const struct chain_want *w,
                                    struct err *e)
{
    const struct certificate *top = c->v[c->n - 1], *root;

    for (size_t i = 0; i + 1 < c->n; i++) {
        enum chain_fault f = check_pair(c->v[i], c->v[i + 1], i, e);
        if (f != CHAIN_FAULT_NONE)
            return f;
    }
    root = find_root(top, w->roots);
    if (root && span_eq(certificate_der(root), certificate_der(top)))
        return CHAIN_FAULT_NONE;
    if (root)
        return check_pair(top, root, c->n - 1, e);
    if (w->system_roots)
        return CHAIN_FAULT_NONE; /* OpenSSL looks there */
    if (top->self_issued)
        return fault(CHAIN_FAULT_UNTRUSTED, e,
                     "%s is signed by itself, and not trusted here; have one issued by a CA that "
                     "is, or trust it (--root)",
                     who(top, c->n - 1));
    return fault(CHAIN_FAULT_UNTRUSTED, e,
                 "%s leads to %.200s, which is not trusted here; add the missing intermediate "
                 "certificates to the file, or that root to the trusted ones (--root)",
                 who(top, c->n - 1), top->issuer);
}

/* --- the same asked of OpenSSL, which knows the rest of RFC 5280 */

static enum chain_fault fault_of(int code)
{
    switch (code) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return CHAIN_FAULT_NOT_YET;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return CHAIN_FAULT_EXPIRED;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return CHAIN_FAULT_SIGNATURE;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        return CHAIN_FAULT_NOT_CA;
    case X509_V_ERR_INVALID_PURPOSE:
        return CHAIN_FAULT_PURPOSE;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
        return CHAIN_FAULT_CONSTRAINT;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return CHAIN_FAULT_UNTRUSTED;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return CHAIN_FAULT_WEAK;
    default:
        return CHAIN_FAULT_OTHER;
    }
}

static enum chain_fault explain(X509_STORE_CTX *ctx, const struct chain *c, struct err *e)
{
    int code = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
    enum chain_fault f = fault_of(code);
    size_t at = depth >= 0 && (size_t)depth < c->n ? (size_t)depth : c->n - 1;

    if (f == CHAIN_FAULT_CONSTRAINT)
        return fault(f, e,
                     "%s carries a name that one of the CAs above it may not certify (name "
                     "constraints); leave that name out, or have the CA's permitted names widened",
                     who(c->v[at], at));
    return fault(f, e, "%s is refused: %s; ask the CA for one that RFC 5280 allows",
                 who(c->v[at], at), X509_verify_cert_error_string(code));
}

static X509_STORE *trust_store(const struct chain_want *w)
{
    X509_STORE *store = X509_STORE_new();

    CHECK(store);
    for (size_t i = 0; w->roots && i < w->roots->n; i++)
        CHECK(X509_STORE_add_cert(store, w->roots->v[i]->x509) == 1);
    if (w->system_roots)
        X509_STORE_set_default_paths(store);
    return store;
}

static void set_rules(X509_STORE_CTX *ctx, const struct chain_want *w)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_time(param, (time_t)w->now);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_depth(param, CERTIFICATE_CHAIN_MAX);
    if (purposes[w->purpose].x509 != X509_PURPOSE_ANY)
        X509_VERIFY_PARAM_set_purpose(param, purposes[w->purpose].x509);
}

static enum chain_fault check_openssl(const struct chain *c, const struct chain_want *w,
                                      struct err *e)
{
    X509_STORE *store = trust_store(w);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    enum chain_fault f = CHAIN_FAULT_NONE;

    CHECK(ctx && between);
    for (size_t i = 1; i < c->n; i++)
        CHECK(sk_X509_push(between, c->v[i]->x509) > 0);
    CHECK(X509_STORE_CTX_init(ctx, store, c->v[0]->x509, between) == 1);
    set_rules(ctx, w);
    if (X509_verify_cert(ctx) != 1)
        f = explain(ctx, c, e);
    sk_X509_free(between);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return f;
}

enum chain_fault chain_check(const struct chain *c, const struct chain_want *w, struct err *e)
{
    enum chain_fault f;

    if (c->n == 0)
        return fault(CHAIN_FAULT_EMPTY, e, "there is no certificate to check");
    if ((f = check_key(c, w, e)) != CHAIN_FAULT_NONE ||
        (f = check_dates(c, w, e)) != CHAIN_FAULT_NONE ||
        (f = check_strength(c, e)) != CHAIN_FAULT_NONE ||
        (f = check_purpose(c, w, e)) != CHAIN_FAULT_NONE ||
        (f = check_names(c, w, e)) != CHAIN_FAULT_NONE ||
        (f = check_links(c, w, e)) != CHAIN_FAULT_NONE ||
        (f = check_leaf(c, w, e)) != CHAIN_FAULT_NONE)
        return f;
    return check_openssl(c, w, e);
}

/* --- order */

static struct certificate *take(struct chain *c, size_t i)
{
    struct certificate *x = c->v[i];
    c->v[i] = c->v[--c->n];
    return x;
}

bool chain_arrange(struct chain *c, struct span spki)
{
    struct chain out = CHAIN_NONE;
    bool found;

    for (size_t i = 0; i < c->n && out.n == 0; i++)
        if (certificate_has_spki(c->v[i], spki))
            out.v[out.n++] = take(c, i);
    if (out.n == 0)
        return false;
    do {
        const struct certificate *top = out.v[out.n - 1];
        found = false;
        /* one that bears the name alone is better than none: then the check says what is wrong */
        for (int strict = 1; strict >= 0; strict--)
            for (size_t i = 0; i < c->n && !found && !top->self_issued; i++)
                if (names_equal(top, c->v[i]) && (!strict || signed_by(top, c->v[i]))) {
                    out.v[out.n++] = take(c, i);
                    found = true;
                }
    } while (found);
    if (out.n > 1 && out.v[out.n - 1]->self_issued)
        certificate_free(out.v[--out.n]);
    chain_done(c);
    *c = out;
    return true;
}
