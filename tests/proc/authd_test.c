/* authd: logins, throttling, addresses, managing, the store, hostile peers. */
#include "proc/authd_fixture.h"

#include <limits.h>

/* ------------------------------------------------------------------ logins */
PROC_TEST(logins_and_their_ends)
{
    static const struct {
        const char *name;
        struct span message;
        enum auth_step want;
    } rows[] = {
        {"good",             SPAN("\0joe\0pencil"),                AUTH_OK     },
        {"full name",        SPAN("\0JOE@Example.ORG\0pencil"),    AUTH_OK     },
        {"as himself",       SPAN("joe@example.org\0joe\0pencil"), AUTH_OK     },
        {"as another",       SPAN("ann@example.net\0joe\0pencil"), AUTH_FAIL   },
        {"wrong",            SPAN("\0joe\0pencils"),               AUTH_FAIL   },
        {"unknown",          SPAN("\0nobody\0pencil"),             AUTH_FAIL   },
        {"another domain",   SPAN("\0joe@example.net\0pencil"),    AUTH_FAIL   },
        {"with detail",      SPAN("\0joe+x\0pencil"),              AUTH_FAIL   },
        {"disabled",         SPAN("\0off\0pencil"),                AUTH_FAIL   },
        {"another protocol", SPAN("\0pop\0pencil"),                AUTH_FAIL   },
        {"no grammar",       SPAN("joe"),                          AUTH_INVALID},
    };
    uint64_t joe = add_account("joe", "pencil", 31);
    struct auth_context x = context_from("::1");

    x.trusted = true;
    add_account("ann@example.net", "pencil", 31);
    add_account("off", "pencil", 31);
    add_account("pop", "pencil", 1 << PROTOCOL_POP3);
    EXPECT_INT(set_account("off", (struct account_change){.set = ACCOUNT_SET_STATE,
                                                          .state = ACCOUNT_STATE_DISABLED}),
               0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_result r = {0};
        struct grant g;
        unit_case(rows[i].name);
        EXPECT_INT(plain(&x, rows[i].message, &r), rows[i].want);
        EXPECT_INT(r.account, rows[i].want == AUTH_OK ? joe : 0);
        if (rows[i].want != AUTH_OK)
            continue;
        EXPECT_STR(r.address, "joe@example.org");
        EXPECT_INT(r.rights, GRANT_MAIL | GRANT_SUBMIT);
        REQUIRE(
            grant_open(span_of(r.grant, r.grant_bytes), child.grant_secret, clock_seconds(), &g));
        EXPECT_INT(g.account, joe);
        EXPECT_INT(g.rights, GRANT_MAIL | GRANT_SUBMIT);
        EXPECT_INT(g.session, 77);
        EXPECT_INT(g.worker_generation, 5);
        EXPECT_INT(g.epoch, 1);
        EXPECT(g.expires_seconds > clock_seconds() + 3600);
    }
    unit_case(NULL);
    /* never without TLS */
    struct auth_result r;
    x.tls = false;
    EXPECT_INT(plain(&x, SPAN("\0joe\0pencil"), &r), AUTH_UNKNOWN);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_UNKNOWN);
}

PROC_TEST(login_mechanism_and_cancel)
{
    struct auth_context x = context_from("::1");
    BUF_AUTO struct buf challenge = BUF(AUTH_MESSAGE_MAX);
    struct auth_exchange *e = NULL;
    struct auth_result r = {0};

    x.trusted = true;
    add_account("joe", "pencil", 31);
    EXPECT_INT(auth_start(client, &x, SPAN("login"), SPAN_EMPTY, &e, &challenge, &r),
               AUTH_CONTINUE);
    EXPECT_SPAN(buf_span(&challenge), SPAN("Username:"));
    buf_clear(&challenge);
    EXPECT_INT(auth_continue(e, SPAN("joe"), &challenge, &r), AUTH_CONTINUE);
    EXPECT_SPAN(buf_span(&challenge), SPAN("Password:"));
    EXPECT_INT(auth_continue(e, SPAN("pencil"), &challenge, &r), AUTH_OK);
    EXPECT_STR(r.address, "joe@example.org");
    e = NULL;
    EXPECT_INT(auth_start(client, &x, SPAN("PLAIN"), SPAN_EMPTY, &e, &challenge, &r),
               AUTH_CONTINUE);
    auth_cancel(e);
    EXPECT_INT(auth_start(client, &x, SPAN("NTLM"), SPAN_EMPTY, &e, &challenge, &r), AUTH_UNKNOWN);
    EXPECT_STR(auth_mechanisms(true, true, true),
               "EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
    EXPECT_STR(auth_mechanisms(true, true, false), "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
    EXPECT_STR(auth_mechanisms(true, false, false), "SCRAM-SHA-256 PLAIN LOGIN");
    EXPECT_STR(auth_mechanisms(false, true, true), "");
}

/* ------------------------------------------------------------------ what was read before */
static unsigned groups_of_login(const struct auth_context *x, const char *password)
{
    struct auth_result r = {0};
    struct grant g = {0};

    if (login(x, "joe", password, &r) != AUTH_OK ||
        !grant_open(span_of(r.grant, r.grant_bytes), child.grant_secret, clock_seconds(), &g))
        return UINT_MAX;
    return g.group_count;
}

PROC_TEST(nothing_read_before_a_write_is_answered_after_it)
{
    struct auth_context x = context_from("::1");
    BUF_AUTO struct buf reply = BUF(65536);
    struct auth_result r = {0};

    x.trusted = true;
    add_account("joe", "pencil", 31);
    add_entry(ENTRY_GROUP, "team", "");
    EXPECT_INT(recent_size(authd.recent), 0);
    EXPECT_INT(groups_of_login(&x, "pencil"), 0);
    EXPECT_INT(recent_size(authd.recent), 1);
    EXPECT_INT(login(&x, "nobody", "pencil", &r), AUTH_FAIL);
    EXPECT_INT(recent_size(authd.recent), 1);

    EXPECT_INT(add_member("team", "joe"), 0);
    EXPECT_INT(recent_size(authd.recent), 0);
    EXPECT_INT(groups_of_login(&x, "pencil"), 1);
    EXPECT_INT(pair_call(MSG_MEMBER_REMOVE, "team", "joe", &reply), 0);
    EXPECT_INT(groups_of_login(&x, "pencil"), 0);

    EXPECT_INT(set_password("joe", "crayon"), 0);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_FAIL);
    EXPECT_INT(groups_of_login(&x, "crayon"), 0);

    EXPECT_INT(set_account("joe", (struct account_change){.set = ACCOUNT_SET_PROTOCOLS,
                                                          .protocols = 1 << PROTOCOL_POP3}),
               0);
    EXPECT_INT(login(&x, "joe", "crayon", &r), AUTH_FAIL);
    EXPECT_INT(
        set_account("joe", (struct account_change){.set = ACCOUNT_SET_PROTOCOLS, .protocols = 31}),
        0);
    EXPECT_INT(login(&x, "joe", "crayon", &r), AUTH_OK);
    struct auth_result regrant = {0};
    EXPECT_INT(set_account("joe", (struct account_change){.set = ACCOUNT_SET_STATE,
                                                          .state = ACCOUNT_STATE_DISABLED}),
               0);
    EXPECT_INT(login(&x, "joe", "crayon", &regrant), AUTH_FAIL);
    EXPECT_INT(auth_regrant(client, span_of(r.grant, r.grant_bytes), &regrant), AUTH_FAIL);
    EXPECT_INT(recent_size(authd.recent), 1);
}

/* A writer that is not authd: seen at the next look, which proves that what is remembered is used
 * until then. */
PROC_TEST(another_writer_is_seen_at_the_next_look)
{
    const struct account_change disable = {.set = ACCOUNT_SET_STATE,
                                           .state = ACCOUNT_STATE_DISABLED};
    struct auth_context x = context_from("::1");
    struct auth_result r = {0};
    struct err e;

    x.trusted = true;
    uint64_t joe = add_account("joe", "pencil", 31);
    int64_t now = clock_ms();
    clock_fake(now);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
    EXPECT_INT(directory_account_set(authd.writer, joe, &disable, &e), 0);
    clock_fake(now + RECENT_LOOK_MS - 1);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
    clock_fake(now + RECENT_LOOK_MS);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_FAIL);
    clock_fake(0);
}

PROC_TEST(what_is_remembered_is_bounded)
{
    const struct recent_account *found;
    char name[64];

    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "u%d", i);
        add_account(name, "pencil", 31);
    }
    struct recent *few = recent_new(authd.reader, 3);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "u%d@example.org", i);
        REQUIRE(recent_login(few, span_cstr(name), &found) == 0);
        EXPECT_STR(found->account.address, name);
        EXPECT_INT(recent_size(few), i < 3 ? i + 1 : i - 2);
    }
    EXPECT_INT(recent_login(few, SPAN("nobody@example.org"), &found), -ENOENT);
    recent_free(few);
}

/* ------------------------------------------------------------------ certificates */
#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int map_certificate(const char *address, const char *name,
                           enum directory_certificate_kind kind, const char *value)
{
    BUF_AUTO struct buf b = BUF(4096), reply = BUF(65536);
    struct directory_certificate c = {.kind = kind};

    span_to_cstr(span_cstr(name), c.name, sizeof c.name);
    span_to_cstr(span_cstr(value), c.value, sizeof c.value);
    wr_authd_cert_add(&b, span_cstr(address), &c);
    return manage(MSG_ACCOUNT_CERT_ADD, buf_span(&b), &reply);
}

static struct authd_certificate certificate(const char *spki, const char *issuer,
                                            const char *serial)
{
    struct authd_certificate c = {.not_before = clock_seconds() - 60,
                                  .not_after = clock_seconds() + 60};

    span_to_cstr(span_cstr(spki), c.spki_sha256, sizeof c.spki_sha256);
    span_to_cstr(span_cstr(issuer), c.issuer_sha256, sizeof c.issuer_sha256);
    span_to_cstr(span_cstr(serial), c.serial, sizeof c.serial);
    span_to_cstr(SPAN("CN=Somebody"), c.subject, sizeof c.subject);
    return c;
}

static enum auth_step external_at(const char *vserver, const struct authd_certificate *c,
                                  const char *authzid, struct auth_result *ret)
{
    struct auth_context x = context_from("::1");
    BUF_AUTO struct buf facts = BUF(AUTHD_CERTIFICATE_MAX), challenge = BUF(AUTH_MESSAGE_MAX);
    struct auth_exchange *e = NULL;

    x.vserver = vserver;
    if (c) {
        wr_authd_certificate(&facts, c);
        x.certificate = buf_span(&facts);
    }
    enum auth_step step =
        auth_start(client, &x, SPAN("EXTERNAL"), authzid[0] ? span_cstr(authzid) : SPAN(""), &e,
                   &challenge, ret);
    EXPECT(e == NULL);
    return step;
}

static enum auth_step external(const struct authd_certificate *c, const char *authzid,
                               struct auth_result *ret)
{
    return external_at("files", c, authzid, ret);
}

PROC_TEST(logins_by_certificate)
{
    struct authd_certificate key = certificate(HEX_A, HEX_B, "01"), other, serial, name;
    struct auth_result r = {0};
    uint64_t joe = add_account("joe", "pencil", 31), ann = add_account("ann", "pencil", 31);

    EXPECT_INT(external(NULL, "", &r), AUTH_UNKNOWN);
    EXPECT_INT(external(&key, "", &r), AUTH_FAIL); /* nobody's yet */
    EXPECT_INT(map_certificate("joe", "laptop", CERTIFICATE_SPKI, HEX_A), 0);
    EXPECT_INT(map_certificate("joe", "laptop", CERTIFICATE_SPKI, HEX_B), -EEXIST);
    EXPECT_INT(map_certificate("nobody", "laptop", CERTIFICATE_SPKI, HEX_B), -ENOENT);
    EXPECT_INT(map_certificate("joe", "", CERTIFICATE_SPKI, HEX_B), -EINVAL);
    EXPECT_INT(map_certificate("*", "all", CERTIFICATE_SPKI, HEX_B), -EINVAL);
    EXPECT_INT(map_certificate("joe", "any", CERTIFICATE_EMAIL, HEX_B ":*"), -EINVAL);
    EXPECT_INT(external(&key, "", &r), AUTH_OK);
    EXPECT_INT(r.account, joe);
    EXPECT(r.grant_bytes > 0);
    /* only as that account */
    EXPECT_INT(external(&key, "joe", &r), AUTH_OK);
    EXPECT_INT(external(&key, "JOE@Example.Org", &r), AUTH_OK);
    EXPECT_INT(external(&key, "ann", &r), AUTH_FAIL);
    EXPECT_INT(external(&key, "nobody@elsewhere", &r), AUTH_FAIL);
    other = certificate(HEX_B, HEX_B, "01");
    EXPECT_INT(external(&other, "", &r), AUTH_FAIL);
    EXPECT_INT(external(&other, "joe", &r), AUTH_FAIL);
    /* issuer and serial number, both */
    EXPECT_INT(map_certificate("ann", "card", CERTIFICATE_ISSUER_SERIAL, HEX_A ":0c0d"), 0);
    serial = certificate(HEX_B, HEX_A, "0c0d");
    EXPECT_INT(external(&serial, "", &r), AUTH_OK);
    EXPECT_INT(r.account, ann);
    serial = certificate(HEX_B, HEX_B, "0c0d");
    EXPECT_INT(external(&serial, "", &r), AUTH_FAIL);
    /* names, of that issuer only */
    EXPECT_INT(map_certificate("ann", "mail", CERTIFICATE_EMAIL, HEX_A ":a.person@corp.example"),
               0);
    name = certificate(HEX_B, HEX_A, "02");
    name.email_count = 1;
    snprintf(name.email[0], sizeof name.email[0], "a.person@corp.example");
    EXPECT_INT(external(&name, "", &r), AUTH_OK);
    EXPECT_INT(r.account, ann);
    memcpy(name.issuer_sha256, HEX_B, 64);
    EXPECT_INT(external(&name, "", &r), AUTH_FAIL);
    memcpy(name.issuer_sha256, HEX_A, 64);
    snprintf(name.email[0], sizeof name.email[0], "b.person@corp.example");
    EXPECT_INT(external(&name, "", &r), AUTH_FAIL);
    /* a rule for all: the name is the account's address */
    EXPECT_INT(map_certificate("*", "corp", CERTIFICATE_UPN, HEX_A ":*"), 0);
    name.email_count = 0;
    name.upn_count = 1;
    snprintf(name.upn[0], sizeof name.upn[0], "joe@example.org");
    EXPECT_INT(external(&name, "", &r), AUTH_OK);
    EXPECT_INT(r.account, joe);
    snprintf(name.upn[0], sizeof name.upn[0], "nobody@example.org");
    EXPECT_INT(external(&name, "", &r), AUTH_FAIL);
    EXPECT_INT(external(&name, "joe", &r), AUTH_FAIL);
    /* one key of two accounts: the client must say which */
    EXPECT_INT(map_certificate("ann", "shared", CERTIFICATE_SPKI, HEX_A), 0);
    EXPECT_INT(external(&key, "", &r), AUTH_FAIL);
    EXPECT_INT(external(&key, "ann", &r), AUTH_OK);
    EXPECT_INT(r.account, ann);
    EXPECT_INT(external(&key, "joe", &r), AUTH_OK);
    EXPECT_INT(r.account, joe);
}

PROC_TEST(certificates_that_are_not_good)
{
    struct authd_certificate c = certificate(HEX_A, HEX_B, "01"), late = c, early = c;
    struct auth_result r = {0};
    struct auth_context x = context_from("::1");
    BUF_AUTO struct buf facts = BUF(AUTHD_CERTIFICATE_MAX);
    char reason[AUTH_REASON_MAX + 1];

    add_account("joe", "pencil", 31);
    EXPECT_INT(map_certificate("joe", "laptop", CERTIFICATE_SPKI, HEX_A), 0);
    EXPECT_INT(external(&c, "", &r), AUTH_OK);
    late.not_after = clock_seconds() - 2;
    early.not_before = clock_seconds() + 30;
    EXPECT_INT(external(&late, "", &r), AUTH_FAIL);
    EXPECT_INT(external(&early, "", &r), AUTH_FAIL);
    /* where none are taken, and where nobody can say whether they are revoked */
    EXPECT_INT(external_at("imap4-default", &c, "", &r), AUTH_FAIL);
    EXPECT_INT(external_at("nowhere", &c, "", &r), AUTH_FAIL);
    EXPECT_INT(external_at("own", &c, "", &r), AUTH_TEMPFAIL);
    /* a required one */
    wr_authd_certificate(&facts, &late);
    x.vserver = "files";
    x.certificate = buf_span(&facts);
    EXPECT_INT(auth_certificate(client, &x, reason), AUTH_FAIL);
    EXPECT_STR(reason, "the certificate has expired");
    buf_clear(&facts);
    wr_authd_certificate(&facts, &c);
    x.certificate = buf_span(&facts);
    EXPECT_INT(auth_certificate(client, &x, reason), AUTH_OK);
    x.vserver = "own";
    EXPECT_INT(auth_certificate(client, &x, reason), AUTH_TEMPFAIL);
    /* an account that may not */
    set_account("joe", (struct account_change){.set = ACCOUNT_SET_PROTOCOLS, .protocols = 1});
    EXPECT_INT(external(&c, "", &r), AUTH_FAIL);
    set_account("joe", (struct account_change){.set = ACCOUNT_SET_PROTOCOLS, .protocols = 31});
    set_account("joe",
                (struct account_change){.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DISABLED});
    EXPECT_INT(external(&c, "", &r), AUTH_FAIL);
}

PROC_TEST(an_unmapped_certificate_ends_its_sessions)
{
    struct authd_certificate c = certificate(HEX_A, HEX_B, "01");
    struct auth_result r = {0}, again;
    BUF_AUTO struct buf reply = BUF(65536), b = BUF(4096);
    char address[NAME_ADDRESS_MAX + 1];
    struct directory_certificate row;
    uint16_t count = 0;
    bool more = true;

    add_account("joe", "pencil", 31);
    EXPECT_INT(map_certificate("joe", "laptop", CERTIFICATE_SPKI, HEX_A), 0);
    EXPECT_INT(map_certificate("*", "corp", CERTIFICATE_EMAIL, HEX_A ":*"), 0);
    EXPECT_INT(external(&c, "", &r), AUTH_OK);
    EXPECT_INT(auth_regrant(client, span_of(r.grant, r.grant_bytes), &again), AUTH_OK);
    wr_authd_cert_list(&b, SPAN_EMPTY, 0);
    EXPECT_INT(manage(MSG_ACCOUNT_CERT_LIST, buf_span(&b), &reply), 0);
    struct rd rd = rd_of(buf_span(&reply));
    EXPECT(rd_authd_page(&rd, &more, &count) && !more);
    EXPECT_INT(count, 2);
    EXPECT(rd_authd_cert_row(&rd, address, &row));
    EXPECT_STR(address, "joe@example.org");
    EXPECT_STR(row.name, "laptop");
    EXPECT_STR(row.value, HEX_A);
    EXPECT(rd_authd_cert_row(&rd, address, &row) && rd_done(&rd));
    EXPECT_STR(address, "*");
    EXPECT_INT(pair_call(MSG_ACCOUNT_CERT_REMOVE, "joe", "desktop", &reply), -ENOENT);
    EXPECT_INT(pair_call(MSG_ACCOUNT_CERT_REMOVE, "joe", "laptop", &reply), 0);
    EXPECT_INT(external(&c, "", &again), AUTH_FAIL);
    EXPECT_INT(auth_regrant(client, span_of(r.grant, r.grant_bytes), &again), AUTH_FAIL);
    EXPECT_INT(pair_call(MSG_ACCOUNT_CERT_REMOVE, "*", "corp", &reply), 0);
}

PROC_TEST(scram_logins)
{
    struct auth_context x = context_from("::1");
    struct auth_result r = {0};
    struct scram_client c = scram_joe;

    x.trusted = true;
    uint64_t joe = add_account("joe", "pencil", 31);
    EXPECT_INT(scram(&x, &c, NULL, &r), AUTH_OK);
    EXPECT_INT(r.account, joe);
    EXPECT(r.grant_bytes > 0);
    c.password = "pencils";
    EXPECT_INT(scram(&x, &c, NULL, &r), AUTH_FAIL);
    c.password = "pencil";
    c.user = "nobody"; /* goes as far as a wrong password */
    EXPECT_INT(scram(&x, &c, NULL, &r), AUTH_FAIL);
    c = scram_joe;
    c.binding = "another connection's exporter...";
    EXPECT_INT(scram(&x, &c, NULL, &r), AUTH_FAIL);
    c = (struct scram_client){
        .mechanism = "SCRAM-SHA-256", .gs2 = "y,,", .user = "joe", .password = "pencil"};
    EXPECT_INT(scram(&x, &c, NULL, &r), AUTH_FAIL); /* we can bind: downgrade */
    c.gs2 = "n,,";
    EXPECT_INT(scram(&x, &c, NULL, &r), AUTH_OK);
    c.gs2 = "n,a=ann,";
    EXPECT_INT(scram(&x, &c, NULL, &r), AUTH_FAIL);
    set_account("joe",
                (struct account_change){.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DISABLED});
    EXPECT_INT(scram(&x, &scram_joe, NULL, &r), AUTH_FAIL);
}

static void change_password(void)
{
    EXPECT_INT(set_password("joe", "another"), 0);
}

PROC_TEST(a_new_password_ends_what_was_before)
{
    struct auth_context x = context_from("::1");
    struct auth_result r = {0}, again;

    x.trusted = true;
    add_account("joe", "pencil", 31);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
    EXPECT_INT(auth_regrant(client, span_of(r.grant, r.grant_bytes), &again), AUTH_OK);
    EXPECT_INT(login(&x, "joe", "pencil", &again), AUTH_OK);
    EXPECT_INT(authd.count.hashes, 1); /* the second time a proof */
    EXPECT_INT(authd.count.proofs, 1);
    EXPECT_INT(scram(&x, &scram_joe, change_password, &again), AUTH_FAIL);
    EXPECT_INT(auth_regrant(client, span_of(r.grant, r.grant_bytes), &again), AUTH_FAIL);
    EXPECT_INT(login(&x, "joe", "pencil", &again), AUTH_FAIL);
    EXPECT_INT(login(&x, "joe", "another", &r), AUTH_OK);
    struct grant g;
    REQUIRE(grant_open(span_of(r.grant, r.grant_bytes), child.grant_secret, clock_seconds(), &g));
    EXPECT_INT(g.epoch, 2);
    r.grant[20] ^= 1;
    EXPECT_INT(auth_regrant(client, span_of(r.grant, r.grant_bytes), &again), AUTH_FAIL);
    EXPECT_INT(auth_regrant(client, SPAN(""), &again), AUTH_FAIL);
}

/* ------------------------------------------------------------------ authd dies */
static void close_link(void *arg)
{
    link_free(far_access);
    far_access = NULL;
}

static void come_back(void *arg)
{
    fiber_sleep_ms(60);
    connect_access();
}

/* As after kill -9: the link is gone, then there is a new one, to an authd that knows nothing but
 * the secret of the run. */
static void die_and_return(void)
{
    close_link(NULL);
    proofs_free(authd.proofs);
    authd.proofs = proofs_new(300, 100);
    fiber_start(L, come_back, NULL, "back");
}

PROC_TEST(a_restart_costs_delay_only)
{
    struct auth_context x = context_from("::1");
    struct auth_result r = {0};
    struct auth_target *t = NULL;
    size_t n = 0;

    x.trusted = true;
    add_account("joe", "pencil", 31);
    EXPECT_INT(scram(&x, &scram_joe, die_and_return, &r), AUTH_OK);
    die_and_return();
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
    die_and_return();
    EXPECT_INT(auth_resolve(client, SPAN("joe@example.org"), &t, &n), RESOLVED);
    EXPECT_INT(n, 1);
    free(t);
    /* while the answer is awaited */
    loop_defer(L, close_link, NULL);
    fiber_start(L, come_back, NULL, "back");
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
}

/* ------------------------------------------------------------------ throttling and the queue */
PROC_TEST(guessing_is_slowed_and_refused)
{
    struct auth_context x = context_from("::ffff:192.0.2.1"), y = context_from("::ffff:192.0.2.9");
    struct auth_result r = {0};
    char password[] = "guess0";
    uint64_t begun = clock_mono_ms();

    add_account("joe", "pencil", 31);
    EXPECT_INT(login(&y, "joe", "pencil", &r), AUTH_OK); /* joe's own place */
    for (int i = 0; i < 4; i++, password[5]++)
        EXPECT_INT(login(&x, "joe", password, &r), AUTH_FAIL);
    uint64_t took = clock_mono_ms() - begun;
    EXPECT(took >= 250 + 500);
    EXPECT(took < 3000);
    /* the same again: no hash, no count; then the right one, late but welcome */
    uint64_t hashes = authd.count.hashes;
    password[5]--;
    EXPECT_INT(login(&x, "joe", password, &r), AUTH_FAIL);
    EXPECT_INT(authd.count.hashes, hashes);
    EXPECT_INT(authd.count.refused, 0);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
    EXPECT(r.delay_ms > 0);
    EXPECT_INT(login(&y, "joe", "pencil", &r), AUTH_OK);
    EXPECT_INT(r.delay_ms, 0);
}

PROC_TEST(refusal_needs_no_hash)
{
    struct auth_context x = context_from("2001:db8::1");
    struct auth_result r = {0};
    char user[] = "user0";

    throttle_set_limits(authd.throttle, &(struct throttle_limits){1, 600, 100});
    for (int i = 0; i < 3; i++, user[4]++)
        EXPECT_INT(login(&x, user, "x", &r), AUTH_FAIL);
    uint64_t hashes = authd.count.hashes;
    EXPECT_INT(hashes, 3); /* unknown users are hashed for like known ones */
    add_account("joe", "pencil", 31);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_FAIL);
    EXPECT_INT(authd.count.hashes, hashes);
    EXPECT_INT(authd.count.refused, 1);
    EXPECT_INT(scram(&x, &scram_joe, NULL, &r), AUTH_FAIL); /* SCRAM too */
    struct auth_context y = context_from("2001:db8:1::1");
    EXPECT_INT(login(&y, "joe", "pencil", &r), AUTH_OK);
}

static unsigned flood_open, flood_ok, flood_busy, flood_other;

static void flood_one(void *arg)
{
    struct auth_context x = context_from("::1");
    struct auth_result r = {0};
    char password[32];

    x.trusted = true;
    snprintf(password, sizeof password, "wrong%u", flood_open++);
    enum auth_step step = login(&x, "joe", password, &r);
    if (step == AUTH_FAIL)
        flood_ok++;
    else if (step == AUTH_TEMPFAIL)
        flood_busy++;
    else
        flood_other++;
}

PROC_TEST(the_queue_of_hashes_is_bounded)
{
    unsigned total = 3 * AUTHD_HASHES_WAITING * child.conf->auth_threads;

    flood_open = flood_ok = flood_busy = flood_other = 0;
    add_account("joe", "pencil", 31);
    for (unsigned i = 0; i < total; i++)
        fiber_start(L, flood_one, NULL, "flood");
    while (flood_ok + flood_busy + flood_other < total)
        fiber_sleep_ms(5);
    EXPECT(flood_ok >= AUTHD_HASHES_WAITING * child.conf->auth_threads);
    EXPECT(flood_busy > 0);
    EXPECT_INT(flood_other, 0);
    EXPECT_INT(authd.hashing, 0);
    EXPECT_INT(authd.hashing_now, 0);
}

PROC_TEST(an_outdated_hash_is_made_anew)
{
    struct auth_context x = context_from("::1");
    struct auth_result r = {0};
    struct directory_account a;
    struct credential before, after;
    const struct conf *old = child.conf;

    x.trusted = true;
    add_account("joe", "pencil", 31);
    REQUIRE(directory_login(authd.reader, SPAN("joe"), &a, &before) == 0);
    child.conf = make_conf(2048);
    authd_ops.on_conf(&child, old);
    conf_free((struct conf *)(uintptr_t)old);
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
    /* the decoy by a fiber of its own: neither waits for the other */
    for (int i = 0; i < 4000; i++) {
        fiber_sleep_ms(5);
        REQUIRE(directory_login(authd.reader, SPAN("joe"), &a, &after) == 0);
        if (strcmp(before.hash, after.hash) != 0 && strstr(authd.decoy, "m=2048"))
            break;
    }
    EXPECT(strstr(after.hash, "m=2048") != NULL);
    EXPECT(strstr(authd.decoy, "m=2048") != NULL);
    EXPECT_INT(a.epoch, 1); /* grants go on */
    EXPECT_INT(login(&x, "joe", "pencil", &r), AUTH_OK);
    EXPECT_INT(scram(&x, &scram_joe, NULL, &r), AUTH_OK);
}

/* ------------------------------------------------------------------ addresses */
/* It lets mail go to that address, for a while, and nowhere else. */
static void expect_forward_grant(const struct auth_target *t)
{
    struct span token = span_of(t->grant, t->grant_bytes), to = span_cstr(t->address);
    int64_t now = clock_seconds();

    EXPECT(grant_forwards(token, child.grant_secret, now, to));
    EXPECT(!grant_forwards(token, child.grant_secret, now, span_skip(to, 1)));
    EXPECT(!grant_forwards(token, child.grant_secret, now + AUTH_FORWARD_SECONDS, to));
}

PROC_TEST(addresses_come_in_pages)
{
    struct auth_target *t = NULL;
    size_t n = 0;
    char member[200];
    uint64_t joe = add_account("joe", "pencil", 31);

    EXPECT_INT(add_entry(ENTRY_GROUP, "big", ""), 0);
    EXPECT_INT(add_entry(ENTRY_NEWSGROUP, "news", "local.test"), 0);
    EXPECT_INT(add_entry(ENTRY_ALIAS, "info", "joe"), 0);
    EXPECT_INT(add_entry(ENTRY_ALIAS, "info", "joe"), -EEXIST);
    for (int i = 0; i < 600; i++) {
        snprintf(
            member, sizeof member,
            "a-rather-long-local-part-of-a-member-%04d@"
            "a-rather-long-domain-name-so-that-one-page-does-not-hold-all.elsewhere.example.com",
            i);
        REQUIRE(add_member("big", member) == 0);
    }
    EXPECT_INT(auth_resolve(client, SPAN("big@example.org"), &t, &n), RESOLVED);
    REQUIRE(n == 600);
    for (size_t i = 0; i < n; i++) {
        snprintf(member, sizeof member, "a-rather-long-local-part-of-a-member-%04zu@", i);
        EXPECT(span_starts(span_cstr(t[i].address), span_cstr(member)));
        EXPECT_INT(t[i].kind, TARGET_REMOTE);
        expect_forward_grant(&t[i]);
    }
    free(t);
    EXPECT_INT(auth_resolve(client, SPAN("info+x@example.org"), &t, &n), RESOLVED);
    EXPECT_INT(n, 1);
    EXPECT_INT(t[0].kind, TARGET_ACCOUNT);
    EXPECT_INT(t[0].id, joe);
    EXPECT_STR(t[0].address, "joe@example.org");
    EXPECT_INT(t[0].grant_bytes, 0); /* who is here needs none */
    free(t);
    EXPECT_INT(auth_resolve(client, SPAN("news@example.org"), &t, &n), RESOLVED);
    EXPECT_INT(t[0].kind, TARGET_FOLDER);
    EXPECT_STR(t[0].address, "local.test");
    free(t);
    EXPECT_INT(auth_resolve(client, SPAN("nobody@example.org"), &t, &n), RESOLVE_NONE);
    EXPECT_INT(auth_resolve(client, SPAN("joe@elsewhere.com"), &t, &n), RESOLVE_NOT_LOCAL);
    set_account("joe",
                (struct account_change){.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DISABLED});
    EXPECT_INT(auth_resolve(client, SPAN("joe@example.org"), &t, &n), RESOLVE_DISABLED);
    EXPECT(auth_may_send_as(client, joe, SPAN("info@example.org")));
    EXPECT(!auth_may_send_as(client, joe, SPAN("nobody@example.org")));
    EXPECT(!auth_may_send_as(client, joe + 1, SPAN("info@example.org")));
}

/* ------------------------------------------------------------------ managing */
PROC_TEST(managing_says_why_not)
{
    BUF_AUTO struct buf reply = BUF(65536), b = BUF(4096);
    struct directory_account a;

    EXPECT(add_account("joe", "pencil", 31) >= 16);
    wr_authd_account_add(&b, &(struct authd_account_add){SPAN("joe"), SPAN(""), SPAN("x"), 0, 0});
    EXPECT_INT(manage(MSG_ACCOUNT_ADD, buf_span(&b), &reply), -EEXIST);
    EXPECT_SPAN(buf_span(&reply), SPAN("joe@example.org exists already"));
    EXPECT_INT(set_password("joe", "bad\x01"), -EINVAL);
    EXPECT_INT(set_password("nobody", "x"), -ENOENT);
    EXPECT_INT(manage(MSG_ACCOUNT_SHOW, SPAN("JOE"), &reply), 0);
    struct rd r = rd_of(buf_span(&reply));
    EXPECT(rd_authd_account(&r, &a) && rd_done(&r));
    EXPECT_STR(a.address, "joe@example.org");
    EXPECT_INT(manage(MSG_ACCOUNT_SHOW, SPAN("nobody"), &reply), -ENOENT);
    EXPECT_SPAN(buf_span(&reply), SPAN("there is no account \"nobody\""));
    EXPECT_INT(manage(MSG_ACCOUNT_ADD, SPAN("nonsense"), &reply), -EBADMSG);
    EXPECT_INT(manage(MSG_ENTRY_ADD, SPAN("nonsense"), &reply), -EBADMSG);
    EXPECT_INT(pair_call(MSG_MEMBER_LIST, "nogroup", "", &reply), -ENOENT);
    EXPECT_SPAN(buf_span(&reply), SPAN("there is no such group"));
}

PROC_TEST(lists_come_in_pages)
{
    BUF_AUTO struct buf reply = BUF(65536), b = BUF(64);
    char name[200];
    uint64_t after = 0;
    unsigned pages = 0, seen = 0;
    bool more = true;
    struct credential c = {.hash = "x", .scram.iterations = 4096};
    struct err e;

    for (int i = 0; i < 700; i++) {
        struct account_new n = {.title = SPAN("A title"), .credential = &c};
        uint64_t id;
        snprintf(name, sizeof name, "account-with-a-long-name-%04d", i);
        n.address = span_cstr(name);
        REQUIRE(directory_account_add(authd.writer, &n, &id, &e) == 0);
    }
    while (more && pages < 100) {
        uint16_t count;
        buf_clear(&b);
        wr_u64(&b, after);
        REQUIRE(manage(MSG_ACCOUNT_LIST, buf_span(&b), &reply) == 0);
        struct rd r = rd_of(buf_span(&reply));
        REQUIRE(rd_authd_page(&r, &more, &count));
        for (unsigned i = 0; i < count; i++, seen++) {
            struct directory_account a;
            REQUIRE(rd_authd_account(&r, &a));
            EXPECT(a.id > after);
            after = a.id;
        }
        EXPECT(rd_done(&r));
        pages++;
    }
    EXPECT_INT(seen, 700);
    EXPECT(pages > 1);
}

/* ------------------------------------------------------------------ the store is told */
static struct link *near_store;

static void connect_store(void)
{
    struct link *far;

    near_store = connect_link(ROLE_STORED, store_handlers, &far);
    authd_ops.on_peer(&child, far);
}

PROC_TEST(the_store_learns_of_accounts)
{
    struct directory_account a;
    uint64_t joe = add_account("joe", "pencil", 31), ann = add_account("ann", "pencil", 31);
    BUF_AUTO struct buf reply = BUF(65536);

    EXPECT_INT(store.count, 0);
    connect_store();
    fiber_sleep_ms(20);
    REQUIRE(store.count == 2);
    EXPECT_INT(store.seen[0].account, joe);
    EXPECT_INT(store.seen[1].account, ann);
    EXPECT_INT(store.seen[0].state, ACCOUNT_ENABLED);
    EXPECT_INT(store.seen[0].epoch, 1);
    EXPECT_INT(set_password("joe", "another"), 0);
    EXPECT_INT(store.count, 3); /* before the manager has its answer */
    EXPECT_INT(store.last.account, joe);
    EXPECT_INT(store.last.epoch, 2);
    set_account("joe",
                (struct account_change){.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DISABLED});
    EXPECT_INT(store.last.state, ACCOUNT_DISABLED);
    EXPECT_INT(store.last.epoch, 3);
    uint64_t new = add_account("new", "pencil", 31);
    EXPECT_INT(store.last.account, new);

    /* deletion: begun here, done when the store has confirmed */
    store.status = -EIO;
    EXPECT_INT(manage(MSG_ACCOUNT_REMOVE, SPAN("ann"), &reply), 0);
    EXPECT_INT(store.last.state, ACCOUNT_DELETED);
    EXPECT_INT(directory_account_get(authd.reader, ann, &a), 0);
    EXPECT_INT(a.state, ACCOUNT_STATE_DELETING);
    store.status = 0;
    link_free(near_store);
    fiber_sleep_ms(20);
    connect_store();
    fiber_sleep_ms(50);
    EXPECT_INT(directory_account_get(authd.reader, ann, &a), -ENOENT);
    store.status = -ENOENT; /* a store that never heard of it */
    EXPECT_INT(manage(MSG_ACCOUNT_REMOVE, SPAN("new"), &reply), 0);
    EXPECT_INT(directory_account_get(authd.reader, new, &a), -ENOENT);
    EXPECT(add_account("new", "pencil", 31) > new);
    link_free(near_store);
}

PROC_TEST(many_accounts_are_announced)
{
    struct credential c = {.hash = "x", .scram.iterations = 4096};
    char name[40];
    struct err e;

    for (int i = 0; i < 300; i++) {
        struct account_new n = {.credential = &c};
        uint64_t id;
        snprintf(name, sizeof name, "a%d", i);
        n.address = span_cstr(name);
        REQUIRE(directory_account_add(authd.writer, &n, &id, &e) == 0);
    }
    connect_store();
    for (int i = 0; i < 400 && store.count < 300; i++)
        fiber_sleep_ms(5);
    EXPECT_INT(store.count, 300);
    EXPECT_INT(store.last.account, 16 + 299);
    link_free(near_store);
}

/* ------------------------------------------------------------------ hostile peers */
static bool link_lives(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

    return n > 0 || (n < 0 && errno == EAGAIN);
}

PROC_TEST(strangers_may_not_log_in)
{
    static const struct {
        enum role peer;
        enum msg_id id;
        bool lives;
    } rows[] = {
        {ROLE_MX,     MSG_RESOLVE,          true },
        {ROLE_RELAYD, MSG_RESOLVE,          true },
        {ROLE_MX,     MSG_AUTH_START,       false},
        {ROLE_MX,     MSG_AUTH_PASSWORD,    false},
        {ROLE_MX,     MSG_AUTH_REGRANT,     false},
        {ROLE_MX,     MSG_MAY_SEND_AS,      false},
        {ROLE_RELAYD, MSG_AUTH_PASSWORD,    false},
        {ROLE_ACCESS, MSG_ACCOUNT_LIST,     false},
        {ROLE_ACCESS, MSG_ACCOUNT_PASSWORD, false},
        {ROLE_STORED, MSG_ACCOUNT_ADD,      false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd;
        /* a second access link must not hide the first from the tests after this one */
        struct link *kept = child.peers[role_index(ROLE_ACCESS)][0];
        struct link *far = connect_fd(rows[i].peer, &fd);
        child.peers[role_index(ROLE_ACCESS)][0] = kept;
        unit_case(msg_row(rows[i].id)->name);
        EXPECT_INT(link_raw_send(fd, rows[i].id, false, 1, 0, SPAN("x"), NULL, 0), 0);
        fiber_sleep_ms(10);
        EXPECT_INT(link_lives(fd), rows[i].lives);
        if (rows[i].lives)
            link_free(far);
        for (unsigned r = 0; r < ROLE_COUNT; r++)
            if (child.peers[r][0] == far)
                child.peers[r][0] = NULL;
        close(fd);
    }
    unit_case(NULL);
}

PROC_TEST(any_bytes_are_answered)
{
    static const enum msg_id access_ids[] = {MSG_AUTH_START,   MSG_AUTH_CONTINUE, MSG_AUTH_PASSWORD,
                                             MSG_AUTH_REGRANT, MSG_RESOLVE,       MSG_MAY_SEND_AS};
    static const enum msg_id manager_ids[] = {
        MSG_ACCOUNT_ADD,  MSG_ACCOUNT_SET,   MSG_ACCOUNT_SHOW,     MSG_ACCOUNT_LIST,
        MSG_ENTRY_ADD,    MSG_ENTRY_SET,     MSG_ENTRY_SHOW,       MSG_ENTRY_LIST,
        MSG_ENTRY_REMOVE, MSG_MEMBER_REMOVE, MSG_ACCOUNT_PASSWORD, MSG_ACCOUNT_REMOVE,
        MSG_MEMBER_ADD,   MSG_MEMBER_LIST};
    BUF_AUTO struct buf b = BUF(65536), good = BUF(16384), reply = BUF(LINK_PAYLOAD_MAX);
    struct auth_context x = context_from("::1");
    struct auth_result result;
    struct authd_context context = {
        .vserver = "v", .protocol = "imap4", .tls = true, .trusted = true};

    add_account("joe", "pencil", 31);
    wr_authd_password(&good, &(struct authd_password){context, SPAN("joe"), SPAN("pencil")});
    for (int i = 0; i < 600; i++) {
        bool access = i % 2;
        enum msg_id id = access ? access_ids[unit_random() % ARRAY_LEN(access_ids)]
                                : manager_ids[unit_random() % ARRAY_LEN(manager_ids)];
        size_t n = unit_random() % (msg_row(id)->max_request + 1);
        buf_clear(&b);
        if (i % 3 == 0) /* nearly right */
            buf_put_span(&b, span_head(buf_span(&good), n));
        while (b.n < n)
            buf_putc(&b, (char)unit_random());
        buf_truncate(&b, n);
        if (n)
            b.p[unit_random() % n] ^= (char)(1 << unit_random() % 8);
        buf_clear(&reply);
        int rc = link_call(access ? near_access : near_manager, id, buf_span(&b), NULL, 0, 10000,
                           &reply, NULL);
        EXPECT(rc != -EPIPE && rc != -ETIMEDOUT);
    }
    x.trusted = true;
    EXPECT_INT(login(&x, "joe", "pencil", &result), AUTH_OK);
}

PROC_TEST(a_state_is_bound_to_its_session)
{
    BUF_AUTO struct buf b = BUF(16384), context = BUF(1024), reply = BUF(16384);
    struct authd_context theirs = {
        .vserver = "v", .protocol = "imap4", .tls = true, .trusted = true};
    struct authd_answer answer;

    add_account("joe", "pencil", 31);
    for (uint64_t session = 77; session < 79; session++) {
        theirs.session = 77;
        buf_clear(&context);
        wr_authd_context(&context, &theirs);
        buf_clear(&b);
        wr_authd_start(&b, buf_span(&context), SPAN("LOGIN"), SPAN("joe"));
        buf_clear(&reply);
        REQUIRE(link_call(near_access, MSG_AUTH_START, buf_span(&b), NULL, 0, 1000, &reply, NULL) ==
                0);
        REQUIRE(rd_authd_answer(buf_span(&reply), &answer));
        REQUIRE(answer.step == AUTH_CONTINUE);
        theirs.session = session;
        buf_clear(&context);
        wr_authd_context(&context, &theirs);
        buf_clear(&b);
        wr_authd_continue(&b, buf_span(&context), answer.state, SPAN("pencil"));
        buf_clear(&reply);
        REQUIRE(link_call(near_access, MSG_AUTH_CONTINUE, buf_span(&b), NULL, 0, 5000, &reply,
                          NULL) == 0);
        REQUIRE(rd_authd_answer(buf_span(&reply), &answer));
        EXPECT_INT(answer.step, session == 77 ? AUTH_OK : AUTH_FAIL);
    }
}
