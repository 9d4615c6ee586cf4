/* A new root, an issuing CA below another's, and a CA out of its backup; openssl and GnuTLS judge. */
#include "ca/world_test.h"

#define URL "http://mail.example.org:8080"

static void set_public(struct ca_settings *s)
{
    set(s, NULL, NULL);
    snprintf(s->url, sizeof(s->url), URL);
    s->crl_hours = 24;
}

static struct ca *public_ca(void)
{
    struct ca *ca = open_ca();
    struct ca_settings s;
    struct err e = {""};

    set_public(&s);
    if (ca_ensure(ca, &s, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    ca_settings_done(&s);
    return ca;
}

static void issue(struct ca *ca, const char *name, char serial[CERTIFICATE_SERIAL_MAX],
                  struct chain *ret)
{
    struct err e = {""};

    if (ask(ca, &(struct asked){PROFILE_SERVER, NULL, name, 0, NULL}, ret, serial, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
}

/* NAME.pem the leaf, NAME-above.pem what is served with it, NAME-chain.pem both. */
static void write_served(const char *name, const struct chain *c)
{
    struct buf pem BUF_AUTO = BUF(65536);
    char file[64];
    struct err e;

    snprintf(file, sizeof(file), "%s.pem", name);
    write_pem(file, c->v[0]);
    for (size_t i = 1; i < c->n; i++)
        pem_write("CERTIFICATE", certificate_der(c->v[i]), &pem);
    snprintf(file, sizeof(file), "%s-above.pem", name);
    CHECK(file_write(AT_FDCWD, in_folder(file), buf_span(&pem), 0644, &e) == 0);
    CHECK(run("cat %s.pem %s-above.pem >%s-chain.pem", name, name, name));
}

static void expect_holds(int line, const char *root, const char *name, bool holds)
{
    if (run("openssl verify -x509_strict -purpose sslserver -CAfile %s.pem -untrusted "
            "%s-above.pem %s.pem",
            root, name, name) != holds)
        fail_with_output(line, "openssl verify");
    if (run("certtool --verify --load-ca-certificate %s.pem --verify-profile medium "
            "--verify-purpose 1.3.6.1.5.5.7.3.1 --infile %s-chain.pem && ! grep -i 'not "
            "verified\\|not trusted' out.txt",
            root, name) != holds)
        fail_with_output(line, "certtool --verify");
}

/* --- a new root */

TEST(who_trusts_either_root_trusts_both)
{
    struct chain before = CHAIN_NONE, after = CHAIN_NONE, roots = CHAIN_NONE;
    struct buf der BUF_AUTO = BUF(65536);
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    const struct ca_record *old;
    struct ca_settings s;
    struct err e = {""};
    bool crossed = false;
    struct ca *ca;

    begin("P-256");
    ca = public_ca();
    set_public(&s);
    issue(ca, "a.example.org", sa, &before);
    EXPECT_INT(before.n, 2);
    old = ca_root(ca);
    write_pem("old.pem", old->certificate);
    EXPECT_INT(ca_rollover_root(ca, &s, &crossed, &e), 0);
    EXPECT(crossed && ca_root(ca) != old && old->state == CA_RETIRED);
    EXPECT_INT(ca_issuing(ca)->parent, ca_root(ca)->id);
    write_pem("new.pem", ca_root(ca)->certificate);
    issue(ca, "b.example.org", sb, &after);
    EXPECT_INT(after.n, 3);
    write_served("after", &after);
    expect_holds(__LINE__, "old", "after", true);
    expect_holds(__LINE__, "new", "after", true);
    /* what was issued before: its chain, and the old root's key as the new root certified it */
    write_pem("old-by-new.pem", old->above.v[0]);
    write_served("before", &before);
    expect_holds(__LINE__, "old", "before", true);
    expect_holds(__LINE__, "new", "before", false);
    CHECK(run("cat old-by-new.pem >>before-above.pem; cat old-by-new.pem >>before-chain.pem"));
    expect_holds(__LINE__, "new", "before", true);
    /* both roots are handed out, the new one first */
    ca_roots(ca, false, &der);
    CHECK(chain_parse(buf_span(&der), &roots, &e) == 0);
    EXPECT_INT(roots.n, 2);
    EXPECT_SPAN(certificate_der(roots.v[0]), certificate_der(ca_root(ca)->certificate));
    EXPECT_SPAN(certificate_der(roots.v[1]), certificate_der(old->certificate));
    chain_done(&after);
    ca_close(ca);

    ca = public_ca(); /* as it was, and nothing is made anew */
    EXPECT_INT(ca_issuing(ca)->id, 4);
    issue(ca, "c.example.org", sb, &after);
    write_served("after", &after);
    expect_holds(__LINE__, "old", "after", true);
    expect_holds(__LINE__, "new", "after", true);
    /* what the old root's CA issued is still in its lists */
    EXPECT_INT(ca_revoke(ca, sa, CRL_SUPERSEDED, &e), 0);
    buf_clear(&der);
    EXPECT_INT(ca_file(ca, SPAN("issuing-1.crl"), &der, &e), 0);
    CHECK(file_write(AT_FDCWD, in_folder("1.crl"), buf_span(&der), 0644, &e) == 0);
    CHECK(run("openssl crl -inform DER -in 1.crl -out 1.pem"));
    EXPECT(run("openssl verify -crl_check -CRLfile 1.pem -CAfile old.pem -untrusted "
               "before-above.pem before.pem 2>&1 | grep 'certificate revoked'"));
    chain_done(&before);
    chain_done(&after);
    chain_done(&roots);
    ca_settings_done(&s);
    ca_close(ca);
    end();
}

/* Broken off between root and issuing CA: it goes on where it was. */
TEST(a_rollover_that_broke_off_goes_on)
{
    struct chain c = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX];
    struct ca_settings s;
    struct err e = {""};
    bool crossed;
    struct ca *ca;

    begin("P-256");
    ca = public_ca();
    set_public(&s);
    EXPECT_INT(ca_rollover_root(ca, &s, &crossed, &e), 0);
    ca_close(ca);
    CHECK(run("sqlite3 register.db \"DELETE FROM ca WHERE id=4; UPDATE ca SET state='active' WHERE "
              "id=2\" || python3 -c \"import sqlite3; d=sqlite3.connect('register.db'); "
              "d.execute('DELETE FROM ca WHERE id=4'); d.execute(\\\"UPDATE ca SET state='active' "
              "WHERE id=2\\\"); d.commit()\""));
    ca = public_ca();
    EXPECT(ca_issuing(ca)->parent == ca_root(ca)->id && ca_root(ca)->id == 3);
    issue(ca, "a.example.org", serial, &c);
    EXPECT_INT(c.n, 3);
    /* without the old root's key: no; then all is as it was */
    keys_locked = true;
    EXPECT(ca_rollover_root(ca, &s, &crossed, &e) < 0);
    EXPECT_INT(ca_root(ca)->id, 3);
    keys_locked = false;
    chain_done(&c);
    ca_settings_done(&s);
    ca_close(ca);
    end();
}

/* --- below another CA */

static const char external_conf[] =
    "[ca]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign,"
    "digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    "[top]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\n"
    "[mid]\nbasicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    "[mid0]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    "[leaf]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    "[nocrl]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    "[narrow]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "nameConstraints=critical,permitted;DNS:example.com\nsubjectKeyIdentifier=hash\n"
    "authorityKeyIdentifier=keyid\n"
    "[except]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "nameConstraints=critical,excluded;DNS:mail.example.org\nsubjectKeyIdentifier=hash\n"
    "authorityKeyIdentifier=keyid\n";

static void make_external(void)
{
    struct err e;

    CHECK(file_write(AT_FDCWD, in_folder("x.cnf"), span_cstr(external_conf), 0644, &e) == 0);
    CHECK(run("openssl req -x509 -newkey rsa:2048 -nodes -keyout top.key -out top.pem -subj "
              "'/O=Other/CN=Other Root' -days 4000 -config /etc/ssl/openssl.cnf -extensions v3_ca "
              "-addext keyUsage=critical,keyCertSign,cRLSign"));
    CHECK(
        run("for m in mid mid0; do openssl req -new -newkey rsa:2048 -nodes -keyout $m.key -out "
            "$m.csr -subj /O=Other/CN=$m; openssl x509 -req -in $m.csr -CA top.pem -CAkey top.key "
            "-CAcreateserial -days 3000 -extfile x.cnf -extensions $m -out $m.pem || exit 1; "
            "done"));
}

static int ask_other(struct ca *ca, struct ca_settings *s, bool anew, bool *ret_new, struct err *e)
{
    struct buf der BUF_AUTO = BUF(32768), pem BUF_AUTO = BUF(65536);
    int rc =
        ca_ask_other(ca, s, &(struct cert_subject){.common_name = NULL}, anew, &der, ret_new, e);

    if (rc < 0)
        return rc;
    pem_write("CERTIFICATE REQUEST", buf_span(&der), &pem);
    CHECK(file_write(AT_FDCWD, in_folder("our.csr"), buf_span(&pem), 0644, e) == 0);
    return 0;
}

static void read_chain(const char *files, struct chain *ret)
{
    struct buf text BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    struct err e = {""};

    CHECK(run("cat %s >all.pem", files));
    CHECK(file_read(AT_FDCWD, in_folder("all.pem"), CERTIFICATE_TEXT_MAX, &text, &e) == 0);
    CHECK(chain_parse_file(buf_span(&text), ret, &e) == 0);
}

static int install(struct ca *ca, struct ca_settings *s, const char *answer, const char *roots,
                   struct err *e)
{
    struct chain a = CHAIN_NONE, r = CHAIN_NONE;
    int rc;

    read_chain(answer, &a);
    if (roots)
        read_chain(roots, &r);
    rc = ca_install(ca, s, &a, &r, e);
    chain_done(&a);
    chain_done(&r);
    return rc;
}

static const struct {
    const char *name, *sign, *answer, *roots, *says;
} refused[] = {
    {"no CA",            "-CA mid.pem -CAkey mid.key -days 900 -extensions leaf",                   "our.pem mid.pem",  "top.pem",
     "no CA's certificate"                                                                                                                                   },
    {"no cRLSign",       "-CA mid.pem -CAkey mid.key -days 900 -extensions nocrl",                  "our.pem mid.pem",
     "top.pem",                                                                                                                    "cRLSign"                 },
    {"path length",      "-CA mid0.pem -CAkey mid0.key -days 900 -extensions ca",                   "our.pem mid0.pem",
     "top.pem",                                                                                                                    "no more than 0 CAs"      },
    {"no way to a root", "-CA mid.pem -CAkey mid.key -days 900 -extensions ca",                     "our.pem",
     "top.pem",                                                                                                                    "not trusted"             },
    {"another root",     "-CA mid.pem -CAkey mid.key -days 900 -extensions ca",                     "our.pem mid.pem",
     "stranger.pem",                                                                                                               "not trusted"             },
    {"no root",          "-CA mid.pem -CAkey mid.key -days 900 -extensions ca",                     "our.pem mid.pem",  NULL,
     "--chain"                                                                                                                                               },
    {"ends too soon",    "-CA mid.pem -CAkey mid.key -days 3 -extensions ca",                       "our.pem mid.pem",
     "top.pem",                                                                                                                    "within 7 days"           },
    {"ended",            "-CA mid.pem -CAkey mid.key -days 900 -extensions ca",                     "our.pem mid.pem",  "top.pem",
     "expired"                                                                                                                                               },
    {"outlives",         "-CA mid.pem -CAkey mid.key -days 3500 -extensions ca",                    "our.pem mid.pem",
     "top.pem",                                                                                                                    "later than its issuer"   },
    {"names not ours",   "-CA mid.pem -CAkey mid.key -days 900 -extensions narrow",                 "our.pem mid.pem",
     "top.pem",                                                                                                                    "may not certify"         },
    {"a name taken out", "-CA mid.pem -CAkey mid.key -days 900 -extensions except",
     "our.pem mid.pem",                                                                                                 "top.pem", "may not certify"         },
    {"another subject",  "-CA mid.pem -CAkey mid.key -days 900 -extensions ca -subj '/CN=Renamed'",
     "our.pem mid.pem",                                                                                                 "top.pem", "asked for was"           },
    {"another key",      NULL,                                                                      "mid.pem",          "top.pem", "none of the certificates"},
};

static void sign(const char *how)
{
    if (!run("openssl x509 -req -in our.csr -CAcreateserial -extfile x.cnf %s -out our.pem", how))
        fail_with_output(__LINE__, "the other CA");
}

TEST(another_ca_certifies_ours)
{
    struct chain before = CHAIN_NONE, after = CHAIN_NONE, c = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX];
    struct buf der BUF_AUTO = BUF(65536);
    struct chain roots = CHAIN_NONE;
    struct ca_settings s;
    struct err e = {""};
    bool made = false;
    int64_t old;
    struct ca *ca;

    begin("P-256");
    ca = public_ca();
    set_public(&s);
    make_external();
    CHECK(run("openssl req -x509 -newkey rsa:2048 -nodes -keyout s.key -out stranger.pem -subj "
              "'/CN=Stranger' -days 4000"));
    issue(ca, "a.example.org", sa, &before);
    write_served("before", &before);
    write_pem("own.pem", ca_root(ca)->certificate);
    old = ca_issuing(ca)->id;
    EXPECT_INT(install(ca, &s, "mid.pem", "top.pem", &e), -ENOENT); /* nothing was asked for */
    EXPECT_INT(ask_other(ca, &s, false, &made, &e), 0);
    EXPECT(made);
    EXPECT(run("openssl req -in our.csr -noout -verify -text >req.txt && grep -q 'CA:TRUE, "
               "pathlen:0' req.txt && grep -q 'Certificate Sign, CRL Sign' req.txt && grep -q "
               "'DNS:mail.example.org' req.txt && grep -A1 'Name Constraints: critical' req.txt"));
    CHECK(run("cp our.csr first.csr"));
    EXPECT_INT(ask_other(ca, &s, false, &made, &e), 0); /* the same again */
    EXPECT(!made && run("cmp our.csr first.csr"));
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        unit_case(refused[i].name);
        if (refused[i].sign)
            sign(refused[i].sign);
        if (strcmp(refused[i].name, "ended") == 0)
            clock_fake((clock_seconds() + INT64_C(1000) * 86400) * 1000);
        e.text[0] = '\0';
        EXPECT(install(ca, &s, refused[i].answer, refused[i].roots, &e) < 0);
        if (!strstr(e.text, refused[i].says))
            unit_fail(__FILE__, __LINE__, "%s", e.text);
        EXPECT_INT(ca_issuing(ca)->id, old);
        clock_fake(0);
    }
    unit_case(NULL);
    /* another request: the answer to the first is none to it */
    sign("-CA mid.pem -CAkey mid.key -days 900 -extensions ca");
    EXPECT_INT(ask_other(ca, &s, true, &made, &e), 0);
    EXPECT(made && !run("cmp our.csr first.csr"));
    EXPECT_INT(install(ca, &s, "our.pem mid.pem", "top.pem", &e), -EKEYREJECTED);
    sign("-CA mid.pem -CAkey mid.key -days 900 -copy_extensions copyall -extensions ca");
    if (install(ca, &s, "mid.pem our.pem", "top.pem", &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    EXPECT(ca_issuing(ca)->id != old && ca_issuing(ca)->parent == 0);
    EXPECT_INT(install(ca, &s, "mid.pem our.pem", "top.pem", &e), -ENOENT); /* done */
    ca_close(ca);

    ca = public_ca(); /* stays in use */
    EXPECT(ca_issuing(ca)->parent == 0);
    issue(ca, "b.example.org", sb, &after);
    EXPECT_INT(after.n, 3);
    write_served("after", &after);
    expect_holds(__LINE__, "top", "after", true);
    expect_holds(__LINE__, "own", "after", false);
    expect_holds(__LINE__, "own", "before", true);
    ca_roots(ca, false, &der);
    CHECK(chain_parse(buf_span(&der), &roots, &e) == 0);
    EXPECT(roots.n == 2 && strstr(roots.v[0]->subject, "Other Root"));
    /* a name that the other CA has not permitted */
    EXPECT_INT(
        ask(ca, &(struct asked){PROFILE_SERVER, NULL, "www.example.com", 0, NULL}, &c, sb, &e),
        -EPERM);
    /* both CAs' lists */
    EXPECT_INT(ca_revoke(ca, sa, CRL_SUPERSEDED, &e), 0);
    EXPECT_INT(ca_revoke(ca, after.v[0]->serial, CRL_SUPERSEDED, &e), 0);
    for (int i = 1; i <= 2; i++) {
        char name[32];
        snprintf(name, sizeof(name), "issuing-%d.crl", i);
        buf_clear(&der);
        EXPECT_INT(ca_file(ca, span_cstr(name), &der, &e), 0);
        CHECK(file_write(AT_FDCWD, in_folder(name), buf_span(&der), 0644, &e) == 0);
        CHECK(run("openssl crl -inform DER -in issuing-%d.crl -out %d.pem", i, i));
    }
    EXPECT(run("openssl verify -crl_check -CRLfile 1.pem -CAfile own.pem -untrusted "
               "before-above.pem before.pem 2>&1 | grep 'certificate revoked'"));
    EXPECT(run("openssl verify -crl_check -CRLfile 2.pem -CAfile top.pem -untrusted "
               "after-above.pem after.pem 2>&1 | grep 'certificate revoked'"));
    /* back to the own root */
    EXPECT_INT(ca_rollover(ca, &s, &e), 0);
    EXPECT_INT(ca_issuing(ca)->parent, ca_root(ca)->id);
    chain_done(&before);
    chain_done(&after);
    chain_done(&roots);
    ca_settings_done(&s);
    ca_close(ca);
    end();
}

/* --- out of a backup */

static uint64_t crl_number(struct ca *ca, const char *name)
{
    struct buf der BUF_AUTO = BUF(65536), text BUF_AUTO = BUF(65536);
    uint64_t n = 0;
    struct err e;

    EXPECT_INT(ca_file(ca, span_cstr(name), &der, &e), 0);
    CHECK(file_write(AT_FDCWD, in_folder("n.crl"), buf_span(&der), 0644, &e) == 0);
    CHECK(run("openssl crl -inform DER -in n.crl -noout -crlnumber | sed 's/.*=0x//'"));
    file_read(AT_FDCWD, in_folder("out.txt"), 65536, &text, &e);
    n = strtoull(buf_cstr(&text), NULL, 16);
    return n;
}

/* How many it lists. */
static int crl_count(struct ca *ca, const char *name)
{
    struct buf der BUF_AUTO = BUF(65536), text BUF_AUTO = BUF(65536);
    struct err e;

    EXPECT_INT(ca_file(ca, span_cstr(name), &der, &e), 0);
    CHECK(file_write(AT_FDCWD, in_folder("n.crl"), buf_span(&der), 0644, &e) == 0);
    CHECK(run("openssl crl -inform DER -in n.crl -noout -text | grep -c 'Serial Number' || true"));
    file_read(AT_FDCWD, in_folder("out.txt"), 65536, &text, &e);
    return (int)strtol(buf_cstr(&text), NULL, 10);
}

TEST(a_ca_comes_back_out_of_its_backup)
{
    struct chain a = CHAIN_NONE, b = CHAIN_NONE, c = CHAIN_NONE;
    char sa[CERTIFICATE_SERIAL_MAX], sb[CERTIFICATE_SERIAL_MAX], sc[CERTIFICATE_SERIAL_MAX];
    struct register_key renamed[2];
    char old_ids[2][CA_KEY_ID_MAX + 1], new_ids[2][CA_KEY_ID_MAX + 1];
    struct ca_status status;
    struct register_carried carried;
    struct err e = {""};
    uint64_t number = 0;
    struct ca *ca;

    begin("P-256");
    ca = public_ca();
    issue(ca, "a.example.org", sa, &a);
    issue(ca, "b.example.org", sb, &b);
    EXPECT_INT(ca_revoke(ca, sa, CRL_KEY_COMPROMISE, &e), 0);
    EXPECT_INT(ca_backup(ca, in_folder("saved.db"), &e), 0);
    write_pem("root.pem", ca_root(ca)->certificate);
    for (int i = 0; i < 5; i++) { /* signed after the backup was made */
        clock_fake((clock_seconds() + 25 * 3600) * 1000);
        number = crl_number(ca, "issuing-1.crl");
    }
    clock_fake(0);
    snprintf(old_ids[0], sizeof(old_ids[0]), "%s", ca_root(ca)->key_id);
    snprintf(old_ids[1], sizeof(old_ids[1]), "%s", ca_issuing(ca)->key_id);
    /* over a CA that lives, and by what is no backup: no */
    CHECK(run("cp saved.db again.db; head -c 30000 saved.db >cut.db; echo rubbish >rubbish.db"));
    EXPECT_INT(
        ca_restore(ca, in_folder("again.db"), NULL, 0, false, in_folder("was.db"), &carried, &e),
        -EEXIST);
    EXPECT(ca_restore(ca, in_folder("cut.db"), NULL, 0, true, in_folder("was.db"), &carried, &e) <
           0);
    EXPECT(ca_restore(ca, in_folder("rubbish.db"), NULL, 0, true, in_folder("was.db"), &carried,
                      &e) < 0);
    EXPECT_INT(ca_status(ca, sb, &status, &e), 0);
    ca_close(ca);

    /* another folder, with a CA that was made there by itself */
    CHECK(run("rm register.db*"));
    ca = public_ca();
    EXPECT_INT(ca_status(ca, sb, &status, &e), -ENOENT);
    for (int i = 0; i < 2; i++) { /* the keys have other names there */
        snprintf(new_ids[i], sizeof(new_ids[i]), "%zu", key_count);
        keys[key_count].key = keys[strtoul(old_ids[i], NULL, 10)].key;
        EVP_PKEY_up_ref(keys[key_count++].key);
        renamed[i] = (struct register_key){old_ids[i], new_ids[i]};
    }
    if (ca_restore(ca, in_folder("saved.db"), renamed, 2, false, in_folder("was.db"), &carried,
                   &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    for (int i = 0; i < 2; i++) { /* and after another start */
        EXPECT(ca_status(ca, sa, &status, &e) == 0 && status.revoked);
        EXPECT(ca_status(ca, sb, &status, &e) == 0 && !status.revoked);
        EXPECT(crl_number(ca, "issuing-1.crl") > number);
        issue(ca, i ? "d.example.org" : "c.example.org", sc, &c);
        write_pem("issuing.pem", c.v[1]);
        write_pem("leaf.pem", c.v[0]);
        EXPECT(openssl_accepts("sslserver", ""));
        EXPECT_INT(ca_revoke(ca, sc, CRL_SUPERSEDED, &e), 0);
        chain_done(&c);
        ca_close(ca);
        ca = public_ca();
    }
    chain_done(&a);
    chain_done(&b);
    ca_close(ca);
    end();
}

static bool is_revoked(struct ca *ca, const char *serial, enum crl_reason reason)
{
    struct ca_status status = {.revoked = false};
    struct err e;

    return ca_status(ca, serial, &status, &e) == 0 && status.revoked && status.reason == reason;
}

TEST(what_was_revoked_after_the_backup_stays_so)
{
    char good[CERTIFICATE_SERIAL_MAX], held[CERTIFICATE_SERIAL_MAX], later[CERTIFICATE_SERIAL_MAX],
        below[CERTIFICATE_SERIAL_MAX], anew[CERTIFICATE_SERIAL_MAX];
    struct chain c = CHAIN_NONE;
    struct register_carried carried = {0, 0};
    struct ca_settings s;
    struct err e = {""};
    int64_t count = 0;
    struct ca *ca;

    begin("P-256");
    ca = public_ca();
    set_public(&s);
    issue(ca, "a.example.org", good, &c);
    chain_done(&c);
    issue(ca, "b.example.org", held, &c);
    chain_done(&c);
    EXPECT_INT(ca_revoke(ca, held, CRL_HOLD, &e), 0);
    EXPECT_INT(ca_backup(ca, in_folder("saved.db"), &e), 0);
    CHECK(run("cp saved.db again.db"));
    /* one that the backup does not know; a hold that became final */
    issue(ca, "later.example.org", later, &c);
    chain_done(&c);
    EXPECT_INT(ca_revoke(ca, later, CRL_SUPERSEDED, &e), 0);
    EXPECT_INT(ca_revoke(ca, held, CRL_KEY_COMPROMISE, &e), 0);
    EXPECT_INT(
        ca_restore(ca, in_folder("again.db"), NULL, 0, true, in_folder("was.db"), &carried, &e), 0);
    EXPECT(carried.cas == 0 && carried.certificates == 2);
    EXPECT(is_revoked(ca, later, CRL_SUPERSEDED) && is_revoked(ca, held, CRL_KEY_COMPROMISE));
    EXPECT(!is_revoked(ca, good, CRL_CA_COMPROMISE));
    EXPECT(ca_issuing(ca) != NULL);
    /* the issuing CA of the backup, and one that was made after it */
    EXPECT_INT(ca_rollover(ca, &s, &e), 0);
    EXPECT_INT(ca_revoke_ca(ca, 2, CRL_CA_COMPROMISE, &count, &e), 0);
    issue(ca, "below.example.org", below, &c);
    chain_done(&c);
    EXPECT_INT(ca_rollover(ca, &s, &e), 0);
    EXPECT_INT(ca_revoke_ca(ca, 3, CRL_CA_COMPROMISE, &count, &e), 0);
    EXPECT_INT(
        ca_restore(ca, in_folder("saved.db"), NULL, 0, true, in_folder("was.db"), &carried, &e), 0);
    EXPECT_INT(carried.cas, 2);
    EXPECT_INT(carried.certificates, 4);
    EXPECT(!ca_issuing(ca) && !ca_ready(ca)); /* none that is good */
    EXPECT_INT(ca_ensure(ca, &s, &e), 0);
    for (int i = 0; i < 2; i++) { /* and after another start */
        EXPECT(is_revoked(ca, good, CRL_CA_COMPROMISE) && is_revoked(ca, below, CRL_CA_COMPROMISE));
        EXPECT(is_revoked(ca, held, CRL_KEY_COMPROMISE) && is_revoked(ca, later, CRL_SUPERSEDED));
        EXPECT_INT(ca_issuing(ca)->id, 4);
        issue(ca, "anew.example.org", anew, &c);
        EXPECT(!is_revoked(ca, anew, CRL_CA_COMPROMISE));
        EXPECT_INT(crl_count(ca, "root-1.crl"), 2);
        EXPECT_INT(crl_count(ca, "issuing-1.crl"), 3);
        EXPECT_INT(crl_count(ca, "issuing-2.crl"), 1);
        chain_done(&c);
        ca_close(ca);
        ca = public_ca();
    }
    ca_settings_done(&s);
    ca_close(ca);
    end();
}
