/* runner PROTOCOL SCRIPT.t: see runner.h. One script a process: each starts with an empty store. */
#include "session/runner.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/parse.h"
#include "line/worker.h"
#include "session/world.h"
#include "store/store_harness.h"
#include "tls/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 10, WAIT_MS = 10000, QUIET_MS = 200, CAPTURES = 10, LINE_MAX_BYTES = 1 << 20 };

struct client {
    struct conn *conn;
    uint64_t session; /* its number at the server */
    char *captures[CAPTURES];
};

static struct {
    struct world *w;
    const char *file;
    int line;
    struct client clients[CLIENTS_MAX];
    struct buf shown; /* lines of session 0 */
    bool begun;
} run;

static void failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void failed(const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "%s:%d: ", run.file, run.line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    fflush(stderr);
    _exit(1); /* the state of the other fibers says nothing any more */
}

/* ------------------------------------------------------------------ clients */

static struct client *client(int n)
{
    struct client *c = &run.clients[n];
    if (c->conn || n == 0)
        return c;
    int fd = world_connect(run.w, &c->session);
    struct conn_params p = {.loop = run.w->loop,
                            .in_max = LINE_MAX_BYTES,
                            .out_max = 64 << 20,
                            .write_timeout_ms = WAIT_MS};
    c->conn = conn_new(fd, &p);
    CHECK(c->conn);
    run.begun = true;
    if (run.w->endpoint_policy == POLICY_TLS_ONLY) {
        struct conn_client_tls t = {
            .context = run.w->client_tls, .name = "localhost", .verify = true};
        if (conn_connect_tls(c->conn, &t, WAIT_MS) < 0)
            failed("TLS failed: %s", conn_error(c->conn));
    }
    return c;
}

static void start_tls(int n)
{
    struct client *c = client(n);
    struct conn_client_tls t = {.context = run.w->client_tls, .name = "localhost", .verify = true};
    if (conn_connect_tls(c->conn, &t, WAIT_MS) < 0)
        failed("TLS failed: %s", conn_error(c->conn));
}

/* Pages have ends of lines of their own. */
static void check_line_end(struct span line)
{
    if (run.w->protocol != PROTOCOL_HTTP && (!line.n || line.p[line.n - 1] != '\r'))
        failed("the server ended a line with a bare LF: %.*s", SPAN_ARG(line));
}

/* The next line without its end, malloc'ed; NULL: closed. */
static char *next_line(struct client *c)
{
    if (c == &run.clients[0]) {
        struct span in = buf_span(&run.shown), line;
        if (!span_split(&in, '\n', &line))
            return NULL;
        char *text = span_dup(span_head(line, line.n - (line.n && line.p[line.n - 1] == '\r')));
        buf_consume(&run.shown, line.n + 1);
        return text;
    }
    for (;;) {
        struct span in = conn_peek(c->conn);
        size_t nl = span_find(in, '\n');
        if (nl != SPAN_NONE) {
            char *line = span_dup(span_head(in, nl && in.p[nl - 1] == '\r' ? nl - 1 : nl));
            check_line_end(span_head(in, nl));
            conn_consume(c->conn, nl + 1);
            return line;
        }
        int r = conn_fill(c->conn, WAIT_MS);
        if (r == -ETIMEDOUT)
            failed("nothing came within %d s; unread: <%.*s>", WAIT_MS / 1000, SPAN_ARG(in));
        if (r <= 0)
            return NULL;
    }
}

static void send_bytes(int n, struct span bytes)
{
    struct client *c = client(n);
    if (conn_put(c->conn, bytes) < 0 || conn_flush(c->conn) < 0) {
        /* the server may have closed by right: S! will tell */
    }
}

/* ------------------------------------------------------------------ text of scripts */

/* $1 … $9 from the last match of that session. */
static void put_expanded(struct client *c, struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] >= '1' && s.p[i + 1] <= '9') {
            const char *v = c->captures[s.p[++i] - '0'];
            if (!v)
                failed("$%c was not caught", s.p[i]);
            buf_put_cstr(out, v);
        } else {
            buf_putc(out, s.p[i]);
        }
    }
}

static void put_unescaped(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\' || i + 1 == s.n) {
            buf_putc(out, s.p[i]);
            continue;
        }
        char e = s.p[++i];
        unsigned v;
        if (e == 'x' && i + 2 < s.n &&
            sscanf((char[]){s.p[i + 1], s.p[i + 2], 0}, "%2x", &v) == 1) {
            buf_putc(out, (char)v);
            i += 2;
        } else {
            buf_putc(out, e == 'r' ? '\r' : e == 'n' ? '\n' : e == 't' ? '\t' : e == '0' ? 0 : e);
        }
    }
}

static bool matches(struct client *c, struct span want, const char *got)
{
    if (!want.n || want.p[0] != '/') {
        struct buf text BUF_AUTO = BUF(LINE_MAX_BYTES);
        put_expanded(c, want, &text);
        return span_eq(buf_span(&text), span_cstr(got));
    }
    struct buf pattern BUF_AUTO = BUF(LINE_MAX_BYTES);
    size_t end = span_rfind(want, '/');
    put_expanded(c, span_sub(want, 1, (end ? end : want.n) - 1), &pattern);
    regex_t re;
    regmatch_t m[CAPTURES];
    int err = regcomp(&re, buf_cstr(&pattern), REG_EXTENDED);
    if (err)
        failed("a bad regular expression: %s", buf_cstr(&pattern));
    bool match = regexec(&re, got, CAPTURES, m, 0) == 0;
    for (size_t i = 1; match && i <= re.re_nsub && i < CAPTURES; i++) {
        if (m[i].rm_so < 0)
            continue;
        free(c->captures[i]);
        c->captures[i] = span_dup(span_of(got + m[i].rm_so, (size_t)(m[i].rm_eo - m[i].rm_so)));
    }
    regfree(&re);
    return match;
}

/* ------------------------------------------------------------------ steps */

static void expect_line(int n, struct span want)
{
    struct client *c = client(n);
    char *got = next_line(c);
    if (!got)
        failed("the server closed; wanted: %.*s", SPAN_ARG(want));
    if (!matches(c, want, got))
        failed("the server said\n    %s\n  wanted\n    %.*s", got, SPAN_ARG(want));
    free(got);
}

static void expect_up_to(int n, struct span want)
{
    struct client *c = client(n);
    for (;;) {
        char *got = next_line(c);
        if (!got)
            failed("the server closed before a line that matches: %.*s", SPAN_ARG(want));
        bool match = matches(c, want, got);
        free(got);
        if (match)
            return;
    }
}

static void expect_lines(int n, struct span c)
{
    uint32_t times;
    if (!parse_u32(&c, 1 << 24, &times))
        failed("S= needs a count");
    while (times--)
        expect_line(n, span_skip(c, 1));
}

static void expect_bytes(int n, struct span c)
{
    struct buf want BUF_AUTO = BUF(1 << 20);
    struct client *cl = client(n);

    put_unescaped(c, &want);
    while (conn_peek(cl->conn).n < want.n && conn_fill(cl->conn, WAIT_MS) > 0) {
    }
    struct span got = span_head(conn_peek(cl->conn), want.n);
    if (!span_eq(got, buf_span(&want)))
        failed("the server said\n    %.*s", SPAN_ARG(got));
    conn_consume(cl->conn, want.n);
}

static void expect_close(int n)
{
    struct client *c = client(n);
    char *got = next_line(c);
    if (got)
        failed("the server should have closed, but said: %s", got);
    conn_free(c->conn);
    c->conn = NULL;
}

static void expect_quiet(int n)
{
    struct client *c = client(n);
    if (conn_peek(c->conn).n)
        failed("the server should be quiet, but said: %.*s", SPAN_ARG(conn_peek(c->conn)));
    int r = conn_fill(c->conn, QUIET_MS);
    if (r > 0)
        failed("the server should be quiet, but said: %.*s", SPAN_ARG(conn_peek(c->conn)));
}

static void setting(struct span rest)
{
    struct span word;
    if (run.begun || run.w->worker)
        failed("settings stand before the dialogue");
    if (!parse_word(&rest, 40, &word))
        failed("! needs a word");
    rest = span_trim(rest);
    if (span_eq(word, SPAN("set")))
        world_option(run.w, rest);
    else if (span_eq(word, SPAN("root")))
        world_root_option(run.w, rest);
    else if ((!span_eq(word, SPAN("certificate")) || !world_client_certificate(run.w, rest)) &&
             (!span_eq(word, SPAN("policy")) || !world_policy(run.w, rest)) &&
             (!span_eq(word, SPAN("kind")) || !world_smtp_kind(run.w, rest)))
        failed("unknown setting %.*s %.*s", SPAN_ARG(word), SPAN_ARG(rest));
}

/* ------------------------------------------------------------------ behind the scenes */

static void show_message(struct span c)
{
    struct span where;
    uint32_t uid;

    if (!parse_word(&c, 100, &where) || !parse_blanks(&c) || !parse_u32(&c, UINT32_MAX, &uid))
        failed("M needs an account or newsgroup, and a number");
    buf_clear(&run.shown);
    if (!world_message(run.w, where, uid, &run.shown))
        buf_put_cstr(&run.shown, "no such message\r\n");
    buf_put_cstr(&run.shown, ".\r\n");
}

static void deliver(struct span c, bool repeated)
{
    struct span where, id = SPAN_EMPTY;
    uint64_t account;
    uint32_t times = 1;
    struct buf text BUF_AUTO = BUF(16 << 20);

    if (!parse_word(&c, 100, &where) ||
        (!span_to_u64(where, UINT32_MAX, &account) && !parse_word(&c, 200, &id)))
        failed("D needs an account and a text, or a newsgroup, a Message-ID and a text");
    if (repeated && (!parse_blanks(&c) || !parse_u32(&c, 1 << 24, &times)))
        failed("L needs a count");
    while (times--)
        put_unescaped(span_skip(c, 1), &text);
    world_deliver(run.w, where, id, SPAN_EMPTY, buf_span(&text));
}

static void deliver_prefixed(struct span c)
{
    struct span group, prefix, id;
    struct buf head BUF_AUTO = BUF(STORE_PREFIX_MAX), text BUF_AUTO = BUF(16 << 20);

    if (!parse_word(&c, 100, &group) || !parse_blanks(&c) || !span_split(&c, '|', &prefix) ||
        !span_split(&c, '|', &id))
        failed("P needs a newsgroup and PREFIX|MESSAGE-ID|TEXT");
    put_unescaped(prefix, &head);
    put_unescaped(c, &text);
    world_deliver(run.w, group, id, buf_span(&head), buf_span(&text));
}

static void deliver_many(struct span c)
{
    struct span group;
    uint32_t n;

    if (!parse_blanks(&c) || !parse_u32(&c, 100000, &n) || !parse_word(&c, 100, &group))
        failed("N needs a count and a newsgroup");
    for (uint32_t i = 1; i <= n; i++) {
        struct buf text BUF_AUTO = BUF(1000), id BUF_AUTO = BUF(100);
        buf_printf(&id, "<%u@many>", i);
        buf_printf(&text, "From: a@x\r\nSubject: %u\r\nMessage-ID: <%u@many>\r\n\r\nx\r\n", i, i);
        world_deliver(run.w, group, buf_span(&id), SPAN_EMPTY, buf_span(&text));
    }
}

static void expunge(struct span c)
{
    struct span where;
    uint32_t uid;

    if (!parse_word(&c, 100, &where) || !parse_blanks(&c) || !parse_u32(&c, UINT32_MAX, &uid))
        failed("E needs an account or newsgroup, and a number");
    world_expunge(run.w, where, uid);
}

static void expect_counter(struct span c)
{
    struct span name;
    uint64_t want, got;

    if (!parse_word(&c, 100, &name) || !parse_blanks(&c) || !parse_u64(&c, UINT64_MAX, &want) ||
        !world_counter(run.w, name, &got))
        failed("V needs a counter and its value");
    for (int i = 0; got != want && i < 20; i++) { /* what it counts may be under way */
        fiber_sleep_ms(10);
        world_counter(run.w, name, &got);
    }
    if (got != want)
        failed("%.*s is %llu", SPAN_ARG(name), (unsigned long long)got);
}

static void describe(struct span c)
{
    char group[100], text[600];
    struct span word;

    if (!parse_word(&c, 90, &word) || !span_to_cstr(word, group, sizeof(group)) ||
        !span_to_cstr(span_trim(c), text, sizeof(text)) ||
        store_harness_describe(run.w->harness, group, text) != 0)
        failed("A needs a newsgroup, and what is said about it");
}

static void domain_quota(struct span c)
{
    char domain[100];
    struct span word;
    uint64_t bytes;

    if (!parse_word(&c, 90, &word) || !span_to_cstr(word, domain, sizeof(domain)) ||
        !parse_blanks(&c) || !parse_u64(&c, UINT64_MAX, &bytes) ||
        store_harness_domain(run.w->harness, domain, bytes) != 0)
        failed("U needs a domain and its quota");
}

static void end_session(struct span c)
{
    uint32_t n;
    char reason[100];

    parse_blanks(&c);
    if (!parse_u32(&c, CLIENTS_MAX - 1, &n) || !span_to_cstr(span_trim(c), reason, sizeof(reason)))
        failed("K needs a session and a reason");
    if (!worker_kill(run.w->worker, client((int)n)->session, reason))
        failed("there is no session %u", n);
}

static bool behind_the_scenes(char who, struct span c)
{
    uint64_t ms;

    switch (who) {
    case 'M':
        show_message(c);
        return true;
    case 'D':
    case 'L':
        deliver(c, who == 'L');
        return true;
    case 'P':
        deliver_prefixed(c);
        return true;
    case 'N':
        deliver_many(c);
        return true;
    case 'E':
        expunge(c);
        return true;
    case 'Q':
        buf_clear(&run.shown);
        world_queue(run.w, &run.shown);
        buf_put_cstr(&run.shown, ".\r\n");
        return true;
    case 'V':
        expect_counter(c);
        return true;
    case 'A':
        describe(c);
        return true;
    case 'U':
        domain_quota(c);
        return true;
    case 'W':
        if (!span_to_u64(span_trim(c), 60000, &ms))
            failed("W needs milliseconds");
        fiber_sleep_ms(ms);
        return true;
    case 'K':
        end_session(c);
        return true;
    case 'R':
        world_reload(run.w, c);
        return true;
    case 'Z':
        world_drain(run.w);
        return true;
    case '-':
        store_harness_away(run.w->harness);
        return true;
    case '+':
        store_harness_back(run.w->harness);
        return true;
    default:
        return false;
    }
}

static void step(struct span line)
{
    struct span c = line;
    struct buf bytes BUF_AUTO = BUF(64 << 20);
    uint32_t n = 1;
    char who = line.p[0];

    c = span_skip(c, 1);
    if (who == '!') {
        setting(c);
        return;
    }
    if (!run.w->worker)
        world_start(run.w);
    if (behind_the_scenes(who, c))
        return;
    parse_u32(&c, CLIENTS_MAX - 1, &n);
    char how = c.n ? c.p[0] : 0;
    struct span rest = span_skip(c, c.n > 1 && c.p[1] == ' ' ? 2 : 1);
    if (who == 'C' && how == ':') {
        put_expanded(client((int)n), rest, &bytes);
        buf_put_cstr(&bytes, "\r\n");
        send_bytes((int)n, buf_span(&bytes));
    } else if (who == 'C' && how == '+') {
        put_unescaped(rest, &bytes);
        send_bytes((int)n, buf_span(&bytes));
    } else if (who == 'C' && how == '*') {
        struct buf one BUF_AUTO = BUF(4096);
        uint32_t times;
        if (!parse_u32(&rest, 64 << 20, &times))
            failed("C* needs a count");
        put_unescaped(span_skip(rest, 1), &one);
        for (uint32_t i = 0; i < times; i++)
            buf_put_span(&bytes, buf_span(&one));
        send_bytes((int)n, buf_span(&bytes));
    } else if (who == 'S' && how == ':') {
        expect_line((int)n, rest);
    } else if (who == 'S' && how == '*') {
        expect_up_to((int)n, rest);
    } else if (who == 'S' && how == '=') {
        expect_lines((int)n, rest);
    } else if (who == 'S' && how == '+') {
        expect_bytes((int)n, rest);
    } else if (who == 'S' && how == '!') {
        expect_close((int)n);
    } else if (who == 'S' && how == '-') {
        expect_quiet((int)n);
    } else if (who == 'T') {
        start_tls((int)n);
    } else if (who == 'X') {
        conn_free(client((int)n)->conn);
        run.clients[n].conn = NULL;
    } else {
        failed("a line that is none: %.*s", SPAN_ARG(line));
    }
}

static void play(void *arg)
{
    struct span text = *(struct span *)arg, line;

    while (text.n) {
        size_t nl = span_find(text, '\n');
        line = nl == SPAN_NONE ? text : span_head(text, nl);
        text = nl == SPAN_NONE ? SPAN_EMPTY : span_skip(text, nl + 1);
        run.line++;
        if (line.n && line.p[0] != '#')
            step(line);
    }
    for (int i = 1; i < CLIENTS_MAX; i++) {
        struct client *c = &run.clients[i];
        if (c->conn && conn_peek(c->conn).n)
            failed("at the end session %d has unread lines: %.*s", i, SPAN_ARG(conn_peek(c->conn)));
        conn_free(c->conn);
        c->conn = NULL;
    }
    if (!run.begun)
        failed("no dialogue in this script");
    world_end(run.w);
}

int main(int argc, char **argv)
{
    struct buf text = BUF(16 << 20);
    struct err e;
    struct span script;

    if (argc != 3) {
        fprintf(stderr, "usage: %s PROTOCOL SCRIPT\n", argv[0]);
        return 2;
    }
    run.file = argv[2];
    if (file_read(AT_FDCWD, argv[2], 16 << 20, &text, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 2;
    }
    script = buf_span(&text);
    run.shown = BUF(64 << 20);
    run.w = world_new(argv[1]);
    fiber_start(run.w->loop, play, &script, "play");
    loop_run(run.w->loop);
    world_free(run.w);
    buf_done(&text);
    buf_done(&run.shown);
    for (int i = 0; i < CLIENTS_MAX; i++)
        for (size_t k = 0; k < CAPTURES; k++)
            free(run.clients[i].captures[k]);
    return 0;
}
