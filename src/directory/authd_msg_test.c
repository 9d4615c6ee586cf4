#include "directory/authd_msg.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>

static const struct authd_context context = {
    .vserver = "imap4-default",
    .protocol = "imap4",
    .peer = IN6ADDR_LOOPBACK_INIT,
    .trusted = true,
    .tls = true,
    .session = 77,
    .worker_generation = 3,
    .binding_exporter = SPAN("0123456789abcdef0123456789abcdef"),
    .binding_endpoint = SPAN("xyz"),
};

static bool same_context(const struct authd_context *a, const struct authd_context *b)
{
    return strcmp(a->vserver, b->vserver) == 0 && strcmp(a->protocol, b->protocol) == 0 &&
           memcmp(&a->peer, &b->peer, sizeof a->peer) == 0 && a->trusted == b->trusted &&
           a->tls == b->tls && a->session == b->session &&
           a->worker_generation == b->worker_generation &&
           span_eq(a->binding_exporter, b->binding_exporter) &&
           span_eq(a->binding_endpoint, b->binding_endpoint) &&
           span_eq(a->certificate, b->certificate);
}

typedef bool (*reader)(struct span s);

/* Every proper prefix and every longer text is refused; damaged bytes are harmless. */
static void expect_exact(const struct buf *b, reader read)
{
    char *copy = malloc(b->n + 1);

    CHECK(copy);
    for (size_t n = 0; n < b->n; n++) {
        char *cut = malloc(n + 1); /* of its own, so that a read past the end shows */
        CHECK(cut);
        memcpy(cut, b->p, n);
        EXPECT(!read(span_of(cut, n)));
        free(cut);
    }
    memcpy(copy, b->p, b->n);
    copy[b->n] = 0;
    EXPECT(read(span_of(copy, b->n)));
    EXPECT(!read(span_of(copy, b->n + 1)));
    for (int i = 0; i < 2000; i++) {
        memcpy(copy, b->p, b->n);
        copy[unit_random() % b->n] = (char)unit_random();
        read(span_of(copy, b->n));
    }
    free(copy);
}

static bool read_start(struct span s)
{
    struct authd_start a;
    return rd_authd_start(s, &a);
}

TEST(start)
{
    BUF_AUTO struct buf x = BUF(1024), b = BUF(16384);
    struct authd_start a;

    wr_authd_context(&x, &context);
    wr_authd_start(&b, buf_span(&x), SPAN("PLAIN"), SPAN("\0joe\0pw"));
    expect_exact(&b, read_start);
    REQUIRE(rd_authd_start(buf_span(&b), &a));
    EXPECT(same_context(&a.context, &context));
    EXPECT_SPAN(a.mechanism, SPAN("PLAIN"));
    EXPECT_SPAN(a.initial, SPAN("\0joe\0pw"));
    /* an empty initial response and none are different things */
    buf_clear(&b);
    wr_authd_start(&b, buf_span(&x), SPAN("LOGIN"), SPAN_EMPTY);
    REQUIRE(rd_authd_start(buf_span(&b), &a));
    EXPECT(a.initial.p == NULL);
    buf_clear(&b);
    wr_authd_start(&b, buf_span(&x), SPAN("LOGIN"), SPAN(""));
    REQUIRE(rd_authd_start(buf_span(&b), &a));
    EXPECT(a.initial.p != NULL && a.initial.n == 0);
}

static bool read_continue(struct span s)
{
    struct authd_continue a;
    return rd_authd_continue(s, &a);
}

static bool read_password(struct span s)
{
    struct authd_password a;
    return rd_authd_password(s, &a);
}

TEST(continue_and_password)
{
    BUF_AUTO struct buf x = BUF(1024), b = BUF(16384), c = BUF(4096);
    struct authd_password p = {context, SPAN("joe"), SPAN("pencil")}, q;
    struct authd_continue a;

    wr_authd_context(&x, &context);
    wr_authd_continue(&b, buf_span(&x), SPAN("state"), SPAN("c=biws"));
    expect_exact(&b, read_continue);
    REQUIRE(rd_authd_continue(buf_span(&b), &a));
    EXPECT_SPAN(a.state, SPAN("state"));
    EXPECT_SPAN(a.response, SPAN("c=biws"));
    wr_authd_password(&c, &p);
    expect_exact(&c, read_password);
    REQUIRE(rd_authd_password(buf_span(&c), &q));
    EXPECT_SPAN(q.user, SPAN("joe"));
    EXPECT_SPAN(q.password, SPAN("pencil"));
}

static bool read_answer(struct span s)
{
    struct authd_answer a;
    return rd_authd_answer(s, &a);
}

TEST(answer)
{
    BUF_AUTO struct buf b = BUF(8192);
    struct authd_answer a = {.step = 1,
                             .delay_ms = 250,
                             .challenge = SPAN("v=x"),
                             .account = 16,
                             .address = SPAN("joe@example.org"),
                             .rights = 7,
                             .grant = SPAN("token")},
                        got;

    wr_authd_answer(&b, &a);
    expect_exact(&b, read_answer);
    REQUIRE(rd_authd_answer(buf_span(&b), &got));
    EXPECT_INT(got.account, 16);
    EXPECT_INT(got.delay_ms, 250);
    EXPECT_SPAN(got.grant, SPAN("token"));
    b.p[0] = AUTHD_STEPS;
    EXPECT(!rd_authd_answer(buf_span(&b), &got));
}

static bool read_targets(struct span s)
{
    struct authd_targets t;
    struct directory_target one;
    struct span grant;

    if (!rd_authd_targets(s, &t))
        return false;
    for (uint32_t i = 0; i < t.count; i++)
        if (!rd_authd_target(&t.targets, &one, &grant))
            return false;
    return rd_done(&t.targets);
}

TEST(targets_come_in_pages)
{
    struct directory_target v[50], one;
    struct span grants[ARRAY_LEN(v)], grant;
    struct authd_targets t;
    size_t first = 0, pages = 0;

    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        v[i] = (struct directory_target){.kind = DIRECTORY_ACCOUNT, .account = 16 + i};
        memset(v[i].address, 'a', 20 + i);
        grants[i] = SPAN_EMPTY;
        if (i % 3 == 0) {
            v[i].kind = DIRECTORY_REMOTE;
            grants[i] =
                span_head(SPAN("a grant of which the end is not always there"), 20 + i % 20);
        }
    }
    while (first < ARRAY_LEN(v)) {
        BUF_AUTO struct buf b = BUF(2000);
        wr_authd_targets(&b, DIRECTORY_FOUND, 5, v, grants, ARRAY_LEN(v), first, 2000);
        EXPECT(!b.overflow);
        if (pages == 0)
            expect_exact(&b, read_targets);
        REQUIRE(rd_authd_targets(buf_span(&b), &t));
        EXPECT_INT(t.total, ARRAY_LEN(v));
        REQUIRE(t.count > 0);
        for (uint32_t i = 0; i < t.count; i++, first++) {
            REQUIRE(rd_authd_target(&t.targets, &one, &grant));
            EXPECT_SPAN(grant, grants[first]);
            EXPECT_INT(one.account, 16 + first);
            EXPECT_STR(one.address, v[first].address);
        }
        pages++;
    }
    EXPECT(pages > 1);
}

static bool read_account_add(struct span s)
{
    struct authd_account_add a;
    return rd_authd_account_add(s, &a);
}

static bool read_account_set(struct span s)
{
    struct authd_account_set a;
    return rd_authd_account_set(s, &a);
}

static bool read_account(struct span s)
{
    struct directory_account a;
    struct rd r = rd_of(s);
    return rd_authd_account(&r, &a) && rd_done(&r);
}

static bool read_entry(struct span s)
{
    struct directory_entry a;
    struct rd r = rd_of(s);
    return rd_authd_entry(&r, &a) && rd_done(&r);
}

static bool read_entry_name(struct span s)
{
    enum directory_entry_kind kind;
    struct span address;
    return rd_authd_entry_name(s, &kind, &address);
}

static bool read_two(struct span s)
{
    struct span a, b;
    return rd_authd_pair(s, &a, &b);
}

static bool read_resolve(struct span s)
{
    struct authd_resolve q;
    return rd_authd_resolve(s, &q);
}

static bool read_send_as(struct span s)
{
    struct authd_send_as q;
    return rd_authd_send_as(s, &q);
}

TEST(the_others_are_exact)
{
    BUF_AUTO struct buf b = BUF(8192);
    const struct directory_account account = {.id = 16,
                                              .address = "joe@example.org",
                                              .title = "Joe",
                                              .state = ACCOUNT_STATE_ENABLED,
                                              .rights = 7};
    const struct directory_entry entry = {.kind = ENTRY_GROUP,
                                          .address = "team@example.org",
                                          .target = "",
                                          .title = "T",
                                          .mail = true,
                                          .send_as = true};

    wr_authd_account_add(&b,
                         &(struct authd_account_add){SPAN("joe"), SPAN("Joe"), SPAN("pw"), 7, 31});
    expect_exact(&b, read_account_add);
    buf_clear(&b);
    wr_authd_account_set(
        &b, &(struct authd_account_set){
                SPAN("joe"), {ACCOUNT_SET_STATE, SPAN(""), ACCOUNT_STATE_DISABLED, 0, 0}
    });
    expect_exact(&b, read_account_set);
    buf_clear(&b);
    wr_authd_account(&b, &account);
    expect_exact(&b, read_account);
    buf_clear(&b);
    wr_authd_entry(&b, &entry);
    expect_exact(&b, read_entry);
    buf_clear(&b);
    wr_authd_entry_name(&b, ENTRY_ALIAS, SPAN("a@b"));
    expect_exact(&b, read_entry_name);
    buf_clear(&b);
    wr_authd_pair(&b, SPAN("one"), SPAN("two"));
    expect_exact(&b, read_two);
    buf_clear(&b);
    wr_authd_resolve(&b, &(struct authd_resolve){9, SPAN("a@b")});
    expect_exact(&b, read_resolve);
    buf_clear(&b);
    wr_authd_send_as(&b, &(struct authd_send_as){16, SPAN("a@b")});
    expect_exact(&b, read_send_as);
}

TEST(values_that_make_no_sense)
{
    BUF_AUTO struct buf b = BUF(8192);
    char *long_text = calloc(1, 70000);

    CHECK(long_text);
    wr_authd_account_set(&b, &(struct authd_account_set){
                                 SPAN("joe"), {16, SPAN(""), 1, 0, 0}
    });
    EXPECT(!read_account_set(buf_span(&b)));
    buf_clear(&b);
    wr_authd_account_set(&b, &(struct authd_account_set){
                                 SPAN("joe"), {ACCOUNT_SET_STATE, SPAN(""), 0, 0, 0}
    });
    EXPECT(!read_account_set(buf_span(&b)));
    buf_clear(&b);
    wr_u8(&b, 9);
    wr_span(&b, SPAN("a@b"));
    EXPECT(!read_entry_name(buf_span(&b)));
    buf_clear(&b);
    wr_authd_resolve(&b, &(struct authd_resolve){0, span_of(long_text, NAME_ADDRESS_MAX + 1)});
    EXPECT(!read_resolve(buf_span(&b)));
    buf_clear(&b);
    wr_authd_pair(&b, SPAN("a"), span_of(long_text, NAME_PASSWORD_MAX + 1));
    EXPECT(!read_two(buf_span(&b)));
    free(long_text);
}

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

TEST(certificates_cut_anywhere_are_refused)
{
    struct authd_certificate c =
                                 {
                                     .spki_sha256 = HEX64,
                                     .issuer_sha256 = HEX64,
                                     .serial = "0a",
                                     .subject = "CN=x",
                                     .not_after = 5,
                                     .email_count = 1,
                                     .email = {"a@b.c" },
                                     .upn_count = 2,
                                     .upn = { "d@e.f", "g@h.i"}
    },
                             got;
    BUF_AUTO struct buf b = BUF(AUTHD_CERTIFICATE_MAX);

    wr_authd_certificate(&b, &c);
    EXPECT(rd_authd_certificate(buf_span(&b), &got));
    EXPECT_STR(got.upn[1], "g@h.i");
    EXPECT_INT(got.not_after, 5);
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!rd_authd_certificate(span_head(buf_span(&b), n), &got));
    buf_putc(&b, '\0');
    EXPECT(!rd_authd_certificate(buf_span(&b), &got));
    /* no hexadecimal digits, or too few */
    buf_clear(&b);
    c.spki_sha256[3] = ':';
    wr_authd_certificate(&b, &c);
    EXPECT(!rd_authd_certificate(buf_span(&b), &got));
    buf_clear(&b);
    c.spki_sha256[3] = '\0';
    wr_authd_certificate(&b, &c);
    EXPECT(!rd_authd_certificate(buf_span(&b), &got));
}

TEST(rows_of_certificates)
{
    struct directory_certificate c = {.id = 3,
                                      .account = 16,
                                      .name = "laptop",
                                      .kind = CERTIFICATE_UPN,
                                      .value = HEX64 ":a@b.c",
                                      .serial = "0b",
                                      .ends_seconds = 7,
                                      .issued = true},
                                 got;
    BUF_AUTO struct buf b = BUF(4096);
    struct span address;

    wr_authd_cert_add(&b, SPAN("joe@example.org"), &c);
    EXPECT(rd_authd_cert_add(buf_span(&b), &address, &got));
    EXPECT_SPAN(address, SPAN("joe@example.org"));
    EXPECT_STR(got.value, HEX64 ":a@b.c");
    EXPECT(got.kind == CERTIFICATE_UPN && got.issued && got.ends_seconds == 7);
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!rd_authd_cert_add(span_head(buf_span(&b), n), &address, &got));
    buf_clear(&b);
    c.kind = CERTIFICATE_KINDS;
    wr_authd_cert_add(&b, SPAN("joe@example.org"), &c);
    EXPECT(!rd_authd_cert_add(buf_span(&b), &address, &got));
}
