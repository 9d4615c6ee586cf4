#include "ipc/outbox.h"

#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

enum { SEND_BATCH = 32 };

struct outframe {
    struct outframe *next;
    uint32_t len;
    uint8_t fd_count;
    int fds[LINK_FDS_MAX];
    unsigned char bytes[];
};

static void outframe_free(struct outframe *f)
{
    frame_close_fds(f->fds, f->fd_count);
    free(f);
}

int outbox_add(struct outbox *o, const struct frame_head *h, struct span body, const int *fds,
               unsigned fd_count)
{
    size_t len = FRAME_HEAD_BYTES + body.n;
    struct outframe *f;

    if (o->bytes + len + sizeof *f > LINK_QUEUE_MAX_BYTES)
        return -ENOBUFS;
    f = malloc(sizeof *f + len);
    CHECK(f != NULL);
    f->next = NULL;
    f->len = (uint32_t)len;
    f->fd_count = 0;
    for (unsigned i = 0; i < fd_count; i++) {
        int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            int e = errno;
            outframe_free(f);
            return -e;
        }
        f->fds[f->fd_count++] = fd;
    }
    frame_header(h, f->bytes);
    if (body.n)
        memcpy(f->bytes + FRAME_HEAD_BYTES, body.p, body.n);
    if (o->tail != NULL)
        o->tail->next = f;
    else
        o->head = f;
    o->tail = f;
    o->count++;
    o->bytes += len + sizeof *f;
    return 0;
}

static void outbox_drop_first(struct outbox *o)
{
    struct outframe *f = o->head;

    o->head = f->next;
    if (o->head == NULL)
        o->tail = NULL;
    o->count--;
    o->bytes -= f->len + sizeof *f;
    outframe_free(f);
}

int outbox_flush(struct outbox *o, int fd)
{
    static _Alignas(struct cmsghdr) unsigned char control[SEND_BATCH][FRAME_CONTROL_BYTES];
    struct mmsghdr m[SEND_BATCH];
    struct iovec iov[SEND_BATCH];

    while (o->head != NULL) {
        unsigned n = 0;
        int sent;

        for (struct outframe *f = o->head; f != NULL && n < SEND_BATCH; f = f->next, n++) {
            iov[n] = (struct iovec){f->bytes, f->len};
            m[n] = (struct mmsghdr){
                .msg_hdr = {.msg_iov = &iov[n], .msg_iovlen = 1}
            };
            frame_put_fds(&m[n].msg_hdr, control[n], f->fds, f->fd_count);
        }
        /* most turns have one frame, and for that one sendmsg is the cheaper call */
        if (n == 1)
            sent = sendmsg(fd, &m[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
        else
            sent = sendmmsg(fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
        }
        for (int i = 0; i < sent; i++)
            outbox_drop_first(o);
    }
    return 0;
}

int outbox_send_now(int fd, const struct frame_head *h, struct span body, const int *fds,
                    unsigned fd_count)
{
    unsigned char head[FRAME_HEAD_BYTES];
    _Alignas(struct cmsghdr) unsigned char control[FRAME_CONTROL_BYTES];
    struct iovec iov[2] = {
        {head,                      sizeof head},
        {(void *)(uintptr_t)body.p, body.n     }
    };
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = body.n ? 2 : 1};
    ssize_t n;

    frame_header(h, head);
    frame_put_fds(&m, control, fds, fd_count);
    do
        n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? 0 : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

void outbox_done(struct outbox *o)
{
    while (o->head != NULL)
        outbox_drop_first(o);
}
