/* What stands above our issuing CAs: our roots, each other's word for their keys after a rollover,
 * and the CAs of others. */
#include "base/clock.h"
#include "base/codec.h"
#include "ca/ca_internal.h"
#include "pki/extension.h"

#include <errno.h>
#include <openssl/err.h>

static bool is_external(const struct ca_record *c)
{
    return c->kind == CA_ISSUING && c->parent == 0;
}

static void push(struct chain *c, struct certificate *x)
{
    if (c->n < CERTIFICATE_CHAIN_MAX)
        c->v[c->n++] = x;
}

void ca_above(const struct ca *ca, const struct ca_record *issuing, int64_t now, struct chain *add)
{
    const struct ca_record *root = ca_by_id(ca, issuing->parent);

    for (size_t i = 0; is_external(issuing) && i + 1 < issuing->above.n; i++)
        push(add, issuing->above.v[i]);
    /* a link that ends before the issuing CA does would break the chain for who does not need it */
    if (root && root->above.n > 0 && root->above.v[0]->not_before <= now &&
        root->above.v[0]->not_after >= issuing->certificate->not_after)
        push(add, root->above.v[0]);
}

const struct certificate *ca_root_of(const struct ca *ca, const struct ca_record *issuing)
{
    const struct ca_record *root = ca_by_id(ca, issuing->parent);

    if (root)
        return root->certificate;
    return issuing->above.n > 0 ? issuing->above.v[issuing->above.n - 1] : NULL;
}

static void push_root(struct chain *roots, const struct certificate *x, int64_t now)
{
    if (!x || x->not_after < now)
        return;
    for (size_t i = 0; i < roots->n; i++)
        if (span_eq(certificate_der(roots->v[i]), certificate_der(x)))
            return;
    push(roots, (struct certificate *)(uintptr_t)x);
}

void ca_roots(const struct ca *ca, bool with_cas, struct buf *out)
{
    struct chain all = CHAIN_NONE; /* borrowed */
    int64_t now = clock_seconds();

    push_root(&all, ca_root_of(ca, ca->issuing), now);
    push_root(&all, ca->root->certificate, now);
    if (with_cas) {
        push(&all, ca->issuing->certificate);
        ca_above(ca, ca->issuing, now, &all);
    }
    for (size_t i = ca->ca_count; i-- > 0;) { /* the newest matter most */
        const struct ca_record *c = ca->cas[i];
        if (c->kind == CA_ROOT)
            push_root(&all, c->certificate, now);
        else if (is_external(c) && c->state != CA_REVOKED && c->certificate->not_after >= now)
            push_root(&all, ca_root_of(ca, c), now);
    }
    chain_write(&all, out);
}

static void put_once(const struct certificate *x, int64_t now, struct buf *out)
{
    struct span der = certificate_der(x);

    if (x->not_after >= now && out->n + der.n + 8 <= out->max &&
        span_find_span(buf_span(out), der) == SPAN_NONE)
        wr_span(out, der);
}

void ca_between(const struct ca *ca, struct buf *out)
{
    int64_t now = clock_seconds();

    for (size_t i = ca->ca_count; i-- > 0;) {
        const struct ca_record *c = ca->cas[i];
        if (c->kind != CA_ISSUING || c->state == CA_REVOKED || c->certificate->not_after < now)
            continue;
        put_once(c->certificate, now, out);
        /* the last of another CA's is its root; the first above a root of ours crosses over to it */
        for (size_t k = 0; is_external(c) && k + 1 < c->above.n; k++)
            put_once(c->above.v[k], now, out);
    }
}

/* --- what a CA of others lets us certify */

/* A certificate with that name and nothing else, for OpenSSL to look at: it knows excluded and
 * permitted subtrees of all kinds. */
static bool permits(const struct certificate *ca, const struct cert_name *name)
{
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(ca->x509, NID_name_constraints, NULL, NULL);
    struct cert_names one = {(struct cert_name *)(uintptr_t)name, 1};
    GENERAL_NAMES *san;
    X509 *x;
    bool ok = false;

    if (!nc)
        return true;
    san = general_names_write(&one);
    x = X509_new();
    if (san && x && X509_add1_ext_i2d(x, NID_subject_alt_name, san, 0, 0) == 1) {
        X509_check_purpose(x, -1, 0); /* OpenSSL reads the extension with this only */
        ok = NAME_CONSTRAINTS_check(x, nc) == X509_V_OK;
    }
    X509_free(x);
    GENERAL_NAMES_free(san);
    NAME_CONSTRAINTS_free(nc);
    ERR_clear_error();
    return ok;
}

int ca_external_permits(const struct ca_record *issuing, const struct cert_names *names,
                        struct err *e)
{
    for (uint32_t i = 0; i < names->n; i++)
        for (size_t k = 0; k <= issuing->above.n; k++) {
            const struct certificate *c = k == 0 ? issuing->certificate : issuing->above.v[k - 1];
            if (!permits(c, &names->v[i]))
                return err_set(e, -EPERM,
                               "%.200s may not certify the %s name %.120s (name constraints); have "
                               "its permitted names widened, or do without that name",
                               c->subject, cert_name_type_name(names->v[i].type), names->v[i].text);
        }
    return 0;
}

int ca_external_serves(const struct ca_record *issuing, const struct ca_settings *s, struct err *e)
{
    int rc = ca_external_permits(issuing, &s->serves, e);

    return rc < 0 ? err_wrap(e, rc, "not all names of the virtual servers") : 0;
}
