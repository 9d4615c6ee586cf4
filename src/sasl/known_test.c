#include "sasl/known.h"
#include "unit/unit.h"
#include <stdio.h>

static struct auth_target target(enum auth_target_kind kind, uint64_t id)
{
    struct auth_target t = {.kind = kind, .id = id};
    snprintf(t.address, sizeof t.address, "u%u@example.test", (unsigned)id);
    return t;
}

static bool leads_to(const struct known *k, struct span address, uint64_t now, uint64_t id)
{
    struct auth_target got;
    return known_get(k, address, now, &got) && got.id == id;
}

TEST(kept_for_a_while)
{
    struct known *k = known_new();
    struct auth_target one = target(TARGET_ACCOUNT, 16), two = target(TARGET_FOLDER, 17);

    EXPECT(!leads_to(k, SPAN("a@x"), 1000, 16));
    known_put(k, known_generation(k), SPAN("a@x"), 1000, &one);
    known_put(k, known_generation(k), SPAN("b@x"), 1000, &two);
    EXPECT(leads_to(k, SPAN("a@x"), 1001, 16));
    EXPECT(leads_to(k, SPAN("b@x"), 1001, 17));
    EXPECT(!leads_to(k, SPAN("a@"), 1001, 16) && !leads_to(k, SPAN("A@x"), 1001, 16));
    EXPECT(leads_to(k, SPAN("a@x"), 5999, 16));
    EXPECT(!leads_to(k, SPAN("a@x"), 6000, 16));
    known_put(k, known_generation(k), SPAN("a@x"), 7000, &two);
    EXPECT(leads_to(k, SPAN("a@x"), 7001, 17));
    known_free(k);
}

TEST(forgotten_when_something_changed)
{
    struct known *k = known_new();
    struct auth_target one = target(TARGET_ACCOUNT, 16);
    uint64_t asked = known_generation(k);

    known_put(k, asked, SPAN("a@x"), 1000, &one);
    known_forget(k);
    EXPECT(!leads_to(k, SPAN("a@x"), 1001, 16));
    /* asked before the change, answered after it */
    known_put(k, asked, SPAN("a@x"), 1002, &one);
    EXPECT(!leads_to(k, SPAN("a@x"), 1003, 16));
    known_put(k, known_generation(k), SPAN("a@x"), 1004, &one);
    EXPECT(leads_to(k, SPAN("a@x"), 1005, 16));
    known_free(k);
}

TEST(not_what_leads_elsewhere_and_no_more_than_there_is_room_for)
{
    struct known *k = known_new();
    struct auth_target away = target(TARGET_REMOTE, 0), one = target(TARGET_ACCOUNT, 16);
    char name[AUTH_NAME_MAX + 10];
    unsigned kept = 0;

    known_put(k, 0, SPAN("a@x"), 1000, &away);
    EXPECT(!leads_to(k, SPAN("a@x"), 1001, 0));
    known_put(k, 0, SPAN_EMPTY, 1000, &one);
    memset(name, 'x', sizeof name);
    known_put(k, 0, span_of(name, sizeof name), 1000, &one);
    EXPECT(!leads_to(k, span_of(name, sizeof name), 1001, 16));
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "u%u@x", i);
        known_put(k, 0, span_cstr(name), 1000, &one);
    }
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "u%u@x", i);
        kept += leads_to(k, span_cstr(name), 1001, 16);
    }
    EXPECT(kept > 100 && kept <= 256);
    known_free(k);
}
