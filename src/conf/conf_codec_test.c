#include "base/codec.h"
#include "conf/conf.h"
#include "unit/unit.h"

#include <stdlib.h>

static const char *const text = "domain = \"example.org\"; hostname = \"mail.example.org\"; "
                                "trusted = [\"10.0.0.0/8\"]; local_domains = [\"example.com\"];\n"
                                "vservers = ({ name = \"imap\"; protocol = \"imap4\"; endpoints = "
                                "({ port = 143; policy = \"starttls\"; }); },\n"
                                "  { name = \"mx\"; protocol = \"smtp\"; endpoints = ({ port = 25; "
                                "policy = \"opportunistic\"; }); });\n"
                                "connectors = ({ name = \"out\"; address_space = \"*\"; });\n";

static struct conf *parsed(void)
{
    BUF_AUTO struct buf problems = BUF(1 << 16);

    return conf_parse(span_cstr(text), "x.conf", &problems);
}

TEST(round_trip)
{
    struct conf *c = parsed();
    BUF_AUTO struct buf bytes = BUF(1 << 20), again = BUF(1 << 20);

    REQUIRE(c);
    conf_wr(c, &bytes);
    struct conf *back = conf_rd(buf_span(&bytes));
    REQUIRE(back);
    EXPECT_STR(back->hostname, "mail.example.org");
    EXPECT_STR(back->local_domains.v[1], "example.com");
    EXPECT_INT(back->trusted.v[0].bits, 104);
    EXPECT_INT(back->vservers[0].limits.idle_timeout, 1800);
    EXPECT_INT(back->vservers[1].endpoints[0].policy, POLICY_OPPORTUNISTIC);
    EXPECT_STR(back->connectors[0].address_space, "*");
    conf_wr(back, &again);
    EXPECT_SPAN(buf_span(&again), buf_span(&bytes));
    conf_free(back);
    conf_free(c);
}

TEST(cut_and_prolonged)
{
    struct conf *c = parsed();
    BUF_AUTO struct buf bytes = BUF(1 << 20);

    REQUIRE(c);
    conf_wr(c, &bytes);
    for (size_t n = 0; n < bytes.n; n++) {
        struct conf *back = conf_rd(span_head(buf_span(&bytes), n));
        EXPECT(!back);
        conf_free(back);
    }
    buf_putc(&bytes, '\0');
    EXPECT(!conf_rd(buf_span(&bytes)));
    conf_free(c);
}

/* Whatever byte is turned, the outcome is refused or a configuration that is written as the very
 * same bytes. */
TEST(turned_bytes)
{
    struct conf *c = parsed();
    BUF_AUTO struct buf bytes = BUF(1 << 20);
    size_t refused = 0;

    REQUIRE(c);
    conf_wr(c, &bytes);
    for (size_t i = 0; i < bytes.n; i++) {
        char old = bytes.p[i];
        bytes.p[i] = (char)(old ^ (char)(1 + unit_random() % 255));
        struct conf *back = conf_rd(buf_span(&bytes));
        if (back) {
            BUF_AUTO struct buf again = BUF(1 << 20);
            conf_wr(back, &again);
            EXPECT_SPAN(buf_span(&again), buf_span(&bytes));
        }
        refused += !back;
        conf_free(back);
        bytes.p[i] = old;
    }
    EXPECT(refused > bytes.n / 4);
    conf_free(c);
}

/* What no file may say, bytes may not say either. */
TEST(rules_hold_for_bytes)
{
    struct conf *c = parsed();
    REQUIRE(c);
    struct conf good = *c;
    struct conf_vserver imap = c->vservers[0];
    struct conf_endpoint endpoint = imap.endpoints[0];

    for (int i = 0; i < 9; i++) {
        BUF_AUTO struct buf bytes = BUF(1 << 20);
        *c = good;
        c->vservers[0] = imap;
        imap.endpoints[0] = endpoint;
        switch (i) {
        case 1:
            imap.endpoints[0].policy = POLICY_OPPORTUNISTIC; /* logins in clear */
            break;
        case 2:
            imap.endpoints[0].policy = 9;
            break;
        case 3:
            imap.endpoints[0].port = 25; /* taken by mx */
            break;
        case 4:
            c->cert_days = 0;
            break;
        case 5:
            c->hostname = "*";
            break;
        case 6:
            c->vservers[0].names.n = 0;
            break;
        case 7:
            c->trusted.v[0].bits = 129;
            break;
        case 8:
            c->domain = "example.net"; /* not among the local domains */
            break;
        default:
            break;
        }
        conf_wr(c, &bytes);
        struct conf *back = conf_rd(buf_span(&bytes));
        EXPECT_INT(back != NULL, i == 0);
        conf_free(back);
    }
    *c = good;
    conf_free(c);
}

/* A count that promises more than there is must not take memory for it. */
TEST(false_counts)
{
    struct conf *c = parsed();
    BUF_AUTO struct buf bytes = BUF(1 << 20);

    REQUIRE(c);
    conf_wr(c, &bytes);
    for (size_t i = 4; i + 4 <= bytes.n; i++) {
        char old[4];
        memcpy(old, bytes.p + i, 4);
        memset(bytes.p + i, 0xff, 4);
        struct conf *back = conf_rd(buf_span(&bytes));
        conf_free(back);
        memcpy(bytes.p + i, old, 4);
    }
    EXPECT(!conf_rd(SPAN_EMPTY));
    conf_free(c);
}
