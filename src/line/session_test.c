/* The engine's reading and writing with a protocol of the test's own, its input whole, byte by byte
 * and at random cuts. */
#include "line/worker.h"
#include "unit/unit.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the protocol */

static struct span put_text; /* what PUT writes */

static void put_visible(struct session *s, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c > 32 && c < 127 && c != '%')
            session_printf(s, "%c", c);
        else
            session_printf(s, "%%%02x", c);
    }
}

static void cmd_echo(struct session *s, struct command_line *c)
{
    session_printf(s, "%.*s ", SPAN_ARG(c->tag));
    put_visible(s, c->args);
    session_puts(s, "\r\n");
}

static int keep(void *arg, struct span bytes)
{
    buf_put_span(arg, bytes);
    return 0;
}

static void cmd_text(struct session *s, struct command_line *c)
{
    struct buf text BUF_AUTO = BUF(1 << 20);
    struct dotted d;

    if (session_read_dotted(s, keep, &text, &d) < 0)
        return;
    CHECK(d.bytes == text.n && d.sink == 0);
    put_visible(s, buf_span(&text));
    session_printf(s, " cr=%d lf=%d nul=%d longest=%zu\r\n", d.bare_cr, d.bare_lf, d.nul,
                   d.longest_line);
}

/* STREAM {n} and its bytes, read by the handler, or refused ("no") before. */
static void cmd_stream(struct session *s, struct command_line *c)
{
    struct buf text BUF_AUTO = BUF(1 << 20);
    struct span rest;
    int sink;

    if (!c->streaming || span_starts(c->args, SPAN("no"))) {
        session_printf(s, "%.*s refused\r\n", SPAN_ARG(c->tag));
        return;
    }
    if (c->stream_sync)
        session_puts(s, "+ go\r\n");
    if (session_read_bytes(s, c->stream_bytes, keep, &text, &sink) < 0 ||
        session_read_line(s, 100, &rest) < 0)
        return;
    session_printf(s, "%.*s ", SPAN_ARG(c->tag)); /* the tag still stands */
    put_visible(s, buf_span(&text));
    session_puts(s, "|");
    put_visible(s, rest);
    session_puts(s, "\r\n");
}

static void cmd_put(struct session *s, struct command_line *c)
{
    struct dot_writer w = DOT_WRITER;
    struct span rest = put_text;

    while (rest.n) {
        size_t n = 1 + unit_random() % rest.n;
        session_put_dotted(s, span_head(rest, n), &w);
        rest = span_skip(rest, n);
    }
    session_end_dotted(s, &w);
}

static enum literal_answer literal(struct session *s, struct span so_far, uint64_t bytes, bool sync)
{
    return span_find_span(so_far, SPAN("STREAM")) != SPAN_NONE   ? LITERAL_STREAM
           : span_find_span(so_far, SPAN("REFUSE")) != SPAN_NONE ? LITERAL_REFUSE
                                                                 : LITERAL_TAKE;
}

static void say(struct session *s, enum session_event e, const struct command_line *c,
                struct span detail)
{
    static const char *const names[] = {
        [SESSION_UNKNOWN_COMMAND] = "unknown",
        [SESSION_BAD_STATE] = "state",
        [SESSION_NEED_TLS] = "tls",
        [SESSION_LOGIN_CLEAR] = "login",
        [SESSION_BAD_ARGS] = "args",
        [SESSION_TOO_LONG] = "long",
        [SESSION_TOO_MANY_ERRORS] = "too many",
        [SESSION_TIMEOUT] = "timeout",
        [SESSION_SHUTDOWN] = "shutdown",
        [SESSION_BUSY] = "busy",
        [SESSION_WEAK] = "weak",
    };
    session_printf(s, "%.*s %s\r\n", SPAN_ARG(c && c->tag.n ? c->tag : SPAN("*")), names[e]);
}

static const struct command commands[] = {
    {"ECHO",      cmd_echo,   1, COMMAND_CLEAR,                   "", "", ""},
    {"TWO WORDS", cmd_echo,   1, COMMAND_CLEAR,                   "", "", ""},
    {"TWO",       cmd_echo,   1, COMMAND_CLEAR | COMMAND_NO_ARGS, "", "", ""},
    {"REFUSE",    cmd_echo,   1, COMMAND_CLEAR,                   "", "", ""},
    {"TEXT",      cmd_text,   1, COMMAND_CLEAR,                   "", "", ""},
    {"STREAM",    cmd_stream, 1, COMMAND_CLEAR,                   "", "", ""},
    {"PUT",       cmd_put,    1, COMMAND_CLEAR,                   "", "", ""},
    {"ELSEWHERE", cmd_echo,   2, COMMAND_CLEAR,                   "", "", ""},
    {"NEEDS",     cmd_echo,   1, COMMAND_CLEAR | COMMAND_ARGS,    "", "", ""},
    {"PASSWORD",  cmd_echo,   1, COMMAND_LOGIN,                   "", "", ""},
};

static const struct protocol tagged = {
    .name = "test",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .tagged = true,
    .literals = true,
    .initial_state = 1,
    .say = say,
    .literal = literal,
};
static const struct protocol plain = {
    .name = "test",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .initial_state = 1,
    .say = say,
};

/* ------------------------------------------------------------------ a conversation */

enum cut { WHOLE, BYTES, RANDOM };

struct talk {
    struct loop *loop;
    struct worker *worker;
    const struct protocol *table[PROTOCOL_COUNT];
    struct span in;
    struct buf out;
    enum cut cut;
};

static const char conf_text[] =
    "domain = \"example.test\"; hostname = \"mail.example.test\"; user_prefix = \"\";\n"
    "vservers = ( { name = \"test\"; protocol = \"nntp\"; anonymous_read = true;\n"
    "  limits = { line_bytes = 512; literal_bytes = 1024; errors = 10000; };\n"
    "  endpoints = ( { port = 20001; policy = \"opportunistic\"; } ); } );\n";

static size_t piece(const struct talk *t, size_t left)
{
    return t->cut == WHOLE   ? left
           : t->cut == BYTES ? 1
                             : 1 + unit_random() % (left < 40 ? left : 40);
}

static void speak(void *arg)
{
    struct talk *t = arg;
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    int fds[2];
    char got[4096];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    worker_inject(t->worker, 0, 0, fds[1], &peer);
    for (struct span rest = t->in; rest.n;) {
        size_t n = piece(t, rest.n);
        ssize_t wrote = write(fds[0], rest.p, n);
        if (wrote < 0 && errno != EAGAIN)
            break;
        if (wrote > 0)
            rest = span_skip(rest, (size_t)wrote);
        fiber_yield();
    }
    shutdown(fds[0], SHUT_WR);
    for (;;) {
        ssize_t n = read(fds[0], got, sizeof(got));
        if (n > 0)
            buf_put(&t->out, got, (size_t)n);
        else if (n == 0 || errno != EAGAIN || !fiber_wait_fd(fds[0], WATCH_READ, 5000))
            break;
    }
    close(fds[0]);
    while (t->worker->session_count)
        fiber_sleep_ms(1);
    loop_stop(t->loop);
}

static void talk(struct talk *t, const struct protocol *p, struct span in, enum cut cut)
{
    struct buf problems BUF_AUTO = BUF(4096);
    struct conf *c = conf_parse(span_cstr(conf_text), "test", &problems);

    if (!c)
        fprintf(stderr, "%.*s", SPAN_ARG(buf_span(&problems)));
    CHECK(c);
    *t = (struct talk){.loop = loop_new(), .in = in, .out = BUF(8 << 20), .cut = cut};
    t->table[PROTOCOL_NNTP] = p;
    t->worker = worker_new(t->loop, c, ROLE_ACCESS, 0, 1, t->table);
    fiber_start(t->loop, speak, t, "client");
    loop_run(t->loop);
    worker_free(t->worker);
    loop_free(t->loop);
    conf_free(c);
}

static void expect_talk(const struct protocol *p, struct span in, struct span want)
{
    for (int round = 0; round < 12; round++) {
        struct talk t;
        talk(&t, p, in, round == 0 ? WHOLE : round == 1 ? BYTES : RANDOM);
        EXPECT_SPAN(buf_span(&t.out), want);
        buf_done(&t.out);
    }
}

/* ------------------------------------------------------------------ commands */

static const char *repeated(char c, size_t n)
{
    static char text[4096];
    memset(text, c, n);
    text[n] = 0;
    return text;
}

TEST(commands)
{
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"one",             "a ECHO x y\r\n",                                                         "a x%20y\r\n"                  },
        {"bare LF",         "a ECHO x\nb ECHO y\n",                                                   "a x\r\nb y\r\n"               },
        {"no end",          "a ECHO x",                                                               ""                             },
        {"no tag",          "ECHO\r\n",                                                               "* unknown\r\n"                },
        {"empty",           "\r\n",                                                                   "* unknown\r\n"                },
        {"unknown",         "a NONSENSE\r\n",                                                         "a unknown\r\n"                },
        {"case",            "a eChO x\r\n",                                                           "a x\r\n"                      },
        {"two words",       "a two words x\r\na TWO\r\na TWO x\r\n",                                  "a x\r\na \r\na args\r\n"      },
        {"two blanks",      "a TWO  WORDS\r\n",                                                       "a args\r\n"                   },
        {"state",           "a ELSEWHERE\r\n",                                                        "a state\r\n"                  },
        {"needs",           "a NEEDS\r\na NEEDS \r\na NEEDS x\r\n",                                   "a args\r\na args\r\na x\r\n"  },
        {"login in clear",  "a PASSWORD x\r\n",                                                       "a login\r\n"                  },
        {"literal",         "a ECHO {3+}\r\nb\r\n c\r\n",                                             "a {3+}%0d%0ab%0d%0a%20c\r\n"  },
        {"literals",        "a ECHO {1+}\r\nx {2+}\r\nyz\r\nb ECHO\r\n",
         "a {1+}%0d%0ax%20{2+}%0d%0ayz\r\nb \r\n"                                                                                    },
        {"waiting literal", "a ECHO {3}\r\nxyz!\r\n",
         "+ Ready for literal data\r\na {3}%0d%0axyz!\r\n"                                                                           },
        {"empty literal",   "a ECHO {0+}\r\n\r\n",                                                    "a {0+}%0d%0a\r\n"             },
        {"no literals",     "a ECHO {x}\r\na ECHO {}\r\na ECHO {+}\r\na ECHO 3}\r\na ECHO {1+} \r\n",
         "a {x}\r\na {}\r\na {+}\r\na 3}\r\na {1+}%20\r\n"                                                                           },
        {"refused",         "a REFUSE {3}\r\nb ECHO\r\n",                                             "a long\r\nb \r\n"             },
        {"refused n+",      "a REFUSE {10+}\r\nx ECHO ye\r {3+}\r\nabc\r\nb ECHO\r\n",
         "a long\r\nb \r\n"                                                                                                          },
        {"too large",       "a ECHO {2000}\r\nb ECHO\r\n",                                            "a long\r\nb \r\n"             },
        {"stream",          "a STREAM {5+}\r\nx\r\nyz more\r\nb ECHO\r\n",                            "a x%0d%0ayz|%20more\r\nb \r\n"},
        {"stream waits",    "a STREAM {2}\r\nxy\r\nb ECHO\r\n",                                       "+ go\r\na xy|\r\nb \r\n"      },
        {"stream of none",  "a STREAM {0+}\r\n\r\nb ECHO\r\n",                                        "a |\r\nb \r\n"                },
        {"not streamed",    "a STREAM no {9+}\r\nb ECHO x\r\r\nb ECHO\r\n",                           "a refused\r\nb \r\n"          },
        {"nor of none",     "a STREAM no {0+}\r\n\r\nb ECHO\r\n",                                     "a refused\r\nb \r\n"          },
        {"nor waited for",  "a STREAM no {9}\r\nb ECHO\r\n",                                          "a refused\r\nb \r\n"          },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].name);
        expect_talk(&tagged, span_cstr(rows[i].in), span_cstr(rows[i].want));
    }
    unit_case(NULL);
}

TEST(untagged)
{
    expect_talk(
        &plain,
        SPAN("ECHO  x\r\ntwo \t words  y\r\nTWO\twords\tz\r\n ECHO\r\nECHO\tx\r\nECHO {3+}\r\n"),
        SPAN(" %20x\r\n %20y\r\n z\r\n* unknown\r\n x\r\n {3+}\r\n"));
}

TEST(long_lines)
{
    struct buf in BUF_AUTO = BUF(100000), want BUF_AUTO = BUF(100000);

    /* the longest that is taken: 512 bytes; CR LF do not count */
    buf_printf(&in, "a ECHO %s\r\n", repeated('x', 505));
    buf_printf(&want, "a %s\r\n", repeated('x', 505));
    buf_printf(&in, "b ECHO %s\r\n", repeated('x', 506));
    buf_put_cstr(&want, "b long\r\n");
    buf_printf(&in, "c ECHO %s\r\n", repeated('y', 4000));
    buf_put_cstr(&want, "c long\r\n");
    /* what such a line announces must not be read as commands */
    buf_printf(&in, "d ECHO %s {13+}\r\ne ECHO evil\r\n\r\n", repeated('z', 3000));
    buf_put_cstr(&want, "d long\r\n");
    buf_printf(&in, "f ECHO {1+}\r\nx%s {13+}\r\ng ECHO evil\r\n {4+}\r\nh\r\n\r\n",
               repeated('z', 600));
    buf_put_cstr(&want, "f long\r\n");
    buf_printf(&in, "i ECHO %s {13}\r\nj ECHO\r\n", repeated('z', 3000)); /* nobody asked for it */
    buf_put_cstr(&want, "i long\r\nj \r\n");
    expect_talk(&tagged, buf_span(&in), buf_span(&want));
}

TEST(literal_without_measure)
{
    struct talk t;
    talk(&t, &tagged, SPAN("a REFUSE {4294967295+}\r\nb ECHO\r\n"), RANDOM);
    EXPECT_SPAN(buf_span(&t.out), SPAN("")); /* the session is over */
    buf_done(&t.out);
}

/* ------------------------------------------------------------------ texts with a dot at the end */

/* By the letter: lines end with CR LF, the first that is "." ends the text, a leading dot goes. */
static size_t text_model(struct span in, struct buf *text, struct dotted *d)
{
    size_t at = 0, line = 0;

    for (;;) {
        if (in.p[at] == '.') {
            if (in.p[at + 1] == '\r' && in.p[at + 2] == '\n')
                return at + 3;
            at++;
        }
        for (line = at; !(in.p[at] == '\r' && in.p[at + 1] == '\n'); at++)
            buf_putc(text, in.p[at]);
        struct span l = span_sub(in, line, at - line), part;
        for (struct span rest = l; rest.n;) { /* a bare LF starts a line for the longest */
            size_t nl = span_find(rest, '\n');
            part = nl == SPAN_NONE ? rest : span_head(rest, nl);
            d->bare_lf = d->bare_lf || nl != SPAN_NONE;
            d->bare_cr = d->bare_cr || span_has(part, '\r');
            d->nul = d->nul || span_has(part, 0);
            if (part.n > d->longest_line)
                d->longest_line = part.n;
            rest = nl == SPAN_NONE ? SPAN_EMPTY : span_skip(rest, nl + 1);
        }
        buf_put_cstr(text, "\r\n");
        at += 2;
    }
}

static void put_visible_text(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c > 32 && c < 127 && c != '%')
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02x", c);
    }
}

TEST(dotted_texts)
{
    static const char alphabet[] = "\r\n.\r\n.a\0";

    for (int round = 0; round < 60; round++) {
        struct buf in BUF_AUTO = BUF(1 << 20), want BUF_AUTO = BUF(1 << 20);
        for (int i = 0; i < 20; i++) {
            struct buf raw BUF_AUTO = BUF(1000), text BUF_AUTO = BUF(1000);
            struct dotted d = {0};
            size_t n = unit_random() % 30;
            while (n--)
                buf_putc(&raw, alphabet[unit_random() % (sizeof(alphabet) - 1)]);
            buf_put_cstr(&raw, "\r\n.\r\n");
            size_t end = text_model(buf_span(&raw), &text, &d);
            buf_put_cstr(&in, "TEXT\r\n");
            buf_put_span(&in, span_head(buf_span(&raw), end));
            put_visible_text(&want, buf_span(&text));
            buf_printf(&want, " cr=%d lf=%d nul=%d longest=%zu\r\n", d.bare_cr, d.bare_lf, d.nul,
                       d.longest_line);
        }
        struct talk t;
        talk(&t, &plain, buf_span(&in), round % 3 == 0 ? WHOLE : round % 3 == 1 ? BYTES : RANDOM);
        EXPECT_SPAN(buf_span(&t.out), buf_span(&want));
        buf_done(&t.out);
    }
}

/* What is written ends once, whatever a reader takes for a line end, and gives the text again. */
static void check_written(struct span out, struct span text)
{
    struct buf again BUF_AUTO = BUF(1 << 16), whole BUF_AUTO = BUF(1 << 16);
    struct span rest = out, line;

    REQUIRE(out.n >= 3 && span_ends_nocase(out, SPAN(".\r\n")));
    EXPECT(out.n == 3 || span_ends_nocase(out, SPAN("\r\n.\r\n")));
    while (rest.n > 3) {
        size_t nl = span_find(rest, '\n');
        REQUIRE(nl != SPAN_NONE);
        line = span_head(rest, nl + 1);
        rest = span_skip(rest, nl + 1);
        EXPECT(!span_eq(line, SPAN(".\r\n")) && !span_eq(line, SPAN(".\n")));
        buf_put_span(&again, span_skip(line, line.p[0] == '.'));
    }
    buf_put_span(&whole, text);
    if (text.n && !span_ends_nocase(text, SPAN("\r\n")))
        buf_put_cstr(&whole, "\r\n");
    EXPECT_SPAN(buf_span(&again), buf_span(&whole));
}

TEST(written_texts)
{
    for (int round = 0; round < 300; round++) {
        char raw[40];
        size_t n = unit_random() % sizeof(raw);
        struct talk t;
        for (size_t i = 0; i < n; i++)
            raw[i] = "\r\n.\r\n.a"[unit_random() % 7];
        put_text = span_of(raw, n);
        talk(&t, &plain, SPAN("PUT\r\n"), WHOLE);
        check_written(buf_span(&t.out), put_text);
        buf_done(&t.out);
    }
}
