#include "manager/capture_child.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "capture/pcapng.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TOTALS_MS = 500,
    QUIET_MS = 200, /* no packet for so long, and the kernel has given all it had */
    DRAIN_MS = 3000,
    FILE_CHUNK = 256 << 10,
    AT_ONCE = 4096,
};

struct child {
    const struct capture_job *job;
    struct source *source;
    struct observe *observe;
    int out;
    struct buf line, file;
    bool file_failed;
    uint64_t received, dropped, kept;
    int64_t last_us;
};

/* ---- saying ------------------------------------------------------------------------------ */

static void say(struct child *c)
{
    buf_putc(&c->line, '\n');
    /* nobody listens any more: nothing is left to do */
    if (c->line.overflow || fd_write_all(c->out, c->line.p, c->line.n) != 0)
        _exit(1);
    buf_clear(&c->line);
}

static void put_text(struct child *c, const char *name, struct span text)
{
    buf_printf(&c->line, ",\"%s\":", name);
    json_put_string(&c->line, text);
}

static void put_tls(struct child *c, const struct tls_facts *t)
{
    char cipher[40], group[16];

    put_text(c, "sni", span_cstr(t->sni));
    buf_printf(&c->line, ",\"version\":\"%s\",\"cipher\":\"%s\",\"group\":\"%s\",\"serial\":\"%s\"",
               t->server_hello ? tls_version_name(t->version) : "",
               t->server_hello ? tls_cipher_name(t->cipher, cipher) : "",
               t->group != 0 ? tls_group_name(t->group, group) : "", t->serial);
    buf_printf(&c->line, ",\"alert\":%u,\"alert_level\":%u", t->alert, t->alert_level);
}

static void on_event(void *arg, const struct observe_event *e)
{
    static const char *const types[] = {"line", "tls", "offence"};
    struct child *c = arg;
    char client[64], server[64];

    buf_printf(&c->line,
               "{\"type\":\"%s\",\"endpoint\":%u,\"client\":\"%s\",\"server\":\"%s\","
               "\"from_server\":%s,\"packet\":%" PRIu64 ",\"time_us\":%" PRId64
               ",\"offset\":%u,\"stream_offset\":%" PRIu64,
               types[e->kind], (unsigned)(e->endpoint - c->job->endpoints),
               packet_end_print(&e->client, client), packet_end_print(&e->server, server),
               e->from_server ? "true" : "false", e->origin.packet, e->origin.time_us, e->origin.at,
               e->at);
    if (e->kind == OBSERVE_TLS)
        put_tls(c, e->tls);
    else
        put_text(c, "text", span_head(e->text, 1000));
    if (e->kind == OBSERVE_OFFENCE)
        buf_printf(&c->line, ",\"offence\":\"%s\"", offence_rows[e->offence].name);
    buf_putc(&c->line, '}');
    say(c);
}

static void put_records(struct buf *b, const struct tls_counts *t)
{
    bool any = false;

    buf_put_cstr(b, ",\"records\":[");
    for (unsigned type = 0; type < TLS_TYPES; type++)
        for (unsigned v = 0; v < TLS_VERSIONS; v++) {
            if (t->records[type][v] == 0)
                continue;
            buf_printf(b, "%s{\"type\":\"%s\",\"version\":\"%s\",\"count\":%" PRIu64 "}",
                       any ? "," : "", tls_type_name(type), tls_version_name(0x300 + v),
                       t->records[type][v]);
            any = true;
        }
    buf_putc(b, ']');
}

static void put_endpoint(struct buf *b, const struct observe_counts *n)
{
    bool any = false;

    buf_printf(b,
               "{\"packets\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"tls_bytes\":%" PRIu64 ",\"clear_bytes\":%" PRIu64 ",\"unsynced_bytes\":%" PRIu64
               ",\"lines\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"gap_bytes\":%" PRIu64
               ",\"sent_again\":%" PRIu64 ",\"out_of_order\":%" PRIu64 ",\"differing\":%" PRIu64
               ",\"without_sni\":%" PRIu64 ",\"handshakes\":{",
               n->packets, n->connections, n->bytes, n->tls_bytes, n->clear_bytes,
               n->unsynced_bytes, n->lines, n->gaps, n->gap_bytes, n->again, n->out_of_order,
               n->differing, n->client_no_sni);
    for (unsigned v = 0; v < TLS_VERSIONS; v++) {
        if (n->handshakes[v] == 0)
            continue;
        buf_printf(b, "%s\"%s\":%" PRIu64, any ? "," : "", tls_version_name(0x300 + v),
                   n->handshakes[v]);
        any = true;
    }
    buf_putc(b, '}');
    put_records(b, &n->tls);
    buf_put_cstr(b, ",\"offences\":{");
    any = false;
    for (unsigned i = 0; i < OFFENCE_COUNT; i++) {
        if (n->offences[i] == 0)
            continue;
        buf_printf(b, "%s\"%s\":%" PRIu64, any ? "," : "", offence_rows[i].name, n->offences[i]);
        any = true;
    }
    buf_put_cstr(b, "}}");
}

static void say_totals(struct child *c, bool final)
{
    const struct observe_totals *t = observe_totals(c->observe);

    source_statistics(c->source, &c->received, &c->dropped);
    buf_printf(&c->line,
               "{\"type\":\"totals\",\"final\":%s,\"packets\":%" PRIu64 ",\"kept\":%" PRIu64
               ",\"dropped\":%" PRIu64 ",\"fragments\":%" PRIu64 ",\"broken\":%" PRIu64
               ",\"cut\":%" PRIu64 ",\"forgotten\":%" PRIu64 ",\"file_failed\":%s,\"endpoints\":[",
               final ? "true" : "false", t->packets, c->kept, c->dropped, t->fragments, t->broken,
               t->cut, t->flows_forgotten, c->file_failed ? "true" : "false");
    for (unsigned i = 0; i < c->job->count; i++) {
        buf_put_cstr(&c->line, i ? "," : "");
        put_endpoint(&c->line, observe_counts(c->observe, i));
    }
    buf_put_cstr(&c->line, "]}");
    say(c);
}

/* ---- packets ----------------------------------------------------------------------------- */

static void flush_file(struct child *c)
{
    if (c->job->write_fd >= 0 && fd_write_all(c->job->write_fd, c->file.p, c->file.n) != 0)
        c->file_failed = true;
    buf_clear(&c->file);
}

static void on_packet(void *arg, struct span frame, uint32_t wire_bytes, int64_t time_us)
{
    struct child *c = arg;

    c->last_us = time_us;
    /* the filter in the kernel has looked at ports; addresses are looked at here */
    if (!observe_packet(c->observe, source_link(c->source), frame, wire_bytes, time_us))
        return;
    c->kept++;
    if (c->job->write_fd < 0)
        return;
    pcapng_packet(&c->file, time_us, frame, wire_bytes);
    if (c->file.n >= FILE_CHUNK)
        flush_file(c);
}

/* After the end was asked for: what the kernel still holds. */
static void drain(struct child *c)
{
    uint64_t start = clock_mono_ms(), last = start;

    while (clock_mono_ms() - last < QUIET_MS && clock_mono_ms() - start < DRAIN_MS) {
        struct pollfd p = {source_fd(c->source), POLLIN, 0};
        poll(&p, 1, 50);
        if (source_read(c->source, AT_ONCE, on_packet, c) > 0)
            last = clock_mono_ms();
    }
}

static void capture(struct child *c, int stop)
{
    uint64_t next = clock_mono_ms() + TOTALS_MS;

    for (;;) {
        struct pollfd p[2] = {
            {source_fd(c->source), POLLIN, 0},
            {stop,                 POLLIN, 0}
        };
        poll(p, 2, TOTALS_MS);
        if (source_read(c->source, AT_ONCE, on_packet, c) < 0)
            break;
        if (p[1].revents != 0)
            break;
        if (clock_mono_ms() >= next) {
            say_totals(c, false);
            next = clock_mono_ms() + TOTALS_MS;
        }
    }
    drain(c);
}

/* ---- the process ------------------------------------------------------------------------- */

static void enter_jail(struct child *c)
{
    struct sandbox_request q = {.profile = "capture", .user = c->job->user};
    struct sandbox_report r;
    struct err e;

    if (sandbox_enter(&q, &r, &e) != 0) {
        buf_put_cstr(&c->line, "{\"type\":\"failed\"");
        put_text(c, "text", span_cstr(e.text));
        buf_putc(&c->line, '}');
        say(c);
        _exit(1);
    }
    buf_put_cstr(&c->line, "{\"type\":\"ready\"");
    put_text(c, "lower", span_cstr(r.lower));
    buf_printf(&c->line, ",\"user_changed\":%s,\"seccomp\":%s}", r.user_changed ? "true" : "false",
               r.seccomp ? "true" : "false");
}

_Noreturn static void run(const struct capture_job *job, struct source *source, int out, int stop)
{
    struct child c = {.job = job,
                      .source = source,
                      .out = out,
                      .line = BUF(CAPTURE_LINE_MAX),
                      .file = BUF(FILE_CHUNK + SOURCE_SNAP_BYTES + 1024)};

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    c.observe = observe_new(job->endpoints, job->count, job->secrets, on_event, &c);
    if (job->write_fd >= 0)
        pcapng_header(&c.file, source_link(source), SOURCE_SNAP_BYTES,
                      job->interface != NULL ? job->interface : "any", job->filter);
    enter_jail(&c);
    say(&c);
    capture(&c, stop);
    observe_finish(c.observe);
    source_statistics(source, &c.received, &c.dropped);
    if (job->write_fd >= 0) {
        pcapng_statistics(&c.file, c.last_us, c.kept, c.dropped);
        flush_file(&c);
    }
    say_totals(&c, true);
    _exit(0);
}

int capture_child_start(const struct capture_job *job, struct source *source,
                        struct capture_child *ret, struct err *e)
{
    int events[2], stop[2];

    if (pipe2(events, O_CLOEXEC) != 0)
        return err_set(e, -errno, "no pipe: %s", strerror(errno));
    if (pipe2(stop, O_CLOEXEC) != 0) {
        close(events[0]);
        close(events[1]);
        return err_set(e, -errno, "no pipe: %s", strerror(errno));
    }
    fcntl(events[0], F_SETPIPE_SZ, 1 << 20);
    ret->pid = fork();
    if (ret->pid == 0) {
        close(events[0]);
        close(stop[1]);
        run(job, source, events[1], stop[0]);
    }
    close(events[1]);
    close(stop[0]);
    ret->events = events[0];
    ret->stop = stop[1];
    source_close(source);
    if (ret->pid < 0) {
        fd_close(&ret->events);
        fd_close(&ret->stop);
        return err_set(e, -errno, "no process: %s", strerror(errno));
    }
    return 0;
}

int capture_child_wait(struct capture_child *c, struct err *e)
{
    int status = 0;

    fd_close(&c->events);
    fd_close(&c->stop);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status))
        return err_set(e, -EPROTO, "the process that parses packets was ended by signal %d",
                       WTERMSIG(status));
    return err_set(e, -EPROTO, "the process that parses packets failed");
}
