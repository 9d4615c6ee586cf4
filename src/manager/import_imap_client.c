#include "manager/import_imap.h"

#include "base/check.h"
#include "manager/text.h"
#include "tls/conn.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

enum {
    TIMEOUT_MS = 120000,
    DIAL_MS = 20000,
    INPUT_MAX = 256 << 10,
    LINE_MAX_BYTES = 1 << 20,
};

int remote_fail(struct imap *m, const char *what)
{
    if (m->i != NULL && import_must_stop(m->i))
        return m->failed = -ECANCELED;
    import_fail(m->i, "%s: %s; the same command goes on where it was", m->o->host, what);
    return m->failed = -ECANCELED;
}

/* ---- responses --------------------------------------------------------------------------- */

static int fill(struct imap *m)
{
    int r = conn_fill(m->conn, TIMEOUT_MS);

    if (r > 0)
        return 0;
    return remote_fail(m, r == 0            ? "the server has closed the connection"
                          : r == -ETIMEDOUT ? "the server does not answer"
                                            : conn_error(m->conn));
}

static int take_bytes(struct imap *m, uint64_t n)
{
    while (n > 0) {
        struct span s = span_head(conn_peek(m->conn), n);
        if (s.n == 0 && fill(m) != 0)
            return m->failed;
        if (!buf_put_span(&m->response, s))
            return remote_fail(m, "a response is too long");
        conn_consume(m->conn, s.n);
        n -= s.n;
    }
    return 0;
}

/* "…{123}" at the end of a line: so many bytes and another line follow. */
static bool ends_with_literal(struct span line, uint64_t *ret)
{
    size_t at = span_rfind(line, '{');

    return at != SPAN_NONE && line.n > at + 2 && line.p[line.n - 1] == '}' &&
           span_to_u64(span_sub(line, at + 1, line.n - at - 2), UINT32_MAX, ret);
}

/* The next response: untagged, tagged or a continuation, literals included. */
static int read_response(struct imap *m)
{
    buf_clear(&m->response);
    for (;;) {
        size_t begin = m->response.n, looked = 0;
        uint64_t literal;
        for (;;) {
            struct span s = conn_peek(m->conn);
            size_t end = span_find(span_skip(s, looked), '\n');
            if (end != SPAN_NONE) {
                if (take_bytes(m, looked + end + 1) != 0)
                    return m->failed;
                break;
            }
            looked = s.n;
            if (looked > INPUT_MAX / 2) { /* of a line that long only the end is waited for */
                if (begin + LINE_MAX_BYTES < m->response.n)
                    return remote_fail(m, "a line is too long");
                if (take_bytes(m, looked) != 0)
                    return m->failed;
                looked = 0;
            }
            if (fill(m) != 0)
                return m->failed;
        }
        if (!ends_with_literal(span_chomp(span_skip(buf_span(&m->response), begin)), &literal))
            return 0;
        if (literal > IMAP_RESPONSE_MAX - m->response.n)
            return remote_fail(m, "a response is too long");
        if (take_bytes(m, literal) != 0)
            return m->failed;
    }
}

bool remote_skip_blank(struct span *s)
{
    if (s->n == 0 || s->p[0] != ' ')
        return false;
    *s = span_skip(*s, 1);
    return true;
}

bool remote_skip_char(struct span *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = span_skip(*s, 1);
    return true;
}

/* An atom: everything up to a blank, a parenthesis or the end; brackets hold what is in them. */
struct span remote_atom(struct span *s)
{
    size_t n = 0;
    bool inside = false;

    while (n < s->n && s->p[n] != '\r' && s->p[n] != '\n' &&
           (inside || (s->p[n] != ' ' && s->p[n] != '(' && s->p[n] != ')'))) {
        inside = s->p[n] == '[' || (inside && s->p[n] != ']');
        n++;
    }
    struct span a = span_head(*s, n);
    *s = span_skip(*s, n);
    return a;
}

/* A string of any kind, unquoted into the arena where it must be; NIL is the empty span. */
bool remote_string(struct imap *m, struct span *s, struct span *ret)
{
    if (s->n > 0 && s->p[0] == '"') {
        char *out = arena_try(m->arena, s->n < 65536 ? s->n : 65536);
        size_t n = 0, k = 1;
        while (out != NULL && k < s->n && k < 65536 && s->p[k] != '"') {
            k += s->p[k] == '\\' && k + 1 < s->n;
            out[n++] = s->p[k++];
        }
        if (out == NULL || k >= s->n || s->p[k] != '"')
            return false;
        *s = span_skip(*s, k + 1);
        *ret = span_of(out, n);
        return true;
    }
    if (s->n > 0 && (s->p[0] == '{' || s->p[0] == '~')) {
        size_t open = s->p[0] == '~', close = span_find(*s, '}');
        uint64_t n;
        if (close == SPAN_NONE || close < open + 2 || s->p[open] != '{' ||
            !span_to_u64(span_sub(*s, open + 1, close - open - 1), UINT32_MAX, &n))
            return false;
        *s = span_skip(*s, close + 1);
        remote_skip_char(s, '\r');
        if (!remote_skip_char(s, '\n') || n > s->n)
            return false;
        *ret = span_head(*s, n);
        *s = span_skip(*s, n);
        return true;
    }
    *ret = remote_atom(s);
    if (span_is(*ret, "NIL"))
        *ret = SPAN_EMPTY;
    return true;
}

/* Any value: a string, or a list with all that is in it. */
bool remote_value(struct imap *m, struct span *s, struct span *ret)
{
    const char *begin = s->p;
    unsigned depth = 0;

    if (s->n == 0 || s->p[0] != '(')
        return remote_string(m, s, ret);
    do {
        struct span ignored;
        if (remote_skip_char(s, '('))
            depth++;
        else if (remote_skip_char(s, ')'))
            depth--;
        else if (!remote_skip_blank(s) && (!remote_string(m, s, &ignored) || s->n == 0))
            return false;
    } while (depth > 0 && s->n > 0);
    *ret = span_between(begin, s->p);
    return depth == 0;
}

/* ---- commands ---------------------------------------------------------------------------- */

/* What a tagged answer says: 0 OK, 1 NO or BAD (the response has the text). */
static int wait_for_end(struct imap *m, untagged_fn fn)
{
    char tag[16];

    snprintf(tag, sizeof tag, "A%u ", m->tag);
    for (;;) {
        if (read_response(m) != 0)
            return m->failed;
        struct span s = buf_span(&m->response);
        if (span_starts(s, span_cstr(tag)))
            return span_starts_nocase(span_skip(s, strlen(tag)), SPAN("OK")) ? 0 : 1;
        if (span_starts_nocase(s, SPAN("* BYE")) && fn == NULL)
            return remote_fail(m, "the server says good bye");
        if (fn != NULL && span_starts(s, SPAN("* ")) && fn(m, span_skip(s, 2)) != 0)
            return m->failed != 0 ? m->failed : -ECANCELED;
    }
}

static int send_command(struct imap *m, struct span text)
{
    int r = conn_printf(m->conn, "A%u ", ++m->tag);

    if (r == 0)
        r = conn_put(m->conn, text);
    if (r == 0)
        r = conn_put(m->conn, SPAN("\r\n"));
    if (r == 0)
        r = conn_flush(m->conn);
    return r == 0 ? 0 : remote_fail(m, "the connection broke");
}

int remote_command(struct imap *m, struct span text, untagged_fn fn)
{
    int r = send_command(m, text);

    return r != 0 ? r : wait_for_end(m, fn);
}

/* What the server said at last, for people. */
const char *remote_said(struct imap *m)
{
    struct span s = span_chomp(buf_span(&m->response)), tag;

    if (span_starts(s, SPAN("A")))
        span_split(&s, ' ', &tag);
    return text_quote(s);
}

static void put_quoted(struct buf *b, struct span s)
{
    buf_putc(b, '"');
    for (size_t k = 0; k < s.n; k++) {
        if (s.p[k] == '"' || s.p[k] == '\\')
            buf_putc(b, '\\');
        buf_putc(b, s.p[k]);
    }
    buf_putc(b, '"');
}

/* A command with a string as its argument: a literal where it cannot be quoted. */
int remote_command_string(struct imap *m, const char *word, struct span s, const char *tail,
                          untagged_fn fn)
{
    struct buf b BUF_AUTO = BUF(65536);
    bool plain = true;
    int r;

    for (size_t k = 0; k < s.n; k++)
        plain = plain && s.p[k] >= ' ' && (unsigned char)s.p[k] < 0x7f;
    buf_printf(&b, "%s ", word);
    if (plain) {
        put_quoted(&b, s);
        buf_put_cstr(&b, tail);
        return remote_command(m, buf_span(&b), fn);
    }
    buf_printf(&b, "{%zu}", s.n);
    r = send_command(m, buf_span(&b));
    if (r == 0)
        r = read_response(m);
    if (r != 0)
        return r;
    if (!span_starts(buf_span(&m->response), SPAN("+")))
        return 1;
    r = conn_put(m->conn, s);
    if (r == 0)
        r = conn_put(m->conn, span_cstr(tail));
    if (r == 0)
        r = conn_put(m->conn, SPAN("\r\n"));
    if (r == 0)
        r = conn_flush(m->conn);
    return r == 0 ? wait_for_end(m, fn) : remote_fail(m, "the connection broke");
}

/* ---- connecting -------------------------------------------------------------------------- */

struct lookup {
    const struct import_imap *o;
    struct addrinfo *found;
    int error;
};

static void look_up(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char port[8];

    snprintf(port, sizeof port, "%u", l->o->port);
    l->error = getaddrinfo(l->o->host, port, &hints, &l->found);
}

static int dial(struct imap *m)
{
    struct lookup l = {.o = m->o};
    struct loop *loop = import_store_of(m->i)->loop;
    int fd = -1, r = -EHOSTUNREACH;

    fiber_offload(look_up, &l);
    if (l.error != 0)
        return remote_fail(m, gai_strerror(l.error));
    for (struct addrinfo *a = l.found; a != NULL && fd < 0; a = a->ai_next) {
        struct sockaddr_storage to = {0};
        if (a->ai_addrlen <= sizeof to) {
            memcpy(&to, a->ai_addr, a->ai_addrlen);
            r = conn_dial(loop, &to, DIAL_MS, &fd);
        }
    }
    freeaddrinfo(l.found);
    if (fd < 0)
        return remote_fail(m, strerror(-r));
    struct conn_params p = {.loop = loop, .in_max = INPUT_MAX, .write_timeout_ms = TIMEOUT_MS};
    m->conn = conn_new(fd, &p);
    return m->conn != NULL ? 0 : remote_fail(m, "no connection");
}

static int start_tls(struct imap *m)
{
    struct conn_client_tls t = {.context = m->tls, .name = m->o->host, .verify = true};
    char text[300];

    if (conn_connect_tls(m->conn, &t, TIMEOUT_MS) == 0)
        return 0;
    snprintf(text, sizeof text, "TLS: %.200s (roots to trust: --ca-file)", conn_error(m->conn));
    return remote_fail(m, text);
}

static int on_capability(struct imap *m, struct span rest)
{
    struct span line = span_chomp(rest), w;

    if (!span_starts_nocase(line, SPAN("CAPABILITY ")))
        return 0;
    while (span_split(&line, ' ', &w)) {
        m->special_use = m->special_use || span_is(w, "SPECIAL-USE");
        m->list_extended =
            m->list_extended || span_is(w, "LIST-EXTENDED") || span_is(w, "IMAP4rev2");
    }
    return 0;
}

/* NAMESPACE (("INBOX." ".")) … */
static int on_namespace(struct imap *m, struct span rest)
{
    struct span s = rest, prefix;

    if (!span_starts_nocase(s, SPAN("NAMESPACE (("))) {
        return 0;
    }
    s = span_skip(s, sizeof "NAMESPACE ((" - 1);
    if (remote_string(m, &s, &prefix))
        buf_put_span(&m->personal, prefix);
    return 0;
}

static int log_in(struct imap *m)
{
    struct buf login BUF_AUTO = BUF(4096);
    int r;

    put_quoted(&login, span_cstr(m->o->user));
    buf_putc(&login, ' ');
    /* LOGIN with two strings: the second as a literal where it must be one */
    struct buf word BUF_AUTO = BUF(4200);
    buf_printf(&word, "LOGIN %.*s", SPAN_ARG(span_trim(buf_span(&login))));
    r = remote_command_string(m, buf_cstr(&word), buf_span(&m->o->password), "", NULL);
    if (r == 1) {
        char text[300];
        snprintf(text, sizeof text, "login was refused: %.200s", remote_said(m));
        return remote_fail(m, text);
    }
    return r;
}

int remote_open(struct imap *m)
{
    struct err e;
    int r = dial(m);

    if (r != 0)
        return r;
    m->tls = tls_client_context_new(buf_span(&m->o->roots), &e);
    if (m->tls == NULL)
        return remote_fail(m, e.text);
    if (!m->o->starttls && (r = start_tls(m)) != 0)
        return r;
    if ((r = read_response(m)) != 0)
        return r;
    if (!span_starts_nocase(buf_span(&m->response), SPAN("* OK")) &&
        !span_starts_nocase(buf_span(&m->response), SPAN("* PREAUTH")))
        return remote_fail(m, remote_said(m));
    if (m->o->starttls) {
        if ((r = remote_command(m, SPAN("STARTTLS"), NULL)) != 0)
            return r < 0 ? r : remote_fail(m, "the server refuses STARTTLS");
        if (conn_peek(m->conn).n > 0)
            return remote_fail(m, "more than a reply came before TLS");
        if ((r = start_tls(m)) != 0)
            return r;
    }
    if ((r = log_in(m)) != 0)
        return r;
    r = remote_command(m, SPAN("CAPABILITY"), on_capability);
    if (r >= 0)
        r = remote_command(m, SPAN("NAMESPACE"), on_namespace); /* BAD where there is none */
    return r < 0 ? r : 0;
}
