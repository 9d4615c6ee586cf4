/* The table of states, and the file. */
#include "pki/life_world_test.h"

TEST(identity_table)
{
    static const char *const way[] = {"none",   "key",  "requested", "pending", "issued",
                                      "staged", "live", "renewing",  "retired", "none"};

    for (size_t i = 0; i + 1 < ARRAY_LEN(way); i++) {
        enum identity_state a = 0, b = 0;
        while (strcmp(identity_state_name(a), way[i]) != 0)
            a++;
        while (strcmp(identity_state_name(b), way[i + 1]) != 0)
            b++;
        unit_case(way[i]);
        EXPECT(identity_may_follow(a, b));
    }
    unit_case(NULL);
    EXPECT(!identity_may_follow(IDENTITY_NONE, IDENTITY_LIVE));
    EXPECT(!identity_may_follow(IDENTITY_ISSUED, IDENTITY_LIVE));
    EXPECT(!identity_may_follow(IDENTITY_RETIRED, IDENTITY_LIVE));
    EXPECT(!identity_may_follow(IDENTITY_LIVE, IDENTITY_NONE));
}

/* As version 2 wrote it. */
static void without_unproved(struct buf *file)
{
    size_t at = strlen("sealpost identity 3\n") + 4 + strlen("imap4-default") + 1;
    unsigned char sum[32];

    REQUIRE(span_eq(span_sub(buf_span(file), at - 1, 2), span_of("\0\1", 2)));
    memmove(file->p + at, file->p + at + 1, file->n - at - 1);
    file->p[strlen("sealpost identity ")] = '2';
    buf_truncate(file, file->n - 1 - sizeof(sum));
    REQUIRE(EVP_Digest(file->p, file->n, sum, NULL, EVP_sha256(), NULL) == 1);
    buf_put(file, sum, sizeof(sum));
}

TEST(identity_file)
{
    struct life l;
    struct err e = {""};
    struct identity id;
    struct buf again BUF_AUTO = BUF(IDENTITY_FILE_MAX);

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(life_renew(&l, "again", &e), 0);
    f.fail_issue = -EPIPE;
    EXPECT(life_renew(&l, "and again", &e) < 0);
    REQUIRE(identity_read(buf_span(&f.disk), &id, &e) == 0);
    EXPECT_STR(identity_state_name(id.current.state), "renewing");
    EXPECT_STR(identity_state_name(id.next.state), "requested");
    EXPECT_INT(id.retired_count, 1);
    identity_write(&id, &again);
    EXPECT_SPAN(buf_span(&again), buf_span(&f.disk));
    identity_done(&id);
    for (size_t n = 0; n < again.n; n++)
        EXPECT(identity_read(span_head(buf_span(&again), n), &id, &e) < 0);
    for (size_t i = 0; i < again.n; i++) {
        again.p[i] ^= 0x20;
        EXPECT(identity_read(buf_span(&again), &id, &e) < 0);
        again.p[i] ^= 0x20;
    }
    /* version 2, which had no word on whether it was looked at */
    REQUIRE(identity_read(buf_span(&again), &id, &e) == 0);
    id.unproved = true;
    buf_clear(&again);
    identity_write(&id, &again);
    identity_done(&id);
    REQUIRE(identity_read(buf_span(&again), &id, &e) == 0);
    EXPECT(id.unproved);
    identity_done(&id);
    without_unproved(&again);
    REQUIRE(identity_read(buf_span(&again), &id, &e) == 0);
    EXPECT(!id.unproved && id.retired_count == 1);
    identity_done(&id);
    /* a right checksum over contents that make no sense: a live slot without its chain */
    free(l.id.current.chain);
    l.id.current.chain = NULL;
    l.id.current.chain_bytes = 0;
    buf_clear(&again);
    identity_write(&l.id, &again);
    EXPECT(identity_read(buf_span(&again), &id, &e) < 0);
    EXPECT(strstr(e.text, "no sense"));
    life_done(&l);
    end();
}

TEST(identity_history_is_bounded)
{
    struct life l;
    struct err e;
    struct identity id;

    begin();
    boot(&l);
    for (int i = 0; i < 30; i++) {
        EXPECT_INT(life_renew(&l, "again", &e), 0);
        EXPECT_INT(life_tidy(&l, WORLD_NOW + 86400, &e), 0);
    }
    EXPECT_INT(l.id.event_count, IDENTITY_EVENTS_MAX);
    REQUIRE(identity_read(buf_span(&f.disk), &id, &e) == 0);
    EXPECT_INT(id.event_count, IDENTITY_EVENTS_MAX);
    identity_done(&id);
    life_done(&l);
    end();
}
