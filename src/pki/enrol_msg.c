#include "pki/enrol_msg.h"

void wr_enrol_request(struct buf *b, const struct enrol_request *m)
{
    wr_cstr(b, m->method);
    wr_cstr(b, m->path);
    wr_cstr(b, m->base);
    wr_cstr(b, m->content_type);
    wr_raw(b, m->peer, sizeof(m->peer));
    wr_bool(b, m->trusted);
    wr_cstr(b, m->account);
    wr_cstr(b, m->user);
    wr_cstr(b, m->password);
    wr_bool(b, m->vouched);
    wr_span(b, m->certificate);
    wr_span(b, m->body);
}

bool rd_enrol_request(struct span body, struct enrol_request *ret)
{
    struct enrol_request m = {.trusted = false};
    struct rd r = rd_of(body);
    struct span peer;

    rd_cstr(&r, m.method, sizeof(m.method));
    rd_cstr(&r, m.path, sizeof(m.path));
    rd_cstr(&r, m.base, sizeof(m.base));
    rd_cstr(&r, m.content_type, sizeof(m.content_type));
    peer = rd_raw(&r, sizeof(m.peer));
    if (peer.n == sizeof(m.peer))
        memcpy(m.peer, peer.p, sizeof(m.peer));
    m.trusted = rd_bool(&r);
    rd_cstr(&r, m.account, sizeof(m.account));
    rd_cstr(&r, m.user, sizeof(m.user));
    rd_cstr(&r, m.password, sizeof(m.password));
    m.vouched = rd_bool(&r);
    m.certificate = rd_span(&r, ENROL_CERTIFICATE_MAX);
    m.body = rd_span(&r, ENROL_BODY_MAX);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_enrol_answer(struct buf *b, const struct enrol_answer *m)
{
    wr_u16(b, m->status);
    wr_cstr(b, m->type);
    wr_cstr(b, m->location);
    wr_cstr(b, m->nonce);
    wr_cstr(b, m->link);
    wr_u32(b, m->retry_after);
    wr_u8(b, m->flags);
    wr_span(b, m->body);
}

/* These become fields of an HTTP answer. */
static void rd_field(struct rd *r, char *dst, size_t size)
{
    rd_cstr(r, dst, size);
    for (const char *p = dst; !r->bad && *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            rd_fail(r);
}

bool rd_enrol_answer(struct span body, struct enrol_answer *ret)
{
    struct enrol_answer m = {.status = 0};
    struct rd r = rd_of(body);

    m.status = rd_u16(&r);
    rd_field(&r, m.type, sizeof(m.type));
    rd_field(&r, m.location, sizeof(m.location));
    rd_field(&r, m.nonce, sizeof(m.nonce));
    rd_field(&r, m.link, sizeof(m.link));
    m.retry_after = rd_u32(&r);
    m.flags = rd_u8(&r);
    m.body = rd_span(&r, ENROL_ANSWER_MAX);
    if (m.status < 200 || m.status > 599)
        rd_fail(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_enrol_admin(struct buf *b, const struct enrol_admin *m)
{
    wr_u8(b, m->verb);
    wr_cstr(b, m->name);
    wr_cstr(b, m->names);
    wr_i64(b, m->id);
}

bool rd_enrol_admin(struct span body, struct enrol_admin *ret)
{
    struct enrol_admin m = {.verb = 0};
    struct rd r = rd_of(body);

    m.verb = rd_u8(&r);
    rd_cstr(&r, m.name, sizeof(m.name));
    rd_cstr(&r, m.names, sizeof(m.names));
    m.id = rd_i64(&r);
    if (m.verb >= ENROL_VERBS)
        rd_fail(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}
