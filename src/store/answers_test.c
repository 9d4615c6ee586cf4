#include "store/answers.h"

#include "store/store_msg.h"
#include "unit/unit.h"

static void put(struct answers *a, uint64_t client, uint64_t counter)
{
    struct answer_at at = {counter, counter * 10, (uint32_t)client, (uint32_t)counter};
    answers_put(a, client, &at);
}

static bool has(const struct answers *a, uint64_t client, uint64_t counter)
{
    struct answer_at at;
    return answers_find(a, client, counter, &at) && at.sequence == counter * 10 &&
           at.file == client;
}

TEST(the_last_window_is_known)
{
    struct answers a;

    answers_init(&a);
    EXPECT(!has(&a, 1, 1));
    for (uint64_t i = 1; i <= 5000; i++) {
        put(&a, 1, i);
        if (i % 3 == 0)
            put(&a, 2, i);
    }
    /* Whatever the order, the last STORE_WINDOW are there. */
    for (uint64_t i = 5000 - STORE_WINDOW + 1; i <= 5000; i++) {
        EXPECT(has(&a, 1, i));
        EXPECT(has(&a, 2, i) == (i % 3 == 0));
    }
    EXPECT(!has(&a, 1, 5001));
    EXPECT(!has(&a, 1, 0));
    EXPECT(!has(&a, 3, 5000));
    answers_forget(&a, 1);
    EXPECT(!has(&a, 1, 5000));
    EXPECT(has(&a, 2, 4998));
    answers_done(&a);
}

TEST(any_order_within_a_window)
{
    struct answers a;
    uint64_t order[STORE_WINDOW];

    answers_init(&a);
    for (uint64_t i = 0; i < STORE_WINDOW; i++)
        order[i] = 1000000 + i;
    for (uint64_t i = STORE_WINDOW - 1; i > 0; i--) {
        uint64_t k = unit_random() % (i + 1), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
    for (uint64_t i = 0; i < STORE_WINDOW; i++)
        put(&a, 9, order[i]);
    for (uint64_t i = 0; i < STORE_WINDOW; i++)
        EXPECT(has(&a, 9, 1000000 + i));
    answers_done(&a);
}
