#include "acme/est.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/container.h"

#include <errno.h>
#include <stdio.h>

enum { DER_MAX = 192 * 1024, LOGIN_MAX = 8192, TEXT_MAX = 200 };

int est_certificates(struct span body, struct chain *add, struct err *e)
{
    struct buf text BUF_AUTO = BUF(DER_MAX * 4 / 3 + 4), der BUF_AUTO = BUF(DER_MAX);

    for (size_t i = 0; i < body.n; i++)
        if (body.p[i] != '\r' && body.p[i] != '\n' && body.p[i] != ' ')
            buf_putc(&text, body.p[i]);
    if (text.overflow || !base64_decode(&der, buf_span(&text)) || der.n == 0)
        return err_set(e, -EBADMSG, "the answer of the EST server is not base64 of certificates");
    return container_certificates(buf_span(&der), add, e);
}

static bool put_login(const struct est_course *k, struct buf *out)
{
    struct buf pair BUF_AUTO = BUF(LOGIN_MAX / 2);
    bool ok = buf_printf(&pair, "%s:", k->user) && buf_put_span(&pair, k->password) &&
              buf_put_cstr(out, "Basic ") && base64_encode(out, buf_span(&pair));

    if (pair.p)
        secret_wipe(pair.p, pair.n);
    return ok;
}

static bool by_certificate(const struct est_course *k, const char *what)
{
    return k->own && strcmp(what, "simplereenroll") == 0;
}

static int ask(const struct est_course *k, const char *what, struct span body,
               struct web_answer *ret, struct err *e)
{
    const struct web *web = by_certificate(k, what)                    ? k->own
                            : k->first && strcmp(what, "cacerts") != 0 ? k->first
                                                                       : k->web;
    struct buf login BUF_AUTO = BUF(LOGIN_MAX);
    char url[WEB_URL_MAX + 1];
    struct web_request q = {.url = url};
    int rc;

    if (snprintf(url, sizeof(url), "%s/%s", k->url, what) >= (int)sizeof(url))
        return err_set(e, -EMSGSIZE, "the address of the EST server is too long");
    if (body.n > 0) {
        q.method = "POST";
        q.type = "application/pkcs10";
        q.encoding = "base64";
        q.body = body;
        if (k->user[0] && web != k->own) {
            if (!put_login(k, &login))
                return err_set(e, -EMSGSIZE, "user and password are too long");
            q.authorization = buf_cstr(&login);
        }
    }
    rc = web_ask(web, &q, ret, e);
    if (login.p)
        secret_wipe(login.p, login.n);
    return rc;
}

static int refused(const struct web_answer *a, bool *ret_passes, struct err *e)
{
    static const struct {
        unsigned status;
        const char *words;
    } rows[] = {
        {401, "it does not know the login, or does not take the certificate; see user, "
              "password_file and "
              "certificate_file of the authority"                                    },
        {403, "who asks may not have this certificate; ask whoever runs the CA"                   },
        {404, "there is no EST at that address; see url of the authority"                         },
        {400, "it does not take the request; see the names of the virtual server and its key_type"},
    };
    const char *words = a->status >= 500 ? "it has trouble of its own; it is tried again" : "";
    struct span text = span_trim(span_head(buf_span(&a->body), TEXT_MAX));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].status == a->status)
            words = rows[i].words;
    *ret_passes = a->status >= 500 || a->status == 429;
    return err_set(e, -EREMOTEIO, "the EST server refuses (HTTP status %u%s%s)%s%s", a->status,
                   text.n ? ": " : "", text.n ? log_quote(text) : "", words[0] ? "; " : "", words);
}

/* The CA's own certificates: the answer to a request may hold nothing but ours. */
static int add_issuers(const struct est_course *k, struct chain *add, bool *ret_passes,
                       struct err *e)
{
    struct web_answer a;
    int rc = ask(k, "cacerts", SPAN_EMPTY, &a, e);

    if (rc < 0)
        return rc;
    rc = a.status == 200 ? est_certificates(buf_span(&a.body), add, e) : refused(&a, ret_passes, e);
    web_answer_done(&a);
    return rc;
}

static uint32_t wait_of(const struct web_answer *a)
{
    uint32_t s = a->retry_after ? a->retry_after : EST_WAIT_DEFAULT;
    return s < EST_WAIT_MIN ? EST_WAIT_MIN : s > EST_WAIT_MAX ? EST_WAIT_MAX : s;
}

/* 1: ask again. */
static int enroll(const struct est_course *k, const char **what, struct span body,
                  struct chain *add, bool *ret_passes, struct err *e)
{
    struct web_answer a;
    uint32_t wait;
    int rc = ask(k, *what, body, &a, e);

    if (rc == -EPROTO && by_certificate(k, *what)) { /* it ends a handshake with that certificate */
        log_info("EST: the certificate in use is not taken (%s); asking as at the first time",
                 e->text);
        *what = "simpleenroll";
        return 1;
    }
    if (rc < 0)
        return rc;
    wait = wait_of(&a);
    if (a.status == 200)
        rc = est_certificates(buf_span(&a.body), add, e);
    else if (a.status == 202 || a.status == 503)
        rc = 1;
    else if (a.status / 100 == 4 && strcmp(*what, "simplereenroll") == 0)
        rc =
            2; /* it does not take the certificate, or wants one that we do not have: as at the first time */
    else
        rc = refused(&a, ret_passes, e);
    web_answer_done(&a);
    if (rc == 2) {
        if (by_certificate(k, *what))
            log_info("EST: the certificate in use is not taken (HTTP status %u); asking as at the "
                     "first time",
                     a.status);
        *what = "simpleenroll";
        return 1;
    }
    if (rc == 1) {
        if (!k->progress(k->arg, "pending at the CA", wait))
            return err_set(e, -ECANCELED, "the order was cancelled");
        fiber_sleep_ms((uint64_t)wait * 1000);
        if (!k->progress(k->arg, "pending at the CA", 0))
            return err_set(e, -ECANCELED, "the order was cancelled");
    }
    return rc;
}

int est_course_run(const struct est_course *k, struct buf *ret_pem, bool *ret_passes, struct err *e)
{
    const char *what = k->again ? "simplereenroll" : "simpleenroll";
    struct buf body BUF_AUTO = BUF(64 * 1024);
    struct chain all = CHAIN_NONE;
    int rc = 1;

    *ret_passes = true;
    k->progress(k->arg, "the CA is asked", 0);
    if (!base64_encode(&body, k->csr))
        return err_set(e, -EMSGSIZE, "the request is too long");
    while (rc == 1)
        rc = enroll(k, &what, buf_span(&body), &all, ret_passes, e);
    if (rc == 0)
        rc = add_issuers(k, &all, ret_passes, e);
    if (rc == 0 && (all.n == 0 || !chain_write_pem(&all, ret_pem)))
        rc = err_set(e, -EBADMSG, "the EST server answered without a certificate");
    chain_done(&all);
    return rc;
}
