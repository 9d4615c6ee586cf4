/* process_test.c: the real sealpost-keyd behind its walls, with this process as supervisor and as
 * every peer. */
#include "base/buf.h"
#include "base/check.h"
#include "base/fd.h"
#include "conf/conf.h"
#include "ipc/frame.h"
#include "pki/keyd_msg.h"
#include "proc/child/child_msg.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    struct loop *loop;
    char root[48];
    pid_t pid;
    int supervisor; /* our end of descriptor 3 */
    struct link *peer;
    unsigned closed;
    void (*body)(struct world *w);
};

static int conf_memfd(void)
{
    struct buf problems BUF_AUTO = BUF(65536);
    struct buf bytes BUF_AUTO = BUF(1 << 20);
    struct conf *c = conf_parse(SPAN("domain = \"example.org\"; hostname = \"mail.example.org\"; "
                                     "user_prefix = \"\"; log_level = \"error\";\n"),
                                "test", &problems);
    int fd = memfd_create("conf", MFD_CLOEXEC);

    if (c == NULL)
        fprintf(stderr, "%.*s\n", SPAN_ARG(buf_span(&problems)));
    CHECK(c != NULL && fd >= 0);
    conf_wr(c, &bytes);
    CHECK(fd_write_all(fd, bytes.p, bytes.n) == 0);
    conf_free(c);
    return fd;
}

static void spawn(struct world *w)
{
    struct child_start start = {.role = ROLE_KEYD, .instance_count = 1, .generation = 1};
    struct buf b BUF_AUTO = BUF(4096);
    struct buf store BUF_AUTO = BUF(LINK_PAYLOAD_MAX + 64);
    int fds[2], conf = conf_memfd();
    struct frame f;

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    w->pid = fork();
    CHECK(w->pid >= 0);
    if (w->pid == 0) {
        if (fds[1] == CHILD_LINK_FD)
            fd_cloexec(fds[1], false);
        else
            dup2(fds[1], CHILD_LINK_FD);
        execl(KEYD_PROGRAM, "sealpost-keyd", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    w->supervisor = fds[0];
    snprintf(start.root, sizeof start.root, "%s", w->root);
    wr_child_start(&b, &start);
    CHECK(link_raw_send(w->supervisor, MSG_CHILD_START, false, 0, 0, buf_span(&b), &conf, 1) == 0);
    close(conf);
    CHECK(link_raw_recv(w->supervisor, ROLE_SUPERVISOR, ROLE_KEYD, 20000, &store, &f) == 0);
    CHECK(f.id == MSG_CHILD_READY);
}

/* Hands keyd the other end of a new link with that role; ours is returned. */
static int peer_fd(struct world *w, enum role who)
{
    struct buf b BUF_AUTO = BUF(64);
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    wr_child_peer(&b, who, 0);
    CHECK(link_raw_send(w->supervisor, MSG_CHILD_PEER, false, 0, 0, buf_span(&b), &fds[1], 1) == 0);
    close(fds[1]);
    return fds[0];
}

static void on_closed(void *arg, struct link *l)
{
    struct world *w = arg;
    w->closed++;
    if (w->peer == l)
        w->peer = NULL;
}

static void become(struct world *w, enum role who)
{
    static const struct msg_handler none[] = {
        {0, NULL, false}
    };
    struct link_ops ops = {none, on_closed, w};

    link_free(w->peer);
    w->peer = link_new(w->loop, peer_fd(w, who), who, ROLE_KEYD, 0, &ops);
}

static struct link *peer_link(void *arg)
{
    struct world *w = arg;
    return w->peer;
}

static bool alive(const struct world *w)
{
    return waitpid(w->pid, NULL, WNOHANG) == 0;
}

/* 0: an orderly end. */
static int stop(struct world *w)
{
    struct buf b BUF_AUTO = BUF(64);
    int status = -1;

    link_free(w->peer);
    w->peer = NULL;
    wr_child_stop(&b, 0);
    CHECK(link_raw_send(w->supervisor, MSG_CHILD_STOP, false, 0, 0, buf_span(&b), NULL, 0) == 0);
    for (int i = 0; i < 1000; i++) {
        if (waitpid(w->pid, &status, WNOHANG) == w->pid)
            break;
        usleep(10000);
        status = -1;
    }
    if (status == -1) {
        kill(w->pid, SIGKILL);
        waitpid(w->pid, NULL, 0);
    }
    close(w->supervisor);
    return status;
}

static void body_fiber(void *arg)
{
    struct world *w = arg;
    w->body(w);
    loop_stop(w->loop);
}

static void body_start(void *arg)
{
    struct world *w = arg;
    fiber_start(w->loop, body_fiber, w, "test");
}

static void run(void (*body)(struct world *w))
{
    struct world w = {.root = "/tmp/keyd-process-XXXXXX", .body = body};
    char command[80];

    CHECK(mkdtemp(w.root) != NULL);
    w.loop = loop_new();
    key_provider_init(peer_link, &w);
    spawn(&w);
    loop_defer(w.loop, body_start, &w);
    loop_run(w.loop);
    EXPECT_INT(stop(&w), 0);
    loop_free(w.loop);
    snprintf(command, sizeof command, "rm -rf %s", w.root);
    CHECK(system(command) == 0);
}

/* --- it does its work inside the walls */

static int sign_tls13(const struct world *w, const struct key_info *k, bool spoil,
                      enum key_algorithm a)
{
    struct buf body BUF_AUTO = BUF(1024);
    struct key_sign_request r = {.purpose = KEY_TLS_SERVER, .algorithm = a, .digest = KEY_SHA256};
    char text[130];

    memset(text, ' ', 64);
    memcpy(text + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(text + 98, 'h', 32);
    text[5] = spoil ? '!' : ' ';
    r.text = span_of(text, sizeof text);
    CHECK(key_id_parse(k->id, r.id));
    wr_key_sign(&body, &r);
    return link_call(w->peer, MSG_KEY_SIGN, buf_span(&body), NULL, 0, 10000, NULL, NULL);
}

static void works(struct world *w)
{
    struct key_info ec, rsa, ca, got;

    become(w, ROLE_CERTD);
    EXPECT_INT(key_create("vserver/x", "p256", KEY_TLS_SERVER, false, &ec), 0);
    EXPECT_INT(key_create("vserver/y", "rsa2048", KEY_TLS_SERVER, false, &rsa), 0);
    become(w, ROLE_CAD);
    EXPECT_INT(key_create("ca/root", "p384", KEY_CA, false, &ca), 0);
    become(w, ROLE_ACCESS);
    EXPECT_INT(sign_tls13(w, &ec, false, KEY_ECDSA), 0);
    EXPECT_INT(sign_tls13(w, &rsa, false, KEY_RSA_PSS), 0); /* a helper thread */
    EXPECT_INT(sign_tls13(w, &ec, true, KEY_ECDSA), -EINVAL);
    EXPECT_INT(stop(w), 0);
    spawn(w);
    become(w, ROLE_ACCESS);
    EXPECT_INT(key_get(ec.id, &got), 0);
    EXPECT_INT(sign_tls13(w, &rsa, false, KEY_RSA_PSS), 0);
    become(w, ROLE_CERTD);
    EXPECT_INT(key_delete(ec.id), 0);
    kill(w->pid, SIGKILL); /* what was answered is on the disk */
    waitpid(w->pid, NULL, 0);
    link_free(w->peer);
    w->peer = NULL;
    close(w->supervisor);
    spawn(w);
    become(w, ROLE_CERTD);
    EXPECT_INT(key_get(ec.id, &got), -ENOENT);
    EXPECT_INT(key_get(rsa.id, &got), 0);
}

TEST(keyd_works_behind_its_walls)
{
    run(works);
}

/* --- a peer that was taken over loses its link and nothing else happens */

static bool link_ends(int fd)
{
    static char frame[FRAME_MAX_BYTES];

    for (int i = 0; i < 200; i++) {
        ssize_t n = recv(fd, frame, sizeof frame, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        if (n < 0)
            fiber_sleep_ms(5);
    }
    return false;
}

static void breaches(struct world *w)
{
    static char big[FRAME_MAX_BYTES];
    static const struct {
        const char *what;
        enum role who;
        unsigned id;
        size_t bytes;
        bool reply, with_fd;
    } rows[] = {
        {"a session that makes keys",               ROLE_ACCESS, MSG_KEY_CREATE,      40,    false, false},
        {"relayd that deletes keys",                ROLE_RELAYD, MSG_KEY_DELETE,      16,    false, false},
        {"a session that lists keys",               ROLE_MX,     MSG_KEY_LIST,        20,    false, false},
        {"stored that signs",                       ROLE_STORED, MSG_KEY_SIGN,        40,    false, false},
        {"certd that asks for ticket keys",         ROLE_CERTD,  MSG_KEY_TICKETS,     0,     false, false},
        {"a session that sends what only keyd may", ROLE_ACCESS, MSG_KEY_TICKETS_NEW, 81,    false,
         false                                                                                           },
        {"an id too long",                          ROLE_ACCESS, MSG_KEY_GET,         17,    false, false},
        {"a text too long",                         ROLE_ACCESS, MSG_KEY_SIGN,        65665, false, false},
        {"an answer to nothing",                    ROLE_ACCESS, MSG_KEY_SIGN,        64,    true,  false},
        {"a descriptor",                            ROLE_ACCESS, MSG_KEY_SIGN,        64,    false, true },
        {"no such message",                         ROLE_ACCESS, 199,                 8,     false, false},
        {"the supervisor's message",                ROLE_ACCESS, MSG_CHILD_STOP,      4,     false, false},
    };
    struct key_info k;

    become(w, ROLE_CERTD);
    REQUIRE(key_create("vserver/x", "p256", KEY_TLS_SERVER, false, &k) == 0);
    become(w, ROLE_ACCESS);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = peer_fd(w, rows[i].who), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        unsigned char head[FRAME_HEAD_BYTES];
        struct frame_head h = {.id = rows[i].id, .reply = rows[i].reply, .call = 1};
        unit_case(rows[i].what);
        frame_header(&h, head);
        memcpy(big, head, sizeof head);
        struct iovec io = {big, sizeof head + rows[i].bytes};
        _Alignas(struct cmsghdr) char control[FRAME_CONTROL_BYTES];
        struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
        if (rows[i].with_fd)
            frame_put_fds(&m, control, &null, 1);
        EXPECT(sendmsg(fd, &m, MSG_NOSIGNAL) > 0);
        EXPECT(link_ends(fd));
        EXPECT(alive(w));
        close(fd);
        close(null);
        /* another instance of the same role was not harmed, unless the test replaced it */
        become(w, ROLE_ACCESS);
        EXPECT_INT(sign_tls13(w, &k, false, KEY_ECDSA), 0);
    }
    unit_case(NULL);
    for (int i = 0; i < 200; i++) { /* frames of random bytes, also truncated ones */
        int fd = peer_fd(w, ROLE_ACCESS);
        size_t n = 1 + unit_random() % 200;
        for (size_t j = 0; j < n; j++)
            big[j] = (char)unit_random();
        EXPECT(send(fd, big, n, MSG_NOSIGNAL) > 0);
        EXPECT(link_ends(fd));
        close(fd);
    }
    EXPECT(alive(w));
    become(w, ROLE_ACCESS);
    EXPECT_INT(sign_tls13(w, &k, false, KEY_ECDSA), 0);
}

TEST(breaches_cost_the_link_only)
{
    run(breaches);
}
