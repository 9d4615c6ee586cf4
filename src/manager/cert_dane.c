/* cert_dane.c: what DNS has to say of a virtual server's key, and what waits for it. */
#include "manager/cert.h"
#include "manager/text.h"

#include <errno.h>
#include <inttypes.h>

/* Whose key a record is of. */
static const char *whose(const json_t *r)
{
    bool ca = json_integer_value(json_object_get(r, "usage")) == 2;
    bool now = json_is_true(json_object_get(r, "current"));
    bool next = json_is_true(json_object_get(r, "next"));

    if (ca)
        return now && next ? "its CA" : next ? "the next one's CA" : "its CA";
    return now && next ? "in use, and next" : next ? "next" : "in use";
}

static void put_line(const json_t *r, json_int_t ttl, bool publishes, struct buf *out)
{
    struct buf line BUF_AUTO = BUF(1024);

    buf_printf(&line, "%s %" JSON_INTEGER_FORMAT " IN TLSA %" JSON_INTEGER_FORMAT,
               view_string(r, "owner"), ttl, json_integer_value(json_object_get(r, "usage")));
    buf_printf(&line, " %" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT " %s ; %s",
               json_integer_value(json_object_get(r, "selector")),
               json_integer_value(json_object_get(r, "matching")), view_string(r, "data"),
               whose(r));
    if (publishes)
        buf_put_cstr(&line, json_is_true(json_object_get(r, "published")) ? ", published"
                                                                          : ", not yet "
                                                                            "published");
    text_put_safe(out, buf_span(&line), false);
    buf_putc(out, '\n');
}

static void put_comment(struct buf *out, const char *text)
{
    buf_put_cstr(out, "; ");
    text_put_safe(out, span_cstr(text), false);
    buf_putc(out, '\n');
}

/* All of it can be put into a zone file as it is. */
static void put_zone(const json_t *v, struct buf *out)
{
    const json_t *records = json_object_get(v, "records");
    json_int_t ttl = json_integer_value(json_object_get(v, "ttl"));
    const char *mode = view_string(v, "mode");
    bool publishes = span_is(span_cstr(mode), "publish");
    const json_t *r;
    size_t i;

    json_array_foreach(records, i, r) put_line(r, ttl, publishes, out);
    if (view_string(v, "failure")[0])
        put_comment(out, view_string(v, "failure"));
    if (view_string(v, "waits")[0]) {
        struct buf text BUF_AUTO = BUF(1024);
        buf_printf(&text, "A new certificate is staged: %s.", view_string(v, "waits"));
        put_comment(out, buf_cstr(&text));
    }
    if (span_is(span_cstr(mode), "off"))
        put_comment(out, "dane is off for this virtual server: nothing is published, and a new "
                         "key does not wait.");
}

int cmd_cert_tlsa(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_TLSA, c->args[0], e);

    if (v == NULL)
        return -EIO;
    if (has_option(c, OPT_JSON))
        return view_object(c, v, NULL, 0);
    if (json_array_size(json_object_get(v, "records")) == 0)
        put_comment(&c->out,
                    "There is no certificate, or no name and port that could have a record.");
    put_zone(v, &c->out);
    json_decref(v);
    return 0;
}

int cmd_cert_swap(struct call *c, struct err *e)
{
    struct cert_renew_msg m = {.same_key = has_option(c, OPT_NOW)};
    struct buf body BUF_AUTO = BUF(128);
    char serial[CERTIFICATE_SERIAL_MAX];
    json_t *v;

    if (!span_to_cstr(span_cstr(c->args[0]), m.vserver, sizeof m.vserver))
        return err_set(e, -ENOENT, "there is no virtual server of that name");
    wr_cert_renew(&body, &m);
    v = cert_ask_body(c, MSG_CERT_SWAP, buf_span(&body), e);
    if (v == NULL)
        return -EIO;
    snprintf(serial, sizeof serial, "%s", view_string(v, "current.serial"));
    return view_done(c, v, "%s shows what was staged, serial %s.", c->args[0], serial);
}
