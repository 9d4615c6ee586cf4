#include "proc/certd/order.h"

#include <errno.h>

static const char magic[] = "sealpost order 1\n";
enum { PAUSE_FIRST = 60, PAUSE_MOST = 43200 };

bool order_write(const struct order *o, struct buf *out)
{
    buf_put_cstr(out, magic);
    wr_cstr(out, o->key_id);
    wr_cstr(out, o->url);
    wr_i64(out, o->placed);
    wr_u32(out, o->tries);
    wr_i64(out, o->retry_at);
    wr_cstr(out, o->failure);
    wr_bool(out, o->person);
    wr_cstr(out, o->serial);
    wr_i64(out, o->window_start);
    wr_i64(out, o->window_end);
    wr_i64(out, o->renew_at);
    wr_i64(out, o->look_at);
    wr_u8(out, o->alarmed);
    wr_i64(out, o->rehearsed);
    wr_bool(out, o->rehearsal_failed);
    wr_cstr(out, o->rehearsal);
    return !out->overflow;
}

int order_read(struct span bytes, struct order *ret)
{
    struct order o = {.key_id = ""};
    struct rd r;

    if (!span_starts(bytes, SPAN("sealpost order 1\n")))
        return -EBADMSG;
    r = rd_of(span_skip(bytes, sizeof(magic) - 1));
    rd_cstr(&r, o.key_id, sizeof(o.key_id));
    rd_cstr(&r, o.url, sizeof(o.url));
    o.placed = rd_i64(&r);
    o.tries = rd_u32(&r);
    o.retry_at = rd_i64(&r);
    rd_cstr(&r, o.failure, sizeof(o.failure));
    o.person = rd_bool(&r);
    rd_cstr(&r, o.serial, sizeof(o.serial));
    o.window_start = rd_i64(&r);
    o.window_end = rd_i64(&r);
    o.renew_at = rd_i64(&r);
    o.look_at = rd_i64(&r);
    o.alarmed = rd_u8(&r);
    o.rehearsed = rd_i64(&r);
    o.rehearsal_failed = rd_bool(&r);
    rd_cstr(&r, o.rehearsal, sizeof(o.rehearsal));
    if (!rd_done(&r) || o.alarmed > 3)
        return -EBADMSG;
    *ret = o;
    return 0;
}

int64_t order_pause(uint32_t tries, uint32_t wish)
{
    int64_t s = tries < 12 ? (int64_t)PAUSE_FIRST << tries : PAUSE_MOST;

    s = s < PAUSE_MOST ? s : PAUSE_MOST;
    return wish > s ? wish : s;
}

unsigned order_level(int64_t not_before, int64_t not_after, int64_t now)
{
    int64_t life = not_after - not_before, left = not_after - now;

    return left * 12 <= life ? 3 : left * 6 <= life ? 2 : left * 3 <= life ? 1 : 0;
}
