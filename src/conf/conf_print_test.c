#include "conf/conf.h"

#include "base/fd.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static struct conf *parse(struct span text)
{
    BUF_AUTO struct buf problems = BUF(1 << 16);
    struct conf *c = conf_parse(text, "x.conf", &problems);

    if (!c)
        unit_fail(__FILE__, __LINE__, "%s", buf_cstr(&problems));
    return c;
}

/* Equal configurations have equal bytes. */
static void expect_equal(const struct conf *a, const struct conf *b)
{
    BUF_AUTO struct buf x = BUF(1 << 20), y = BUF(1 << 20);

    conf_wr(a, &x);
    conf_wr(b, &y);
    EXPECT(!x.overflow && span_eq(buf_span(&x), buf_span(&y)));
}

/* print(parse(x)) says the same, with and without comments, and printing it again changes nothing.
 */
static void stable(const struct conf *c)
{
    for (int comments = 0; comments < 2; comments++) {
        BUF_AUTO struct buf first = BUF(1 << 20), second = BUF(1 << 20);
        conf_print(c, comments, &first);
        EXPECT(!first.overflow);
        struct conf *back = parse(buf_span(&first));
        REQUIRE(back);
        expect_equal(c, back);
        conf_print(back, comments, &second);
        EXPECT_SPAN(buf_span(&second), buf_span(&first));
        conf_free(back);
    }
}

static const char *const unusual =
    "domain = \"example.org\"; hostname = \"mail.example.org\"; organization = \"A \\\"B\\\" \\\\ "
    "C\";\n"
    "local_domains = [\"a.example\", \"b.example\"]; trusted = [\"127.0.0.0/8\", "
    "\"2001:db8::/32\", \"4000::/3\"];\n"
    "ring_bytes = 65537; retry = [\"1 s\", \"61\", \"1 d\"]; log_file_bytes = 4294967295L; "
    "dns_servers = [\"::1@53\"];\n"
    "user_prefix = \"\"; ca_ip = [];\n"
    "vservers = ({ name = \"i\"; protocol = \"imap4\"; endpoints = ({ port = 143; policy = "
    "\"starttls\"; }, { address = \"::1\"; port = 993; });\n"
    "    limits = { idle_timeout = 600; line_bytes = 65536; messages = 7; }; },\n"
    "  { name = \"n\"; protocol = \"nntp\"; anonymous_read = true; endpoints = ({ port = 119; "
    "policy = \"opportunistic\"; });\n"
    "    require_secure_channel = false; allow = [\"10.0.0.0/8\"]; deny = [\"10.1.0.0/16\"]; "
    "limits = { idle_timeout = \"10 min\"; }; },\n"
    "  { name = \"h\"; protocol = \"http\"; enabled = false; endpoints = ({ port = 80; }); "
    "require_secure_channel = false; });\n"
    "connectors = ({ name = \"o\"; address_space = \".example.net\"; smart_host = \"[::2]:25\"; "
    "cost = 100; },\n"
    "  { name = \"p\"; address_space = \"*\"; });\n";

TEST(round_trip)
{
    struct conf *c = parse(span_cstr(unusual));

    REQUIRE(c);
    stable(c);
    conf_free(c);
}

TEST(plain_print_is_complete)
{
    struct conf *c = parse(span_cstr(unusual));
    BUF_AUTO struct buf b = BUF(1 << 20);

    REQUIRE(c);
    conf_print(c, false, &b);
    static const char *const lines[] = {
        "\nlocal_domains = [\"example.org\", \"a.example\", \"b.example\"];\n",
        "\nring_bytes = 65537;\n",
        "\nretry = [\"1 s\", \"61 s\", \"1 d\"];\n",
        "\ncert_days = 90;\n",
        "\ntrusted = [\"127.0.0.0/8\", \"2001:db8::/32\", \"4000::/3\"];\n",
        "\norganization = \"A \\\"B\\\" \\\\ C\";\n",
        "\n            idle_timeout = \"10 min\";\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        unit_case(lines[i]);
        EXPECT(strstr(buf_cstr(&b), lines[i]));
    }
    unit_case(NULL);
    EXPECT(!span_has(buf_span(&b), '#'));
    conf_free(c);
}

/*
 * sample.conf is what conf_print writes with comments, so it cannot fall behind the rows. After a
 * change of rows run this test with UPDATE_SAMPLE=1 and look at the difference.
 */
TEST(sample)
{
    BUF_AUTO struct buf path = BUF(4096), text = BUF(1 << 20), printed = BUF(1 << 20);
    struct err e;

    buf_put_span(&path, span_head(SPAN(__FILE__), span_rfind(SPAN(__FILE__), '/')));
    buf_put_cstr(&path, "/sample.conf");
    if (file_read(AT_FDCWD, buf_cstr(&path), 1 << 20, &text, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    struct conf *c = parse(buf_span(&text));
    REQUIRE(c);
    stable(c);
    EXPECT_INT(c->vserver_count, 6);
    conf_print(c, true, &printed);
    if (getenv("UPDATE_SAMPLE"))
        EXPECT_INT(file_write(AT_FDCWD, buf_cstr(&path), buf_span(&printed), 0644, &e), 0);
    else
        EXPECT_SPAN(buf_span(&text), buf_span(&printed));
    conf_free(c);
}

TEST(limit_of_the_buffer)
{
    struct conf *c = parse(span_cstr(unusual));
    BUF_AUTO struct buf b = BUF(100);

    REQUIRE(c);
    conf_print(c, true, &b);
    EXPECT(b.overflow);
    conf_free(c);
}
