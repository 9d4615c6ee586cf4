#include "store/client.h"
#include "unit/unit.h"

#include <stdlib.h>

enum { PAGE = 4096, PAGES = 200, HELD = 64 };

/* Given out at random, no two overlap, and all comes back. */
TEST(regions_never_overlap)
{
    struct ring r;
    struct region held[HELD] = {
        {0, 0}
    };
    unsigned char owner[PAGES] = {0};
    unsigned refused = 0;

    REQUIRE(ring_init(&r, AREA_RING, PAGES * PAGE, PAGE) == 0);
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)(unit_random() % HELD);
        if (held[i].pages) {
            if (unit_random() % 4 == 0) {
                uint32_t before = held[i].pages;
                if (ring_grow(&r, &held[i], (before + 1) * (uint64_t)PAGE)) {
                    EXPECT_INT(held[i].pages, before + 1);
                    EXPECT_INT(owner[held[i].page + before], 0);
                    owner[held[i].page + before] = 1;
                }
                continue;
            }
            for (uint32_t k = 0; k < held[i].pages; k++)
                owner[held[i].page + k] = 0;
            ring_give(&r, &held[i]);
            EXPECT_INT(held[i].pages, 0);
            continue;
        }
        uint64_t bytes = unit_random() % (12 * PAGE);
        if (!ring_take(&r, bytes, &held[i])) {
            refused++;
            continue;
        }
        EXPECT(region_bytes(&r, &held[i]) >= bytes);
        EXPECT(held[i].page + held[i].pages <= PAGES);
        for (uint32_t k = 0; k < held[i].pages; k++) {
            EXPECT_INT(owner[held[i].page + k], 0);
            owner[held[i].page + k] = 1;
        }
    }
    EXPECT(refused > 0);
    for (size_t i = 0; i < HELD; i++)
        ring_give(&r, &held[i]);
    EXPECT_INT(r.used, 0);
    struct region all;
    EXPECT(ring_take(&r, PAGES * PAGE, &all));
    EXPECT(!ring_take(&r, 1, &held[0]));
    EXPECT(!ring_grow(&r, &all, PAGES * PAGE + 1));
    ring_give(&r, &all);
    ring_done(&r);
}

TEST(empty_ring)
{
    struct ring r;
    struct region g;

    REQUIRE(ring_init(&r, AREA_SPOOL, 0, PAGE) == 0);
    EXPECT(!ring_take(&r, 1, &g));
    ring_done(&r);
}
