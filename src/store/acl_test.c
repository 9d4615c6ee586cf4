#include "store/annex.h"
#include "store/store_testing.h"

TEST(letters)
{
    static const struct {
        const char *letters, *printed;
        bool ok;
    } rows[] = {
        {"",            "",              true },
        {"lrs",         "lrs",           true },
        {"srl",         "lrs",           true },
        {"c",           "kxc",           true },
        {"d",           "ted",           true },
        {"k",           "kc",            true },
        {"e",           "ed",            true },
        {"lrswipkxtea", "lrswipkxteacd", true },
        {"lz",          "",              false},
        {"L",           "",              false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = BUF(100);
        uint32_t rights = 0;
        EXPECT(acl_parse(span_cstr(rows[i].letters), &rights) == rows[i].ok);
        if (rows[i].ok) {
            acl_print(rights, &b);
            EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].printed));
        }
        buf_done(&b);
    }
    EXPECT(!acl_parse(span_of("l\0", 2), &(uint32_t){0}));
}

static uint32_t rights_of(uint64_t box, const struct buf *token)
{
    struct mailbox_info m;
    struct store_read r;
    struct grant g;
    uint32_t rights = 0;

    CHECK(grant_peek(buf_span(token), &g));
    CHECK(store_read_begin(s, &r) == 0);
    if (store_mailbox_get(&r, box, &m) == 0)
        rights = store_acl_rights(&r, &m, &g);
    store_read_end(&r);
    return rights;
}

/* Each change that a grant without the right asks for is refused where the data is, whatever the
 * worker says; with the right it is done. */
static void enforced(void *arg)
{
    struct rangeset one = set("1"), gone = RANGESET_EMPTY;
    struct store_appended done;
    struct store_copied copied = {0};
    uint64_t box = mailbox(ALICE, "Drafts"), own = mailbox(BOB, "INBOX"), id;
    struct store_flags f = {.grant = buf_span(&bob),
                            .mailbox = box,
                            .uids = &one,
                            .op = FLAGS_ADD,
                            .flags = STORE_FLAGGED,
                            .unchanged_since = UINT64_MAX};
    struct store_note note = {.entry = SPAN("/comment"), .value = SPAN("x"), .shared = true};

    CHECK(store_harness_account_named(h, ALICE, 1, 1, 0, "alice@example.org") == 0);
    CHECK(store_harness_account_named(h, BOB, 1, 1, 0, "bob@example.org") == 0);
    EXPECT_INT(append(box, "one", 0, &done), 0);
    static const struct {
        const char *letters;
        int flags, expunge, copy, move, create, note, acl;
    } rows[] = {
        {"",            -EACCES, -EACCES, -EACCES, -EACCES, -EACCES, -EACCES, -EACCES},
        {"lr",          -EACCES, -EACCES, 0,       -EACCES, -EACCES, -EACCES, -EACCES},
        {"lrw",         0,       -EACCES, 0,       -EACCES, -EACCES, 0,       -EACCES},
        {"lrwk",        0,       -EACCES, 0,       -EACCES, 0,       0,       -EACCES},
        {"lre",         -EACCES, 0,       0,       -EACCES, -EACCES, -EACCES, -EACCES},
        {"lrswipkxtea", 0,       0,       0,       0,       0,       0,       0      },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t rights;
        char name[40];
        CHECK(acl_parse(span_cstr(rows[i].letters), &rights));
        EXPECT_INT(
            store_acl_set(s, buf_span(&alice), box, SPAN("Bob@example.org"), ACL_SET, rights), 0);
        EXPECT_INT(rights_of(box, &bob), rights);
        EXPECT_INT(rights_of(box, &alice), ACL_ALL);
        EXPECT_INT(store_flags(s, &f, NULL, NULL), rows[i].flags);
        EXPECT_INT(store_expunge(s, buf_span(&bob), box, &one, true, &gone), rows[i].expunge);
        EXPECT_INT(store_copy(s, buf_span(&bob), box, &one, own, false, &copied), rows[i].copy);
        rangeset_done(&copied.from);
        rangeset_done(&copied.to);
        snprintf(name, sizeof name, "Drafts/%zu", i);
        EXPECT_INT(store_mailbox_create(s, buf_span(&bob), ALICE, span_cstr(name), 0, &id),
                   rows[i].create);
        EXPECT_INT(store_note_set(s, buf_span(&bob), box, &note, 1), rows[i].note);
        EXPECT_INT(store_acl_set(s, buf_span(&bob), box, SPAN("anyone"), ACL_TAKE, ACL_LOOKUP),
                   rows[i].acl);
        EXPECT_INT(store_copy(s, buf_span(&bob), box, &one, own, true, &copied), rows[i].move);
        rangeset_done(&copied.from);
        rangeset_done(&copied.to);
    }
    EXPECT_INT(store_acl_set(s, buf_span(&alice), box, SPAN("alice@example.org"), ACL_SET, 0),
               -EPERM);
    EXPECT_INT(store_acl_set(s, buf_span(&alice), box, SPAN("eve@example.org"), ACL_SET, 1),
               -ESRCH);
    EXPECT_INT(store_acl_set(s, buf_span(&alice), own, SPAN("anyone"), ACL_SET, 1), -EACCES);
    /* whoever has the address now has none of the former one's rights */
    CHECK(store_harness_account_named(h, BOB, 3, 1, 0, "") == 0);
    rangeset_done(&one);
    rangeset_done(&gone);
}

TEST(enforcement)
{
    with_store(enforced);
}
