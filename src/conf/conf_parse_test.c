#include "conf/conf.h"

#include "unit/unit.h"

#include <stdio.h>

#define HEAD "domain = \"example.org\";\nhostname = \"mail.example.org\";\n" /* two lines */

/* Parses and compares all that is reported. */
static struct conf *parse(const char *text, const char *want)
{
    BUF_AUTO struct buf problems = BUF(1 << 16);
    struct conf *c = conf_parse(span_cstr(text), "x.conf", &problems);

    EXPECT_STR(buf_cstr(&problems), want);
    return c;
}

static void refused(const char *text, const char *want)
{
    struct conf *c = parse(text, want);

    unit_case(want);
    EXPECT(!c);
    conf_free(c);
    unit_case(NULL);
}

TEST(defaults_and_derived)
{
    struct conf *c =
        parse(HEAD "vservers = (\n"
                   "  { name = \"i\"; protocol = \"imap4\"; endpoints = ( { port = 993; } ); },\n"
                   "  { name = \"m\"; protocol = \"smtp\";\n"
                   "    endpoints = ( { port = 25; policy = \"opportunistic\"; } ); } );\n",
              "");
    REQUIRE(c);
    EXPECT_STR(c->domain, "example.org");
    EXPECT_INT(c->local_domains.n, 1);
    EXPECT_STR(c->local_domains.v[0], "example.org");
    EXPECT_STR(c->postmaster, "postmaster@example.org");
    EXPECT_INT(c->ca_dns.n, 3);
    EXPECT_STR(c->ca_dns.v[1], "mail.example.org");
    EXPECT_STR(c->ca_dns.v[2], "localhost");
    EXPECT_INT(c->cert_days, 90);
    EXPECT(c->index_map_bytes == (uint64_t)1 << 40);
    EXPECT_INT(c->retry.n, 7);
    EXPECT_STR(c->retry.v[6], "14400");
    REQUIRE(c->vserver_count == 2);

    const struct conf_vserver *i = &c->vservers[0], *m = &c->vservers[1];
    EXPECT(conf_vserver_by_name(c, "m") == m && !conf_vserver_by_name(c, "M"));
    EXPECT_STR(i->names.v[0], "mail.example.org");
    EXPECT(i->require_secure_channel && !m->require_secure_channel);
    EXPECT(i->enabled && i->require_128bit && i->tls_min == TLS_MIN_1_2);
    EXPECT_INT(i->endpoints[0].policy, POLICY_TLS_ONLY);
    EXPECT_STR(i->endpoints[0].address, "0.0.0.0");
    /* what differs between protocols */
    EXPECT_INT(i->limits.idle_timeout, 1800);
    EXPECT_INT(m->limits.idle_timeout, 300);
    EXPECT_INT(i->limits.write_timeout, 120);
    EXPECT(conf_domain_is_local(c, SPAN("EXAMPLE.org")));
    EXPECT(!conf_domain_is_local(c, SPAN("example.com")) && !conf_domain_is_local(c, SPAN("")));
    conf_free(c);
    conf_free(NULL);
}

TEST(values)
{
    struct conf *c = parse(
        "domain = \"example.org\"; hostname = \"mail.example.org\";\n"
        "local_domains = [\"example.com\"]; postmaster = \"root@example.net\";\n"
        "ring_bytes = 65536; spool_bytes = \"64 MiB\"; retry = [60, 120]; log_level = \"debug\";\n"
        "index_map_bytes = 17592186044416L; auth_cache_seconds = \"1 h\"; trusted = "
        "(\"127.0.0.0/8\", \"::1\");\n"
        "vservers = ({ name = \"n\"; protocol = \"nntp\"; anonymous_post = true; allow = "
        "[\"10.0.0.0/8\"];\n"
        "  require_secure_channel = true; tls_min = \"1.3\"; key_type = \"ed25519\"; names = "
        "[\"localhost\", \"127.0.0.1\"];\n"
        "  limits = { idle_timeout = 7; }; enabled = false;\n"
        "  endpoints = ({ address = \"::1\"; port = 119; policy = \"starttls\"; }); });\n"
        "connectors = ({ name = \"out\"; address_space = \"*\"; smart_host = "
        "\"relay.example.net:587\"; cost = 9;\n"
        "  tls_required = true; tls_name = \"relay.example.net\"; user = \"u\"; password_file = "
        "\"p\"; });\n",
        "");
    REQUIRE(c);
    EXPECT_INT(c->local_domains.n, 2);
    EXPECT_STR(c->local_domains.v[0], "example.org"); /* the domain is always one */
    EXPECT_STR(c->postmaster, "root@example.net");
    EXPECT_INT(c->ring_bytes, 65536);
    EXPECT_INT(c->spool_bytes, 64 << 20);
    EXPECT_STR(c->retry.v[1], "120");
    EXPECT_INT(c->log_level, 3);
    EXPECT(c->index_map_bytes == (uint64_t)1 << 44);
    EXPECT_INT(c->trusted.n, 2);
    EXPECT_INT(c->trusted.v[0].bits, 104);
    const struct conf_vserver *v = &c->vservers[0];
    EXPECT(v->anonymous_post && !v->anonymous_read && !v->enabled && v->require_secure_channel);
    EXPECT_INT(v->limits.idle_timeout, 7);
    EXPECT_INT(v->limits.message_bytes, 1 << 20);
    EXPECT_INT(v->tls_min, TLS_MIN_1_3);
    EXPECT_STR(v->key_type, "ed25519");
    EXPECT_INT(c->connectors[0].cost, 9);
    EXPECT_STR(c->connectors[0].user, "u");
    conf_free(c);
}

/* All of one file at once: exact places, in the order of the lines. */
TEST(every_kind_of_wrong_value)
{
    refused(
        "domain = \"example.org\";\n"
        "hostname = 5;\n"
        "hostnam = \"x\";\n"
        "port = 5;\n"
        "workers_mx = 65;\n"
        "cert_days = -5;\n"
        "ring_bytes = \"64 kb\";\n"
        "retry = [ \"1 min\", \"0\" ];\n"
        "log_level = \"inf\";\n"
        "local_domains = \"example.com\";\n"
        "ca_ip = [ 5 ];\n"
        "postmaster = \"a b\";\n"
        "queue_days = 2.5;\n"
        "trusted = [ \"10.0.0.0/33\" ];\n"
        "index_map_bytes = 1;\n"
        "vservers = ( { name = \"a b\"; endpoints = ( ); limits = 5;\n"
        "  }, { name = \"b\"; protocol = \"imap\"; endpoints = ( { address = \"localhost\";\n"
        "    port = 0; policy = \"none\"; }, 5 ); limit = {}; enabled = 1;\n"
        "  anonymous_read = \"true\"; limits = { zzzzzz = 1; idle_timeout = 0; }; } );\n"
        "connectors = 5;\n"
        "hops = 4294967346;\n", /* 50 to a parser of 32 bits */
        "x.conf:2: 'hostname' is a number. Write a text in quotes.\n"
        "x.conf:3: \"hostnam\" is not an option of the server. Did you mean 'hostname'?\n"
        "x.conf:4: 'port' is an option of endpoints, not of the server. Move it there.\n"
        "x.conf:5: 'workers_mx' is 65. It must lie between 0 and 64.\n"
        "x.conf:6: 'cert_days' is -5. It must lie between 1 and 825 days.\n"
        "x.conf:7: 'ring_bytes': \"64 kb\" is not a number for it. Write a number, or a text like "
        "\"64 KiB\" (B, KiB, MiB, GiB, TiB).\n"
        "x.conf:8: 'retry' is 0. It must lie between 1 s and 7 d.\n"
        "x.conf:9: 'log_level': \"inf\" is not one of its values. Write \"error\", \"warn\", "
        "\"info\" or "
        "\"debug\".\n"
        "x.conf:10: 'local_domains' is a text. Write a list of texts: [ \"…\", \"…\" ].\n"
        "x.conf:11: 'ca_ip': element 1 is a number. Write a list of texts: [ \"…\", \"…\" ].\n"
        "x.conf:12: 'postmaster': \"a b\" is not a mail address. Write it as in "
        "\"postmaster@example.org\".\n"
        "x.conf:13: 'queue_days' is a fraction. Write a number.\n"
        "x.conf:14: 'trusted': \"10.0.0.0/33\" is not an address or network. Write it as in "
        "\"192.0.2.1\", \"10.0.0.0/8\" or \"2001:db8::/32\".\n"
        "x.conf:15: 'index_map_bytes' is 1. It must lie between 16 MiB and 16 TiB.\n"
        "x.conf:16: 'name': \"a b\" is not a name. Use letters, digits and '-' (not at the ends), "
        "as in "
        "\"imap4-default\".\n"
        "x.conf:16: this virtual server has no 'protocol'. Add it: a text in quotes.\n"
        "x.conf:16: 'endpoints' has 0 elements. Write between 1 and 16.\n"
        "x.conf:16: 'limits' is a number. Write a group: { … }.\n"
        "x.conf:17: 'protocol': \"imap\" is not one of its values. Write \"pop3\", \"imap4\", "
        "\"smtp\", "
        "\"nntp\" or \"http\".\n"
        "x.conf:17: 'address': \"localhost\" is not a numeric address. Write it as in "
        "\"192.0.2.1\" or "
        "\"2001:db8::1\".\n"
        "x.conf:18: \"limit\" is not an option of virtual servers. Did you mean 'limits'?\n"
        "x.conf:18: 'enabled' is a number. Write true or false, without quotes.\n"
        "x.conf:18: 'port' is 0. It must lie between 1 and 65535.\n"
        "x.conf:18: 'policy': \"none\" is not one of its values. Write \"tls\", \"starttls\", "
        "\"opportunistic\" or \"public\".\n"
        "x.conf:18: 'endpoints': element 2 is a number. Write a list of groups: ( { … }, { … } ).\n"
        "x.conf:19: 'anonymous_read' is a text. Write true or false, without quotes.\n"
        "x.conf:19: \"zzzzzz\" is not an option of limits. Remove it, or look for its name in the "
        "sample "
        "configuration.\n"
        "x.conf:19: 'idle_timeout' is 0. It must lie between 1 s and 1 d.\n"
        "x.conf:20: 'connectors' is a number. Write a list of groups: ( { … }, { … } ).\n"
        "x.conf:21: 'hops' is 4294967346. It must lie between 5 and 500.\n");
}

TEST(whole_file)
{
    refused("", "x.conf:1: this server has no 'domain'. Add it: a text in quotes.\n"
                "x.conf:1: this server has no 'hostname'. Add it: a text in quotes.\n");
    refused("domain = \"example.org\"\nhostname = 5 5;\n",
            "x.conf:2: syntax error. Look for a missing ';', quote or bracket here or on the line "
            "before.\n");
    refused(
        HEAD "hostname = \"twice.example.org\";\n",
        "x.conf:3: duplicate setting name. Look for a missing ';', quote or bracket here or on the "
        "line before.\n");
    refused("/* 1\n2 */ # 3 @include\n// 4 @include\n  @include \"/etc/passwd\"\n",
            "x.conf:4: @include is not supported. Put everything into this file.\n");
    refused("domain = \"a\nb\\\"@\";\nhops = 0x10;\n",
            "x.conf:3: \"0x10\" is hexadecimal. Write the number in decimal.\n");
    refused(HEAD "hops = -99999999999999999999;\n",
            "x.conf:3: \"-99999999999999999999\" is too large for any option. Write a smaller "
            "number.\n");

    refused(HEAD "data = \"a\\\";\n\n",
            "x.conf:3: the text that begins here never ends. Add its closing quote.\n");
    refused(HEAD "\n/* data = 1;\n\n",
            "x.conf:4: the comment that begins here never ends. Add its */.\n");

    BUF_AUTO struct buf problems = BUF(1000), big = BUF(2 << 20);
    EXPECT(!conf_parse(SPAN("a = 1;\n\nb\0 = 2;"), "x.conf", &problems));
    EXPECT_STR(buf_cstr(&problems), "x.conf:3: the line holds a NUL byte. Remove it.\n");
    for (int i = 0; i < (1 << 20) + 1; i++)
        buf_putc(&big, '\n');
    buf_clear(&problems);
    EXPECT(!conf_parse(buf_span(&big), "x.conf", &problems));
    EXPECT_STR(
        buf_cstr(&problems),
        "x.conf: the file is 1048577 bytes long. At most 1048576 are allowed: shorten it.\n");
}

TEST(texts)
{
    refused(HEAD "organization = \"a\x01"
                 "b\";\n",
            "x.conf:3: 'organization' holds a control character. Remove it.\n");
    refused(HEAD "organization = \"\xff\";\n",
            "x.conf:3: 'organization' is not UTF-8. Save the file in UTF-8.\n");
    refused(HEAD "data = \"\";\n", "x.conf:3: 'data' is empty. Write a value.\n");
    refused(HEAD "ca_dns = [\"\"];\n",
            "x.conf:3: 'ca_dns' is empty. Write a value or leave the element out.\n");
    refused(HEAD "user_prefix = \"abcdefghijklmnopqrstuvwxyz\";\n",
            "x.conf:3: 'user_prefix' is 26 bytes long. At most 16 are allowed: shorten it.\n");
    struct conf *c =
        parse(HEAD "organization = \"B\xc3\xbc"
                   "cher \\\"&\\\\ S\xc3\xb6hne\"; vservers = ();\n",
              "warning: x.conf:3: there is no virtual server: nothing will listen. Add one to "
              "'vservers'.\n");
    REQUIRE(c);
    EXPECT_STR(c->organization, "B\xc3\xbc"
                                "cher \"&\\ S\xc3\xb6hne");
    conf_free(c);
}

TEST(too_much_of_it)
{
    BUF_AUTO struct buf text = BUF(1 << 20), problems = BUF(1 << 20);

    for (int i = 0; i < 501; i++)
        buf_printf(&text, "unknown%d = 1;\n", i);
    EXPECT(!conf_parse(buf_span(&text), "x.conf", &problems));
    EXPECT_STR(buf_cstr(&problems),
               "x.conf:501: there are more than 500 settings in one group. Remove some.\n");
    refused("\na = ((((((((((((((((((((((((((((((((((((",
            "x.conf:2: the brackets are nested too deeply. Close some of them.\n");
    refused("}}}}\n)",
            "x.conf:1: syntax error. Look for a missing ';', quote or bracket here or on "
            "the line before.\n");
}

TEST(too_many_problems)
{
    BUF_AUTO struct buf text = BUF(1 << 20), problems = BUF(1 << 20);

    for (int i = 0; i < 300; i++)
        buf_printf(&text, "unknown%d = 1;\n", i);
    EXPECT(!conf_parse(buf_span(&text), "x.conf", &problems));
    EXPECT(span_ends_nocase(
        buf_span(&problems),
        SPAN("x.conf: 102 more problems. Mend the first ones and check again.\n")));
    /* a buffer that is too small for the problems changes nothing */
    BUF_AUTO struct buf small = BUF(10);
    EXPECT(!conf_parse(buf_span(&text), "x.conf", &small));
}
