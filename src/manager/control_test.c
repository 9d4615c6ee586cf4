/* The way to a server: its folder, and a supervisor that says strange things. */
#include "manager/control.h"

#include "base/check.h"
#include "base/fd.h"
#include "manager/command.h"
#include "proc/child/child_msg.h"
#include "unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

TEST(data_folder)
{
    static const struct {
        const char *text, *file, *want;
    } rows[] = {
        {"data = \"data\";",                 "/etc/x/sealpost.conf", "/etc/x/data"      },
        {"data=\"/var/lib/sealpost\"",       "/etc/x/sealpost.conf", "/var/lib/sealpost"},
        {"  data : \"d\"\n",                 "sealpost.conf",        "./d"              },
        {"domain = \"x\";\ndata = \"y\";\n", "./run/s.conf",         "./run/y"          },
        {"# data = \"no\"\n",                "a/b",                  "a/data"           },
        {"database = \"no\";",               "a/b",                  "a/data"           },
        {"data = broken\ndata = \"yes\"",    "a/b",                  "a/yes"            },
        {"",                                 "/s.conf",              "/data"            },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(4096);
        unit_case(rows[i].text);
        EXPECT(control_find_data(span_cstr(rows[i].text), rows[i].file, &b));
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].want));
    }
    unit_case(NULL);
}

/* ---- a supervisor ------------------------------------------------------------------------ */

enum manner { GOOD, CLOSES, OTHER_CALL, WRONG_MESSAGE, NOTES_FIRST, NO_LINK, REFUSES };

struct fake_supervisor {
    char folder[64], conf[96];
    int fd;
    enum manner manner;
    pthread_t thread;
};

static void answer(struct fake_supervisor *s, int fd, const struct frame *f)
{
    int pair[2] = {-1, -1};

    if (s->manner == CLOSES)
        return;
    if (s->manner == NOTES_FIRST)
        for (unsigned i = 0; i < 3; i++)
            link_raw_send(fd, MSG_CONTROL_STOP, true, 12345 + i, 0, SPAN_EMPTY, NULL, 0);
    if (s->manner == WRONG_MESSAGE) {
        CHECK(send(fd, "nonsense", 8, 0) == 8);
        return;
    }
    if (s->manner == REFUSES) {
        link_raw_send(fd, f->id, true, f->call, -EPERM, SPAN("not \x1b[31m today"), NULL, 0);
        return;
    }
    if (f->id == MSG_CONTROL_CONNECT && s->manner != NO_LINK)
        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    link_raw_send(fd, f->id, true, f->call + (s->manner == OTHER_CALL), 0,
                  f->id == MSG_CONTROL_STATUS ? SPAN("{\"pid\":1}") : SPAN_EMPTY, pair,
                  pair[0] >= 0);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

static void *supervise(void *arg)
{
    struct fake_supervisor *s = arg;
    struct buf store BUF_AUTO = BUF(LINK_PAYLOAD_MAX + 64);
    struct frame f;
    int fd = accept(s->fd, NULL, NULL);

    if (fd >= 0 && link_raw_recv(fd, ROLE_SUPERVISOR, ROLE_MANAGER, 5000, &store, &f) == 0)
        answer(s, fd, &f);
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void start(struct fake_supervisor *s, enum manner manner)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    FILE *f;

    *s = (struct fake_supervisor){.manner = manner};
    snprintf(s->folder, sizeof s->folder, "/tmp/control_test.XXXXXX");
    CHECK(mkdtemp(s->folder) != NULL);
    snprintf(s->conf, sizeof s->conf, "%s/s.conf", s->folder);
    CHECK((f = fopen(s->conf, "w")) != NULL);
    fprintf(f, "data = \"%s\";\nthis is = not ( a configuration\n", s->folder);
    fclose(f);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/control.sock", s->folder);
    s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CHECK(bind(s->fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(s->fd, 4) == 0);
    CHECK(pthread_create(&s->thread, NULL, supervise, s) == 0);
}

static void stop(struct fake_supervisor *s)
{
    char path[128];

    pthread_join(s->thread, NULL);
    close(s->fd);
    snprintf(path, sizeof path, "%s/control.sock", s->folder);
    unlink(path);
    unlink(s->conf);
    rmdir(s->folder);
}

TEST(manners)
{
    static const struct {
        enum manner manner;
        enum role role;
        int want;
        const char *error;
    } rows[] = {
        {GOOD,          ROLE_SUPERVISOR, 0,        NULL             },
        {NOTES_FIRST,   ROLE_SUPERVISOR, 0,        NULL             },
        {CLOSES,        ROLE_SUPERVISOR, -EPIPE,   "admin_group"    },
        {OTHER_CALL,    ROLE_SUPERVISOR, -EPIPE,   "closed"         },
        {WRONG_MESSAGE, ROLE_SUPERVISOR, -EBADMSG, "same version"   },
        {REFUSES,       ROLE_SUPERVISOR, -EPERM,   "today"          },
        {NO_LINK,       ROLE_AUTHD,      -EBADMSG, "no link"        },
        {GOOD,          ROLE_AUTHD,      -EPIPE,   "authd has ended"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake_supervisor s;
        struct control *c = NULL;
        struct buf reply BUF_AUTO = BUF(1000);
        struct err e = {""};
        unit_case(rows[i].error ? rows[i].error : "good");
        start(&s, rows[i].manner);
        REQUIRE(control_open(s.conf, &c, &e) == 0);
        EXPECT_INT(
            control_call(c, rows[i].role, 0,
                         rows[i].role == ROLE_SUPERVISOR ? MSG_CONTROL_STATUS : MSG_ACCOUNT_REMOVE,
                         SPAN_EMPTY, &reply, &e),
            rows[i].want);
        if (rows[i].error != NULL && strstr(e.text, rows[i].error) == NULL)
            unit_fail(__FILE__, __LINE__, "\"%s\"", e.text);
        if (rows[i].want == 0)
            EXPECT_SPAN(buf_span(&reply), SPAN("{\"pid\":1}"));
        control_free(c);
        stop(&s);
    }
    unit_case(NULL);
}

TEST(nobody_there)
{
    struct control *c = NULL;
    struct err e;
    char conf[] = "/tmp/control_test.XXXXXX";
    int fd = mkstemp(conf);

    CHECK(fd >= 0 && fd_write_all(fd, "data = \"/nonexistent\";\n", 23) == 0);
    close(fd);
    EXPECT_INT(control_open(conf, &c, &e), -ENOTCONN);
    EXPECT(strstr(e.text, "sealpost run") != NULL);
    unlink(conf);
    EXPECT_INT(control_open(conf, &c, &e), -ENOENT);
    EXPECT(strstr(e.text, "--config") != NULL);
}
