#include "ipc/frame.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>

unsigned frame_fds(struct msghdr *m, int fds[LINK_FDS_MAX + 1])
{
    unsigned n = 0;

    for (unsigned i = 0; i <= LINK_FDS_MAX; i++)
        fds[i] = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        size_t count;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (n <= LINK_FDS_MAX)
                fds[n++] = fd;
            else
                fd_close(&fd);
        }
    }
    return n;
}

void frame_put_fds(struct msghdr *m, void *control, const int *fds, unsigned n)
{
    struct cmsghdr *c;

    if (n == 0)
        return;
    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(sizeof(int) * n);
    memset(control, 0, m->msg_controllen);
    c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
}

void frame_close_fds(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fd_close(&fds[i]);
}

static int wait_fd(int fd, short events, int timeout_ms)
{
    uint64_t end = clock_mono_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);

    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        uint64_t now = clock_mono_ms();
        int r = poll(&p, 1, timeout_ms < 0 ? -1 : now < end ? (int)(end - now) : 0);
        if (r > 0)
            return 0;
        if (r == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int link_raw_send(int fd, enum msg_id id, bool reply, uint32_t call, int status, struct span body,
                  const int *fds, unsigned fd_count)
{
    const struct msg_row *row = msg_row(id);
    struct frame_head h = {.id = id, .reply = reply, .call = call, .status = status};
    unsigned char head[FRAME_HEAD_BYTES];
    _Alignas(struct cmsghdr) unsigned char control[FRAME_CONTROL_BYTES];
    struct iovec iov[2] = {
        {head,                      sizeof head},
        {(void *)(uintptr_t)body.p, body.n     }
    };
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

    CHECK(row != NULL);
    if (body.n > (reply ? row->max_reply : row->max_request) ||
        fd_count > (reply ? row->fds_reply : row->fds_request))
        return -EMSGSIZE;
    frame_header(&h, head);
    frame_put_fds(&m, control, fds, fd_count);
    for (;;) {
        int r;
        if (sendmsg(fd, &m, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        r = wait_fd(fd, POLLOUT, -1);
        if (r != 0)
            return r;
    }
}

int link_raw_recv(int fd, enum role self, enum role peer, int timeout_ms, struct buf *store,
                  struct frame *ret)
{
    _Alignas(struct cmsghdr) unsigned char control[FRAME_CONTROL_BYTES];
    struct frame_head h;
    struct iovec iov;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
    int fds[LINK_FDS_MAX + 1];
    const char *why;
    unsigned count;
    ssize_t n;
    int r;

    buf_clear(store);
    for (;;) {
        r = wait_fd(fd, POLLIN, timeout_ms);
        if (r != 0)
            return r;
        n = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
        if (n >= 0 || (errno != EAGAIN && errno != EINTR && errno != ECONNRESET))
            break;
    }
    if (n < 0)
        return -errno;
    if (n == 0)
        return -EPIPE;
    iov.iov_len = (size_t)n < FRAME_MAX_BYTES ? (size_t)n : FRAME_MAX_BYTES;
    iov.iov_base = buf_reserve(store, iov.iov_len);
    if (iov.iov_base == NULL)
        return -ENOBUFS;
    m.msg_controllen = sizeof control;
    n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    buf_commit(store, (size_t)n);
    count = frame_fds(&m, fds);
    why = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)
              ? "too long or too many descriptors"
              : frame_check(buf_span(store), count, self, peer, &h);
    if (why != NULL) {
        log_warn("bad message from %s: %s", role_name(peer), why);
        frame_close_fds(fds, count);
        return -EBADMSG;
    }
    *ret = (struct frame){.id = (enum msg_id)h.id, .reply = h.reply, .call = h.call};
    ret->status = h.status;
    ret->body = h.body;
    ret->fd_count = count;
    memcpy(ret->fds, fds, sizeof ret->fds);
    return 0;
}
