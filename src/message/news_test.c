#include "message/news.h"
#include "unit/unit.h"

#define FROM "From: J <j@x.org>\r\n"
#define SUBJECT "Subject: s\r\n"
#define DATE "Date: Tue, 24 Nov 2026 05:29:00 +0000\r\n"
#define ID "Message-ID: <1@x>\r\n"
#define GROUPS "Newsgroups: a.b,c.d-e\r\n"
#define PATH "Path: x!y!not-for-mail\r\n"

TEST(news_valid)
{
    static const struct {
        const char *header;
        bool want;
    } rows[] = {
        {FROM SUBJECT DATE ID GROUPS PATH "\r\n",                            true },
        {FROM SUBJECT DATE ID "Newsgroups: a.b,\r\n\tc\r\n" PATH "\r\n",     true },
        {SUBJECT DATE ID GROUPS PATH "\r\n",                                 false},
        {FROM DATE ID GROUPS PATH "\r\n",                                    false},
        {FROM SUBJECT ID GROUPS PATH "\r\n",                                 false},
        {FROM SUBJECT DATE GROUPS PATH "\r\n",                               false},
        {FROM SUBJECT DATE ID PATH "\r\n",                                   false},
        {FROM SUBJECT DATE ID GROUPS "\r\n",                                 false},
        {FROM FROM SUBJECT DATE ID GROUPS PATH "\r\n",                       false},
        {FROM SUBJECT DATE ID ID GROUPS PATH "\r\n",                         false},
        {"From: nobody\r\n" SUBJECT DATE ID GROUPS PATH "\r\n",              false},
        {"From: G: a@b;\r\n" SUBJECT DATE ID GROUPS PATH "\r\n",             false},
        {FROM "Subject: \r\n" DATE ID GROUPS PATH "\r\n",                    false},
        {FROM SUBJECT "Date: yesterday\r\n" ID GROUPS PATH "\r\n",           false},
        {FROM SUBJECT DATE "Message-ID: 1@x\r\n" GROUPS PATH "\r\n",         false},
        {FROM SUBJECT DATE "Message-ID: <1@x> <2@x>\r\n" GROUPS PATH "\r\n", false},
        {FROM SUBJECT DATE "Message-ID: <1\xe9@x>\r\n" GROUPS PATH "\r\n",   false},
        {FROM SUBJECT DATE ID "Newsgroups: a..b\r\n" PATH "\r\n",            false},
        {FROM SUBJECT DATE ID "Newsgroups: a,,b\r\n" PATH "\r\n",            false},
        {FROM SUBJECT DATE ID "Newsgroups: a,\r\n" PATH "\r\n",              false},
        {FROM SUBJECT DATE ID "Newsgroups: a b\r\n" PATH "\r\n",             false},
        {FROM SUBJECT DATE ID "Newsgroups:\r\n" PATH "\r\n",                 false},
        {FROM SUBJECT DATE ID GROUPS "Path: \r\n\r\n",                       false},
        {FROM SUBJECT DATE ID GROUPS "Path: x!y!\r\n\r\n",                   false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fields f;
        fields_collect(span_cstr(rows[i].header), &message_limits_default, &f);
        unit_case(rows[i].header);
        EXPECT(news_valid(&f) == rows[i].want);
    }
}

TEST(news_groups)
{
    struct buf out BUF_AUTO = BUF(100);
    EXPECT(news_groups(SPAN(" a.b , c+d_e\r\n ,f1"), &out));
    EXPECT_SPAN(buf_span(&out), SPAN("a.b,c+d_e,f1"));
    buf_clear(&out);
    EXPECT(!news_groups(SPAN("a, .b, c*, d"), &out));
    EXPECT_SPAN(buf_span(&out), SPAN("a,d"));
    buf_clear(&out);
    EXPECT(!news_groups(SPAN(""), &out));
}

/* RFC 3977 section 8.3.2: folds taken off, TAB and stray controls are blanks */
TEST(news_overview)
{
    static const char header[] =
        "Subject: a\tb\r\n\tc\0d\r e\r\nFrom: x@y\r\nReferences: <a@b>\r\n <c@d>\r\n\r\n";
    struct fields f;
    struct buf out BUF_AUTO = BUF(200);
    fields_collect(span_of(header, sizeof(header) - 1), &message_limits_default, &f);
    news_overview(&f, &out);
    EXPECT_SPAN(buf_span(&out), SPAN("a b c d  e\tx@y\t\t\t<a@b> <c@d>"));
}
