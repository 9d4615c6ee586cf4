#include "pki/cert_msg.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

TEST(ca_issue_there_and_back)
{
    struct buf b BUF_AUTO = BUF(65536);
    struct ca_issue_msg in = {.profile = "server",
                              .days = 30,
                              .requester = "vserver imap4-default",
                              .request = SPAN("\x30\x00pkcs10")},
                        out;
    struct span whole;

    cert_names_add_any(&in.names, SPAN("mail.example.org"));
    cert_names_add_any(&in.names, SPAN("::1"));
    wr_ca_issue(&b, &in);
    whole = buf_span(&b);
    REQUIRE(rd_ca_issue(whole, &out));
    EXPECT_STR(out.profile, "server");
    EXPECT_STR(out.requester, "vserver imap4-default");
    EXPECT_INT(out.days, 30);
    EXPECT_SPAN(out.request, in.request);
    EXPECT(cert_names_same(&out.names, &in.names));
    cert_names_done(&out.names);
    for (size_t n = 0; n < whole.n; n++)
        EXPECT(!rd_ca_issue(span_head(whole, n), &out));
    buf_putc(&b, 0);
    EXPECT(!rd_ca_issue(buf_span(&b), &out));
    /* what is no name does not come in */
    free(in.names.v[0].text);
    in.names.v[0].text = span_dup(SPAN("mail..example"));
    buf_clear(&b);
    wr_ca_issue(&b, &in);
    EXPECT(!rd_ca_issue(buf_span(&b), &out));
    cert_names_done(&in.names);
}

TEST(accounts_and_revocations_there_and_back)
{
    struct buf b BUF_AUTO = BUF(1024);
    struct cert_account_msg account = {"letsencrypt", CERT_ACCOUNT_LEAVE}, account2;
    struct cert_revoke_msg revoke = {"smtp-default", "0a0b", 10}, revoke2;

    wr_cert_account(&b, &account);
    REQUIRE(rd_cert_account(buf_span(&b), &account2));
    EXPECT_STR(account2.authority, "letsencrypt");
    EXPECT_INT(account2.what, CERT_ACCOUNT_LEAVE);
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!rd_cert_account(span_head(buf_span(&b), n), &account2));
    b.p[b.n - 1] = CERT_ACCOUNT_WHATS;
    EXPECT(!rd_cert_account(buf_span(&b), &account2));

    buf_clear(&b);
    wr_cert_revoke(&b, &revoke);
    REQUIRE(rd_cert_revoke(buf_span(&b), &revoke2));
    EXPECT_STR(revoke2.vserver, "smtp-default");
    EXPECT_STR(revoke2.serial, "0a0b");
    EXPECT_INT(revoke2.reason, 10);
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!rd_cert_revoke(span_head(buf_span(&b), n), &revoke2));
    b.p[b.n - 1] = 11;
    EXPECT(!rd_cert_revoke(buf_span(&b), &revoke2));
}

TEST(cert_identity_there_and_back)
{
    struct buf b BUF_AUTO = BUF(65536), chain BUF_AUTO = BUF(65536);
    struct cert_identity_msg in = {.vserver = "imap4-default",
                                   .slot = 1,
                                   .key_id = "00112233445566778899aabbccddeeff",
                                   .serial = "0a0b"};
    struct cert_identity_msg out;
    size_t head;

    while (chain.n < 30000)
        wr_span(&chain, SPAN("a certificate"));
    wr_cert_identity(&b, &in);
    head = b.n;
    buf_clear(&b);
    in.chain = buf_span(&chain);
    wr_cert_identity(&b, &in);
    REQUIRE(rd_cert_identity(buf_span(&b), &out));
    EXPECT_STR(out.vserver, in.vserver);
    EXPECT_STR(out.key_id, in.key_id);
    EXPECT_STR(out.serial, in.serial);
    EXPECT_INT(out.slot, 1);
    EXPECT_SPAN(out.chain, in.chain);
    for (size_t n = 0; n < head; n++)
        EXPECT(!rd_cert_identity(span_head(buf_span(&b), n), &out));
    EXPECT(rd_cert_identity(span_head(buf_span(&b), head), &out));
    EXPECT_INT(out.chain.n, 0);
    in.slot = 2;
    buf_clear(&b);
    wr_cert_identity(&b, &in);
    EXPECT(!rd_cert_identity(buf_span(&b), &out));
}

TEST(small_ones_there_and_back)
{
    struct buf b BUF_AUTO = BUF(4096);
    struct ca_list_msg list;
    struct ca_revoke_msg revoke;
    struct ca_state_msg state;
    struct ca_issued_msg issued;
    char word[CERT_MSG_WORD_MAX + 1], longer[CERT_MSG_WORD_MAX + 2];
    int64_t ca;

    wr_ca_list(&b, &(struct ca_list_msg){3, -7});
    EXPECT(rd_ca_list(buf_span(&b), &list) && list.filter == 3 && list.after == -7);
    EXPECT(!rd_ca_list(span_head(buf_span(&b), b.n - 1), &list));
    buf_clear(&b);
    wr_ca_revoke(&b, &(struct ca_revoke_msg){"0a0b0c", 4});
    EXPECT(rd_ca_revoke(buf_span(&b), &revoke) && revoke.reason == 4);
    EXPECT_STR(revoke.serial, "0a0b0c");
    buf_clear(&b);
    wr_ca_issued(&b, &(struct ca_issued_msg){"77", SPAN("chain")});
    EXPECT(rd_ca_issued(buf_span(&b), &issued));
    EXPECT_STR(issued.serial, "77");
    EXPECT_SPAN(issued.chain, SPAN("chain"));
    buf_clear(&b);
    wr_ca_state(&b, &(struct ca_state_msg){true, 1, 1795500000});
    EXPECT(rd_ca_state(buf_span(&b), &state) && state.revoked && state.reason == 1 &&
           state.time == 1795500000);
    EXPECT(!rd_ca_state(span_head(buf_span(&b), b.n - 1), &state));
    buf_clear(&b);
    wr_ca_crl(&b, 5);
    EXPECT(rd_ca_crl(buf_span(&b), &ca) && ca == 5);
    EXPECT(!rd_ca_crl(SPAN("1234"), &ca));
    buf_clear(&b);
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    wr_cert_word(&b, longer);
    EXPECT(!rd_cert_word(buf_span(&b), word));
    buf_clear(&b);
    wr_cert_word(&b, longer + 1);
    EXPECT(rd_cert_word(buf_span(&b), word));
    EXPECT_STR(word, longer + 1);
}
