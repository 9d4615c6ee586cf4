#include "conf/conf.h"

#include "unit/unit.h"

#define HEAD "domain = \"example.org\"; hostname = \"mail.example.org\";\n"
#define SERVER(name, options, endpoint)                                                            \
    "{ name = \"" name "\"; " options " endpoints = ({ " endpoint " }); }"

/* clang-format off */
static const struct {
    const char *name, *text, *want; /* a part of the only warning; "": none */
} rows[] = {
    {"nothing", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1143; policy = \"starttls\";") ");", ""},
    {"own networks", HEAD "trusted = (\"10.0.0.0/8\", \"::1\", \"2001:db8::/32\"); vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1;") ");", ""},
    {"too wide", HEAD "trusted = (\"64.0.0.0/4\"); vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1;") ");", "names 64.0.0.0/4, more than any one owner has"},
    {"too wide 6", HEAD "trusted = (\"2000::/3\"); vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1;") ");", "names 2000::/3, more than"},
    {"not required", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; require_secure_channel = false;", "port = 1; policy = \"starttls\";") ");", "does not require a secure channel"},
    {"address greets", HEAD "ca_ip = (\"192.0.2.0/24\"); vservers = (" SERVER("v", "protocol = \"imap4\"; names = (\"192.0.2.1\", \"mail.example.org\");", "port = 1;") ");", "greets with the address 192.0.2.1"},
    {"two servers", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1; address = \"0.0.0.0\";") ", " SERVER("w", "protocol = \"imap4\";", "port = 1; address = \"127.0.0.1\";") ");", "127.0.0.1 port 1 is of virtual server w, all other addresses of the machine are of v"},
    {"other family", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1; address = \"::\";") ", " SERVER("w", "protocol = \"imap4\";", "port = 1; address = \"127.0.0.1\";") ");", ""},
    {"another CA", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; client_trust = (\"own-ca\", \"partner.pem\");", "port = 1;") ");", "believes certificates of partner.pem"},
};
/* clang-format on */

TEST(warnings)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf problems = BUF(1 << 16);
        struct conf *c = conf_parse(span_cstr(rows[i].text), "x.conf", &problems);
        struct span all = buf_span(&problems), line;
        unit_case(rows[i].name);
        EXPECT(c != NULL);
        if (rows[i].want[0] == '\0') {
            EXPECT_SPAN(all, SPAN(""));
        } else {
            EXPECT(span_split(&all, '\n', &line) && all.n == 0);
            EXPECT(span_starts(line, SPAN("warning: x.conf:")));
            EXPECT(span_find_span(line, span_cstr(rows[i].want)) != SPAN_NONE);
        }
        conf_free(c);
    }
    unit_case(NULL);
}
