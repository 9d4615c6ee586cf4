#include "ipc/frame.h"

#include "base/check.h"

#define SECTION(n)
#define CALL(row, from_, to_, max_request_, max_reply_, fds_request_, fds_reply_)                  \
    _Static_assert((max_request_) <= LINK_PAYLOAD_MAX && (max_reply_) <= LINK_PAYLOAD_MAX, #row);  \
    _Static_assert((fds_request_) <= LINK_FDS_MAX && (fds_reply_) <= LINK_FDS_MAX, #row);
#define NOTE(row, from_, to_, max_bytes_, fds_)                                                    \
    _Static_assert((max_bytes_) <= LINK_PAYLOAD_MAX && (fds_) <= LINK_FDS_MAX, #row);
#include "ipc/messages.def"
#undef CALL
#undef NOTE

/* Two rows with one number (a section of more than a hundred) do not compile: -Woverride-init. */
static const struct msg_row rows[] = {
#define CALL(row, from_, to_, max_request_, max_reply_, fds_request_, fds_reply_)                  \
    [MSG_##row] = {.name = #row,                                                                   \
                   .id = MSG_##row,                                                                \
                   .from = (from_),                                                                \
                   .to = (to_),                                                                    \
                   .max_request = (max_request_),                                                  \
                   .max_reply = (max_reply_),                                                      \
                   .fds_request = (fds_request_),                                                  \
                   .fds_reply = (fds_reply_),                                                      \
                   .is_call = true},
#define NOTE(row, from_, to_, max_bytes_, fds_)                                                    \
    [MSG_##row] = {.name = #row,                                                                   \
                   .id = MSG_##row,                                                                \
                   .from = (from_),                                                                \
                   .to = (to_),                                                                    \
                   .max_request = (max_bytes_),                                                    \
                   .fds_request = (fds_)},
#include "ipc/messages.def"
#undef CALL
#undef NOTE
};

const struct msg_row *msg_row(unsigned id)
{
    return id < ARRAY_LEN(rows) && rows[id].name != NULL ? &rows[id] : NULL;
}

void frame_header(const struct frame_head *h, unsigned char out[FRAME_HEAD_BYTES])
{
    uint32_t status = (uint32_t)h->status;

    out[0] = (unsigned char)(h->id & 255);
    out[1] = (unsigned char)(h->id >> 8);
    out[2] = h->reply;
    out[3] = 0;
    for (unsigned i = 0; i < 4; i++) {
        out[4 + i] = (unsigned char)(h->call >> (8 * i));
        out[8 + i] = (unsigned char)(status >> (8 * i));
    }
}

const char *frame_check(struct span bytes, unsigned fd_count, enum role self, enum role peer,
                        struct frame_head *ret)
{
    struct rd r = rd_of(bytes);
    struct frame_head h = {.id = rd_u16(&r)};
    uint8_t flags = rd_u8(&r), zero = rd_u8(&r);

    h.call = rd_u32(&r);
    h.status = (int32_t)rd_u32(&r);
    if (r.bad)
        return "shorter than a header";
    if (flags > 1 || zero != 0)
        return "unknown flags";
    h.reply = flags == 1;
    h.row = msg_row(h.id);
    if (h.row == NULL)
        return "unknown message";
    h.body = span_skip(bytes, FRAME_HEAD_BYTES);
    if (h.reply) {
        if (!h.row->is_call)
            return "answer to a note";
        if (!(h.row->from & self) || !(h.row->to & peer))
            return "answer from a process that may not be asked this";
        if (h.call == 0 || h.status > 0 || h.status < -4095)
            return "bad answer header";
        if (h.body.n > h.row->max_reply)
            return "answer too long";
        if (fd_count > h.row->fds_reply)
            return "answer with too many descriptors";
    } else {
        if (!(h.row->from & peer))
            return "not a message that this process may send";
        if (!(h.row->to & self))
            return "not a message for this process";
        if ((h.call != 0) != h.row->is_call || h.status != 0)
            return "bad header";
        if (h.body.n > h.row->max_request)
            return "too long";
        if (fd_count > h.row->fds_request)
            return "too many descriptors";
    }
    *ret = h;
    return NULL;
}
