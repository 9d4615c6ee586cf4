#include "store/marks.h"

#include "unit/unit.h"
#include <stdlib.h>

/* Random changes against an array that remembers each UID by itself. */
TEST(against_an_array)
{
    struct mark want[MARKS_CHUNK] = {
        {false, 0}
    };
    char row[MARKS_ROW_MAX], next[MARKS_ROW_MAX];
    size_t n = 0;
    uint64_t modseq = 1, floor = 0;

    for (int round = 0; round < 2000; round++) {
        uint8_t at[MARKS_CHUNK];
        size_t count = 0;
        unsigned step = 1 + (unsigned)(rand() % 40);
        for (unsigned k = (unsigned)(rand() % MARKS_CHUNK); k < MARKS_CHUNK && count < 50;
             k += step)
            at[count++] = (uint8_t)k;
        struct mark mark = {rand() % 3 != 0, ++modseq};
        if (rand() % 20 == 0)
            floor = modseq - (uint64_t)(rand() % 10);
        n = marks_set(span_of(row, n), at, count, mark, floor, next);
        memcpy(row, next, n);
        for (unsigned k = 0; k < MARKS_CHUNK; k++)
            if (want[k].modseq && want[k].modseq < floor)
                want[k].modseq = floor;
        for (size_t i = 0; i < count; i++)
            want[at[i]] = mark;
        EXPECT(marks_sane(span_of(row, n)));
        for (unsigned k = 0; k < MARKS_CHUNK; k++) {
            struct mark got = marks_get(span_of(row, n), k);
            if (got.seen != want[k].seen || got.modseq != want[k].modseq) {
                unit_fail(__FILE__, __LINE__, "round %d: UID %u", round, k);
                return;
            }
        }
    }
}

/* A group that is read from end to end costs one run. */
TEST(runs_melt)
{
    char row[MARKS_ROW_MAX], next[MARKS_ROW_MAX];
    uint8_t at[1];
    size_t n = 0;

    for (unsigned k = 0; k < MARKS_CHUNK; k++) {
        at[0] = (uint8_t)k;
        n = marks_set(span_of(row, n), at, 1, (struct mark){true, 10 + k}, 0, next);
        memcpy(row, next, n);
    }
    EXPECT_INT(n, MARKS_ROW_MAX);
    at[0] = 0;
    n = marks_set(span_of(row, n), at, 1, (struct mark){true, 1000}, 1000, next);
    EXPECT_INT(n, MARKS_ROW_MAX / MARKS_CHUNK);
    EXPECT_INT(marks_get(span_of(next, n), 77).modseq, 1000);
}

TEST(bad_rows)
{
    char row[MARKS_ROW_MAX] = {0};
    uint8_t at[] = {3, 4, 9};
    size_t n = marks_set(SPAN_EMPTY, at, 3, (struct mark){true, 5}, 0, row);

    EXPECT(marks_sane(span_of(row, n)));
    EXPECT(!marks_sane(span_of(row, n - 1)));
    EXPECT(!marks_sane(SPAN_EMPTY));
    row[10] = 2; /* neither seen nor not */
    EXPECT(!marks_sane(span_of(row, n)));
    row[10] = 1;
    row[8] = 9; /* first behind last */
    EXPECT(!marks_sane(span_of(row, n)));
}
