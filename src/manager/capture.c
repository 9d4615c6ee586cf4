/*
 * capture.c: `sealpost capture`, the network monitor: what really goes over the wire at the virtual servers' own ports, and with --audit the proof
 * that nothing of it can be read. Packets are parsed by a jailed child (capture_child.c).
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/random.h"
#include "manager/capture_child.h"
#include "manager/capture_server.h"
#include "manager/capture_tables.h"
#include "manager/capture_tap.h"
#include "manager/capture_view.h"
#include "manager/evidence_capture.h"
#include "manager/table.h"
#include "manager/verify_foreign.h"
#include "manager/verify_guest.h"
#include "monitor/wire.h"
#include "proc/child/evidence_msg.h"
#include "sandbox/sandbox.h"
#include "tls/tap_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FOR_MAX_S = 7 * 86400,
    VSERVERS_MAX = 64,
    READY_MS = 10000,
    SETTLE_MS = 300, /* the last packets of the probe: ends of connections */
    EVENTS_MAX = 256 << 20,
};

#define PACKETS "packet capture"
#define SERVER_TAP "a tap in the server (packets may not be captured here)"
#define SERVER_TAP_WANTED "a tap in the server, as asked"
#define PROBE_TAP "a tap of the probe's own connections (packets may not be captured here)"

struct capture {
    struct call *call;
    char names[4096]; /* of --vserver, cut into pieces */
    const char *wanted[VSERVERS_MAX];
    unsigned wanted_count;
    uint64_t for_ms; /* 0: until it is ended */
    struct verify_plan *plan;
    struct observe_endpoint *endpoints;
    const char **serials;
    unsigned count;
    struct secrets *secrets;
    struct buf filter;
    int write_fd;
    struct capture_child child;
    struct capture_view view;
    const char *mode; /* where the bytes come from, in words */
    bool foreign;     /* servers that are not ours */
    /* in place of packets, where these are not to be had */
    struct capture_server *server;
    struct capture_tap *tap;
    struct map *probe;          /* "client server" of the connections of an audit's probe */
    int64_t began;              /* seconds since 1970 */
    struct verify_guest *guest; /* of an audit; NULL: none, or removed */
    bool ended;                 /* the probe, by a signal */
    char lost[500];             /* why not all was tried, seen or removed; "": it was */
};

static volatile sig_atomic_t asked_to_end;

static void on_signal(int signo)
{
    (void)signo;
    asked_to_end = 1;
}

/* ---- what is asked ----------------------------------------------------------------------- */

/* "90", "90s", "5m", "1h" */
static int parse_for(const char *text, uint64_t *ret_ms, struct err *e)
{
    struct span s = span_cstr(text);
    uint64_t unit = 1, n;

    if (s.n > 1 && !ascii_is_digit(s.p[s.n - 1])) {
        char c = ascii_lower(s.p[--s.n]);
        unit = c == 's' ? 1 : c == 'm' ? 60 : c == 'h' ? 3600 : 0;
    }
    if (unit == 0 || !span_to_u64(s, FOR_MAX_S / unit, &n) || n == 0)
        return usage_error(e, "--for %s: a time such as 60s, 5m or 1h, at most 7 days", text);
    *ret_ms = n * unit * 1000;
    return 0;
}

static int parse_vservers(struct capture *k, struct err *e)
{
    char *rest = k->names, *name;

    if (!has_option(k->call, OPT_VSERVER))
        return 0;
    if (!span_to_cstr(span_cstr(k->call->option[OPT_VSERVER]), k->names, sizeof k->names))
        return usage_error(e, "--vserver: too long a list");
    while ((name = strsep(&rest, ",")) != NULL) {
        if (k->wanted_count == VSERVERS_MAX)
            return usage_error(e, "--vserver: at most %d of them", VSERVERS_MAX);
        if (name[0] != '\0')
            k->wanted[k->wanted_count++] = name;
    }
    return 0;
}

static int parse_options(struct capture *k, struct err *e)
{
    const char *given = k->call->option[OPT_FOR];
    int r = given != NULL ? parse_for(given, &k->for_ms, e) : 0;

    if (r == 0 && has_option(k->call, OPT_AUDIT) && has_option(k->call, OPT_FILTER))
        r = usage_error(e, "--filter leaves packets out, so that --audit would prove nothing");
    if (r == 0 && has_option(k->call, OPT_TAP) &&
        (has_option(k->call, OPT_FILTER) || has_option(k->call, OPT_INTERFACE)))
        r = usage_error(e, "--tap looks at no packets: it knows neither --filter nor --interface");
    if (r == 0 && has_option(k->call, OPT_TAP) && k->call->arg_count > 0)
        r = usage_error(e, "--tap is of this server; others have none");
    return r != 0 ? r : parse_vservers(k, e);
}

/* ---- what is watched --------------------------------------------------------------------- */

/* Unspecified where the endpoint listens on all addresses. */
static void end_of(const struct probe_target *t, struct packet_end *ret)
{
    struct conf_network n;

    memset(ret, 0, sizeof *ret);
    ret->port = t->endpoint->port;
    if (conf_network_parse(span_cstr(t->endpoint->address), &n))
        ret->address = n.address;
    if (strcmp(t->endpoint->address, "0.0.0.0") == 0)
        ret->address = in6addr_any;
}

static void add_endpoints(struct capture *k)
{
    uint16_t *ports = calloc(k->plan->target_count + 1u, sizeof *ports);

    k->endpoints = calloc(k->plan->target_count + 1u, sizeof *k->endpoints);
    k->serials = calloc(k->plan->target_count + 1u, sizeof *k->serials);
    CHECK(ports != NULL && k->endpoints != NULL && k->serials != NULL);
    for (unsigned i = 0; i < k->plan->target_count; i++) {
        const struct probe_target *t = &k->plan->targets[i];
        struct observe_endpoint *o = &k->endpoints[k->count];
        if (!t->wanted)
            continue;
        snprintf(o->vserver, sizeof o->vserver, "%s", t->vserver->name);
        o->protocol = t->vserver->protocol;
        o->policy = t->endpoint->policy;
        o->require_secure = t->vserver->require_secure_channel;
        end_of(t, &o->end);
        k->serials[k->count] = t->serial;
        ports[k->count++] = t->endpoint->port;
    }
    source_filter(ports, k->count, k->call->option[OPT_FILTER], &k->filter);
    free(ports);
}

/* What the probe will send, and nobody may be able to read. */
static int mark_secrets(struct capture *k, struct err *e)
{
    struct probe_plan *p = &k->plan->plan;
    struct buf token BUF_AUTO = BUF(64);
    char name[400];

    k->secrets = secrets_new();
    random_token(&token, 24);
    snprintf(p->mark_message, sizeof p->mark_message, "%s", buf_cstr(&token));
    buf_clear(&token);
    random_token(&token, 24);
    snprintf(p->mark_article, sizeof p->mark_article, "%s", buf_cstr(&token));
    secrets_add(k->secrets, "the body of a message", span_cstr(p->mark_message));
    secrets_add(k->secrets, "the body of an article", span_cstr(p->mark_article));
    if (p->logins[0].user[0] == '\0')
        return err_set(e, -ENOENT,
                       "an audit logs in: give USER1 and PASS1 in a file with --settings");
    for (unsigned i = 0; i < PROBE_LOGINS && p->logins[i].user[0] != '\0'; i++) {
        snprintf(name, sizeof name, "the password of %s", p->logins[i].user);
        if (!secrets_add(k->secrets, name, span_cstr(p->logins[i].password)))
            return err_set(e, -EINVAL,
                           "%s has fewer than %d or more than %d characters: it cannot be told "
                           "from chance. Give accounts with longer ones",
                           name, SECRET_BYTES_MIN, SECRET_BYTES_MAX);
    }
    return 0;
}

static int open_file(struct capture *k, struct err *e)
{
    const char *path = k->call->option[OPT_WRITE];

    k->write_fd = -1;
    if (path == NULL)
        return 0;
    k->write_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return k->write_fd >= 0 ? 0
                            : err_set(e, -errno, "%s cannot be written: %s", path, strerror(errno));
}

static bool all_on_loopback(const struct verify_plan *p)
{
    for (unsigned i = 0; i < p->target_count; i++) {
        const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)&p->targets[i].to;
        const struct sockaddr_in6 *a6 =
            (const struct sockaddr_in6 *)(const void *)&p->targets[i].to;
        if (a4->sin_family == AF_INET ? ntohl(a4->sin_addr.s_addr) >> 24 != 127
                                      : !IN6_IS_ADDR_LOOPBACK(&a6->sin6_addr))
            return false;
    }
    return true;
}

/* The next best that proves something: the tap in the server, and for other servers the probe's own connections. */
static int start_without_packets(struct capture *k, struct source **ret, struct err *e)
{
    struct err packets = *e, why = {""};
    int r = -ENOTSUP;

    if (!k->foreign) {
        r = capture_server_start(k->plan->control, k->endpoints, k->count, &k->server, ret, &why);
        k->mode = has_option(k->call, OPT_TAP) ? SERVER_TAP_WANTED : SERVER_TAP;
        if (r == 0)
            return 0;
        if (has_option(k->call, OPT_TAP)) {
            *e = why;
            return err_wrap(e, r, "no tap in the server");
        }
    }
    if (has_option(k->call, OPT_AUDIT) && all_on_loopback(k->plan)) {
        k->mode = PROBE_TAP;
        return capture_tap_start(&k->tap, ret, e);
    }
    *e = packets;
    return why.text[0] == '\0' ? -EPERM
                               : err_set(e, -EPERM, "%s; and there is no tap in the server: %s",
                                         packets.text, why.text);
}

static int start(struct capture *k, struct err *e)
{
    const char *interface = k->call->option[OPT_INTERFACE], *prefix = k->plan->conf->user_prefix;
    char user[128];
    struct source *s;
    struct capture_job job = {.endpoints = k->endpoints,
                              .count = k->count,
                              .secrets = k->secrets,
                              .interface = interface,
                              .filter = buf_cstr(&k->filter),
                              .write_fd = k->write_fd,
                              .user = user};
    int r = has_option(k->call, OPT_TAP) ? -EPERM : source_open(interface, job.filter, &s, e);

    k->mode = PACKETS;
    if (r == -EPERM && interface == NULL && !has_option(k->call, OPT_FILTER))
        r = start_without_packets(k, &s, e);
    if (r != 0)
        return r;
    snprintf(user, sizeof user, "%s%s", prefix, sandbox_profile_user("capture"));
    if (prefix[0] == '\0')
        snprintf(user, sizeof user, "nobody");
    return capture_child_start(&job, s, &k->child, e);
}

/* ---- while it runs ----------------------------------------------------------------------- */

/* The lines of the child out of what has come. */
static void take_lines(struct capture *k, struct buf *b)
{
    size_t used = 0, end;

    while ((end = span_find(span_skip(buf_span(b), used), '\n')) != SPAN_NONE) {
        capture_view_take(&k->view, span_sub(buf_span(b), used, end));
        used += end + 1;
    }
    buf_consume(b, used);
}

/* 1: something came; 0: not in time; -1: the child has ended. */
static int read_more(struct capture *k, struct buf *b, int wait_ms)
{
    struct pollfd p = {k->child.events, POLLIN, 0};
    char *room;
    ssize_t n;

    if (poll(&p, 1, wait_ms) <= 0)
        return 0;
    room = buf_reserve(b, 65536);
    n = room != NULL ? read(k->child.events, room, 65536) : 0;
    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : -1;
    buf_commit(b, (size_t)n);
    return 1;
}

static bool wait_ready(struct capture *k, struct buf *b)
{
    uint64_t end = clock_mono_ms() + READY_MS;

    while (!k->view.is_ready && clock_mono_ms() < end) {
        int r = read_more(k, b, 100);
        take_lines(k, b);
        if (r < 0)
            break;
    }
    return k->view.is_ready;
}

/* The first reason is told. */
static void lose(struct capture *k, const char *why)
{
    if (k->lost[0] == '\0')
        snprintf(k->lost, sizeof k->lost, "%.*s", (int)sizeof k->lost - 1, why);
}

static void finish(struct capture *k, struct buf *b)
{
    struct err e;

    if (k->server != NULL && capture_server_stop(k->server, &e) != 0)
        lose(k, e.text);
    fd_close(&k->child.stop);
    while (read_more(k, b, 30000) > 0)
        take_lines(k, b);
    take_lines(k, b);
}

static void watch(struct capture *k, struct buf *b)
{
    uint64_t end = k->for_ms > 0 ? clock_mono_ms() + k->for_ms : UINT64_MAX;

    while (!asked_to_end && clock_mono_ms() < end) {
        uint64_t left = end - clock_mono_ms();
        if (read_more(k, b, left < 200 ? (int)left : 200) < 0)
            break;
        take_lines(k, b);
    }
}

/* ---- audit ------------------------------------------------------------------------------- */

/* The probe blocks its thread, and the child must not wait for a reader meanwhile. */
struct reader {
    struct capture *capture;
    struct buf bytes;
    volatile bool stop;
};

static void *read_meanwhile(void *arg)
{
    struct reader *r = arg;

    while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE) &&
           read_more(r->capture, &r->bytes, 50) >= 0)
        continue;
    return NULL;
}

static json_t *probe_json(const struct probe_result *results, unsigned count, unsigned n[3])
{
    json_t *failures = json_array();

    for (unsigned i = 0; i < count; i++) {
        const struct probe_result *r = &results[i];
        char name[80];
        n[r->verdict]++;
        if (r->verdict == PROBE_FAIL)
            json_array_append_new(
                failures, json_pack("{s:s,s:s,s:s,s:o}", "vserver", r->target->vserver->name,
                                    "endpoint", probe_target_name(r->target, name), "check",
                                    r->check->name, "detail", view_text(r->detail)));
    }
    return json_pack("{s:i,s:i,s:i,s:o}", "passed", (int)n[PROBE_PASS], "failed",
                     (int)n[PROBE_FAIL], "skipped", (int)n[PROBE_SKIP], "failures", failures);
}

static const char *verdict_of(const struct capture *k, bool every_endpoint)
{
    const char *verdict = capture_view_verdict(&k->view, every_endpoint);

    return verdict == NULL && k->lost[0] != '\0' ? k->lost : verdict;
}

/* What a report of evidence may call proved is what the log says was proved: the entry holds the hash of what was printed. */
static int log_audit(struct capture *k, const json_t *all, const char *result, struct err *e)
{
    struct buf body BUF_AUTO = BUF(8192);
    struct evidence_fact facts[5];
    char hash[65], from[32];

    if (k->foreign)
        return 0;
    evidence_capture_hash(all, hash);
    evidence_time(k->began, from);
    facts[0] = (struct evidence_fact){"sha256", hash};
    facts[1] = (struct evidence_fact){"result", result};
    facts[2] = (struct evidence_fact){"mode", k->mode};
    facts[3] = (struct evidence_fact){"from", from};
    facts[4] = (struct evidence_fact){"about", view_string(all, "verdict")};
    wr_evidence_event(&body, EVIDENCE_AUDIT, EVIDENCE_NOBODY, 0, facts, ARRAY_LEN(facts));
    return control_call(k->plan->control, ROLE_SUPERVISOR, 0, MSG_EVIDENCE_ADD, buf_span(&body),
                        NULL, e);
}

static void put_result(const struct capture *k, uint64_t clients, const char *verdict,
                       struct buf *out)
{
    static const char nothing[] = "none of %u marked secrets (passwords, a message, an article; in "
                                  "any encoding) can be read in any captured byte; all that the "
                                  "server said outside TLS is of the plain grammar";

    if (clients == 0 && verdict == NULL) {
        buf_put_cstr(out, "PROVED: ");
        buf_printf(out, nothing, secrets_count(k->secrets));
        buf_put_cstr(out, "; nobody but the probe, on purpose, said anything beyond it, and that "
                          "was refused.");
    } else if (verdict == NULL) {
        buf_put_cstr(out, "PROVED FOR THE SERVER, NOT FOR ITS CLIENTS: ");
        buf_printf(out, nothing, secrets_count(k->secrets));
        buf_printf(out,
                   ". But %" PRIu64 " times clients (named above) sent in clear what is not of it: "
                   "the server refused it, and everybody on the way could read it, passwords too.",
                   clients);
    } else {
        buf_printf(out, "NOT PROVED: %s.", verdict);
    }
}

static int show_audit(struct capture *k, json_t *probe, const unsigned n[3], struct err *e)
{
    static const struct view columns[] = {
        {"VIRTUAL SERVER", "vserver",  VIEW_TEXT, COLUMN_WHOLE},
        {"ENDPOINT",       "endpoint", VIEW_TEXT, COLUMN_WHOLE},
        {"CHECK",          "check",    VIEW_TEXT, COLUMN_WHOLE},
        {"FAILED",         "detail",   VIEW_TEXT, COLUMN_WRAP },
    };
    /* that endpoints were not tried is told as what it is */
    const char *verdict = verdict_of(k, !k->ended), *result;
    struct buf *out = &k->call->out, line BUF_AUTO = BUF(4096);
    json_t *failures = json_object_get(probe, "failures"), *all;
    uint64_t clients;
    char about[200], from[32], to[32];
    int r;

    k->view.probe = k->probe;
    clients = capture_view_client_faults(&k->view);
    snprintf(about, sizeof about, "%" PRIu64 " offences of clients, named above", clients);
    if (verdict == NULL && n[PROBE_FAIL] > 0)
        verdict = "the probe found faults: what it could not send was not proved either";
    result = verdict != NULL ? "not proved" : clients > 0 ? "proved for the server" : "proved";
    evidence_time(k->began, from);
    evidence_time(clock_seconds(), to);
    all = capture_view_json(&k->view, k->mode, verdict == NULL && clients > 0 ? about : verdict,
                            json_pack("{s:s,s:s,s:s,s:s,s:s,s:O,s:b,s:s,s:I,s:i}", "format",
                                      EVIDENCE_CAPTURE_FORMAT, "version", SEALPOST_VERSION,
                                      "hostname", k->plan->conf->hostname, "from", from, "to", to,
                                      "probe", probe, "proved", verdict == NULL && clients == 0,
                                      "result", result, "client_offences", (json_int_t)clients,
                                      "secrets", (int)secrets_count(k->secrets)));
    r = log_audit(k, all, result, e);
    if (has_option(k->call, OPT_JSON))
        view_json(k->call, all);
    json_decref(all);
    if (r < 0)
        return err_wrap(e, r, "the audit is not in the log of evidence");
    e->text[0] = '\0';
    r = verdict != NULL ? -EPROTO : clients > 0 ? EXIT_CLIENTS : 0;
    if (has_option(k->call, OPT_JSON))
        return r;
    if (json_array_size(failures) > 0) {
        view_table(k->call, failures, VIEW(columns));
        buf_putc(out, '\n');
    }
    capture_view_show(&k->view, k->mode);
    buf_printf(out, "Probe: %u checks passed, %u failed, %u skipped.\n", n[PROBE_PASS],
               n[PROBE_FAIL], n[PROBE_SKIP]);
    put_result(k, clients, verdict, &line);
    capture_put_wrapped(out, buf_span(&line), k->call->columns, 0);
    return r;
}

/* Its connections: what it does on purpose is no client's fault. */
static void on_probe_bytes(void *arg, const struct sockaddr_storage *own,
                           const struct sockaddr_storage *peer, bool from_peer, struct span bytes)
{
    struct capture *k = arg;
    struct tap_end ends[2];
    char text[2][64], key[160];

    (void)from_peer, (void)bytes;
    if (!tap_end_of(own, &ends[0]) || !tap_end_of(peer, &ends[1]))
        return;
    for (unsigned i = 0; i < 2; i++) {
        struct packet_end end = {.port = ntohs(ends[i].port)};
        memcpy(&end.address, ends[i].address, sizeof end.address);
        packet_end_print(&end, text[i]);
    }
    snprintf(key, sizeof key, "%s %s", text[0], text[1]);
    map_set(k->probe, span_cstr(key), k);
    if (k->tap != NULL)
        capture_tap_bytes(k->tap, own, peer, from_peer, bytes);
}

/* What it made on the server goes, in whatever way it has ended. */
static void end_probe(struct capture *k)
{
    struct err e;

    if (probe_was_ended(&k->plan->plan)) {
        k->ended = true;
        lose(k, "it was ended by a signal, before all was tried");
        asked_to_end = 1;
    }
    if (verify_guest_remove(k->guest, &e) != 0)
        lose(k, e.text);
    k->guest = NULL;
}

static int audit(struct capture *k, struct buf *b, struct err *e)
{
    struct reader reader = {.capture = k, .bytes = BUF(EVENTS_MAX)};
    uint64_t end = clock_mono_ms() + k->for_ms; /* not before, if so long was asked for */
    struct probe_result *results = NULL;
    unsigned count = 0, n[3] = {0, 0, 0};
    pthread_t thread;
    json_t *probe;
    int r;

    if (pthread_create(&thread, NULL, read_meanwhile, &reader) != 0)
        return err_set(e, -EAGAIN, "no thread");
    wire_tap(on_probe_bytes, k);
    probe_all(&k->plan->plan, &results, &count);
    if (!k->foreign)
        verify_plan_settle(k->plan, results, count);
    wire_tap(NULL, NULL);
    end_probe(k);
    while (!asked_to_end && clock_mono_ms() < end)
        usleep(SETTLE_MS * 1000);
    usleep(SETTLE_MS * 1000);
    __atomic_store_n(&reader.stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    buf_put_span(b, buf_span(&reader.bytes));
    buf_done(&reader.bytes);
    take_lines(k, b);
    finish(k, b);
    probe = probe_json(results, count, n);
    free(results);
    r = show_audit(k, probe, n, e);
    json_decref(probe);
    return r;
}

/* ---- the whole --------------------------------------------------------------------------- */

static int run(struct capture *k, struct err *e)
{
    struct buf b BUF_AUTO = BUF(EVENTS_MAX);
    const char *verdict;
    struct err ended;
    int r;

    if ((r = start(k, e)) != 0)
        return r;
    if (!wait_ready(k, &b))
        r = err_set(e, -EPROTO, "the process that parses packets does not start%s%s",
                    k->view.failed[0] ? ": " : "", k->view.failed);
    else if (has_option(k->call, OPT_AUDIT))
        r = audit(k, &b, e);
    else {
        watch(k, &b);
        finish(k, &b);
        verdict = verdict_of(k, false);
        if (has_option(k->call, OPT_JSON)) {
            json_t *all = capture_view_json(&k->view, k->mode, verdict, json_object());
            view_json(k->call, all);
            json_decref(all);
        } else {
            capture_view_show(&k->view, k->mode);
        }
        r = capture_view_faults(&k->view) > 0 || !k->view.is_final ? -EPROTO : 0;
        e->text[0] = '\0';
    }
    if (capture_child_wait(&k->child, &ended) != 0 && r == 0)
        r = err_set(e, -EPROTO, "%s", ended.text);
    return r;
}

/* An account and a newsgroup of the probe's own, where the server is ours; who logs in is a secret then. */
static int prepare_audit(struct capture *k, struct err *e)
{
    int r;

    k->plan->plan.ended = &asked_to_end;
    r = k->foreign ? 0 : verify_guest_make(k->plan, &k->guest, e);
    if (r != 0)
        return err_wrap(e, r, "the probe");
    return mark_secrets(k, e);
}

static void capture_done(struct capture *k)
{
    struct err ignored; /* something else has failed before */

    verify_guest_remove(k->guest, &ignored);
    capture_tap_stop(k->tap);
    capture_server_free(k->server);
    capture_view_done(&k->view);
    secrets_free(k->secrets);
    verify_plan_free(k->plan);
    buf_done(&k->filter);
    fd_close(&k->write_fd);
    free(k->endpoints);
    free(k->serials);
    map_free(k->probe);
    free(k);
}

int cmd_capture(struct call *c, struct err *e)
{
    struct capture *k = calloc(1, sizeof *k);
    struct sigaction end = {.sa_handler = on_signal};
    bool live = !has_option(c, OPT_JSON) && !has_option(c, OPT_AUDIT);
    int r;

    CHECK(k != NULL);
    k->call = c;
    k->write_fd = -1;
    k->filter = BUF(65536);
    k->foreign = c->arg_count > 0;
    k->probe = map_new();
    k->began = clock_seconds();
    r = parse_options(k, e);
    if (r == 0 && c->arg_count > 0)
        r = verify_foreign_make(c, &k->plan, e);
    else if (r == 0)
        r = verify_plan_make(c, k->wanted, k->wanted_count, &k->plan, e);
    if (r == 0) {
        add_endpoints(k);
        r = open_file(k, e);
    }
    if (r == 0) {
        sigaction(SIGINT, &end, NULL);
        sigaction(SIGTERM, &end, NULL);
        r = has_option(c, OPT_AUDIT) ? prepare_audit(k, e) : 0;
    }
    if (r == 0) {
        capture_view_init(&k->view, c, k->endpoints, k->serials, k->count, live);
        r = run(k, e);
    }
    capture_done(k);
    return r;
}
