/* Mailboxes, public folders, newsgroups and accounts, through the real link. */
#include "store/store_testing.h"

#include "store/store_msg.h"

static int create(const char *name, uint32_t attributes)
{
    uint64_t id;
    return store_mailbox_create(s, buf_span(&alice), ALICE, span_cstr(name), attributes, &id);
}

static int rename_to(const char *from, const char *to)
{
    return store_mailbox_rename(s, buf_span(&alice), ALICE, span_cstr(from), span_cstr(to));
}

static bool list_name(const struct mailbox_info *m, void *arg)
{
    buf_put_span(arg, m->name);
    buf_printf(arg, "%s;", m->attributes & MAILBOX_NOSELECT ? "!" : "");
    return true;
}

static void expect_names(uint64_t account, const char *want)
{
    struct buf b = BUF(1 << 20);
    struct store_read r;

    REQUIRE(store_read_begin(s, &r) == 0);
    store_mailbox_each(&r, account, list_name, &b);
    store_read_end(&r);
    EXPECT_SPAN(buf_span(&b), span_cstr(want));
    buf_done(&b);
}

static void mailboxes(void *arg)
{
    char longest[STORE_NAME_MAX + 1], other[STORE_NAME_MAX + 1];
    struct store_appended a;

    EXPECT_INT(create("Work/2026/May", 0), 0);
    EXPECT_INT(create("Work", 0), -EEXIST);
    EXPECT_INT(create("a//b", 0), -EINVAL);
    EXPECT_INT(create("", 0), -EINVAL);
    EXPECT_INT(create("bad\xff", 0), -EINVAL);
    EXPECT_INT(create("inbox", 0), -EEXIST);
    EXPECT_INT(store_mailbox_create(s, buf_span(&alice), BOB, SPAN("x"), 0, NULL), -EACCES);
    EXPECT_INT(store_mailbox_create(s, SPAN("forged"), ALICE, SPAN("x"), 0, NULL), -EACCES);
    EXPECT_INT(create("Inbox/Sub", 0), 0);
    expect_names(ALICE,
                 "INBOX;Archive;Drafts;INBOX/Sub;Junk;Sent;Trash;Work;Work/2026;Work/2026/May;");
    EXPECT_INT(rename_to("Work", "Job/old"), 0);
    expect_names(ALICE,
                 "INBOX;Archive;Drafts;INBOX/Sub;Job;Job/old;Job/old/2026;Job/old/2026/May;Junk;"
                 "Sent;Trash;");
    EXPECT_INT(rename_to("Job", "Job/old/x"), -EINVAL);
    EXPECT_INT(rename_to("Job", "Sent"), -EEXIST);
    EXPECT_INT(rename_to("nothing", "x"), -ENOENT);
    /* A parent that goes leaves its name; then it is refused. */
    uint64_t old = mailbox(ALICE, "Job/old");
    EXPECT_INT(append(old, "m", 0, &a), 0);
    EXPECT_INT(store_mailbox_delete(s, buf_span(&alice), old), 0);
    EXPECT_INT(info(old).id, 0);
    EXPECT(mailbox(ALICE, "Job/old") != old);
    EXPECT_INT(info(mailbox(ALICE, "Job/old")).attributes, MAILBOX_NOSELECT);
    EXPECT_INT(append(mailbox(ALICE, "Job/old"), "m", 0, &a), -ENOENT);
    EXPECT_INT(store_mailbox_delete(s, buf_span(&alice), mailbox(ALICE, "Job/old")), -ENOTEMPTY);
    EXPECT_INT(create("Job/old", MAILBOX_ARCHIVE), 0);
    EXPECT_INT(info(mailbox(ALICE, "Job/old")).attributes, MAILBOX_ARCHIVE);
    EXPECT_INT(store_mailbox_delete(s, buf_span(&alice), mailbox(ALICE, "INBOX")), -EACCES);
    EXPECT_INT(store_mailbox_delete(s, buf_span(&bob), mailbox(ALICE, "Sent")), -EACCES);
    EXPECT_INT(store_mailbox_delete(s, buf_span(&alice), 12345), -ENOENT);
    /* Names longer than LMDB's keys. */
    memset(longest, 'n', STORE_NAME_MAX);
    memset(other, 'n', STORE_NAME_MAX);
    longest[STORE_NAME_MAX] = other[STORE_NAME_MAX] = '\0';
    other[STORE_NAME_MAX - 1] = 'm';
    EXPECT_INT(create(longest, 0), 0);
    EXPECT_INT(create(longest, 0), -EEXIST);
    EXPECT_INT(create(other, 0), 0);
    EXPECT(mailbox(ALICE, longest) != mailbox(ALICE, other));
    EXPECT_SPAN(span_of(&longest[0], STORE_NAME_MAX), span_cstr(longest));
    EXPECT_INT(rename_to(longest, "short"), 0);
    EXPECT(mailbox(ALICE, "short") != 0 && mailbox(ALICE, longest) == 0);
}
TEST(mailboxes)
{
    with_store(mailboxes);
}

static void inbox_is_renamed(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct store_appended a;

    for (int i = 0; i < 3; i++)
        EXPECT_INT(append(inbox, "m", 0, &a), 0);
    EXPECT_INT(rename_to("INBOX", "old mail"), 0);
    EXPECT(mailbox(ALICE, "INBOX") == inbox);
    expect_uids(inbox, "");
    expect_uids(mailbox(ALICE, "old mail"), "1:3");
}
TEST(inbox_is_renamed)
{
    with_store(inbox_is_renamed);
}

static bool list_subscription(uint64_t folder_account, struct span name, void *arg)
{
    buf_printf(arg, "%u:%.*s;", (unsigned)folder_account, SPAN_ARG(name));
    return true;
}

static void subscriptions(void *arg)
{
    struct buf b = BUF(10000);
    struct store_read r;

    EXPECT_INT(store_subscribe(s, buf_span(&bob), BOB, SPAN("Sent"), false), 0);
    EXPECT_INT(store_subscribe(s, buf_span(&bob), BOB, SPAN("later"), true), 0);
    EXPECT_INT(store_subscribe(s, buf_span(&bob), STORE_ACCOUNT_PUBLIC, SPAN("some.group"), true),
               0);
    EXPECT_INT(store_subscribe(s, buf_span(&bob), ALICE, SPAN("Sent"), true), -ENOENT);
    REQUIRE(store_read_begin(s, &r) == 0);
    store_subscription_each(&r, BOB, list_subscription, &b);
    EXPECT(store_is_subscribed(&r, BOB, BOB, SPAN("inbox")));
    EXPECT(!store_is_subscribed(&r, BOB, BOB, SPAN("Sent")));
    store_read_end(&r);
    EXPECT_SPAN(buf_span(&b),
                SPAN("1:some.group;17:Archive;17:Drafts;17:INBOX;17:Junk;17:Trash;17:later;"));
    EXPECT_INT(info(mailbox(BOB, "Sent")).attributes, MAILBOX_SENT);
    /* The name was there before the mailbox. */
    uint64_t id;
    EXPECT_INT(store_mailbox_create(s, buf_span(&bob), BOB, SPAN("later"), 0, &id), 0);
    EXPECT_INT(info(id).attributes, MAILBOX_SUBSCRIBED);
    buf_done(&b);
}
TEST(subscriptions)
{
    with_store(subscriptions);
}

/* ------------------------------------------------------------------ news */
static int post(const char *id, uint64_t g1, uint64_t g2, struct store_delivered *ret)
{
    struct store_recipient to[2] = {
        {.kind = RECIPIENT_FOLDER, .id = g1},
        {.kind = RECIPIENT_FOLDER, .id = g2}
    };
    struct store_delivery d = {.recipients = to,
                               .count = g2 ? 2 : 1,
                               .news = true,
                               .prefix = SPAN("Path: here\r\n"),
                               .message_id = span_cstr(id)};
    char room[1000];
    struct store_body *b = body_in(store_harness_mx(h), mail("news", room, sizeof(room)));
    int err = store_deliver(store_harness_mx(h), b, &d, ret);

    store_body_free(b);
    return err;
}

static bool list_place(uint64_t mailbox_id, uint32_t number, void *arg)
{
    buf_printf(arg, "%u:%u ", (unsigned)mailbox_id, number);
    return true;
}

static int places(const char *id, char *ret, size_t size)
{
    struct buf b = BUF(1000);
    struct store_read r;
    int err;

    CHECK(store_read_begin(s, &r) == 0);
    err = store_article_find(&r, span_cstr(id), list_place, &b);
    store_read_end(&r);
    snprintf(ret, size, "%s", buf_cstr(&b));
    buf_done(&b);
    return err;
}

static bool list_id(struct span id, int64_t arrived, void *arg)
{
    buf_put_span(arg, id);
    return true;
}

static void news(void *arg)
{
    struct buf admin = BUF(STORE_GRANT_MAX), b = BUF(1000);
    struct rangeset first = set("1");
    struct store_delivered d;
    struct store_read r;
    uint64_t g1, g2, again;
    char text[100], want[100];

    store_harness_grant(h, ALICE, GRANT_MAIL | GRANT_ADMIN, &admin);
    EXPECT_INT(store_harness_newsgroup(h, "test.one", MAILBOX_NEWSGROUP, &g1), 0);
    EXPECT_INT(store_harness_newsgroup(h, "test.two", MAILBOX_NEWSGROUP, &g2), 0);
    EXPECT_INT(store_harness_newsgroup(h, "test.two", MAILBOX_NEWSGROUP, &again), -EEXIST);
    EXPECT_INT(post("<1@x>", g1, g2, &d), 0);
    EXPECT(d.numbers[0] == 1 && d.numbers[1] == 1);
    EXPECT_INT(post("<1@x>", g1, 0, &d), -EEXIST);
    EXPECT_INT(post("<2@x>", g1, 0, &d), 0);
    EXPECT_INT(post("", g1, 0, &d), -EINVAL);
    EXPECT_INT(post("<twice@x>", g2, g2, &d), 0);
    EXPECT(d.numbers[0] == 2 && d.numbers[1] == 0);
    EXPECT_INT(places("<1@x>", text, sizeof(text)), 0);
    snprintf(want, sizeof(want), "%u:1 %u:1 ", (unsigned)g1, (unsigned)g2);
    EXPECT_STR(text, want);
    EXPECT_INT(places("<3@x>", text, sizeof(text)), -ENOENT);
    /* Cancelled: gone, but known; the low mark rises. */
    EXPECT_INT(store_expunge(s, buf_span(&alice), g1, &first, false, NULL), -EACCES);
    EXPECT_INT(store_expunge(s, buf_span(&admin), g1, &first, false, NULL), 0);
    EXPECT_INT(places("<1@x>", text, sizeof(text)), 0);
    snprintf(want, sizeof(want), "%u:1 ", (unsigned)g2);
    EXPECT_STR(text, want);
    EXPECT_INT(post("<1@x>", g1, 0, &d), -EEXIST);
    EXPECT_INT(info(g1).first_number, 2);
    REQUIRE(store_read_begin(s, &r) == 0);
    store_history_since(&r, 0, list_id, &b);
    store_read_end(&r);
    EXPECT_SPAN(buf_span(&b), SPAN("<1@x><2@x><twice@x>"));
    /* Numbers survive the group. */
    EXPECT_INT(store_mailbox_delete(s, buf_span(&admin), g1), 0);
    EXPECT_INT(store_harness_newsgroup(h, "test.one", MAILBOX_NEWSGROUP, &again), 0);
    EXPECT_INT(info(again).uidnext, 3);
    EXPECT_INT(info(again).first_number, 3);
    EXPECT_INT(post("<4@x>", again, 0, &d), 0);
    EXPECT_INT(d.numbers[0], 3);
    /* Renamed away and back. */
    EXPECT_INT(store_mailbox_rename(s, buf_span(&admin), STORE_ACCOUNT_PUBLIC, SPAN("test.two"),
                                    SPAN("test.three")),
               0);
    EXPECT_INT(store_harness_newsgroup(h, "test.two", MAILBOX_NEWSGROUP, &again), 0);
    EXPECT_INT(info(again).uidnext, 3);
    EXPECT_INT(store_mailbox_rename(s, buf_span(&admin), STORE_ACCOUNT_PUBLIC, SPAN("test.three"),
                                    SPAN("test.one")),
               -EEXIST);
    /* Who may post, and where nobody may. */
    uint64_t closed;
    struct store_appended a;
    EXPECT_INT(append(again, "posted", 0, &a), 0);
    EXPECT_INT(
        store_harness_newsgroup(h, "test.closed", MAILBOX_NEWSGROUP | MAILBOX_NO_POST, &closed), 0);
    EXPECT_INT(append(closed, "posted", 0, &a), -EACCES);
    /* An article of that Message-ID is there. */
    EXPECT_INT(append(again, "posted", 0, &a), -EEXIST);
    /* What the messages are depends on who reads: it is not told with a change. */
    struct store_flags f = {.grant = buf_span(&alice),
                            .mailbox = again,
                            .uids = &first,
                            .op = FLAGS_ADD,
                            .flags = STORE_SEEN,
                            .unchanged_since = UINT64_MAX};
    struct store_told told;
    rangeset_clear(&first);
    rangeset_add(&first, 3, 3);
    EXPECT_INT(store_flags_told(s, &f, info(again).highestmodseq, NULL, NULL, &told), 0);
    EXPECT_INT(told.count, 0);
    rangeset_done(&first);
    buf_done(&admin);
    buf_done(&b);
}
TEST(news)
{
    with_store(news);
}

/* ------------------------------------------------------------------ accounts */
static void accounts(void *arg)
{
    struct store_recipient to = {.kind = RECIPIENT_INBOX, .id = BOB};
    struct store_delivery d = {.recipients = &to, .count = 1};
    struct store *mx = store_harness_mx(h);
    struct store_delivered done;
    struct store_appended a;
    uint64_t inbox = mailbox(ALICE, "INBOX");
    char room[1000];

    EXPECT_INT(store_harness_account_set(h, ALICE, ACCOUNT_ENABLED, 1, 1000), 0);
    EXPECT_INT(append(inbox, "fits", 0, &a), 0);
    int err = 0;
    for (int i = 0; i < 10 && !err; i++)
        err = append(inbox, "fits until it does not", 0, &a);
    EXPECT_INT(err, -EDQUOT);
    EXPECT_INT(store_harness_account_set(h, ALICE, ACCOUNT_ENABLED, 1, 0), 0);
    EXPECT_INT(append(inbox, "more", 0, &a), 0);
    /* A changed password: grants from before count no more. */
    EXPECT_INT(store_harness_account_set(h, ALICE, ACCOUNT_ENABLED, 2, 0), 0);
    EXPECT_INT(append(inbox, "late", 0, &a), -EACCES);
    /* Disabled: mail still comes in; deleted: all goes. */
    EXPECT_INT(store_harness_account_set(h, BOB, ACCOUNT_DISABLED, 1, 0), 0);
    struct store_body *b = body_in(mx, mail("to bob", room, sizeof(room)));
    EXPECT_INT(store_deliver(mx, b, &d, &done), 0);
    uint64_t bobs = mailbox(BOB, "INBOX");
    EXPECT_INT(info(bobs).messages, 1);
    EXPECT_INT(store_harness_account_set(h, BOB, ACCOUNT_DELETED, 1, 0), 0);
    EXPECT_INT(store_deliver(mx, b, &d, &done), -ENOENT);
    store_body_free(b);
    for (int i = 0; i < 500 && mailbox(BOB, "Archive") + mailbox(BOB, "Trash") > 0; i++)
        fiber_sleep_ms(10);
    EXPECT(mailbox(BOB, "INBOX") == 0 && mailbox(BOB, "Trash") == 0);
    EXPECT_INT(store_harness_account_set(h, BOB, ACCOUNT_ENABLED, 1, 0), -EEXIST);
}
TEST(accounts)
{
    with_store(accounts);
}

/* ------------------------------------------------------------------ being told */
static unsigned told;

static void on_change(void *arg)
{
    told++;
    /* What it is told of can be seen. */
    *(uint32_t *)arg = info(mailbox(ALICE, "INBOX")).messages;
}

static void watching(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    uint32_t seen = 0, other = 0;
    struct store_watch *w = store_watch(s, inbox, on_change, &seen);
    struct store_watch *x = store_watch(s, mailbox(ALICE, "Sent"), on_change, &other);
    struct store_appended a;

    fiber_sleep_ms(20);
    EXPECT_INT(append(inbox, "one", 0, &a), 0);
    for (int i = 0; i < 200 && seen != 1; i++)
        fiber_sleep_ms(1);
    EXPECT_INT(seen, 1);
    store_harness_restart(h);
    EXPECT_INT(append(inbox, "two", 0, &a), 0);
    for (int i = 0; i < 200 && seen != 2; i++)
        fiber_sleep_ms(1);
    EXPECT_INT(seen, 2);
    store_unwatch(x);
    store_unwatch(w);
    fiber_sleep_ms(5);
    told = 0;
    EXPECT_INT(append(inbox, "three", 0, &a), 0);
    fiber_sleep_ms(20);
    EXPECT_INT(told, 0);
    store_unwatch(NULL);
}
TEST(watching)
{
    with_store(watching);
}

static struct store_watch *last_watch;

static void on_any_change(void *arg, uint64_t mailbox)
{
    if (mailbox == *(uint64_t *)arg) {
        store_unwatch(last_watch);
        last_watch = NULL;
    }
}

/* Who follows all may end the last watch of the mailbox that changes, as the search index does when
 * an account comes to rest. */
static void watch_ends_by_follower(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    uint32_t seen = 0;
    struct store_appended a;

    last_watch = store_watch(s, inbox, on_change, &seen);
    store_follow(s, STORE_ALL, on_any_change, &inbox);
    fiber_sleep_ms(20);
    EXPECT_INT(append(inbox, "one", 0, &a), 0);
    for (int i = 0; i < 200 && last_watch; i++)
        fiber_sleep_ms(1);
    EXPECT(!last_watch);
    EXPECT_INT(seen, 0);
    store_follow(s, STORE_ALL, NULL, NULL);
}
TEST(watch_ends_by_follower)
{
    with_store(watch_ends_by_follower);
}

/* ------------------------------------------------------------------ bodies of all sizes */
static void bodies(void *arg)
{
    static const size_t sizes[] = {0, 1, 4096, 262143, 262144, 262145, 700000, 5000000};
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct store_body *b;

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i], at = 0;
        char *text = malloc(n + 1);
        struct store_append a = {.grant = buf_span(&alice), .mailbox = inbox};
        struct store_appended done;
        struct message_info m;
        struct buf got = BUF(10 << 20);
        CHECK(text);
        for (size_t k = 0; k < n; k++)
            text[k] = k % 70 == 68 ? '\r' : k % 70 == 69 ? '\n' : (char)('a' + k % 23);
        REQUIRE(store_body_begin(s, i % 2 ? n : 0, 6000000, &b) == 0);
        while (at < n) {
            size_t step = 1 + (size_t)(unit_random() % 100000);
            if (step > n - at)
                step = n - at;
            REQUIRE(store_body_write(b, span_of(text + at, step)) == 0);
            at += step;
        }
        EXPECT_INT(store_body_size(b), n);
        EXPECT_SPAN(store_body_bytes(b), span_of(text, n));
        REQUIRE(store_body_finish(b) == 0);
        EXPECT_INT(store_append(s, b, &a, &done), 0);
        store_body_free(b);
        REQUIRE(message(inbox, done.uid, &m));
        EXPECT_INT(store_message_read_all(s, &m, &got), 0);
        EXPECT_SPAN(buf_span(&got), span_of(text, n));
        free(text);
        buf_done(&got);
    }
    EXPECT_INT(store_body_begin(s, 1001, 1000, &b), -EMSGSIZE);
    REQUIRE(store_body_begin(s, 0, 10, &b) == 0);
    EXPECT_INT(store_body_write(b, SPAN("0123456789")), 0);
    EXPECT_INT(store_body_write(b, SPAN("0")), -EMSGSIZE);
    store_body_free(b);
}
TEST(bodies)
{
    with_store(bodies);
}

/* Several in one: all or none. */
static void many_at_once(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct store_body *b[3];
    struct store_append a[3];
    struct store_appended done[3];
    char room[1000], long_keyword[] = "k";
    struct span keywords[2] = {span_cstr(long_keyword), SPAN("other")};

    for (int i = 0; i < 3; i++) {
        b[i] = body_in(s, mail("m", room, sizeof(room)));
        a[i] = (struct store_append){
            .grant = buf_span(&alice), .mailbox = inbox, .keywords = keywords, .keyword_count = 2};
    }
    EXPECT_INT(store_append_many(s, b, a, 3, done), 0);
    EXPECT(done[0].uid == 1 && done[2].uid == 3);
    a[1].grant = SPAN("no");
    a[2].grant = SPAN("no");
    EXPECT_INT(store_append_many(s, b, a, 3, done), -EACCES);
    EXPECT_INT(info(inbox).messages, 3);
    EXPECT_INT(store_append_many(s, b, a, 0, done), -E2BIG);
    for (int i = 0; i < 3; i++)
        store_body_free(b[i]);
}
TEST(many_at_once)
{
    with_store(many_at_once);
}

/* More than one record holds: pieces, and one answer. */
static void large_sets(void *arg)
{
    enum { MANY = 2500 };
    uint64_t inbox = mailbox(ALICE, "INBOX"), archive = mailbox(ALICE, "Archive"), modseq;
    struct rangeset all = set("1:*"), gone = RANGESET_EMPTY;
    struct store_copied c;
    struct store_body *b[100];
    struct store_append a[100];
    struct store_appended done[100];
    char room[1000];

    for (int i = 0; i < 100; i++) {
        b[i] = body_in(s, mail("m", room, sizeof(room)));
        a[i] = (struct store_append){.grant = buf_span(&alice), .mailbox = inbox};
    }
    for (int i = 0; i < MANY / 100; i++)
        EXPECT_INT(store_append_many(s, b, a, 100, done), 0);
    for (int i = 0; i < 100; i++)
        store_body_free(b[i]);
    EXPECT_INT(flag(inbox, "1:*", FLAGS_ADD, STORE_SEEN, UINT64_MAX, NULL, &modseq), 0);
    EXPECT_INT(info(inbox).unseen, 0);
    EXPECT_INT(store_copy(s, buf_span(&alice), inbox, &all, archive, false, &c), 0);
    EXPECT_INT(rangeset_count(&c.from), MANY);
    EXPECT_INT(rangeset_count(&c.to), MANY);
    rangeset_done(&c.from);
    rangeset_done(&c.to);
    EXPECT_INT(info(archive).messages, MANY);
    EXPECT_INT(store_expunge(s, buf_span(&alice), inbox, &all, false, &gone), 0);
    EXPECT_INT(rangeset_count(&gone), MANY);
    EXPECT_INT(store_mailbox_rename(s, buf_span(&alice), ALICE, SPAN("Archive"), SPAN("A")), 0);
    EXPECT_INT(store_copy(s, buf_span(&alice), archive, &all, inbox, true, NULL), 0);
    EXPECT_INT(store_mailbox_rename(s, buf_span(&alice), ALICE, SPAN("INBOX"), SPAN("B")), 0);
    EXPECT_INT(info(inbox).messages, 0);
    EXPECT_INT(info(mailbox(ALICE, "B")).messages, MANY);
    EXPECT_INT(store_mailbox_delete(s, buf_span(&alice), mailbox(ALICE, "B")), 0);
    rangeset_done(&all);
    rangeset_done(&gone);
}
TEST(large_sets)
{
    with_store(large_sets);
}

/* stored is away: calls wait and are answered once; reading goes on. */
static unsigned finished;

static void one_append(void *arg)
{
    struct store_appended a;
    EXPECT_INT(append(*(uint64_t *)arg, "waits", 0, &a), 0);
    finished++;
}

static void away(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct store_appended a;

    EXPECT_INT(append(inbox, "before", 0, &a), 0);
    store_harness_away(h);
    EXPECT_INT(info(inbox).messages, 1);
    finished = 0;
    for (int i = 0; i < 50; i++)
        fiber_start(loop_current(), one_append, &inbox, "waits");
    fiber_sleep_ms(20);
    EXPECT_INT(finished, 0);
    store_harness_back(h);
    for (int i = 0; i < 1000 && finished < 50; i++)
        fiber_sleep_ms(1);
    EXPECT_INT(finished, 50);
    EXPECT_INT(info(inbox).messages, 51);
}
TEST(away)
{
    with_store(away);
}
