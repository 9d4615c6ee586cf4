#include "ipc/link.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/frame.h"
#include "ipc/outbox.h"
#include "ipc/pending.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    LINKS_MAX = 4096,
    RECEIVE_BATCH = 16,    /* frames a system call */
    RECEIVE_ROUNDS = 4,    /* calls a wake-up: other links have their turn too */
    SEND_AT_ONCE = 32,     /* waiting frames that are not kept for the end of the turn */
    OPEN_CALLS_MAX = 8192, /* a peer's calls that we work on */
    FIBERS_MAX = 16384     /* of all peers: a process has 65,530 mappings, and a stack needs two */
};

struct link {
    uint64_t id;
    struct loop *loop;
    int fd;
    enum role self, peer;
    unsigned instance;
    struct link_ops ops;
    struct watch *watch;
    struct outbox out;
    struct pending_table calls;
    unsigned open_calls; /* the peer's calls not yet answered, and notes in fibers */
    unsigned refs;       /* the owner, callbacks on the stack, deferred work, fibers of handlers */
    bool open, send_dead, flush_deferred, owned;
};

/* Receiving is never nested, so all links share these; pages of long frames are touched only by
 * long frames. */
static struct {
    unsigned char bytes[FRAME_MAX_BYTES];
    _Alignas(struct cmsghdr) unsigned char control[FRAME_CONTROL_BYTES];
} slots[RECEIVE_BATCH];

static struct link *links[LINKS_MAX];
static uint64_t last_serial;

/* ---- life ------------------------------------------------------------------------------- */

static void on_event(void *arg, int events);

static void link_unref(struct link *l)
{
    if (--l->refs > 0)
        return;
    CHECK(!l->open && l->fd < 0);
    pending_done(&l->calls);
    outbox_done(&l->out);
    free(l);
}

struct link *link_new(struct loop *loop, int take_fd, enum role self, enum role peer,
                      unsigned instance, const struct link_ops *ops)
{
    struct link *l;
    unsigned slot = 0;

    while (slot < LINKS_MAX && links[slot] != NULL)
        slot++;
    if (slot == LINKS_MAX) {
        log_error("no room for another link");
        fd_close(&take_fd);
        return NULL;
    }
    l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    l->id = ++last_serial * LINKS_MAX + slot;
    l->loop = loop;
    l->fd = take_fd;
    l->self = self;
    l->peer = peer;
    l->instance = instance;
    l->ops = *ops;
    l->refs = 1;
    l->owned = l->open = true;
    l->watch = watch_new(loop, take_fd, on_event, l);
    watch_set(l->watch, WATCH_READ);
    links[slot] = l;
    return l;
}

/* No more frames in or out from here on; link_by_id no longer finds it. */
static void link_shut(struct link *l)
{
    l->open = false;
    links[l->id % LINKS_MAX] = NULL;
    watch_free(l->watch);
    l->watch = NULL;
    fd_close(&l->fd);
    outbox_done(&l->out);
}

static void after_close(void *arg)
{
    struct link *l = arg;

    if (l->owned) {
        /* the owner first, so that whoever waits for an answer no longer finds this link when it
         * wakes */
        if (l->ops.on_closed != NULL)
            l->ops.on_closed(l->ops.arg, l);
        pending_end_all(&l->calls, -EPIPE);
        if (l->owned) {
            l->owned = false;
            l->refs--; /* the owner's; ours is still there */
        }
    }
    link_unref(l);
}

/* The far end is gone or has misbehaved. The owner is told in the next turn: its own code may be on
 * the stack. */
static void link_close(struct link *l, const char *why)
{
    if (!l->open)
        return;
    if (why != NULL)
        log_warn("link to %s %u closed: %s", role_name(l->peer), l->instance, why);
    link_shut(l);
    l->refs++;
    loop_defer(l->loop, after_close, l);
}

void link_free(struct link *l)
{
    if (l == NULL || !l->owned)
        return;
    if (l->open) {
        if (!l->send_dead)
            outbox_flush(&l->out, l->fd);
        link_shut(l);
    }
    l->owned = false;
    pending_end_all(&l->calls, -EPIPE);
    link_unref(l);
}

enum role link_peer(const struct link *l)
{
    return l->peer;
}

unsigned link_instance(const struct link *l)
{
    return l->instance;
}

uint64_t link_id(const struct link *l)
{
    return l->id;
}

struct link *link_by_id(uint64_t id)
{
    struct link *l = links[id % LINKS_MAX];
    return l != NULL && l->id == id ? l : NULL;
}

bool link_is_open(const struct link *l)
{
    return l->open;
}

/* ---- sending ---------------------------------------------------------------------------- */

static void link_flush(struct link *l)
{
    int r = outbox_flush(&l->out, l->fd);

    if (r == -EAGAIN) {
        watch_set(l->watch, WATCH_READ | WATCH_WRITE);
    } else {
        watch_set(l->watch, WATCH_READ);
        if (r != 0) {
            /* what the peer said before it went may still be unread: the end of that closes the
             * link */
            l->send_dead = true;
            outbox_done(&l->out);
        }
    }
}

void link_push(struct link *l)
{
    if (l->open && !l->send_dead && l->out.head != NULL)
        link_flush(l);
}

bool link_hung_up(const struct link *l)
{
    struct pollfd p = {.fd = l->fd};

    return !l->open || l->send_dead || (poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR));
}

static void after_turn(void *arg)
{
    struct link *l = arg;

    l->flush_deferred = false;
    if (l->open && l->out.head != NULL)
        link_flush(l);
    link_unref(l);
}

static int link_put(struct link *l, const struct frame_head *h, struct span body, const int *fds,
                    unsigned fd_count)
{
    int r;

    if (!l->open || l->send_dead)
        return -EPIPE;
    if (fd_count > 0) {
        /* duplicating descriptors for the queue costs more than a system call */
        if (l->out.head != NULL)
            link_flush(l);
        if (l->out.head == NULL && !l->send_dead) {
            r = outbox_send_now(l->fd, h, body, fds, fd_count);
            if (r == 0)
                return 0;
            if (r == -EBADF) /* the caller's descriptor; the socket itself is fine */
                return r;
            if (r != -EAGAIN)
                l->send_dead = true;
        }
        if (l->send_dead)
            return -EPIPE;
    }
    r = outbox_add(&l->out, h, body, fds, fd_count);
    if (r == -ENOBUFS)
        link_close(l, "it does not read what it is sent");
    if (r != 0)
        return r;
    if (l->out.count >= SEND_AT_ONCE && l->out.count % SEND_AT_ONCE == 0) {
        link_flush(l);
    } else if (!l->flush_deferred) {
        /* everything said in this turn goes in one system call */
        l->flush_deferred = true;
        l->refs++;
        loop_defer(l->loop, after_turn, l);
    }
    return 0;
}

static const struct msg_row *own_row(const struct link *l, enum msg_id id, bool is_call)
{
    const struct msg_row *row = msg_row(id);

    CHECK(row != NULL && row->is_call == is_call);
    if ((row->from & l->self) && (row->to & l->peer))
        return row;
    log_error("%s is not a message from %s to %s", row->name, role_name(l->self),
              role_name(l->peer));
    return NULL;
}

int link_send(struct link *l, enum msg_id id, struct span body, const int *fds, unsigned fd_count)
{
    struct frame_head h = {.id = id};
    const struct msg_row *row;

    if (l == NULL)
        return -EPIPE;
    row = own_row(l, id, false);
    if (row == NULL)
        return -EPERM;
    if (body.n > row->max_request || fd_count > row->fds_request)
        return -EMSGSIZE;
    return link_put(l, &h, body, fds, fd_count);
}

static int call_begin(struct link *l, enum msg_id id, struct span body, const int *fds,
                      unsigned fd_count, link_done_fn done, void *arg, uint32_t *ret_call)
{
    struct frame_head h = {.id = id};
    const struct msg_row *row;
    struct pending dropped;
    int r;

    if (l == NULL || !l->open)
        return -EPIPE;
    row = own_row(l, id, true);
    if (row == NULL)
        return -EPERM;
    if (body.n > row->max_request || fd_count > row->fds_request)
        return -EMSGSIZE;
    h.call = pending_add(&l->calls, id, done, arg);
    if (h.call == 0) {
        link_close(l, "it does not answer");
        return -ENOBUFS;
    }
    r = link_put(l, &h, body, fds, fd_count);
    if (r != 0) {
        CHECK(pending_take(&l->calls, h.call, id, &dropped));
        return r;
    }
    *ret_call = h.call;
    return 0;
}

int link_call_async(struct link *l, enum msg_id id, struct span body, const int *fds,
                    unsigned fd_count, link_done_fn done, void *arg)
{
    uint32_t call;
    return call_begin(l, id, body, fds, fd_count, done, arg, &call);
}

struct call_wait {
    struct fiber_cond cond;
    struct buf *reply;
    int *fds;
    unsigned fd_room;
    int status;
    bool finished;
};

static void on_answer(void *arg, int status, struct span body, int *fds, unsigned fd_count)
{
    struct call_wait *w = arg;

    w->status = status;
    if (w->reply != NULL && !buf_put_span(w->reply, body))
        w->status = -EMSGSIZE;
    for (unsigned i = 0; w->fds != NULL && i < fd_count && i < w->fd_room; i++)
        w->fds[i] = fd_steal(&fds[i]);
    w->finished = true;
    fiber_cond_signal(&w->cond);
}

int link_call(struct link *l, enum msg_id id, struct span body, const int *fds, unsigned fd_count,
              uint64_t timeout_ms, struct buf *reply, int *ret_fds)
{
    const struct msg_row *row = msg_row(id);
    struct call_wait w = {.reply = reply, .fds = ret_fds};
    uint32_t call;
    int r;

    CHECK(fiber_self() != NULL && row != NULL);
    w.fd_room = row->fds_reply;
    for (unsigned i = 0; ret_fds != NULL && i < w.fd_room; i++)
        ret_fds[i] = -1;
    r = call_begin(l, id, body, fds, fd_count, on_answer, &w, &call);
    if (r != 0)
        return r;
    fiber_cond_wait(&w.cond, timeout_ms);
    if (w.finished)
        return w.status;
    /* had the link gone, the call would be finished: l is still there */
    pending_abandon(&l->calls, call);
    return -ETIMEDOUT;
}

int link_reply(uint64_t id_of_link, enum msg_id id, uint32_t call, int status, struct span body,
               const int *fds, unsigned fd_count)
{
    struct link *l = link_by_id(id_of_link);
    const struct msg_row *row = msg_row(id);
    struct frame_head h = {.id = id, .reply = true, .call = call, .status = status};

    CHECK(row != NULL && row->is_call && call != 0 && status <= 0 && status >= -4095);
    if (l == NULL)
        return -EPIPE;
    if (l->open_calls > 0)
        l->open_calls--;
    if (body.n > row->max_reply || fd_count > row->fds_reply) {
        log_error("the answer to %s is over its limit", row->name);
        h.status = -EMSGSIZE;
        link_put(l, &h, SPAN_EMPTY, NULL, 0);
        return -EMSGSIZE;
    }
    return link_put(l, &h, body, fds, fd_count);
}

/* ---- receiving -------------------------------------------------------------------------- */

struct fiber_msg {
    struct msg m;
    int fds[LINK_FDS_MAX];
    void (*fn)(void *arg, struct msg *m);
    void *arg;
    bool is_call;
    char body[];
};

static void fiber_msg_main(void *arg)
{
    struct fiber_msg *f = arg;
    struct link *l = f->m.link;

    f->fn(f->arg, &f->m);
    frame_close_fds(f->fds, LINK_FDS_MAX);
    if (!f->is_call)
        l->open_calls--;
    free(f);
    link_unref(l);
}

static void start_in_fiber(const struct link_ops *ops, const struct msg_handler *handler,
                           const struct msg_row *row, struct msg *m)
{
    struct fiber_msg *f = malloc(sizeof *f + m->body.n + 1);

    CHECK(f != NULL);
    f->m = *m;
    f->fn = handler->fn;
    f->arg = ops->arg;
    f->is_call = row->is_call;
    if (m->body.n)
        memcpy(f->body, m->body.p, m->body.n);
    f->m.body.p = f->body;
    f->m.fds = f->fds;
    for (unsigned i = 0; i < LINK_FDS_MAX; i++)
        f->fds[i] = fd_steal(&m->fds[i]);
    m->link->refs++; /* so that m->link stays readable however long the handler takes */
    if (!row->is_call)
        m->link->open_calls++;
    fiber_start(m->link->loop, fiber_msg_main, f, row->name);
}

static void on_request(struct link *l, const struct frame_head *h, int *fds, unsigned fd_count)
{
    const struct msg_handler *handler = l->ops.handlers;
    struct msg m = {.link = l,
                    .id = (enum msg_id)h->id,
                    .call = h->call,
                    .body = h->body,
                    .fds = fds,
                    .fd_count = fd_count};

    while (handler != NULL && handler->fn != NULL && handler->id != (enum msg_id)h->id)
        handler++;
    if (h->row->is_call)
        l->open_calls++;
    if (handler == NULL || handler->fn == NULL) {
        log_warn("%s from %s: nobody handles it here", h->row->name, role_name(l->peer));
        if (h->row->is_call)
            msg_reply(&m, -ENOSYS, SPAN_EMPTY);
    } else if (l->open_calls > OPEN_CALLS_MAX) {
        if (h->row->is_call)
            msg_reply(&m, -EBUSY, SPAN_EMPTY);
        else
            link_close(l, "more messages than can be worked on");
    } else if (handler->fiber && h->row->is_call && fiber_stats().parked >= FIBERS_MAX) {
        msg_reply(&m, -EBUSY, SPAN_EMPTY);
    } else if (handler->fiber) {
        start_in_fiber(&l->ops, handler, h->row, &m);
    } else {
        handler->fn(l->ops.arg, &m);
    }
}

static void on_frame(struct link *l, struct span bytes, int *fds, unsigned fd_count, int flags)
{
    struct frame_head h;
    struct pending p;
    const char *why;

    if (flags & MSG_TRUNC)
        why = "too long";
    else if (flags & MSG_CTRUNC)
        why = "descriptors that do not fit";
    else
        why = frame_check(bytes, fd_count, l->self, l->peer, &h);
    if (why == NULL && h.reply && !pending_take(&l->calls, h.call, h.id, &p))
        why = "answer to no call";
    if (why != NULL) {
        struct rd r = rd_of(bytes);
        log_warn("message %u of %zu bytes with %u descriptors", rd_u16(&r), bytes.n, fd_count);
        link_close(l, why);
        return;
    }
    if (!h.reply)
        on_request(l, &h, fds, fd_count);
    else if (p.done != NULL)
        p.done(p.arg, h.status, h.body, fds, fd_count);
}

/* One batch. False: nothing more to read now. */
static bool receive(struct link *l)
{
    struct mmsghdr m[RECEIVE_BATCH];
    struct iovec iov[RECEIVE_BATCH];
    int fds[RECEIVE_BATCH][LINK_FDS_MAX + 1];
    unsigned fd_count[RECEIVE_BATCH];
    int n;

    for (unsigned i = 0; i < RECEIVE_BATCH; i++) {
        iov[i] = (struct iovec){slots[i].bytes, sizeof slots[i].bytes};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
                                       .msg_iovlen = 1,
                                       .msg_control = slots[i].control,
                                       .msg_controllen = sizeof slots[i].control};
    }
    n = recvmmsg(l->fd, m, RECEIVE_BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (n < 0) {
        /* ECONNRESET tells once that the peer closed with something unread; what it sent is still
         * there */
        if (errno == EINTR || errno == ECONNRESET)
            return true;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            link_close(l, "cannot be read");
        return false;
    }
    /* all descriptors first: the link may be closed by any of the frames */
    for (int i = 0; i < n; i++)
        fd_count[i] = frame_fds(&m[i].msg_hdr, fds[i]);
    for (int i = 0; i < n; i++) {
        if (l->open && m[i].msg_len == 0)
            link_close(l, NULL); /* the end */
        if (l->open)
            on_frame(l, span_of(slots[i].bytes, m[i].msg_len), fds[i], fd_count[i],
                     m[i].msg_hdr.msg_flags);
        frame_close_fds(fds[i], LINK_FDS_MAX + 1);
    }
    return n == RECEIVE_BATCH;
}

static void on_event(void *arg, int events)
{
    struct link *l = arg;

    l->refs++;
    if (events & WATCH_WRITE && !l->send_dead)
        link_flush(l);
    if (events & WATCH_READ)
        for (int i = 0; i < RECEIVE_ROUNDS && l->open && receive(l); i++)
            ;
    link_unref(l);
}
