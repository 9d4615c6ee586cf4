/* PEM (RFC 7468) around base/base64. */
#include "base/base64.h"
#include "pki/certificate.h"

#include <openssl/err.h>
#include <stdio.h>

bool pem_write(const char *label, struct span der, struct buf *out)
{
    struct buf text BUF_AUTO = BUF(der.n * 2 + 16);

    base64_encode(&text, der);
    buf_printf(out, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < text.n; at += 64) {
        buf_put_span(out, span_sub(buf_span(&text), at, 64));
        buf_putc(out, '\n');
    }
    return buf_printf(out, "-----END %s-----\n", label);
}

static bool decode_lines(struct span body, struct buf *out)
{
    struct buf text BUF_AUTO = BUF(body.n);

    for (size_t i = 0; i < body.n; i++)
        if (body.p[i] != '\r' && body.p[i] != '\n' && body.p[i] != ' ' && body.p[i] != '\t')
            buf_putc(&text, body.p[i]);
    return text.n > 0 && base64_decode(out, buf_span(&text));
}

bool pem_next(struct span *text, const char *label, struct buf *out, bool *ret_damaged)
{
    char begin[80], end[80];
    size_t at, stop;
    struct span body;

    *ret_damaged = false;
    snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
    snprintf(end, sizeof(end), "-----END %s-----", label);
    at = span_find_span(*text, span_cstr(begin));
    if (at == SPAN_NONE)
        return false;
    body = span_skip(*text, at + strlen(begin));
    stop = span_find_span(body, span_cstr(end));
    if (stop == SPAN_NONE || !decode_lines(span_head(body, stop), out)) {
        *ret_damaged = true;
        return false;
    }
    *text = span_skip(body, stop + strlen(end));
    return true;
}

const char *openssl_error(char ret[200])
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    if (reason)
        snprintf(ret, 200, "%s", reason);
    else
        snprintf(ret, 200, "error %lx", code);
    ERR_clear_error();
    return ret;
}
