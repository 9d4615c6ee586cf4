#include "store/index.h"
#include "unit/unit.h"

static int key_cmp(const struct key *a, const struct key *b)
{
    return span_cmp(span_of(a->b, a->n), span_of(b->b, b->n));
}

/* Rows lie in the order of their numbers. */
TEST(keys_are_ordered)
{
    static const uint64_t numbers[] = {0,         1, 255, 256, 65536, UINT32_MAX, UINT64_C(1) << 40,
                                       UINT64_MAX};

    for (size_t i = 0; i < 8; i++) {
        for (size_t k = 0; k < 8; k++) {
            struct key a = key_u64(numbers[i]), b = key_u64(numbers[k]);
            EXPECT((key_cmp(&a, &b) < 0) == (numbers[i] < numbers[k]));
            a = key_change(7, numbers[i], (uint32_t)numbers[k]);
            b = key_change(7, numbers[k], (uint32_t)numbers[i]);
            if (i != k)
                EXPECT((key_cmp(&a, &b) < 0) == (numbers[i] < numbers[k]));
        }
        struct key a = key_u64(numbers[i]);
        EXPECT(key_get_u64(a.b) == numbers[i]);
    }
    struct key m = key_message(9, 77);
    EXPECT(m.n == 12 && key_get_u32(m.b + 8) == 77);
}

TEST(long_names)
{
    char a[STORE_NAME_MAX], b[STORE_NAME_MAX];

    memset(a, 'a', sizeof(a));
    for (size_t n = 1; n <= sizeof(a); n += 7) {
        struct key k = key_name(16, span_of(a, n));
        EXPECT(k.n <= INDEX_KEY_MAX);
        memcpy(b, a, n);
        b[n - 1] = 'b'; /* differs in its last byte only */
        struct key other = key_name(16, span_of(b, n));
        EXPECT(key_cmp(&k, &other) != 0);
        other = key_name(17, span_of(a, n));
        EXPECT(key_cmp(&k, &other) != 0);
    }
}

TEST(names)
{
    static const struct {
        const char *name;
        bool want;
    } cases[] = {
        {"INBOX",        true },
        {"a/b",          true },
        {"",             false},
        {"/a",           false},
        {"a/",           false},
        {"a//b",         false},
        {"a\tb",         false},
        {"a\x7f",        false},
        {"\xc3\xa4",     true },
        {"\xc3",         false},
        {"\xed\xa0\x80", false},
    };
    char room[STORE_NAME_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unit_case(cases[i].name);
        EXPECT(store_name_valid(span_cstr(cases[i].name)) == cases[i].want);
    }
    EXPECT_SPAN(store_name_canonical(16, SPAN("iNbOx"), room), SPAN("INBOX"));
    EXPECT_SPAN(store_name_canonical(16, SPAN("inbox/Sub"), room), SPAN("INBOX/Sub"));
    EXPECT_SPAN(store_name_canonical(16, SPAN("inboxes"), room), SPAN("inboxes"));
    EXPECT_SPAN(store_name_canonical(STORE_ACCOUNT_PUBLIC, SPAN("inbox"), room), SPAN("inbox"));
}

TEST(message_ids_are_seeded)
{
    struct key a = key_message_id(1, 0, SPAN("<a@b>")), b = key_message_id(2, 0, SPAN("<a@b>")),
               c = key_message_id(1, 5, SPAN("<a@b>")), d = key_message_id(1, 0, SPAN("<a@c>"));

    EXPECT(key_cmp(&a, &b) != 0 && key_cmp(&a, &c) != 0 && key_cmp(&a, &d) != 0);
    EXPECT(c.n == 24 && key_get_u64(c.b) == 5);
    a = key_message_id(1, 0, SPAN_EMPTY);
    EXPECT_INT(a.n, 16);
}
