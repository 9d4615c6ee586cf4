#include "proc/child/child.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "proc/child/child_msg.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    START_TIMEOUT_MS = 30000,
    ALIVE_MS = 1000,
    CONF_MAX_BYTES = 16 << 20,
    STATUS_MAX_BYTES = 65536,
    METRICS_MAX_BYTES = 65536,
    STOP_GRACE_MS = 2000, /* after the drain time */
};

/* One a process. */
static struct {
    struct child child;
    struct msg_handler *handlers; /* ours, then the process's */
    struct fiber_cond peers_changed;
    struct sandbox_report walls;
    struct timer *alive, *stop;
    uint64_t started_ms;
    int exit_status;
    bool jailed;
} self;

_Noreturn void child_fatal(const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_error("%s", text);
    _exit(1);
}

/* ---- start ------------------------------------------------------------------------------- */

static struct conf *read_conf(int fd)
{
    struct buf bytes BUF_AUTO = BUF(CONF_MAX_BYTES);
    struct stat st;
    char *p;
    size_t got = 0;

    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > CONF_MAX_BYTES)
        return NULL;
    p = buf_reserve(&bytes, (size_t)st.st_size);
    while (p != NULL && got < (size_t)st.st_size) {
        /* the descriptor is shared by all children, and so is its position: pread */
        ssize_t n = pread(fd, p + got, (size_t)st.st_size - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        got += (size_t)n;
    }
    buf_commit(&bytes, got);
    return conf_rd(buf_span(&bytes));
}

static void name_log(const struct child *c)
{
    char name[32];

    if (c->instance_count > 1)
        snprintf(name, sizeof name, "%s.%u", role_name(c->role), c->instance);
    else
        snprintf(name, sizeof name, "%s", role_name(c->role));
    log_open(name, c->conf->log_level);
}

static const char *profile_of(enum role role)
{
    return role == ROLE_ACCESS ? "sessiond-access"
           : role == ROLE_MX   ? "sessiond-mx"
                               : role_name(role);
}

static void name_user(const struct child *c, const char *profile, char *user, size_t size)
{
    snprintf(user, size, "%s%s", c->conf->user_prefix, sandbox_profile_user(profile));
}

static void become_user(const struct child *c)
{
    const char *profile = profile_of(c->role);
    struct sandbox_request q = {.profile = profile, .data = c->root};
    char user[64];
    struct err e;

    name_user(c, profile, user, sizeof user);
    if (c->conf->user_prefix[0] != '\0')
        q.user = user;
    if (sandbox_become(&q, &e) != 0)
        child_fatal("user of %s: %s", profile, e.text);
}

struct child *child_open(enum role role, const struct child_ops *ops)
{
    struct child *c = &self.child;
    struct buf store BUF_AUTO = BUF(LINK_PAYLOAD_MAX + 64);
    struct child_start start;
    struct frame f;
    int r;

    CHECK(c->loop == NULL);
    log_open("child", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    /* a terminal's ^C is for the supervisor, which stops us in order */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    r = link_raw_recv(CHILD_LINK_FD, role, ROLE_SUPERVISOR, START_TIMEOUT_MS, &store, &f);
    if (r != 0)
        child_fatal("started without a supervisor (descriptor %d: %s)", CHILD_LINK_FD,
                    strerror(-r));
    if (f.id != MSG_CHILD_START || !rd_child_start(f.body, &start) || !(start.role & role) ||
        start.instance >= CHILD_INSTANCES_MAX)
        child_fatal("the supervisor's first message is not for this program");
    c->role = start.role;
    c->instance = start.instance;
    c->instance_count = start.instance_count;
    c->generation = start.generation;
    c->ops = ops;
    memcpy(c->grant_secret, start.grant_secret, sizeof c->grant_secret);
    memcpy(c->root, start.root, sizeof c->root);
    secret_wipe(&start, sizeof start);
    secret_wipe(store.p, store.n);
    c->conf = read_conf(f.fds[0]);
    if (c->conf == NULL)
        child_fatal("the supervisor's configuration cannot be read");
    fd_close(&f.fds[0]);
    name_log(c);
    become_user(c); /* what the process opens from here on is its own user's */
    c->loop = loop_new();
    self.started_ms = clock_mono_ms();
    return c;
}

void child_jail(struct child *c, const char *profile)
{
    struct sandbox_request q = {.profile = profile, .data = c->root};
    char user[64];
    struct err e;

    if (sandbox_profile_user(profile) == NULL)
        child_fatal("no sandbox profile is called %s", profile);
    name_user(c, profile, user, sizeof user);
    if (c->conf->user_prefix[0] != '\0')
        q.user = user;
    if (sandbox_enter(&q, &self.walls, &e) != 0)
        child_fatal("sandbox %s: %s", profile, e.text);
    self.jailed = true;
}

/* ---- peers ------------------------------------------------------------------------------- */

static void forget_peer(struct child *c, struct link *l)
{
    struct link **slot = &c->peers[role_index(link_peer(l))][link_instance(l)];

    if (*slot == l)
        *slot = NULL;
    if (c->ops->on_peer_gone != NULL)
        c->ops->on_peer_gone(c, l);
}

static void on_peer_closed(void *arg, struct link *l)
{
    forget_peer(arg, l);
}

static void on_peer(void *arg, struct msg *m)
{
    struct child *c = arg;
    struct link_ops ops = {self.handlers, on_peer_closed, c};
    struct link *l, **slot;
    enum role role;
    unsigned instance;

    if (!rd_child_peer(m->body, &role, &instance) || instance >= CHILD_INSTANCES_MAX ||
        m->fds[0] < 0) {
        log_error("link to a peer that makes no sense");
        return;
    }
    slot = &c->peers[role_index(role)][instance];
    if (*slot != NULL) {
        /* the peer was started anew before we saw the end of the old one */
        struct link *old = *slot;
        forget_peer(c, old);
        link_free(old);
    }
    l = link_new(c->loop, fd_steal(&m->fds[0]), c->role, role, instance, &ops);
    if (l == NULL)
        return;
    *slot = l;
    if (c->ops->on_peer != NULL)
        c->ops->on_peer(c, l);
    fiber_cond_broadcast(&self.peers_changed);
}

struct link *child_peer(const struct child *c, enum role role)
{
    struct link *const *v = c->peers[role_index(role)];

    for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++)
        if (v[i] != NULL)
            return v[i];
    return NULL;
}

struct link *child_peer_wait(struct child *c, enum role role, uint64_t timeout_ms)
{
    uint64_t end = timeout_ms == UINT64_MAX ? UINT64_MAX : clock_mono_ms() + timeout_ms;
    struct link *l;

    while ((l = child_peer(c, role)) == NULL) {
        uint64_t now = clock_mono_ms();
        if (now >= end ||
            !fiber_cond_wait(&self.peers_changed, end == UINT64_MAX ? end : end - now))
            return child_peer(c, role);
    }
    return l;
}

/* ---- messages of the supervisor ---------------------------------------------------------- */

static void on_listen(void *arg, struct msg *m)
{
    struct child *c = arg;
    uint32_t vserver, endpoint;

    if (!rd_child_listen(m->body, &vserver, &endpoint) || m->fds[0] < 0 ||
        vserver >= c->conf->vserver_count ||
        endpoint >= c->conf->vservers[vserver].endpoint_count) {
        log_error("listening socket that is not in the configuration");
        return;
    }
    if (c->ops->on_listen != NULL)
        c->ops->on_listen(c, vserver, endpoint, fd_steal(&m->fds[0]));
}

static void on_conf(void *arg, struct msg *m)
{
    struct child *c = arg;
    struct conf *old = (struct conf *)(uintptr_t)c->conf, *fresh = read_conf(m->fds[0]);

    if (fresh == NULL) {
        log_error("the new configuration cannot be read; the old one stays");
        return;
    }
    c->conf = fresh;
    log_set_level(fresh->log_level);
    if (c->ops->on_conf != NULL)
        c->ops->on_conf(c, old);
    conf_free(old);
}

static void stop_now(void *arg)
{
    struct child *c = arg;
    loop_stop(c->loop);
}

static void begin_stop(struct child *c, uint64_t drain_ms)
{
    if (self.stop != NULL)
        return;
    self.stop = timer_new(c->loop, stop_now, c);
    timer_start(self.stop, drain_ms + STOP_GRACE_MS);
    if (c->ops->on_stop != NULL)
        c->ops->on_stop(c, drain_ms);
    else
        loop_stop(c->loop);
}

static void on_stop(void *arg, struct msg *m)
{
    uint32_t drain_ms = 0;

    rd_child_stop(m->body, &drain_ms);
    begin_stop(arg, drain_ms);
}

static void on_supervisor_gone(void *arg, struct link *l)
{
    struct child *c = arg;

    log_error("the supervisor is gone");
    c->supervisor = NULL;
    self.exit_status = 1;
    loop_stop(c->loop);
}

/* ---- status ------------------------------------------------------------------------------ */

static struct child_alive measure(void)
{
    struct fiber_stats s = fiber_stats();
    struct rusage u;
    struct child_alive a = {.fibers = s.running + s.parked, .fibers_started = s.started};

    if (getrusage(RUSAGE_SELF, &u) == 0) {
        /* the greatest so far: what is resident now stands in a file that the jail does not let us
         * open */
        a.resident_bytes = (uint64_t)u.ru_maxrss * 1024;
        a.cpu_ms = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
                   (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
    }
    return a;
}

static void send_alive(void *arg)
{
    struct child *c = arg;
    struct child_alive a = measure();
    struct buf b BUF_AUTO = BUF(256), text BUF_AUTO = BUF(METRICS_MAX_BYTES);

    wr_child_alive(&b, &a);
    link_send(c->supervisor, MSG_CHILD_ALIVE, buf_span(&b), NULL, 0);
    if (c->ops->on_metrics == NULL)
        return;
    c->ops->on_metrics(c, &text);
    if (text.overflow)
        log_warn("metrics longer than %d bytes are cut", METRICS_MAX_BYTES);
    link_send(c->supervisor, MSG_CHILD_METRICS, buf_span(&text), NULL, 0);
}

static void on_status(void *arg, struct msg *m)
{
    struct child *c = arg;
    struct child_alive a = measure();
    struct buf own BUF_AUTO = BUF(STATUS_MAX_BYTES), json BUF_AUTO = BUF(STATUS_MAX_BYTES);

    buf_printf(&json,
               "{\"role\":\"%s\",\"instance\":%u,\"generation\":%u,\"pid\":%d,\"uptime\":%llu,"
               "\"fibers\":%llu,\"fibers_started\":%llu,\"resident_max\":%llu,\"cpu_ms\":%llu",
               role_name(c->role), c->instance, c->generation, (int)getpid(),
               (unsigned long long)(clock_mono_ms() - self.started_ms) / 1000,
               (unsigned long long)a.fibers, (unsigned long long)a.fibers_started,
               (unsigned long long)a.resident_bytes, (unsigned long long)a.cpu_ms);
    buf_put_cstr(&json, ",\"walls\":");
    json_put_string(&json, span_cstr(self.walls.lower));
    if (c->ops->on_status != NULL)
        c->ops->on_status(c, &own);
    if (own.n > 0 && !own.overflow && json.n + own.n + 2 < STATUS_MAX_BYTES) {
        buf_putc(&json, ',');
        buf_put_span(&json, buf_span(&own));
    }
    buf_putc(&json, '}');
    msg_reply(m, 0, buf_span(&json));
}

/* ---- running ----------------------------------------------------------------------------- */

static const struct msg_handler own_handlers[] = {
    {MSG_CHILD_LISTEN, on_listen, false},
    {MSG_CHILD_PEER,   on_peer,   false},
    {MSG_CHILD_CONF,   on_conf,   false},
    {MSG_CHILD_STOP,   on_stop,   false},
    {MSG_CHILD_STATUS, on_status, false},
};

/* Handlers that run, so that what they do can say who asked. */
static struct asking {
    struct asking *next;
    struct fiber *fiber;
    enum role role;
    unsigned instance;
} * asking;

bool child_asker(enum role *ret_role, unsigned *ret_instance)
{
    for (const struct asking *a = asking; a != NULL; a = a->next)
        if (a->fiber == fiber_self()) {
            *ret_role = a->role;
            *ret_instance = a->instance;
            return true;
        }
    return false;
}

static void handle(void *arg, struct msg *m)
{
    struct asking a = {asking, fiber_self(), link_peer(m->link), link_instance(m->link)};
    const struct child *c = arg;
    const struct msg_handler *h = c->ops->handlers;
    struct asking **at = &asking;

    while (h->id != m->id)
        h++;
    asking = &a;
    h->fn(arg, m);
    while (*at != &a)
        at = &(*at)->next;
    *at = a.next;
}

static void join_handlers(const struct msg_handler *more)
{
    size_t own = ARRAY_LEN(own_handlers), n = 0;

    while (more != NULL && more[n].fn != NULL)
        n++;
    self.handlers = calloc(own + n + 1, sizeof *self.handlers);
    CHECK(self.handlers != NULL);
    memcpy(self.handlers, own_handlers, sizeof own_handlers);
    if (n > 0)
        memcpy(self.handlers + own, more, n * sizeof *more);
    for (size_t i = own; i < own + n; i++)
        if (msg_row(self.handlers[i].id)->to & (ROLE_KEYD | ROLE_CAD | ROLE_CERTD) &&
            msg_row(self.handlers[i].id)->from & ROLE_MANAGER)
            self.handlers[i].fn = handle; /* what the administrator asks of those who tell */
}

void child_ready(struct child *c)
{
    struct buf b BUF_AUTO = BUF(512);

    wr_child_ready(&b, &self.walls);
    link_send(c->supervisor, MSG_CHILD_READY, buf_span(&b), NULL, 0);
}

static void first_turn(void *arg)
{
    struct child *c = arg;

    if (c->ops->on_ready != NULL)
        c->ops->on_ready(c);
    if (!c->ops->ready_later)
        child_ready(c);
    timer_repeat(self.alive, ALIVE_MS);
}

int child_run(struct child *c)
{
    struct link_ops ops = {NULL, on_supervisor_gone, c};

    if (!self.jailed)
        child_fatal("about to run outside its jail");
    join_handlers(c->ops->handlers);
    ops.handlers = self.handlers;
    c->supervisor = link_new(c->loop, CHILD_LINK_FD, c->role, ROLE_SUPERVISOR, 0, &ops);
    CHECK(c->supervisor != NULL);
    self.alive = timer_new(c->loop, send_alive, c);
    loop_defer(c->loop, first_turn, c);
    loop_run(c->loop);
    /* what was said last still goes out */
    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++) {
            link_free(c->peers[r][i]);
            c->peers[r][i] = NULL;
        }
    }
    link_free(c->supervisor);
    c->supervisor = NULL;
    return self.exit_status;
}
