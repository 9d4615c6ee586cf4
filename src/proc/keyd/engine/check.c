#include "proc/keyd/engine/check.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/parse.h"
#include "pki/key_algorithm.h"

#include <openssl/err.h>

/* --- TLS (RFC 8446 section 4.4.3, RFC 8422 section 5.4) */

enum { TLS13_PAD = 64, TLS12_RANDOMS = 64, NAMED_CURVE = 3, JWS_HEADER_MAX = 8192 };

static const struct {
    unsigned group, point_bytes;
    int first; /* uncompressed points begin with 04; -1: any */
} groups[] = {
    {23, 65, 4 }, /* P-256 */
    {24, 97, 4 }, /* P-384 */
    {29, 32, -1}, /* X25519 */
};

/* 64 spaces, the context with its NUL, a transcript hash of SHA-256 or SHA-384, the end. */
static bool is_tls13(struct span text, struct span context)
{
    for (size_t i = 0; i < TLS13_PAD; i++)
        if (i >= text.n || text.p[i] != ' ')
            return false;
    text = span_skip(text, TLS13_PAD);
    if (!span_starts(text, context))
        return false;
    text = span_skip(text, context.n);
    return text.n == 32 || text.n == 48;
}

static bool is_tls12(struct span text)
{
    const unsigned char *p = (const unsigned char *)text.p + TLS12_RANDOMS;

    if (text.n < TLS12_RANDOMS + 5 || p[0] != NAMED_CURVE)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if ((unsigned)(p[1] << 8 | p[2]) != groups[i].group)
            continue;
        return p[3] == groups[i].point_bytes &&
               text.n == TLS12_RANDOMS + 4 + groups[i].point_bytes &&
               (groups[i].first < 0 || p[4] == groups[i].first);
    }
    return false;
}

/* RFC 8446 section 4.2.3: PKCS#1 is gone, and a curve goes with one hash. */
static bool tls13_algorithm(const struct keyd_key *k, const struct key_sign_request *r)
{
    if (r->algorithm == KEY_ECDSA)
        return r->digest == (strcmp(k->info.type, "p384") == 0 ? KEY_SHA384 : KEY_SHA256);
    return r->algorithm != KEY_RSA_PKCS1;
}

const char *check_tls(const struct keyd_key *k, const struct key_sign_request *r)
{
    static const char server[] = "TLS 1.3, server CertificateVerify";
    static const char client[] = "TLS 1.3, client CertificateVerify";
    bool is_server = r->purpose == KEY_TLS_SERVER;
    struct span context =
        is_server ? span_of(server, sizeof server) : span_of(client, sizeof client);

    if (is_tls13(r->text, context))
        return tls13_algorithm(k, r) ? NULL : "the algorithm is not one of TLS 1.3";
    if (is_server && is_tls12(r->text))
        return NULL;
    return is_server
               ? "neither a TLS 1.3 server's CertificateVerify nor a TLS 1.2 ServerKeyExchange"
               : "not a TLS 1.3 client's CertificateVerify";
}

/* --- ACME: a JWS signing input (RFC 7515 section 5.1, RFC 8555 section 6.2) */

static bool is_base64url(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return true;
}

const char *check_jws(const struct keyd_key *k, const struct key_sign_request *r)
{
    struct buf header BUF_AUTO = BUF(JWS_HEADER_MAX);
    struct span rest = r->text, head;
    size_t dot = span_find(rest, '.');

    if (dot == SPAN_NONE || dot > JWS_HEADER_MAX)
        return "not a JWS signing input";
    head = span_head(rest, dot);
    rest = span_skip(rest, dot + 1);
    if (!is_base64url(head) || !is_base64url(rest) || !base64url_decode(&header, head))
        return "not a JWS signing input";
    head = buf_span(&header);
    if (head.n < 2 || head.p[0] != '{' || head.p[head.n - 1] != '}' ||
        span_find_span(head, SPAN("\"alg\"")) == SPAN_NONE ||
        span_find_span(head, SPAN("\"url\"")) == SPAN_NONE)
        return "the protected header is not ACME's";
    return NULL;
}

/* --- DKIM: header fields, the DKIM-Signature last, its b= empty (RFC 6376 section 3.7) */

static struct span last_field(struct span text)
{
    for (size_t i = text.n; i-- > 1;)
        if (text.p[i - 1] == '\n' && text.p[i] != ' ' && text.p[i] != '\t')
            return span_skip(text, i);
    return text;
}

static bool tag_is_empty(struct span tag)
{
    tag = span_trim(tag);
    return tag.n >= 2 && tag.p[0] == 'b' && span_trim(span_skip(tag, 1)).n == 1 &&
           tag.p[tag.n - 1] == '=';
}

static bool ends_lines_with_crlf(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
            return false;
    return true;
}

const char *check_dkim(const struct keyd_key *k, const struct key_sign_request *r)
{
    static const struct span name = {"dkim-signature:", 15};
    struct span field = last_field(r->text), tag;
    bool empty_b = false, bh = false;

    if (span_has(r->text, '\0') || !ends_lines_with_crlf(r->text) ||
        !span_starts_nocase(field, name) || span_ends_nocase(field, SPAN("\n")))
        return "not header fields with an open DKIM-Signature at the end";
    field = span_skip(field, name.n);
    while (span_split(&field, ';', &tag)) {
        empty_b |= tag_is_empty(tag);
        bh |= span_starts(span_trim(tag), SPAN("bh="));
    }
    return empty_b && bh ? NULL : "the DKIM-Signature lacks bh= or has its b= filled";
}

/* --- evidence reports */

const char *check_evidence(const struct keyd_key *k, const struct key_sign_request *r)
{
    if (!span_starts(r->text, SPAN(KEY_EVIDENCE_PREFIX)))
        return "does not begin as evidence does";
    return span_has(r->text, '\0') ? "evidence is text" : NULL;
}

/* --- all */

static const char *check_name(struct keyd_key *k, struct span name, bool *ret_learned)
{
    if (name.n == 0 || !k->is_ca)
        return NULL;
    if (k->profile.name_bytes > 0)
        return span_eq(name, span_of(k->profile.name, k->profile.name_bytes))
                   ? NULL
                   : "the name is not the one recorded for this CA";
    if (name.n > sizeof k->profile.name)
        return "the CA's name is too long";
    memcpy(k->profile.name, name.p, name.n);
    k->profile.name_bytes = (unsigned)name.n;
    *ret_learned = true;
    return NULL;
}

const char *check_text(struct keyd_key *k, const struct key_sign_request *r, bool *ret_learned)
{
    struct buf name BUF_AUTO = BUF(65536);
    const char *why;

    *ret_learned = false;
    ERR_clear_error();
    switch (r->purpose) {
    case KEY_TLS_SERVER:
    case KEY_TLS_CLIENT:
        return check_tls(k, r);
    case KEY_ACME:
        return check_jws(k, r);
    case KEY_DKIM:
        return check_dkim(k, r);
    case KEY_EVIDENCE:
        return check_evidence(k, r);
    case KEY_CHALLENGE:
        why = check_challenge_certificate(k, r);
        ERR_clear_error();
        return why;
    case KEY_CSR:
        why = check_csr(k, r, &name);
        break;
    case KEY_CA:
        why = check_certificate(k, r, &name);
        break;
    case KEY_CRL:
        why = check_crl(k, r, &name);
        break;
    case KEY_OCSP:
        why = check_ocsp(k, r, &name);
        break;
    default:
        return "no such purpose";
    }
    ERR_clear_error();
    return why != NULL ? why : check_name(k, buf_span(&name), ret_learned);
}

void check_forget(struct keyd_key *k)
{
    k->profile.name_bytes = 0;
    memset(k->profile.name, 0, sizeof k->profile.name);
}
