/* public.c: what the own CA has for everybody: certificates, lists of revoked ones, OCSP answers.
 * The addresses stand in the certificates; cad has no network and is asked for each. */
#include "http/request.h"

#include "base/base64.h"

#include <errno.h>

enum { CAD_WAIT_MS = 5000, OCSP_REQUEST_BYTES = 4096, FILE_CACHE_SECONDS = 600 };

static int ask(struct session *s, enum msg_id id, struct span body, struct buf *reply)
{
    return link_call(s->worker->peer(s->worker, ROLE_CAD), id, body, NULL, 0, CAD_WAIT_MS, reply,
                     NULL);
}

static void away(struct http_answer *a)
{
    a->status = 503;
    a->type = NULL;
    buf_clear(&a->body);
    buf_put_cstr(&a->body, "Not available at the moment.\n");
}

static void refuse(struct http_answer *a, unsigned status, const char *why)
{
    a->status = status;
    buf_put_cstr(&a->body, why);
}

void page_ca_file(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct span name = span_skip(span_cstr(q->path), 4);
    int rc = name.n <= 60 ? ask(s, MSG_CA_FILE, name, &a->body) : -ENOENT;

    if (rc == -ENOENT) {
        buf_clear(&a->body);
        refuse(a, 404, "Nothing here.\n");
    } else if (rc < 0) {
        away(a);
    } else {
        a->type =
            span_ends_nocase(name, SPAN(".crt")) ? "application/pkix-cert" : "application/pkix-crl";
        a->cache_seconds = FILE_CACHE_SECONDS;
    }
}

/* RFC 6960 appendix A.1: base64, of which '+', '/' and '=' may be escaped. */
static bool unescape(struct span path, struct buf *out)
{
    for (size_t i = 0; i < path.n; i++) {
        struct buf byte BUF_AUTO = BUF(1);
        if (path.p[i] != '%') {
            buf_putc(out, path.p[i]);
            continue;
        }
        if (path.n - i < 3 || !hex_decode(&byte, span_sub(path, i + 1, 2)))
            return false;
        buf_putc(out, byte.p[0]);
        i += 2;
    }
    return !out->overflow;
}

void page_ocsp(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct buf text BUF_AUTO = BUF(HTTP_TARGET_MAX), der BUF_AUTO = BUF(OCSP_REQUEST_BYTES);
    bool posted = span_is(span_cstr(q->method), "POST"), ok;

    if (posted)
        ok = buf_put_span(&der, buf_span(&q->body));
    else
        ok = unescape(span_skip(span_cstr(q->path), 6), &text) &&
             base64_decode(&der, buf_span(&text));
    if (!ok || der.n == 0) {
        refuse(a, posted && q->body.n > OCSP_REQUEST_BYTES ? 413 : 400,
               "An OCSP request, by POST or as base64 in the address (RFC 6960).\n");
        return;
    }
    a->type = "application/ocsp-response";
    if (ask(s, MSG_CA_OCSP, buf_span(&der), &a->body) < 0)
        away(a);
}
