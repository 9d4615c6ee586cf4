#include "base/list.h"

#include "unit/unit.h"

struct item {
    int v;
    struct list link;
};

static int digits(struct list *head)
{
    int v = 0;
    list_for_each (head, struct item, link, it)
        v = v * 10 + it->v;
    return v;
}

TEST(order_and_removal)
{
    struct list head;
    struct item a = {.v = 1}, b = {.v = 2}, c = {.v = 3};

    list_init(&head);
    EXPECT(list_empty(&head));
    EXPECT_INT(digits(&head), 0);
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    list_prepend(&head, &a.link);
    EXPECT_INT(digits(&head), 123);
    list_remove(&b.link);
    EXPECT_INT(digits(&head), 13);
    list_remove(&b.link); /* in no list: allowed */
    list_insert(&c.link, &b.link);
    EXPECT_INT(digits(&head), 123);

    list_for_each (&head, struct item, link, it)
        if (it->v != 2)
            list_remove(&it->link);
    EXPECT_INT(digits(&head), 2);
    list_remove(&b.link);
    EXPECT(list_empty(&head));
}
