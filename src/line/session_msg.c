#include "line/session_msg.h"

void wr_session_list(struct buf *b, uint64_t after)
{
    wr_u64(b, after);
}

bool rd_session_list(struct span body, uint64_t *ret_after)
{
    struct rd r = rd_of(body);
    uint64_t after = rd_u64(&r);
    if (!rd_done(&r))
        return false;
    *ret_after = after;
    return true;
}

void wr_session_kill(struct buf *b, uint64_t number, const char *reason)
{
    wr_u64(b, number);
    wr_cstr(b, reason);
}

static bool fits_in_a_reply(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 32 || (unsigned char)*text > 126)
            return false;
    return true;
}

bool rd_session_kill(struct span body, struct session_kill_request *ret)
{
    struct rd r = rd_of(body);
    struct session_kill_request k = {.number = rd_u64(&r)};
    rd_cstr(&r, k.reason, sizeof(k.reason));
    if (!rd_done(&r))
        return false;
    if (!fits_in_a_reply(k.reason))
        return false;
    *ret = k;
    return true;
}

void wr_session_drain(struct buf *b, const struct session_drain_request *d)
{
    wr_cstr(b, d->vserver);
    wr_cstr(b, d->serial);
    wr_cstr(b, d->reason);
}

bool rd_session_drain(struct span body, struct session_drain_request *ret)
{
    struct rd r = rd_of(body);
    struct session_drain_request d;

    rd_cstr(&r, d.vserver, sizeof(d.vserver));
    rd_cstr(&r, d.serial, sizeof(d.serial));
    rd_cstr(&r, d.reason, sizeof(d.reason));
    if (!rd_done(&r) || !fits_in_a_reply(d.reason))
        return false;
    *ret = d;
    return true;
}

void wr_tap_open(struct buf *b, const struct tls_tap_request *q)
{
    wr_u8(b, (uint8_t)q->count);
    for (unsigned i = 0; i < q->count; i++)
        wr_cstr(b, q->vservers[i]);
}

bool rd_tap_open(struct span body, struct tls_tap_request *ret)
{
    struct rd r = rd_of(body);
    struct tls_tap_request q = {.count = rd_u8(&r)};

    if (q.count == 0 || q.count > TLS_TAP_VSERVERS_MAX)
        return false;
    for (unsigned i = 0; i < q.count; i++) {
        rd_cstr(&r, q.vservers[i], sizeof(q.vservers[i]));
        for (unsigned k = 0; k < i; k++)
            if (strcmp(q.vservers[i], q.vservers[k]) == 0)
                rd_fail(&r);
    }
    if (!rd_done(&r))
        return false;
    *ret = q;
    return true;
}

void wr_tap_counts(struct buf *b, const struct tls_tap_counts *c)
{
    wr_u64(b, c->connections);
    wr_u64(b, c->records);
    wr_u64(b, c->bytes);
    wr_u64(b, c->dropped);
}

bool rd_tap_counts(struct span body, struct tls_tap_counts *ret)
{
    struct rd r = rd_of(body);
    struct tls_tap_counts c;

    c.connections = rd_u64(&r);
    c.records = rd_u64(&r);
    c.bytes = rd_u64(&r);
    c.dropped = rd_u64(&r);
    if (!rd_done(&r))
        return false;
    *ret = c;
    return true;
}
