/*
 * The authd program itself, in its jail, with this test as its supervisor, manager and workers. It
 * is killed in the middle of things.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"
#include "directory/authd_msg.h"
#include "proc/child/child.h"
#include "proc/child/child_msg.h"
#include "sasl/auth.h"
#include "unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

static char folder[64];
static unsigned char secret[CHILD_SECRET_BYTES];
static struct process {
    pid_t pid;
    int supervisor, manager, access; /* our ends */
    uint32_t generation, call;
} p;

static int conf_memfd(void)
{
    BUF_AUTO struct buf text = BUF(4096), problems = BUF(4096), bytes = BUF(1 << 20);
    int fd = memfd_create("conf", MFD_CLOEXEC);

    buf_printf(&text, "domain = \"example.org\";\nhostname = \"mail.example.org\";\n"
                      "user_prefix = \"\";\nargon2_memory_kib = 1024;\nargon2_passes = 1;\n");
    struct conf *c = conf_parse(buf_span(&text), "test", &problems);
    if (!c) {
        fprintf(stderr, "%s\n", buf_cstr(&problems));
        abort();
    }
    conf_wr(c, &bytes);
    CHECK(fd >= 0 && fd_write_all(fd, bytes.p, bytes.n) == 0);
    conf_free(c);
    return fd;
}

static void send_start(void)
{
    BUF_AUTO struct buf b = BUF(1024);
    struct child_start s = {.role = ROLE_AUTHD, .instance_count = 1, .generation = ++p.generation};
    int conf = conf_memfd();

    memcpy(s.grant_secret, secret, sizeof secret);
    snprintf(s.root, sizeof s.root, "%s", folder);
    wr_child_start(&b, &s);
    CHECK(link_raw_send(p.supervisor, MSG_CHILD_START, false, 0, 0, buf_span(&b), &conf, 1) == 0);
    close(conf);
}

static int give_peer(enum role role)
{
    BUF_AUTO struct buf b = BUF(64);
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    wr_child_peer(&b, role, 0);
    CHECK(link_raw_send(p.supervisor, MSG_CHILD_PEER, false, 0, 0, buf_span(&b), &fds[1], 1) == 0);
    close(fds[1]);
    return fds[0];
}

static bool wait_ready(void)
{
    BUF_AUTO struct buf store = BUF(LINK_PAYLOAD_MAX + 64);
    struct frame f;

    while (link_raw_recv(p.supervisor, ROLE_SUPERVISOR, ROLE_AUTHD, WAIT_MS, &store, &f) == 0)
        if (f.id == MSG_CHILD_READY)
            return true;
    return false;
}

static void start_process(void)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    p.pid = fork();
    CHECK(p.pid >= 0);
    if (p.pid == 0) {
        if (fds[1] == CHILD_LINK_FD)
            fd_cloexec(fds[1], false);
        else
            dup2(fds[1], CHILD_LINK_FD);
        execl(AUTHD_PROGRAM, AUTHD_PROGRAM, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    p.supervisor = fds[0];
    send_start();
    if (!wait_ready()) {
        unit_fail(__FILE__, __LINE__, "authd did not get ready");
        abort();
    }
    p.manager = give_peer(ROLE_MANAGER);
    p.access = give_peer(ROLE_ACCESS);
}

static int end_process(int signo)
{
    int status = 0;

    if (signo)
        kill(p.pid, signo);
    CHECK(waitpid(p.pid, &status, 0) == p.pid);
    close(p.supervisor);
    close(p.manager);
    close(p.access);
    return status;
}

static unsigned changes_told; /* to workers, so that they forget where addresses led */

/* A call and its answer, with nothing between them but word of changes. */
static int call(int fd, enum role self, enum msg_id id, struct span body, struct buf *reply)
{
    BUF_AUTO struct buf store = BUF(LINK_PAYLOAD_MAX + 64);
    struct frame f;
    uint32_t number = ++p.call;

    buf_clear(reply);
    int rc = link_raw_send(fd, id, false, number, 0, body, NULL, 0);
    if (rc < 0)
        return rc;
    while ((rc = link_raw_recv(fd, self, ROLE_AUTHD, WAIT_MS, &store, &f)) == 0 &&
           f.id == MSG_AUTH_CHANGED && fd == p.access) {
        changes_told++;
        buf_clear(&store);
    }
    if (rc < 0)
        return rc;
    EXPECT(f.reply && f.id == id && f.call == number);
    buf_put_span(reply, f.body);
    return f.status;
}

static void make_folder(void)
{
    char path[100];

    random_bytes(secret, sizeof secret);
    snprintf(folder, sizeof folder, "/tmp/authd_process_test.XXXXXX");
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/directory", folder);
    CHECK(mkdir(path, 0700) == 0);
}

static void remove_folder(void)
{
    static const char *const files[] = {"directory/directory.db", "directory/directory.db-wal",
                                        "directory/directory.db-shm", "directory", ""};
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        remove(path);
    }
}

static const struct authd_context context = {.vserver = "imap4-default",
                                             .protocol = "imap4",
                                             .peer = IN6ADDR_LOOPBACK_INIT,
                                             .trusted = true,
                                             .tls = true,
                                             .session = 77};

static int add_account(const char *name)
{
    BUF_AUTO struct buf b = BUF(4096), reply = BUF(LINK_PAYLOAD_MAX);
    struct authd_account_add q = {span_cstr(name), SPAN(""), SPAN("pencil"), 7, 31};

    wr_authd_account_add(&b, &q);
    return call(p.manager, ROLE_MANAGER, MSG_ACCOUNT_ADD, buf_span(&b), &reply);
}

/* The step, or a negative errno. state may be NULL. */
static int answer_of(int rc, const struct buf *reply, struct buf *state)
{
    struct authd_answer a;

    if (rc < 0)
        return rc;
    if (!rd_authd_answer(buf_span(reply), &a))
        return -EBADMSG;
    if (state) {
        buf_clear(state);
        buf_put_span(state, a.state);
    }
    return a.step;
}

static int login(const char *user, const char *password)
{
    BUF_AUTO struct buf b = BUF(4096), reply = BUF(LINK_PAYLOAD_MAX);

    wr_authd_password(&b, &(struct authd_password){context, span_cstr(user), span_cstr(password)});
    return answer_of(call(p.access, ROLE_ACCESS, MSG_AUTH_PASSWORD, buf_span(&b), &reply), &reply,
                     NULL);
}

TEST(accounts_and_exchanges_outlive_a_kill)
{
    BUF_AUTO struct buf x = BUF(1024), b = BUF(16384), reply = BUF(LINK_PAYLOAD_MAX),
                        state = BUF(AUTHD_STATE_MAX);
    char name[16];

    make_folder();
    start_process();
    wr_authd_context(&x, &context);
    EXPECT_INT(add_account("joe"), 0);
    EXPECT_INT(login("joe", "pencil"), AUTH_OK);
    EXPECT_INT(changes_told, 1);
    EXPECT_INT(login("joe", "pencils"), AUTH_FAIL);
    wr_authd_start(&b, buf_span(&x), SPAN("LOGIN"), SPAN("joe"));
    EXPECT_INT(answer_of(call(p.access, ROLE_ACCESS, MSG_AUTH_START, buf_span(&b), &reply), &reply,
                         &state),
               AUTH_CONTINUE);

    /* every account whose addition was answered is there after each kill */
    for (int round = 0; round < 3; round++) {
        snprintf(name, sizeof name, "u%d", round);
        EXPECT_INT(add_account(name), 0);
        int status = end_process(SIGKILL);
        EXPECT(WIFSIGNALED(status));
        start_process();
        for (int i = 0; i <= round; i++) {
            snprintf(name, sizeof name, "u%d", i);
            EXPECT_INT(login(name, "pencil"), AUTH_OK);
        }
    }
    /* an exchange begun three processes ago */
    buf_clear(&b);
    wr_authd_continue(&b, buf_span(&x), buf_span(&state), SPAN("pencil"));
    EXPECT_INT(answer_of(call(p.access, ROLE_ACCESS, MSG_AUTH_CONTINUE, buf_span(&b), &reply),
                         &reply, NULL),
               AUTH_OK);
    /* but not one of another run */
    end_process(SIGKILL);
    random_bytes(secret, sizeof secret);
    start_process();
    EXPECT_INT(answer_of(call(p.access, ROLE_ACCESS, MSG_AUTH_CONTINUE, buf_span(&b), &reply),
                         &reply, NULL),
               AUTH_FAIL);
    end_process(SIGKILL);
    remove_folder();
}

TEST(hostile_peers_end_their_link_only)
{
    BUF_AUTO struct buf b = BUF(LINK_PAYLOAD_MAX), reply = BUF(LINK_PAYLOAD_MAX);
    static char bytes[16384];

    make_folder();
    start_process();
    EXPECT_INT(add_account("joe"), 0);
    for (int i = 0; i < 60; i++) {
        int fd = give_peer(i % 3 == 0 ? ROLE_MX : ROLE_ACCESS), null = -1;
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (char)unit_random();
        switch (i % 6) {
        case 0: /* mx may not log anybody in */
            link_raw_send(fd, MSG_AUTH_PASSWORD, false, 1, 0, span_of(bytes, 100), NULL, 0);
            break;
        case 1: /* no frame at all */
            send(fd, bytes, unit_random() % sizeof bytes, MSG_NOSIGNAL);
            break;
        case 2: /* a descriptor that the row does not allow */
            null = dup(STDERR_FILENO);
            {
                struct iovec iov = {bytes, 12};
                union {
                    struct cmsghdr head;
                    char room[CMSG_SPACE(sizeof(int))];
                } control = {
                    .head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}
                };
                struct msghdr m = {.msg_iov = &iov,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof control};
                memcpy(CMSG_DATA(&control.head), &null, sizeof null);
                sendmsg(fd, &m, MSG_NOSIGNAL);
            }
            break;
        case 3: /* an answer to what was not asked */
            link_raw_send(fd, MSG_RESOLVE, true, 7, 0, span_of(bytes, 20), NULL, 0);
            break;
        case 4: /* right row, wrong bytes */
            link_raw_send(fd, MSG_AUTH_CONTINUE, false, 1, 0, span_of(bytes, unit_random() % 4096),
                          NULL, 0);
            break;
        default: /* gone at once, with a call under way */
            buf_clear(&b);
            wr_authd_password(&b, &(struct authd_password){context, SPAN("joe"), SPAN("x")});
            link_raw_send(fd, MSG_AUTH_PASSWORD, false, 1, 0, buf_span(&b), NULL, 0);
            break;
        }
        if (null >= 0)
            close(null);
        usleep(3000); /* the next peer takes the place of this one */
        close(fd);
    }
    close(p.access);
    p.access = give_peer(ROLE_ACCESS);
    EXPECT_INT(login("joe", "pencil"), AUTH_OK);
    EXPECT_INT(call(p.manager, ROLE_MANAGER, MSG_CHILD_STATUS, SPAN_EMPTY, &reply), 0);
    EXPECT(span_find_span(buf_span(&reply), SPAN("\"accounts\":1")) != SPAN_NONE);
    EXPECT_INT(waitpid(p.pid, NULL, WNOHANG), 0);

    buf_clear(&b);
    wr_child_stop(&b, 0);
    EXPECT_INT(link_raw_send(p.supervisor, MSG_CHILD_STOP, false, 0, 0, buf_span(&b), NULL, 0), 0);
    int status = end_process(0);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 0);
    remove_folder();
}
