#include "proc/supervisor/supervisor.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLOW_FACTOR 3
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW_FACTOR 3
#endif
#endif
#ifndef SLOW_FACTOR
#define SLOW_FACTOR 1
#endif

enum {
    SILENCE_MS = 10000 * SLOW_FACTOR,
    START_MS = 600000, /* stored may have a log to replay before it is ready */
    METRICS_MAX_BYTES = 65536,
    LINK_BUFFER_BYTES = 1 << 20,
};

static unsigned count_one(const struct conf *c)
{
    return 1;
}

static unsigned count_mx(const struct conf *c)
{
    return c->workers_mx ? c->workers_mx : 1;
}

static unsigned count_access(const struct conf *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (c->workers_access)
        return c->workers_access;
    return cores < 1 ? 1 : cores > INSTANCES_MAX ? INSTANCES_MAX : (unsigned)cores;
}

static const struct process_row rows[] = {
#define PROCESS(...) {__VA_ARGS__},
#include "proc/supervisor/processes.def"
#undef PROCESS
};

static const char *const state_names[] = {
    [PROCESS_DOWN] = "down",   [PROCESS_MISSING] = "missing", [PROCESS_STARTING] = "starting",
    [PROCESS_READY] = "ready", [PROCESS_WAITING] = "waiting", [PROCESS_STOPPING] = "stopping",
};

const char *process_state_name(enum process_state state)
{
    return state_names[state];
}

/* ---- who is there ------------------------------------------------------------------------ */

static const char *name_of(const struct process *p)
{
    static char names[4][32];
    static unsigned next;
    char *name = names[next++ % 4];

    if (p->count > 1)
        snprintf(name, sizeof names[0], "%s.%u", role_name(p->row->role), p->instance);
    else
        snprintf(name, sizeof names[0], "%s", role_name(p->row->role));
    return name;
}

bool roles_linked(enum role a, enum role b)
{
    /* the first hundred is between the supervisor and everybody */
    for (unsigned id = 100; id < 10000; id++) {
        const struct msg_row *row = msg_row(id);
        if (row != NULL && ((row->from & a && row->to & b) || (row->from & b && row->to & a)))
            return true;
    }
    return false;
}

static bool linked[ROLE_COUNT][ROLE_COUNT];

static void on_restart(void *arg)
{
    process_start(arg);
}

static void make_tallies(struct supervisor *s)
{
    static const enum role workers[] = {ROLE_ACCESS, ROLE_MX};

    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        unsigned count = process_count_of(s, workers[i]);
        s->tallies[i] = count > 1 ? tally_make(count) : -1;
        if (count > 1 && s->tallies[i] < 0)
            log_error("each worker counts connections by address for itself: %s",
                      strerror(-s->tallies[i]));
    }
}

void processes_new(struct supervisor *s)
{
    unsigned n = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        n += rows[i].instances(s->conf);
    s->processes = calloc(n, sizeof *s->processes);
    CHECK(s->processes != NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned count = rows[i].instances(s->conf);
        for (unsigned k = 0; k < count; k++) {
            struct process *p = &s->processes[s->process_count++];
            *p = (struct process){.s = s, .row = &rows[i], .instance = k, .count = count};
            p->metrics = BUF(METRICS_MAX_BYTES);
            p->restart = timer_new(s->loop, on_restart, p);
        }
        for (size_t k = 0; k < ARRAY_LEN(rows); k++)
            linked[role_index(rows[i].role)][role_index(rows[k].role)] =
                roles_linked(rows[i].role, rows[k].role);
    }
    make_tallies(s);
}

void processes_done(struct supervisor *s)
{
    for (unsigned i = 0; i < s->process_count; i++) {
        link_free(s->processes[i].link);
        timer_free(s->processes[i].restart);
        buf_done(&s->processes[i].metrics);
    }
    fd_close(&s->tallies[0]);
    fd_close(&s->tallies[1]);
    free(s->processes);
    s->processes = NULL;
    s->process_count = 0;
}

struct process *process_find(struct supervisor *s, enum role role, unsigned instance)
{
    for (unsigned i = 0; i < s->process_count; i++)
        if (s->processes[i].row->role == role && s->processes[i].instance == instance)
            return &s->processes[i];
    return NULL;
}

unsigned process_count_of(const struct supervisor *s, enum role role)
{
    for (unsigned i = 0; i < s->process_count; i++)
        if (s->processes[i].row->role == role)
            return s->processes[i].count;
    return 0;
}

static void set_state(struct process *p, enum process_state state)
{
    if (p->state == state)
        return;
    log_debug("%s: %s, was %s", name_of(p), state_names[state], state_names[p->state]);
    p->state = state;
    fiber_cond_broadcast(&p->s->changed);
}

/* ---- messages of a child ----------------------------------------------------------------- */

static void on_ready(void *arg, struct msg *m)
{
    struct process *p = arg;

    if (!rd_child_ready(m->body, &p->walls)) {
        process_kill(p, "says ready in a way that makes no sense");
        return;
    }
    p->alive_ms = clock_mono_ms();
    if (p->state == PROCESS_STARTING)
        set_state(p, PROCESS_READY);
    if (p->walls.lower[0] != '\0')
        log_info("%s: %s", name_of(p), log_quote(span_cstr(p->walls.lower)));
}

static void on_alive(void *arg, struct msg *m)
{
    struct process *p = arg;

    if (!rd_child_alive(m->body, &p->alive))
        process_kill(p, "tells its state in a way that makes no sense");
    p->alive_ms = clock_mono_ms();
}

static void on_metrics(void *arg, struct msg *m)
{
    struct process *p = arg;

    buf_clear(&p->metrics);
    buf_put_span(&p->metrics, m->body);
}

static void on_metrics_asked(void *arg, struct msg *m)
{
    struct process *p = arg;
    on_control_metrics(p->s, m);
}

static const struct msg_handler handlers[] = {
    {MSG_CHILD_READY,     on_ready,         false},
    {MSG_CHILD_ALIVE,     on_alive,         false},
    {MSG_CHILD_METRICS,   on_metrics,       false},
    {MSG_CONTROL_METRICS, on_metrics_asked, false},
    {MSG_CERT_COMMAND,    on_cert_command,  true },
    {MSG_EVIDENCE_EVENT,  on_evidence,      false},
    {0,                   NULL,             false},
};

static void on_link_closed(void *arg, struct link *l)
{
    struct process *p = arg;

    p->link = NULL;
    /* it ends by itself, or it has broken the rules of the link: in both cases it has nothing more
     * to do here */
    if (p->pid > 0 && p->state != PROCESS_STOPPING)
        kill(p->pid, SIGKILL);
}

/* ---- start ------------------------------------------------------------------------------- */

int socket_pair(int ret[2])
{
    int size = LINK_BUFFER_BYTES;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) != 0)
        return -errno;
    for (int i = 0; i < 2; i++)
        if (setsockopt(ret[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
            setsockopt(ret[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return 0;
}

static void put_env(char **env, size_t *n, const char *name)
{
    const char *value = getenv(name);
    char *both;

    if (value != NULL && asprintf(&both, "%s=%s", name, value) > 0)
        env[(*n)++] = both;
}

/* What the workers of a profile count together outlives each of them. */
static int tally_of(const struct process *p)
{
    return p->row->role == ROLE_ACCESS ? p->s->tallies[0]
           : p->row->role == ROLE_MX   ? p->s->tallies[1]
                                       : -1;
}

_Noreturn static void become_child(const struct process *p, const char *path, int link_fd)
{
    char *program = strdup(p->row->program);
    char *argument = p->row->argument ? strdup(p->row->argument) : NULL;
    char *argv[] = {program, argument, NULL}, *env[8] = {NULL};
    size_t n = 0;
    sigset_t none;
    int null, tally = tally_of(p), from = CHILD_LINK_FD + 1;

    put_env(env, &n, "TZ");
    put_env(env, &n, "ASAN_OPTIONS");
    put_env(env, &n, "LSAN_OPTIONS");
    put_env(env, &n, "UBSAN_OPTIONS");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a terminal's ^C is for the supervisor alone */
    null = open("/dev/null", O_RDWR);
    link_fd = fcntl(link_fd, F_DUPFD, 10);
    tally = tally < 0 ? -1 : fcntl(tally, F_DUPFD, 10);
    if (null < 0 || link_fd < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(link_fd, CHILD_LINK_FD) < 0)
        _exit(126);
    if (tally >= 0 && dup2(tally, CHILD_TALLY_FD) == CHILD_TALLY_FD)
        from = CHILD_TALLY_FD + 1;
    close_range((unsigned)from, ~0u, 0);
    execve(path, argv, env);
    log_error("%s: %s", path, strerror(errno));
    _exit(127);
}

static void send_start(struct process *p)
{
    struct supervisor *s = p->s;
    struct child_start start = {.role = p->row->role,
                                .instance = p->instance,
                                .instance_count = p->count,
                                .generation = p->generation};
    struct buf b BUF_AUTO = BUF(4096);

    if (p->row->role == ROLE_AUTHD || p->row->role == ROLE_STORED)
        memcpy(start.grant_secret, s->grant_secret, sizeof start.grant_secret);
    snprintf(start.root, sizeof start.root, "%s", s->root);
    wr_child_start(&b, &start);
    link_send(p->link, MSG_CHILD_START, buf_span(&b), &s->conf_fd, 1);
}

static void send_peer(struct process *to, const struct process *peer, int fd)
{
    struct buf b BUF_AUTO = BUF(64);

    wr_child_peer(&b, peer->row->role, peer->instance);
    link_send(to->link, MSG_CHILD_PEER, buf_span(&b), &fd, 1);
}

static void link_to_peers(struct process *p)
{
    for (unsigned i = 0; i < p->s->process_count; i++) {
        struct process *q = &p->s->processes[i];
        int fds[2];

        if (q == p || q->link == NULL ||
            !linked[role_index(p->row->role)][role_index(q->row->role)])
            continue;
        if (socket_pair(fds) != 0) {
            log_error("no link between %s and %s: %s", name_of(p), name_of(q), strerror(errno));
            continue;
        }
        send_peer(p, q, fds[0]);
        send_peer(q, p, fds[1]);
        fd_close(&fds[0]);
        fd_close(&fds[1]);
    }
}

void process_send_listeners(struct process *p, bool only_fresh)
{
    const struct listeners *l = &p->s->listeners;

    for (unsigned i = 0; i < l->n && p->link != NULL; i++) {
        const struct listener *it = &l->v[i];
        struct buf b BUF_AUTO = BUF(64);

        if (it->role != p->row->role || it->fds[p->instance] < 0 || (only_fresh && !it->fresh))
            continue;
        wr_child_listen(&b, it->place, it->endpoint);
        link_send(p->link, MSG_CHILD_LISTEN, buf_span(&b), &it->fds[p->instance], 1);
    }
}

void process_send_conf(struct process *p)
{
    if (p->link != NULL)
        link_send(p->link, MSG_CHILD_CONF, SPAN_EMPTY, &p->s->conf_fd, 1);
}

static void wait_and_restart(struct process *p)
{
    p->backoff_ms = p->backoff_ms == 0 ? BACKOFF_MIN_MS : p->backoff_ms * 2;
    if (p->backoff_ms > BACKOFF_MAX_MS)
        p->backoff_ms = BACKOFF_MAX_MS;
    timer_start(p->restart, p->backoff_ms);
    set_state(p, PROCESS_WAITING);
}

void process_start(struct process *p)
{
    struct link_ops ops = {handlers, on_link_closed, p};
    char path[sizeof p->s->programs + 64];
    int fds[2];

    CHECK(p->pid == 0 && p->link == NULL);
    if (p->s->stopping)
        return;
    snprintf(path, sizeof path, "%s/%s", p->s->programs, p->row->program);
    if (access(path, X_OK) != 0) {
        log_error("%s is not there: no %s", path, name_of(p));
        set_state(p, PROCESS_MISSING);
        return;
    }
    if (socket_pair(fds) != 0 || (p->pid = fork()) < 0) {
        log_error("%s cannot be started: %s", name_of(p), strerror(errno));
        p->pid = 0;
        wait_and_restart(p);
        return;
    }
    if (p->pid == 0)
        become_child(p, path, fds[1]);
    fd_close(&fds[1]);
    p->generation++;
    p->started_ms = p->alive_ms = clock_mono_ms();
    p->walls = (struct sandbox_report){.lower = ""};
    buf_clear(&p->metrics);
    p->link = link_new(p->s->loop, fds[0], ROLE_SUPERVISOR, p->row->role, p->instance, &ops);
    set_state(p, PROCESS_STARTING);
    log_info("%s started as process %d (start %u)", name_of(p), (int)p->pid, p->generation);
    send_start(p);
    link_to_peers(p);
    process_send_listeners(p, false);
}

/* ---- end --------------------------------------------------------------------------------- */

void process_stop(struct process *p, uint32_t drain_ms)
{
    struct buf b BUF_AUTO = BUF(16);

    timer_stop(p->restart);
    if (p->pid == 0) {
        set_state(p, PROCESS_DOWN);
        return;
    }
    wr_child_stop(&b, drain_ms);
    if (p->link != NULL)
        link_send(p->link, MSG_CHILD_STOP, buf_span(&b), NULL, 0);
    set_state(p, PROCESS_STOPPING);
}

void process_kill(struct process *p, const char *why)
{
    if (p->pid <= 0)
        return;
    log_error("%s (process %d) %s and is ended", name_of(p), (int)p->pid, why);
    kill(p->pid, SIGKILL);
}

static void describe_end(struct process *p, int status)
{
    int n = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    if (n == SIGSYS)
        snprintf(p->last_end, sizeof p->last_end, "stopped by its sandbox: forbidden system call");
    else if (n != 0)
        snprintf(p->last_end, sizeof p->last_end, "ended by signal %d (%s)", n, strsignal(n));
    else
        snprintf(p->last_end, sizeof p->last_end, "ended with status %d", WEXITSTATUS(status));
}

static void on_end(struct process *p, int status)
{
    bool asked = p->state == PROCESS_STOPPING || p->s->stopping;

    describe_end(p, status);
    if (asked && status == 0)
        log_info("%s (process %d) has stopped", name_of(p), (int)p->pid);
    else
        log_error("%s (process %d) %s", name_of(p), (int)p->pid, p->last_end);
    p->pid = 0;
    link_free(p->link);
    p->link = NULL;
    buf_clear(&p->metrics);
    if (asked) {
        set_state(p, PROCESS_DOWN);
        return;
    }
    if (clock_mono_ms() - p->started_ms >= BACKOFF_RESET_MS)
        p->backoff_ms = 0;
    wait_and_restart(p);
}

void processes_reap(struct supervisor *s)
{
    for (unsigned i = 0; i < s->process_count; i++) {
        struct process *p = &s->processes[i];
        int status;
        if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid)
            on_end(p, status);
    }
}

void processes_look(struct supervisor *s)
{
    uint64_t now = clock_mono_ms();

    for (unsigned i = 0; i < s->process_count; i++) {
        struct process *p = &s->processes[i];
        if (p->state == PROCESS_READY && now - p->alive_ms > SILENCE_MS)
            process_kill(p, "does not say that it is alive");
        else if (p->state == PROCESS_STARTING && now - p->started_ms > START_MS)
            process_kill(p, "does not get ready");
    }
}
