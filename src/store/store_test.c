/* The store as protocols see it, through the real link, engine and log. */
#include "store/store_testing.h"

static bool count_mailbox(const struct mailbox_info *m, void *arg)
{
    struct buf *b = arg;
    buf_put_span(b, m->name);
    buf_printf(b, " %u\n", m->attributes);
    return true;
}

static void new_account(void *arg)
{
    struct buf b = BUF(4096);
    struct store_read r;

    REQUIRE(store_read_begin(s, &r) == 0);
    store_mailbox_each(&r, ALICE, count_mailbox, &b);
    store_read_end(&r);
    EXPECT_SPAN(buf_span(&b),
                SPAN("INBOX 1\nArchive 17\nDrafts 33\nJunk 129\nSent 257\nTrash 513\n"));
    buf_done(&b);
    EXPECT(mailbox(ALICE, "inbox") == mailbox(ALICE, "INBOX"));
    EXPECT(mailbox(ALICE, "inbox") != 0);
    EXPECT(mailbox(ALICE, "drafts") == 0);
}
TEST(new_account)
{
    with_store(new_account);
}

static void appending(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct store_appended a;
    struct message_info m;
    struct summary sum;
    struct buf b = BUF(100000);
    struct arena *arena = arena_new(1 << 20);
    char room[1024];

    EXPECT_INT(append(inbox, "one", 0, &a), 0);
    EXPECT_INT(a.uid, 1);
    EXPECT_INT(append(inbox, "two", STORE_SEEN, &a), 0);
    EXPECT_INT(a.uid, 2);
    struct mailbox_info i = info(inbox);
    EXPECT_INT(i.messages, 2);
    EXPECT_INT(i.unseen, 1);
    EXPECT_INT(i.uidnext, 3);
    EXPECT_INT(i.first_unseen, 1);
    EXPECT(i.highestmodseq == a.modseq && i.uidvalidity == a.uidvalidity);
    REQUIRE(message(inbox, 2, &m));
    EXPECT_INT(m.flags, STORE_SEEN);
    EXPECT_INT(m.received_seconds, 1000);
    struct span want = mail("two", room, sizeof(room));
    EXPECT_INT(m.size, want.n);
    EXPECT_INT(store_message_read_all(s, &m, &b), 0);
    EXPECT_SPAN(buf_span(&b), want);
    buf_clear(&b);
    EXPECT_INT(store_message_read(s, &m, 6, 13, &b), 0);
    EXPECT_SPAN(buf_span(&b), SPAN("a@example.org"));
    EXPECT_INT(store_summary(s, &m, arena, &sum), 0);
    EXPECT_SPAN(sum.message_id, SPAN("<two@example.org>"));
    /* Somebody else's mailbox. */
    EXPECT_INT(append(mailbox(BOB, "INBOX"), "three", 0, &a), -EACCES);
    EXPECT_INT(append(4711, "three", 0, &a), -ENOENT);
    arena_free(arena);
    buf_done(&b);
}
TEST(appending)
{
    with_store(appending);
}

static void prefix_and_keywords(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct span keywords[] = {SPAN("$Forwarded"), SPAN("Work")}, names[STORE_KEYWORDS_MAX];
    char room[1024];
    struct store_body *b = body_in(s, mail("p", room, sizeof(room)));
    struct store_append a = {.grant = buf_span(&alice),
                             .mailbox = inbox,
                             .keywords = keywords,
                             .keyword_count = 2,
                             .prefix = SPAN("X-Prefix: yes\r\n")};
    struct store_appended done;
    struct message_info m;
    struct buf text = BUF(10000);
    struct store_read r;

    EXPECT_INT(store_append(s, b, &a, &done), 0);
    store_body_free(b);
    REQUIRE(message(inbox, done.uid, &m));
    EXPECT_INT(m.flags, STORE_KEYWORD(0) | STORE_KEYWORD(1));
    EXPECT_INT(m.prefix_bytes, 15);
    EXPECT_INT(store_message_read(s, &m, 10, 16, &text), 0);
    EXPECT_SPAN(buf_span(&text), SPAN("yes\r\nFrom: a@exa"));
    REQUIRE(store_read_begin(s, &r) == 0);
    EXPECT_INT(store_mailbox_keywords(&r, inbox, names), 2);
    EXPECT_SPAN(names[1], SPAN("Work"));
    store_read_end(&r);
    buf_done(&text);
}
TEST(prefix_and_keywords)
{
    with_store(prefix_and_keywords);
}

static bool note_change(const struct change_info *c, void *arg)
{
    buf_printf(arg, "%u%s ", c->uid, c->expunged ? "x" : "");
    return true;
}

static void expect_changes(uint64_t box, uint64_t since, const char *want)
{
    struct buf b = BUF(100000);
    struct store_read r;

    REQUIRE(store_read_begin(s, &r) == 0);
    EXPECT(store_changes_each(&r, box, since, note_change, &b));
    store_read_end(&r);
    EXPECT_SPAN(buf_span(&b), span_cstr(want));
    buf_done(&b);
}

static void flags_and_changes(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX"), modseq = 0;
    struct rangeset modified = RANGESET_EMPTY, gone = RANGESET_EMPTY, all = set("1:*");
    struct store_appended a;
    struct message_info m;

    for (int i = 0; i < 5; i++)
        EXPECT_INT(append(inbox, "m", 0, &a), 0);
    uint64_t start = info(inbox).highestmodseq;
    expect_changes(inbox, 0, "1 2 3 4 5 ");
    expect_changes(inbox, start - 2, "4 5 ");
    expect_changes(inbox, start, "");
    EXPECT_INT(flag(inbox, "1:2,4", FLAGS_ADD, STORE_SEEN, UINT64_MAX, NULL, &modseq), 0);
    EXPECT_INT(modseq, start + 1);
    EXPECT_INT(info(inbox).unseen, 2);
    EXPECT_INT(info(inbox).first_unseen, 3);
    expect_changes(inbox, start, "1 2 4 ");
    expect_changes(inbox, start - 1, "5 1 2 4 ");
    /* Nothing changes, nothing is written. */
    EXPECT_INT(flag(inbox, "1:2", FLAGS_ADD, STORE_SEEN, UINT64_MAX, NULL, &modseq), 0);
    EXPECT_INT(info(inbox).highestmodseq, start + 1);
    /* A condition: 1 was changed later. */
    EXPECT_INT(flag(inbox, "1,3", FLAGS_SET, STORE_DELETED, start, &modified, &modseq), 0);
    EXPECT(rangeset_count(&modified) == 1 && rangeset_has(&modified, 1));
    REQUIRE(message(inbox, 3, &m));
    EXPECT_INT(m.flags, STORE_DELETED);
    EXPECT_INT(m.modseq, start + 2);
    EXPECT_INT(info(inbox).deleted, 1);
    EXPECT_INT(flag(inbox, "5", FLAGS_ADD, STORE_DELETED, UINT64_MAX, NULL, NULL), 0);
    EXPECT_INT(flag(inbox, "5", FLAGS_REMOVE, STORE_DELETED | STORE_SEEN, UINT64_MAX, NULL, NULL),
               0);
    EXPECT_INT(info(inbox).deleted, 1);
    EXPECT_INT(store_expunge(s, buf_span(&alice), inbox, &all, true, &gone), 0);
    EXPECT(rangeset_count(&gone) == 1 && rangeset_has(&gone, 3));
    expect_uids(inbox, "1:2,4:5");
    expect_changes(inbox, start + 1, "5 3x ");
    EXPECT_INT(info(inbox).deleted, 0);
    EXPECT_INT(info(inbox).messages, 4);
    /* All of them, whatever their flags. */
    EXPECT_INT(store_expunge(s, buf_span(&alice), inbox, &all, false, NULL), 0);
    expect_uids(inbox, "");
    EXPECT_INT(info(inbox).bytes, 0);
    EXPECT_INT(info(inbox).unseen, 0);
    EXPECT_INT(store_expunge(s, buf_span(&bob), inbox, &all, false, NULL), -EACCES);
    rangeset_done(&modified);
    rangeset_done(&gone);
    rangeset_done(&all);
}
/* The answer to who knows the mailbox says what a snapshot says. */
static void flags_are_told(void *arg)
{
    static const struct {
        const char *name, *uids;
        enum store_flag_op op;
        uint64_t flags;
        int known; /* off by */
        uint64_t since;
        const char *want; /* "uid:flags…" */
    } rows[] = {
        {"one",            "1",      FLAGS_ADD,    STORE_SEEN,    0,  UINT64_MAX, "1:1+ "         },
        {"some unchanged", "1:3",    FLAGS_ADD,    STORE_SEEN,    0,  UINT64_MAX, "1:1 2:1+ 3:1+ "},
        {"all unchanged",  "1:2",    FLAGS_ADD,    STORE_SEEN,    0,  UINT64_MAX, "1:1 2:1 "      },
        {"taken away",     "2",      FLAGS_REMOVE, STORE_SEEN,    0,  UINT64_MAX, "2:0+ "         },
        {"not known",      "1",      FLAGS_ADD,    STORE_FLAGGED, -1, UINT64_MAX, ""              },
        {"never known",    "1",      FLAGS_REMOVE, STORE_FLAGGED, 99, UINT64_MAX, ""              },
        {"one is gone",    "2:4",    FLAGS_ADD,    STORE_FLAGGED, 0,  UINT64_MAX, ""              },
        {"all are gone",   "4",      FLAGS_ADD,    STORE_FLAGGED, 0,  UINT64_MAX, ""              },
        {"condition",      "1:2",    FLAGS_SET,    STORE_DRAFT,   0,  1,          ""              },
        {"as many as can", "5:36",   FLAGS_SET,    STORE_SEEN,    0,  UINT64_MAX, "5:1+ 6:1+ "    },
        {"one more",       "5:37",   FLAGS_SET,    STORE_DELETED, 0,  UINT64_MAX, ""              },
        {"with gaps",      "3,7,40", FLAGS_SET,    STORE_DRAFT,   0,  UINT64_MAX, "3:16+ 7:16+ "  },
    };
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct rangeset four = set("4");
    struct store_appended a;

    for (int i = 0; i < 40; i++)
        EXPECT_INT(append(inbox, "m", 0, &a), 0);
    EXPECT_INT(store_expunge(s, buf_span(&alice), inbox, &four, false, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rangeset u = set(rows[i].uids);
        uint64_t before = info(inbox).highestmodseq, modseq = 0;
        uint64_t known = rows[i].known == 99 ? 0 : before + (uint64_t)rows[i].known;
        struct store_flags f = {.grant = buf_span(&alice),
                                .mailbox = inbox,
                                .uids = &u,
                                .op = rows[i].op,
                                .flags = rows[i].flags,
                                .unchanged_since = rows[i].since};
        struct buf b = BUF(4096);
        struct store_told t;
        unit_case(rows[i].name);
        EXPECT_INT(store_flags_told(s, &f, known, NULL, &modseq, &t), 0);
        EXPECT_INT(t.count, rows[i].want[0] ? rangeset_count(&u) : 0);
        EXPECT_INT((int64_t)info(inbox).highestmodseq, (int64_t)(modseq ? modseq : before));
        for (size_t k = 0; k < t.count; k++) {
            struct message_info m;
            REQUIRE(message(inbox, t.message[k].uid, &m));
            EXPECT_INT((int64_t)t.message[k].flags, (int64_t)m.flags);
            EXPECT_INT((int64_t)t.message[k].modseq, (int64_t)m.modseq);
            buf_printf(&b, "%u:%u%s ", t.message[k].uid, (unsigned)t.message[k].flags,
                       t.message[k].modseq > before ? "+" : "");
        }
        EXPECT_SPAN(span_head(buf_span(&b), strlen(rows[i].want)), span_cstr(rows[i].want));
        buf_done(&b);
        rangeset_done(&u);
    }
    rangeset_done(&four);
}
TEST(flags_are_told)
{
    with_store(flags_are_told);
}

/* EXPUNGE of whatever is marked, in a large mailbox: marked lately, long ago, or from the beginning. */
static void marked_go(void *arg)
{
    static const struct {
        const char *name, *early, *other, *late, *set, *want;
    } rows[] = {
        {"none",               "",       "",      "",           "1:*",    ""          },
        {"lately",             "",       "2:9",   "5,100,7",    "1:*",    "5,7,100"   },
        {"not of the set",     "",       "",      "15,110,120", "16:115", "110"       },
        {"of the set before",  "",       "",      "8",          "1:*",    "8,15,120"  },
        {"long ago",           "11",     "12:99", "",           "1:*",    "11"        },
        {"both",               "20,101", "30:90", "102",        "1:*",    "20,101:102"},
        {"from the beginning", "",       "",      "40",         "1:*",    "40,131"    },
        {"only these",         "50,51",  "",      "",           "51",     "51"        },
        {"what is left",       "",       "",      "",           "1:*",    "50"        },
    };
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct rangeset gone = RANGESET_EMPTY;
    struct store_appended a;

    for (int i = 0; i < 130; i++)
        EXPECT_INT(append(inbox, "m", 0, &a), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rangeset uids = set(rows[i].set);
        struct buf b = BUF(1000);
        unit_case(rows[i].name);
        if (strcmp(rows[i].name, "from the beginning") == 0)
            EXPECT_INT(append(inbox, "m", STORE_DELETED, &a),
                       0); /* no change of it is in the log */
        if (rows[i].early[0])
            flag(inbox, rows[i].early, FLAGS_ADD, STORE_DELETED, UINT64_MAX, NULL, NULL);
        if (rows[i].other[0])
            flag(inbox, rows[i].other, FLAGS_ADD, STORE_FLAGGED, UINT64_MAX, NULL, NULL);
        if (rows[i].late[0])
            flag(inbox, rows[i].late, FLAGS_ADD, STORE_DELETED, UINT64_MAX, NULL, NULL);
        EXPECT_INT(store_expunge(s, buf_span(&alice), inbox, &uids, true, &gone), 0);
        rangeset_print(&gone, &b);
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].want));
        rangeset_clear(&gone);
        buf_done(&b);
        rangeset_done(&uids);
    }
    EXPECT_INT(info(inbox).deleted, 0);
    EXPECT_INT(info(inbox).messages, 131 - 15);
    rangeset_done(&gone);
}
TEST(marked_go)
{
    with_store(marked_go);
}

TEST(flags_and_changes)
{
    with_store(flags_and_changes);
}

static void copying(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX"), archive = mailbox(ALICE, "Archive");
    struct rangeset some = set("1,3"), all = set("1:*");
    struct store_copied c = {0};
    struct store_appended a;
    struct message_info m;
    struct buf b = BUF(10000);
    char room[1024];

    for (int i = 0; i < 3; i++)
        EXPECT_INT(append(inbox, "c", STORE_FLAGGED, &a), 0);
    EXPECT_INT(store_copy(s, buf_span(&alice), inbox, &some, archive, false, &c), 0);
    EXPECT_INT(rangeset_count(&c.from), 2);
    EXPECT_INT(rangeset_nth(&c.from, 1), 3);
    EXPECT_INT(rangeset_nth(&c.to, 1), 2);
    EXPECT_INT(c.uidvalidity, info(archive).uidvalidity);
    rangeset_done(&c.from);
    rangeset_done(&c.to);
    EXPECT_INT(info(inbox).messages, 3);
    EXPECT_INT(store_copy(s, buf_span(&alice), inbox, &all, archive, true, NULL), 0);
    expect_uids(inbox, "");
    expect_uids(archive, "1:5");
    /* The body lives as long as somebody shows it. */
    EXPECT_INT(store_expunge(s, buf_span(&alice), archive, &some, false, NULL), 0);
    REQUIRE(message(archive, 5, &m));
    EXPECT_INT(m.flags, STORE_FLAGGED);
    EXPECT_INT(store_message_read_all(s, &m, &b), 0);
    EXPECT_SPAN(buf_span(&b), mail("c", room, sizeof(room)));
    EXPECT_INT(store_copy(s, buf_span(&alice), archive, &all, mailbox(BOB, "INBOX"), false, NULL),
               -EACCES);
    rangeset_done(&some);
    rangeset_done(&all);
    buf_done(&b);
}
TEST(copying)
{
    with_store(copying);
}

static int deliver(struct store *by, const char *subject, struct store_delivery *d,
                   struct store_delivered *ret)
{
    char room[1024];
    struct store_body *b = body_in(by, mail(subject, room, sizeof(room)));
    int err = store_deliver(by, b, d, ret);

    store_body_free(b);
    return err;
}

static void delivering(void *arg)
{
    struct store *mx = store_harness_mx(h), *relay = store_harness_relay(h);
    struct store_recipient to[] = {
        {.kind = RECIPIENT_INBOX, .id = ALICE, .prefix = SPAN("Delivered-To: alice\r\n")},
        {.kind = RECIPIENT_INBOX,                       .id = 999           },
        {.kind = RECIPIENT_INBOX,                       .id = BOB},
        {.kind = RECIPIENT_REMOTE,                       .address = SPAN("x@example.net")          },
    };
    struct store_delivery d = {.sender = SPAN("a@example.org"),
                               .prefix = SPAN("Received: by mx\r\n"),
                               .recipients = to,
                               .count = 3,
                               .message_id = SPAN("<d@example.org>")};
    struct store_delivered done;
    struct message_info m, n;
    struct buf b = BUF(10000);
    struct arena *arena = arena_new(1 << 20);
    struct queue_item q;
    int64_t due;
    int fd;

    EXPECT_INT(deliver(mx, "d", &d, &done), 0);
    REQUIRE(message(mailbox(ALICE, "INBOX"), 1, &m) && message(mailbox(BOB, "INBOX"), 1, &n));
    EXPECT(m.body == n.body);
    EXPECT_INT(store_message_read(s, &m, 0, 44, &b), 0);
    EXPECT_SPAN(buf_span(&b), SPAN("Delivered-To: alice\r\nReceived: by mx\r\nFrom: "));
    /* The same again is seen to be the same. */
    EXPECT_INT(deliver(mx, "d", &d, &done), 0);
    EXPECT_INT(info(mailbox(ALICE, "INBOX")).messages, 1);
    d.message_id = SPAN_EMPTY;
    /* A stranger does not make us send mail out. */
    d.count = 4;
    EXPECT_INT(deliver(mx, "d", &d, &done), -EACCES);
    d.grant = buf_span(&bob);
    EXPECT_INT(deliver(s, "d", &d, &done), -EACCES);
    EXPECT_INT(store_queue_lease(relay, arena, &q, &due), -EAGAIN);
    EXPECT_INT(due, 0);
    d.grant = buf_span(&alice);
    EXPECT_INT(deliver(s, "d", &d, &done), 0);
    EXPECT(done.queue_id != 0);
    EXPECT_INT(store_queue_lease(relay, arena, &q, &due), 0);
    EXPECT(q.id == done.queue_id && q.count == 1);
    EXPECT_SPAN(q.recipients[0].address, SPAN("x@example.net"));
    EXPECT_INT(store_queue_lease(relay, arena, &q, &due), -EAGAIN);
    REQUIRE(store_queue_body(relay, q.id, &fd) == 0);
    char raw[64];
    EXPECT_INT(pread(fd, raw, 23, 0), 23);
    EXPECT_SPAN(span_of(raw, 23), SPAN("Received: by mx\r\nFrom: "));
    close(fd);
    struct queue_result res = {.index = 0, .outcome = QUEUE_DEFERRED, .text = SPAN("451 later")};
    EXPECT_INT(store_queue_done(relay, q.id, &res, 1, 4000000000), 0);
    EXPECT_INT(store_queue_lease(relay, arena, &q, &due), -EAGAIN);
    EXPECT_INT(due, 4000000000);
    EXPECT_INT(store_queue_done(relay, q.id, &res, 1, 1), 0);
    EXPECT_INT(store_queue_lease(relay, arena, &q, &due), 0);
    EXPECT_INT(q.tries, 2);
    res.outcome = QUEUE_DELIVERED;
    EXPECT_INT(store_queue_done(relay, q.id, &res, 1, 1), 0);
    EXPECT_INT(store_queue_lease(relay, arena, &q, &due), -EAGAIN);
    EXPECT_INT(due, 0);
    EXPECT_INT(store_queue_done(relay, q.id, &res, 1, 1), -ENOENT);
    arena_free(arena);
    buf_done(&b);
}
TEST(delivering)
{
    with_store(delivering);
}

static void restarted(void *arg)
{
    uint64_t inbox = mailbox(ALICE, "INBOX");
    struct store_appended a;

    for (int round = 0; round < 3; round++) {
        EXPECT_INT(append(inbox, "before", 0, &a), 0);
        store_harness_restart(h);
        EXPECT_INT(info(inbox).messages, (round + 1) * 2 - 1);
        EXPECT_INT(append(inbox, "after", 0, &a), 0);
        EXPECT_INT(a.uid, (round + 1) * 2);
    }
}
TEST(restarted)
{
    with_store(restarted);
}

/* A thousand recipients, whose request is longer than a message between processes. */
static void many_recipients(void *arg)
{
    static struct store_recipient to[STORE_RECIPIENTS_MAX];
    static char names[STORE_RECIPIENTS_MAX][200];
    struct store_delivery d = {.grant = buf_span(&alice),
                               .sender = SPAN("a@b"),
                               .recipients = to,
                               .count = STORE_RECIPIENTS_MAX};
    struct store *relay = store_harness_relay(h);
    struct store_delivered done;
    struct arena *arena = arena_new(4 << 20);
    struct queue_item q;
    size_t found = 0;
    int64_t due;
    int fd;

    for (size_t i = 0; i < STORE_RECIPIENTS_MAX; i++) {
        int n = snprintf(names[i], sizeof(names[i]), "%0150zu@example.net", i);
        to[i] = (struct store_recipient){.kind = RECIPIENT_REMOTE,
                                         .address = span_of(names[i], (size_t)n)};
    }
    EXPECT_INT(deliver(s, "many", &d, &done), 0);
    while (store_queue_lease(relay, arena, &q, &due) == 0) {
        found += q.count;
        EXPECT_INT(store_queue_body(relay, q.id, &fd), 0);
        close(fd);
    }
    EXPECT_INT(found, STORE_RECIPIENTS_MAX);
    arena_free(arena);
}
TEST(many_recipients)
{
    with_store(many_recipients);
}

/* The UIDs of a mailbox between two others, against what was kept. */
static void left_in(uint64_t box, const struct rangeset *want)
{
    struct rangeset got = RANGESET_EMPTY;
    struct store_read r;

    REQUIRE(store_read_begin(s, &r) == 0);
    EXPECT_INT(store_uids(&r, box, &got), 0);
    store_read_end(&r);
    EXPECT_INT(got.n, want->n);
    for (size_t i = 0; i < got.n && i < want->n; i++)
        EXPECT(got.r[i].lo == want->r[i].lo && got.r[i].hi == want->r[i].hi);
    rangeset_done(&got);
}

static void gaps(void *arg)
{
    static const uint32_t gone[] = {4, 7, 1, 5, 8, 2, 3, 6};
    static const char *const names[] = {"Drafts", "Sent", "Trash"};
    struct rangeset left = RANGESET_EMPTY, none = RANGESET_EMPTY;
    uint64_t box[3];

    for (int k = 0; k < 3; k++)
        box[k] = mailbox(ALICE, names[k]);
    left_in(box[1], &none);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 3; k++) {
            struct store_appended done;
            EXPECT_INT(append(box[k], "text", 0, &done), 0);
        }
    rangeset_add(&left, 1, 8);
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        struct range r = {gone[i], gone[i]};
        struct rangeset one = {&r, 1, 1};
        for (int k = 0; k < 3; k++)
            left_in(box[k], &left);
        for (int k = 0; k < 3; k++)
            EXPECT_INT(store_expunge(s, buf_span(&alice), box[k], &one, false, NULL), 0);
        rangeset_remove(&left, gone[i], gone[i]);
    }
    for (int k = 0; k < 3; k++)
        left_in(box[k], &none);
    rangeset_done(&left);
}

TEST(uids_with_and_without_gaps)
{
    with_store(gaps);
}
