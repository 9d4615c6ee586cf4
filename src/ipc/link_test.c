#include "ipc/link.h"

#include "base/check.h"
#include "base/fd.h"
#include "ipc/frame.h"
#include "ipc/pending.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Two ends in one process: the manager asks, the supervisor answers. Where the test is the hostile
 * peer, it writes to the socket itself. */
static struct loop *L;
static struct link *manager, *supervisor;
static int far; /* the hostile end */
static unsigned closed, handled, left;

static void pair(int fds[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
}

static void on_closed(void *arg, struct link *l)
{
    closed++;
    EXPECT(link_by_id(link_id(l)) == NULL && !link_is_open(l));
    if (l == supervisor)
        supervisor = NULL;
    if (l == manager)
        manager = NULL;
    if (arg != NULL)
        loop_stop(L);
}

static void on_status(void *arg, struct msg *m)
{
    handled++;
    EXPECT_INT(m->id, MSG_CONTROL_STATUS);
    msg_reply(m, 0, m->body);
}

/* answers with a descriptor, in a fiber, after a while */
static void on_connect(void *arg, struct msg *m)
{
    uint64_t id = link_id(m->link);
    int fds[2];

    handled++;
    fiber_sleep_ms(span_eq_cstr(m->body, "slow") ? 500 : 3);
    if (span_eq_cstr(m->body, "none")) {
        msg_reply(m, -ENOENT, SPAN("why"));
        return;
    }
    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    EXPECT(write(fds[1], "p", 1) == 1);
    link_reply(id, m->id, m->call, 0, m->body, fds, 1);
    close(fds[0]);
    close(fds[1]);
}

static void on_never(void *arg, struct msg *m)
{
    handled++;
}

static const struct msg_handler handlers[] = {
    {MSG_CONTROL_STATUS,  on_status,  false},
    {MSG_CONTROL_CONNECT, on_connect, true },
    {MSG_CONTROL_RELOAD,  on_never,   false},
    {0,                   NULL,       false},
};

static const struct link_ops quiet = {handlers, on_closed, NULL};
static const struct link_ops stopping = {handlers, on_closed, &closed};

static void begin(unsigned fibers)
{
    int fds[2];

    L = loop_new();
    closed = handled = 0;
    left = fibers;
    pair(fds);
    manager = link_new(L, fds[0], ROLE_MANAGER, ROLE_SUPERVISOR, 0, &quiet);
    supervisor = link_new(L, fds[1], ROLE_SUPERVISOR, ROLE_MANAGER, 7, &quiet);
}

static void stop(void *arg)
{
    loop_stop(L);
}

static void turn(uint64_t ms)
{
    struct timer *t = timer_new(L, stop, NULL);
    timer_start(t, ms);
    loop_run(L);
    timer_free(t);
}

/* lets what was deferred happen */
static void settle(void)
{
    turn(10);
}

static void end(void)
{
    link_free(manager);
    link_free(supervisor);
    settle();
    manager = supervisor = NULL;
    loop_free(L);
}

static void ended(void)
{
    if (--left == 0)
        loop_stop(L);
}

/* ---- calls ------------------------------------------------------------------------------ */

static void calls_fn(void *arg)
{
    struct buf reply BUF_AUTO = BUF(1000);
    int fd = -2;
    char c = 0;

    EXPECT_INT(link_call(manager, MSG_CONTROL_STATUS, SPAN("hello"), NULL, 0, 1000, &reply, NULL),
               0);
    EXPECT_SPAN(buf_span(&reply), SPAN("hello"));
    buf_clear(&reply);
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONNECT, SPAN("x"), NULL, 0, 1000, &reply, &fd), 0);
    EXPECT_SPAN(buf_span(&reply), SPAN("x"));
    EXPECT(fd >= 0 && read(fd, &c, 1) == 1 && c == 'p');
    EXPECT((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    fd_close(&fd);
    buf_clear(&reply);
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONNECT, SPAN("none"), NULL, 0, 1000, &reply, &fd),
               -ENOENT);
    EXPECT_SPAN(buf_span(&reply), SPAN("why"));
    EXPECT_INT(fd, -1);
    /* a descriptor that nobody takes is closed; an answer that nobody reads is dropped */
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONNECT, SPAN("x"), NULL, 0, 1000, NULL, NULL), 0);
    /* the answer is longer than the caller's buffer */
    struct buf small BUF_AUTO = BUF(3);
    EXPECT_INT(link_call(manager, MSG_CONTROL_STATUS, SPAN("hello"), NULL, 0, 1000, &small, NULL),
               -EMSGSIZE);
    /* nobody answers, nobody handles, nobody there */
    EXPECT_INT(link_call(manager, MSG_CONTROL_RELOAD, SPAN_EMPTY, NULL, 0, 5, NULL, NULL),
               -ETIMEDOUT);
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONF, SPAN_EMPTY, NULL, 0, 1000, NULL, NULL),
               -ENOSYS);
    EXPECT_INT(link_call(NULL, MSG_CONTROL_CONF, SPAN_EMPTY, NULL, 0, 1000, NULL, NULL), -EPIPE);
    /* ours to get right: too long, wrong direction */
    char big[65] = {0};
    EXPECT_INT(link_call(manager, MSG_CONTROL_STATUS, span_of(big, 65), NULL, 0, 9, NULL, NULL),
               -EMSGSIZE);
    EXPECT_INT(link_call(supervisor, MSG_CONTROL_STATUS, SPAN_EMPTY, NULL, 0, 9, NULL, NULL),
               -EPERM);
    ended();
}

TEST(calls_and_answers)
{
    begin(1);
    fiber_start(L, calls_fn, NULL, "calls");
    loop_run(L);
    EXPECT_INT(closed, 0);
    end();
}

static void late_fn(void *arg)
{
    struct buf reply BUF_AUTO = BUF(1000);

    /* times out; its answer comes while another call of the same kind waits, and is not taken for
     * that one's */
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONNECT, SPAN("a"), NULL, 0, 1, &reply, NULL),
               -ETIMEDOUT);
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONNECT, SPAN("b"), NULL, 0, 1000, &reply, NULL), 0);
    EXPECT_SPAN(buf_span(&reply), SPAN("b"));
    ended();
}

TEST(late_answer_is_dropped_and_the_link_stays)
{
    begin(1);
    fiber_start(L, late_fn, NULL, "late");
    loop_run(L);
    EXPECT_INT(closed, 0);
    EXPECT_INT(handled, 2);
    end();
}

static void one_of_many_fn(void *arg)
{
    for (int i = 0; i < 20; i++) {
        char body[32];
        struct buf reply BUF_AUTO = BUF(1000);
        struct span want = {body, 0};

        want.n = (size_t)snprintf(body, sizeof body, "%u.%d", (unsigned)(uintptr_t)arg, i);
        EXPECT_INT(link_call(manager, i % 3 ? MSG_CONTROL_STATUS : MSG_CONTROL_CONNECT, want, NULL,
                             0, 5000, &reply, NULL),
                   0);
        EXPECT_SPAN(buf_span(&reply), want);
    }
    ended();
}

TEST(many_calls_at_once)
{
    begin(1000);
    for (uintptr_t i = 0; i < 1000; i++)
        fiber_start(L, one_of_many_fn, (void *)i, "many");
    loop_run(L);
    EXPECT_INT(handled, 20000);
    EXPECT_INT(closed, 0);
    end();
}

static unsigned async_done;

static void on_async(void *arg, int status, struct span body, int *fds, unsigned fd_count)
{
    async_done++;
    if (arg == NULL) {
        EXPECT_INT(status, -EPIPE);
        EXPECT_INT(body.n, 0);
        return;
    }
    EXPECT_INT(status, 0);
    EXPECT_INT(fd_count, 1);
    EXPECT_SPAN(body, SPAN("fd"));
    loop_stop(L); /* fds[0] is not taken: closed by the link */
}

TEST(asynchronous_call)
{
    begin(0);
    async_done = 0;
    EXPECT_INT(link_call_async(manager, MSG_CONTROL_CONNECT, SPAN("fd"), NULL, 0, on_async, &L), 0);
    loop_run(L);
    EXPECT_INT(async_done, 1);
    EXPECT_INT(link_call_async(manager, MSG_CONTROL_RELOAD, SPAN_EMPTY, NULL, 0, on_async, NULL),
               0);
    settle();
    link_free(manager); /* ends what waits */
    manager = NULL;
    EXPECT_INT(async_done, 2);
    settle();
    EXPECT_INT(closed, 1); /* the other end saw it */
    EXPECT(supervisor == NULL);
    end();
}

static void broken_fn(void *arg)
{
    EXPECT_INT(link_call(manager, MSG_CONTROL_RELOAD, SPAN_EMPTY, NULL, 0, UINT64_MAX, NULL, NULL),
               -EPIPE);
    EXPECT(manager == NULL); /* its owner was told before */
    ended();
}

static void drop_supervisor(void *arg)
{
    link_free(supervisor);
    supervisor = NULL;
}

TEST(waiting_calls_end_when_the_peer_goes)
{
    struct timer *t;

    begin(3);
    t = timer_new(L, drop_supervisor, NULL);
    timer_start(t, 5);
    for (int i = 0; i < 3; i++)
        fiber_start(L, broken_fn, NULL, "broken");
    loop_run(L);
    EXPECT_INT(handled, 3);
    timer_free(t);
    end();
}

static void connect_fn(void *arg)
{
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONNECT, SPAN("slow"), NULL, 0, 1000, NULL, NULL),
               -EPIPE);
    ended();
}

TEST(handler_in_a_fiber_outlives_its_link)
{
    begin(2); /* so that its end does not stop the loop */
    fiber_start(L, connect_fn, NULL, "connect");
    turn(1);
    EXPECT_INT(handled, 1);
    link_free(manager);
    link_free(supervisor); /* the handler sleeps; its answer is dropped */
    manager = supervisor = NULL;
    turn(600);
    EXPECT_INT(fiber_stats().parked, 0);
    end();
}

TEST(notes_carry_descriptors_and_order)
{
    int fds[2], p[2];
    struct buf store BUF_AUTO = BUF(FRAME_MAX_BYTES);
    struct frame f;
    struct link *child;
    struct stat a, b;

    L = loop_new();
    pair(fds);
    REQUIRE(pipe2(p, O_CLOEXEC) == 0);
    child = link_new(L, fds[0], ROLE_SUPERVISOR, ROLE_KEYD, 0, &quiet);
    EXPECT_INT(link_send(child, MSG_CHILD_STOP, SPAN("1"), NULL, 0), 0);
    EXPECT_INT(link_send(child, MSG_CHILD_PEER, SPAN("2"), p, 1), 0);
    EXPECT_INT(link_send(child, MSG_CHILD_STOP, SPAN("3"), NULL, 0), 0);
    EXPECT_INT(link_send(child, MSG_CHILD_STOP, SPAN("more than sixteen"), NULL, 0), -EMSGSIZE);
    EXPECT_INT(link_send(child, MSG_CHILD_PEER, SPAN("2"), p, 2), -EMSGSIZE);
    EXPECT_INT(link_send(child, MSG_CHILD_LISTEN, SPAN("2"), p, 1), -EPERM); /* not for keyd */
    link_free(child);                                                        /* sends what waits */
    for (char c = '1'; c <= '3'; c++) {
        EXPECT_INT(link_raw_recv(fds[1], ROLE_KEYD, ROLE_SUPERVISOR, 1000, &store, &f), 0);
        EXPECT_SPAN(f.body, span_of(&c, 1));
        EXPECT_INT(f.fd_count, c == '2');
        if (c == '2' && f.fd_count == 1) {
            EXPECT(fstat(f.fds[0], &a) == 0 && fstat(p[0], &b) == 0 && a.st_ino == b.st_ino);
            close(f.fds[0]);
        }
    }
    EXPECT_INT(link_raw_recv(fds[1], ROLE_KEYD, ROLE_SUPERVISOR, 1000, &store, &f), -EPIPE);
    settle();
    loop_free(L);
    close(fds[1]);
    close(p[0]);
    close(p[1]);
}

TEST(peer_that_does_not_read_is_given_up)
{
    int fds[2], r = 0;
    char body[4096] = {0};
    struct link *l;
    unsigned sent = 0;

    L = loop_new();
    closed = 0;
    pair(fds);
    l = link_new(L, fds[0], ROLE_KEYD, ROLE_SUPERVISOR, 0, &stopping);
    while (r == 0 && sent < 100000) {
        r = link_send(l, MSG_CHILD_ALIVE, span_of(body, sizeof body), NULL, 0);
        sent++;
    }
    EXPECT_INT(r, -ENOBUFS);
    EXPECT(sent > 7000 && sent < 9000); /* 32 MiB and the socket's buffer */
    EXPECT(!link_is_open(l));
    EXPECT_INT(link_send(l, MSG_CHILD_ALIVE, SPAN_EMPTY, NULL, 0), -EPIPE);
    loop_run(L);
    EXPECT_INT(closed, 1);
    loop_free(L);
    close(fds[1]);
}

static int raw;
static unsigned got;

static void drain_fn(void *arg)
{
    struct buf store BUF_AUTO = BUF(FRAME_MAX_BYTES);
    struct frame f;

    while (got < 5000) {
        fiber_wait_fd(raw, WATCH_READ, UINT64_MAX);
        for (int i = 0; i < 37; i++) {
            int r = link_raw_recv(raw, ROLE_SUPERVISOR, ROLE_KEYD, 0, &store, &f);
            if (r == -ETIMEDOUT)
                break;
            EXPECT_INT(r, 0);
            struct rd rd = rd_of(f.body);
            EXPECT_INT(rd_u32(&rd), got);
            got++;
        }
    }
    loop_stop(L);
}

TEST(queued_frames_arrive_in_order)
{
    int fds[2];
    struct link *l;

    L = loop_new();
    pair(fds);
    raw = fds[1];
    got = 0;
    l = link_new(L, fds[0], ROLE_KEYD, ROLE_SUPERVISOR, 0, &quiet);
    for (uint32_t i = 0; i < 5000; i++) {
        struct buf b BUF_AUTO = BUF(4096);
        wr_u32(&b, i);
        while (b.n < i % 900)
            buf_putc(&b, 'x');
        EXPECT_INT(link_send(l, MSG_CHILD_ALIVE, buf_span(&b), NULL, 0), 0);
    }
    fiber_start(L, drain_fn, NULL, "drain");
    loop_run(L);
    EXPECT_INT(got, 5000);
    link_free(l);
    settle();
    loop_free(L);
    close(raw);
}

/* ---- hostile peers ---------------------------------------------------------------------- */

static void send_bytes(const void *p, size_t n, const int *fds, unsigned fd_count)
{
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int) * 40)];
    struct iovec iov = {(void *)(uintptr_t)p, n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    frame_put_fds(&m, control, fds, fd_count);
    EXPECT(sendmsg(far, &m, MSG_NOSIGNAL) == (ssize_t)n);
}

struct hostile {
    const char *name;
    enum role self, peer;
    unsigned id;
    uint8_t flags, zero;
    uint32_t call;
    int32_t status;
    size_t body, cut; /* cut: only so many bytes are sent */
    unsigned fds;
    bool fine; /* the link stays */
};

/* clang-format off */
static const struct hostile table[] = {
    {.name = "a right call", .id = MSG_CONTROL_RELOAD, .call = 5, .body = 64, .fine = true},
    {.name = "one byte too long", .id = MSG_CONTROL_RELOAD, .call = 5, .body = 65},
    {.name = "longer than any message", .id = MSG_CONTROL_RELOAD, .call = 5, .body = 140000},
    {.name = "truncated header", .id = MSG_CONTROL_RELOAD, .call = 5, .cut = 11},
    {.name = "one byte", .id = MSG_CONTROL_RELOAD, .call = 5, .cut = 1},
    {.name = "unknown flags", .id = MSG_CONTROL_RELOAD, .flags = 2, .call = 5},
    {.name = "zero that is not", .id = MSG_CONTROL_RELOAD, .zero = 1, .call = 5},
    {.name = "call without a number", .id = MSG_CONTROL_RELOAD},
    {.name = "call with a status", .id = MSG_CONTROL_RELOAD, .call = 5, .status = -1},
    {.name = "a section", .id = MSG_SECTION_100, .call = 5},
    {.name = "number zero", .id = 0, .call = 5},
    {.name = "past the table", .id = 65535, .call = 5},
    {.name = "extra descriptor", .id = MSG_CONTROL_RELOAD, .call = 5, .fds = 1},
    {.name = "forty descriptors", .id = MSG_CONTROL_RELOAD, .call = 5, .fds = 40},
    {.name = "not the sender's", .id = MSG_CHILD_STOP, .self = ROLE_KEYD},
    {.name = "not the receiver's", .id = MSG_CHILD_STATUS, .self = ROLE_SUPERVISOR, .peer = ROLE_KEYD},
    {.name = "a right note", .id = MSG_CHILD_READY, .peer = ROLE_KEYD, .fine = true},
    {.name = "note with a number", .id = MSG_CHILD_READY, .peer = ROLE_KEYD, .call = 1},
    {.name = "note as an answer", .id = MSG_CHILD_READY, .peer = ROLE_KEYD, .flags = 1, .call = 1},
    {.name = "note from the wrong role", .id = MSG_CHILD_STOP, .self = ROLE_AUTHD, .peer = ROLE_KEYD},
    {.name = "unsolicited answer", .id = MSG_CONTROL_RELOAD, .self = ROLE_MANAGER,
     .peer = ROLE_SUPERVISOR, .flags = 1, .call = 0x10000},
    {.name = "answer from who is not asked", .id = MSG_CONTROL_RELOAD, .flags = 1, .call = 0x10000},
    {.name = "answer with a positive status", .id = MSG_CONTROL_RELOAD, .self = ROLE_MANAGER,
     .peer = ROLE_SUPERVISOR, .flags = 1, .call = 0x10000, .status = 1},
};
/* clang-format on */

static unsigned open_fds(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TEST(hostile_frames_close_the_link_and_leave_no_descriptor)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct hostile *h = &table[i];
        enum role self = h->self ? h->self : ROLE_SUPERVISOR;
        enum role peer = h->peer ? h->peer : ROLE_MANAGER;
        struct frame_head head = {.id = h->id, .call = h->call, .status = h->status};
        unsigned char *bytes = calloc(1, FRAME_HEAD_BYTES + h->body);
        unsigned before;
        int fds[2], extra[40];
        struct link *l;

        unit_case(h->name);
        L = loop_new();
        before = open_fds();
        pair(fds);
        far = fds[1];
        closed = 0;
        l = link_new(L, fds[0], self, peer, 0, &quiet);
        supervisor = l;
        frame_header(&head, bytes);
        bytes[2] = h->flags;
        bytes[3] = h->zero;
        for (unsigned k = 0; k < h->fds; k++)
            extra[k] = 0;
        send_bytes(bytes, h->cut ? h->cut : FRAME_HEAD_BYTES + h->body, extra, h->fds);
        settle();
        EXPECT_INT(closed, h->fine ? 0 : 1);
        if (closed == 0)
            link_free(l);
        settle();
        close(far);
        EXPECT_INT(open_fds(), before);
        loop_free(L);
        free(bytes);
        supervisor = NULL;
    }
    unit_case(NULL);
}

/* Answers that are wrong although a call waits. */
static void asking_fn(void *arg)
{
    EXPECT_INT(link_call(manager, MSG_CONTROL_CONNECT, SPAN_EMPTY, NULL, 0, 1000, NULL, NULL),
               -EPIPE);
    ended();
}

TEST(wrong_answers_to_a_right_call)
{
    static const struct {
        const char *name;
        unsigned id;
        uint32_t add; /* to the call number */
        size_t body;
        unsigned fds;
    } wrong[] = {
        {"answer to another message", MSG_CONTROL_STATUS,  0,       0,  0},
        {"another slot",              MSG_CONTROL_CONNECT, 1,       0,  0},
        {"another generation",        MSG_CONTROL_CONNECT, 1 << 16, 0,  0},
        {"too long",                  MSG_CONTROL_CONNECT, 0,       65, 0},
        {"extra descriptor",          MSG_CONTROL_CONNECT, 0,       0,  2},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct buf store BUF_AUTO = BUF(FRAME_MAX_BYTES);
        struct frame_head head = {.id = wrong[i].id, .reply = true};
        unsigned char bytes[FRAME_HEAD_BYTES + 65] = {0};
        static const int stdio[2] = {0, 1};
        struct frame f;
        int fds[2];

        unit_case(wrong[i].name);
        L = loop_new();
        pair(fds);
        far = fds[1];
        closed = 0;
        left = 1;
        manager = link_new(L, fds[0], ROLE_MANAGER, ROLE_SUPERVISOR, 0, &quiet);
        fiber_start(L, asking_fn, NULL, "asking");
        settle();
        EXPECT_INT(link_raw_recv(far, ROLE_SUPERVISOR, ROLE_MANAGER, 0, &store, &f), 0);
        head.call = f.call + wrong[i].add;
        frame_header(&head, bytes);
        send_bytes(bytes, FRAME_HEAD_BYTES + wrong[i].body, stdio, wrong[i].fds);
        settle();
        EXPECT_INT(closed, 1);
        EXPECT_INT(left, 0);
        close(far);
        loop_free(L);
    }
    unit_case(NULL);
}

TEST(frames_before_a_bad_one_are_handled_those_after_it_are_not)
{
    int fds[2];

    L = loop_new();
    pair(fds);
    far = fds[1];
    closed = handled = 0;
    supervisor = link_new(L, fds[0], ROLE_SUPERVISOR, ROLE_MANAGER, 0, &stopping);
    for (unsigned i = 1; i <= 40; i++) {
        struct frame_head head = {.id = i == 30 ? 99 : MSG_CONTROL_STATUS, .call = i};
        unsigned char bytes[FRAME_HEAD_BYTES];
        frame_header(&head, bytes);
        send_bytes(bytes, sizeof bytes, NULL, 0);
    }
    loop_run(L);
    EXPECT_INT(handled, 29);
    EXPECT_INT(closed, 1);
    loop_free(L);
    close(far);
}

TEST(flood_of_calls_is_answered_busy)
{
    struct buf store BUF_AUTO = BUF(FRAME_MAX_BYTES);
    unsigned busy = 0;
    struct frame f;
    int fds[2];

    L = loop_new();
    pair(fds);
    far = fds[1];
    closed = handled = 0;
    supervisor = link_new(L, fds[0], ROLE_SUPERVISOR, ROLE_MANAGER, 0, &quiet);
    for (unsigned i = 1; i <= 9000; i++) {
        EXPECT_INT(link_raw_send(far, MSG_CONTROL_RELOAD, false, i, 0, SPAN_EMPTY, NULL, 0), 0);
        if (i % 100 == 0)
            turn(1);
    }
    turn(1);
    EXPECT_INT(handled, 8192);
    while (link_raw_recv(far, ROLE_MANAGER, ROLE_SUPERVISOR, 10, &store, &f) == 0) {
        EXPECT_INT(f.status, -EBUSY);
        busy++;
        turn(1);
    }
    EXPECT_INT(busy, 9000 - 8192);
    EXPECT_INT(closed, 0);
    link_free(supervisor);
    turn(1);
    loop_free(L);
    close(far);
    supervisor = NULL;
}

static bool go_on;

static void wait_fn(void *arg)
{
    while (!go_on)
        fiber_cond_wait(arg, UINT64_MAX);
}

TEST(no_more_fibers_than_there_are_mappings)
{
    struct fiber_cond all = FIBER_COND_INIT;
    struct buf store BUF_AUTO = BUF(FRAME_MAX_BYTES);
    struct frame f;
    int fds[2];

    L = loop_new();
    pair(fds);
    far = fds[1];
    handled = 0;
    go_on = false;
    supervisor = link_new(L, fds[0], ROLE_SUPERVISOR, ROLE_MANAGER, 0, &quiet);
    for (int i = 0; i < 16384; i++)
        fiber_start(L, wait_fn, &all, "wait");
    for (uint32_t call = 1; call <= 2; call++) {
        EXPECT_INT(link_raw_send(far, MSG_CONTROL_CONNECT, false, call, 0, SPAN("none"), NULL, 0),
                   0);
        settle();
        EXPECT_INT(link_raw_recv(far, ROLE_MANAGER, ROLE_SUPERVISOR, 1000, &store, &f), 0);
        EXPECT_INT(f.status, call == 1 ? -EBUSY : -ENOENT);
        go_on = true;
        fiber_cond_broadcast(&all);
        for (int i = 0; i < 1000 && fiber_stats().parked > 0; i++)
            settle();
    }
    EXPECT_INT(handled, 1);
    EXPECT_INT(fiber_stats().parked, 0);
    link_free(supervisor);
    settle();
    loop_free(L);
    close(far);
    supervisor = NULL;
}

/* ---- the parts -------------------------------------------------------------------------- */

TEST(link_ids_are_never_used_again)
{
    int fds[2];
    uint64_t first;

    L = loop_new();
    pair(fds);
    manager = link_new(L, fds[0], ROLE_MANAGER, ROLE_SUPERVISOR, 0, &quiet);
    first = link_id(manager);
    EXPECT(link_by_id(first) == manager);
    EXPECT_INT(link_peer(manager), ROLE_SUPERVISOR);
    link_free(manager);
    EXPECT(link_by_id(first) == NULL);
    EXPECT(link_by_id(0) == NULL && link_by_id(UINT64_MAX) == NULL);
    manager = link_new(L, fds[1], ROLE_MANAGER, ROLE_SUPERVISOR, 3, &quiet);
    EXPECT(link_id(manager) != first && link_by_id(first) == NULL);
    EXPECT_INT(link_instance(manager), 3);
    EXPECT_INT(link_reply(first, MSG_CONTROL_STATUS, 1, 0, SPAN_EMPTY, NULL, 0), -EPIPE);
    link_free(manager);
    manager = NULL;
    link_free(NULL);
    loop_free(L);
}

TEST(pending_numbers_carry_a_generation)
{
    struct pending_table t = {NULL, 0, 0, 0, 0};
    struct pending p;
    uint32_t a = pending_add(&t, 9, on_async, NULL), b;

    EXPECT(a != 0 && !pending_take(&t, a, 8, &p));
    EXPECT(pending_take(&t, a, 9, &p) && p.done == on_async);
    EXPECT(!pending_take(&t, a, 9, &p));
    b = pending_add(&t, 9, on_async, NULL);
    EXPECT(b != a && (b & 0xffff) == (a & 0xffff));
    EXPECT(!pending_take(&t, a, 9, &p));
    pending_abandon(&t, b);
    EXPECT(pending_take(&t, b, 9, &p) && p.done == NULL);
    for (uint32_t i = 0; i < PENDING_MAX; i++)
        EXPECT(pending_add(&t, 1, NULL, NULL) != 0);
    EXPECT_INT(pending_add(&t, 1, NULL, NULL), 0);
    EXPECT_INT(t.used, PENDING_MAX);
    pending_done(&t);
}

TEST(roles_have_names)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        enum role r = (enum role)(1u << i);
        EXPECT_INT(role_by_name(role_name(r)), r);
        EXPECT_INT(role_index(r), i);
    }
    EXPECT_INT(role_by_name("root"), 0);
    EXPECT_STR(role_name(ROLE_MX), "mx");
}

TEST(rows)
{
    EXPECT(msg_row(0) == NULL && msg_row(MSG_SECTION_100) == NULL && msg_row(1 << 20) == NULL);
    EXPECT_STR(msg_row(MSG_CHILD_START)->name, "CHILD_START");
    EXPECT_INT(MSG_CHILD_START, 1); /* the wire numbers do not move */
    EXPECT_INT(MSG_CONTROL_CONF, 13);
}

TEST(raw_call_between_blocking_ends)
{
    struct buf store BUF_AUTO = BUF(FRAME_MAX_BYTES);
    struct frame f;
    int fds[2];

    pair(fds);
    EXPECT_INT(link_raw_recv(fds[1], ROLE_SUPERVISOR, ROLE_MANAGER, 5, &store, &f), -ETIMEDOUT);
    EXPECT_INT(link_raw_send(fds[0], MSG_CONTROL_CONNECT, false, 3, 0, SPAN("q"), NULL, 0), 0);
    EXPECT_INT(link_raw_recv(fds[1], ROLE_SUPERVISOR, ROLE_MANAGER, 5, &store, &f), 0);
    EXPECT(f.id == MSG_CONTROL_CONNECT && !f.reply && f.call == 3 && f.fd_count == 0);
    EXPECT_SPAN(f.body, SPAN("q"));
    EXPECT_INT(link_raw_send(fds[1], f.id, true, f.call, -ENOENT, SPAN("a"), fds, 1), 0);
    EXPECT_INT(link_raw_recv(fds[0], ROLE_MANAGER, ROLE_SUPERVISOR, 5, &store, &f), 0);
    EXPECT(f.reply && f.status == -ENOENT && f.fd_count == 1);
    close(f.fds[0]);
    EXPECT_INT(link_raw_send(fds[1], MSG_CONTROL_STATUS, true, 1, 0, SPAN_EMPTY, fds, 1),
               -EMSGSIZE);
    /* the same checks as on a link */
    EXPECT_INT(link_raw_send(fds[1], MSG_CONTROL_STATUS, false, 1, 0, SPAN_EMPTY, NULL, 0), 0);
    EXPECT_INT(link_raw_recv(fds[0], ROLE_MANAGER, ROLE_SUPERVISOR, 5, &store, &f), -EBADMSG);
    close(fds[1]);
    EXPECT_INT(link_raw_recv(fds[0], ROLE_MANAGER, ROLE_SUPERVISOR, 5, &store, &f), -EPIPE);
    close(fds[0]);
}
