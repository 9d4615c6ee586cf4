/* fixture.h: for tests: a real engine on a throw-away folder in this process, with a link from each
 * role that one asks for. */
#ifndef KEYD_FIXTURE_H
#define KEYD_FIXTURE_H

#include "base/check.h"
#include "base/fd.h"
#include "ipc/link.h"
#include "proc/keyd/engine/engine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    char folder[40];
    struct keyd *keyd;
    struct link *client; /* the one that signs and makes keys: the newest */
    struct link *server;
    unsigned closed; /* links that ended by themselves */
    unsigned notes;  /* KEY_TICKETS_NEW */
    size_t note_bytes;
    void (*body)(struct fixture *f);
};

static inline int fixture_dir(const struct fixture *f)
{
    int fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static inline void fixture_on_note(void *arg, struct msg *m)
{
    struct fixture *f = arg;
    f->notes++;
    f->note_bytes = m->body.n;
}

static const struct msg_handler fixture_handlers[] = {
    {MSG_KEY_TICKETS_NEW, fixture_on_note, false},
    {0,                   NULL,            false}
};

static inline void fixture_on_client_closed(void *arg, struct link *l)
{
    struct fixture *f = arg;
    f->closed++;
    if (f->client == l)
        f->client = NULL;
}

static inline void fixture_on_server_closed(void *arg, struct link *l)
{
}

/* From now on this process asks as that role; the old link is closed. */
static inline void fixture_role(struct fixture *f, enum role who)
{
    struct link_ops client = {fixture_handlers, fixture_on_client_closed, f};
    struct link_ops server = {keyd_handlers, fixture_on_server_closed, f->keyd};
    int fds[2];

    link_free(f->client);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    f->client = link_new(f->loop, fds[0], who, ROLE_KEYD, 0, &client);
    f->server = link_new(f->loop, fds[1], ROLE_KEYD, who, 0, &server);
    keyd_peer(f->keyd, f->server);
}

static inline struct link *fixture_link(void *arg)
{
    struct fixture *f = arg;
    return f->client;
}

static inline void fixture_fiber(void *arg)
{
    struct fixture *f = arg;

    f->body(f);
    link_free(f->client);
    f->client = NULL;
    while (!keyd_idle(f->keyd)) /* and what it still signs */
        fiber_sleep_ms(1);
    fiber_sleep_ms(1);
    loop_stop(f->loop);
}

static inline void fixture_start(void *arg)
{
    struct fixture *f = arg;
    fiber_start(f->loop, fixture_fiber, f, "fixture");
}

static inline void fixture_open(struct fixture *f)
{
    struct err e = {""};

    f->keyd = keyd_open(f->loop, fixture_dir(f), &e);
    CHECK(f->keyd != NULL);
}

static inline void fixture_run(void (*body)(struct fixture *f))
{
    struct fixture f = {.folder = "/tmp/keyd-test-XXXXXX", .body = body};
    char command[80];

    CHECK(mkdtemp(f.folder) != NULL);
    f.loop = loop_new();
    fixture_open(&f);
    loop_defer(f.loop, fixture_start, &f);
    loop_run(f.loop);
    keyd_close(f.keyd);
    loop_free(f.loop);
    snprintf(command, sizeof command, "rm -rf %s", f.folder);
    CHECK(system(command) == 0);
}

#endif
