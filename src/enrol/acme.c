/* ACME: which request is which, and who signed it (RFC 8555 sections 6 and 7.1). */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>

/* ------------------------------------------------------------------ parts of answers */

void put_url(struct buf *b, const struct call *c, const char *kind, int64_t id)
{
    buf_printf(b, "\"%s/acme/%s/%" PRId64 "\"", c->q->base, kind, id);
}

void set_location(struct call *c, const char *kind, int64_t id)
{
    snprintf(c->a->location, sizeof(c->a->location), "%s/acme/%s/%" PRId64, c->q->base, kind, id);
}

void add_link(struct call *c, const char *rel, const char *path)
{
    size_t n = strlen(c->a->link);

    snprintf(c->a->link + n, sizeof(c->a->link) - n, "%s<%s%s>;rel=\"%s\"", n ? ", " : "",
             c->q->base, path, rel);
}

bool rest_id(const struct call *c, int64_t *ret)
{
    uint64_t v;

    if (!span_to_u64(c->rest, INT64_MAX, &v))
        return false;
    *ret = (int64_t)v;
    return true;
}

void put_time(struct buf *b, const char *name, int64_t seconds)
{
    buf_printf(b, ",\"%s\":\"", name);
    date_print_iso(b, seconds);
    buf_putc(b, '"');
}

/* ------------------------------------------------------------------ without signature */

static void acme_directory(struct call *c)
{
    static const struct {
        const char *name, *path;
    } entries[] = {
        {"newNonce",    "new-nonce"   },
        {"newAccount",  "new-account" },
        {"newOrder",    "new-order"   },
        {"revokeCert",  "revoke-cert" },
        {"keyChange",   "key-change"  },
        {"renewalInfo", "renewal-info"},
    };
    const struct conf_acme_server *s = &c->en->conf->acme_server;

    buf_putc(c->out, '{');
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        buf_printf(c->out, "%s\"%s\":\"%s/acme/%s\"", i ? "," : "", entries[i].name, c->q->base,
                   entries[i].path);
    buf_printf(c->out, ",\"meta\":{\"externalAccountRequired\":%s",
               s->require_eab ? "true" : "false");
    if (s->terms[0]) {
        buf_put_cstr(c->out, ",\"termsOfService\":");
        json_put_string(c->out, span_cstr(s->terms));
    }
    buf_put_cstr(c->out, "}}\n");
}

static void acme_new_nonce(struct call *c)
{
    c->a->status = strcmp(c->q->method, "HEAD") == 0 ? 200 : 204;
    nonce_make(&c->en->nonces, c->a->nonce);
    add_link(c, "index", "/acme/directory");
}

/* ------------------------------------------------------------------ signed requests */

enum signer { BY_NOBODY, BY_KEY, BY_ACCOUNT, BY_EITHER };

/* section 6.2: the URL is signed too. One that is not ours could have been signed for another
 * server. */
static bool url_is_this(const struct call *c)
{
    struct span url = span_cstr(c->jws.url), base = span_cstr(c->q->base);

    return span_starts(url, base) && span_eq(span_skip(url, base.n), span_cstr(c->q->path));
}

static bool known_algorithm(const char *alg)
{
    static const char *const known[] = {"ES256", "ES384", "ES512", "RS256", "EdDSA"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(alg, known[i]) == 0)
            return true;
    return false;
}

static bool take_key(struct call *c)
{
    struct buf print BUF_AUTO = BUF(sizeof(c->thumbprint) - 1);
    struct err e;

    if (jwk_read(c->jws.jwk, &c->key, &e) < 0)
        return problem(c, PROBLEM_BAD_PUBLIC_KEY, "%s.", e.text);
    if (!jwk_thumbprint(&print, c->key) ||
        !span_to_cstr(buf_span(&print), c->thumbprint, sizeof(c->thumbprint)))
        return problem(c, PROBLEM_BAD_PUBLIC_KEY, "The key has no thumbprint.");
    return true;
}

static bool take_account(struct call *c)
{
    struct buf base BUF_AUTO = BUF(ENROL_BASE_MAX + 32);
    struct span kid = span_cstr(c->jws.kid);
    uint64_t id;

    buf_printf(&base, "%s/acme/account/", c->q->base);
    if (!span_starts(kid, buf_span(&base)) ||
        !span_to_u64(span_skip(kid, base.n), INT64_MAX, &id) ||
        !(c->key = account_key(c->en, (int64_t)id, c->thumbprint)))
        return problem(c, PROBLEM_ACCOUNT_DOES_NOT_EXIST,
                       "There is no valid account with that address.");
    c->account = (int64_t)id;
    return true;
}

static bool take_signer(struct call *c, enum signer by)
{
    bool key = c->jws.jwk != NULL, account = c->jws.kid[0] != '\0';

    if (key == account)
        return problem(c, PROBLEM_MALFORMED,
                       "The protected header needs \"jwk\" or \"kid\", not %s.",
                       key ? "both" : "neither");
    if (key && by == BY_ACCOUNT)
        return problem(c, PROBLEM_MALFORMED, "This request is signed for an account (\"kid\").");
    if (account && by == BY_KEY)
        return problem(c, PROBLEM_MALFORMED, "This request is signed with a key (\"jwk\").");
    return key ? take_key(c) : take_account(c);
}

/* Everything of section 6.2 to 6.5, in the order in which it costs. */
static bool take_signed(struct call *c, enum signer by)
{
    struct err e;

    if (!span_is(
            span_trim(span_head(span_cstr(c->q->content_type), strcspn(c->q->content_type, ";"))),
            "application/jose+json"))
        return problem_status_set(c, PROBLEM_MALFORMED, 415,
                                  "The content type is application/jose+json.");
    if (jws_read(c->q->body, &c->jws, &e) < 0)
        return problem(c, PROBLEM_MALFORMED, "%s.", e.text);
    if (!known_algorithm(c->jws.alg))
        return problem(c, PROBLEM_BAD_SIGNATURE_ALGORITHM,
                       "That signature algorithm is not taken here.");
    if (!url_is_this(c))
        return problem(c, PROBLEM_UNAUTHORIZED,
                       "\"url\" of the protected header is not the "
                       "address of this request.");
    if (!take_signer(c, by))
        return false;
    if (!jws_verify(&c->jws, c->key)) {
        const char *alg = jws_algorithm(c->key);
        if (!alg || strcmp(alg, c->jws.alg) != 0)
            return problem(c, PROBLEM_BAD_SIGNATURE_ALGORITHM,
                           "\"alg\" does not fit the kind of the key.");
        return problem(c, PROBLEM_MALFORMED, "The signature does not hold.");
    }
    if (!nonce_use(&c->en->nonces, c->jws.nonce))
        return problem(c, PROBLEM_BAD_NONCE, "The nonce is none of ours, or was used before.");
    if (c->jws.payload.n && acme_json_read(buf_span(&c->jws.payload), &c->payload, &e) < 0)
        return problem(c, PROBLEM_MALFORMED, "%s.", e.text);
    return true;
}

/* ------------------------------------------------------------------ routes */

enum { WITH_REST = 1 };

/* PATH, SIGNED BY, flags, handler */
#define ROUTES(ROW)                                                                                \
    ROW("directory", BY_NOBODY, 0, acme_directory)                                                 \
    ROW("new-nonce", BY_NOBODY, 0, acme_new_nonce)                                                 \
    ROW("renewal-info/", BY_NOBODY, WITH_REST, acme_renewal_info)                                  \
    ROW("new-account", BY_KEY, 0, acme_new_account)                                                \
    ROW("account/", BY_ACCOUNT, WITH_REST, acme_account)                                           \
    ROW("key-change", BY_ACCOUNT, 0, acme_key_change)                                              \
    ROW("new-order", BY_ACCOUNT, 0, acme_new_order)                                                \
    ROW("order/", BY_ACCOUNT, WITH_REST, acme_order)                                               \
    ROW("authz/", BY_ACCOUNT, WITH_REST, acme_authz)                                               \
    ROW("challenge/", BY_ACCOUNT, WITH_REST, acme_challenge)                                       \
    ROW("certificate/", BY_ACCOUNT, WITH_REST, acme_certificate)                                   \
    ROW("revoke-cert", BY_EITHER, 0, acme_revoke)

static const struct route {
    const char *path;
    enum signer by;
    unsigned flags;
    void (*run)(struct call *c);
} routes[] = {
#define ROW(path, by, flags, run) {path, by, flags, run},
    ROUTES(ROW)
#undef ROW
};

static const struct route *route_of(struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        struct span path = span_cstr(routes[i].path);
        if (routes[i].flags & WITH_REST ? !span_starts(c->rest, path) : !span_eq(c->rest, path))
            continue;
        c->rest = span_skip(c->rest, path.n);
        return &routes[i];
    }
    return NULL;
}

static void run_signed(struct call *c, const struct route *r)
{
    if (take_signed(c, r->by))
        r->run(c);
    /* every answer to a POST brings a new one, also one that refuses */
    nonce_make(&c->en->nonces, c->a->nonce);
    add_link(c, "index", "/acme/directory");
    json_decref(c->payload);
    EVP_PKEY_free(c->key);
    jws_done(&c->jws);
    ERR_clear_error();
}

void acme_handle(struct call *c)
{
    const struct route *r = route_of(c);
    bool post = strcmp(c->q->method, "POST") == 0;

    snprintf(c->a->type, sizeof(c->a->type), "application/json");
    if (!r)
        problem_status_set(c, PROBLEM_MALFORMED, 404, "There is nothing at that address.");
    else if (post != (r->by != BY_NOBODY))
        problem_status_set(c, PROBLEM_MALFORMED, 405, "This address takes %s.",
                           post ? "GET and HEAD" : "POST only, also to read (POST-as-GET)");
    else if (r->by == BY_NOBODY)
        r->run(c);
    else
        run_signed(c, r);
}
