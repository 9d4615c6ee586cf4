/* Whole connections as packets: what is told, and in which packet it stands. */
#include "capture/observe.h"

#include "capture/pcapng.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum { CLIENT_PORT = 40000, PORT = 2525 };

struct world {
    struct observe_endpoint endpoint;
    struct secrets *secrets;
    struct observe *o;
    struct buf offences;    /* "name@packet " */
    struct buf lines, told; /* told: texts of offences */
    struct tls_facts tls;
    unsigned handshakes;
    uint32_t seq[2]; /* of the next byte */
    uint64_t packets;
    int64_t time;
    uint32_t last_at;
};

static void on_event(void *arg, const struct observe_event *e)
{
    struct world *w = arg;

    if (e->kind == OBSERVE_OFFENCE) {
        buf_printf(&w->offences, "%s%s@%llu", w->offences.n ? " " : "",
                   offence_rows[e->offence].name, (unsigned long long)e->origin.packet);
        w->last_at = e->origin.at;
        buf_put_span(&w->told, e->text);
    } else if (e->kind == OBSERVE_LINE) {
        buf_printf(&w->lines, "%c:%.*s\n", e->from_server ? 'S' : 'C', SPAN_ARG(e->text));
    } else {
        w->tls = *e->tls;
        w->handshakes++;
    }
}

static void world_init(struct world *w, enum conf_protocol protocol, enum conf_policy policy)
{
    *w = (struct world){
        .offences = BUF(4096), .lines = BUF(65536), .told = BUF(65536), .seq = {1000, 77000}
    };
    w->endpoint = (struct observe_endpoint){.vserver = "v",
                                            .protocol = protocol,
                                            .policy = policy,
                                            .require_secure = true,
                                            .end = {.port = PORT}};
    w->secrets = secrets_new();
    secrets_add(w->secrets, "the password", SPAN("geheim-und-lang"));
    w->o = observe_new(&w->endpoint, 1, w->secrets, on_event, w);
}

static void world_done(struct world *w)
{
    observe_free(w->o);
    secrets_free(w->secrets);
    buf_done(&w->offences);
    buf_done(&w->lines);
    buf_done(&w->told);
}

static void put_u16(struct buf *b, unsigned v)
{
    buf_putc(b, (char)(v >> 8));
    buf_putc(b, (char)v);
}

static void put_u32(struct buf *b, uint32_t v)
{
    put_u16(b, v >> 16);
    put_u16(b, v & 0xffff);
}

static void packet_from(struct world *w, unsigned client_port, bool server, uint32_t seq,
                        unsigned flags, struct span payload)
{
    struct buf b BUF_AUTO = BUF(70000);

    buf_put_span(&b, SPAN("\x45\x00"));
    put_u16(&b, (unsigned)(40 + payload.n));
    buf_put_span(&b, SPAN("\x00\x00\x40\x00\x40\x06\x00\x00\x7f\x00\x00\x01\x7f\x00\x00\x01"));
    put_u16(&b, server ? PORT : client_port);
    put_u16(&b, server ? client_port : PORT);
    put_u32(&b, seq);
    put_u32(&b, 0);
    put_u16(&b, 0x5000 | flags);
    buf_put_span(&b, SPAN("\x01\x00\x00\x00\x00\x00"));
    buf_put_span(&b, payload);
    w->packets++;
    observe_packet(w->o, LINK_RAW, buf_span(&b), (uint32_t)b.n, ++w->time);
}

static void packet(struct world *w, bool server, uint32_t seq, unsigned flags, struct span payload)
{
    packet_from(w, CLIENT_PORT, server, seq, flags, payload);
}

static void open_connection(struct world *w)
{
    packet(w, false, w->seq[0]++, TCP_SYN, SPAN_EMPTY);
    packet(w, true, w->seq[1]++, TCP_SYN | TCP_ACK, SPAN_EMPTY);
}

static void say(struct world *w, bool server, struct span bytes)
{
    packet(w, server, w->seq[server], TCP_ACK, bytes);
    w->seq[server] += (uint32_t)bytes.n;
}

#define S(text) say(&w, true, SPAN(text))
#define C(text) say(&w, false, SPAN(text))

#define RANDOM32 "0123456789abcdef0123456789abcdef"
/* 47 bytes of extensions and more: SNI "h.example" */
#define CLIENT_HELLO_                                                                              \
    "\x16\x03\x01\x00\x3f\x01\x00\x00\x3b\x03\x03" RANDOM32                                        \
    "\x00\x00\x02\x13\x01\x01\x00\x00\x10\x00\x00\x00\x0c\x00\x0a\x00\x00\x07"                     \
    "h.exa.m"
#define SERVER_HELLO(version, cipher)                                                              \
    "\x16\x03\x03\x00\x2a\x02\x00\x00\x26" version RANDOM32 "\x00" cipher "\x00"
#define SERVER_HELLO_13                                                                            \
    "\x16\x03\x03\x00\x32\x02\x00\x00\x2e\x03\x03" RANDOM32                                        \
    "\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\x03\x04"
#define DATA "\x17\x03\x03\x00\x05hello"

static void expect_clean(struct world *w)
{
    observe_finish(w->o);
    EXPECT_STR(buf_cstr(&w->offences), "");
}

TEST(good_starttls)
{
    struct world w;
    const struct observe_counts *c;

    world_init(&w, PROTOCOL_SMTP, POLICY_STARTTLS_REQUIRED);
    open_connection(&w);
    S("220 h\r\n");
    C("EHLO x\r\n");
    S("250-h\r\n250 STARTTLS\r\n");
    C("STARTTLS\r\n");
    S("220 go\r\n");
    C(CLIENT_HELLO_);
    S(SERVER_HELLO_13 DATA);
    C(DATA DATA);
    expect_clean(&w);
    EXPECT_INT(w.handshakes, 1);
    EXPECT_STR(w.tls.sni, "h.exa.m");
    EXPECT_INT(w.tls.version, 0x0304);
    EXPECT_INT(w.tls.cipher, 0x1301);
    EXPECT_STR(buf_cstr(&w.lines),
               "S:220 h\nC:EHLO x\nS:250-h\nS:250 STARTTLS\nC:STARTTLS\nS:220 go\n");
    c = observe_counts(w.o, 0);
    EXPECT_INT(c->connections, 1);
    EXPECT_INT(c->handshakes[4], 1);
    EXPECT_INT(c->tls.records[3][3], 3);
    EXPECT_INT(c->tls.records[2][1], 1);
    EXPECT_INT(c->clear_bytes, 7 + 8 + 21 + 10 + 8);
    EXPECT_INT(c->bytes, c->clear_bytes + c->tls_bytes);
    world_done(&w);
}

/* TLS 1.2: the certificate is in clear. A small one, cut at every place. */
TEST(certificate_12)
{
#define CERT                                                                                       \
    "\x16\x03\x03\x00\x1b\x0b\x00\x00\x17\x00\x00\x14\x00\x00\x11\x30\x0f\x30\x0d\xa0\x03\x02\x01" \
    "\x02"                                                                                         \
    "\x02\x03\x3a\x0f\x77\x30\x00\x00"
    for (size_t cut = 1; cut < 70; cut++) {
        struct world w;
        struct span all = SPAN(SERVER_HELLO("\x03\x03", "\xc0\x2f") CERT
                               "\x16\x03\x03\x00\x07\x0c\x00\x00\x03\x03\x00\x1d"
                               "\x14\x03\x03\x00\x01\x01" DATA);
        world_init(&w, PROTOCOL_IMAP4, POLICY_TLS_ONLY);
        open_connection(&w);
        C(CLIENT_HELLO_);
        for (size_t at = 0; at < all.n; at += cut)
            say(&w, true, span_sub(all, at, cut));
        expect_clean(&w);
        EXPECT_INT(w.handshakes, 1);
        EXPECT_STR(w.tls.serial, "3a0f77");
        EXPECT_INT(w.tls.group, 29);
        EXPECT_INT(w.tls.version, 0x0303);
        world_done(&w);
    }
}

static const struct {
    const char *name;
    enum conf_policy policy;
    const char *client_after, *want; /* after the greeting */
    struct span server_after;
} leaks[] = {
    {"login in clear",       POLICY_STARTTLS_REQUIRED, "AUTH PLAIN AGEAZ2VoZWltLXVuZC1sYW5n\r\n",
     "secret@4 client-login@4 login-clear@5",                                                                       SPAN("235 in\r\n")                         },
    {"refused login",        POLICY_STARTTLS_REQUIRED, "AUTH PLAIN AHByb2JlAHByb2Jl\r\n",         "client-login@4",
     SPAN("538 no\r\n")                                                                                                                                        },
    {"old TLS",              POLICY_TLS_ONLY,          CLIENT_HELLO_,                             "old-version@4",
     SPAN(SERVER_HELLO("\x03\x01",                                                                                                                               "\xc0\x14"))},
    {"no encryption",                      POLICY_TLS_ONLY,                                CLIENT_HELLO_,                                     "weak-cipher@4",
     SPAN(SERVER_HELLO("\x03\x03", "\xc0\x10"))},
    {"plain answer",          POLICY_TLS_ONLY,                                  CLIENT_HELLO_,                                                              "no-tls@4",                                                      SPAN("220 hello\r\n")                                                  },
    {"early data", POLICY_TLS_ONLY,                         CLIENT_HELLO_,                                                       "early-data@4",   SPAN(DATA)},
    {"broken record",            POLICY_TLS_ONLY,                                    CLIENT_HELLO_,                                                               "broken-record@4",
     SPAN(SERVER_HELLO_13 DATA "plain text")                                                                                       },
};

TEST(planted_leaks)
{
    for (size_t i = 0; i < sizeof leaks / sizeof *leaks; i++) {
        struct world w;
        bool tls = leaks[i].policy == POLICY_TLS_ONLY;
        struct span client = tls ? SPAN(CLIENT_HELLO_) : span_cstr(leaks[i].client_after);
        unit_case(leaks[i].name);
        world_init(&w, PROTOCOL_SMTP, leaks[i].policy);
        open_connection(&w);
        if (!tls)
            S("220 h\r\n");
        say(&w, false, client);
        say(&w, true, leaks[i].server_after);
        observe_finish(w.o);
        EXPECT_STR(buf_cstr(&w.offences), leaks[i].want);
        world_done(&w);
    }
    unit_case(NULL);
}

#define DOTS "\xe2\x97\x8f\xe2\x97\x8f\xe2\x97\x8f\xe2\x97\x8f"

/* What is typed by users is shown to those who look at a capture: never a secret, in no place of any dialogue. */
static const struct {
    const char *name;
    enum conf_protocol protocol;
    enum conf_policy policy;
    const char *said; /* "C:" and "S:", as in grammar_test.c */
    const char *lines;
} masks[] = {
    {"pop3",                PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED,
     "S:+OK h\nC:USER carol\nS:+OK\nC:PASS hunter2 hunter2\nS:-ERR no\nC:APOP carol "
     "hunter2\nS:-ERR "
     "no\nC:PAS hunter2\nS:-ERR no\nC:hunter2\nS:-ERR no\nC:pass\thunter2\nS:-ERR no\n",           "S:+OK h\nC:USER carol\nS:+OK\nC:PASS " DOTS " (15 bytes)\nS:-ERR no\nC:APOP carol " DOTS
     " (7 bytes)\nS:-ERR no\nC:" DOTS " (11 bytes)\nS:-ERR no\nC:" DOTS
     " (7 bytes)\nS:-ERR no\nC:pass " DOTS " (7 bytes)\nS:-ERR no\n"                        },
    {"pop3 sasl",           PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED,
     "S:+OK h\nC:AUTH LOGIN\nS:+ x\nC:hunter2\nS:-ERR no\nC:AUTH hunter2\nS:-ERR no\n",            "S:+OK h\nC:AUTH LOGIN\nS:+ x\nS:-ERR no\nC:AUTH " DOTS " (7 bytes)\nS:-ERR no\n"},
    {"smtp",                PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED,
     "S:220 h\nC:AUTH PLAIN hunter2\nS:538 no\nC:auth login\nS:334 x\nC:help\nS:334 "
     "y\nC:hunter2=\nS:535 "
     "no\nC:AUTH LOGIN\nC:hunter2\nC:EHLO x\nS:500 a\nS:500 b\nS:250 c\n",                         "S:220 h\nC:AUTH PLAIN " DOTS " (7 bytes)\nS:538 no\nC:auth login\nS:334 x\nC:" DOTS
     " (4 bytes)\nS:334 y\nC:" DOTS " (8 bytes)\nS:535 no\nC:AUTH LOGIN\nC:" DOTS
     " (7 bytes)\nC:EHLO x\nS:500 a\nS:500 b\nS:250 c\n"                                                  },
    {"imap",                PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED,
     "S:* OK h\nC:a LOGIN carol hunter2\nS:a NO x\nC:b LOGIN \"c d\" \"hunter2\"\nS:b NO x\nC:c "
     "AUTHENTICATE PLAIN hunter2\nS:c NO x\nC:d AUTHENTICATE PLAIN\nS:+ \nC:hunter2\nS:d NO "
     "x\nC:LOGIN carol hunter2\nS:LOGIN BAD x\n",                                                  "S:* OK h\nC:a LOGIN carol " DOTS " (7 bytes)\nS:a NO x\nC:b LOGIN \"c " DOTS
     " (12 bytes)\nS:b NO x\nC:c AUTHENTICATE PLAIN " DOTS
     " (7 bytes)\nS:c NO x\nC:d AUTHENTICATE PLAIN\nS:+ \nS:d NO x\nC:" DOTS
     " (19 bytes)\nS:LOGIN BAD x\n"                                                                                                },
    {"nntp",                PROTOCOL_NNTP,  POLICY_STARTTLS_REQUIRED,
     "S:200 h\nC:AUTHINFO USER carol\nS:381 x\nC:AUTHINFO PASS hunter2\nS:481 x\nC:AUTHINFO SASL "
     "PLAIN "
     "hunter2\nS:483 x\nC:AUTHINFO GENERIC hunter2\nS:501 x\nC:AUTHINFO SASL PLAIN\nS:383 "
     "=\nC:hunter2\nS:481 x\n",                                                                    "S:200 h\nC:AUTHINFO USER carol\nS:381 x\nC:AUTHINFO PASS " DOTS
     " (7 bytes)\nS:481 x\nC:AUTHINFO SASL PLAIN " DOTS " (7 bytes)\nS:483 x\nC:AUTHINFO " DOTS
     " (15 bytes)\nS:501 x\nC:AUTHINFO SASL PLAIN\nS:383 =\nC:" DOTS " (7 bytes)\nS:481 x\n"                                                         },
    {"http",                PROTOCOL_HTTP,  POLICY_PUBLIC_HTTP,
     "C:GET /health?p=hunter2 HTTP/1.1\nC:Host: h\nC:authorization: Basic hunter2\nC: "
     "hunter2\nC:X-Api-Key: "
     "hunter2\nC:\nS:HTTP/1.1 301 x\nS:Set-Cookie: hunter2\nS:Content-Length: 0\nS:\nC:hunter2\n", "C:GET /health? " DOTS " (9 bytes) HTTP/1.1\nC:Host: h\nC:authorization: " DOTS
     " (13 bytes)\nC:" DOTS " (8 bytes)\nC:X-Api-Key: " DOTS
     " (7 bytes)\nC:\nS:HTTP/1.1 301 x\nS:Set-Cookie: " DOTS
     " (7 bytes)\nS:Content-Length: 0\nS:\nC:" DOTS " (7 bytes)\n"                },
    {"where TLS should be", PROTOCOL_POP3,  POLICY_TLS_ONLY,          "C:PASS hunter2\n",          ""                                                                               },
};

TEST(secrets_are_not_shown)
{
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        struct span rest = span_cstr(masks[i].said), line;
        struct world w;
        unit_case(masks[i].name);
        world_init(&w, masks[i].protocol, masks[i].policy);
        open_connection(&w);
        while (span_split(&rest, '\n', &line)) {
            struct buf whole BUF_AUTO = BUF(4096);
            buf_put_span(&whole, span_skip(line, 2));
            buf_put_cstr(&whole, "\r\n");
            say(&w, line.p[0] == 'S', buf_span(&whole));
        }
        observe_finish(w.o);
        EXPECT_STR(buf_cstr(&w.lines), masks[i].lines);
        EXPECT(w.told.n > 0 && span_find_span(buf_span(&w.told), SPAN("hunter2")) == SPAN_NONE);
        world_done(&w);
    }
    unit_case(NULL);
}

TEST(buffered_plaintext)
{
    struct world w;

    world_init(&w, PROTOCOL_SMTP, POLICY_STARTTLS_REQUIRED);
    open_connection(&w);
    S("220 h\r\n");
    C("STARTTLS\r\nNOOP\r\n");
    S("220 go\r\n");
    C(CLIENT_HELLO_);
    S(SERVER_HELLO_13);
    observe_finish(w.o);
    EXPECT_STR(buf_cstr(&w.offences), "client-behind@4 starttls-buffer@7");
    world_done(&w);
}

/* One byte a packet, the second half first: it is found all the same, and the packet is named. */
TEST(split_secret)
{
    struct span text = SPAN("MAIL geheim-und-lang\r\n");
    struct world w;

    world_init(&w, PROTOCOL_SMTP, POLICY_OPPORTUNISTIC);
    open_connection(&w);
    S("220 h\r\n");
    for (size_t i = 10; i < text.n; i++)
        packet(&w, false, w.seq[0] + (uint32_t)i, TCP_ACK, span_sub(text, i, 1));
    for (size_t i = 0; i < 10; i++)
        packet(&w, false, w.seq[0] + (uint32_t)i, TCP_ACK, span_sub(text, i, 1));
    observe_finish(w.o);
    /* 'g' is the sixth byte: three packets before, twelve of the second half, five of the first */
    EXPECT_STR(buf_cstr(&w.offences), "secret@21");
    EXPECT_INT(w.last_at, 40);
    world_done(&w);
}

TEST(sent_twice)
{
    struct world w;

    world_init(&w, PROTOCOL_SMTP, POLICY_OPPORTUNISTIC);
    open_connection(&w);
    S("220 h\r\n");
    C("NOOP xxxxxxxxxxxxxxxxxxxx\r\n");
    packet(&w, false, w.seq[0] - 22, TCP_ACK, SPAN("geheim-und-lang"));
    observe_finish(w.o);
    EXPECT_STR(buf_cstr(&w.offences), "differs@5 secret@5");
    world_done(&w);
}

/* A connection that had begun before. */
TEST(middle)
{
    struct world w;

    world_init(&w, PROTOCOL_IMAP4, POLICY_TLS_ONLY);
    S("half a record");
    S(DATA);
    C(DATA);
    expect_clean(&w);
    EXPECT_INT(observe_counts(w.o, 0)->unsynced_bytes, 13);
    EXPECT_INT(observe_counts(w.o, 0)->tls_bytes, 20);
    world_done(&w);
}

TEST(other_ports)
{
    struct world w;

    world_init(&w, PROTOCOL_IMAP4, POLICY_TLS_ONLY);
    w.endpoint.end.port = 999;
    S("geheim-und-lang");
    expect_clean(&w);
    EXPECT_INT(observe_totals(w.o)->other, 1);
    EXPECT_INT(observe_counts(w.o, 0)->packets, 0);
    world_done(&w);
}

TEST(many_connections)
{
    struct world w;

    world_init(&w, PROTOCOL_IMAP4, POLICY_TLS_ONLY);
    for (unsigned i = 0; i < OBSERVE_FLOWS_MAX + 100; i++)
        packet_from(&w, 1024 + i, false, 1, TCP_SYN, SPAN_EMPTY);
    EXPECT_INT(observe_totals(w.o)->flows_forgotten, 100);
    expect_clean(&w);
    world_done(&w);
}

/* Those that have ended make room: none of them was overlooked. */
TEST(many_connections_one_after_the_other)
{
    struct world w;

    world_init(&w, PROTOCOL_IMAP4, POLICY_TLS_ONLY);
    for (unsigned i = 0; i < OBSERVE_FLOWS_MAX + 100; i++)
        for (unsigned server = 0; server < 2; server++) {
            packet_from(&w, 1024 + i, server, 1, TCP_SYN | (server ? TCP_ACK : 0), SPAN_EMPTY);
            packet_from(&w, 1024 + i, server, 2, TCP_FIN | TCP_ACK, SPAN_EMPTY);
        }
    EXPECT_INT(observe_totals(w.o)->flows_forgotten, 0);
    expect_clean(&w);
    world_done(&w);
}

/* Noise of all kinds: no crash, nothing beyond the limits (the sanitizer watches). */
TEST(noise)
{
    struct world w;

    world_init(&w, PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED);
    open_connection(&w);
    for (unsigned i = 0; i < 3000; i++) {
        char bytes[64];
        size_t n = unit_random() % sizeof bytes;
        bool server = unit_random() & 1;
        for (size_t k = 0; k < n; k++)
            bytes[k] = "a OK\r\n* +{}\x16\x03\x01 STARTTLS"[unit_random() % 24];
        packet(&w, server, w.seq[server] + (uint32_t)(unit_random() % 50),
               (unsigned)(unit_random() & 0x11), span_of(bytes, n));
        w.seq[server] += (uint32_t)(unit_random() % 30);
    }
    observe_finish(w.o);
    EXPECT_INT(observe_counts(w.o, 0)->packets, 3002);
    world_done(&w);
}
