#include "base/clock.h"
#include "base/utf8.h"
#include "message/build.h"
#include "message/header.h"
#include "message/summary_testing.h"

static const struct date when = {1795498140, 60}; /* Tue, 24 Nov 2026 06:29:00 +0100 */

TEST(message_ids)
{
    struct buf a BUF_AUTO = BUF(300), b BUF_AUTO = BUF(300);
    clock_fake(1795498140123);
    EXPECT(build_message_id(&a, SPAN("mail.example.org")));
    EXPECT(build_message_id(&b, SPAN("ev\r\nil> <host")));
    clock_fake(0);
    EXPECT(span_starts(buf_span(&a), SPAN("<1795498140123.")));
    EXPECT(span_ends_nocase(buf_span(&a), SPAN("@mail.example.org>")));
    EXPECT(span_ends_nocase(buf_span(&b), SPAN("@evilhost>")));
    EXPECT(!span_eq(buf_span(&a), buf_span(&b)));
    struct parsed p;
    buf_put_cstr(&a, "\r\n\r\n");
    struct buf m BUF_AUTO = BUF(400);
    buf_put_cstr(&m, "Message-ID: ");
    buf_put_span(&m, buf_span(&a));
    REQUIRE(parsed_init(&p, buf_span(&m)));
    EXPECT_INT(p.s.message_id.n, a.n - 4);
    parsed_done(&p);
}

TEST(received)
{
    struct buf out BUF_AUTO = BUF(2000);
    struct build_received r = {.helo = SPAN("client.example"),
                               .peer_name = SPAN("host.example"),
                               .peer_address = SPAN("192.0.2.1"),
                               .by = SPAN("mail.example.org"),
                               .with = SPAN("ESMTPS"),
                               .tls = SPAN("TLS1.3 TLS_AES_128_GCM_SHA256"),
                               .id = SPAN("42.1"),
                               .for_address = SPAN("u@example.org"),
                               .when = when};
    EXPECT(build_received(&out, &r));
    EXPECT_SPAN(buf_span(&out),
                SPAN("Received: from client.example (host.example [192.0.2.1])\r\n"
                     "\tby mail.example.org with ESMTPS (TLS1.3 TLS_AES_128_GCM_SHA256) id 42.1\r\n"
                     "\tfor <u@example.org>;\r\n"
                     "\tTue, 24 Nov 2026 06:29:00 +0100\r\n"));
    buf_clear(&out);
    r = (struct build_received){
        .peer_address = SPAN("IPv6:::1"), .by = SPAN("m"), .with = SPAN("SMTP"), .when = when};
    EXPECT(build_received(&out, &r));
    EXPECT_SPAN(buf_span(&out), SPAN("Received: from unknown ([IPv6:::1])\r\n\tby m with SMTP;\r\n"
                                     "\tTue, 24 Nov 2026 06:29:00 +0100\r\n"));
    buf_clear(&out);
    r = (struct build_received){.helo = SPAN("a\r\nX: y (z); \xe9"),
                                .by = SPAN("m"),
                                .for_address = SPAN("a>\r\nb"),
                                .when = when};
    EXPECT(build_received(&out, &r));
    EXPECT_SPAN(buf_span(&out), SPAN("Received: from a??X:?y??z????\r\n\tby m\r\n\tfor <a???b>;\r\n"
                                     "\tTue, 24 Nov 2026 06:29:00 +0100\r\n"));
}

TEST(fields)
{
    static const struct {
        const char *value;
        bool utf8;
        const char *want;
    } rows[] = {
        {"plain",                                                                                   false, "X: plain\r\n"                     },
        {" \r\n blank\r\n\tfold \x01 ",                                                             false, "X: blank   fold\r\n"              },
        {"caf\xc3\xa9 <a@b>",                                                                       false, "X: =?UTF-8?B?Y2Fmw6k=?= <a@b>\r\n"},
        {"caf\xc3\xa9 \xc3\xa9 z",                                                                  false, "X: =?UTF-8?B?Y2Fmw6kgw6k=?= z\r\n"},
        {"caf\xc3\xa9",                                                                             true,  "X: caf\xc3\xa9\r\n"               },
        {"caf\xe9",                                                                                 true,  "X: caf\xef\xbf\xbd\r\n"           },
        {"a =?x",                                                                                   false, "X: a =?UTF-8?B?PT94?=\r\n"        },
        {"",                                                                                        false, "X: \r\n"                          },
        {"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
         false,                                                                                            "X: 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\r\n 0123456789 "
         "0123456789\r\n"                                                                                                      },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(500);
        unit_case(rows[i].value);
        EXPECT(build_field(&out, "X", span_cstr(rows[i].value), rows[i].utf8));
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
    struct buf small BUF_AUTO = BUF(5);
    EXPECT(!build_field(&small, "X", SPAN("too long"), false));
}

/* Any text: one field, no line over 998 bytes, ASCII unless asked for, and it reads back as it was.
 */
TEST(fields_of_any_text)
{
    static const char *const pieces[] = {
        "a", "\xc3\xa9", " ", "\xf0\x9f\x8e\x89", "=?", "long-word-without-an-end-"};
    for (int round = 0; round < 300; round++) {
        struct buf value BUF_AUTO = BUF(20000), out BUF_AUTO = BUF(200000),
                         back BUF_AUTO = BUF(20000);
        buf_put_cstr(&value, "a");
        for (uint64_t n = unit_random() % 200; n > 0; n--)
            buf_put_cstr(&value, pieces[unit_random() % 6]);
        buf_put_cstr(&value, "z");
        bool utf8 = round % 2;
        EXPECT(build_field(&out, "X", buf_span(&value), utf8));
        struct span rest = buf_span(&out), line;
        struct header_field f;
        EXPECT(header_next(&rest, &f) && rest.n == 0);
        EXPECT(utf8 || utf8_is_ascii(buf_span(&out)));
        for (rest = buf_span(&out); span_split(&rest, '\n', &line);)
            EXPECT(line.n <= 999 && (line.n < 80 || utf8 || !span_has(line, '?')));
        EXPECT(header_decode(f.value, &back));
        if (!utf8 && !span_has(f.value, '-'))
            EXPECT_SPAN(buf_span(&back), buf_span(&value));
    }
}

static const struct build_report_recipient recipients[] = {
    {.original = SPAN("rfc822;u@example.org"),
     .final = SPAN("u@example.net"),
     .action = SPAN("failed"),
     .status = SPAN("5.1.1"),
     .remote_mta = SPAN("mx.example.net"),
     .diagnostic = SPAN("550 5.1.1 no such\r\nuser")},
    {.final = SPAN("v@example.net"),     .action = SPAN("delayed"), .status = SPAN("4.4.1")},
};

static struct build_report report(void)
{
    return (struct build_report){.reporting_mta = SPAN("mail.example.org"),
                                 .from = SPAN("Mail <postmaster@example.org>"),
                                 .to = SPAN("s@example.org"),
                                 .envelope_id = SPAN("QQ314"),
                                 .subject = SPAN("Undelivered"),
                                 .explanation = SPAN("It did not\nwork: caf\xc3\xa9.\r\n"),
                                 .when = when,
                                 .arrival = when,
                                 .recipients = recipients,
                                 .recipient_count = 2,
                                 .original = SPAN("Subject: orig\r\n\r\nbody\r\n")};
}

static struct span part_of(const struct parsed *p, uint32_t number, struct part_range *r)
{
    if (!summary_part(&p->s, &number, 1, r))
        return SPAN_EMPTY;
    return span_sub(parsed_raw(p), r->body_at, r->body_bytes);
}

TEST(report_of_failure)
{
    struct buf out BUF_AUTO = BUF(20000);
    struct build_report r = report();
    struct parsed p;
    struct part_range part;
    EXPECT(build_report(&out, &r));
    REQUIRE(parsed_init(&p, buf_span(&out)));
    EXPECT(span_starts(
        p.s.overview,
        SPAN("Undelivered\tMail <postmaster@example.org>\tTue, 24 Nov 2026 06:29:00 +0100\t<")));
    EXPECT(span_find_span(p.s.bodystructure,
                          SPAN("\"report\" (\"report-type\" \"delivery-status\" \"boundary\"")) !=
           SPAN_NONE);
    EXPECT(header_count(buf_span(&out), "Auto-Submitted") == 1);
    EXPECT_SPAN(part_of(&p, 1, &part), SPAN("It did not\r\nwork: caf\xc3\xa9.\r\n"));
    EXPECT_SPAN(part.encoding, SPAN("8bit"));
    EXPECT_SPAN(
        part_of(&p, 2, &part),
        SPAN(
            "Reporting-MTA: dns; mail.example.org\r\nOriginal-Envelope-Id: QQ314\r\n"
            "Arrival-Date: Tue, 24 Nov 2026 06:29:00 +0100\r\n\r\n"
            "Original-Recipient: rfc822;u@example.org\r\nFinal-Recipient: rfc822; u@example.net\r\n"
            "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\n"
            "Diagnostic-Code: smtp; 550 5.1.1 no such  user\r\n\r\n"
            "Final-Recipient: rfc822; v@example.net\r\nAction: delayed\r\nStatus: 4.4.1\r\n"));
    EXPECT_SPAN(part.type, SPAN("message/delivery-status"));
    EXPECT_SPAN(part_of(&p, 3, &part), r.original);
    EXPECT_SPAN(part.type, SPAN("message/rfc822"));
    EXPECT(part_of(&p, 4, &part).p == NULL);
    parsed_done(&p);
}

TEST(report_with_headers_only)
{
    struct buf out BUF_AUTO = BUF(20000);
    struct build_report r = report();
    struct parsed p;
    struct part_range part;
    r.headers_only = true;
    EXPECT(build_report(&out, &r));
    REQUIRE(parsed_init(&p, buf_span(&out)));
    EXPECT_SPAN(part_of(&p, 3, &part), SPAN("Subject: orig\r\n\r\n"));
    EXPECT_SPAN(part.type, SPAN("text/rfc822-headers"));
    parsed_done(&p);
}

TEST(report_of_a_utf8_address)
{
    static const struct build_report_recipient one = {
        .final = SPAN("\xc3\xbc@example.net"), .action = SPAN("failed"), .status = SPAN("5.1.1")};
    struct buf out BUF_AUTO = BUF(20000);
    struct build_report r = report();
    struct parsed p;
    struct part_range part;
    r.recipients = &one;
    r.recipient_count = 1;
    EXPECT(build_report(&out, &r));
    REQUIRE(parsed_init(&p, buf_span(&out)));
    EXPECT(span_find_span(part_of(&p, 2, &part),
                          SPAN("Final-Recipient: utf-8; \xc3\xbc@example.net\r\n")) != SPAN_NONE);
    EXPECT_SPAN(part.type, SPAN("message/global-delivery-status"));
    EXPECT_SPAN(part.encoding, SPAN("8bit"));
    EXPECT_SPAN(part_of(&p, 3, &part), r.original);
    EXPECT_SPAN(part.type, SPAN("message/global"));
    parsed_done(&p);
    struct buf small BUF_AUTO = BUF(400);
    EXPECT(!build_report(&small, &r));
}
