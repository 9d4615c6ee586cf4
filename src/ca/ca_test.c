#include "ca/world_test.h"

struct foreign_case {
    enum profile_id profile;
    const char *names, *purpose, *openssl, *gnutls;
};

static const struct foreign_case foreign[] = {
    {PROFILE_SERVER,    "mail.example.org localhost 127.0.0.1 ::1", "sslserver",
     "-verify_hostname mail.example.org",                                                                              "--verify-hostname mail.example.org --verify-purpose 1.3.6.1.5.5.7.3.1"},
    {PROFILE_SERVER,    "localhost 127.0.0.1 ::1",                  "sslserver",  "-verify_ip ::1",
     "--verify-hostname localhost --verify-purpose 1.3.6.1.5.5.7.3.1"                                                                                                                         },
    {PROFILE_SERVER,    "*.example.org",                            "sslserver",  "-verify_hostname imap.example.org",
     "--verify-hostname imap.example.org"                                                                                                                                                     },
    {PROFILE_ACCOUNT,   "bob@example.org",                          "sslclient",  "-verify_email bob@example.org",
     "--verify-email bob@example.org --verify-purpose 1.3.6.1.5.5.7.3.2"                                                                                                                      },
    {PROFILE_MAIL_PEER, "peer.example.org",                         "sslclient",  "-verify_hostname peer.example.org",
     "--verify-purpose 1.3.6.1.5.5.7.3.2"                                                                                                                                                     },
    {PROFILE_NEWS_PEER, "news.example.org",                         "sslclient",  "-verify_hostname news.example.org",
     "--verify-purpose 1.3.6.1.5.5.7.3.2"                                                                                                                                                     },
    {PROFILE_SMIME,     "bob@example.org",                          "smimesign",  "-verify_email bob@example.org",
     "--verify-purpose 1.3.6.1.5.5.7.3.4"                                                                                                                                                     },
    {PROFILE_CODE,      "bob@example.org",                          "any",        "",                                  "--verify-purpose 1.3.6.1.5.5.7.3.3"                                   },
    {PROFILE_EVIDENCE,  "www.example.org",                          "any",        "",                                  "--verify-purpose 1.3.6.1.5.5.7.3.36"                                  },
    {PROFILE_OCSP,      "ocsp.example.org",                         "ocsphelper", "",                                  "--verify-purpose 1.3.6.1.5.5.7.3.9"                                   },
};

static void foreign_checks(const char *type)
{
    struct ca *ca;

    begin(type);
    ca = made_ca();
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        struct chain c = CHAIN_NONE;
        struct err e = {""};
        char serial[CERTIFICATE_SERIAL_MAX];
        unit_case(cert_profile_get(foreign[i].profile)->name);
        if (ask(ca,
                &(struct asked){foreign[i].profile,
                                foreign[i].profile == PROFILE_EVIDENCE ? "sealpost evidence"
                                                                       : "Some One",
                                foreign[i].names, 0, NULL},
                &c, serial, &e) < 0) {
            unit_fail(__FILE__, __LINE__, "%s", e.text);
            continue;
        }
        write_chain(ca, &c);
        if (!openssl_accepts(foreign[i].purpose, foreign[i].openssl))
            fail_with_output(__LINE__, "openssl verify");
        if (!gnutls_accepts(foreign[i].gnutls))
            fail_with_output(__LINE__, "certtool --verify");
        chain_done(&c);
    }
    unit_case(NULL);
    ca_close(ca);
    end();
}

TEST(openssl_and_gnutls_accept_p256)
{
    foreign_checks("P-256");
}

TEST(openssl_and_gnutls_accept_p384)
{
    foreign_checks("P-384");
}

TEST(openssl_and_gnutls_accept_ed25519)
{
    foreign_checks("ED25519");
}

TEST(openssl_and_gnutls_accept_rsa)
{
    foreign_checks("RSA");
}

/* Somebody got at the issuing key: what may he certify? Every kind of name is bounded, in both
 * libraries. */
TEST(openssl_and_gnutls_hold_the_bounds)
{
    static const struct {
        enum profile_id profile;
        const char *names, *purpose;
        bool fine;
    } cases[] = {
        {PROFILE_SERVER, "www.example.org",       "sslserver", true },
        {PROFILE_SERVER, "www.example.com",       "sslserver", false},
        {PROFILE_SERVER, "localhost 127.0.0.1",   "sslserver", true },
        {PROFILE_SERVER, "localhost 192.0.2.1",   "sslserver", false},
        {PROFILE_SERVER, "localhost 2001:db8::1", "sslserver", false},
        {PROFILE_SERVER, "localhost 127.0.0.2",   "sslserver", false},
        {PROFILE_SMIME,  "bob@example.org",       "smimesign", true },
        {PROFILE_SMIME,  "bob@example.com",       "smimesign", false},
    };
    struct ca *ca;

    begin("P-256");
    ca = made_ca();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cert_names names = CERT_NAMES_EMPTY;
        struct span words = span_cstr(cases[i].names), word;
        struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
        struct certificate *leaf = NULL;
        struct err e = {""};
        unsigned char spki[1024];
        EVP_PKEY *key = new_key(), *signer = keys[1].key;
        unit_case(cases[i].names);
        while (span_split(&words, ' ', &word))
            CHECK(cert_names_add_any(&names, word) == 0);
        CHECK(issue_certificate(
                  &(struct issue_plan){.profile = cert_profile_get(cases[i].profile),
                                       .issuer = ca_issuing(ca)->certificate,
                                       .signer = signer,
                                       .spki = span_of(spki, spki_of(key, spki, sizeof(spki))),
                                       .subject = &(struct cert_subject){.common_name = "Mallory"},
                                       .names = &names,
                                       .serial = {1},
                                       .not_before = clock_seconds() - 60,
                                       .not_after = clock_seconds() + 86400},
                  &der, &e) == 0);
        CHECK(certificate_parse(buf_span(&der), &leaf, &e) == 0);
        struct chain c = {
            {leaf, ca_issuing(ca)->certificate},
            2
        };
        write_chain(ca, &c);
        if (openssl_accepts(cases[i].purpose, "") != cases[i].fine)
            fail_with_output(__LINE__, "openssl verify");
        if (gnutls_accepts("") != cases[i].fine)
            fail_with_output(__LINE__, "certtool --verify");
        certificate_free(leaf);
        cert_names_done(&names);
        EVP_PKEY_free(key);
    }
    unit_case(NULL);
    ca_close(ca);
    end();
}

TEST(openssl_believes_the_crl)
{
    struct ca_status status;
    struct ca *ca;
    struct chain a = CHAIN_NONE, b = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    struct buf der BUF_AUTO = BUF(65536), again BUF_AUTO = BUF(65536), pem BUF_AUTO = BUF(65536);
    struct err e = {""};

    begin("P-256");
    ca = made_ca();
    REQUIRE(ask(ca, &(struct asked){PROFILE_SERVER, "a", "a.example.org", 0, NULL}, &a, sa, &e) ==
            0);
    REQUIRE(ask(ca, &(struct asked){PROFILE_SERVER, "b", "b.example.org", 0, NULL}, &b, sb, &e) ==
            0);
    EXPECT_INT(ca_crl(ca, 0, &der, &e), 0); /* kept; must not hide the revocation */
    EXPECT(ca_status(ca, sa, &status, &e) == 0 && !status.revoked);
    EXPECT_INT(ca_revoke(ca, sa, CRL_KEY_COMPROMISE, &e), 0);
    EXPECT(ca_status(ca, sa, &status, &e) == 0 && status.revoked &&
           status.reason == CRL_KEY_COMPROMISE);
    EXPECT_INT(ca_status(ca, "00ff", &status, &e), -ENOENT);
    EXPECT_INT(ca_revoke(ca, sa, CRL_SUPERSEDED, &e), -EALREADY);
    EXPECT_INT(ca_revoke(ca, "00ff", CRL_SUPERSEDED, &e), -ENOENT);
    buf_clear(&der);
    EXPECT_INT(ca_crl(ca, 0, &der, &e), 0);
    EXPECT_INT(ca_crl(ca, 0, &again, &e), 0);
    EXPECT_SPAN(buf_span(&again), buf_span(&der));
    EXPECT_INT(ca_crl(ca, 77, &again, &e), -ENOENT);
    pem_write("X509 CRL", buf_span(&der), &pem);
    CHECK(file_write(AT_FDCWD, in_folder("crl.pem"), buf_span(&pem), 0644, &e) == 0);
    write_chain(ca, &b);
    if (!openssl_accepts("sslserver", "-crl_check -CRLfile crl.pem"))
        fail_with_output(__LINE__, "openssl verify -crl_check");
    write_chain(ca, &a);
    EXPECT(openssl_accepts("sslserver", ""));
    EXPECT(!openssl_accepts("sslserver", "-crl_check -CRLfile crl.pem"));
    EXPECT(run("openssl crl -in crl.pem -noout -text | grep -q 'Key Compromise'"));
    EXPECT(run("openssl crl -in crl.pem -noout -crlnumber | grep -q '=0x02$'"));
    chain_done(&a);
    chain_done(&b);
    ca_close(ca);
    end();
}

/* --- the CA itself */

TEST(ca_is_made_once)
{
    struct ca *ca;
    struct ca_settings s;
    struct err e = {""};
    char root[65], issuing[65];

    begin("P-256");
    set(&s, NULL, NULL);
    ca = open_ca();
    EXPECT(!ca_ready(ca) && !ca_root(ca) && !ca_issuing(ca));
    keys_locked = true; /* keyd is away in the middle */
    EXPECT_INT(ca_ensure(ca, &s, &e), -ENOKEY);
    EXPECT(!ca_ready(ca));
    EXPECT_INT(key_count, 1);
    keys_locked = false;
    ca_close(ca);
    ca = open_ca();
    EXPECT_INT(ca_ensure(ca, &s, &e), 0);
    EXPECT_INT(key_count, 2); /* the key of the first try was taken up */
    EXPECT(ca_ready(ca));
    EXPECT_STR(ca_root(ca)->certificate->common_name, "Example Organization Root CA 1");
    EXPECT_STR(ca_issuing(ca)->certificate->issuer, ca_root(ca)->certificate->subject);
    EXPECT(permitted_complete(&ca_issuing(ca)->certificate->permitted));
    memcpy(root, ca_root(ca)->certificate->sha256, 65);
    memcpy(issuing, ca_issuing(ca)->certificate->sha256, 65);
    ca_close(ca);
    ca = open_ca();
    EXPECT_INT(ca_ensure(ca, &s, &e), 0);
    EXPECT_STR(ca_root(ca)->certificate->sha256, root);
    EXPECT_STR(ca_issuing(ca)->certificate->sha256, issuing);
    EXPECT(offloaded > 0);
    ca_settings_done(&s);
    ca_close(ca);
    end();
}

TEST(ca_takes_a_new_key_where_the_old_one_does_not_do)
{
    struct ca *ca;
    struct ca_settings s;
    struct err e = {""};

    begin("P-256");
    set(&s, NULL, NULL);
    ca = open_ca();
    keys_refused = 1;
    EXPECT_INT(ca_ensure(ca, &s, &e), 0);
    EXPECT_INT(key_count, 3);
    EXPECT_STR(ca_root(ca)->key_id, "1");
    ca_close(ca);
    end();
    begin("P-256");
    ca = open_ca();
    keys_refused = 2;
    EXPECT_INT(ca_ensure(ca, &s, &e), -EKEYREJECTED);
    EXPECT(!ca_ready(ca));
    ca_close(ca);
    ca_settings_done(&s);
    end();
}

TEST(ca_follows_the_configuration)
{
    struct ca *ca;
    struct ca_settings narrow, wide, other;
    struct chain c = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX];
    struct buf crl BUF_AUTO = BUF(65536);
    struct err e = {""};
    int64_t first;

    begin("P-256");
    set(&narrow, "mail.example.org", "192.0.2.0/24");
    set(&wide, NULL, NULL);
    set(&other, "example.net", NULL);
    ca = open_ca();
    EXPECT_INT(ca_ensure(ca, &narrow, &e), 0);
    first = ca_issuing(ca)->id;
    EXPECT(permitted_covers(&ca_root(ca)->certificate->permitted,
                            &ca_issuing(ca)->certificate->permitted));
    EXPECT_INT(ask(ca, &(struct asked){PROFILE_SERVER, "a", "mail.example.org 192.0.2.9", 0, NULL},
                   &c, serial, &e),
               0);
    chain_done(&c);
    EXPECT_INT(
        ask(ca, &(struct asked){PROFILE_SERVER, "a", "www.example.org", 0, NULL}, &c, serial, &e),
        -EPERM);
    EXPECT(strstr(e.text, "ca_dns"));
    EXPECT_INT(ca_ensure(ca, &wide, &e), 0); /* within the root's bounds: a second issuing CA */
    EXPECT(ca_issuing(ca)->id != first);
    EXPECT_STR(ca_issuing(ca)->certificate->common_name, "Example Organization Issuing CA 2");
    EXPECT_INT(
        ask(ca, &(struct asked){PROFILE_SERVER, "a", "www.example.org", 0, NULL}, &c, serial, &e),
        0);
    chain_done(&c);
    EXPECT_INT(ca_crl(ca, first, &crl, &e), 0); /* the retired one still answers for what it made */
    first = ca_issuing(ca)->id;
    EXPECT_INT(ca_ensure(ca, &other, &e), -EPERM);
    EXPECT(strstr(e.text, "root CA"));
    EXPECT(ca_ready(ca) && ca_issuing(ca)->id == first);
    ca_close(ca);
    ca = open_ca();
    EXPECT_INT(ca_issuing(ca)->id, first);
    ca_close(ca);
    ca_settings_done(&narrow);
    ca_settings_done(&wide);
    ca_settings_done(&other);
    end();
}

TEST(ca_replaces_an_old_issuing_ca)
{
    struct ca *ca;
    struct ca_settings s;
    struct chain c = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    int64_t first, now = clock_seconds();

    begin("P-256");
    set(&s, NULL, NULL);
    ca = open_ca();
    EXPECT_INT(ca_ensure(ca, &s, &e), 0);
    first = ca_issuing(ca)->id;
    clock_fake((now + INT64_C(1700) * 86400) * 1000);
    REQUIRE(ask(ca, &(struct asked){PROFILE_ACCOUNT, "a", "a@example.org", 0, NULL}, &c, serial,
                &e) == 0);
    EXPECT_INT(c.v[0]->not_after, ca_issuing(ca)->certificate->not_after); /* never outlives */
    chain_done(&c);
    EXPECT_INT(ca_ensure(ca, &s, &e), 0);
    EXPECT(ca_issuing(ca)->id != first);
    clock_fake((now + INT64_C(3651) * 86400) * 1000);
    EXPECT(ask(ca, &(struct asked){PROFILE_SERVER, "a", "a.example.org", 0, NULL}, &c, serial, &e) <
           0);
    ca_settings_done(&s);
    ca_close(ca);
    end();
}

/* Who reads the common name as a host's or a mailbox sees what was permitted, or nothing. */
TEST(common_names)
{
    static const struct {
        enum profile_id profile;
        const char *cn, *names, *want;
    } cases[] = {
        {PROFILE_SERVER,  "evil.example.com", "a.example.org",   ""              },
        {PROFILE_ACCOUNT, "evil.example.com", "a@example.org",   ""              },
        {PROFILE_ACCOUNT, "b@example.org",    "a@example.org",   ""              },
        {PROFILE_ACCOUNT, "a@example.org",    "a@example.org",   "a@example.org" },
        {PROFILE_SERVER,  "A.example.org",    "a.example.org",   "A.example.org" },
        {PROFILE_SERVER,  " b.example.org",   "a.example.org",   ""              },
        {PROFILE_SERVER,  "127.0.0.2",        "127.0.0.1",       ""              },
        {PROFILE_CODE,    "Build 7 of Ann",   "ann@example.org", "Build 7 of Ann"},
    };
    struct ca *ca;
    struct chain c = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};

    begin("P-256");
    ca = made_ca();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unit_case(cases[i].cn);
        if (ask(ca, &(struct asked){cases[i].profile, cases[i].cn, cases[i].names, 0, NULL}, &c,
                serial, &e) < 0)
            unit_fail(__FILE__, __LINE__, "%s", e.text);
        else
            EXPECT_STR(c.v[0]->common_name, cases[i].want);
        chain_done(&c);
    }
    ca_close(ca);
    end();
}

TEST(ca_refusals)
{
    static const struct {
        const char *name;
        enum profile_id profile;
        const char *names;
        unsigned days;
        int want;
        const char *says;
    } cases[] = {
        {"foreign domain",        PROFILE_SERVER,   "mail.example.com",    0,   -EPERM,  "ca_dns"         },
        {"foreign address",       PROFILE_SERVER,   "localhost 192.0.2.1", 0,   -EPERM,  "ca_ip"          },
        {"foreign mailbox",       PROFILE_SMIME,    "bob@example.com",     0,   -EPERM,  "local_domains"  },
        {"a suffix is no domain", PROFILE_SERVER,   "evilexample.org",     0,   -EPERM,  "evilexample.org"},
        {"too long",              PROFILE_SERVER,   "a.example.org",       399, -EINVAL, "398"            },
        {"a CA",                  PROFILE_ISSUING,  "a.example.org",       0,   -EINVAL, "ca request"     },
        {"a root",                PROFILE_ROOT,     "a.example.org",       0,   -EINVAL, "ca request"     },
        {"no name",               PROFILE_SERVER,   "",                    0,   -EINVAL, "at least one"   },
        {"wrong kind",            PROFILE_SERVER,   "bob@example.org",     0,   -EINVAL, "no place"       },
        {"evidence",              PROFILE_EVIDENCE, "www.example.org",     0,   -EPERM,  "forgotten"      },
    };
    struct ca *ca;
    struct chain c = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e;

    begin("P-256");
    ca = made_ca();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unit_case(cases[i].name);
        e.text[0] = '\0';
        EXPECT_INT(ask(ca,
                       &(struct asked){cases[i].profile, "x", cases[i].names, cases[i].days, NULL},
                       &c, serial, &e),
                   cases[i].want);
        if (!strstr(e.text, cases[i].says))
            unit_fail(__FILE__, __LINE__, "the sentence is <%s>", e.text);
    }
    unit_case("the CA's own key");
    EXPECT_INT(ask(ca, &(struct asked){PROFILE_SERVER, "x", "a.example.org", 0, keys[1].key}, &c,
                   serial, &e),
               -EINVAL);
    unit_case("keyd is away");
    keys_locked = true;
    EXPECT_INT(
        ask(ca, &(struct asked){PROFILE_SERVER, "x", "a.example.org", 0, NULL}, &c, serial, &e),
        -ENOKEY);
    ca_close(ca);
    end();
}

TEST(ca_answers_the_same_question_once)
{
    struct ca *ca;
    EVP_PKEY *key;
    struct chain a = CHAIN_NONE, b = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    int64_t now = clock_seconds();

    begin("P-256");
    key = new_key();
    ca = made_ca();
    REQUIRE(ask(ca, &(struct asked){PROFILE_SERVER, "a", "a.example.org", 0, key}, &a, sa, &e) ==
            0);
    EXPECT(a.v[0]->not_after - a.v[0]->not_before == 90 * 86400 + 300);
    REQUIRE(ask(ca, &(struct asked){PROFILE_SERVER, "a", "a.example.org", 0, key}, &b, sb, &e) ==
            0);
    EXPECT_STR(sb, sa);
    chain_done(&b);
    REQUIRE(ask(ca, &(struct asked){PROFILE_SERVER, "a", "b.example.org", 0, key}, &b, sb, &e) ==
            0);
    EXPECT(strcmp(sa, sb) != 0);
    chain_done(&b);
    clock_fake((now + 7200) * 1000);
    REQUIRE(ask(ca, &(struct asked){PROFILE_SERVER, "a", "b.example.org", 0, key}, &b, sa, &e) ==
            0);
    EXPECT(strcmp(sa, sb) != 0);
    chain_done(&b);
    EXPECT_INT(ca_revoke(ca, sa, CRL_KEY_COMPROMISE, &e), 0);
    EXPECT_INT(ask(ca, &(struct asked){PROFILE_SERVER, "a", "c.example.org", 0, key}, &b, sa, &e),
               -EKEYREVOKED);
    chain_done(&a);
    EVP_PKEY_free(key);
    ca_close(ca);
    end();
}

TEST(register_is_told_in_json)
{
    struct ca *ca;
    struct chain c = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX] = "", last[CERTIFICATE_SERIAL_MAX] = "", name[40];
    struct buf json BUF_AUTO = BUF(65536);
    struct err e = {""};
    unsigned pages = 0, seen = 0;
    int64_t after = 0;

    begin("P-256");
    ca = made_ca();
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "n%d.example.org", i);
        REQUIRE(ask(ca, &(struct asked){PROFILE_SERVER, name, name, 0, NULL}, &c, serial, &e) == 0);
        chain_done(&c);
        if (i == 0)
            memcpy(last, serial, sizeof(last));
    }
    do { /* every certificate on exactly one page */
        const char *next;
        buf_clear(&json);
        REQUIRE(ca_list(ca, &(struct ca_search){CA_LIST_ALL, after, "", "", 0}, 4000, &json, &e) ==
                0);
        EXPECT(json.n <= 4000);
        for (const char *p = buf_cstr(&json); (p = strstr(p, "\"issuer_id\"")) != NULL; p++)
            seen++;
        next = strstr(buf_cstr(&json), "\"next\":");
        after = next ? strtoll(next + 7, NULL, 10) : 0;
        pages++;
    } while (after && pages < 30);
    EXPECT_INT(seen, 20);
    EXPECT(pages > 2);
    EXPECT_INT(ca_revoke(ca, last, CRL_SUPERSEDED, &e), 0);
    buf_clear(&json);
    EXPECT_INT(ca_list(ca, &(struct ca_search){CA_LIST_REVOKED, 0, "", "", 0}, 60000, &json, &e),
               0);
    EXPECT(strstr(buf_cstr(&json), last) && !strstr(buf_cstr(&json), serial));
    buf_clear(&json);
    EXPECT_INT(ca_show(ca, last, &json, &e), 0);
    EXPECT(strstr(buf_cstr(&json), "\"reason\":\"superseded\"") &&
           strstr(buf_cstr(&json), "BEGIN CERTIFICATE"));
    EXPECT_INT(ca_show(ca, "12", &json, &e), -ENOENT);
    buf_clear(&json);
    EXPECT_INT(ca_info(ca, &json, &e), 0);
    EXPECT(strstr(buf_cstr(&json), "\"valid\":19,\"revoked\":1,\"expired\":0"));
    ca_close(ca);
    end();
}

TEST(register_damaged_or_foreign)
{
    struct ca *ca = NULL;
    struct err e = {""};

    begin("P-256");
    CHECK(file_write(AT_FDCWD, in_folder("register.db"), SPAN("this is no database at all, is it?"),
                     0600, &e) == 0);
    EXPECT(ca_open(in_folder("register.db"), &hooks, &ca, &e) < 0);
    EXPECT(strstr(e.text, "register"));
    EXPECT(ca_open(in_folder("missing/register.db"), &hooks, &ca, &e) < 0);
    end();
}

TEST(settings)
{
    struct ca_settings s;
    struct err e = {""};
    const char *bad_dns = "*.example.org", *bad_ip = "10.0.0.1/8", *dotted = ".Sub.Example.org";
    struct conf c = {.domain = "example.org",
                     .hostname = "host.example.net",
                     .organization = "abcdeÄrzte-Ärzte-Ärzte-Ärzte-Ärzte-Ärzte-Ärzte-Ärzte-Ärzte"};
    struct buf text BUF_AUTO = BUF(4096);
    const char *many[500];
    char texts[500][24];

    REQUIRE(ca_settings_init(&s, &c, &e) == 0);
    permitted_print(&s.issuing, &text);
    EXPECT_STR(buf_cstr(&text),
               "localhost, host.example.net, example.org, @example.org, 127.0.0.1/32, ::1/128");
    EXPECT(permitted_covers(&s.root, &s.issuing) && permitted_covers(&s.issuing, &s.root));
    EXPECT_INT(strlen(s.organization), 47); /* 48 would cut a letter in two */
    ca_settings_done(&s);
    c.ca_dns = (struct conf_strings){&dotted, 1};
    REQUIRE(ca_settings_init(&s, &c, &e) == 0);
    buf_clear(&text);
    permitted_print(&s.issuing, &text);
    EXPECT_STR(buf_cstr(&text),
               "localhost, host.example.net, sub.example.org, @example.org, 127.0.0.1/32, ::1/128");
    EXPECT(permitted_covers(&s.root, &s.issuing) && !permitted_covers(&s.issuing, &s.root));
    ca_settings_done(&s);
    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(texts[i], sizeof(texts[i]), "d%u.example", i);
        many[i] = texts[i];
    }
    c.ca_dns = c.local_domains = (struct conf_strings){many, ARRAY_LEN(many)};
    log_set_level(LOG_LEVEL_ERROR);
    REQUIRE(ca_settings_init(&s, &c, &e) == 0); /* more than there is room for: the first of them */
    EXPECT_INT(s.issuing.dns.n, CERT_NAMES_MAX);
    EXPECT_INT(s.issuing.email.n, CERT_NAMES_MAX);
    EXPECT(permitted_covers(&s.root, &s.issuing) && permitted_complete(&s.issuing));
    ca_settings_done(&s);
    c.local_domains.n = 0;
    c.ca_dns = (struct conf_strings){&bad_dns, 1};
    EXPECT_INT(ca_settings_init(&s, &c, &e), -EINVAL);
    EXPECT(strstr(e.text, "ca_dns"));
    c.ca_dns.n = 0;
    c.ca_ip = (struct conf_strings){&bad_ip, 1};
    EXPECT_INT(ca_settings_init(&s, &c, &e), -EINVAL);
    EXPECT(strstr(e.text, "ca_ip"));
}
