/*
 * The codecs of authd's messages. What a reader accepts is written again and must give the same
 * bytes.
 */
#include "base/check.h"
#include "directory/authd_msg.h"

#include <stdlib.h>

static void expect_same(struct span in, const struct buf *out)
{
    CHECK(!out->overflow && span_eq(in, buf_span(out)));
}

static void fuzz_logins(struct span s)
{
    struct authd_start start;
    struct authd_continue cont;
    struct authd_password password;
    struct authd_answer answer;
    BUF_AUTO struct buf x = BUF(8192), b = BUF(32768);

    if (rd_authd_start(s, &start)) {
        wr_authd_context(&x, &start.context);
        wr_authd_start(&b, buf_span(&x), start.mechanism, start.initial);
        expect_same(s, &b);
    }
    buf_clear(&x);
    buf_clear(&b);
    if (rd_authd_continue(s, &cont)) {
        wr_authd_context(&x, &cont.context);
        wr_authd_continue(&b, buf_span(&x), cont.state, cont.response);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_password(s, &password)) {
        wr_authd_password(&b, &password);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_answer(s, &answer)) {
        wr_authd_answer(&b, &answer);
        expect_same(s, &b);
    }
}

static void fuzz_addresses(struct span s)
{
    struct authd_resolve resolve;
    struct authd_targets targets;
    struct authd_send_as send_as;
    BUF_AUTO struct buf b = BUF(1 << 20);

    if (rd_authd_resolve(s, &resolve)) {
        wr_authd_resolve(&b, &resolve);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_send_as(s, &send_as)) {
        wr_authd_send_as(&b, &send_as);
        expect_same(s, &b);
    }
    if (rd_authd_targets(s, &targets)) {
        struct directory_target t;
        struct span grant;
        for (uint32_t i = 0; i < targets.count; i++)
            if (rd_authd_target(&targets.targets, &t, &grant))
                CHECK(strlen(t.address) <= NAME_ADDRESS_MAX && t.kind <= DIRECTORY_REMOTE);
    }
}

static void fuzz_managing(struct span s)
{
    struct authd_account_add add;
    struct authd_account_set set;
    struct directory_account account;
    struct directory_entry entry;
    enum directory_entry_kind kind;
    struct span one, two;
    BUF_AUTO struct buf b = BUF(32768);
    struct rd r = rd_of(s);
    bool more;
    uint16_t count;

    if (rd_authd_account_add(s, &add)) {
        wr_authd_account_add(&b, &add);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_account_set(s, &set)) {
        wr_authd_account_set(&b, &set);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_account(&r, &account) && rd_done(&r)) {
        wr_authd_account(&b, &account);
        expect_same(s, &b);
    }
    buf_clear(&b);
    r = rd_of(s);
    if (rd_authd_entry(&r, &entry) && rd_done(&r)) {
        wr_authd_entry(&b, &entry);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_entry_name(s, &kind, &one)) {
        wr_authd_entry_name(&b, kind, one);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_pair(s, &one, &two)) {
        wr_authd_pair(&b, one, two);
        expect_same(s, &b);
    }
    r = rd_of(s);
    rd_authd_page(&r, &more, &count);
}

static void fuzz_certificates(struct span s)
{
    struct authd_certificate facts;
    struct directory_certificate row;
    struct span address;
    uint64_t after;
    BUF_AUTO struct buf b = BUF(32768);

    if (rd_authd_certificate(s, &facts)) {
        wr_authd_certificate(&b, &facts);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_cert_add(s, &address, &row)) {
        wr_authd_cert_add(&b, address, &row);
        expect_same(s, &b);
    }
    buf_clear(&b);
    if (rd_authd_cert_list(s, &address, &after)) {
        wr_authd_cert_list(&b, address, after);
        expect_same(s, &b);
    }
}

/* Names are in all of them. */
static void fuzz_names(struct span s)
{
    struct mail_address a, again;
    char text[NAME_ADDRESS_MAX + 1];
    BUF_AUTO struct buf b = BUF(4 * NAME_PASSWORD_MAX);

    if (name_address_parse(s, &a)) {
        name_address_print(&a, text);
        CHECK(name_address_parse(span_cstr(text), &again) && name_address_eq(&a, &again));
        name_address_cut_detail(&a);
        CHECK(a.local[0] && a.domain[0]);
    }
    if (name_local_parse(s, "example.org", &a))
        CHECK(a.local[0] && a.domain[0]);
    if (name_password_prepare(s, &b))
        CHECK(b.n > 0);
    name_title_valid(s);
    name_newsgroup_valid(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);

    CHECK(copy);
    if (size)
        memcpy(copy, data, size);
    fuzz_logins(span_of(copy, size));
    fuzz_addresses(span_of(copy, size));
    fuzz_managing(span_of(copy, size));
    fuzz_certificates(span_of(copy, size));
    fuzz_names(span_of(copy, size));
    free(copy);
    return 0;
}
