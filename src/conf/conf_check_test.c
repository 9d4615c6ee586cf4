#include "conf/conf.h"

#include "unit/unit.h"

#define HEAD "domain = \"example.org\"; hostname = \"mail.example.org\";\n" /* line 1 */

/* One virtual server on line 2, its endpoint on line 3. */
#define VSERVER(options, endpoint)                                                                 \
    HEAD "vservers = ({ name = \"v\"; " options "\n endpoints = ({ " endpoint " }); });\n"

struct check_row {
    const char *text;
    const char *want; /* "": accepted without a word */
};

static void run(const struct check_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        BUF_AUTO struct buf problems = BUF(1 << 16);
        struct conf *c = conf_parse(span_cstr(rows[i].text), "x.conf", &problems);
        unit_case(rows[i].text);
        EXPECT_STR(buf_cstr(&problems), rows[i].want);
        EXPECT(!c == (rows[i].want[0] && !span_starts(span_cstr(rows[i].want), SPAN("warning: "))));
        conf_free(c);
    }
    unit_case(NULL);
}

/* version 14 crashes on tables of macros */
/* clang-format off */

#define IMPOSSIBLE(policy, what, remedy)                                                           \
    "x.conf:3: policy \"" policy "\" is not possible for " what " (virtual server v). Use " remedy ".\n"
#define LOGIN "\"tls\" or \"starttls\": logins need TLS"

/* No login before TLS, whatever is written. */
TEST(policies)
{
    static const struct check_row rows[] = {
        {VSERVER("protocol = \"imap4\";", "port = 1;"), ""},
        {VSERVER("protocol = \"imap4\";", "port = 1; policy = \"starttls\";"), ""},
        {VSERVER("protocol = \"imap4\";", "port = 1; policy = \"opportunistic\";"),
         IMPOSSIBLE("opportunistic", "imap4", LOGIN)},
        {VSERVER("protocol = \"imap4\"; require_secure_channel = false;",
                 "address = \"127.0.0.1\"; port = 1; policy = \"public\";"),
         IMPOSSIBLE("public", "imap4", LOGIN)},
        {VSERVER("protocol = \"pop3\";", "port = 1; policy = \"opportunistic\";"),
         IMPOSSIBLE("opportunistic", "pop3", LOGIN)},
        {VSERVER("protocol = \"smtp\"; smtp_kind = \"submission\";", "port = 1; policy = \"opportunistic\";"),
         IMPOSSIBLE("opportunistic", "smtp of kind submission", "\"starttls\" or \"tls\": logins need TLS")},
        {VSERVER("protocol = \"smtp\";", "port = 1; policy = \"opportunistic\";"), ""},
        {VSERVER("protocol = \"smtp\";", "port = 1; policy = \"public\";"),
         IMPOSSIBLE("public", "smtp of kind mx", "\"opportunistic\", \"starttls\" or \"tls\"")},
        {VSERVER("protocol = \"nntp\";", "port = 1; policy = \"opportunistic\";"), ""},
        {VSERVER("protocol = \"http\";", "port = 1; policy = \"public\";"), ""},
        {VSERVER("protocol = \"http\";", "port = 1; policy = \"starttls\";"),
         IMPOSSIBLE("starttls", "http", "\"tls\" or \"public\"")},
        {VSERVER("protocol = \"smtp\"; require_secure_channel = true;", "port = 1; policy = \"opportunistic\";"),
         "x.conf:3: policy \"opportunistic\" answers in clear, but virtual server v requires a secure "
         "channel. Use \"starttls\", or set require_secure_channel = false.\n"},
        {VSERVER("protocol = \"http\"; require_secure_channel = true;", "port = 1; policy = \"public\";"),
         "x.conf:3: policy \"public\" answers in clear, but virtual server v requires a secure channel. Use "
         "\"tls\", or set require_secure_channel = false.\n"},
        {VSERVER("protocol = \"imap4\";", "port = 993; policy = \"starttls\";"),
         "warning: x.conf:3: clients expect policy \"tls\" on port 993, not \"starttls\". Change one of "
         "them.\n"},
    };
    run(rows, sizeof rows / sizeof *rows);
}

/* No stranger relays, reads or posts. */
TEST(strangers)
{
    static const struct check_row rows[] = {
        {HEAD "trusted = [\"10.0.0.0/8\", \"0.0.0.0/0\"];\nvservers = ();",
         "x.conf:2: 'trusted' names every address, so nobody would be throttled. Name your own networks "
         "only.\nwarning: x.conf:3: there is no virtual server: nothing will listen. Add one to "
         "'vservers'.\n"},
        {HEAD "local_domains = [\"*\"];\n",
         "x.conf:2: 'local_domains': \"*\" is not a domain name. Write it as in \"mail.example.org\", without "
         "wildcards, international names in their xn-- form.\n"},
        {HEAD "local_domains = [\"*.com\"];\n",
         "x.conf:2: 'local_domains': \"*.com\" is not a domain name. Write it as in \"mail.example.org\", "
         "without wildcards, international names in their xn-- form.\n"},
        {VSERVER("protocol = \"smtp\"; anonymous_post = true;", "port = 1;"),
         "x.conf:2: anonymous_post would make virtual server v an open relay: mail of strangers for others "
         "is never taken without login. Remove it; who sends mail logs in at a virtual server with smtp_kind "
         "= \"submission\".\n"},
        {VSERVER("protocol = \"pop3\"; anonymous_post = true;", "port = 1;"),
         "x.conf:2: anonymous_post is for news (nntp) only: mail is never relayed without login. Remove it "
         "from virtual server v.\n"},
        {VSERVER("protocol = \"imap4\"; anonymous_read = true;", "port = 1;"),
         "x.conf:2: anonymous_read is for news (nntp) only: mail is never read without login. Remove it from "
         "virtual server v.\n"},
        {VSERVER("protocol = \"nntp\"; anonymous_read = true;", "port = 1;"), ""},
        {VSERVER("protocol = \"nntp\"; anonymous_post = true; allow = [\"10.0.0.0/8\"];", "port = 1;"), ""},
        {VSERVER("protocol = \"nntp\"; anonymous_post = true;", "port = 1;"),
         "x.conf:2: anonymous_post would let every stranger post. Name the networks that may in 'allow' of "
         "virtual server v, or remove it.\n"},
        {VSERVER("protocol = \"nntp\"; anonymous_post = true; allow = [\"::/0\"];", "port = 1;"),
         "x.conf:2: anonymous_post would let every stranger post. Name the networks that may in 'allow' of "
         "virtual server v, or remove it.\n"},
        {VSERVER("protocol = \"nntp\"; anonymous_post = true; allow = [\"0.0.0.0/1\", \"128.0.0.0/2\", \"192.0.0.0/2\"];", "port = 1;"),
         "x.conf:2: anonymous_post would let every stranger post. Name the networks that may in 'allow' of "
         "virtual server v, or remove it.\n"},
        {VSERVER("protocol = \"nntp\"; anonymous_post = true; allow = [\"2000::/4\", \"3000::/4\"];", "port = 1;"),
         "x.conf:2: anonymous_post would let every stranger post. Name the networks that may in 'allow' of "
         "virtual server v, or remove it.\n"},
        {VSERVER("protocol = \"nntp\"; anonymous_post = true; allow = [\"0.0.0.0/1\", \"192.0.0.0/2\", \"2000::/4\"];", "port = 1;"), ""},
        {VSERVER("protocol = \"pop3\"; quota_reply = \"temporary\";", "port = 1;"),
         "x.conf:2: quota_reply is for smtp only. Remove it from virtual server v.\n"},
        {VSERVER("protocol = \"pop3\"; smtp_kind = \"submission\";", "port = 1;"),
         "x.conf:2: smtp_kind is for smtp only. Remove it from virtual server v.\n"},
    };
    run(rows, sizeof rows / sizeof *rows);
}

#define TWO(first, second)                                                                         \
    HEAD "vservers = (\n { name = \"a\"; protocol = \"pop3\"; endpoints = ({ " first " }); },\n"      \
         " { name = \"b\"; protocol = \"imap4\"; enabled = false; endpoints = (\n  { port = 7; },\n  { " second      \
         " }); });\n"

TEST(sockets_and_names)
{
    static const struct check_row rows[] = {
        {TWO("port = 1;", "port = 2;"), ""},
        {TWO("port = 1;", "port = 1;"),
         "x.conf:6: 0.0.0.0 port 1 is already taken by virtual server a. Choose another address or port.\n"},
        {TWO("address = \"::1\"; port = 1;", "address = \"0:0::0:1\"; port = 1;"),
         "x.conf:6: 0:0::0:1 port 1 is already taken by virtual server a. Choose another address or port.\n"},
        {TWO("address = \"127.0.0.1\"; port = 1;", "address = \"127.0.0.2\"; port = 1;"), ""},
        {TWO("port = 1;", "port = 7;"),
         "x.conf:6: 0.0.0.0 port 7 is already taken by virtual server b. Choose another address or port.\n"},
        {TWO("address = \"127.0.0.1\"; port = 7;", "port = 1;"), ""}, /* the one on all addresses is off */
        {HEAD "vservers = (\n{ name = \"a\"; protocol = \"pop3\"; endpoints = ({ port = 1; }); },\n"
              "{ name = \"b\"; protocol = \"pop3\"; endpoints = ({ address = \"127.0.0.1\"; port = 1; }); });\n",
         "x.conf:4: 127.0.0.1 port 1 cannot be had: virtual server a takes that port at all addresses (0.0.0.0). "
         "Name the addresses one by one there, or choose another port.\n"},
        {HEAD "vservers = (\n{ name = \"a\"; protocol = \"pop3\"; endpoints = ({ address = \"::\"; port = 1; }, { address = \"::1\"; port = 1; }); });\n",
         "x.conf:3: ::1 port 1 cannot be had: virtual server a takes that port at all addresses (::). "
         "Name the addresses one by one there, or choose another port.\n"},
        {HEAD "vservers = ({ name = \"a\"; protocol = \"pop3\"; endpoints = ({ port = 1; }); },\n"
              "{ name = \"A\"; protocol = \"pop3\"; endpoints = ({ port = 2; }); });\n",
         "x.conf:3: there already is a virtual server A. Give this one another name.\n"},
        {VSERVER("protocol = \"pop3\"; names = [\"mail.example.net\", \"a.example.org\", \"127.0.0.1\"];", "port = 1;"),
         "warning: x.conf:2: the own CA may not issue for mail.example.net. Add it to ca_dns or ca_ip, unless "
         "the certificate comes from elsewhere.\n"},
        {VSERVER("protocol = \"pop3\"; names = [\"notexample.org\", \"10.0.0.1\"];", "port = 1;"),
         "warning: x.conf:2: the own CA may not issue for notexample.org. Add it to ca_dns or ca_ip, unless "
         "the certificate comes from elsewhere.\n"
         "warning: x.conf:2: the own CA may not issue for 10.0.0.1. Add it to ca_dns or ca_ip, unless the "
         "certificate comes from elsewhere.\n"},
        {VSERVER("protocol = \"pop3\"; limits = { message_bytes = \"300 MiB\"; };", "port = 1;"),
         "x.conf:2: message_bytes of virtual server v is more than spool_bytes can carry to the store. Lower "
         "it or raise spool_bytes.\n"},
    };
    run(rows, sizeof rows / sizeof *rows);
}

TEST(lives)
{
    static const struct check_row rows[] = {
        {VSERVER("protocol = \"pop3\";", "port = 1;") "cert_days = 400;\nca_days = 300;\n",
         "x.conf:4: cert_days (400) is longer than ca_days (300), but no certificate outlives its issuer. "
         "Lower cert_days or raise ca_days.\n"},
        {VSERVER("protocol = \"pop3\";", "port = 1;") "root_days = 1000;\n",
         "x.conf:4: ca_days (1825) is longer than root_days (1000), but no CA outlives its root. Lower ca_days "
         "or raise root_days.\n"},
        {VSERVER("protocol = \"pop3\";", "port = 1;") "delay_notice_hours = 121;\n",
         "warning: x.conf:4: delay_notice_hours lies after queue_days: nobody is ever told. Lower it.\n"},
    };
    run(rows, sizeof rows / sizeof *rows);
}

/* Two lines of a virtual server, the connector on lines 4 and 5. */
#define CONNECTOR(first, second)                                                                   \
    VSERVER("protocol = \"smtp\";", "port = 2525;")                                                \
    "connectors = ({ name = \"k\"; address_space = \"*\"; " first "\n " second " });\n"

TEST(connectors)
{
    static const struct check_row rows[] = {
        {CONNECTOR("", ""), ""},
        {CONNECTOR("smart_host = \"relay.example.net:587\"; tls_required = true;",
                   "tls_name = \"relay.example.net\"; user = \"u\"; password_file = \"p\";"),
         ""},
        {CONNECTOR("smart_host = \"relay.example.net\";", "user = \"u\"; password_file = \"p\";"),
         "x.conf:5: connector k would send its password to whoever answers. Set tls_required = true and "
         "tls_name to the name in the smart host's certificate.\n"},
        {CONNECTOR("smart_host = \"relay.example.net\";", "password_file = \"p\";"),
         "x.conf:5: connector k has only one of user and password_file. Give both or none.\n"},
        {CONNECTOR("tls_required = true; tls_name = \"a.example\";", "user = \"u\"; password_file = \"p\";"),
         "x.conf:5: connector k logs in, but has no smart_host to do it at. Add smart_host or remove "
         "user.\n"},
        {CONNECTOR("smart_host = \"relay.example.net\";", "tls_required = true;"),
         "warning: x.conf:5: connector k encrypts, but to whoever answers. Set tls_name to the name in the "
         "smart host's certificate.\n"},
        {CONNECTOR("", "smart_host = \"[127.0.0.1]:2525\";"),
         "x.conf:5: smart_host [127.0.0.1]:2525 of connector k is this server itself: mail would go round. "
         "Name another host.\n"},
        {CONNECTOR("", "smart_host = \"127.0.0.1\";"), ""},
        {CONNECTOR("", "smart_host = \"127.0.0.1\";") "outbound_port = 2525;\n",
         "x.conf:5: smart_host 127.0.0.1 of connector k is this server itself: mail would go round. Name "
         "another host.\n"},
        {HEAD "vservers = ({ name = \"v\"; protocol = \"pop3\"; endpoints = ({ port = 1; }); });\n"
              "connectors = ({ name = \"k\"; address_space = \"Example.ORG\"; },\n"
              "{ name = \"K\"; address_space = \".example.org\"; });\n",
         "x.conf:3: Example.ORG is a local domain: its mail is delivered here. Remove it from local_domains or "
         "choose another address space for connector k.\n"
         "x.conf:4: there already is a connector K. Give this one another name.\n"},
    };
    run(rows, sizeof rows / sizeof *rows);
}

#define IMAP VSERVER("protocol = \"imap4\";", "port = 1;") /* lines 1 to 3 */
#define AUTHORITY(options) IMAP "authorities = ({ name = \"a\"; url = \"https://ca.example/d\";\n" options " });\n"

#define DANE(mode, root) root VSERVER("protocol = \"imap4\"; dane = \"" mode "\";", "port = 1;")
#define ANCHOR "dns_trust_anchor = \"/a\"; "

TEST(dane)
{
    static const struct check_row rows[] = {
        {DANE("off", ""), ""},
        {DANE("print", ANCHOR), ""},
        {DANE("publish", ANCHOR "dane = { server = \"127.0.0.1\"; };"), ""},
        {DANE("print", ""),
         "x.conf:2: virtual server v waits for TLSA records that DNSSEC secures, but there is no trust anchor. Set dns_trust_anchor (Debian's "
         "dns-root-data has /usr/share/dns/root.key).\n"},
        {DANE("publish", ANCHOR),
         "x.conf:2: virtual server v is to publish TLSA records, but no server takes them. Add dane with server, or write dane = \"print\" and "
         "publish them yourself.\n"},
        {DANE("publish", ANCHOR "dane = { server = \"127.0.0.1\"; zone = \"ample.org\"; };"),
         "x.conf:2: virtual server v is to publish TLSA records, but none of its names is in the zone ample.org. Set names of the virtual server, or "
         "zone of dane.\n"},
        {DANE("off", "dane = { tsig_name = \"k\"; };"), "x.conf:1: dane has only one of tsig_name and tsig_key_file. Give both or none.\n"},
    };
    run(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(authorities)
{
    static const struct check_row rows[] = {
        {AUTHORITY(""), ""},
        {AUTHORITY("eab_kid = \"k\"; eab_key_file = \"f\";"), ""},
        {AUTHORITY("eab_kid = \"k\";"), "x.conf:5: authority a has only one of eab_kid and eab_key_file. Give both or none.\n"},
        {AUTHORITY("challenge = \"dns-command\";"), "x.conf:5: authority a proves names by a command, but names none. Add dns_command.\n"},
        {AUTHORITY("challenge = \"dns-update\";"), "x.conf:5: authority a proves names by updates of DNS, but names no server. Add dns_server.\n"},
        {AUTHORITY("certificate_file = \"first.pem\";"), "x.conf:5: authority a is asked by ACME, which knows no certificate_file. Leave it out.\n"},
        {AUTHORITY("kind = \"est\"; certificate_file = \"first.pem\";"), ""},
        {AUTHORITY("kind = \"est\"; user = \"u\";"), "x.conf:5: authority a has only one of user and password_file. Give both or none.\n"},
        {IMAP "authorities = ({ name = \"none\"; url = \"https://ca.example/d\"; });\n", "x.conf:4: none means something else. Choose another name.\n"},
        {VSERVER("protocol = \"imap4\"; second_source = \"none\";", "port = 1;"), ""},
        {VSERVER("protocol = \"imap4\"; second_source = \"other\";", "port = 1;"),
         "x.conf:2: there is no authority other for virtual server v to fall back on. Write own-ca, none, or the name of one in authorities.\n"},
    };
    run(rows, sizeof(rows) / sizeof(rows[0]));
}
