#include "tls/tap.h"

#include "base/codec.h"
#include "ipc/feed.h"
#include "tls/ends_test.h"
#include "tls/tap_frame.h"

#include <netinet/in.h>

static struct feed *feed;

/* All payload of each direction, and what was lost of it. */
static struct {
    struct buf bytes[2];
    uint32_t next[2];
    unsigned syn[2], fin[2], gaps, records, client_port;
} seen;

static void tap_open(const char *name, uint64_t owner)
{
    struct tls_tap_request q = {.count = 1};
    struct err e;

    snprintf(q.vservers[0], sizeof q.vservers[0], "%s", name);
    CHECK(feed_make(FEED_BYTES_MIN, &feed, &e) == 0);
    CHECK(tls_tap_open(owner, &q, dup(feed_fd(feed)), &e) == 0);
}

/* The first one is of the client. */
static void take(const unsigned char *p, size_t n)
{
    struct rd r = rd_of(span_of(p + 8, n - 8));
    struct span head = rd_raw(&r, 40), ports = rd_raw(&r, 4), seq = rd_raw(&r, 4),
                more = rd_raw(&r, 12);
    const unsigned char *s = (const unsigned char *)seq.p;
    uint32_t at = (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];
    unsigned flags = (unsigned char)more.p[5];
    unsigned from = (unsigned)(unsigned char)ports.p[0] * 256 + (unsigned char)ports.p[1];
    bool server;

    if (seen.records == 0)
        seen.client_port = from;
    server = from != seen.client_port;

    EXPECT(!r.bad && head.p[0] == 0x60);
    EXPECT_SPAN(span_sub(head, 18, 6), span_of("\xff\xff\x7f\0\0\1", 6));
    seen.records++;
    seen.syn[server] += (flags & TAP_SYN) != 0;
    seen.fin[server] += (flags & TAP_FIN) != 0;
    if (seen.syn[server] && !(flags & TAP_SYN) && at != seen.next[server])
        seen.gaps++;
    seen.next[server] = at + (uint32_t)r.n + ((flags & TAP_SYN) != 0);
    buf_put_span(&seen.bytes[server], span_of(r.p, r.n));
}

static void read_all(void)
{
    static unsigned char room[FEED_RECORD_MAX];
    int n;

    for (unsigned i = 0; i < 2; i++)
        buf_done(&seen.bytes[i]);
    memset(&seen, 0, sizeof seen);
    seen.bytes[0] = seen.bytes[1] = BUF(16 << 20);
    while ((n = feed_get(feed, room)) > 0)
        take(room, (size_t)n);
    EXPECT_INT(n, 0);
    feed_free(feed);
}

static void talk_server(struct end *e)
{
    REQUIRE(conn_put(e->c, SPAN("+OK hello\r\n")) == 0);
    REQUIRE(fill_to(e->c, 6) == 0);
    conn_consume(e->c, 6);
    REQUIRE(conn_put(e->c, SPAN("+OK go\r\n")) == 0);
    REQUIRE(conn_accept_tls(e->c, 5000) == 0);
    REQUIRE(fill_to(e->c, 40000) == 0);
    conn_consume(e->c, 40000);
    for (unsigned i = 0; i < 1000; i++)
        REQUIRE(
            conn_put(e->c, SPAN("the answer that nobody may read, a line of it among many\r\n")) ==
            0);
    conn_shutdown(e->c);
}

static void talk_client(struct end *e)
{
    static char bytes[40000];

    memset(bytes, 'q', sizeof bytes);
    REQUIRE(fill_to(e->c, 11) == 0);
    conn_consume(e->c, 11);
    REQUIRE(conn_put(e->c, SPAN("STLS\r\n")) == 0);
    REQUIRE(fill_to(e->c, 8) == 0);
    conn_consume(e->c, 8);
    REQUIRE(conn_connect_tls(e->c, &t.how, 5000) == 0);
    REQUIRE(conn_put(e->c, span_of(bytes, sizeof bytes)) == 0);
    while (conn_fill(e->c, 5000) > 0)
        conn_consume(e->c, conn_peek(e->c).n);
    conn_shutdown(e->c);
}

static void begin_tcp(struct setting *s)
{
    begin("p256", s);
    s->tcp = true;
    s->server.vserver = &vserver;
    s->server.endpoint = &starttls;
    s->server.peer.ss_family = AF_INET;
    ((struct sockaddr_in *)(void *)&s->server.peer)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ((struct sockaddr_in *)(void *)&s->server.peer)->sin_port = htons(4711);
}

/* What was in clear is there as it was, what was not is not, and records of TLS follow each other without a gap. */
TEST(wire_bytes_and_nothing_else)
{
    struct setting s;
    struct tls_tap_counts counts;

    begin_tcp(&s);
    tap_open("imap4-test", 7);
    run(&s, talk_server, talk_client);
    EXPECT(tls_tap_close(7, &counts) && !tls_tap_close(7, NULL));
    read_all();
    EXPECT_INT(seen.syn[0], 1);
    EXPECT_INT(seen.syn[1], 1);
    EXPECT_INT(seen.fin[0], 1);
    EXPECT_INT(seen.fin[1], 1);
    EXPECT_INT(seen.gaps, 0);
    EXPECT_INT(seen.client_port, 4711);
    EXPECT_INT(counts.connections, 1);
    EXPECT_INT(counts.records, seen.records);
    EXPECT_INT(counts.bytes, seen.bytes[0].n + seen.bytes[1].n);
    EXPECT_INT(counts.dropped, 0);
    EXPECT(span_starts(buf_span(&seen.bytes[0]), SPAN("STLS\r\n\x16\x03")));
    EXPECT(span_starts(buf_span(&seen.bytes[1]), SPAN("+OK hello\r\n+OK go\r\n\x16\x03")));
    EXPECT(seen.bytes[0].n > 40000 && seen.bytes[1].n > 57000);
    EXPECT(span_find_span(buf_span(&seen.bytes[1]), SPAN("nobody may read")) == SPAN_NONE);
    EXPECT(span_find_span(buf_span(&seen.bytes[0]), SPAN("qqqqqqqq")) == SPAN_NONE);
    finish();
}

static void expect_none(const char *name, struct setting *s)
{
    unit_case(name);
    run(s, talk_server, talk_client);
    EXPECT(tls_tap_close(7, NULL));
    read_all();
    EXPECT_INT(seen.records, 0);
    unit_case(NULL);
    finish();
}

TEST(others_are_not_in_it)
{
    struct setting s;

    begin_tcp(&s);
    tap_open("imap4-other", 7);
    expect_none("another virtual server", &s);
    begin_tcp(&s);
    s.tcp = false;
    tap_open("imap4-test", 7);
    expect_none("no wire", &s);
    begin_tcp(&s);
    s.server.vserver = NULL;
    tap_open("imap4-test", 7);
    expect_none("outgoing", &s);
}

static void late_server(struct end *e)
{
    REQUIRE(conn_put(e->c, SPAN("+OK hello\r\n")) == 0);
    REQUIRE(conn_flush(e->c) == 0);
    tap_open("imap4-test", 8);
    REQUIRE(fill_to(e->c, 6) == 0);
    conn_consume(e->c, 6);
    REQUIRE(conn_put(e->c, SPAN("+OK go\r\n")) == 0);
    REQUIRE(conn_flush(e->c) == 0);
    EXPECT(tls_tap_close(8, NULL));
    REQUIRE(conn_put(e->c, SPAN("+OK more\r\n")) == 0);
    conn_shutdown(e->c);
}

static void late_client(struct end *e)
{
    REQUIRE(fill_to(e->c, 11) == 0);
    REQUIRE(conn_put(e->c, SPAN("STLS\r\n")) == 0);
    while (conn_fill(e->c, 5000) > 0)
        continue;
}

TEST(begins_and_ends_while_connections_are_open)
{
    struct setting s;

    begin_tcp(&s);
    run(&s, late_server, late_client);
    EXPECT_INT(tls_taps(), 0);
    read_all();
    EXPECT_INT(seen.syn[0] + seen.syn[1], 0);
    EXPECT_SPAN(buf_span(&seen.bytes[0]), SPAN("STLS\r\n"));
    EXPECT_SPAN(buf_span(&seen.bytes[1]), SPAN("+OK go\r\n"));
    finish();
}

static void flood_server(struct end *e)
{
    for (unsigned i = 0; i < 20000; i++)
        REQUIRE(conn_put(e->c, SPAN("+OK a line of the many that do not all fit\r\n")) == 0);
    REQUIRE(conn_flush(e->c) == 0);
    conn_shutdown(e->c);
}

static void flood_client(struct end *e)
{
    while (conn_fill(e->c, 5000) > 0)
        conn_consume(e->c, conn_peek(e->c).n);
    t.client_result = (int)conn_bytes_in(e->c);
}

/* Nobody reads the feed: the session gets all of its bytes all the same, and the drops are counted. */
TEST(a_session_does_not_wait_for_it)
{
    struct setting s;
    struct tls_tap_counts counts;
    uint64_t records, bytes;

    begin_tcp(&s);
    tap_open("imap4-test", 7);
    run(&s, flood_server, flood_client);
    EXPECT_INT(t.client_result, 20000 * 44);
    EXPECT(tls_tap_close(7, &counts));
    feed_dropped(feed, &records, &bytes);
    EXPECT(counts.dropped > 0 && records == counts.dropped);
    read_all();
    EXPECT_INT(seen.records, counts.records);
    finish();
}

TEST(no_more_than_some)
{
    struct tls_tap_request q = {.count = 1, .vservers = {"a"}};
    struct feed *f[TLS_TAPS_MAX + 1];
    struct err e;

    for (unsigned i = 0; i <= TLS_TAPS_MAX; i++) {
        CHECK(feed_make(FEED_BYTES_MIN, &f[i], &e) == 0);
        EXPECT_INT(tls_tap_open(i, &q, dup(feed_fd(f[i])), &e), i < TLS_TAPS_MAX ? 0 : -EBUSY);
    }
    EXPECT(tls_tap_close(1, NULL));
    EXPECT_INT(tls_tap_open(0, &q, dup(feed_fd(f[0])), &e), -EBUSY); /* it has one */
    EXPECT_INT(tls_tap_open(9, &q, -1, &e), -EINVAL);
    for (unsigned i = 0; i <= TLS_TAPS_MAX; i++) {
        tls_tap_close(i, NULL);
        feed_free(f[i]);
    }
    EXPECT_INT(tls_taps(), 0);
}
