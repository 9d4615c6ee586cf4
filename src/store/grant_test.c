#include "store/grant.h"

#include "store/store.h"
#include "unit/unit.h"

static const unsigned char secret[GRANT_SECRET_BYTES] = "one secret",
                           other[GRANT_SECRET_BYTES] = "another";

TEST(sealed_and_opened)
{
    struct grant g = {.account = 16,
                      .rights = GRANT_MAIL | GRANT_POST,
                      .worker_generation = 3,
                      .session = 77,
                      .expires_seconds = 1000,
                      .epoch = 5,
                      .group_count = GRANT_GROUPS_MAX},
                 got, peeked;
    struct buf b = BUF(STORE_GRANT_MAX);

    for (unsigned i = 0; i < GRANT_GROUPS_MAX; i++)
        g.groups[i] = 100 + i;
    grant_seal(&g, secret, &b);
    EXPECT(!b.overflow);
    REQUIRE(grant_open(buf_span(&b), secret, 999, &got));
    EXPECT(got.account == 16 && got.rights == g.rights && got.worker_generation == 3 &&
           got.session == 77 && got.expires_seconds == 1000 && got.epoch == 5);
    EXPECT(got.group_count == GRANT_GROUPS_MAX &&
           memcmp(got.groups, g.groups, sizeof g.groups) == 0);
    EXPECT(grant_peek(buf_span(&b), &peeked) && peeked.account == 16 &&
           peeked.group_count == GRANT_GROUPS_MAX && peeked.groups[19] == 119);
    EXPECT(!grant_peek(span_head(buf_span(&b), b.n - 1), &peeked));
    EXPECT(!grant_open(buf_span(&b), secret, 1000, &got));
    EXPECT(!grant_open(buf_span(&b), other, 0, &got));
    EXPECT(!grant_open(SPAN_EMPTY, secret, 0, &got));
    /* No bit may change, nothing may be missing. */
    for (size_t i = 0; i < b.n * 8; i++) {
        b.p[i / 8] ^= (char)(1 << i % 8);
        EXPECT(!grant_open(buf_span(&b), secret, 0, &got));
        b.p[i / 8] ^= (char)(1 << i % 8);
    }
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!grant_open(span_head(buf_span(&b), n), secret, 0, &got));
    buf_done(&b);
}

TEST(forwarding_is_bound_to_the_address)
{
    struct grant g = {.rights = GRANT_FORWARD, .expires_seconds = 1000};
    struct buf b = BUF(STORE_GRANT_MAX), login = BUF(STORE_GRANT_MAX),
               of_account = BUF(STORE_GRANT_MAX);
    struct span to = SPAN("Friend@Far.example");

    grant_address(to, g.address);
    grant_seal(&g, secret, &b);
    EXPECT(grant_forwards(buf_span(&b), secret, 999, to));
    EXPECT(grant_forwards(buf_span(&b), secret, 999, SPAN("friend@far.EXAMPLE")));
    EXPECT(!grant_forwards(buf_span(&b), secret, 1000, to));
    EXPECT(!grant_forwards(buf_span(&b), other, 999, to));
    EXPECT(!grant_forwards(buf_span(&b), secret, 999, SPAN("friend@far.example2")));
    EXPECT(!grant_forwards(buf_span(&b), secret, 999, SPAN("riend@far.example")));
    EXPECT(!grant_forwards(buf_span(&b), secret, 999, SPAN_EMPTY));
    EXPECT(!grant_forwards(SPAN_EMPTY, secret, 999, to));
    /* A login's grant is none of these, whatever stands in it. */
    g.rights = GRANT_SUBMIT;
    grant_seal(&g, secret, &login);
    EXPECT(!grant_forwards(buf_span(&login), secret, 999, to));
    g.rights = GRANT_FORWARD;
    g.account = 16;
    grant_seal(&g, secret, &of_account);
    EXPECT(!grant_forwards(buf_span(&of_account), secret, 999, to));
    buf_done(&b);
    buf_done(&login);
    buf_done(&of_account);
}
