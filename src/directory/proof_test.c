#include "directory/proof.h"

#include "base/clock.h"
#include "unit/unit.h"

TEST(a_proof_holds_for_its_account_epoch_and_password)
{
    struct proofs *p = proofs_new(300, 100);

    clock_fake(1000000);
    EXPECT(!proofs_has(p, 16, 1, SPAN("pw")));
    proofs_add(p, 16, 1, SPAN("pw"));
    EXPECT(proofs_has(p, 16, 1, SPAN("pw")));
    EXPECT(!proofs_has(p, 16, 2, SPAN("pw")));
    EXPECT(!proofs_has(p, 17, 1, SPAN("pw")));
    EXPECT(!proofs_has(p, 16, 1, SPAN("pW")));
    EXPECT(!proofs_has(p, 16, 1, SPAN("")));
    proofs_add(p, 16, 2, SPAN("new"));
    EXPECT(!proofs_has(p, 16, 1, SPAN("pw")));
    EXPECT(proofs_has(p, 16, 2, SPAN("new")));
    proofs_forget(p, 16);
    EXPECT(!proofs_has(p, 16, 2, SPAN("new")));
    EXPECT_INT(proofs_size(p), 0);
    proofs_free(p);
    clock_fake(0);
}

TEST(proofs_end)
{
    struct proofs *p = proofs_new(300, 100);

    clock_fake(1000000);
    proofs_add(p, 16, 1, SPAN("pw"));
    clock_fake(1000000 + 299999);
    EXPECT(proofs_has(p, 16, 1, SPAN("pw")));
    clock_fake(1000000 + 300000);
    EXPECT(!proofs_has(p, 16, 1, SPAN("pw")));
    EXPECT_INT(proofs_size(p), 0);
    proofs_add(p, 16, 1, SPAN("pw"));
    proofs_set_seconds(p, 0);
    EXPECT(!proofs_has(p, 16, 1, SPAN("pw")));
    proofs_add(p, 16, 1, SPAN("pw"));
    EXPECT_INT(proofs_size(p), 0);
    proofs_free(p);
    clock_fake(0);
}

TEST(the_oldest_proof_gives_way)
{
    struct proofs *p = proofs_new(300, 10);

    for (uint64_t i = 16; i < 40; i++)
        proofs_add(p, i, 1, SPAN("pw"));
    EXPECT_INT(proofs_size(p), 10);
    EXPECT(!proofs_has(p, 29, 1, SPAN("pw")));
    EXPECT(proofs_has(p, 30, 1, SPAN("pw")));
    EXPECT(proofs_has(p, 39, 1, SPAN("pw")));
    proofs_free(p);
}

TEST(digests_differ)
{
    struct proofs *p = proofs_new(300, 10), *q = proofs_new(300, 10);
    uint64_t d = proofs_digest(p, SPAN("joe@x"), 1, SPAN("pw"));

    EXPECT(d == proofs_digest(p, SPAN("joe@x"), 1, SPAN("pw")));
    EXPECT(d != proofs_digest(p, SPAN("joe@x"), 2, SPAN("pw")));
    EXPECT(d != proofs_digest(p, SPAN("joe@y"), 1, SPAN("pw")));
    EXPECT(d != proofs_digest(p, SPAN("joe@x"), 1, SPAN("pv")));
    EXPECT(d != proofs_digest(q, SPAN("joe@x"), 1, SPAN("pw")));
    proofs_free(p);
    proofs_free(q);
}
