#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ca/ca.h"
#include "pki/chain.h"
#include "pki/issue.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- keys of this process in the place of keyd
 * ------------------------------------------------------------------------ */

static struct {
    char label[64];
    EVP_PKEY *key;
} keys[32];
static size_t key_count;
static const char *key_type = "P-256";
static bool keys_locked; /* nothing signs: as if keyd were away */
static unsigned offloaded;

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *k = strcmp(key_type, "RSA") == 0       ? EVP_RSA_gen(2048)
                  : strcmp(key_type, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                                     : EVP_EC_gen(key_type);
    CHECK(k);
    return k;
}

static size_t spki_of(EVP_PKEY *k, unsigned char *out, size_t size)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k, &der);

    CHECK(n > 0 && (size_t)n <= size);
    memcpy(out, der, (size_t)n);
    OPENSSL_free(der);
    return (size_t)n;
}

static unsigned keys_refused; /* so many signatures fail: the key is held to another name */

static int key_make(void *arg, const struct ca_key_plan *plan, struct ca_key *ret, struct err *e)
{
    size_t i = 0;

    EXPECT(plan->name.n > 0 && plan->root == (strncmp(plan->label, "ca/root", 7) == 0));
    while (i < key_count && (plan->fresh || strcmp(keys[i].label, plan->label) != 0))
        i++;
    CHECK(i < ARRAY_LEN(keys));
    if (i == key_count) {
        snprintf(keys[i].label, sizeof(keys[i].label), "%s", plan->label);
        keys[key_count++].key = new_key();
    }
    snprintf(ret->id, sizeof(ret->id), "%zu", i);
    ret->spki_bytes = spki_of(keys[i].key, ret->spki, sizeof(ret->spki));
    return 0;
}

static EVP_PKEY *key_signer(void *arg, const char *id, enum ca_key_use use, struct span spki)
{
    unsigned char own[1024];
    size_t i = strtoul(id, NULL, 10);

    if (keys_locked || i >= key_count)
        return NULL;
    EXPECT_SPAN(spki, span_of(own, spki_of(keys[i].key, own, sizeof(own))));
    if (keys_refused > 0) { /* a public key alone cannot sign */
        const unsigned char *at = own;
        keys_refused--;
        return d2i_PUBKEY(NULL, &at, (long)spki.n);
    }
    EVP_PKEY_up_ref(keys[i].key);
    return keys[i].key;
}

static void offload(void (*work)(void *), void *arg)
{
    offloaded++;
    work(arg);
}

static const struct ca_hooks hooks = {key_make, key_signer, offload, NULL};

/* --- a folder, a configuration, a CA
 * ----------------------------------------------------------------------------------- */

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    return remove(path);
}

static void begin(const char *type)
{
    key_type = type;
    keys_locked = false;
    snprintf(folder, sizeof(folder), "/tmp/sealpost-ca-XXXXXX");
    CHECK(mkdtemp(folder));
}

static void end(void)
{
    while (key_count > 0)
        EVP_PKEY_free(keys[--key_count].key);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    clock_fake(0);
}

static const char *in_folder(const char *name)
{
    static char texts[4][128];
    static unsigned turn;
    char *out = texts[turn++ % 4];

    snprintf(out, sizeof(texts[0]), "%s/%s", folder, name);
    return out;
}

static struct ca *open_ca(void)
{
    struct ca *ca = NULL;
    struct err e;

    if (ca_open(in_folder("register.db"), &hooks, &ca, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    CHECK(ca);
    return ca;
}

static void set(struct ca_settings *s, const char *more_dns, const char *more_ip)
{
    struct err e = {""};
    const char *domains[] = {"example.org", more_dns};
    struct conf c = {
        .domain = "example.org",
        .local_domains = {domains,   more_dns && !more_ip ? 2 : 1},
        .hostname = "mail.example.org",
        .organization = "Example Organization",
        .ca_dns = {&more_dns, more_ip ? 1 : 0             },
        .ca_ip = {&more_ip,  more_ip ? 1 : 0             },
        .cert_days = 90,
        .ca_days = 1825,
        .root_days = 3650
    };

    if (ca_settings_init(s, &c, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
}

static struct ca *made_ca(void)
{
    struct ca *ca = open_ca();
    struct ca_settings s;
    struct err e = {""};

    set(&s, NULL, NULL);
    if (ca_ensure(ca, &s, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    CHECK(ca_ready(ca));
    ca_settings_done(&s);
    return ca;
}

struct asked {
    enum profile_id profile;
    const char *cn, *names;
    unsigned days;
    EVP_PKEY *key; /* NULL: a new one */
};

static int ask(struct ca *ca, const struct asked *a, struct chain *ret,
               char serial[CERTIFICATE_SERIAL_MAX], struct err *e)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    struct buf bytes BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct span words = span_cstr(a->names), word;
    unsigned char spki[1024];
    EVP_PKEY *key = a->key;
    int rc;

    if (key)
        EVP_PKEY_up_ref(key);
    else
        key = new_key();
    while (span_split(&words, ' ', &word))
        CHECK(cert_names_add_any(&names, word) == 0);
    rc = ca_issue(ca,
                  &(struct ca_request){.profile = cert_profile_get(a->profile),
                                       .spki = span_of(spki, spki_of(key, spki, sizeof(spki))),
                                       .subject = {.common_name = a->cn},
                                       .names = &names,
                                       .days = a->days,
                                       .requester = "test"},
                  &bytes, serial, e);
    EVP_PKEY_free(key);
    cert_names_done(&names);
    if (rc == 0)
        CHECK(chain_parse(buf_span(&bytes), ret, e) == 0);
    return rc;
}

/* --- what we make, as others see it
 * -------------------------------------------------------------------------------------- */

static void write_pem(const char *name, struct certificate *c)
{
    struct buf pem BUF_AUTO = BUF(65536);
    struct err e;

    pem_write("CERTIFICATE", certificate_der(c), &pem);
    CHECK(file_write(AT_FDCWD, in_folder(name), buf_span(&pem), 0644, &e) == 0);
}

/* Does the command say yes? Its output goes to out.txt. */
static bool run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool run(const char *fmt, ...)
{
    char command[1000], whole[1200];
    va_list ap;
    int status;

    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    snprintf(whole, sizeof(whole), "cd %s && { %s; } >out.txt 2>&1", folder, command);
    status = system(whole);
    if (WEXITSTATUS(status) == 127)
        unit_fail(__FILE__, __LINE__, "cannot run: %s (install openssl and gnutls-bin)", command);
    return status == 0;
}

static void fail_with_output(int line, const char *what)
{
    struct buf text BUF_AUTO = BUF(65536);
    struct err e;

    file_read(AT_FDCWD, in_folder("out.txt"), 65536, &text, &e);
    unit_fail(__FILE__, line, "%s:\n%.*s", what, SPAN_ARG(buf_span(&text)));
}

static void write_chain(struct ca *ca, const struct chain *c)
{
    write_pem("root.pem", ca_root(ca)->certificate);
    write_pem("issuing.pem", c->v[1]);
    write_pem("leaf.pem", c->v[0]);
    CHECK(run("cat leaf.pem issuing.pem >chain.pem"));
}

/* openssl and GnuTLS, each with the check of the profile's purpose and name. */
static bool openssl_accepts(const char *purpose, const char *check)
{
    return run("openssl verify -x509_strict -purpose %s %s -CAfile root.pem -untrusted issuing.pem "
               "leaf.pem",
               purpose, check);
}

static bool gnutls_accepts(const char *check)
{
    return run("certtool --verify --load-ca-certificate root.pem --verify-profile medium %s "
               "--infile chain.pem && "
               "! grep -i 'not verified\\|not trusted' out.txt",
               check);
}

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
        if (ask(ca, &(struct asked){foreign[i].profile, "Some One", foreign[i].names, 0, NULL}, &c,
                serial, &e) < 0) {
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

/* --- the CA itself
 * ----------------------------------------------------------------------------------------------------------
 */

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
        {"foreign domain",        PROFILE_SERVER,  "mail.example.com",    0,   -EPERM,  "ca_dns"         },
        {"foreign address",       PROFILE_SERVER,  "localhost 192.0.2.1", 0,   -EPERM,  "ca_ip"          },
        {"foreign mailbox",       PROFILE_SMIME,   "bob@example.com",     0,   -EPERM,  "local_domains"  },
        {"a suffix is no domain", PROFILE_SERVER,  "evilexample.org",     0,   -EPERM,  "evilexample.org"},
        {"too long",              PROFILE_SERVER,  "a.example.org",       399, -EINVAL, "398"            },
        {"a CA",                  PROFILE_ISSUING, "a.example.org",       0,   -EINVAL, "subordinate"    },
        {"a root",                PROFILE_ROOT,    "a.example.org",       0,   -EINVAL, "subordinate"    },
        {"no name",               PROFILE_SERVER,  "",                    0,   -EINVAL, "at least one"   },
        {"wrong kind",            PROFILE_SERVER,  "bob@example.org",     0,   -EINVAL, "no place"       },
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
        REQUIRE(ca_list(ca, CA_LIST_ALL, after, 4000, &json, &e) == 0);
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
    EXPECT_INT(ca_list(ca, CA_LIST_REVOKED, 0, 60000, &json, &e), 0);
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
