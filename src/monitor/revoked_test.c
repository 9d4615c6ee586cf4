#include "monitor/revoked.h"

#include "pki/crl.h"
#include "pki/ocsp.h"
#include "pki/world_test.h"

#include <openssl/x509v3.h>
#include <time.h>

#define URL "http://ca.example.org/ca/issuing.crl"

static struct world world, another;
static struct certificate *leaf;

static struct certificate *issue(const struct world *w, int64_t now)
{
    struct err e = {""};
    struct certificate *c = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                                             .cn = "mx.example.org",
                                                             .names = "mx.example.org",
                                                             .from = now - WORLD_DAY,
                                                             .to = now + WORLD_DAY,
                                                             .issuer = w->issuing,
                                                             .key = w->leaf_key,
                                                             .signer = w->issuing_key},
                                        &e);

    CHECK(c != NULL);
    return c;
}

static void begin(void)
{
    world_init(&world, "p256");
    world_init(&another, "p256");
    leaf = issue(&world, (int64_t)time(NULL));
}

static void end(void)
{
    certificate_free(leaf);
    world_done(&world);
    world_done(&another);
}

/* ---- lists ------------------------------------------------------------------------------- */

struct list {
    const char *name;
    bool has_leaf, foreign, delta;
    const char *point;
    int64_t from, to; /* days from now */
    enum revoked_state want;
};

static void make_list(const struct list *l, int64_t now, struct buf *der)
{
    struct crl_entry entry = {.time = now - 3600, .reason = CRL_KEY_COMPROMISE};
    const struct world *w = l->foreign ? &another : &world;
    struct err e = {""};

    snprintf(entry.serial, sizeof entry.serial, "%s", l->has_leaf ? leaf->serial : "0123");
    CHECK(crl_make(&(struct crl_plan){.issuer = w->issuing,
                                      .signer = w->issuing_key,
                                      .number = 7,
                                      .base = l->delta ? 6 : 0,
                                      .point_url = l->point,
                                      .this_update = now + l->from * WORLD_DAY,
                                      .next_update = now + l->to * WORLD_DAY,
                                      .entries = &entry,
                                      .entry_count = 1},
                   der, &e) == 0);
}

TEST(lists)
{
    static const struct list rows[] = {
        {"good",          false, false, false, NULL,              -1, 1,  REVOKED_NOT     },
        {"revoked",       true,  false, false, NULL,              -1, 1,  REVOKED_YES     },
        {"its part",      true,  false, false, URL,               -1, 1,  REVOKED_YES     },
        {"another part",  true,  false, false, "http://ca/2.crl", -1, 1,  REVOKED_UNUSABLE},
        {"another CA",    true,  true,  false, NULL,              -1, 1,  REVOKED_UNUSABLE},
        {"ended",         false, false, false, NULL,              -3, -1, REVOKED_UNUSABLE},
        {"of tomorrow",   false, false, false, NULL,              1,  2,  REVOKED_UNUSABLE},
        {"only a change", true,  false, true,  NULL,              -1, 1,  REVOKED_UNUSABLE},
    };
    int64_t now = (int64_t)time(NULL);

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf der BUF_AUTO = BUF(65536);
        struct revoked_word w;
        unit_case(rows[i].name);
        make_list(&rows[i], now, &der);
        revoked_by_crl(buf_span(&der), URL, leaf->x509, world.issuing->x509, now, &w);
        EXPECT_INT(w.state, rows[i].want);
        EXPECT_INT(w.why[0] != '\0', rows[i].want == REVOKED_UNUSABLE);
        if (w.state == REVOKED_YES) {
            EXPECT_STR(w.reason, "keyCompromise");
            EXPECT_INT(w.since, now - 3600);
            EXPECT_INT(w.until, now + WORLD_DAY);
        }
        for (size_t cut = 0; cut < der.n; cut += 1 + der.n / 97) {
            revoked_by_crl(span_head(buf_span(&der), cut), URL, leaf->x509, world.issuing->x509,
                           now, &w);
            EXPECT_INT(w.state, REVOKED_UNUSABLE);
        }
    }
    unit_case(NULL);
    end();
}

/* ---- OCSP -------------------------------------------------------------------------------- */

struct answer {
    const char *name;
    enum ocsp_state state;
    bool foreign, stale, other_question, other_leaf;
    enum revoked_state want;
};

static void make_answer(const struct answer *a, struct span question, struct buf *der)
{
    struct ocsp_question q;
    struct ocsp_status status = {
        .state = a->state, .reason = CRL_SUPERSEDED, .revoked_at = (int64_t)time(NULL) - 7200};
    int64_t now = (int64_t)time(NULL);
    struct err e = {""};

    CHECK(ocsp_question_parse(question, &q, &e) == 0);
    CHECK(ocsp_answer(
              &(struct ocsp_plan){.question = &q,
                                  .status = &status,
                                  .issuer = a->foreign ? another.issuing : world.issuing,
                                  .signer = a->foreign ? another.issuing_key : world.issuing_key,
                                  .this_update = now - (a->stale ? 7200 : 60),
                                  .next_update = now + (a->stale ? -3600 : 3600)},
              der, &e) == 0);
    ocsp_question_done(&q);
}

TEST(answers)
{
    static const struct answer rows[] = {
        {"good",             OCSP_GOOD,    false, false, false, false, REVOKED_NOT     },
        {"revoked",          OCSP_REVOKED, false, false, false, false, REVOKED_YES     },
        {"unknown",          OCSP_UNKNOWN, false, false, false, false, REVOKED_UNKNOWN },
        {"of another CA",    OCSP_GOOD,    true,  false, false, false, REVOKED_UNUSABLE},
        {"out of date",      OCSP_GOOD,    false, true,  false, false, REVOKED_UNUSABLE},
        {"another question", OCSP_GOOD,    false, false, true,  false, REVOKED_UNUSABLE},
        {"another leaf",     OCSP_GOOD,    false, false, false, true,  REVOKED_UNUSABLE},
    };

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf der BUF_AUTO = BUF(8192), asked BUF_AUTO = BUF(8192), got BUF_AUTO = BUF(65536);
        struct certificate *other = issue(&world, (int64_t)time(NULL));
        OCSP_REQUEST *q = revoked_question(leaf->x509, world.issuing->x509, &der), *wrong;
        struct revoked_word w;
        unit_case(rows[i].name);
        REQUIRE(q != NULL);
        wrong = revoked_question(rows[i].other_leaf ? other->x509 : leaf->x509, world.issuing->x509,
                                 &asked);
        make_answer(
            &rows[i],
            rows[i].other_question || rows[i].other_leaf ? buf_span(&asked) : buf_span(&der), &got);
        revoked_by_ocsp(buf_span(&got), rows[i].other_leaf ? wrong : q, leaf->x509,
                        world.issuing->x509, &w);
        EXPECT_INT(w.state, rows[i].want);
        if (w.state == REVOKED_YES)
            EXPECT_STR(w.reason, "superseded");
        for (size_t cut = 0; cut < got.n; cut += 1 + got.n / 97) {
            revoked_by_ocsp(span_head(buf_span(&got), cut), q, leaf->x509, world.issuing->x509, &w);
            EXPECT_INT(w.state, REVOKED_UNUSABLE);
        }
        OCSP_REQUEST_free(q);
        OCSP_REQUEST_free(wrong);
        certificate_free(other);
    }
    unit_case(NULL);
    end();
}

TEST(refusals)
{
    struct buf der BUF_AUTO = BUF(1024);
    struct revoked_word w;

    begin();
    CHECK(ocsp_refusal(OCSP_REFUSED_UNAUTHORIZED, &der));
    revoked_by_ocsp(buf_span(&der), NULL, leaf->x509, world.issuing->x509, &w);
    EXPECT_INT(w.state, REVOKED_UNUSABLE);
    EXPECT(strstr(w.why, "unauthorized") != NULL);
    end();
}
