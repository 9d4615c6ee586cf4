#include "conf/mta_sts.h"

#include "unit/unit.h"

TEST(matches)
{
    static const struct {
        const char *pattern, *host;
        bool want;
    } rows[] = {
        {"mx.example.org",   "mx.example.org",   true },
        {"mx.example.org",   "MX.Example.ORG",   true },
        {"mx.example.org",   "mx2.example.org",  false},
        {"mx.example.org",   "a.mx.example.org", false},
        {"*.example.org",    "mx.example.org",   true },
        {"*.Example.org",    "mx.example.ORG",   true },
        {"*.example.org",    "a.mx.example.org", false},
        {"*.example.org",    "example.org",      false},
        {"*.example.org",    ".example.org",     false},
        {"*.mx.example.org", "mx.example.org",   false},
        {"*",                "localhost",        false},
        {"",                 "",                 true },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unit_case(rows[i].host);
        EXPECT_INT(mta_sts_matches(span_cstr(rows[i].pattern), span_cstr(rows[i].host)),
                   rows[i].want);
    }
    unit_case(NULL);
}

static const char text[] =
    "domain = \"example.org\"; hostname = \"mail.example.org\"; local_domains = "
    "(\"example.net\");\n"
    "mta_sts = ({ domain = \"example.org\"; mode = \"enforce\"; },\n"
    "  { domain = \"example.net\"; mx = (\"*.example.org\"); max_age = \"1 d\"; });\n"
    "vservers = ({ name = \"a\"; protocol = \"smtp\"; names = (\"mx.example.org\", "
    "\"127.0.0.1\");\n"
    "    endpoints = ({ port = 1; policy = \"opportunistic\"; }); },\n"
    "  { name = \"b\"; protocol = \"smtp\"; names = (\"mx.example.org\", \"mx2.example.org\");\n"
    "    endpoints = ({ port = 2; policy = \"opportunistic\"; }); },\n"
    "  { name = \"c\"; protocol = \"smtp\"; smtp_kind = \"submission\"; names = "
    "(\"s.example.org\");\n"
    "    endpoints = ({ port = 3; }); },\n"
    "  { name = \"w\"; protocol = \"http\"; names = (\"mta-sts.example.org\");\n"
    "    endpoints = ({ port = 4; }); });\n";

TEST(policy)
{
    struct buf problems BUF_AUTO = BUF(1 << 16), out BUF_AUTO = BUF(MTA_STS_TEXT_MAX);
    struct conf *c = conf_parse(span_cstr(text), "x.conf", &problems);
    char first[MTA_STS_ID_MAX + 1], second[MTA_STS_ID_MAX + 1];
    const struct conf_mta_sts *p;

    REQUIRE(c != NULL);
    p = conf_mta_sts_of(c, SPAN("Example.ORG"));
    REQUIRE(p != NULL);
    EXPECT(conf_mta_sts_of(c, SPAN("example.com")) == NULL);
    conf_mta_sts_print(c, p, &out);
    EXPECT_SPAN(buf_span(&out), SPAN("version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\n"
                                     "mx: mx2.example.org\r\nmax_age: 604800\r\n"));
    EXPECT(conf_mta_sts_names(c, p, SPAN("mx2.example.org")));
    EXPECT(!conf_mta_sts_names(c, p, SPAN("s.example.org")));
    EXPECT(!conf_mta_sts_names(c, p, SPAN("127.0.0.1")));
    conf_mta_sts_id(buf_span(&out), first);
    EXPECT_INT(strlen(first), 16);
    buf_clear(&out);
    conf_mta_sts_print(c, conf_mta_sts_of(c, SPAN("example.net")), &out);
    EXPECT_SPAN(buf_span(&out), SPAN("version: STSv1\r\nmode: testing\r\nmx: *.example.org\r\n"
                                     "max_age: 86400\r\n"));
    conf_mta_sts_id(buf_span(&out), second);
    EXPECT(strcmp(first, second) != 0);
    conf_free(c);
}
