#include "pki/ca_msg.h"

void wr_ca_find(struct buf *b, const struct ca_find_msg *m)
{
    wr_u8(b, m->filter);
    wr_i64(b, m->after);
    wr_cstr(b, m->profile);
    wr_cstr(b, m->name);
    wr_u32(b, m->days);
}

bool rd_ca_find(struct span body, struct ca_find_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_find_msg m;

    m.filter = rd_u8(&r);
    m.after = rd_i64(&r);
    rd_cstr(&r, m.profile, sizeof(m.profile));
    rd_cstr(&r, m.name, sizeof(m.name));
    m.days = rd_u32(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_requests(struct buf *b, const struct ca_requests_msg *m)
{
    wr_bool(b, m->all);
    wr_i64(b, m->after);
}

bool rd_ca_requests(struct span body, struct ca_requests_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_requests_msg m;

    m.all = rd_bool(&r);
    m.after = rd_i64(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_decide(struct buf *b, const struct ca_decide_msg *m)
{
    wr_i64(b, m->id);
    wr_bool(b, m->approve);
    wr_cstr(b, m->reason);
}

bool rd_ca_decide(struct span body, struct ca_decide_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_decide_msg m;

    m.id = rd_i64(&r);
    m.approve = rd_bool(&r);
    rd_cstr(&r, m.reason, sizeof(m.reason));
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_root(struct buf *b, const struct ca_root_msg *m)
{
    wr_u8(b, m->verb);
    wr_cstr(b, m->key_id);
    wr_i64(b, m->ca);
}

bool rd_ca_root(struct span body, struct ca_root_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_root_msg m;

    m.verb = rd_u8(&r);
    rd_cstr(&r, m.key_id, sizeof(m.key_id));
    m.ca = rd_i64(&r);
    if (!rd_done(&r) || m.verb >= CA_ROOT_VERBS)
        return false;
    *ret = m;
    return true;
}

void wr_ca_ask(struct buf *b, const struct ca_ask_msg *m)
{
    wr_bool(b, m->anew);
    wr_cstr(b, m->subject.common_name);
    wr_cstr(b, m->subject.organization);
    wr_cstr(b, m->subject.unit);
    wr_cstr(b, m->subject.country);
    wr_cstr(b, m->subject.state);
    wr_cstr(b, m->subject.locality);
}

bool rd_ca_ask(struct span body, struct ca_ask_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_ask_msg m;

    m.anew = rd_bool(&r);
    rd_cstr(&r, m.subject.common_name, sizeof(m.subject.common_name));
    rd_cstr(&r, m.subject.organization, sizeof(m.subject.organization));
    rd_cstr(&r, m.subject.unit, sizeof(m.subject.unit));
    rd_cstr(&r, m.subject.country, sizeof(m.subject.country));
    rd_cstr(&r, m.subject.state, sizeof(m.subject.state));
    rd_cstr(&r, m.subject.locality, sizeof(m.subject.locality));
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_install(struct buf *b, const struct ca_install_msg *m)
{
    wr_span(b, m->answer);
    wr_span(b, m->roots);
}

bool rd_ca_install(struct span body, struct ca_install_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_install_msg m;

    m.answer = rd_span(&r, CERTIFICATE_CHAIN_BYTES);
    m.roots = rd_span(&r, CERTIFICATE_CHAIN_BYTES);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_restore(struct buf *b, const struct ca_restore_msg *m)
{
    wr_bool(b, m->force);
    wr_u16(b, m->count);
    for (uint16_t i = 0; i < m->count; i++) {
        wr_cstr(b, m->keys[i].old_id);
        wr_cstr(b, m->keys[i].new_id);
    }
}

bool rd_ca_restore(struct span body, struct ca_restore_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_restore_msg m = {.force = rd_bool(&r), .count = rd_u16(&r)};

    if (m.count > CA_RESTORE_KEYS_MAX)
        return false;
    for (uint16_t i = 0; i < m.count; i++) {
        rd_cstr(&r, m.keys[i].old_id, sizeof(m.keys[i].old_id));
        rd_cstr(&r, m.keys[i].new_id, sizeof(m.keys[i].new_id));
    }
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}
