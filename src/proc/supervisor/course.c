#include "proc/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOK_MS = 1000,
    RETRY_BIND_LOOKS = 10,
    ASKED_AGAIN_MS = 1000,
    STOP_GRACE_MS = 3000, /* beyond the drain time; then the process is ended */
};

/* ---- start ------------------------------------------------------------------------------- */

static bool all_there(const struct supervisor *s, enum role role)
{
    for (unsigned i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];
        if (p->row->role == role && p->state != PROCESS_READY && p->state != PROCESS_MISSING)
            return false;
    }
    return true;
}

static void tell_ready(struct supervisor *s)
{
    s->ready = true;
    log_info("ready");
    if (s->stdout_fd >= 0 && fd_write_all(s->stdout_fd, "ready\n", 6) != 0)
        log_warn("standard output is closed");
    if (s->ready_fd >= 0)
        fd_write_all(s->ready_fd, "ready\n", 6);
    fd_close(&s->stdout_fd);
    fd_close(&s->ready_fd);
}

static void start_fiber(void *arg)
{
    struct supervisor *s = arg;

    for (unsigned i = 0; i < s->process_count; i++) {
        struct process *p = &s->processes[i];

        process_start(p);
        if (p->instance + 1 < p->count)
            continue;
        /* a process that dies meanwhile is started again by its own timer */
        while (!s->stopping && !all_there(s, p->row->role))
            fiber_cond_wait(&s->changed, UINT64_MAX);
        if (s->stopping)
            return;
    }
    tell_ready(s);
}

/* ---- reload ------------------------------------------------------------------------------ */

/* What is no file cannot be trusted; what a file holds, certd says: it is the one that may look. */
static bool trust_is_there(const struct supervisor *s, const struct conf *c, struct buf *problems)
{
    bool there = true;

    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        for (uint32_t k = 0; v->enabled && v->client_certificates != CLIENT_CERTIFICATES_IGNORE &&
                             k < v->client_trust.n;
             k++) {
            const char *name = v->client_trust.v[k];
            char path[CHILD_ROOT_BYTES + 100];
            struct stat st;
            int r;
            if (strcmp(name, "own-ca") == 0)
                continue;
            snprintf(path, sizeof path, "%s/certs/trust/%s", s->root, name);
            r = stat(path, &st) < 0 ? errno : S_ISREG(st.st_mode) && st.st_size > 0 ? 0 : ENODATA;
            if (r != ENOENT && r != ENODATA)
                continue;
            buf_printf(problems,
                       "%s: client_trust of virtual server %s: there is no certificate in %s (%s). "
                       "Put the CA's there, or take the name out.\n",
                       s->conf_file, v->name, path, strerror(r));
            there = false;
        }
    }
    return there;
}

static bool may_replace(const struct supervisor *s, const struct conf *c, struct buf *problems)
{
    if (strcmp(s->conf->data, c->data) != 0) {
        buf_printf(problems,
                   "%s: data: the folder cannot change while the server runs. Stop it first.\n",
                   s->conf_file);
        return false;
    }
    if (!trust_is_there(s, c, problems))
        return false;
    if (s->conf->workers_access != c->workers_access || s->conf->workers_mx != c->workers_mx ||
        strcmp(s->conf->user_prefix, c->user_prefix) != 0)
        buf_printf(
            problems,
            "warning: %s: workers_access, workers_mx and user_prefix change at the next start.\n",
            s->conf_file);
    return true;
}

static void pass_on(struct supervisor *s)
{
    for (unsigned i = 0; i < s->process_count; i++) {
        process_send_conf(&s->processes[i]);
        process_send_listeners(&s->processes[i], true);
    }
    for (unsigned i = 0; i < s->listeners.n; i++)
        s->listeners.v[i].fresh = false;
}

static int reload_locked(struct supervisor *s, struct buf *problems)
{
    struct conf *fresh = parse_in_child(s->conf_file, problems), *old = s->conf;
    struct listeners gone;
    int fd;

    if (fresh == NULL || !may_replace(s, fresh, problems)) {
        conf_free(fresh);
        return -EINVAL;
    }
    fd = conf_memfd(fresh);
    if (fd < 0) {
        buf_printf(problems, "%s: %s\n", s->conf_file, strerror(-fd));
        conf_free(fresh);
        return fd;
    }
    listeners_apply(&s->listeners, fresh, s, &gone, problems);
    s->conf = fresh;
    fd_close(&s->conf_fd);
    s->conf_fd = fd;
    log_set_level(fresh->log_level);
    pass_on(s);
    listeners_done(&gone);
    conf_free(old);
    /* a program that was not there may have been installed meanwhile */
    for (unsigned i = 0; i < s->process_count; i++)
        if (s->processes[i].state == PROCESS_MISSING)
            process_start(&s->processes[i]);
    return 0;
}

int course_reload(struct supervisor *s, const char *asked, struct buf *problems)
{
    struct span lines, line;
    int r = -ESHUTDOWN;

    fiber_lock(&s->reloading);
    if (!s->stopping)
        r = reload_locked(s, problems);
    if (r == 0)
        evidence_settings(s, asked);
    fiber_unlock(&s->reloading);
    lines = buf_span(problems);
    while (span_split(&lines, '\n', &line))
        log_warn("%s", log_quote(line));
    log_info(r == 0 ? "the configuration was read anew" : "the old configuration stays");
    return r;
}

static void hangup_fiber(void *arg)
{
    struct buf problems BUF_AUTO = BUF(PROBLEMS_MAX_BYTES);
    course_reload(arg, "signal HUP", &problems);
}

static void on_hangup(void *arg, int signo)
{
    struct supervisor *s = arg;
    fiber_start(s->loop, hangup_fiber, s, "reload");
}

/* ---- stop -------------------------------------------------------------------------------- */

static bool all_down(const struct supervisor *s, unsigned roles)
{
    for (unsigned i = 0; i < s->process_count; i++)
        if ((s->processes[i].row->role & roles) && s->processes[i].pid != 0)
            return false;
    return true;
}

static void stop_group(struct supervisor *s, unsigned roles, uint32_t drain_ms)
{
    uint64_t end = clock_mono_ms() + drain_ms + STOP_GRACE_MS;

    for (unsigned i = 0; i < s->process_count; i++)
        if (s->processes[i].row->role & roles)
            process_stop(&s->processes[i], drain_ms);
    while (!all_down(s, roles) && !s->hurry) {
        uint64_t now = clock_mono_ms();
        if (now >= end || !fiber_cond_wait(&s->changed, end - now))
            break;
    }
    for (unsigned i = 0; i < s->process_count; i++)
        if (s->processes[i].row->role & roles)
            process_kill(&s->processes[i], "does not stop");
    while (!all_down(s, roles))
        fiber_cond_wait(&s->changed, 1000);
}

static void stop_fiber(void *arg)
{
    struct supervisor *s = arg;

    log_info("stopping");
    /* first whoever brings work, then whoever does it, keys and passwords last */
    stop_group(s, ROLE_SESSIOND, DRAIN_MS);
    stop_group(s, ROLE_WATCHD | ROLE_CERTD | ROLE_RELAYD | ROLE_ENROLD | ROLE_SEARCHD, DRAIN_MS);
    stop_group(s, ROLE_CAD | ROLE_AUTHD, DRAIN_MS);
    stop_group(s, ROLE_STORED, DRAIN_MS);
    stop_group(s, ROLE_KEYD, DRAIN_MS);
    loop_stop(s->loop);
}

void course_stop(struct supervisor *s)
{
    uint64_t now = clock_mono_ms();

    if (s->stopping) {
        /* asked again: no more waiting; but one who signals a process and its group asks once */
        if (now - s->stopping_ms >= ASKED_AGAIN_MS) {
            s->hurry = true;
            fiber_cond_broadcast(&s->changed);
        }
        return;
    }
    s->stopping = true;
    s->stopping_ms = now;
    fiber_cond_broadcast(&s->changed);
    fiber_start(s->loop, stop_fiber, s, "stop");
}

static void on_terminate(void *arg, int signo)
{
    course_stop(arg);
}

/* ---- meanwhile --------------------------------------------------------------------------- */

static void on_child(void *arg, int signo)
{
    processes_reap(arg);
}

static void look(void *arg)
{
    struct supervisor *s = arg;
    static unsigned looks;

    processes_reap(s);
    processes_look(s);
    if (++looks % RETRY_BIND_LOOKS == 0 && !s->stopping && listeners_retry(&s->listeners) > 0) {
        for (unsigned i = 0; i < s->process_count; i++)
            process_send_listeners(&s->processes[i], true);
        for (unsigned i = 0; i < s->listeners.n; i++)
            s->listeners.v[i].fresh = false;
    }
}

static void stop_turn(void *arg)
{
    struct supervisor *s = arg;
    loop_stop(s->loop);
}

void course_settle(struct supervisor *s)
{
    loop_defer(s->loop, stop_turn, s);
    loop_run(s->loop);
}

void course_run(struct supervisor *s)
{
    loop_signal(s->loop, SIGCHLD, on_child, s);
    loop_signal(s->loop, SIGHUP, on_hangup, s);
    loop_signal(s->loop, SIGTERM, on_terminate, s);
    loop_signal(s->loop, SIGINT, on_terminate, s);
    evidence_settings(s, "start");
    s->look = timer_new(s->loop, look, s);
    timer_repeat(s->look, LOOK_MS);
    for (unsigned i = 0; i < s->listeners.n; i++)
        s->listeners.v[i].fresh = false; /* each worker gets all at its start */
    fiber_start(s->loop, start_fiber, s, "start");
    loop_run(s->loop);
    timer_free(s->look);
}
