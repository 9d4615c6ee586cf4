#include "base/rangeset.h"

#include "unit/unit.h"

static void expect_text(const struct rangeset *s, const char *want)
{
    BUF_AUTO struct buf b = BUF(10000);

    EXPECT(rangeset_print(s, &b));
    EXPECT_STR(buf_cstr(&b), want);
}

TEST(parse)
{
    static const struct {
        const char *text;
        uint32_t star;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"1",                                  9, "1"                      },
        {"1:3",                                9, "1:3"                    },
        {"3:1",                                9, "1:3"                    },
        {"1:3,4,6",                            9, "1:4,6"                  },
        {"6,1:3,2:4,6:6",                      9, "1:4,6"                  },
        {"9:7,1,8,2",                          9, "1:2,7:9"                },
        {"*",                                  9, "9"                      },
        {"7:*",                                9, "7:9"                    },
        {"*:7",                                9, "7:9"                    },
        {"12:*",                               9, "9:12"                   },
        {"*:*",                                9, "9"                      },
        {"*",                                  0, ""                       },
        {"1:*,4",                              0, "4"                      },
        {"4294967295",                         9, "4294967295"             },
        {"4294967294:4294967295,4294967295,1", 9, "1,4294967294:4294967295"},
        {"1:4294967295",                       9, "1:4294967295"           },
        {"4294967296",                         9, NULL                     },
        {"0",                                  9, NULL                     },
        {"0:3",                                9, NULL                     },
        {"01",                                 9, NULL                     },
        {"",                                   9, NULL                     },
        {",",                                  9, NULL                     },
        {"1,",                                 9, NULL                     },
        {",1",                                 9, NULL                     },
        {"1:",                                 9, NULL                     },
        {":1",                                 9, NULL                     },
        {"1:2:3",                              9, NULL                     },
        {"1 ",                                 9, NULL                     },
        {"1,,2",                               9, NULL                     },
        {"1-2",                                9, NULL                     },
        {"**",                                 9, NULL                     },
        {"1,2,3,4,5,6",                        9, "1:6"                    },
        {"1,2,3,4,5,6,7",                      9, NULL                     }, /* over max_ranges */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rangeset s = RANGESET_EMPTY;
        rangeset_add(&s, 77, 78);
        unit_case(rows[i].text);
        bool ok = rangeset_parse(span_cstr(rows[i].text), rows[i].star, 6, &s);
        EXPECT(ok == (rows[i].want != NULL));
        expect_text(&s, ok ? rows[i].want : "77:78");
        rangeset_done(&s);
    }
    unit_case(NULL);
}

TEST(print_limit)
{
    struct rangeset s = RANGESET_EMPTY;
    BUF_AUTO struct buf b = BUF(3);

    rangeset_add(&s, 10, 12);
    EXPECT(!rangeset_print(&s, &b));
    rangeset_done(&s);
    rangeset_done(NULL);
}

TEST(borders)
{
    struct rangeset s = RANGESET_EMPTY, t = RANGESET_EMPTY;

    EXPECT_INT(rangeset_min(&s), 0);
    EXPECT_INT(rangeset_max(&s), 0);
    EXPECT_INT(rangeset_nth(&s, 0), 0);
    EXPECT(!rangeset_has(&s, 0) && !rangeset_has(&s, 1));
    rangeset_add(&s, 0, 0);
    rangeset_add(&s, 5, 4);
    EXPECT_INT(s.n, 0);
    rangeset_add(&s, 0, 2);
    rangeset_add(&s, UINT32_MAX, UINT32_MAX);
    expect_text(&s, "1:2,4294967295");
    EXPECT(!rangeset_has(&s, 0) && rangeset_has(&s, UINT32_MAX));
    rangeset_add(&s, 3, UINT32_MAX);
    expect_text(&s, "1:4294967295");
    EXPECT(rangeset_count(&s) == UINT32_MAX);
    EXPECT_INT(rangeset_nth(&s, UINT32_MAX - 1u), UINT32_MAX);
    EXPECT_INT(rangeset_nth(&s, UINT32_MAX), 0);
    EXPECT(rangeset_rank(&s, UINT32_MAX) == UINT32_MAX - 1u);
    rangeset_remove(&s, 10, UINT32_MAX);
    rangeset_remove(&s, 0, 1);
    rangeset_remove(&s, 4, 5);
    rangeset_remove(&s, 9, 8);
    expect_text(&s, "2:3,6:9");
    rangeset_copy(&t, &s);
    rangeset_copy(&t, &t);
    rangeset_remove(&s, 1, UINT32_MAX);
    EXPECT_INT(s.n, 0);
    expect_text(&t, "2:3,6:9");
    rangeset_copy(&t, &s);
    rangeset_clear(&t);
    EXPECT_INT(rangeset_count(&t), 0);
    rangeset_done(&s);
    rangeset_done(&t);
}

enum { SPACE = 200 };

static void compare(const struct rangeset *s, const bool *truth)
{
    uint64_t count = 0;

    for (uint32_t v = 0; v < SPACE; v++) {
        EXPECT(rangeset_has(s, v) == truth[v]);
        EXPECT_INT(rangeset_rank(s, v), count);
        if (truth[v])
            EXPECT_INT(rangeset_nth(s, count++), v);
    }
    EXPECT_INT(rangeset_count(s), count);
    EXPECT_INT(rangeset_nth(s, count), 0);
    for (size_t i = 0; i < s->n; i++) {
        EXPECT(s->r[i].lo && s->r[i].lo <= s->r[i].hi);
        EXPECT(i == 0 || s->r[i].lo > s->r[i - 1].hi + 1);
    }
}

TEST(random_against_array)
{
    struct rangeset s = RANGESET_EMPTY;
    bool truth[SPACE] = {false};

    for (int step = 0; step < 4000; step++) {
        uint64_t r = unit_random();
        uint32_t lo = (uint32_t)(r >> 8) % SPACE, hi = lo + (uint32_t)(r >> 40) % 9;
        bool add = r & 1;
        if (hi >= SPACE)
            hi = SPACE - 1;
        (add ? rangeset_add : rangeset_remove)(&s, lo, hi);
        for (uint32_t v = lo ? lo : 1; v <= hi; v++)
            truth[v] = add;
        if (step % 16 == 0) {
            BUF_AUTO struct buf b = BUF(10000);
            struct rangeset back = RANGESET_EMPTY;
            compare(&s, truth);
            if (s.n) {
                EXPECT(rangeset_print(&s, &b) && rangeset_parse(buf_span(&b), 0, SPACE, &back));
                compare(&back, truth);
            }
            rangeset_done(&back);
        }
    }
    rangeset_done(&s);
}
