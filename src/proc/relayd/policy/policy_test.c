#include "proc/relayd/policy/policy.h"

#include "base/check.h"
#include "unit/unit.h"
#include <stdio.h>

static struct conf conf_of(const char **retry, uint32_t n)
{
    struct conf c = {.queue_days = 5, .delay_notice_hours = 4};
    c.retry.v = (void *)retry;
    c.retry.n = n;
    return c;
}

TEST(retry_schedule)
{
    const char *rows[] = {"60", "300", "3600"};
    static const struct {
        uint32_t tries;
        int64_t want;
    } cases[] = {
        {0,          60  },
        {1,          300 },
        {2,          3600},
        {3,          3600},
        {1000000,    3600},
        {UINT32_MAX, 3600}
    };
    struct conf c = conf_of(rows, 3), none = conf_of(NULL, 0);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_INT(policy_pause_seconds(&c, cases[i].tries), cases[i].want);
    EXPECT_INT(policy_pause_seconds(&none, 0), 900);
}

TEST(expiry)
{
    struct conf c = conf_of(NULL, 0);
    struct queue_item item = {.queued_seconds = 1000000};

    EXPECT(!policy_expired(&c, &item, 1000000));
    EXPECT(!policy_expired(&c, &item, 1000000 + 5 * 86400));
    EXPECT(policy_expired(&c, &item, 1000000 + 5 * 86400 + 1));
    EXPECT(!policy_expired(&c, &item, 0)); /* a clock that was set back */
}

TEST(grouping)
{
    struct queue_recipient to[] = {
        {.address = SPAN("a@one.test")     },
        {.address = SPAN("b@two.test")     },
        {.address = SPAN("c@ONE.test")     },
        {.address = SPAN("here@three.test"), .delivered = true},
        {.address = SPAN("\"x@y\"@two.TEST")                                 },
        {.address = SPAN("nobody")},
        {.address = SPAN("d@one.test")                                 },
        {.address = SPAN("e@")},
    };
    struct queue_item item = {.recipients = to, .count = ARRAY_LEN(to)};
    struct arena *a = arena_new(1 << 20);
    struct policy_group *g;

    REQUIRE(policy_groups(&item, a, &g) == 3);
    EXPECT_STR(g[0].domain, "one.test");
    REQUIRE(g[0].count == 3);
    EXPECT(g[0].members[0] == 0 && g[0].members[1] == 2 && g[0].members[2] == 6);
    EXPECT_STR(g[1].domain, "two.test");
    REQUIRE(g[1].count == 2);
    EXPECT(g[1].members[0] == 1 && g[1].members[1] == 4);
    EXPECT_STR(g[2].domain, "");
    REQUIRE(g[2].count == 2);
    EXPECT(g[2].members[0] == 5 && g[2].members[1] == 7);
    item.count = 0;
    EXPECT_INT(policy_groups(&item, a, &g), 0);
    arena_free(a);
}

TEST(international_domains)
{
    static const struct {
        const char *address, *want;
    } cases[] = {
        {"x@b\xc3\xbc"
         "cher.test",   "xn--bcher-kva.test"},
        {"x@B\xc3\x9c"
         "CHER.test",   "xn--bcher-kva.test"},
        {"x@xn--bcher-kva.test", "xn--bcher-kva.test"},
        {"x@\xff\xfe.test",      ""                  },
        {"x@\xc2\xad.test",      ""                  }, /* a soft hyphen alone */
    };
    struct arena *a = arena_new(1 << 16);
    struct policy_group *g;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct queue_recipient to = {.address = span_cstr(cases[i].address)};
        struct queue_item item = {.recipients = &to, .count = 1};
        unit_case(cases[i].address);
        REQUIRE(policy_groups(&item, a, &g) == 1);
        EXPECT_STR(g[0].domain, cases[i].want);
    }
    unit_case(NULL);
    arena_free(a);
}

/* Every recipient that is not delivered yet is in one group, once. */
TEST(grouping_loses_nobody)
{
    static struct queue_recipient to[500];
    static char names[500][40];
    struct queue_item item = {.recipients = to, .count = ARRAY_LEN(to)};
    struct arena *a = arena_new(1 << 20);
    struct policy_group *g;
    unsigned seen[ARRAY_LEN(to)] = {0};

    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        int n = snprintf(names[i], sizeof(names[i]), "p%zu@d%zu.test", i, i * i % 37);
        to[i].address = span_of(names[i], (size_t)n);
        to[i].delivered = i % 11 == 0;
    }
    size_t n = policy_groups(&item, a, &g);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < g[i].count; k++) {
            char domain[300];
            snprintf(domain, sizeof(domain), "@%s", g[i].domain);
            EXPECT(span_ends_nocase(to[g[i].members[k]].address, span_cstr(domain)));
            seen[g[i].members[k]]++;
        }
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        EXPECT_INT(seen[i], to[i].delivered ? 0 : 1);
    arena_free(a);
}

TEST(reports)
{
    enum { HOUR = 3600 };
    static const struct {
        const char *name;
        uint8_t notify;
        enum queue_outcome outcome;
        bool dsn, expired, told, here;
        int64_t age;
        enum report_kind want;
    } cases[] = {
        {"failed",                      0,              QUEUE_FAILED,    0, 0, 0, 0, 0,            REPORT_FAILED   },
        {"failed, never",               NOTIFY_NEVER,   QUEUE_FAILED,    0, 0, 0, 0, 0,            REPORT_NONE     },
        {"failed, our report",          REPORT_NOTIFY,  QUEUE_FAILED,    0, 0, 0, 0, 0,            REPORT_FAILED   },
        {"delivered, our report",       REPORT_NOTIFY,  QUEUE_DELIVERED, 0, 0, 0, 0, 0,            REPORT_NONE     },
        {"failed, wanted",              NOTIFY_FAILURE, QUEUE_FAILED,    0, 0, 0, 0, 0,            REPORT_FAILED   },
        {"failed, only success wanted", NOTIFY_SUCCESS, QUEUE_FAILED,    0, 0, 0, 0, 0,            REPORT_NONE     },
        {"expired",                     0,              QUEUE_DEFERRED,  0, 1, 0, 0, 0,            REPORT_FAILED   },
        {"expired, told of the delay",  0,              QUEUE_DEFERRED,  0, 1, 1, 0, 99999999,     REPORT_FAILED   },
        {"delivered",                   0,              QUEUE_DELIVERED, 0, 0, 0, 0, 0,            REPORT_NONE     },
        {"delivered, wanted, no DSN",   NOTIFY_SUCCESS, QUEUE_DELIVERED, 0, 0, 0, 0, 0,
         REPORT_RELAYED                                                                                            },
        {"delivered, wanted, DSN",      NOTIFY_SUCCESS, QUEUE_DELIVERED, 1, 0, 0, 0, 0,            REPORT_NONE     },
        {"deferred, just now",          0,              QUEUE_DEFERRED,  0, 0, 0, 0, 0,            REPORT_NONE     },
        {"deferred, nearly",            0,              QUEUE_DEFERRED,  0, 0, 0, 0, 4 * HOUR - 1, REPORT_NONE     },
        {"deferred for long",           0,              QUEUE_DEFERRED,  0, 0, 0, 0, 4 * HOUR,     REPORT_DELAYED  },
        {"deferred, told before",       0,              QUEUE_DEFERRED,  0, 0, 1, 0, 4 * HOUR,     REPORT_NONE     },
        {"deferred, not wanted",        NOTIFY_FAILURE, QUEUE_DEFERRED,  0, 0, 0, 0, 4 * HOUR,     REPORT_NONE     },
        {"deferred, wanted",            NOTIFY_DELAY,   QUEUE_DEFERRED,  0, 0, 0, 0, 4 * HOUR,     REPORT_DELAYED  },
        {"deferred, never",             NOTIFY_NEVER,   QUEUE_DEFERRED,  0, 0, 0, 0, 4 * HOUR,     REPORT_NONE     },
        {"here, wanted",                NOTIFY_SUCCESS, QUEUE_DELIVERED, 0, 0, 0, 1, 0,            REPORT_DELIVERED},
        {"here, not wanted",            NOTIFY_FAILURE, QUEUE_DELIVERED, 0, 0, 0, 1, 0,            REPORT_NONE     },
    };
    struct conf c = conf_of(NULL, 0), never = c;
    never.delay_notice_hours = 0;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct queue_recipient to = {.notify = cases[i].notify, .delivered = cases[i].here};
        struct queue_item item = {.queued_seconds = 1000};
        struct relay_verdict v = {
            .recipient = &to,
            .result = {.outcome = cases[i].outcome, .dsn = cases[i].dsn},
            .expired = cases[i].expired,
            .delay_notified = cases[i].told,
        };
        unit_case(cases[i].name);
        EXPECT_INT(policy_report(&c, &item, &v, 1000 + cases[i].age), cases[i].want);
        if (cases[i].want == REPORT_DELAYED)
            EXPECT_INT(policy_report(&never, &item, &v, 1000 + cases[i].age), REPORT_NONE);
    }
    unit_case(NULL);
}

TEST(status)
{
    static const struct {
        const char *text;
        bool replied, expired;
        enum report_kind kind;
        const char *want;
    } cases[] = {
        {"550 5.1.1 no such user",            true,  false, REPORT_FAILED,    "5.1.1" },
        {"550-5.7.26 two lines 5.7.26 of it", true,  false, REPORT_FAILED,    "5.7.26"},
        {"550 no such user",                  true,  false, REPORT_FAILED,    "5.0.0" },
        {"550 5.1 user",                      true,  false, REPORT_FAILED,    "5.0.0" },
        {"550 5.1.1.1 user",                  true,  false, REPORT_FAILED,    "5.0.0" },
        {"550 6.1.1 user",                    true,  false, REPORT_FAILED,    "5.0.0" },
        {"550 5.1000.1 user",                 true,  false, REPORT_FAILED,    "5.0.0" },
        {"550 5.1.1",                         true,  false, REPORT_FAILED,    "5.1.1" },
        {"550",                               true,  false, REPORT_FAILED,    "5.0.0" },
        {"",                                  false, false, REPORT_FAILED,    "5.0.0" },
        {"451 4.3.0 later",                   true,  true,  REPORT_FAILED,    "5.4.7" },
        {"mx.test: no connection: refused",   false, true,  REPORT_FAILED,    "5.4.7" },
        {"mx.test: no connection: refused",   false, false, REPORT_DELAYED,   "4.4.1" },
        {"451 4.4.3 cannot be looked up",     false, false, REPORT_DELAYED,   "4.4.3" },
        {"450 4.2.0 greylisted",              true,  false, REPORT_DELAYED,   "4.2.0" },
        {"450 greylisted",                    true,  false, REPORT_DELAYED,   "4.0.0" },
        {"250 2.0.0 ok",                      true,  false, REPORT_RELAYED,   "2.0.0" },
        {"250 ok",                            true,  false, REPORT_RELAYED,   "2.0.0" },
        {"",                                  false, false, REPORT_DELIVERED, "2.1.5" },
 /* a code whose class the reply does not share */
        {"554 4.7.1 mixed up",                true,  false, REPORT_FAILED,    "5.7.1" },
    };
    struct arena *a = arena_new(1 << 16);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct relay_verdict v = {.result = {.replied = cases[i].replied},
                                  .expired = cases[i].expired};
        snprintf(v.result.text, sizeof(v.result.text), "%s", cases[i].text);
        unit_case(cases[i].text);
        EXPECT_SPAN(policy_status(a, &v, cases[i].kind), span_cstr(cases[i].want));
    }
    unit_case(NULL);
    arena_free(a);
}
