/*
 * store_cost: makes large mailboxes in bulk, and does one thing to one of them, in a function of its own, so that a tool can
 * count its instructions. Works on the store's folder by itself: no other process may have it open.
 *
 *     store_cost fill FOLDER MESSAGES BYTES [MAILBOXES [ACCOUNT]]    into INBOX (or Bulk 1 … n) of the account (16)
 *     store_cost append|flag|expunge|marked|fetch|status|select FOLDER TIMES
 *
 * bench/cost and bench/big run it.
 */
#include "store/engine.h"
#include "store/grant.h"
#include "store/restore.h"
#include "store/store_msg.h"

#include "base/check.h"
#include "base/clock.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    AREA_BYTES = 8 << 20,
    AT_ONCE = 256,        /* messages of a record */
    BATCH = 16,           /* records of a batch */
    BODY_MAX = 16 << 10,  /* so that AT_ONCE of them fit into the area */
    SELECT_TIMES_MAX = 4, /* each may look at all messages */
};
#define MAP_BYTES (UINT64_C(16) << 30) /* what valgrind gives, too */

static const unsigned char secret[GRANT_SECRET_BYTES] = "store_cost";
static struct engine *engine;
static struct buf grant = BUF(STORE_GRANT_MAX);
static char area[AREA_BYTES];
static uint64_t account = 16;

static _Noreturn void die(const char *what, int err)
{
    fprintf(stderr, "store_cost: %s: %s\n", what, strerror(-err));
    exit(1);
}

static int ask(unsigned kind, enum role role, const struct buf *b, bool alone)
{
    static struct buf answer = BUF(1 << 20);
    struct intent i = {.role = role,
                       .kind = kind,
                       .areas = {{area, sizeof(area)}},
                       .payload = buf_span(b),
                       .answer = &answer};

    buf_clear(&answer);
    return alone ? engine_run(engine, &i) : engine_execute(engine, &i);
}

static void open_engine(const char *root)
{
    struct engine_options o = {.root = root,
                               .map_bytes = MAP_BYTES,
                               .log_file_bytes = 256 << 20,
                               .change_log_seconds = 86400,
                               .history_seconds = 86400,
                               .answers_ms = 1, /* nobody asks twice */
                               .grant_secret = secret};
    struct grant g = {.account = 0, .rights = GRANT_MAIL, .expires_seconds = INT64_MAX};
    struct err err;
    int r = engine_open(&engine, &o, &err);

    if (r) {
        fprintf(stderr, "store_cost: %s\n", err.text);
        exit(1);
    }
    g.account = account;
    const struct account *a = account_get(engine, account, false);
    if (!a) { /* a store of our own */
        struct msg_account m = {
            .head = {1, 1},
              .account = account, .epoch = 1, .state = ACCOUNT_ENABLED
        };
        struct buf b = BUF(256);
        wr_account(&b, &m);
        r = ask(MSG_STORE_ACCOUNT, ROLE_AUTHD, &b, true);
        if (r)
            die("cannot make the account", r);
        buf_done(&b);
        a = account_get(engine, account, false);
    }
    g.epoch = a->row.epoch;
    grant_seal(&g, secret, &grant);
}

static uint64_t mailbox_of(const char *name)
{
    const struct mbox *m;
    struct buf b = BUF(2048);
    uint64_t id;

    CHECK(engine_batch_begin(engine, 0) == 0);
    m = mbox_find(engine, account, span_cstr(name), true);
    id = m ? m->id : 0;
    engine_batch_drop(engine);
    if (id)
        return id;
    struct msg_mailbox q = {
        .head = {1, 1},
          .grant = buf_span(&grant), .account = account, .name = span_cstr(name)
    };
    wr_mailbox(&b, &q);
    int err = ask(MSG_STORE_MAILBOX_CREATE, ROLE_ACCESS, &b, true);
    if (err)
        die("cannot make the mailbox", err);
    buf_done(&b);
    return mailbox_of(name);
}

/* ------------------------------------------------------------------ many messages */
static size_t message_text(char *p, size_t bytes, uint64_t number)
{
    static const char words[] =
        "the mail of many people goes through here every day and some of it is read ";
    int n = snprintf(
        p, bytes,
        "From: Sender %" PRIu64 " <sender%" PRIu64 "@example.org>\r\nTo: u1@example.test\r\n"
        "Subject: Message number %" PRIu64 "\r\nDate: Tue, 24 Nov 2026 05:29:00 +0000\r\n"
        "Message-ID: <%" PRIu64 ".bulk@example.org>\r\n\r\n",
        number % 1000, number % 1000, number, number);
    size_t at = (size_t)n;

    for (size_t i = 0; at + 2 < bytes; at++, i++)
        if (i % 78 == 76)
            p[at++] = '\r', p[at] = '\n';
        else
            p[at] = words[(i + number) % (sizeof(words) - 1)];
    p[at++] = '\r';
    p[at++] = '\n';
    return at;
}

/* One MULTIAPPEND of `count` messages, its bodies in the area. */
static void put_append(struct buf *b, uint64_t mailbox, size_t count, size_t bytes, uint64_t number)
{
    static struct msg_item items[AT_ONCE];
    static struct buf block = BUF(1 << 20);
    struct msg_append a = {
        .head = {1, 1},
        .grant = buf_span(&grant),
        .mailbox = mailbox,
        .items = items,
        .count = count
    };
    uint64_t at = 0;

    memset(items, 0, sizeof(items));
    for (size_t i = 0; i < count; i++) {
        size_t n = message_text(area + at, bytes, number + i);
        buf_clear(&block);
        CHECK(summary_make(span_of(area + at, n), &message_limits_default, &block) == 0);
        CHECK(at + n + block.n <= sizeof(area));
        memcpy(area + at + n, block.p, block.n);
        items[i].body.body = (struct msg_blob){AREA_RING, at, (uint32_t)n};
        items[i].body.summary = (struct msg_blob){AREA_RING, at + n, (uint32_t)block.n};
        items[i].body.thread = number + i;
        items[i].received_seconds = clock_seconds();
        at += n + block.n;
    }
    buf_clear(b);
    wr_append(b, &a);
    CHECK(!b->overflow);
}

static void checkpoint_now(void)
{
    static struct checkpoint c;
    int err = checkpoint_begin(engine, &c);

    if (!err) {
        checkpoint_write(&c);
        err = checkpoint_done(engine, &c);
    }
    if (err)
        die("cannot write a checkpoint", err);
    checkpoint_release(engine, UINT64_MAX);
}

static void finish_batch(void)
{
    int err = engine_batch_sync(engine);

    if (!err)
        err = engine_batch_commit(engine);
    if (err)
        die("cannot write", err);
    if (checkpoint_due(engine))
        checkpoint_now();
}

static int fill(uint64_t messages, size_t bytes, unsigned mailboxes)
{
    struct buf b = BUF(MSG_INDIRECT_MAX);
    uint64_t done = 0, from = clock_mono_ms(), told = from;
    uint64_t *box = calloc(mailboxes, sizeof(*box));

    CHECK(box);
    for (unsigned i = 0; i < mailboxes; i++) {
        char name[32] = "INBOX";
        if (mailboxes > 1)
            snprintf(name, sizeof(name), "Bulk %u", i + 1);
        box[i] = mailbox_of(name);
    }
    for (uint64_t record = 0; done < messages;) {
        CHECK(engine_batch_begin(engine, 4 << 20) == 0);
        for (unsigned i = 0; i < BATCH && done < messages; i++) {
            size_t n = messages - done < AT_ONCE ? (size_t)(messages - done) : AT_ONCE;
            put_append(&b, box[record++ % mailboxes], n, bytes, done);
            int err = ask(MSG_STORE_APPEND, ROLE_ACCESS, &b, false);
            if (err)
                die("cannot append", err);
            done += n;
        }
        finish_batch();
        if (clock_mono_ms() - told >= 10000) {
            told = clock_mono_ms();
            fprintf(stderr, "%" PRIu64 " of %" PRIu64 " messages, %" PRIu64 " a second\n", done,
                    messages, done * 1000 / (told - from));
        }
    }
    free(box);
    buf_done(&b);
    printf("{\"messages\": %" PRIu64 ", \"seconds\": %.3f}\n", messages,
           (double)(clock_mono_ms() - from) / 1e3);
    return 0;
}

/* ------------------------------------------------------------------ one thing: what is counted */
#define COUNTED __attribute__((noinline, noclone)) extern
void counted(void (*fn)(void *arg), void *arg);
COUNTED void counted(void (*fn)(void *arg), void *arg)
{
    fn(arg);
    __asm__ volatile("" ::: "memory"); /* no tail call: the return is seen */
}

struct change {
    unsigned kind;
    const struct buf *payload;
    int status;
};
static void do_change(void *arg)
{
    struct change *c = arg;
    c->status = ask(c->kind, ROLE_ACCESS, c->payload, true);
}

/* Of `count` messages the one that the n-th of `times` looks at: spread over all. */
static uint32_t pick(uint32_t count, unsigned n, unsigned times)
{
    return 1 + (uint32_t)((uint64_t)count * (2 * n + 1) / (2 * times));
}

static int change(const char *what, unsigned times)
{
    struct buf b = BUF(MSG_INDIRECT_MAX);
    uint64_t box = mailbox_of("INBOX");
    uint32_t count = mbox_get(engine, box)->row.uidnext - 1;
    unsigned kind = *what == 'a'   ? MSG_STORE_APPEND
                    : *what == 'f' ? MSG_STORE_FLAGS
                                   : MSG_STORE_EXPUNGE;

    /* The first ones make what is made once. */
    for (unsigned n = 0; n < times + 4; n++) {
        uint32_t uid = n < 4 ? 1 + n : pick(count, n - 4, times);
        if (*what == 'm') /* those went by "expunge" */
            uid += n < 4 ? 4 : 1;
        struct range one = {uid, uid};
        struct rangeset set = {&one, 1, 1};
        struct msg_flags f = {
            .head = {1, 1},
            .grant = buf_span(&grant),
            .mailbox = box,
            .uids = set,
            .op = FLAGS_ADD,
            .flags = STORE_FLAGGED,
            .unchanged_since = UINT64_MAX
        };
        struct msg_expunge x = {
            .head = {1, 1},
              .grant = buf_span(&grant), .mailbox = box, .uids = set
        };
        buf_clear(&b);
        if (*what == 'm') { /* one is marked, and all that are marked go */
            struct range all = {1, count};
            f.flags = STORE_DELETED;
            wr_flags(&b, &f);
            int err = ask(MSG_STORE_FLAGS, ROLE_ACCESS, &b, true);
            if (err)
                die(what, err);
            buf_clear(&b);
            x.uids = (struct rangeset){&all, 1, 1};
            x.only_deleted = true;
            wr_expunge(&b, &x);
        } else if (kind == MSG_STORE_APPEND)
            put_append(&b, box, 1, 2048, 1000000000 + count + n);
        else if (kind == MSG_STORE_FLAGS)
            wr_flags(&b, &f);
        else
            wr_expunge(&b, &x);
        uint32_t before = mbox_get(engine, box)->row.messages;
        struct change c = {kind, &b, 0};
        if (n < 4)
            do_change(&c);
        else
            counted(do_change, &c);
        if (c.status)
            die(what, c.status);
        if (*what == 'm' && mbox_get(engine, box)->row.messages != before - 1)
            die("the marked one did not go", 0);
    }
    buf_done(&b);
    return 0;
}

struct look {
    struct store_read *read;
    const char *what;
    uint32_t uid;
    uint64_t box;
    struct buf block, text;
};
static void do_look(void *arg)
{
    struct look *l = arg;
    struct mailbox_info box;
    struct message_info m;
    struct summary sum;

    if (*l->what == 'f') {
        CHECK(store_message_get(l->read, l->box, l->uid, &m) == 0);
        CHECK(store_summary_read(l->read->store, &m, &l->block, &sum) == 0);
        buf_clear(&l->text);
        CHECK(store_message_read(l->read->store, &m, 0, m.size, &l->text) == 0);
        return;
    }
    CHECK(store_mailbox_find(l->read, account, SPAN("INBOX"), &box) == 0);
    l->box = box.id;
    if (strcmp(l->what, "select") == 0) {
        struct span names[STORE_KEYWORDS_MAX];
        struct rangeset uids = RANGESET_EMPTY;
        store_mailbox_keywords(l->read, box.id, names);
        CHECK(store_uids(l->read, box.id, &uids) == 0 && rangeset_count(&uids) == box.messages);
        rangeset_done(&uids);
    }
}

static int look(const char *root, const char *what, unsigned times)
{
    struct look l = {.what = what, .block = BUF(1 << 20), .text = BUF(1 << 20)};
    struct mailbox_info box;
    struct store_read read;
    struct store *store;
    struct err err;
    char path[512];

    snprintf(path, sizeof(path), "%s/store/log", root);
    int log = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (log < 0 || restore_open(root, log, MAP_BYTES, &store, &read, &err) != 0) {
        fprintf(stderr, "store_cost: cannot read %s\n", root);
        return 1;
    }
    l.read = &read;
    CHECK(store_mailbox_find(&read, account, SPAN("INBOX"), &box) == 0);
    l.box = box.id;
    if (strcmp(what, "select") == 0 && times > SELECT_TIMES_MAX)
        times = SELECT_TIMES_MAX;
    l.uid = 6; /* neither of the first, which may have been expunged */
    do_look(&l);
    for (unsigned n = 0; n < times; n++) {
        struct message_info m;
        for (l.uid = pick(box.uidnext - 1, n, times);
             store_message_get(&read, l.box, l.uid, &m) != 0;)
            l.uid++;
        counted(do_look, &l);
    }
    printf("{\"times\": %u}\n", times);
    restore_close(store, &read);
    close(log);
    buf_done(&l.block);
    buf_done(&l.text);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "fill") == 0 && argc < 5)) {
        fprintf(stderr, "store_cost fill FOLDER MESSAGES BYTES [MAILBOXES [ACCOUNT]]\n"
                        "store_cost append|flag|expunge|marked|fetch|status|select FOLDER TIMES\n");
        return 2;
    }
    const char *what = argv[1], *root = argv[2];
    uint64_t n = strtoull(argv[3], NULL, 10);
    int r;

    if (strcmp(what, "fetch") == 0 || strcmp(what, "status") == 0 || strcmp(what, "select") == 0)
        return look(root, what, (unsigned)n);
    account = argc > 6 ? strtoull(argv[6], NULL, 10) : account;
    open_engine(root);
    if (strcmp(what, "fill") == 0) {
        unsigned long bytes = strtoul(argv[4], NULL, 10),
                      boxes = argc > 5 ? strtoul(argv[5], NULL, 10) : 1;
        CHECK(bytes >= 512 && bytes <= BODY_MAX && boxes > 0);
        r = fill(n, bytes, (unsigned)boxes);
    } else {
        r = change(what, (unsigned)n);
        printf("{\"times\": %u}\n", (unsigned)n);
    }
    engine_close(engine, true);
    buf_done(&grant);
    return r;
}
