/*
 * client.c: RFC 5321 as a client: greeting, EHLO, STARTTLS, EHLO again, AUTH, MAIL, RCPT, DATA.
 * Pipelined where the server says so (RFC 2920). The reply to the final dot decides; a connection
 * that breaks before it means "not delivered", so a message may arrive twice but is never lost.
 */
#include "smtp/client.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/random.h"
#include "message/downgrade.h"
#include "smtp/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { /* RFC 5321 section 4.5.3.2, milliseconds */
       GREETING_MS = 300000,
       COMMAND_MS = 300000,
       DATA_MS = 120000,
       BLOCK_MS = 180000,
       FINAL_MS = 600000,
       CONNECT_MS = 30000,
       TLS_MS = 60000,
};
enum { REPLY_MAX = 4096, REPLY_LINE_MAX = 1024, REPLY_LINES_MAX = 100, CHUNK_BYTES = 32 << 10 };
enum {
    PIPELINED_MAX =
        50, /* RCPT without reading: the replies must fit the way back (RFC 2920 section 3.1) */
    COMMAND_BYTES_MAX = 4096,
    DOWNGRADE_BYTES_MAX = 64 << 20, /* larger ones are not made 7-bit */
};

enum {
    HAS_STARTTLS = 1,
    HAS_PIPELINING = 2,
    HAS_SIZE = 4,
    HAS_8BITMIME = 8,
    HAS_SMTPUTF8 = 16,
    HAS_DSN = 32,
    HAS_AUTH_PLAIN = 64,
    HAS_AUTH_LOGIN = 128
};

struct client {
    const struct smtp_host *h;
    struct conn *conn;
    unsigned extensions;
    uint64_t size_limit; /* 0: none said */
    struct smtp_facts facts;
    bool is_8bit;          /* the message */
    bool header_8bit;      /* its header, not counting those of its parts */
    bool utf8;             /* it can be sent with SMTPUTF8 only */
    struct buf made;       /* the message with 7-bit bodies, if that was needed */
    char reply[REPLY_MAX]; /* the last reply's lines, joined by blanks, the code in front */
    char problem[300];     /* why the connection is of no use */
};

static bool broken(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool broken(struct client *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->problem, sizeof(c->problem), fmt, ap);
    va_end(ap);
    return false;
}

/* ------------------------------------------------------------------ replies */

static void reply_add(struct client *c, struct span text)
{
    size_t have = strlen(c->reply);
    for (size_t i = 0; i < text.n && have + 1 < sizeof(c->reply); i++) {
        unsigned char b = (unsigned char)text.p[i];
        c->reply[have++] = b < 32 || b == 127 ? ' ' : (char)b;
    }
    c->reply[have] = 0;
}

static void take_extension(struct client *c, struct span line)
{
    struct span word, rest = line;
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {
        {"STARTTLS",   HAS_STARTTLS  },
        {"PIPELINING", HAS_PIPELINING},
        {"8BITMIME",   HAS_8BITMIME  },
        {"SMTPUTF8",   HAS_SMTPUTF8  },
        {"DSN",        HAS_DSN       },
    };
    if (!parse_word(&rest, 64, &word))
        return;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (span_is(word, known[i].name))
            c->extensions |= known[i].bit;
    if (span_is(word, "SIZE")) {
        c->extensions |= HAS_SIZE;
        if (parse_word(&rest, 20, &word))
            span_to_u64(word, UINT64_MAX / 2, &c->size_limit);
    }
    if (span_is(word, "AUTH"))
        while (parse_word(&rest, 64, &word))
            c->extensions |= span_is(word, "PLAIN")   ? HAS_AUTH_PLAIN
                             : span_is(word, "LOGIN") ? HAS_AUTH_LOGIN
                                                      : 0;
}

/* One line; false: the connection is of no use any more. */
static bool read_line(struct client *c, uint64_t timeout_ms, char line[REPLY_LINE_MAX + 1],
                      size_t *ret_n)
{
    if (c->h->patience_ms && c->h->patience_ms < timeout_ms)
        timeout_ms = c->h->patience_ms;
    uint64_t deadline = clock_mono_ms() + timeout_ms;
    for (;;) {
        struct span in = conn_peek(c->conn);
        size_t nl = span_find(in, '\n');
        if (nl != SPAN_NONE) {
            size_t n = nl && in.p[nl - 1] == '\r' ? nl - 1 : nl;
            if (n > REPLY_LINE_MAX)
                return broken(c, "a reply line of %zu bytes", n);
            memcpy(line, in.p, n);
            line[n] = 0;
            *ret_n = n;
            conn_consume(c->conn, nl + 1);
            return true;
        }
        if (in.n > REPLY_LINE_MAX)
            return broken(c, "a reply line without end");
        uint64_t now = clock_mono_ms(); /* a reply that trickles in has no more time than another */
        int r = now < deadline ? conn_fill(c->conn, deadline - now) : -ETIMEDOUT;
        if (r <= 0)
            return broken(c, "%s",
                          r == 0            ? "the connection was closed"
                          : r == -ETIMEDOUT ? "timed out waiting for a reply"
                                            : conn_error(c->conn));
    }
}

/* A whole reply: its code, or 0 when the connection is of no use any more. */
static int read_reply(struct client *c, uint64_t timeout_ms, bool ehlo)
{
    char line[REPLY_LINE_MAX + 1];
    unsigned code = 0;

    c->reply[0] = 0;
    for (int i = 0; i < REPLY_LINES_MAX; i++) {
        size_t n = 0;
        unsigned this_code;
        if (!read_line(c, timeout_ms, line, &n))
            return 0;
        struct span s = span_of(line, n);
        if (!parse_fixed_digits(&s, 3, &this_code) || this_code < 200 || this_code > 599 ||
            (i && this_code != code) || (s.n && s.p[0] != ' ' && s.p[0] != '-')) {
            broken(c, "not an SMTP reply: \"%.60s\"", line);
            return 0;
        }
        bool last = !s.n || s.p[0] == ' ';
        if (i == 0)
            reply_add(c, span_head(span_of(line, n), 3));
        reply_add(c, SPAN(" "));
        reply_add(c, span_skip(s, 1));
        code = this_code;
        if (ehlo && i)
            take_extension(c, span_skip(s, 1));
        if (last)
            return (int)code;
    }
    broken(c, "a reply of more than %d lines", REPLY_LINES_MAX);
    return 0;
}

static int command(struct client *c, struct span line, uint64_t timeout_ms, bool ehlo)
{
    if (conn_put(c->conn, line) < 0 || conn_flush(c->conn) < 0) {
        broken(c, "%s", conn_error(c->conn));
        return 0;
    }
    return read_reply(c, timeout_ms, ehlo);
}

/* ------------------------------------------------------------------ opening */

static bool hello(struct client *c)
{
    struct buf line BUF_AUTO = BUF(600);
    c->extensions = 0;
    c->size_limit = 0;
    buf_printf(&line, "EHLO %s\r\n", c->h->ehlo);
    int code = command(c, buf_span(&line), COMMAND_MS, true);
    if (code >= 500) { /* a server of before 1995 */
        buf_clear(&line);
        buf_printf(&line, "HELO %s\r\n", c->h->ehlo);
        code = command(c, buf_span(&line), COMMAND_MS, false);
    }
    if (code == 250)
        return true;
    return code ? broken(c, "greeted with: %s", c->reply) : false;
}

static bool start_tls(struct client *c)
{
    struct conn_client_tls t = {.context = c->h->tls,
                                .name = c->h->tls_verify_name ? c->h->tls_verify_name : c->h->name,
                                .verify = c->h->tls_verify_name != NULL};

    int code = command(c, SPAN("STARTTLS\r\n"), COMMAND_MS, false);
    if (code == 0)
        return false;
    if (code != 220)
        return !c->h->tls_required || broken(c, "STARTTLS was answered: %s", c->reply);
    if (conn_peek(c->conn).n) { /* put there in clear to be taken for a reply under TLS */
        c->facts.tls_failed = true;
        return broken(c, "more than a reply came before TLS");
    }
    int r = conn_connect_tls(c->conn, &t, TLS_MS);
    if (r < 0) {
        c->facts.tls_failed = true;
        return broken(c, "TLS failed: %s", conn_error(c->conn));
    }
    return hello(c);
}

static bool log_in(struct client *c)
{
    struct buf plain BUF_AUTO = BUF(1024), line BUF_AUTO = BUF(2048);
    int code;

    if (c->extensions & HAS_AUTH_PLAIN) {
        buf_putc(&plain, 0);
        buf_put_cstr(&plain, c->h->user);
        buf_putc(&plain, 0);
        buf_put_cstr(&plain, c->h->password);
        buf_put_cstr(&line, "AUTH PLAIN ");
        base64_encode(&line, buf_span(&plain));
        buf_put_cstr(&line, "\r\n");
        code = command(c, buf_span(&line), COMMAND_MS, false);
    } else if (c->extensions & HAS_AUTH_LOGIN) {
        code = command(c, SPAN("AUTH LOGIN\r\n"), COMMAND_MS, false);
        if (code == 334) {
            base64_encode(&line, span_cstr(c->h->user));
            buf_put_cstr(&line, "\r\n");
            code = command(c, buf_span(&line), COMMAND_MS, false);
        }
        if (code == 334) {
            buf_clear(&line);
            base64_encode(&line, span_cstr(c->h->password));
            buf_put_cstr(&line, "\r\n");
            code = command(c, buf_span(&line), COMMAND_MS, false);
        }
    } else {
        return broken(c, "login is configured, but the server offers neither AUTH PLAIN nor LOGIN");
    }
    secret_wipe(plain.p, plain.n);
    secret_wipe(line.p, line.n);
    if (code == 235)
        return true;
    return code ? broken(c, "login was answered: %s", c->reply) : false;
}

/* Connected, greeted, on TLS if need be, logged in if need be. */
static bool client_open(struct client *c)
{
    int fd = -1;
    int r = conn_dial(c->h->loop, &c->h->address, CONNECT_MS, &fd);
    if (r < 0)
        return broken(c, "no connection: %s", strerror(-r));
    struct conn_params p = {
        .loop = c->h->loop, .peer = c->h->address, .write_timeout_ms = BLOCK_MS};
    c->conn = conn_new(fd, &p);
    if (!c->conn)
        return broken(c, "no connection");
    c->facts.connected = true;
    int code = read_reply(c, GREETING_MS, false);
    if (code != 220)
        return code ? broken(c, "greeted with: %s", c->reply) : false;
    if (!hello(c))
        return false;
    if (c->extensions & HAS_STARTTLS && c->h->tls) {
        if (!start_tls(c))
            return false;
    } else if (c->h->tls_required) {
        return broken(c, "TLS is required for this route, but %s does not offer STARTTLS",
                      c->h->name);
    }
    struct conn_tls_info info;
    conn_tls_info(c->conn, &info);
    c->facts.tls = info.on;
    c->facts.verified = info.verified;
    c->facts.version = info.version;
    c->facts.cipher = info.cipher;
    if (c->h->tls_required && !info.on)
        return broken(c, "TLS is required for this route, but it did not come about");
    if (!c->h->user)
        return true;
    return info.on
               ? log_in(c)
               : broken(
                     c,
                     "login is configured, but there is no TLS: the password is not sent in clear");
}

/* ------------------------------------------------------------------ the message */

static enum queue_outcome outcome_of(int code)
{
    return code >= 200 && code < 300 ? QUEUE_DELIVERED
           : code >= 500             ? QUEUE_FAILED
                                     : QUEUE_DEFERRED;
}

static void put_mail(struct client *c, const struct smtp_outgoing *m, struct buf *out)
{
    buf_printf(out, "MAIL FROM:<%.*s>", SPAN_ARG(m->sender));
    if (c->extensions & HAS_SIZE)
        buf_printf(out, " SIZE=%" PRIu64, c->made.p ? c->made.n : m->size);
    if (c->is_8bit && c->extensions & HAS_8BITMIME)
        buf_put_cstr(out, " BODY=8BITMIME");
    if (c->utf8)
        buf_put_cstr(out, " SMTPUTF8");
    if (c->extensions & HAS_DSN) {
        if (m->ret_headers)
            buf_put_cstr(out, " RET=HDRS");
        else if (m->ret_full)
            buf_put_cstr(out, " RET=FULL");
        if (m->envid.n) {
            buf_put_cstr(out, " ENVID=");
            xtext_encode(m->envid, out);
        }
    }
    buf_put_cstr(out, "\r\n");
}

static void put_rcpt(struct client *c, const struct smtp_outgoing_recipient *r, struct buf *out)
{
    buf_printf(out, "RCPT TO:<%.*s>", SPAN_ARG(r->address));
    if (c->extensions & HAS_DSN) {
        if (r->notify & NOTIFY_NEVER) {
            buf_put_cstr(out, " NOTIFY=NEVER");
        } else if (r->notify) {
            const char *between = " NOTIFY=";
            static const struct {
                uint8_t bit;
                const char *name;
            } names[] = {
                {NOTIFY_SUCCESS, "SUCCESS"},
                {NOTIFY_FAILURE, "FAILURE"},
                {NOTIFY_DELAY,   "DELAY"  }
            };
            for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (r->notify & names[i].bit) {
                    buf_printf(out, "%s%s", between, names[i].name);
                    between = ",";
                }
        }
        size_t semicolon = span_find(r->orcpt, ';');
        if (semicolon != SPAN_NONE) {
            buf_printf(out, " ORCPT=%.*s;", SPAN_ARG(span_head(r->orcpt, semicolon)));
            xtext_encode(span_skip(r->orcpt, semicolon + 1), out);
        }
    }
    buf_put_cstr(out, "\r\n");
}

static void set_all(const struct smtp_outgoing *m, struct smtp_recipient_result *results,
                    enum queue_outcome o, const char *text, bool replied)
{
    for (size_t i = 0; i < m->count; i++) {
        results[i].outcome = o;
        results[i].replied = replied;
        snprintf(results[i].text, sizeof(results[i].text), "%.399s", text);
    }
}

/* From the file, or from what was made of it for a server that does not take it as it is. */
static ssize_t read_body(const struct client *c, const struct smtp_outgoing *m, char *chunk,
                         uint64_t at)
{
    struct span made = buf_span(&c->made);

    if (made.p == NULL)
        return pread(m->body_fd, chunk, CHUNK_BYTES, (off_t)at);
    made = span_head(span_skip(made, at < made.n ? (size_t)at : made.n), CHUNK_BYTES);
    memcpy(chunk, made.p, made.n);
    return (ssize_t)made.n;
}

/* Dot-stuffed, line ends made CR LF (a stored body may hold others), the final dot. */
static bool send_body(struct client *c, const struct smtp_outgoing *m)
{
    char *chunk = malloc(CHUNK_BYTES);
    struct buf out BUF_AUTO = BUF(4 * CHUNK_BYTES);
    bool line_start = true, after_cr = false, good = true;
    uint64_t at = 0;

    CHECK(chunk);
    while (good) {
        ssize_t n = read_body(c, m, chunk, at);
        if (n < 0)
            good = broken(c, "the message cannot be read: %s", strerror(errno));
        if (n <= 0)
            break;
        at += (uint64_t)n;
        buf_clear(&out);
        for (ssize_t i = 0; i < n; i++) {
            char b = chunk[i];
            if (b == '\n') {
                if (!after_cr)
                    buf_putc(&out, '\r');
                buf_putc(&out, '\n');
                line_start = true;
                after_cr = false;
                continue;
            }
            if (after_cr) { /* a bare CR: a line end for some, a byte for others; made one for all
                             */
                buf_put_cstr(&out, "\n");
                line_start = true;
            }
            if (line_start && b == '.')
                buf_putc(&out, '.');
            line_start = false;
            after_cr = b == '\r';
            buf_putc(&out, b);
        }
        good = conn_put(c->conn, buf_span(&out)) == 0 || broken(c, "%s", conn_error(c->conn));
    }
    free(chunk);
    if (!good)
        return false;
    if (after_cr)
        conn_put(c->conn, SPAN("\n"));
    else if (!line_start)
        conn_put(c->conn, SPAN("\r\n"));
    if (conn_put(c->conn, SPAN(".\r\n")) < 0 || conn_flush(c->conn) < 0)
        return broken(c, "%s", conn_error(c->conn));
    return true;
}

static void take_rcpt_reply(struct client *c, struct smtp_recipient_result *r, int code, int taken)
{
    r->outcome = outcome_of(code);
    if (code == 552 && taken) /* too many at once, says RFC 5321 section 4.5.3.1.10 */
        r->outcome = QUEUE_DEFERRED;
    r->replied = true;
    snprintf(r->text, sizeof(r->text), "%.399s", c->reply);
}

/* How many RCPT may be on their way at once. */
static size_t stride_of(const struct client *c)
{
    return c->extensions & HAS_PIPELINING ? PIPELINED_MAX : 1;
}

static void put_rcpts(struct client *c, const struct smtp_outgoing *m, size_t from, struct buf *out)
{
    for (size_t i = from; i < m->count && i < from + stride_of(c); i++)
        put_rcpt(c, &m->recipients[i], out);
}

/* The recipients, some at a time. `begun`: the first of them are on their way behind MAIL. How many
 * were taken; -1: the connection is of no use. */
static int send_recipients(struct client *c, const struct smtp_outgoing *m,
                           struct smtp_recipient_result *results, bool begun)
{
    struct buf out BUF_AUTO = BUF(COMMAND_BYTES_MAX * (PIPELINED_MAX + 1));
    int taken = 0;

    for (size_t i = 0; i < m->count; i++) {
        int code;
        if (i % stride_of(c) == 0 && !(i == 0 && begun)) {
            buf_clear(&out);
            put_rcpts(c, m, i, &out);
            code = command(c, buf_span(&out), COMMAND_MS, false);
        } else {
            code = read_reply(c, COMMAND_MS, false);
        }
        if (!code)
            return -1;
        take_rcpt_reply(c, &results[i], code, taken);
        taken += results[i].outcome == QUEUE_DELIVERED;
    }
    return taken;
}

/* MAIL and all RCPT; how many recipients were taken. -1: the connection is of no use. */
static int send_envelope(struct client *c, const struct smtp_outgoing *m,
                         struct smtp_recipient_result *results)
{
    struct buf out BUF_AUTO = BUF(COMMAND_BYTES_MAX * (PIPELINED_MAX + 1));
    bool pipelined = c->extensions & HAS_PIPELINING;

    put_mail(c, m, &out);
    if (pipelined)
        put_rcpts(c, m, 0, &out);
    int code = command(c, buf_span(&out), COMMAND_MS, false);
    if (!code)
        return -1;
    if (code == 250)
        return send_recipients(c, m, results, pipelined);
    set_all(m, results, outcome_of(code) == QUEUE_FAILED ? QUEUE_FAILED : QUEUE_DEFERRED, c->reply,
            true);
    for (size_t i = 0; pipelined && i < m->count && i < stride_of(c); i++)
        if (!read_reply(c, COMMAND_MS, false))
            return -1;
    return 0;
}

/* The reply to DATA or to the final dot speaks for all that were taken. */
static void settle(struct client *c, const struct smtp_outgoing *m,
                   struct smtp_recipient_result *results, int code)
{
    for (size_t i = 0; i < m->count; i++) {
        if (results[i].outcome != QUEUE_DELIVERED)
            continue;
        results[i].outcome = outcome_of(code);
        results[i].dsn = (c->extensions & HAS_DSN) != 0;
        results[i].replied = true;
        snprintf(results[i].text, sizeof(results[i].text), "%.399s", c->reply);
    }
}

/* The state of a search for the empty line that ends the header, across chunks. */
struct header_end {
    bool found, line_has_text;
};

/* How much of the chunk is header. */
static size_t header_part(struct header_end *h, struct span chunk)
{
    size_t i = 0;

    while (i < chunk.n && !h->found) {
        char b = chunk.p[i++];
        h->found = b == '\n' && !h->line_has_text;
        h->line_has_text = b != '\n' && (h->line_has_text || b != '\r');
    }
    return i;
}

/* What was said of it when it came need not be true. */
static bool look_for_8bit(struct client *c, const struct smtp_outgoing *m)
{
    char *chunk = malloc(CHUNK_BYTES);
    struct header_end end = {.found = false};
    ssize_t n = 0;

    CHECK(chunk);
    for (uint64_t at = 0; !c->is_8bit || !end.found; at += (uint64_t)n) {
        n = pread(m->body_fd, chunk, CHUNK_BYTES, (off_t)at);
        if (n <= 0)
            break;
        struct span all = {chunk, (size_t)n};
        if (downgrade_is_8bit(span_head(all, header_part(&end, all))))
            c->header_8bit = true;
        c->is_8bit = c->is_8bit || downgrade_is_8bit(all);
    }
    free(chunk);
    return n >= 0 || broken(c, "the message cannot be read: %s", strerror(errno));
}

/* 0; -EFBIG: too large to be taken apart; negative errno */
static int read_whole(const struct smtp_outgoing *m, struct buf *raw)
{
    char *room = m->size < DOWNGRADE_BYTES_MAX ? buf_reserve(raw, (size_t)m->size) : NULL;
    size_t have = 0;
    ssize_t n = 1;

    if (room == NULL)
        return -EFBIG;
    while (have < m->size && n > 0) {
        n = pread(m->body_fd, room + have, (size_t)m->size - have, (off_t)have);
        have += n > 0 ? (size_t)n : 0;
    }
    if (have < m->size)
        return n < 0 ? -errno : -EIO;
    buf_commit(raw, have);
    return 0;
}

/* Headers of parts count as well (RFC 6531 section 3.2). What cannot be looked at may need it. */
static bool parts_need_utf8(const struct smtp_outgoing *m)
{
    struct buf raw BUF_AUTO = BUF(DOWNGRADE_BYTES_MAX);

    return read_whole(m, &raw) < 0 || downgrade_headers_8bit(buf_span(&raw));
}

/* What came with SMTPUTF8 goes on without it where all of envelope and header is ASCII: it is mail
 * as any other (RFC 6531 section 3.1 item 8), and the next server need not know the extension. */
static bool needs_utf8(const struct client *c, const struct smtp_outgoing *m)
{
    bool beyond = c->header_8bit || downgrade_is_8bit(m->sender);

    for (size_t i = 0; i < m->count && !beyond; i++)
        beyond = downgrade_is_8bit(m->recipients[i].address);
    return m->smtputf8 && (beyond || (c->is_8bit && parts_need_utf8(m)));
}

/* 7-bit bodies for a server that takes no others, RFC 6152 section 3. 0 or negative errno. */
static int make_7bit(struct client *c, const struct smtp_outgoing *m)
{
    struct buf raw BUF_AUTO = BUF(DOWNGRADE_BYTES_MAX);
    int err = read_whole(m, &raw);

    return err < 0 ? err : downgrade(buf_span(&raw), &c->made);
}

static bool transact(struct client *c, const struct smtp_outgoing *m,
                     struct smtp_recipient_result *results)
{
    int err;

    if (!look_for_8bit(c, m))
        return false;
    c->utf8 = needs_utf8(c, m);
    if (c->is_8bit && !(c->extensions & HAS_8BITMIME) && (err = make_7bit(c, m)) < 0) {
        if (err != -E2BIG && err != -EFBIG && err != -ENOBUFS)
            return broken(c, "the message cannot be read: %s", strerror(-err));
        set_all(m, results, QUEUE_FAILED,
                "554 5.6.3 The next server takes 7-bit mail only, and this message cannot be made "
                "that",
                false);
        return true;
    }
    if (c->utf8 && !(c->extensions & HAS_SMTPUTF8)) {
        set_all(m, results, QUEUE_FAILED,
                "550 5.6.7 The next server does not take internationalized mail (SMTPUTF8)", false);
        return true;
    }
    if (c->size_limit && (c->made.p ? c->made.n : m->size) > c->size_limit) {
        set_all(m, results, QUEUE_FAILED,
                "552 5.3.4 The message is larger than the next server takes", false);
        return true;
    }
    int taken = send_envelope(c, m, results);
    if (taken <= 0)
        return taken == 0;
    int code = command(c, SPAN("DATA\r\n"), DATA_MS, false);
    if (!code)
        return false;
    if (code != 354) {
        settle(c, m, results, code >= 400 ? code : 451);
        return true;
    }
    if (!send_body(c, m))
        return false;
    c->facts.body_sent = true;
    code = read_reply(c, FINAL_MS, false);
    if (!code)
        return false;
    c->facts.body_sent = false;
    settle(c, m, results, code);
    return true;
}

enum smtp_attempt smtp_send(const struct smtp_host *h, const struct smtp_outgoing *m,
                            struct smtp_recipient_result *results, struct smtp_facts *ret_facts)
{
    struct client c = {.h = h, .made = BUF(2 * DOWNGRADE_BYTES_MAX)};
    memset(results, 0, m->count * sizeof(*results));
    bool answered = client_open(&c) && transact(&c, m, results);

    if (!answered) {
        char text[400];
        snprintf(text, sizeof(text), "%s: %s", h->name, c.problem);
        for (size_t i = 0; i < m->count; i++) { /* what was refused for good stays refused */
            if (results[i].replied && results[i].outcome == QUEUE_FAILED)
                continue;
            results[i] = (struct smtp_recipient_result){.outcome = QUEUE_DEFERRED};
            snprintf(results[i].text, sizeof(results[i].text), "%.399s", text);
        }
    } else if (c.conn && conn_put(c.conn, SPAN("QUIT\r\n")) == 0 && conn_flush(c.conn) == 0) {
        read_reply(&c, 5000, false);
    }
    if (c.conn && answered)
        conn_shutdown(c.conn);
    conn_free(c.conn);
    buf_done(&c.made);
    *ret_facts = c.facts;
    return answered ? SMTP_ANSWERED : SMTP_UNREACHABLE;
}
