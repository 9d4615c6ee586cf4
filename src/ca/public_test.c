/* What the CA has for everybody, as openssl and GnuTLS understand it. */
#include "ca/world_test.h"
#include "pki/ocsp.h"

#include <sqlite3.h>

#define URL "http://mail.example.org:8080"

static struct ca *public_ca(bool delta)
{
    struct ca *ca = open_ca();
    struct ca_settings s;
    struct err e = {""};

    set(&s, NULL, NULL);
    snprintf(s.url, sizeof(s.url), URL);
    s.crl_delta = delta;
    if (ca_ensure(ca, &s, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    CHECK(ca_ready(ca));
    ca_settings_done(&s);
    return ca;
}

static void issue(struct ca *ca, const char *name, struct chain *ret,
                  char serial[CERTIFICATE_SERIAL_MAX])
{
    struct err e = {""};

    if (ask(ca, &(struct asked){PROFILE_SERVER, name, name, 0, NULL}, ret, serial, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s: %s", name, e.text);
}

/* As the HTTP server hands it out; into the folder. */
static int fetch(struct ca *ca, const char *name)
{
    struct buf der BUF_AUTO = BUF(CA_FILE_MAX), pem BUF_AUTO = BUF(2 * CA_FILE_MAX);
    struct err e = {""};
    char path[80];
    int rc = ca_file(ca, span_cstr(name), &der, &e);

    if (rc < 0)
        return rc;
    pem_write(strstr(name, ".crt") ? "CERTIFICATE" : "X509 CRL", buf_span(&der), &pem);
    snprintf(path, sizeof(path), "%s.pem", name);
    CHECK(file_write(AT_FDCWD, in_folder(path), buf_span(&pem), 0644, &e) == 0);
    return 0;
}

static void take_back(struct ca *ca, const char *serial, enum crl_reason reason)
{
    struct err e = {""};

    if (ca_revoke(ca, serial, reason, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
}

/* In the output of the last command. */
static bool said(const char *what)
{
    struct buf text BUF_AUTO = BUF(65536);
    struct err e;

    CHECK(file_read(AT_FDCWD, in_folder("out.txt"), 65536, &text, &e) == 0);
    return strstr(buf_cstr(&text), what) != NULL;
}

/* --- certificates and lists */

TEST(certificates_name_where_their_state_is)
{
    struct chain c = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX];
    struct ca *ca;

    begin("P-256");
    ca = public_ca(true);
    issue(ca, "a.example.org", &c, serial);
    write_chain(ca, &c);
    EXPECT(run("openssl x509 -in leaf.pem -noout -text"));
    EXPECT(run("openssl x509 -in leaf.pem -noout -ocsp_uri | grep -qx " URL "/ocsp"));
    EXPECT(run("openssl x509 -in leaf.pem -noout -text | grep -q 'CA Issuers - URI:" URL
               "/ca/issuing-1.crt'"));
    EXPECT(run("openssl x509 -in leaf.pem -noout -ext crlDistributionPoints | grep -q " URL
               "/ca/issuing-1.crl$"));
    EXPECT(run("openssl x509 -in leaf.pem -noout -ext freshestCRL | grep -q " URL
               "/ca/issuing-1-delta.crl$"));
    EXPECT(run("openssl x509 -in issuing.pem -noout -ext crlDistributionPoints | grep -q " URL
               "/ca/root-1.crl$"));
    chain_done(&c);
    ca_close(ca);
    ca = NULL;
    end();
    /* nobody could fetch it: no address */
    begin("P-256");
    ca = made_ca();
    issue(ca, "a.example.org", &c, serial);
    write_chain(ca, &c);
    EXPECT(!run("openssl x509 -in leaf.pem -noout -text | grep -q http"));
    chain_done(&c);
    ca_close(ca);
    end();
}

TEST(names_of_files)
{
    static const struct {
        const char *name;
        int want;
    } cases[] = {
        {"root-1.crt",                         0      },
        {"root-1.crl",                         0      },
        {"issuing-1.crt",                      0      },
        {"issuing-1.crl",                      0      },
        {"issuing-1-delta.crl",                -ENOENT}, /* there are none */
        {"issuing-1-1.crl",                    -ENOENT},
        {"issuing-1-0.crl",                    -ENOENT},
        {"issuing-1-01.crl",                   -ENOENT},
        {"issuing-1-1.crt",                    -ENOENT},
        {"issuing-2.crl",                      -ENOENT},
        {"issuing-10.crl",                     -ENOENT},
        {"issuing-1",                          -ENOENT},
        {".crl",                               -ENOENT},
        {"",                                   -ENOENT},
        {"issuing-1-99999999999999999999.crl", -ENOENT},
        {"../register.db",                     -ENOENT},
    };
    struct ca *ca;

    begin("P-256");
    ca = public_ca(false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unit_case(cases[i].name);
        EXPECT_INT(fetch(ca, cases[i].name), cases[i].want);
    }
    unit_case(NULL);
    ca_close(ca);
    end();
}

TEST(whole_chain_is_checked_with_both_lists)
{
    struct chain a = CHAIN_NONE, b = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    struct ca *ca;

    begin("P-256");
    ca = public_ca(false);
    issue(ca, "a.example.org", &a, sa);
    issue(ca, "b.example.org", &b, sb);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    take_back(ca, sa, CRL_SUPERSEDED);
    EXPECT_INT(fetch(ca, "root-1.crl"), 0);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    CHECK(run("cat root-1.crl.pem issuing-1.crl.pem >all.crl"));
    write_chain(ca, &b);
    if (!openssl_accepts("sslserver", "-crl_check_all -CRLfile all.crl"))
        fail_with_output(__LINE__, "openssl verify -crl_check_all");
    if (!run("certtool --verify --load-ca-certificate root.pem --load-crl all.crl --infile "
             "chain.pem"))
        fail_with_output(__LINE__, "certtool --load-crl");
    write_chain(ca, &a);
    EXPECT(!openssl_accepts("sslserver", "-crl_check_all -CRLfile all.crl"));
    EXPECT(said("certificate revoked"));
    EXPECT(run("certtool --verify-crl --load-ca-certificate issuing.pem --infile "
               "issuing-1.crl.pem"));
    EXPECT(!run("certtool --verify --load-ca-certificate root.pem --load-crl all.crl --infile "
                "chain.pem"));
    chain_done(&a);
    chain_done(&b);
    ca_close(ca);
    end();
}

static bool number_is(const char *file, const char *hex)
{
    return run("openssl crl -in %s.pem -noout -crlnumber | grep -q '=0x0*%s$'", file, hex);
}

TEST(lists_are_kept_and_made_anew_in_time)
{
    struct chain a = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX];
    int64_t now = clock_seconds();
    struct err e = {""};
    struct ca *ca;

    begin("P-256");
    ca = public_ca(false);
    issue(ca, "a.example.org", &a, sa);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(number_is("issuing-1.crl", "1"));
    ca_close(ca);
    ca = public_ca(false); /* a new start signs nothing anew */
    keys_locked = true;
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(number_is("issuing-1.crl", "1"));
    keys_locked = false;
    EXPECT_INT(ca_crl_refresh(ca, &e), 0);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(number_is("issuing-1.crl", "1"));
    clock_fake((now + 23 * 3600) * 1000);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(number_is("issuing-1.crl", "1"));
    clock_fake((now + 25 * 3600) * 1000);
    EXPECT_INT(ca_crl_refresh(ca, &e), 0);
    keys_locked = true; /* it was the refresh that made it */
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(number_is("issuing-1.crl", "2"));
    /* with the key away the last one goes on until it ends */
    clock_fake((now + 80 * 3600) * 1000);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(number_is("issuing-1.crl", "2"));
    clock_fake((now + 130 * 3600) * 1000);
    EXPECT(fetch(ca, "issuing-1.crl") < 0);
    chain_done(&a);
    ca_close(ca);
    end();
}

TEST(a_hold_ends)
{
    struct chain a = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    struct ca *ca;

    begin("P-256");
    ca = public_ca(true);
    issue(ca, "a.example.org", &a, sa);
    EXPECT_INT(ca_unhold(ca, sa, &e), -EALREADY);
    EXPECT_INT(ca_unhold(ca, "00ff", &e), -ENOENT);
    take_back(ca, sa, CRL_HOLD);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT_INT(fetch(ca, "issuing-1-delta.crl"), 0);
    EXPECT(run("openssl crl -in issuing-1.crl.pem -noout -text | grep -q 'Certificate Hold'"));
    EXPECT_INT(ca_unhold(ca, sa, &e), 0);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(run("openssl crl -in issuing-1.crl.pem -noout -text | grep -q 'No Revoked'"));
    EXPECT_INT(fetch(ca, "issuing-1-delta.crl"), 0);
    EXPECT(run("openssl crl -in issuing-1-delta.crl.pem -noout -text | grep -q 'Remove From CRL'"));
    take_back(ca, sa, CRL_KEY_COMPROMISE);
    EXPECT_INT(ca_unhold(ca, sa, &e), -EALREADY);
    EXPECT(strstr(e.text, "final") != NULL);
    chain_done(&a);
    ca_close(ca);
    end();
}

TEST(deltas)
{
    struct chain a = CHAIN_NONE, b = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    int64_t now = clock_seconds();
    struct ca *ca;

    begin("P-256");
    ca = public_ca(true);
    issue(ca, "a.example.org", &a, sa);
    issue(ca, "b.example.org", &b, sb);
    take_back(ca, sa, CRL_SUPERSEDED);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT_INT(fetch(ca, "issuing-1-delta.crl"), 0);
    CHECK(run("cp issuing-1.crl.pem base.pem"));
    EXPECT(number_is("issuing-1.crl", "1") && number_is("issuing-1-delta.crl", "1"));
    take_back(ca, sb, CRL_KEY_COMPROMISE);
    EXPECT_INT(fetch(ca, "issuing-1-delta.crl"), 0);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(number_is("issuing-1.crl", "2") && number_is("issuing-1-delta.crl", "2"));
    EXPECT(run("openssl crl -in issuing-1-delta.crl.pem -noout -text >d.txt && grep -A1 'Delta CRL "
               "Indicator: critical' d.txt | grep -q ' 0*1$' && test $(grep -c 'Serial Number' "
               "d.txt) = 1 && grep -qi 'Serial Number: 0*%s' d.txt",
               sb));
    /* who has only the base and the delta knows of b */
    CHECK(run("cat base.pem issuing-1-delta.crl.pem >all.crl"));
    write_chain(ca, &b);
    EXPECT(openssl_accepts("sslserver", "-crl_check -CRLfile base.pem"));
    EXPECT(!openssl_accepts("sslserver", "-crl_check -extended_crl -use_deltas -CRLfile all.crl"));
    EXPECT(said("certificate revoked"));
    /* a day later the next regular list is the base */
    clock_fake((now + 25 * 3600) * 1000);
    EXPECT_INT(fetch(ca, "issuing-1-delta.crl"), 0);
    EXPECT(run("openssl crl -in issuing-1-delta.crl.pem -noout -text >d.txt && grep -A1 'Delta CRL "
               "Indicator: critical' d.txt | grep -q ' 0*3$' && ! grep -q 'Serial Number' d.txt"));
    chain_done(&a);
    chain_done(&b);
    ca_close(ca);
    end();
}

TEST(lists_have_parts)
{
    struct chain first = CHAIN_NONE, last = CHAIN_NONE;
    char sf[CERTIFICATE_SERIAL_MAX], sl[CERTIFICATE_SERIAL_MAX];
    struct buf whole BUF_AUTO = BUF(1 << 20);
    struct register_part part;
    struct ca_register *reg = NULL;
    struct err e = {""};
    struct ca *ca;
    int64_t issuing;

    begin("P-256");
    ca = public_ca(false);
    issuing = ca_issuing(ca)->id;
    issue(ca, "a.example.org", &first, sf);
    ca_close(ca);
    REQUIRE(ca_register_open(in_folder("register.db"), &reg, &e) == 0);
    for (int i = 1; i < REGISTER_PART_MAX; i++) /* as if so many had been issued */
        REQUIRE(ca_register_part(reg, issuing, URL "/ca/issuing-1", &part, &e) == 0);
    EXPECT_INT(part.part, 0);
    ca_register_close(reg);
    ca = public_ca(false);
    issue(ca, "b.example.org", &last, sl);
    take_back(ca, sf, CRL_SUPERSEDED);
    take_back(ca, sl, CRL_SUPERSEDED);
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT_INT(fetch(ca, "issuing-1-1.crl"), 0);
    EXPECT_INT(fetch(ca, "issuing-1-2.crl"), -ENOENT);
    EXPECT(run("openssl crl -in issuing-1.crl.pem -noout -text >0.txt; openssl crl -in "
               "issuing-1-1.crl.pem -noout -text >1.txt; test $(grep -c 'Serial Number' 0.txt) = 1 "
               "&& test $(grep -c 'Serial Number' 1.txt) = 1 && grep -q "
               "'Issuing Distribution Point: critical' 1.txt"));
    CHECK(run("cat issuing-1.crl.pem issuing-1-1.crl.pem >all.crl"));
    write_chain(ca, &first);
    EXPECT(run("openssl x509 -in leaf.pem -noout -ext crlDistributionPoints | grep -q " URL
               "/ca/issuing-1.crl$"));
    EXPECT(!openssl_accepts("sslserver", "-crl_check -CRLfile issuing-1.crl.pem"));
    EXPECT(said("certificate revoked"));
    write_chain(ca, &last);
    EXPECT(run("openssl x509 -in leaf.pem -noout -ext crlDistributionPoints | grep -q " URL
               "/ca/issuing-1-1.crl$"));
    /* the other part says nothing about it: no CRL, rather than good */
    EXPECT(!openssl_accepts("sslserver", "-crl_check -CRLfile issuing-1.crl.pem"));
    EXPECT(!said("certificate revoked"));
    EXPECT(!openssl_accepts("sslserver", "-crl_check -CRLfile all.crl"));
    EXPECT(said("certificate revoked"));
    /* and all in one, for who asks for that */
    EXPECT_INT(ca_crl(ca, 0, &whole, &e), 0);
    CHECK(file_write(AT_FDCWD, in_folder("whole.der"), buf_span(&whole), 0644, &e) == 0);
    EXPECT(run("test $(openssl crl -inform DER -in whole.der -noout -text | grep -c 'Serial "
               "Number') = 2"));
    chain_done(&first);
    chain_done(&last);
    ca_close(ca);
    end();
}

/* --- OCSP */

static void answer_file(struct ca *ca)
{
    struct buf q BUF_AUTO = BUF(65536), a BUF_AUTO = BUF(OCSP_ANSWER_MAX);
    struct err e;

    CHECK(file_read(AT_FDCWD, in_folder("q.der"), 65536, &q, &e) == 0);
    ca_ocsp(ca, buf_span(&q), &a);
    EXPECT(a.n > 0);
    CHECK(file_write(AT_FDCWD, in_folder("a.der"), buf_span(&a), 0644, &e) == 0);
}

/* openssl's words for the state of leaf.pem, with its check of signature, nonce and dates. */
static bool state_is(struct ca *ca, const char *words, const char *digest, const char *nonce)
{
    CHECK(
        run("openssl ocsp -issuer issuing.pem %s -cert leaf.pem %s -reqout q.der", digest, nonce));
    answer_file(ca);
    return run("openssl ocsp -issuer issuing.pem -CAfile root.pem -verify_other issuing.pem -reqin "
               "q.der -respin a.der -resp_text >o.txt 2>&1; cat o.txt; grep -q 'Response verify "
               "OK' o.txt && grep -q 'Cert Status: %s' o.txt && ! grep -q 'Nonce Verify' o.txt",
               words);
}

static void ocsp_of(const char *type)
{
    struct chain a = CHAIN_NONE, b = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    struct ca *ca;

    begin(type);
    ca = public_ca(false);
    issue(ca, "a.example.org", &a, sa);
    issue(ca, "b.example.org", &b, sb);
    write_chain(ca, &a);
    if (!state_is(ca, "good", "", "-nonce"))
        fail_with_output(__LINE__, "openssl ocsp");
    EXPECT(run("grep -q 'OCSP Nonce' o.txt"));
    EXPECT(state_is(ca, "good", "", "-no_nonce"));
    keys_locked = true; /* the same question again: kept */
    EXPECT(state_is(ca, "good", "", "-no_nonce"));
    keys_locked = false;
    take_back(ca, sa, CRL_KEY_COMPROMISE);
    EXPECT(state_is(ca, "revoked", "", "-no_nonce")); /* what was kept does not hide it */
    EXPECT(run("grep -qi 'Reason: keyCompromise' o.txt"));
    write_chain(ca, &b);
    EXPECT(state_is(ca, "good", "-sha256", "-nonce"));
    take_back(ca, sb, CRL_HOLD);
    EXPECT(state_is(ca, "revoked", "", "-nonce"));
    EXPECT_INT(ca_unhold(ca, sb, &e), 0);
    EXPECT(state_is(ca, "good", "", "-no_nonce"));
    /* GnuTLS */
    CHECK(run("ocsptool --generate-request --load-issuer issuing.pem --load-cert leaf.pem "
              "--no-nonce --outfile q.der"));
    answer_file(ca);
    EXPECT(run("ocsptool --verify-response --load-response a.der --load-signer issuing.pem && "
               "ocsptool --response-info --load-response a.der | grep -q 'Certificate Status: "
               "good'"));
    chain_done(&a);
    chain_done(&b);
    ca_close(ca);
    end();
}

TEST(ocsp_p256)
{
    ocsp_of("P-256");
}

TEST(ocsp_ed25519)
{
    ocsp_of("ED25519");
}

TEST(ocsp_rsa)
{
    ocsp_of("RSA");
}

TEST(ocsp_unknown_and_refused)
{
    struct chain a = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX];
    struct buf q BUF_AUTO = BUF(65536), out BUF_AUTO = BUF(OCSP_ANSWER_MAX);
    struct err e = {""};
    struct ca *ca;

    begin("P-256");
    ca = public_ca(false);
    issue(ca, "a.example.org", &a, sa);
    write_chain(ca, &a);
    CHECK(run("openssl ocsp -issuer issuing.pem -serial 0x1234 -no_nonce -reqout q.der"));
    answer_file(ca);
    EXPECT(run("openssl ocsp -issuer issuing.pem -serial 0x1234 -CAfile root.pem -verify_other "
               "issuing.pem -respin a.der | grep -q '0x1234: unknown'"));
    /* of the issuing CA, by the root */
    CHECK(run("openssl ocsp -issuer root.pem -cert issuing.pem -no_nonce -reqout q.der"));
    answer_file(ca);
    EXPECT(run("openssl ocsp -issuer root.pem -cert issuing.pem -no_nonce -CAfile root.pem -respin "
               "a.der | "
               "grep -q 'issuing.pem: good'"));
    /* a foreign CA */
    CHECK(run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem "
              "-subj /CN=other -out other.pem -days 1"));
    CHECK(run("openssl ocsp -issuer other.pem -serial 1 -reqout q.der"));
    answer_file(ca);
    EXPECT(run("openssl ocsp -respin a.der -noverify 2>&1 | grep -q 'unauthorized (6)'"));
    /* too many at once: refused whole; as many as may be: answered */
    CHECK(run("openssl ocsp -issuer issuing.pem -serial 1 -serial 2 -serial 3 -serial 4 -serial 5 "
              "-serial 6 -serial 7 -serial 8 -reqout q.der"));
    answer_file(ca);
    EXPECT(run("test $(openssl ocsp -respin a.der -noverify -resp_text | grep -c 'Cert Status: "
               "unknown') = 8"));
    CHECK(run("openssl ocsp -issuer issuing.pem -serial 1 -serial 2 -serial 3 -serial 4 -serial 5 "
              "-serial 6 -serial 7 -serial 8 -serial 9 -reqout q.der"));
    answer_file(ca);
    EXPECT(run("openssl ocsp -respin a.der -noverify 2>&1 | grep -q 'malformedrequest (1)'"));
    /* the key is away */
    keys_locked = true;
    CHECK(run("openssl ocsp -issuer issuing.pem -cert leaf.pem -reqout q.der"));
    answer_file(ca);
    EXPECT(run("openssl ocsp -respin a.der -noverify 2>&1 | grep -q 'trylater (3)'"));
    keys_locked = false;
    /* cut and changed anywhere: an answer, whatever it is */
    CHECK(file_read(AT_FDCWD, in_folder("q.der"), 65536, &q, &e) == 0);
    for (size_t n = 0; n < q.n; n++) {
        buf_clear(&out);
        ca_ocsp(ca, span_head(buf_span(&q), n), &out);
        EXPECT_INT(out.n, 5); /* malformedRequest */
    }
    for (size_t n = 0; n < q.n; n++) {
        char old = q.p[n];
        q.p[n] = (char)(old ^ (1 + unit_random() % 255));
        buf_clear(&out);
        ca_ocsp(ca, buf_span(&q), &out);
        EXPECT(out.n >= 5);
        q.p[n] = old;
    }
    chain_done(&a);
    ca_close(ca);
    end();
}

/* --- a register of before */

/* As version 1 wrote it. */
static const char version_1[] =
    "CREATE TABLE ca(id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN ('root','issuing')),"
    " key_id TEXT NOT NULL, parent INTEGER REFERENCES ca(id),"
    " state TEXT NOT NULL CHECK(state IN ('active','retired','revoked')),"
    " subject TEXT NOT NULL, not_after INTEGER NOT NULL, crl_number INTEGER NOT NULL DEFAULT 0,"
    " der BLOB NOT NULL) STRICT;"
    "CREATE TABLE certificate(id INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE, subject TEXT "
    "NOT NULL, names TEXT NOT NULL, profile TEXT NOT NULL, issuer INTEGER NOT NULL REFERENCES "
    "ca(id), spki TEXT NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK(state IN ('issued','revoked')), revoked_at INTEGER NOT NULL "
    "DEFAULT 0, reason INTEGER NOT NULL DEFAULT 0, requester TEXT NOT NULL, issued_at INTEGER NOT "
    "NULL, der BLOB NOT NULL) STRICT;"
    "CREATE INDEX certificate_spki ON certificate(spki);"
    "CREATE INDEX certificate_state ON certificate(issuer, state);"
    "INSERT INTO ca SELECT id, kind, key_id, parent, state, subject, not_after, crl_number, der "
    "FROM "
    "new.ca; INSERT INTO certificate SELECT id, serial, subject, names, profile, issuer, spki,"
    " not_before, not_after, state, revoked_at, reason, requester, issued_at, der FROM "
    "new.certificate; DETACH new; PRAGMA user_version = 1;";

TEST(version_1_is_brought_up)
{
    struct chain a = CHAIN_NONE, b = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    struct ca_status status;
    struct err e = {""};
    struct ca *ca;
    sqlite3 *db = NULL;

    begin("P-256");
    ca = made_ca();
    issue(ca, "a.example.org", &a, sa);
    issue(ca, "b.example.org", &b, sb);
    take_back(ca, sa, CRL_SUPERSEDED);
    ca_close(ca);
    CHECK(run("mv register.db new.db"));
    CHECK(sqlite3_open(in_folder("register.db"), &db) == SQLITE_OK);
    char attach[200];
    snprintf(attach, sizeof(attach), "ATTACH '%s' AS new", in_folder("new.db"));
    CHECK(sqlite3_exec(db, attach, NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_exec(db, version_1, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 2; i++) { /* the second time it is of version 2 already */
        ca = public_ca(true);
        EXPECT(ca_status(ca, sa, &status, &e) == 0 && status.revoked);
        EXPECT(ca_status(ca, sb, &status, &e) == 0 && !status.revoked);
        write_chain(ca, &b);
        EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
        EXPECT(run("openssl crl -in issuing-1.crl.pem -noout -text >0.txt; test $(grep -c 'Serial "
                   "Number' 0.txt) = 1 && ! grep -q 'Issuing Distribution' 0.txt"));
        EXPECT(openssl_accepts("sslserver", "-crl_check -CRLfile issuing-1.crl.pem"));
        ca_close(ca);
    }
    chain_done(&a);
    chain_done(&b);
    end();
}

/* --- requests that wait */

static int wait_for(struct ca *ca, const char *message, struct err *e)
{
    return ca_wait(ca,
                   &(struct request_record){.requester = "bob",
                                            .profile = "smime",
                                            .subject = "CN=bob",
                                            .names = "bob@example.org"},
                   span_cstr(message), e);
}

TEST(requests_wait_for_an_officer)
{
    struct buf message BUF_AUTO = BUF(100), json BUF_AUTO = BUF(65536);
    int64_t now = clock_seconds();
    struct err e = {""};
    struct ca *ca;

    begin("P-256");
    ca = made_ca();
    EXPECT_INT(wait_for(ca, "one", &e), -EINPROGRESS);
    EXPECT_INT(wait_for(ca, "one", &e), -EINPROGRESS);
    EXPECT_INT(wait_for(ca, "two", &e), -EINPROGRESS);
    EXPECT_INT(ca_waiting(ca, false, 0, 60000, &json, &e), 0);
    EXPECT(strstr(buf_cstr(&json), "\"id\":2") && !strstr(buf_cstr(&json), "\"id\":3"));
    EXPECT_INT(ca_waiting_message(ca, 1, &message, &e), 0);
    EXPECT_SPAN(buf_span(&message), SPAN("one"));
    EXPECT_INT(ca_waiting_message(ca, 3, &message, &e), -ENOENT);
    EXPECT_INT(ca_waiting_decide(ca, 1, "00ff", "", &e), 0);
    EXPECT_INT(ca_waiting_decide(ca, 1, NULL, "", &e), -ENOENT); /* once */
    EXPECT_INT(ca_waiting_message(ca, 1, &message, &e), -EALREADY);
    EXPECT_INT(wait_for(ca, "one", &e), 0);
    EXPECT_INT(ca_waiting_decide(ca, 2, NULL, "not him", &e), 0);
    EXPECT_INT(wait_for(ca, "two", &e), -EPERM);
    EXPECT(strstr(e.text, "not him") != NULL);
    /* an approval is for one certificate, not for ever */
    clock_fake((now + 3700) * 1000);
    EXPECT_INT(wait_for(ca, "one", &e), -EINPROGRESS);
    for (int i = 0; i < 999; i++) {
        char name[20];
        snprintf(name, sizeof(name), "more %d", i);
        EXPECT_INT(wait_for(ca, name, &e), -EINPROGRESS);
    }
    EXPECT_INT(wait_for(ca, "one too many", &e), -EAGAIN);
    ca_close(ca);
    end();
}

TEST(a_ca_and_all_that_it_issued_are_revoked)
{
    struct chain a = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX];
    struct ca_settings s;
    struct err e = {""};
    int64_t old, count = 0;
    struct ca *ca;

    begin("P-256");
    ca = public_ca(false);
    set(&s, NULL, NULL);
    snprintf(s.url, sizeof(s.url), URL);
    issue(ca, "a.example.org", &a, sa);
    write_chain(ca, &a);
    old = ca_issuing(ca)->id;
    EXPECT_INT(fetch(ca, "root-1.crl"), 0);
    EXPECT_INT(ca_revoke_ca(ca, old, CRL_CA_COMPROMISE, &count, &e), -EBUSY); /* in use */
    EXPECT_INT(ca_revoke_ca(ca, ca_root(ca)->id, CRL_CA_COMPROMISE, &count, &e), -ENOENT);
    EXPECT_INT(ca_rollover(ca, &s, &e), 0);
    EXPECT(ca_issuing(ca)->id != old);
    EXPECT_INT(ca_revoke_ca(ca, old, CRL_CA_COMPROMISE, &count, &e), 0);
    EXPECT_INT(count, 1);
    EXPECT_INT(ca_revoke_ca(ca, old, CRL_CA_COMPROMISE, &count, &e), -EALREADY);
    ca_close(ca);
    ca = public_ca(false);
    EXPECT_INT(fetch(ca, "root-1.crl"), 0);
    EXPECT(!openssl_accepts("sslserver", "-crl_check_all -CRLfile root-1.crl.pem"));
    EXPECT_INT(fetch(ca, "issuing-1.crl"), 0);
    EXPECT(!openssl_accepts("sslserver", "-crl_check -CRLfile issuing-1.crl.pem"));
    EXPECT(said("certificate revoked"));
    /* without the root's key no new issuing CA; the one in use stays */
    EXPECT_INT(ca_root_last_crl(ca, &e), 0);
    old = ca_issuing(ca)->id;
    keys_locked = true;
    EXPECT(ca_rollover(ca, &s, &e) < 0);
    EXPECT_INT(ca_issuing(ca)->id, old);
    clock_fake((clock_seconds() + INT64_C(300) * 86400) * 1000);
    EXPECT_INT(fetch(ca, "root-1.crl"), 0); /* holds for a year */
    chain_done(&a);
    ca_settings_done(&s);
    ca_close(ca);
    end();
}
