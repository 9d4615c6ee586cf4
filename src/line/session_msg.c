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

bool rd_session_kill(struct span body, struct session_kill_request *ret)
{
    struct rd r = rd_of(body);
    struct session_kill_request k = {.number = rd_u64(&r)};
    rd_cstr(&r, k.reason, sizeof(k.reason));
    if (!rd_done(&r))
        return false;
    for (char *p = k.reason; *p; p++) /* it becomes part of a reply line */
        if ((unsigned char)*p < 32 || (unsigned char)*p > 126)
            return false;
    *ret = k;
    return true;
}
