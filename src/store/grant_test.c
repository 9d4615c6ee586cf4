#include "store/grant.h"

#include "store/store.h"
#include "unit/unit.h"

static const unsigned char secret[GRANT_SECRET_BYTES] = "one secret",
                           other[GRANT_SECRET_BYTES] = "another";

TEST(sealed_and_opened)
{
    struct grant g = {16, GRANT_MAIL | GRANT_POST, 3, 77, 1000, 5}, got;
    struct buf b = BUF(STORE_GRANT_MAX);

    grant_seal(&g, secret, &b);
    EXPECT(!b.overflow);
    REQUIRE(grant_open(buf_span(&b), secret, 999, &got));
    EXPECT(got.account == 16 && got.rights == g.rights && got.worker_generation == 3 &&
           got.session == 77 && got.expires_seconds == 1000 && got.epoch == 5);
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
