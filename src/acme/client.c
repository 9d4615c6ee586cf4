#include "acme/client.h"
#include "acme/jws.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { NONCE_TRIES = 6, MESSAGE_MAX = 128 * 1024 };

/* --- one signed question */

static int take_nonce(struct acme_client *c, struct err *e)
{
    struct web_request q = {.method = "HEAD", .url = c->directory.new_nonce};
    struct web_answer a;
    int rc;

    if (c->nonce[0])
        return 0;
    rc = web_ask(&c->web, &q, &a, e);
    if (rc < 0)
        return rc;
    memcpy(c->nonce, a.nonce, sizeof(c->nonce));
    rc = a.status / 100 == 2 && c->nonce[0]
             ? 0
             : err_set(e, -EPROTO, "the CA gives no nonce (HTTP status %u)", a.status);
    web_answer_done(&a);
    return rc;
}

static bool put_header(const struct acme_client *c, const char *url, bool by_key, struct buf *out)
{
    buf_put_cstr(out, "{");
    acme_json_put(out, "alg", span_cstr(jws_algorithm(c->public)));
    if (by_key) {
        buf_put_cstr(out, ",\"jwk\":");
        jwk_put(out, c->public);
    } else {
        acme_json_put(out, "kid", span_cstr(c->account));
    }
    acme_json_put(out, "nonce", span_cstr(c->nonce));
    acme_json_put(out, "url", span_cstr(url));
    return buf_putc(out, '}');
}

/* A refusal in words. */
static int refused(struct acme_client *c, const struct web_answer *a, struct err *e)
{
    json_t *o = NULL;

    memset(&c->problem, 0, sizeof(c->problem));
    if (acme_json_read(buf_span(&a->body), &o, e) == 0) {
        acme_problem_read(o, &c->problem);
        json_decref(o);
    }
    c->problem.status = a->status;
    if (c->problem.type[0] == '\0')
        return err_set(e, -EREMOTEIO, "the CA refuses with HTTP status %u and no reason%s",
                       a->status, a->status >= 500 ? "; it is tried again" : "");
    acme_problem_words(&c->problem, NULL, e);
    return -EREMOTEIO;
}

static int ask_once(struct acme_client *c, const char *url, struct span payload, bool by_key,
                    const char *accept, struct web_answer *ret, struct err *e)
{
    struct buf header BUF_AUTO = BUF(JWS_HEADER_MAX), message BUF_AUTO = BUF(MESSAGE_MAX);
    struct web_request q = {
        .method = "POST", .url = url, .type = "application/jose+json", .accept = accept};
    int rc = take_nonce(c, e);

    if (rc < 0)
        return rc;
    if (!put_header(c, url, by_key, &header))
        return err_set(e, -EMSGSIZE, "the message to the CA is too long");
    c->nonce[0] = '\0';
    rc = jws_sign(c->signer, buf_span(&header), payload, &message, e);
    if (rc < 0)
        return rc;
    q.body = buf_span(&message);
    rc = web_ask(&c->web, &q, ret, e);
    if (rc < 0)
        return rc;
    memcpy(c->nonce, ret->nonce, sizeof(c->nonce));
    c->retry_after = ret->retry_after;
    return 0;
}

/* Any status of 200 and some; web_answer_done. */
static int ask(struct acme_client *c, const char *url, struct span payload, bool by_key,
               const char *accept, struct web_answer *ret, struct err *e)
{
    for (int tries = 0;; tries++) {
        struct web_answer a;
        int rc = ask_once(c, url, payload, by_key, accept, &a, e);

        if (rc < 0)
            return rc;
        if (a.status / 100 == 2) {
            *ret = a;
            return 0;
        }
        rc = refused(c, &a, e);
        web_answer_done(&a);
        if (strcmp(c->problem.type, "badNonce") != 0 || tries + 1 == NONCE_TRIES)
            return rc;
    }
}

/* --- directory and account */

int acme_client_directory(struct acme_client *c, struct err *e)
{
    struct web_request q = {.url = c->url, .accept = "application/json"};
    struct web_answer a;
    int rc;

    if (c->ready)
        return 0;
    rc = web_ask(&c->web, &q, &a, e);
    if (rc < 0)
        return rc;
    c->retry_after = a.retry_after;
    rc = a.status == 200 ? acme_directory_read(buf_span(&a.body), &c->directory, e)
                         : refused(c, &a, e);
    web_answer_done(&a);
    c->ready = rc == 0;
    return rc;
}

static int put_binding(const struct acme_client *c, struct buf *out, struct err *e)
{
    struct buf header BUF_AUTO = BUF(4096), key BUF_AUTO = BUF(4096);

    buf_put_cstr(&header, "{\"alg\":\"HS256\"");
    acme_json_put(&header, "kid", span_cstr(c->eab_kid));
    acme_json_put(&header, "url", span_cstr(c->directory.new_account));
    buf_putc(&header, '}');
    jwk_put(&key, c->public);
    buf_put_cstr(out, ",\"externalAccountBinding\":");
    return jws_sign_hmac(c->eab_key, buf_span(&header), buf_span(&key), out, e);
}

int acme_client_account(struct acme_client *c, struct err *e)
{
    struct buf payload BUF_AUTO = BUF(16384), contact BUF_AUTO = BUF(400);
    struct web_answer a;
    int rc = acme_client_directory(c, e);

    if (rc < 0 || c->account[0])
        return rc;
    if (c->directory.account_bound && c->eab_kid[0] == '\0')
        return err_set(e, -EKEYREJECTED,
                       "the CA takes only accounts that it knows beforehand; set eab_kid and "
                       "eab_key_file of the authority to what the CA gave you");
    buf_put_cstr(&payload, "{\"termsOfServiceAgreed\":true");
    if (c->contact[0]) {
        buf_printf(&contact, "mailto:%s", c->contact);
        buf_put_cstr(&payload, ",\"contact\":[");
        json_t *j = json_stringn(contact.p, contact.n);
        char *text = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
        buf_put_cstr(&payload, text ? text : "");
        free(text);
        json_decref(j);
        buf_putc(&payload, ']');
    }
    if (c->eab_kid[0])
        rc = put_binding(c, &payload, e);
    buf_putc(&payload, '}');
    if (rc == 0)
        rc = ask(c, c->directory.new_account, buf_span(&payload), true, NULL, &a, e);
    if (rc < 0)
        return rc;
    memcpy(c->account, a.location, sizeof(c->account));
    web_answer_done(&a);
    return c->account[0]
               ? 0
               : err_set(e, -EPROTO, "the CA made an account without telling its address");
}

int acme_client_find_account(struct acme_client *c, struct err *e)
{
    struct web_answer a;
    int rc = acme_client_directory(c, e);

    if (rc == 0)
        rc = ask(c, c->directory.new_account, SPAN("{\"onlyReturnExisting\":true}"), true, NULL, &a,
                 e);
    if (rc == -EREMOTEIO && strcmp(c->problem.type, "accountDoesNotExist") == 0)
        return err_set(e, -ENOENT, "the CA has no account of this key");
    if (rc < 0)
        return rc;
    memcpy(c->account, a.location, sizeof(c->account));
    web_answer_done(&a);
    return c->account[0] ? 0 : err_set(e, -EPROTO, "the CA does not tell the account's address");
}

int acme_client_rekey(struct acme_client *c, EVP_PKEY *signer, EVP_PKEY *public, struct err *e)
{
    struct buf header BUF_AUTO = BUF(JWS_HEADER_MAX), inner BUF_AUTO = BUF(MESSAGE_MAX),
                      payload BUF_AUTO = BUF(16384);
    struct web_answer a;
    int rc = acme_client_account(c, e);

    if (rc < 0)
        return rc;
    if (c->directory.key_change[0] == '\0')
        return err_set(e, -EOPNOTSUPP, "the CA lets no account change its key");
    buf_putc(&header, '{');
    acme_json_put(&header, "alg", span_cstr(jws_algorithm(public)));
    buf_put_cstr(&header, ",\"jwk\":");
    jwk_put(&header, public);
    acme_json_put(&header, "url", span_cstr(c->directory.key_change));
    buf_putc(&header, '}');
    buf_putc(&payload, '{');
    acme_json_put(&payload, "account", span_cstr(c->account));
    buf_put_cstr(&payload, ",\"oldKey\":");
    jwk_put(&payload, c->public);
    buf_putc(&payload, '}');
    rc = jws_sign(signer, buf_span(&header), buf_span(&payload), &inner, e);
    if (rc == 0)
        rc = ask(c, c->directory.key_change, buf_span(&inner), false, NULL, &a, e);
    if (rc == 0)
        web_answer_done(&a);
    return rc;
}

int acme_client_leave(struct acme_client *c, struct err *e)
{
    struct web_answer a;
    int rc = acme_client_find_account(c, e);

    if (rc == 0)
        rc = ask(c, c->account, SPAN("{\"status\":\"deactivated\"}"), false, NULL, &a, e);
    if (rc < 0)
        return rc;
    web_answer_done(&a);
    c->account[0] = '\0';
    return 0;
}

int acme_client_revoke(struct acme_client *c, struct span der, unsigned reason, struct err *e)
{
    struct buf payload BUF_AUTO = BUF(64 * 1024);
    struct web_answer a;
    int rc = acme_client_account(c, e);

    if (rc < 0)
        return rc;
    if (c->directory.revoke[0] == '\0')
        return err_set(e, -EOPNOTSUPP, "the CA does not say where it revokes certificates");
    buf_put_cstr(&payload, "{\"certificate\":\"");
    base64url_encode(&payload, der);
    buf_printf(&payload, "\",\"reason\":%u}", reason);
    rc = ask(c, c->directory.revoke, buf_span(&payload), false, NULL, &a, e);
    if (rc < 0)
        return rc;
    web_answer_done(&a);
    return 0;
}

/* --- orders */

static int take_order(struct web_answer *a, struct acme_order *ret, struct err *e)
{
    int rc = acme_order_read(buf_span(&a->body), ret, e);
    web_answer_done(a);
    return rc;
}

static int put_order(const struct cert_names *names, const char *replaces, struct buf *out,
                     struct err *e)
{
    unsigned n = 0;

    buf_put_cstr(out, "{\"identifiers\":[");
    for (uint32_t i = 0; i < names->n; i++) {
        if (names->v[i].type == CERT_NAME_EMAIL)
            continue;
        buf_put_cstr(out, n++ ? ",{" : "{");
        acme_json_put(out, "type", names->v[i].type == CERT_NAME_IP ? SPAN("ip") : SPAN("dns"));
        acme_json_put(out, "value", span_cstr(names->v[i].text));
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    if (replaces[0])
        acme_json_put(out, "replaces", span_cstr(replaces));
    buf_putc(out, '}');
    if (n == 0 || n > ACME_NAMES_MAX)
        return err_set(e, -EINVAL, "an ACME CA certifies between 1 and %d names, not %u",
                       ACME_NAMES_MAX, n);
    return 0;
}

int acme_client_order(struct acme_client *c, const struct cert_names *names, const char *replaces,
                      char ret_url[WEB_URL_MAX + 1], struct acme_order *ret, struct err *e)
{
    struct buf payload BUF_AUTO = BUF(64 * 1024);
    struct web_answer a;
    struct web_url u;
    int rc = put_order(names, replaces, &payload, e);

    if (rc == 0)
        rc = ask(c, c->directory.new_order, buf_span(&payload), false, NULL, &a, e);
    if (rc < 0)
        return rc;
    if (!web_url_parse(span_cstr(a.location), &u) || !u.tls) {
        web_answer_done(&a);
        return err_set(e, -EPROTO, "the CA took the order without telling its address");
    }
    memcpy(ret_url, a.location, WEB_URL_MAX + 1);
    return take_order(&a, ret, e);
}

int acme_client_look_order(struct acme_client *c, const char *url, struct acme_order *ret,
                           struct err *e)
{
    struct web_answer a;
    int rc = ask(c, url, SPAN_EMPTY, false, NULL, &a, e);

    return rc < 0 ? rc : take_order(&a, ret, e);
}

int acme_client_look_authorization(struct acme_client *c, const char *url,
                                   struct acme_authorization *ret, struct err *e)
{
    struct web_answer a;
    int rc = ask(c, url, SPAN_EMPTY, false, NULL, &a, e);

    if (rc < 0)
        return rc;
    rc = acme_authorization_read(buf_span(&a.body), ret, e);
    web_answer_done(&a);
    return rc;
}

static int tell(struct acme_client *c, const char *url, struct span payload, struct err *e)
{
    struct web_answer a;
    int rc = ask(c, url, payload, false, NULL, &a, e);

    if (rc == 0)
        web_answer_done(&a);
    return rc;
}

int acme_client_answer(struct acme_client *c, const char *challenge, struct err *e)
{
    return tell(c, challenge, SPAN("{}"), e);
}

int acme_client_deactivate(struct acme_client *c, const char *authorization, struct err *e)
{
    return tell(c, authorization, SPAN("{\"status\":\"deactivated\"}"), e);
}

int acme_client_finalize(struct acme_client *c, const char *url, struct span csr_der,
                         struct acme_order *ret, struct err *e)
{
    struct buf payload BUF_AUTO = BUF(64 * 1024);
    struct web_answer a;
    int rc;

    buf_put_cstr(&payload, "{\"csr\":\"");
    base64url_encode(&payload, csr_der);
    buf_put_cstr(&payload, "\"}");
    rc = ask(c, url, buf_span(&payload), false, NULL, &a, e);
    return rc < 0 ? rc : take_order(&a, ret, e);
}

int acme_client_certificate(struct acme_client *c, const char *url, struct buf *ret_pem,
                            struct err *e)
{
    struct web_answer a;
    int rc = ask(c, url, SPAN_EMPTY, false, "application/pem-certificate-chain", &a, e);

    if (rc < 0)
        return rc;
    if (!buf_put_span(ret_pem, buf_span(&a.body)))
        rc = err_set(e, -EMSGSIZE, "the CA's certificate chain has more than %zu bytes",
                     ret_pem->max);
    web_answer_done(&a);
    return rc;
}

int acme_client_window(struct acme_client *c, const char *certificate_id, struct acme_window *ret,
                       struct err *e)
{
    struct web_request q = {.accept = "application/json"};
    struct web_answer a;
    char url[WEB_URL_MAX + 1];
    int rc = acme_client_directory(c, e);

    if (rc < 0)
        return rc;
    if (c->directory.renewal_info[0] == '\0')
        return err_set(e, -ENOENT, "the CA has no renewal information");
    if (snprintf(url, sizeof(url), "%s/%s", c->directory.renewal_info, certificate_id) >=
        (int)sizeof(url))
        return err_set(e, -EMSGSIZE, "the address of the renewal information is too long");
    q.url = url;
    rc = web_ask(&c->web, &q, &a, e);
    if (rc < 0)
        return rc;
    c->retry_after = a.retry_after;
    rc = a.status == 200 ? acme_window_read(buf_span(&a.body), ret, e) : refused(c, &a, e);
    web_answer_done(&a);
    return rc;
}

/* --- what others have to know */

bool acme_key_authorization(const struct acme_client *c, const char *token, struct buf *out)
{
    return buf_printf(out, "%s.", token) && jwk_thumbprint(out, c->public);
}

bool acme_certificate_id(struct span der, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    const ASN1_OCTET_STRING *aki = x ? X509_get0_authority_key_id(x) : NULL;
    const ASN1_INTEGER *serial = x ? X509_get0_serialNumber(x) : NULL;
    unsigned char *bytes = NULL;
    int n = serial ? i2d_ASN1_INTEGER((ASN1_INTEGER *)(uintptr_t)serial, &bytes) : 0;
    bool ok = false;

    /* the contents of the INTEGER: tag and a length of one byte stand before them */
    if (aki && n > 2 && n < 130)
        ok = base64url_encode(
                 out, span_of(ASN1_STRING_get0_data(aki), (size_t)ASN1_STRING_length(aki))) &&
             buf_putc(out, '.') && base64url_encode(out, span_of(bytes + 2, (size_t)n - 2));
    OPENSSL_free(bytes);
    X509_free(x);
    return ok;
}
