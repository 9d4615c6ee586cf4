/*
 * A hostile process at the far end of a link. The input is a row of frames (u8 mode, u16 length,
 * bytes); mode chooses the two roles for the whole input from its first byte, and for each frame
 * how many descriptors come with it and whether its header is made right first, so that handlers
 * and answers are reached too.
 */
#include "base/check.h"
#include "ipc/frame.h"

#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct {
    enum role self, peer;
} ends[] = {
    {ROLE_SUPERVISOR, ROLE_MANAGER   },
    {ROLE_SUPERVISOR, ROLE_ACCESS    },
    {ROLE_ACCESS,     ROLE_SUPERVISOR},
    {ROLE_MANAGER,    ROLE_SUPERVISOR},
    {ROLE_KEYD,       ROLE_ACCESS    },
    {ROLE_AUTHD,      ROLE_MX        },
    {ROLE_STORED,     ROLE_ACCESS    },
    {ROLE_CAD,        ROLE_CERTD     },
};

static struct loop *loop;
static struct link *l;
static unsigned messages;

static void on_message(void *arg, struct msg *m)
{
    const struct msg_row *row = msg_row(m->id);

    CHECK(row != NULL && m->body.n <= row->max_request && m->fd_count <= row->fds_request);
    for (unsigned i = m->fd_count; i < LINK_FDS_MAX; i++)
        CHECK(m->fds[i] == -1);
    CHECK((row->from & link_peer(m->link)) != 0 && (m->call != 0) == row->is_call);
    messages++;
    if (row->is_call)
        msg_reply(m, 0, span_head(m->body, row->max_reply));
}

static void on_message_in_fiber(void *arg, struct msg *m)
{
    fiber_yield();
    on_message(arg, m);
}

static void on_done(void *arg, int status, struct span body, int *fds, unsigned fd_count)
{
    CHECK(status <= 0 && body.n <= LINK_PAYLOAD_MAX && fd_count <= LINK_FDS_MAX);
}

static void on_closed(void *arg, struct link *closed)
{
    l = NULL;
}

static struct msg_handler handlers[1024];

static void set_up(void)
{
    unsigned n = 0;

    loop = loop_new();
    for (unsigned id = 1; id < 1000; id++) {
        if (msg_row(id) == NULL)
            continue;
        handlers[n].id = (enum msg_id)id;
        handlers[n].fn = id % 2 ? on_message : on_message_in_fiber;
        handlers[n++].fiber = id % 2 == 0;
    }
}

static void stop(void *arg)
{
    loop_stop(loop);
}

static void stop_soon(void *arg)
{
    loop_defer(loop, stop, NULL);
}

static void turns(void)
{
    loop_defer(loop, stop_soon, NULL);
    loop_run(loop);
}

static void send_frame(int fd, struct rd *r, uint8_t mode, enum role self)
{
    struct span body = rd_span(r, 8192);
    _Alignas(struct cmsghdr) unsigned char control[FRAME_CONTROL_BYTES];
    static const int some[LINK_FDS_MAX] = {0, 1, 2, 0, 1, 2, 0, 1};
    unsigned char head[FRAME_HEAD_BYTES];
    struct iovec iov[2] = {
        {head,                      0     },
        {(void *)(uintptr_t)body.p, body.n}
    };
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

    if (mode & 8) {
        /* a right header in front: the bytes are the payload */
        const struct msg_row *row = msg_row(mode >> 4 ? mode >> 4 : body.n);
        struct frame_head h = {.id = row ? row->id : 1, .call = row && row->is_call};
        h.reply = row != NULL && row->is_call && (row->from & self) != 0;
        if (h.reply)
            h.call = 0x10000;
        frame_header(&h, head);
        iov[0].iov_len = sizeof head;
    }
    frame_put_fds(&m, control, some, mode & 3 ? (mode & 7) : 0);
    sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(span_of(data, size));
    uint8_t which = rd_u8(&r) % ARRAY_LEN(ends);
    struct link_ops ops = {handlers, on_closed, NULL};
    int fds[2];

    if (loop == NULL)
        set_up();
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    l = link_new(loop, fds[0], ends[which].self, ends[which].peer, 0, &ops);
    /* a call of ours that the far end may answer */
    if (ends[which].self == ROLE_MANAGER)
        link_call_async(l, MSG_CONTROL_STATUS, SPAN_EMPTY, NULL, 0, on_done, NULL);
    for (int i = 0; i < 64 && !r.bad && r.n > 0; i++) {
        uint8_t mode = rd_u8(&r);
        send_frame(fds[1], &r, mode, ends[which].self);
        if (i % 8 == 7)
            turns();
    }
    turns();
    close(fds[1]);
    turns();
    link_free(l);
    l = NULL;
    turns();
    CHECK(fiber_stats().parked == 0);
    return 0;
}
