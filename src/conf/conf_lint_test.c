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
    {"too wide 6", HEAD "trusted = (\"2000::/4\"); vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1;") ");", "names 2000::/4, more than"},
    {"not required", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; require_secure_channel = false;", "port = 1; policy = \"starttls\";") ");", "does not require a secure channel"},
    {"address greets", HEAD "ca_ip = (\"192.0.2.0/24\"); vservers = (" SERVER("v", "protocol = \"imap4\"; names = (\"192.0.2.1\", \"mail.example.org\");", "port = 1;") ");", "greets with the address 192.0.2.1"},
    {"other family", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1; address = \"::\";") ", " SERVER("w", "protocol = \"imap4\";", "port = 1; address = \"127.0.0.1\";") ");", ""},
    {"another CA", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; client_trust = (\"own-ca\", \"partner.pem\");", "port = 1;") ");", "believes certificates of partner.pem"},
};

#define MX(names) SERVER("mx", "protocol = \"smtp\"; names = (" names ");", "port = 1; policy = \"opportunistic\";")
#define WEB(names) SERVER("web", "protocol = \"http\"; names = (" names ");", "port = 2;")
#define STS(options) "mta_sts = ({ domain = \"example.org\"; " options " });\n"
#define BOTH "vservers = (" MX("\"mx.example.org\"") ", " WEB("\"mta-sts.example.org\"") ");"

/* All problems of a configuration that is refused. */
static const struct {
    const char *name, *text, *want;
} refused[] = {
    {"enforced against oneself", HEAD STS("mode = \"enforce\"; mx = (\"mail.example.org\", \"*.mx.example.org\");") BOTH,
     "x.conf:2: the MTA-STS policy of example.org has none of the names of virtual server mx: senders would not deliver to it. Add the name that stands in the MX record to 'mx', or leave 'mx' out.\n"},
    {"another's domain", HEAD "mta_sts = ({ domain = \"example.net\"; });\nvservers = (" MX("\"mx.example.org\"") ", " WEB("\"mta-sts.example.net\"") ");",
     "x.conf:2: there is an MTA-STS policy for example.net, which is no local domain. Add it to local_domains, or remove the policy.\n"
     "warning: x.conf:3: the own CA may not issue for mta-sts.example.net. Add it to ca_dns or ca_ip, unless the certificate comes from elsewhere.\n"},
    {"two", HEAD "mta_sts = ({ domain = \"example.org\"; }, { domain = \"EXAMPLE.org\"; });\n" BOTH,
     "x.conf:2: there already is an MTA-STS policy for EXAMPLE.org. Remove one of them.\n"},
    {"nobody takes mail", HEAD STS("") "vservers = (" WEB("\"mta-sts.example.org\"") ");",
     "x.conf:2: there is an MTA-STS policy for example.org, but no virtual server of kind mx takes its mail. Add one, or set mode = \"none\".\n"},
};
/* clang-format on */

TEST(errors)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        BUF_AUTO struct buf problems = BUF(1 << 16);
        struct conf *c = conf_parse(span_cstr(refused[i].text), "x.conf", &problems);
        unit_case(refused[i].name);
        EXPECT(c == NULL);
        EXPECT_SPAN(buf_span(&problems), span_cstr(refused[i].want));
        conf_free(c);
    }
    unit_case(NULL);
}

/* clang-format off */
static const struct {
    const char *name, *text, *want; /* a part of the only warning; "": none */
} sts_rows[] = {
    {"policy", HEAD STS("mode = \"enforce\";") BOTH, ""},
    {"by wildcard", HEAD STS("mode = \"enforce\"; mx = (\"*.example.org\");") BOTH, ""},
    {"withdrawn", HEAD STS("mode = \"none\";") "vservers = (" WEB("\"mta-sts.example.org\"") ");", ""},
    {"testing against oneself", HEAD STS("mx = (\"mail.example.org\");") BOTH, "has none of the names of virtual server mx. Add the name"},
    {"no host", HEAD STS("") "vservers = (" MX("\"mx.example.org\"") ", " WEB("\"mail.example.org\"") ");", "is asked for at https://mta-sts.example.org, which is no name of an HTTP virtual server"},
    {"host in clear", HEAD STS("") "vservers = (" MX("\"mx.example.org\"") ", " SERVER("web", "protocol = \"http\"; names = (\"mta-sts.example.org\");", "port = 2; policy = \"public\";") ");", "is asked for at https://mta-sts.example.org"},
};
/* clang-format on */

static void expect_warning(const char *name, const char *text, const char *want)
{
    BUF_AUTO struct buf problems = BUF(1 << 16);
    struct conf *c = conf_parse(span_cstr(text), "x.conf", &problems);
    struct span all = buf_span(&problems), line;

    unit_case(name);
    EXPECT(c != NULL);
    if (want[0] == '\0') {
        EXPECT_SPAN(all, SPAN(""));
    } else {
        EXPECT(span_split(&all, '\n', &line) && all.n == 0);
        EXPECT(span_starts(line, SPAN("warning: x.conf:")));
        EXPECT(span_find_span(line, span_cstr(want)) != SPAN_NONE);
    }
    conf_free(c);
    unit_case(NULL);
}

/* What the linter is for, a line each: refused (a part of the error), or said (of the warning). */
/* clang-format off */
static const struct {
    const char *fault, *text, *error, *warning;
} faults[] = {
    {"open relay", HEAD "vservers = (" SERVER("v", "protocol = \"smtp\"; anonymous_post = true;", "port = 1; policy = \"opportunistic\";") ");",
     "would make virtual server v an open relay: mail of strangers for others is never taken without login. Remove it", NULL},
    {"open relay of news", HEAD "vservers = (" SERVER("v", "protocol = \"nntp\"; anonymous_post = true; allow = (\"0.0.0.0/1\", \"128.0.0.0/1\");", "port = 1;") ");",
     "anonymous_post would let every stranger post. Name the networks", NULL},
    {"login without TLS", HEAD "vservers = (" SERVER("v", "protocol = \"smtp\"; smtp_kind = \"submission\";", "port = 1; policy = \"opportunistic\";") ");",
     "Use \"starttls\" or \"tls\": logins need TLS", NULL},
    {"login without TLS, imap4", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; require_secure_channel = false;", "port = 1; policy = \"opportunistic\";") ");",
     "Use \"tls\" or \"starttls\": logins need TLS", NULL},
    {"login without TLS, web", HEAD "vservers = (" SERVER("v", "protocol = \"http\"; require_secure_channel = true;", "port = 1; policy = \"public\";") ");",
     "Use \"tls\", or set require_secure_channel = false", NULL},
    {"names that do not fit", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; names = (\"mail.example.net\");", "port = 1;") ");",
     NULL, "the own CA may not issue for mail.example.net. Add it to ca_dns"},
    {"names that are no host", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; names = (\"127.0.0.1\", \"mail.example.org\");", "port = 1;") ");",
     NULL, "greets with the address 127.0.0.1. Put a DNS name first"},
    {"two on one address", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1;") ", " SERVER("w", "protocol = \"pop3\";", "port = 1;") ");",
     "0.0.0.0 port 1 is already taken by virtual server v. Choose another address or port", NULL},
    {"two on one address, one on all", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1; address = \"0.0.0.0\";") ", " SERVER("w", "protocol = \"pop3\";", "port = 1; address = \"127.0.0.1\";") ");",
     "127.0.0.1 port 1 cannot be had: virtual server v takes that port at all addresses (0.0.0.0)", NULL},
    {"trust of another CA", HEAD "vservers = (" SERVER("v", "protocol = \"imap4\"; client_trust = (\"partner.pem\");", "port = 1;") ");",
     NULL, "Keep \"own-ca\" only, unless that CA issues to your people alone"},
    {"outlives its issuer", HEAD "cert_days = 400; ca_days = 300; vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1;") ");",
     "but no certificate outlives its issuer. Lower cert_days or raise ca_days", NULL},
    {"CA outlives its root", HEAD "ca_days = 3000; root_days = 2000; vservers = (" SERVER("v", "protocol = \"imap4\";", "port = 1;") ");",
     "but no CA outlives its root. Lower ca_days or raise root_days", NULL},
    {"certificate and MTA-STS", HEAD STS("mode = \"enforce\"; mx = (\"mail.example.org\");") BOTH,
     "senders would not deliver to it. Add the name that stands in the MX record to 'mx'", NULL},
};
/* clang-format on */

TEST(each_line_of_the_linter)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        BUF_AUTO struct buf problems = BUF(1 << 16);
        struct conf *c = conf_parse(span_cstr(faults[i].text), "x.conf", &problems);
        const char *want = faults[i].error != NULL ? faults[i].error : faults[i].warning;
        struct span all = buf_span(&problems), line;
        bool found = false;
        unit_case(faults[i].fault);
        EXPECT_INT(c == NULL, faults[i].error != NULL);
        while (span_split(&all, '\n', &line))
            found |= span_find_span(line, span_cstr(want)) != SPAN_NONE &&
                     span_starts(line, SPAN("warning: ")) == (faults[i].error == NULL);
        EXPECT(found);
        conf_free(c);
    }
    unit_case(NULL);
}

TEST(mta_sts)
{
    for (size_t i = 0; i < sizeof sts_rows / sizeof *sts_rows; i++)
        expect_warning(sts_rows[i].name, sts_rows[i].text, sts_rows[i].want);
}

TEST(warnings)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_warning(rows[i].name, rows[i].text, rows[i].want);
}
