#include "directory/throttle.h"

#include "base/clock.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <stdio.h>

static const struct throttle_limits limits = {
    .failures = 3, .window_seconds = 600, .entries_max = 64};

static struct throttle_try try_of(const char *peer, const char *user)
{
    struct throttle_try y = {.user = span_cstr(user)};

    if (inet_pton(AF_INET6, peer, &y.peer) != 1)
        unit_fail(__FILE__, __LINE__, "address");
    return y;
}

/* -1: refused; else the delay. Ends as `outcome`. */
static int64_t attempt(struct throttle *t, const char *peer, const char *user,
                       enum throttle_outcome outcome, uint64_t digest)
{
    struct throttle_try y = try_of(peer, user);
    uint32_t delay = 77;

    if (!throttle_begin(t, &y, &delay))
        return -1;
    throttle_end(t, &y, outcome, digest);
    return delay;
}

TEST(delays_grow_and_then_it_is_refused)
{
    static const int64_t want[] = {0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, -1, -1};
    struct throttle *t = throttle_new(&limits);

    clock_fake(1000000);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        EXPECT_INT(attempt(t, "::ffff:192.0.2.1", "joe@x", THROTTLE_BAD, i + 1), want[i]);
    /* the window after the last counted failure */
    clock_fake(1000000 + 599999);
    EXPECT_INT(attempt(t, "::ffff:192.0.2.1", "joe@x", THROTTLE_BAD, 99), -1);
    clock_fake(1000000 + 600000);
    EXPECT_INT(attempt(t, "::ffff:192.0.2.1", "joe@x", THROTTLE_BAD, 99), 0);
    throttle_free(t);
    clock_fake(0);
}

TEST(an_address_is_slowed_whatever_the_name)
{
    struct throttle *t = throttle_new(&limits);
    char user[] = "a@x";

    clock_fake(1000000);
    for (int i = 0; i < 3; i++, user[0]++)
        EXPECT_INT(attempt(t, "2001:db8::1", user, THROTTLE_BAD, 0), 0);
    EXPECT_INT(attempt(t, "2001:db8::ffff:1:2:3", "z@x", THROTTLE_BAD, 0), 250); /* same /64 */
    EXPECT_INT(attempt(t, "2001:db8:0:1::1", "z2@x", THROTTLE_BAD, 0), 0);
    EXPECT_INT(attempt(t, "::ffff:192.0.2.1", "z3@x", THROTTLE_BAD, 0), 0);
    EXPECT_INT(attempt(t, "::ffff:192.0.2.2", "z4@x", THROTTLE_BAD, 0), 0); /* IPv4: no /64 */
    throttle_free(t);
    clock_fake(0);
}

TEST(a_name_is_slowed_whatever_the_address)
{
    struct throttle *t = throttle_new(&limits);
    char peer[] = "::ffff:192.0.2.1";

    clock_fake(1000000);
    for (int i = 0; i < 3; i++, peer[15]++)
        EXPECT_INT(attempt(t, peer, "joe@x", THROTTLE_BAD, 0), 0);
    EXPECT_INT(attempt(t, peer, "joe@x", THROTTLE_BAD, 0), 250);
    EXPECT_INT(attempt(t, "::ffff:198.51.100.1", "jane@x", THROTTLE_BAD, 0), 0);
    throttle_forget_user(t, SPAN("joe@x"));
    EXPECT_INT(attempt(t, "::ffff:198.51.100.2", "joe@x", THROTTLE_BAD, 0), 0);
    throttle_free(t);
    clock_fake(0);
}

TEST(where_the_user_logged_in_from_is_not_locked_out)
{
    struct throttle *t = throttle_new(&limits);

    clock_fake(1000000);
    EXPECT_INT(attempt(t, "::ffff:203.0.113.1", "joe@x", THROTTLE_GOOD, 0), 0);
    for (uint64_t i = 0; i < 20; i++)
        attempt(t, "::ffff:192.0.2.1", "joe@x", THROTTLE_BAD, i + 1);
    EXPECT_INT(attempt(t, "::ffff:203.0.113.2", "joe@x", THROTTLE_BAD, 0), -1);
    EXPECT_INT(attempt(t, "::ffff:203.0.113.1", "joe@x", THROTTLE_GOOD, 0), 0);
    throttle_free(t);
    clock_fake(0);
}

TEST(a_good_login_does_not_wash_an_address)
{
    struct throttle *t = throttle_new(&limits);
    int64_t last = 0;

    clock_fake(1000000);
    for (uint64_t i = 0; i < 9; i++) {
        last = attempt(t, "::ffff:192.0.2.1", "victim@x", THROTTLE_BAD, i + 1);
        attempt(t, "::ffff:192.0.2.1", "own@x", THROTTLE_GOOD, 0);
    }
    EXPECT(last > 0);
    EXPECT_INT(attempt(t, "::ffff:192.0.2.1", "victim@x", THROTTLE_BAD, 77), -1);
    throttle_free(t);
    clock_fake(0);
}

TEST(the_same_wrong_password_counts_once)
{
    struct throttle *t = throttle_new(&limits);
    struct throttle_try y = try_of("::ffff:192.0.2.1", "joe@x");

    clock_fake(1000000);
    EXPECT(!throttle_is_repeat(t, &y, 42));
    for (int i = 0; i < 50; i++)
        EXPECT_INT(attempt(t, "::ffff:192.0.2.1", "joe@x", THROTTLE_BAD, 42), 0);
    EXPECT(throttle_is_repeat(t, &y, 42));
    EXPECT(!throttle_is_repeat(t, &y, 43));
    EXPECT(!throttle_is_repeat(t, &y, 0));
    clock_fake(1000000 + 600000);
    EXPECT(!throttle_is_repeat(t, &y, 42));
    throttle_free(t);
    clock_fake(0);
}

TEST(tries_at_the_same_time_count)
{
    struct throttle *t = throttle_new(&limits);
    struct throttle_try y = try_of("::ffff:192.0.2.1", "joe@x");
    uint32_t delay;
    int begun = 0;

    clock_fake(1000000);
    while (begun < 100 && throttle_begin(t, &y, &delay))
        begun++;
    EXPECT_INT(begun, 9);
    while (begun--)
        throttle_end(t, &y, THROTTLE_NEITHER, 0);
    EXPECT(throttle_begin(t, &y, &delay));
    EXPECT_INT(delay, 0);
    throttle_end(t, &y, THROTTLE_NEITHER, 0);
    EXPECT_INT(throttle_size(t), 0);
    throttle_free(t);
    clock_fake(0);
}

TEST(trusted_networks_and_no_limit)
{
    struct throttle *t = throttle_new(&limits);
    struct throttle_try y = try_of("::ffff:127.0.0.1", "joe@x");
    uint32_t delay;

    y.trusted = true;
    for (uint64_t i = 0; i < 50; i++) {
        EXPECT(throttle_begin(t, &y, &delay));
        EXPECT_INT(delay, 0);
        throttle_end(t, &y, THROTTLE_BAD, i + 1);
    }
    EXPECT_INT(throttle_size(t), 0);
    throttle_set_limits(t, &(struct throttle_limits){0, 600, 64});
    for (uint64_t i = 0; i < 50; i++)
        EXPECT_INT(attempt(t, "::ffff:192.0.2.1", "joe@x", THROTTLE_BAD, i + 1), 0);
    throttle_free(t);
}

TEST(the_table_is_bounded)
{
    struct throttle *t = throttle_new(&limits);

    clock_fake(1000000);
    for (unsigned i = 0; i < 2000; i++) {
        char peer[40], user[20];
        snprintf(peer, sizeof peer, "::ffff:10.0.%u.%u", i / 250, i % 250);
        snprintf(user, sizeof user, "u%u@x", i);
        attempt(t, peer, user, i % 3 ? THROTTLE_BAD : THROTTLE_GOOD, 0);
    }
    EXPECT(throttle_size(t) <= limits.entries_max);
    EXPECT(throttle_size(t) >= limits.entries_max - 2);
    throttle_free(t);
    clock_fake(0);
}
