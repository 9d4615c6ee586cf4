#include "store/harness/store_process.h"

#include "base/check.h"
#include "base/log.h"
#include "store/service.h"
#include "store/store_harness.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHORT_ANSWERS_MS = 500 };
static const char child_mark[] = "--stored";

static void options_of(const char *root, const struct store_process_options *o,
                       struct engine_options *ret)
{
    *ret = (struct engine_options){
        .root = root,
        .map_bytes = o->map_bytes,
        .log_file_bytes = o->log_file_bytes,
        .change_log_seconds = 86400,
        .grant_secret = store_harness_secret,
        .checkpoint_ms = o->checkpoint_ms,
        .start_hold_ms = o->start_hold_ms,
        .compact_percent = o->compact_percent,
        .answers_ms = o->compact_percent ? SHORT_ANSWERS_MS : 0,
    };
}

struct child {
    struct loop *loop;
    struct service *service;
};

static void on_closed(void *arg, struct link *l)
{
    struct child *c = arg;

    service_link_gone(c->service, l);
    loop_stop(c->loop);
}

static void on_message(void *arg, struct msg *m)
{
    struct child *c = arg;
    service_message(c->service, m);
}

#define X(name) {MSG_##name, on_message, false},
/* clang-format off */
static const struct msg_handler handlers[] = {
    SERVICE_MESSAGES(X)
    {0, NULL, false},
};
/* clang-format on */
#undef X

static void on_timer(void *arg)
{
    loop_stop(arg);
}

void store_process_main(int argc, char **argv)
{
    struct store_process_options o;
    struct engine_options eo;
    struct child c;
    struct engine *e;
    struct err err;

    if (argc != 9 || strcmp(argv[1], child_mark) != 0)
        return;
    log_open("stored", LOG_LEVEL_WARN);
    o.map_bytes = strtoull(argv[4], NULL, 10);
    o.log_file_bytes = strtoull(argv[5], NULL, 10);
    o.checkpoint_ms = strtoull(argv[6], NULL, 10);
    o.start_hold_ms = strtoull(argv[7], NULL, 10);
    o.compact_percent = (unsigned)strtoul(argv[8], NULL, 10);
    options_of(argv[2], &o, &eo);
    if (engine_open(&e, &eo, &err) != 0) {
        log_error("%s", err.text);
        _exit(1);
    }
    c.loop = loop_new();
    loop_threads(4);
    c.service = service_new(c.loop, e);
    service_commit_late(c.service);
    struct link_ops ops = {handlers, on_closed, &c};
    link_new(c.loop, atoi(argv[3]), ROLE_STORED, ROLE_ACCESS, 0, &ops);
    loop_run(c.loop);
    service_quiet(c.service);
    while (service_busy(c.service)) {
        struct timer *t = timer_new(c.loop, on_timer, c.loop);
        timer_start(t, 1);
        loop_run(c.loop);
        timer_free(t);
    }
    service_free(c.service);
    _exit(0);
}

pid_t store_process_start(const char *root, const struct store_process_options *o, int *ret_fd)
{
    char fd[16], map[24], file[24], checkpoint[24], hold[24], percent[16];
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0);
    snprintf(fd, sizeof(fd), "%d", fds[1]);
    snprintf(map, sizeof(map), "%llu", (unsigned long long)o->map_bytes);
    snprintf(file, sizeof(file), "%llu", (unsigned long long)o->log_file_bytes);
    snprintf(checkpoint, sizeof(checkpoint), "%llu", (unsigned long long)o->checkpoint_ms);
    snprintf(hold, sizeof(hold), "%llu", (unsigned long long)o->start_hold_ms);
    snprintf(percent, sizeof(percent), "%u", o->compact_percent);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        execl("/proc/self/exe", "stored", child_mark, root, fd, map, file, checkpoint, hold,
              percent, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

static void on_service_gone(void *arg, struct link *l)
{
    struct store_process_client *c = arg;

    c->link = NULL;
    store_attach(c->store, NULL);
}

static void on_told(void *arg, struct msg *m)
{
    struct store_process_client *c = arg;
    store_message(c->store, m);
}

void store_process_attach(struct store_process_client *c, int take_fd)
{
    static const struct msg_handler told[] = {
        {MSG_STORE_FILES,      on_told, false},
        {MSG_STORE_FILES_GONE, on_told, false},
        {MSG_STORE_CHANGED,    on_told, false},
        {0,                    NULL,    false},
    };
    const struct link_ops ops = {told, on_service_gone, c};

    c->link = link_new(c->loop, take_fd, ROLE_ACCESS, ROLE_STORED, 0, &ops);
    store_attach(c->store, c->link);
}

void store_process_detach(struct store_process_client *c)
{
    store_attach(c->store, NULL);
    link_free(c->link);
    c->link = NULL;
}

int store_process_prepare(const char *root, const struct store_process_options *o,
                          unsigned accounts)
{
    struct engine_options eo;
    struct engine *e;
    struct err err;
    int r;

    options_of(root, o, &eo);
    r = engine_open(&e, &eo, &err);
    if (r) {
        log_error("%s", err.text);
        return r;
    }
    for (unsigned i = 0; i < accounts && !r; i++) {
        struct msg_account a = {
            {1,    1},
            16 + i, 1, 0, ACCOUNT_ENABLED, {NULL, 0}
        };
        struct buf b = BUF(256), answer = BUF(256);
        wr_account(&b, &a);
        struct intent in = {.role = ROLE_AUTHD,
                            .kind = MSG_STORE_ACCOUNT,
                            .payload = buf_span(&b),
                            .answer = &answer};
        r = engine_run(e, &in);
        buf_done(&b);
        buf_done(&answer);
    }
    engine_close(e, true);
    return r;
}
