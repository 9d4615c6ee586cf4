/* A server that says what its script wants, on loopback; what the client makes of it. */
#include "smtp/client.h"
#include "unit/unit.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/parse.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECIPIENTS_MAX = 200 };

/* A server's script, one step a line:
 *     < text    it sends this and CR LF            <+ text    … these bytes in one packet, | is CR
 * LF > text    the next line of the client begins with this
 *     >* text   lines are read up to one that is this
 *     <* n text it sends that line n times         !   it closes        ~ it is silent */
struct fake {
    struct loop *loop;
    const char *script;
    int listener;
    struct conn *conn;
    struct buf got; /* all lines of the client */
    bool failed;
};

static bool read_client_line(struct fake *f, struct buf *line)
{
    for (;;) {
        struct span in = conn_peek(f->conn);
        size_t nl = span_find(in, '\n');
        if (nl != SPAN_NONE) {
            buf_clear(line);
            buf_put_span(line, span_chomp(span_head(in, nl + 1)));
            buf_put_span(&f->got, span_head(in, nl + 1));
            conn_consume(f->conn, nl + 1);
            return true;
        }
        if (conn_fill(f->conn, 3000) <= 0)
            return false;
    }
}

static void say(struct fake *f, struct span text, bool line)
{
    conn_put(f->conn, text);
    if (line)
        conn_put(f->conn, SPAN("\r\n"));
    conn_flush(f->conn);
}

static bool fake_step(struct fake *f, struct span step)
{
    struct buf line BUF_AUTO = BUF(1 << 20);
    uint32_t times;

    if (parse_lit(&step, "<* ")) {
        CHECK(parse_u32(&step, 100000, &times) && parse_char(&step, ' '));
        while (times--)
            say(f, step, true);
    } else if (parse_lit(&step, "<+ ")) {
        for (size_t i = 0; i < step.n; i++)
            buf_put_span(&line, step.p[i] == '|' ? SPAN("\r\n") : span_sub(step, i, 1));
        say(f, buf_span(&line), false);
    } else if (parse_lit(&step, "< ")) {
        say(f, step, true);
    } else if (parse_lit(&step, ">* ")) {
        do
            if (!read_client_line(f, &line))
                return false;
        while (!span_eq(buf_span(&line), step));
    } else if (parse_lit(&step, "> ")) {
        if (!read_client_line(f, &line) || !span_starts(buf_span(&line), step)) {
            f->failed = true;
            unit_fail(__FILE__, __LINE__, "the client said <%.*s>, wanted <%.*s>",
                      SPAN_ARG(buf_span(&line)), SPAN_ARG(step));
            return false;
        }
    } else if (step.n && step.p[0] == '~') {
        fiber_sleep_ms(1500);
    } else {
        return false;
    }
    return true;
}

static void serve(void *arg)
{
    struct fake *f = arg;
    struct span script = span_cstr(f->script), step;

    fiber_wait_fd(f->listener, WATCH_READ, 5000);
    int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct conn_params p = {.loop = f->loop, .in_max = 1 << 20, .write_timeout_ms = 3000};
    f->conn = conn_new(fd, &p);
    while (span_split(&script, '\n', &step) && fake_step(f, step)) {
    }
    conn_flush(f->conn);
    conn_shutdown(f->conn);
    conn_free(f->conn);
}

struct play {
    struct fake fake;
    struct smtp_host host;
    struct smtp_outgoing m;
    struct smtp_outgoing_recipient to[RECIPIENTS_MAX];
    struct smtp_recipient_result results[RECIPIENTS_MAX];
    char names[RECIPIENTS_MAX][40];
    enum smtp_attempt attempt;
    struct smtp_facts facts;
};

static void send_one(void *arg)
{
    struct play *p = arg;
    p->attempt = smtp_send(&p->host, &p->m, p->results, &p->facts);
    fiber_sleep_ms(20); /* the server ends */
    loop_stop(p->fake.loop);
}

static int body_of(const char *text, uint64_t *ret_size)
{
    int fd = memfd_create("body", MFD_CLOEXEC);
    CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
    *ret_size = strlen(text);
    return fd;
}

/* Settings of p->host and p->m may be made before by the caller. */
static void play(struct play *p, const char *script, size_t recipients, const char *body)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);

    p->fake.loop = loop_new();
    p->fake.script = script;
    p->fake.got = BUF(16 << 20);
    p->fake.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(bind(p->fake.listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(listen(p->fake.listener, 5) == 0);
    CHECK(getsockname(p->fake.listener, (struct sockaddr *)&a, &n) == 0);
    memcpy(&p->host.address, &a, sizeof(a));
    p->host.loop = p->fake.loop;
    p->host.name = "mx.test";
    p->host.ehlo = "me.test";
    p->host.patience_ms = 1000;
    for (size_t i = 0; i < recipients; i++) {
        snprintf(p->names[i], sizeof(p->names[i]), "r%zu@remote.test", i);
        if (!p->to[i].address.n)
            p->to[i].address = span_cstr(p->names[i]);
    }
    if (!p->m.sender.n)
        p->m.sender = SPAN("a@example.test");
    p->m.recipients = p->to;
    p->m.count = recipients;
    p->m.body_fd = body_of(body, &p->m.size);
    fiber_start(p->fake.loop, serve, &p->fake, "fake server");
    fiber_start(p->fake.loop, send_one, p, "client");
    loop_run(p->fake.loop);
    loop_free(p->fake.loop);
    close(p->m.body_fd);
    close(p->fake.listener);
}

static void play_done(struct play *p)
{
    buf_done(&p->fake.got);
    free(p);
}

static struct play *play_new(void)
{
    struct play *p = calloc(1, sizeof(*p));
    CHECK(p);
    return p;
}

static bool sent(const struct play *p, const char *bytes)
{
    return span_find_span(buf_span(&p->fake.got), span_cstr(bytes)) != SPAN_NONE;
}

#define HELLO "< 220 mx.test\n> EHLO me.test\n"
#define PIPED HELLO "< 250-mx.test\n< 250-PIPELINING\n< 250 SIZE 1000000\n"
#define END "> QUIT\n< 221 bye\n!\n"
#define TAKEN "> MAIL\n< 250 ok\n> RCPT\n< 250 ok\n> DATA\n< 354 go\n>* .\n< 250 taken\n" END

TEST(delivered)
{
    struct play *p = play_new();
    play(p,
         PIPED
         "> MAIL FROM:<a@example.test> SIZE=\n> RCPT TO:<r0@remote.test>\n"
         "> RCPT TO:<r1@remote.test>\n< 250 ok\n< 250 2.1.5 first\n< 251-second\n< 251 lines\n"
         "> DATA\n< 354 go\n>* .\n< 250-2.0.0 taken\n< 250 as 17\n" END,
         2, "Subject: x\r\n\r\n.dot\r\n..two\r\nbare\nlf\rcr\r\nend");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_DELIVERED);
    EXPECT_INT(p->results[1].outcome, QUEUE_DELIVERED);
    EXPECT_STR(p->results[1].text, "250 2.0.0 taken as 17");
    EXPECT(!p->results[0].dsn);
    EXPECT(
        sent(p, "DATA\r\nSubject: x\r\n\r\n..dot\r\n...two\r\nbare\r\nlf\r\ncr\r\nend\r\n.\r\n"));
    EXPECT(!sent(p, "SMTPUTF8") && !sent(p, "BODY=") && !sent(p, "NOTIFY"));
    play_done(p);
}

TEST(one_by_one)
{
    struct play *p = play_new();
    play(p,
         HELLO
         "< 250 mx.test\n> MAIL FROM:<a@example.test>\n< 250 ok\n> RCPT TO:<r0@\n< 550 5.1.1 no\n"
         "> RCPT TO:<r1@\n< 450 4.2.1 later\n> RCPT TO:<r2@\n< 250 ok\n> RCPT TO:<r3@\n"
         "< 552 too many\n> DATA\n< 354 go\n>* .\n< 250 taken\n" END,
         4, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_FAILED);
    EXPECT_STR(p->results[0].text, "550 5.1.1 no");
    EXPECT_INT(p->results[1].outcome, QUEUE_DEFERRED);
    EXPECT_INT(p->results[2].outcome, QUEUE_DELIVERED);
    EXPECT_INT(p->results[3].outcome, QUEUE_DEFERRED);
    EXPECT(sent(p, "MAIL FROM:<a@example.test>\r\n")); /* no extension, no parameter */
    play_done(p);
}

TEST(nobody_is_taken)
{
    struct play *p = play_new();
    play(p, PIPED "> MAIL\n> RCPT\n> RCPT\n< 250 ok\n< 550 no\n< 552 full\n" END, 2, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_FAILED);
    EXPECT_INT(p->results[1].outcome, QUEUE_FAILED);
    EXPECT(!sent(p, "DATA"));
    play_done(p);
}

TEST(the_sender_is_refused)
{
    struct play *p = play_new();
    play(p, PIPED "> MAIL\n> RCPT\n> RCPT\n< 451 4.7.1 grey\n< 503 what\n< 503 what\n" END, 2,
         "x\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[1].outcome, QUEUE_DEFERRED);
    EXPECT_STR(p->results[1].text, "451 4.7.1 grey");
    play_done(p);
    p = play_new();
    play(p, HELLO "< 250 x\n> MAIL\n< 553 5.7.1 never\n" END, 1, "x\r\n");
    EXPECT_INT(p->results[0].outcome, QUEUE_FAILED);
    play_done(p);
}

TEST(the_message_is_refused)
{
    struct play *p = play_new();
    play(p,
         HELLO "< 250 x\n> MAIL\n< 250 ok\n> RCPT\n< 250 ok\n> DATA\n< 354 go\n>* .\n< 554 5.6.0 "
               "spam\n" END,
         1, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_FAILED);
    play_done(p);
    p = play_new();
    play(p, HELLO "< 250 x\n> MAIL\n< 250 ok\n> RCPT\n< 250 ok\n> DATA\n< 452 full\n" END, 1,
         "x\r\n");
    EXPECT_INT(p->results[0].outcome, QUEUE_DEFERRED);
    play_done(p);
    /* 250 instead of 354 is no promise */
    p = play_new();
    play(p, HELLO "< 250 x\n> MAIL\n< 250 ok\n> RCPT\n< 250 ok\n> DATA\n< 250 ok\n" END, 1,
         "x\r\n");
    EXPECT_INT(p->results[0].outcome, QUEUE_DEFERRED);
    play_done(p);
}

/* Whatever goes wrong with the connection: deferred, another host may be tried. */
TEST(broken_off)
{
    static const char *const scripts[] = {
        "!\n",
        "<+ 220 mx\n!\n",
        "< 220-mx.test\n!\n",
        "< 554 5.3.2 not today\n!\n",
        "< 421 busy\n!\n",
        "< hello\n!\n",
        "< 2200 x\n!\n",
        "< 999 x\n!\n",
        "< 220-a\n< 221 b\n!\n",
        "< 220x\n!\n",
        "<* 200 220-more\n< 220 last\n!\n",
        HELLO "!\n",
        HELLO "< 421 no\n!\n",
        HELLO "< 502 what\n> HELO me.test\n!\n",
        HELLO "< 502 what\n> HELO me.test\n< 502 what\n!\n",
        PIPED "> MAIL\n> RCPT\n!\n",
        PIPED "> MAIL\n> RCPT\n< 250 ok\n!\n",
        PIPED "> MAIL\n> RCPT\n< 250 ok\n< 250 ok\n> DATA\n!\n",
        PIPED "> MAIL\n> RCPT\n< 250 ok\n< 250 ok\n> DATA\n< 354 go\n!\n",
        PIPED "> MAIL\n> RCPT\n< 250 ok\n< 250 ok\n> DATA\n< 354 go\n>* .\n!\n",
        PIPED "> MAIL\n> RCPT\n< 250 ok\n< 250 ok\n> DATA\n< 354 go\n>* .\n< gibberish\n!\n",
        PIPED "> MAIL\n> RCPT\n< 250 ok\n< 250 ok\n> DATA\n< 354 go\n>* .\n~\n!\n",
        "~\n!\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct play *p = play_new();
        unit_case(scripts[i]);
        play(p, scripts[i], 1, "x\r\n");
        EXPECT_INT(p->attempt, SMTP_UNREACHABLE);
        EXPECT_INT(p->results[0].outcome, QUEUE_DEFERRED);
        EXPECT(span_starts(span_cstr(p->results[0].text), SPAN("mx.test: ")));
        EXPECT(!p->facts.tls_failed);
        play_done(p);
    }
    unit_case(NULL);
}

TEST(endless_lines)
{
    struct play *p = play_new();
    struct buf script BUF_AUTO = BUF(1 << 20);
    buf_put_cstr(&script, "<+ 220 ");
    for (int i = 0; i < 5000; i++)
        buf_putc(&script, 'x');
    buf_put_cstr(&script, "\n!\n");
    play(p, buf_cstr(&script), 1, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_UNREACHABLE);
    play_done(p);
    /* control bytes of a reply do not reach a report or the log */
    p = play_new();
    play(p, HELLO "< 250 x\n> MAIL\n< 550 a\tb\x1b[31m\x7f\n" END, 1, "x\r\n");
    EXPECT_STR(p->results[0].text, "550 a b [31m ");
    play_done(p);
}

TEST(a_trickle_is_no_reply)
{
    struct play *p = play_new();
    play(p, "<+ 2\n~\n<+ 2\n~\n<+ 0\n!\n", 1, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_UNREACHABLE);
    EXPECT_STR(p->results[0].text, "mx.test: timed out waiting for a reply");
    play_done(p);
}

TEST(many_recipients_in_turns)
{
    struct play *p = play_new();
    struct buf script BUF_AUTO = BUF(1 << 20);
    buf_put_cstr(&script, PIPED "> MAIL\n>* RCPT TO:<r49@remote.test>\n< 250 ok\n<* 50 250 ok\n"
                                ">* RCPT TO:<r99@remote.test>\n<* 50 250 ok\n"
                                ">* RCPT TO:<r119@remote.test>\n<* 19 250 ok\n< 550 the last\n"
                                "> DATA\n< 354 go\n>* .\n< 250 taken\n" END);
    play(p, buf_cstr(&script), 120, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    for (int i = 0; i < 119; i++)
        EXPECT_INT(p->results[i].outcome, QUEUE_DELIVERED);
    EXPECT_INT(p->results[119].outcome, QUEUE_FAILED);
    play_done(p);
}

TEST(parameters)
{
    struct play *p = play_new();
    p->m.envid = SPAN("a+b c");
    p->m.ret_headers = p->m.smtputf8 = true;
    p->to[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
    p->to[0].orcpt = SPAN("rfc822;x+y@z.test");
    p->to[1].notify = NOTIFY_NEVER;
    p->to[2].notify = NOTIFY_NEVER | NOTIFY_FAILURE; /* a report of relayd's */
    play(p,
         HELLO "< 250-x\n< 250-8bitmime\n< 250-smtputf8\n< 250-dsn\n< 250 PIPELINING\n"
               "> MAIL FROM:<a@example.test> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+20c\n"
               "> RCPT TO:<r0@remote.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z.test\n"
               "> RCPT TO:<r1@remote.test> NOTIFY=NEVER\n"
               "> RCPT TO:<r2@remote.test> NOTIFY=NEVER\n<* 4 250 ok\n> DATA\n"
               "< 354 go\n>* .\n< 250 ok\n" END,
         3, "Subject: \303\244\r\n\r\n\303\244\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT(p->results[0].dsn);
    play_done(p);
}

/* Who said what is to come back is believed, and for who did not the next server decides. */
TEST(what_comes_back)
{
    static const char *const said[] = {"", " RET=HDRS", " RET=FULL"};

    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        for (int dsn = 0; dsn < 2; dsn++) {
            struct play *p = play_new();
            char want[100];
            unit_case(said[i]);
            p->m.ret_headers = i == 1;
            p->m.ret_full = i == 2;
            play(p, dsn ? HELLO "< 250-x\n< 250 DSN\n" TAKEN : HELLO "< 250 x\n" TAKEN, 1, "x\r\n");
            snprintf(want, sizeof(want), "MAIL FROM:<a@example.test>%s\r\n", dsn ? said[i] : "");
            EXPECT(sent(p, want));
            play_done(p);
        }
    unit_case(NULL);
}

/* What came with SMTPUTF8 needs it of the next server only for what is in envelope and header. */
TEST(smtputf8_where_it_is_needed)
{
    static const struct {
        const char *name, *sender, *recipient, *orcpt, *message;
        bool needed;
    } rows[] = {
        {"all ASCII",            "a@example.test",        "b@remote.test",        "",                            "Subject: x\r\n\r\nx\r\n",        false},
        {"the body",             "a@example.test",        "b@remote.test",        "",                            "Subject: x\r\n\r\n\303\274\r\n",
         false                                                                                                                                          },
        {"no header",            "a@example.test",        "b@remote.test",        "",                            "\r\n\303\274\r\n",               false},
        {"the header",           "a@example.test",        "b@remote.test",        "",
         "X: y\r\nSubject: \303\274\r\n\r\nx\r\n",                                                                                                 true },
        {"the header of a part", "a@example.test",        "b@remote.test",        "",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; "
         "filename=\"\303\274.pdf\"\r\n\r\nx\r\n--b--\r\n",                                                                                        true },
        {"the body of a part",   "a@example.test",        "b@remote.test",        "",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
         "charset=utf-8\r\n\r\n\303\274\r\n--b--\r\n",                                                                                             false},
        {"nothing but header",   "a@example.test",        "b@remote.test",        "",                            "Subject: \303\274\r\n",
         true                                                                                                                                           },
        {"the sender",           "\303\274@example.test", "b@remote.test",        "",                            "Subject: x\r\n\r\nx\r\n",
         true                                                                                                                                           },
        {"a recipient",          "a@example.test",        "\303\274@remote.test", "",                            "Subject: x\r\n\r\nx\r\n",
         true                                                                                                                                           },
        {"its first address",    "a@example.test",        "b@remote.test",        "utf-8;\303\274@example.test",
         "Subject: x\r\n\r\nx\r\n",                                                                                                                false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int offered = 0; offered < 2; offered++) {
            struct play *p = play_new();
            unit_case(rows[i].name);
            p->m.smtputf8 = true;
            p->m.sender = span_cstr(rows[i].sender);
            p->to[0].address = span_cstr(rows[i].recipient);
            p->to[0].orcpt = span_cstr(rows[i].orcpt);
            play(p,
                 rows[i].needed && !offered ? HELLO "< 250-x\n< 250 8BITMIME\n" END
                 : offered ? HELLO "< 250-x\n< 250-SMTPUTF8\n< 250 8BITMIME\n" TAKEN
                           : HELLO "< 250-x\n< 250 8BITMIME\n" TAKEN,
                 1, rows[i].message);
            EXPECT_INT(p->attempt, SMTP_ANSWERED);
            EXPECT_INT(p->results[0].outcome,
                       rows[i].needed && !offered ? QUEUE_FAILED : QUEUE_DELIVERED);
            EXPECT_INT(sent(p, " SMTPUTF8"), rows[i].needed && offered);
            play_done(p);
        }
    unit_case(NULL);
}

/* Without 8BITMIME the bodies are made 7-bit, the size is that of what is sent, and what cannot be
 * made so comes back. */
TEST(seven_bits)
{
    struct play *p = play_new();
    struct buf deep BUF_AUTO = BUF(1 << 20);

    play(p,
         HELLO "< 250-x\n< 250 SIZE\n> MAIL FROM:<a@example.test> SIZE=142\n< 250 ok\n> RCPT\n"
               "< 250 ok\n> DATA\n< 354 go\n> Subject: x\n> MIME-Version: 1.0\n"
               "> Content-Type: text/plain; charset=unknown-8bit\n"
               "> Content-Transfer-Encoding: quoted-printable\n> \n> one pound: =A3\n> .\n"
               "< 250 ok\n" END,
         1, "Subject: x\r\n\r\none pound: \243\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_DELIVERED);
    play_done(p);
    for (unsigned i = 0; i < 300; i++)
        buf_printf(&deep, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
    buf_put_cstr(&deep, "\r\n\377\r\n");
    p = play_new();
    play(p, HELLO "< 250 x\n" END, 1, buf_cstr(&deep));
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_FAILED);
    EXPECT(span_starts(span_cstr(p->results[0].text), SPAN("554 5.6.3 ")));
    play_done(p);
}

TEST(what_the_next_server_cannot_take)
{
    struct play *p = play_new();
    p->m.smtputf8 = true;
    play(p, HELLO "< 250 x\n" END, 1, "Subject: \303\274\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_FAILED);
    play_done(p);
    p = play_new();
    play(p, HELLO "< 250-x\n< 250 SIZE 10\n" END, 1, "more than ten bytes\r\n");
    EXPECT_INT(p->results[0].outcome, QUEUE_FAILED);
    play_done(p);
}

/* A man in the middle takes STARTTLS out of the answer, or puts words behind it. */
TEST(tls_that_is_required)
{
    struct err e;
    static const char *const scripts[] = {
        HELLO "< 250 x\n!\n",
        HELLO "< 250-x\n< 250 STARTTLS\n> STARTTLS\n< 454 not now\n!\n",
        HELLO "< 250-x\n< 250 STARTTLS\n> STARTTLS\n< 220 go\n!\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct play *p = play_new();
        unit_case(scripts[i]);
        p->host.tls = tls_client_context_new(SPAN_EMPTY, &e);
        p->host.tls_required = true;
        play(p, scripts[i], 1, "x\r\n");
        EXPECT_INT(p->attempt, SMTP_UNREACHABLE);
        EXPECT_INT(p->results[0].outcome, QUEUE_DEFERRED);
        EXPECT(!sent(p, "MAIL"));
        tls_client_context_free(p->host.tls);
        play_done(p);
    }
    unit_case(NULL);
}

TEST(injected_before_tls)
{
    struct play *p = play_new();
    struct err e;
    p->host.tls = tls_client_context_new(SPAN_EMPTY, &e);
    play(p, HELLO "< 250-x\n< 250 STARTTLS\n> STARTTLS\n<+ 220 go|250 injected|\n!\n", 1, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_UNREACHABLE);
    EXPECT(span_find_span(span_cstr(p->results[0].text), SPAN("before TLS")) != SPAN_NONE);
    tls_client_context_free(p->host.tls);
    play_done(p);
}

TEST(no_password_in_clear)
{
    struct play *p = play_new();
    p->host.user = "me";
    p->host.password = "secret";
    play(p, HELLO "< 250-x\n< 250 AUTH PLAIN LOGIN\n!\n", 1, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_UNREACHABLE);
    EXPECT(!sent(p, "AUTH"));
    play_done(p);
}

/* The host says that it has no TLS just now, and nothing asks for it. */
TEST(clear_where_nothing_asks_for_tls)
{
    struct play *p = play_new();
    struct err e;
    p->host.tls = tls_client_context_new(SPAN_EMPTY, &e);
    play(p,
         HELLO "< 250-x\n< 250 STARTTLS\n> STARTTLS\n< 454 not now\n> MAIL\n< 250 ok\n> RCPT\n"
               "< 250 ok\n> DATA\n< 354 go\n>* .\n< 250 taken\n" END,
         1, "x\r\n");
    EXPECT_INT(p->attempt, SMTP_ANSWERED);
    EXPECT_INT(p->results[0].outcome, QUEUE_DELIVERED);
    tls_client_context_free(p->host.tls);
    play_done(p);
}
