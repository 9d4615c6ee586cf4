/* What goes out: who may send it, what is told of it, what a full mailbox does to the others. */
#include "store/store_msg.h"
#include "store/store_testing.h"

static int deliver(struct store *by, const char *subject, const struct store_delivery *d,
                   struct store_delivered *ret)
{
    char room[1024];
    struct store_body *b = body_in(by, mail(subject, room, sizeof(room)));
    int err = store_deliver(by, b, d, ret);

    store_body_free(b);
    return err;
}

static void forward_grant(struct span address, int64_t expires, uint32_t rights, struct buf *out)
{
    struct grant g = {.rights = rights, .expires_seconds = expires};

    grant_address(address, g.address);
    buf_clear(out);
    grant_seal(&g, store_harness_secret, out);
}

static void forwarding(void *arg)
{
    struct store *mx = store_harness_mx(h);
    struct buf good = BUF(STORE_GRANT_MAX), bad = BUF(STORE_GRANT_MAX);
    struct store_recipient to[] = {
        {.kind = RECIPIENT_INBOX,  .id = ALICE                          },
        {.kind = RECIPIENT_REMOTE, .address = SPAN("Friend@far.example")},
    };
    struct store_delivery d = {.sender = SPAN("a@example.org"), .recipients = to, .count = 2};
    struct store_delivered done;
    int64_t soon = 4000000000;

    EXPECT_INT(deliver(mx, "f", &d, &done), -EACCES);
    forward_grant(SPAN("friend@FAR.example"), soon, GRANT_FORWARD, &good);
    static const struct {
        const char *address;
        int64_t expires;
        uint32_t rights;
    } refused[] = {
        {"other@far.example",  4000000000, GRANT_FORWARD               },
        {"friend@far.example", 1,          GRANT_FORWARD               },
        {"friend@far.example", 4000000000, GRANT_SUBMIT                },
        {"friend@far.example", 4000000000, GRANT_FORWARD | GRANT_SUBMIT},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        forward_grant(span_cstr(refused[i].address), refused[i].expires, refused[i].rights, &bad);
        to[1].grant = buf_span(&bad);
        EXPECT_INT(deliver(mx, "f", &d, &done), -EACCES);
    }
    EXPECT_INT(info(mailbox(ALICE, "INBOX")).messages, 0);
    to[1].grant = buf_span(&good);
    EXPECT_INT(deliver(mx, "f", &d, &done), 0);
    EXPECT(done.queue_id != 0);
    EXPECT_INT(info(mailbox(ALICE, "INBOX")).messages, 1);
    /* As the grant of the delivery it is worth nothing. */
    to[1].grant = SPAN_EMPTY;
    d.grant = buf_span(&good);
    EXPECT_INT(deliver(mx, "f", &d, &done), -EACCES);
    buf_done(&good);
    buf_done(&bad);
}
TEST(forwarding)
{
    with_store(forwarding);
}

/* The answer is one for all: who is over quota must not be passed over because others are not. */
static void over_quota(void *arg)
{
    struct store *mx = store_harness_mx(h);
    struct store_recipient to[] = {
        {.kind = RECIPIENT_INBOX, .id = ALICE},
        {.kind = RECIPIENT_INBOX, .id = BOB  },
    };
    struct store_delivery d = {.sender = SPAN("a@example.org"), .recipients = to, .count = 2};
    struct store_delivered done;

    EXPECT_INT(store_harness_account_set(h, BOB, ACCOUNT_ENABLED, 1, 10), 0);
    EXPECT_INT(deliver(mx, "q", &d, &done), -EDQUOT);
    EXPECT_INT(info(mailbox(ALICE, "INBOX")).messages, 0);
    EXPECT_INT(store_harness_account_set(h, BOB, ACCOUNT_ENABLED, 1, 0), 0);
    EXPECT_INT(deliver(mx, "q", &d, &done), 0);
    EXPECT_INT(info(mailbox(ALICE, "INBOX")).messages, 1);
    EXPECT_INT(info(mailbox(BOB, "INBOX")).messages, 1);
}
TEST(over_quota)
{
    with_store(over_quota);
}

/* NOTIFY=SUCCESS of a recipient here: relayd gets an item of which only the report is open. */
static void delivered_and_reported(void *arg)
{
    struct store *mx = store_harness_mx(h), *relay = store_harness_relay(h);
    struct store_recipient to[] = {
        {.kind = RECIPIENT_INBOX,
         .id = ALICE,
         .address = SPAN("alice@example.org"),
         .notify = NOTIFY_FAILURE                 },
        { .kind = RECIPIENT_INBOX,
         .id = BOB,
         .address = SPAN("bob@example.org"),
         .orcpt = SPAN("rfc822;b@example.org"),
         .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE},
    };
    struct store_delivery d = {.sender = SPAN("a@example.net"),
                               .envid = SPAN("E1"),
                               .recipients = to,
                               .count = 2,
                               .message_id = SPAN("<r@example.net>")};
    struct arena *arena = arena_new(1 << 20);
    struct store_delivered done;
    struct queue_item q;
    int64_t due;

    EXPECT_INT(deliver(mx, "r", &d, &done), 0);
    EXPECT_INT(info(mailbox(BOB, "INBOX")).messages, 1);
    REQUIRE(store_queue_lease(relay, arena, &q, &due) == 0);
    REQUIRE(q.count == 1);
    EXPECT(q.recipients[0].delivered && q.recipients[0].notify == to[1].notify);
    EXPECT_SPAN(q.recipients[0].address, SPAN("bob@example.org"));
    EXPECT_SPAN(q.recipients[0].orcpt, SPAN("rfc822;b@example.org"));
    EXPECT_SPAN(q.envid, SPAN("E1"));
    /* It also outlives a restart. */
    store_harness_restart(h);
    struct queue_result res = {.index = q.recipients[0].index, .outcome = QUEUE_DEFERRED};
    EXPECT_INT(store_queue_done(relay, q.id, &res, 1, 1), 0);
    REQUIRE(store_queue_lease(relay, arena, &q, &due) == 0);
    EXPECT(q.recipients[0].delivered);
    res.outcome = QUEUE_DELIVERED;
    EXPECT_INT(store_queue_done(relay, q.id, &res, 1, 1), 0);
    /* The same message again is nothing new to tell; one from nobody has nobody to tell. */
    EXPECT_INT(deliver(mx, "r", &d, &done), 0);
    d.message_id = SPAN_EMPTY;
    d.sender = SPAN_EMPTY;
    EXPECT_INT(deliver(mx, "r", &d, &done), 0);
    EXPECT_INT(info(mailbox(BOB, "INBOX")).messages, 2);
    EXPECT_INT(store_queue_lease(relay, arena, &q, &due), -EAGAIN);
    EXPECT_INT(due, 0);
    arena_free(arena);
}
TEST(delivered_and_reported)
{
    with_store(delivered_and_reported);
}

/* What is known of some recipients is kept while the others are under way. */
static void progress(void *arg)
{
    struct store *relay = store_harness_relay(h);
    struct store_recipient to[] = {
        {.kind = RECIPIENT_REMOTE, .address = SPAN("x@one.example")},
        {.kind = RECIPIENT_REMOTE, .address = SPAN("y@two.example")},
    };
    struct store_delivery d = {
        .grant = buf_span(&alice), .sender = SPAN("a@example.org"), .recipients = to, .count = 2};
    struct arena *arena = arena_new(1 << 20);
    struct store_delivered done;
    struct queue_item q, again;
    int64_t due;

    EXPECT_INT(deliver(s, "p", &d, &done), 0);
    REQUIRE(store_queue_lease(relay, arena, &q, &due) == 0);
    struct queue_result res = {.index = q.recipients[0].index, .outcome = QUEUE_DELIVERED};
    EXPECT_INT(store_queue_progress(relay, q.id, &res, 1), 0);
    EXPECT_INT(store_queue_lease(relay, arena, &again, &due), -EAGAIN); /* the lease goes on */
    /* As if relayd had died in the middle: only the other one is left. */
    store_harness_restart(h);
    struct queue_result none = {.index = 999, .outcome = QUEUE_DEFERRED};
    EXPECT_INT(store_queue_progress(relay, q.id, &none, 1), 0); /* attached again */
    REQUIRE(store_queue_lease(relay, arena, &again, &due) == 0);
    REQUIRE(again.id == q.id && again.count == 1);
    EXPECT_SPAN(again.recipients[0].address, SPAN("y@two.example"));
    EXPECT_INT(again.tries, 0);
    res.index = again.recipients[0].index;
    EXPECT_INT(store_queue_progress(relay, q.id, &res, 1), 0);
    EXPECT_INT(store_queue_lease(relay, arena, &again, &due), -EAGAIN);
    EXPECT_INT(due, 0);
    EXPECT_INT(store_queue_done(relay, q.id, &res, 1, 1), -ENOENT);
    arena_free(arena);
}
TEST(progress)
{
    with_store(progress);
}
