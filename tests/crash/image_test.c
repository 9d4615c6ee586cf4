/*
 * Every kind of request is done, in batches of random size with checkpoints in between, while all
 * file operations are recorded. Then the disk is looked at as it may be after a crash at any point:
 * the store must open, and hold exactly what was acknowledged, or that and the beginning of the
 * batch under way, and nothing that `store check` finds fault with. Compaction and trimming go on
 * meanwhile. CRASH_IMAGES sets how many images (300; 10,000 with SEALPOST_LONG); the seed is
 * printed.
 */
#include "recorder.h"
#include "store/annex.h"
#include "store/check.h"
#include "store/compact_drive.h"
#include "store/engine.h"
#include "store/store_harness.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { IMAGES = 300, IMAGES_LONG = 10000, HISTORY_IMAGES = 500 };
enum { OPS = 400, LOG_BYTES = 96 << 10, OP_TRIM = 1 << 20, TEXTS = 4, SUMMARY_AT = 100000 };
#define ALICE UINT64_C(16)
#define NOW_MS INT64_C(1795500000000)

static char root[] = "/dev/shm/sealpost-image-XXXXXX";
static uint64_t seed, state;
static struct buf grant = BUF(STORE_GRANT_MAX);
static char memory[200000];

static uint64_t next_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}

/* ------------------------------------------------------------------ requests */
struct op {
    unsigned kind;
    enum role role;
    struct buf payload;
};
static struct op ops[OPS + 1]; /* the last: what is done after a crash */

/* What a worker's ring would hold: text, and the summaries of some of its beginnings. */
static const uint32_t text_bytes[TEXTS] = {300, 1500, 6000, 60000};
static uint32_t summary_at[TEXTS], summary_bytes[TEXTS];

static void fill_memory(void)
{
    static const char head[] = "From: a@example.org\r\nSubject: of many lengths\r\n\r\n";
    uint32_t at = SUMMARY_AT;

    for (size_t i = 0; i < sizeof(memory); i++)
        memory[i] = (char)('a' + i * 7 % 26);
    memcpy(memory, head, sizeof(head) - 1);
    for (int i = 0; i < TEXTS; i++) {
        struct buf b = BUF(10000);
        CHECK(summary_make(span_of(memory, text_bytes[i]), &message_limits_default, &b) == 0);
        memcpy(memory + at, b.p, b.n);
        summary_at[i] = at;
        summary_bytes[i] = (uint32_t)b.n;
        at += (uint32_t)b.n;
        buf_done(&b);
    }
}

static struct msg_body some_body(void)
{
    unsigned text = next_random() % 20 == 0 ? 3 : (unsigned)(next_random() % 3);
    struct msg_body b = {
        .body = {AREA_RING, 0,                text_bytes[text]   },
        .summary = {AREA_RING, summary_at[text], summary_bytes[text]},
        .thread = next_random()
    };
    /* Without a summary, of any length; without any bytes at all. */
    if (next_random() % 3 == 0) {
        b.body = (struct msg_blob){AREA_RING, next_random() % 1000,
                                   next_random() % 8 ? (uint32_t)(next_random() % 6000) : 0};
        b.summary.bytes = 0;
    }
    return b;
}

static struct rangeset some_uids(void)
{
    struct rangeset s = RANGESET_EMPTY;

    for (int i = 0; i < 3; i++) {
        uint32_t lo = 1 + (uint32_t)(next_random() % 60);
        rangeset_add(&s, lo, lo + (uint32_t)(next_random() % 5));
    }
    return s;
}

/* Ids are given in order: 1 … 6 are ALICE's own mailboxes, 7 a newsgroup. */
static uint64_t some_mailbox(void)
{
    return 1 + next_random() % 2;
}

/* Rights, annotations, read marks in the newsgroup, another account and its domain. */
static void make_annex(struct op *o, struct msg_head head, const struct rangeset *some)
{
    static const char *const who[] = {"anyone", "$staff@example.org", "bob@example.org"};
    struct store_note note = {.entry = next_random() % 2 ? SPAN("/comment") : SPAN("/vendor/x"),
                              .value = span_of(memory, next_random() % 3000),
                              .shared = next_random() % 2,
                              .remove = next_random() % 4 == 0};
    struct msg_note n = {head, buf_span(&grant), next_random() % 8, &note, 1};
    struct msg_acl a = {head,
                        buf_span(&grant),
                        1 + next_random() % 12,
                        span_cstr(who[next_random() % 3]),
                        (uint8_t)(ACL_SET + next_random() % 4),
                        (uint32_t)(next_random() & ACL_ALL)};
    struct msg_flags f = {.head = head,
                          .grant = buf_span(&grant),
                          .mailbox = 7,
                          .uids = *some,
                          .op = (enum store_flag_op)(next_random() % 3),
                          .flags = next_random() % 4 ? STORE_SEEN : next_random() % 32,
                          .unchanged_since = UINT64_MAX};
    struct msg_account bob = {head,
                              ALICE + 1,
                              1 + next_random() % 3,
                              0,
                              next_random() % 4 ? ACCOUNT_ENABLED : ACCOUNT_DISABLED,
                              next_random() % 2 ? SPAN("bob@example.org")
                                                : SPAN("bob@example.net")};
    struct msg_domain d = {head, SPAN("example.org"), next_random() % 3 * 100000000};

    switch (next_random() % 8) {
    case 0:
    case 1:
        o->kind = MSG_STORE_NOTE;
        wr_note(&o->payload, &n);
        break;
    case 2:
    case 3:
        o->kind = MSG_STORE_ACL;
        wr_acl(&o->payload, &a);
        break;
    case 4:
        o->kind = MSG_STORE_ACCOUNT;
        o->role = ROLE_AUTHD;
        wr_account(&o->payload, &bob);
        break;
    case 5:
        o->kind = MSG_STORE_DOMAIN;
        o->role = ROLE_AUTHD;
        wr_domain(&o->payload, &d);
        break;
    default:
        o->kind = MSG_STORE_FLAGS;
        wr_flags(&o->payload, &f);
    }
}

static void make_op(struct op *o, unsigned i)
{
    struct msg_head head = {i + 1, i + 1};
    struct rangeset uids = some_uids();
    unsigned what = (unsigned)(next_random() % 25);

    buf_init(&o->payload, 1 << 20);
    o->role = ROLE_ACCESS;
    if (i == 0) {
        struct msg_account a = {head, ALICE, 1, 0, ACCOUNT_ENABLED, SPAN("alice@example.org")};
        o->kind = MSG_STORE_ACCOUNT;
        wr_account(&o->payload, &a);
    } else if (i == 1) {
        struct msg_newsgroup g = {
            head, NEWSGROUP_CREATE, SPAN("test.group"), MAILBOX_NEWSGROUP, false, {NULL, 0}
        };
        o->kind = MSG_STORE_NEWSGROUP;
        wr_newsgroup(&o->payload, &g);
    } else if (i % 16 == 15) {
        o->kind = OP_TRIM;
    } else if (what < 8) {
        struct msg_item item = {.body = some_body(), .flags = next_random() % 32};
        struct msg_append a = {head, buf_span(&grant), some_mailbox(), &item, 1, 0, 0};
        struct span word = SPAN("word");
        if (next_random() % 4 == 0) {
            item.keywords = &word;
            item.keyword_count = 1;
            item.prefix = SPAN("X-Prefix: here\r\n");
        }
        o->kind = MSG_STORE_APPEND;
        wr_append(&o->payload, &a);
    } else if (what < 11) {
        struct store_recipient to[3] = {
            {.kind = RECIPIENT_INBOX,  .id = ALICE                     },
            {.kind = RECIPIENT_FOLDER, .id = 7                         },
            {.kind = RECIPIENT_REMOTE, .address = SPAN("x@example.net")}
        };
        struct msg_deliver d = {.head = head, .body = some_body()};
        char id[32];
        snprintf(id, sizeof(id), "<%u@example.org>", i);
        d.d = (struct store_delivery){.grant = buf_span(&grant),
                                      .sender = SPAN("a@example.org"),
                                      .prefix = SPAN("Received: today\r\n"),
                                      .recipients = to,
                                      .count = 1 + next_random() % 3,
                                      .news = true,
                                      .message_id = span_cstr(id)};
        o->kind = MSG_STORE_DELIVER;
        wr_deliver(&o->payload, &d);
    } else if (what < 15) {
        struct msg_flags f = {.head = head,
                              .grant = buf_span(&grant),
                              .mailbox = some_mailbox(),
                              .uids = uids,
                              .op = (enum store_flag_op)(next_random() % 3),
                              .flags = next_random() % 32,
                              .unchanged_since = UINT64_MAX};
        o->kind = MSG_STORE_FLAGS;
        wr_flags(&o->payload, &f);
    } else if (what < 17) {
        struct msg_expunge x = {head, buf_span(&grant), some_mailbox(), next_random() % 2, uids};
        o->kind = MSG_STORE_EXPUNGE;
        wr_expunge(&o->payload, &x);
    } else if (what < 19) {
        struct msg_copy c = {head, buf_span(&grant), some_mailbox(), 3, next_random() % 2, uids};
        o->kind = MSG_STORE_COPY;
        wr_copy(&o->payload, &c);
    } else if (what >= 20) {
        make_annex(o, head, &uids);
    } else {
        char name[32];
        struct msg_mailbox m = {.head = head, .grant = buf_span(&grant), .account = ALICE};
        snprintf(name, sizeof(name), "folder %u/below", (unsigned)(next_random() % 6));
        m.name = span_cstr(name);
        m.name2 = SPAN("somewhere/else");
        m.mailbox = 8 + next_random() % 6;
        static const unsigned kinds[] = {MSG_STORE_MAILBOX_CREATE, MSG_STORE_MAILBOX_DELETE,
                                         MSG_STORE_MAILBOX_RENAME, MSG_STORE_SUBSCRIBE};
        o->kind = kinds[next_random() % 4];
        m.on = next_random() % 2;
        wr_mailbox(&o->payload, &m);
    }
    rangeset_done(&uids);
}

static int execute(struct engine *e, const struct op *o)
{
    static struct buf answer = BUF(1 << 20);
    struct intent i = {.role = o->role,
                       .kind = o->kind,
                       .client = 77,
                       .areas = {{memory, sizeof(memory)}},
                       .payload = buf_span(&o->payload),
                       .answer = &answer};
    int status;

    /* Time goes on with the requests, so that something grows old. */
    clock_fake(NOW_MS + (int64_t)(o - ops) * 10000);
    if (o->kind == OP_TRIM) {
        e->now = clock_seconds();
        status = plan_trim(e, &i);
        return status ? status : plan_forget(e, &i);
    }
    do {
        status = engine_execute(e, &i);
    } while (i.more);
    buf_done(&answer);
    return status;
}

/* ------------------------------------------------------------------ what is in a store */
/* Every table but those that differ between two stores of one history (seeds, places in the log).
 */
static const enum index_table told[] = {
    INDEX_MAILBOX, INDEX_NAME,    INDEX_CHANGE, INDEX_KEYWORD, INDEX_SUBSCRIPTION,
    INDEX_DUE,     INDEX_ACCOUNT, INDEX_MARK,   INDEX_DOOMED,  INDEX_ACL,
    INDEX_GRANTED, INDEX_NOTE,    INDEX_READ,   INDEX_ADDRESS, INDEX_NAMED};

static void mix(uint64_t *h, const void *p, size_t n)
{
    const unsigned char *b = p;

    for (size_t i = 0; i < n; i++)
        *h = (*h ^ b[i]) * UINT64_C(1099511628211);
}

static void mix_table(struct engine *e, MDB_txn *t, enum index_table table, uint64_t *h)
{
    MDB_val key, v;
    MDB_cursor *c;

    CHECK(mdb_cursor_open(t, e->index.dbi[table], &c) == 0);
    while (mdb_cursor_get(c, &key, &v, MDB_NEXT) == 0) {
        mix(h, key.mv_data, key.mv_size);
        mix(h, v.mv_data, v.mv_size);
    }
    mix(h, &table, sizeof(table));
    mdb_cursor_close(c);
}

/* Messages with their bytes; counts what the mailbox rows say, too. */
static bool mix_messages(struct engine *e, MDB_txn *t, uint64_t *h)
{
    MDB_val key, v;
    MDB_cursor *c;
    bool good = true;

    CHECK(mdb_cursor_open(t, e->index.dbi[INDEX_MESSAGE], &c) == 0);
    while (mdb_cursor_get(c, &key, &v, MDB_NEXT) == 0) {
        struct row_message m;
        struct buf b = BUF(1 << 20);
        memcpy(&m, v.mv_data, sizeof(m));
        mix(h, key.mv_data, key.mv_size);
        mix(h, &m, offsetof(struct row_message, body));
        int err =
            blob_read(journal_fd(&e->journal, m.body_file), m.body_at, m.body_bytes, true, &b);
        if (!err && m.prefix_bytes)
            err = blob_read(journal_fd(&e->journal, m.prefix_file), m.prefix_at, m.prefix_bytes,
                            true, &b);
        if (err) {
            fprintf(stderr, "a body cannot be read: %s\n", strerror(-err));
            good = false;
        }
        mix(h, b.p, b.n);
        buf_done(&b);
    }
    mdb_cursor_close(c);
    return good;
}

static bool fingerprint(struct engine *e, uint64_t *ret)
{
    uint64_t h = 1;
    MDB_txn *t;
    bool good;

    CHECK(mdb_txn_begin(e->index.env, e->txn, e->txn ? 0 : MDB_RDONLY, &t) == 0);
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        mix_table(e, t, told[i], &h);
    good = mix_messages(e, t, &h);
    MDB_stat s;
    static const enum index_table counted[] = {INDEX_SHARED, INDEX_HISTORY, INDEX_ARRIVED,
                                               INDEX_SEEN, INDEX_QUEUE};
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        CHECK(mdb_stat(t, e->index.dbi[counted[i]], &s) == 0);
        mix(&h, &s.ms_entries, sizeof(s.ms_entries));
    }
    mdb_txn_abort(t);
    *ret = h;
    return good;
}

/* ------------------------------------------------------------------ the two runs */
static uint64_t prints[OPS + 1]; /* after so many requests */
static size_t begun_at[OPS + 1]; /* events when the batch that holds this request was begun */
static size_t done_at[OPS + 1];  /* and when it was acknowledged */

static struct engine *open_at(const char *folder)
{
    struct engine_options o = {.root = folder,
                               .map_bytes = 64 << 20,
                               .log_file_bytes = LOG_BYTES,
                               .change_log_seconds = 600,
                               .history_seconds = 600,
                               .answers_ms = 1,
                               .compact_percent = 80,
                               .grant_secret = store_harness_secret};
    struct engine *e;
    struct err err;

    if (engine_open(&e, &o, &err) != 0) {
        fprintf(stderr, "cannot open the store: %s\n", err.text);
        return NULL;
    }
    return e;
}

static void checkpoint(struct engine *e)
{
    struct checkpoint c;

    CHECK(checkpoint_begin(e, &c) == 0);
    checkpoint_write(&c);
    CHECK(checkpoint_done(e, &c) == 0);
    checkpoint_release(e, UINT64_MAX);
}

static void path_of(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", root, name);
}

static void make_root(const char *name, char out[256])
{
    char sub[300];
    static const char *const folders[] = {"", "/store", "/store/index", "/store/log"};

    path_of(name, out);
    for (size_t i = 0; i < 4; i++) {
        snprintf(sub, sizeof(sub), "%s%s", out, folders[i]);
        CHECK(mkdir(sub, 0750) == 0);
    }
}

/* One request a batch: what the store is after each. */
static unsigned reference(const char *name)
{
    char folder[256];
    struct engine *e;
    unsigned good = 0;

    make_root(name, folder);
    clock_fake(NOW_MS);
    e = open_at(folder);
    CHECK(e && fingerprint(e, &prints[0]));
    for (unsigned i = 0; i < OPS; i++) {
        CHECK(engine_batch_begin(e, 0) == 0);
        good += execute(e, &ops[i]) == 0;
        CHECK(!e->failed);
        if (engine_batch_empty(e)) {
            engine_batch_drop(e);
        } else {
            CHECK(engine_batch_sync(e) == 0);
            CHECK(engine_batch_commit(e) == 0);
        }
        CHECK(fingerprint(e, &prints[i + 1]));
    }
    engine_close(e, true);
    return good;
}

static uint64_t copied, removed;

static void recorded(const char *name)
{
    char folder[256];
    struct engine *e;
    unsigned i = 0;

    make_root(name, folder);
    clock_fake(NOW_MS);
    recorder_start(folder);
    e = open_at(folder);
    CHECK(e);
    while (i < OPS) {
        unsigned n = 1 + (unsigned)(next_random() % 6), first = i;
        size_t begun = recorder_events();
        if (next_random() % 8 == 0 && journal_wants_file(&e->journal)) {
            struct journal_prepare p = journal_prepare_begin(&e->journal);
            journal_prepare(&p);
            journal_prepared(&e->journal, &p);
        }
        CHECK(engine_batch_begin(e, 20000) == 0);
        /* Trimming has a batch of its own, as in stored. */
        for (; n > 0 && i < OPS && (i == first || ops[i].kind != OP_TRIM); n--) {
            execute(e, &ops[i++]);
            if (ops[i - 1].kind == OP_TRIM)
                break;
        }
        if (engine_batch_empty(e)) {
            engine_batch_drop(e);
        } else {
            CHECK(engine_batch_sync(e) == 0);
            CHECK(engine_batch_commit(e) == 0);
        }
        for (unsigned k = first; k < i; k++) {
            begun_at[k] = begun;
            done_at[k] = recorder_events();
        }
        if (next_random() % 10 == 0)
            checkpoint(e);
        /* Compaction goes on beside it, at its own pace; mailboxes that are gone are tidied by none
         * here, so it is told not to wait for that. */
        e->leftovers = false;
        for (unsigned steps = (unsigned)(next_random() % 4); steps > 0; steps--)
            drive_compact(e);
    }
    copied = compact_stats(e->compact).rows_moved;
    removed = compact_stats(e->compact).files_removed;
    recorder_stop();
    engine_close(e, false);
}

/* ------------------------------------------------------------------ after a crash */
static void found(void *arg, enum finding kind, bool repaired, const char *text)
{
    fprintf(stderr, "store check: %s: %s\n", finding_name(kind), text);
}

static bool whole(struct engine *e)
{
    struct check c = {
        .found = found, .index = &e->index, .journal = &e->journal, .state = e->state};

    CHECK(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &c.txn) == 0);
    check_log(&c);
    check_index(&c);
    check_done(&c);
    mdb_txn_abort(c.txn);
    return c.all == 0 && c.err == 0;
}

static bool check_image(size_t event, enum image_kind kind, const char *folder)
{
    unsigned least = 0, most = 0;
    uint64_t print;
    bool found = false;

    while (least < OPS && done_at[least] <= event)
        least++;
    most = least;
    while (most < OPS && begun_at[most] < event)
        most++;
    state_fake_boot(kind == IMAGE_KILLED ? "boot one" : "boot two");
    struct engine *e = open_at(folder);
    if (!e)
        return false;
    bool good = fingerprint(e, &print) && whole(e);
    for (unsigned k = least; k <= most && !found; k++)
        found = prints[k] == print;
    if (!found)
        fprintf(stderr, "after event %zu the store is none of states %u … %u\n", event, least,
                most);
    if (good && found) {
        /* It goes on from there, and a second crash at once loses nothing. */
        CHECK(engine_batch_begin(e, 0) == 0);
        make_op(&ops[OPS], OPS + 2);
        execute(e, &ops[OPS]);
        buf_done(&ops[OPS].payload);
        if (engine_batch_empty(e))
            engine_batch_drop(e);
        else
            good = engine_batch_sync(e) == 0 && engine_batch_commit(e) == 0;
        good = fingerprint(e, &print) && good;
    }
    engine_close(e, false);
    if (good && found) {
        uint64_t second;
        state_fake_boot(next_random() % 2      ? "boot three"
                        : kind == IMAGE_KILLED ? "boot one"
                                               : "boot two");
        e = open_at(folder);
        good = e && fingerprint(e, &second) && second == print && whole(e);
        if (!good)
            fprintf(stderr, "after event %zu and a second crash the store is another\n", event);
        engine_close(e, false);
    }
    return good && found;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    return remove(path);
}

/* One history of requests, and images of it. Returns how many are wrong. */
static unsigned history(unsigned number, unsigned images)
{
    char folder[256], name[32];
    unsigned bad = 0;

    for (unsigned i = 0; i < OPS; i++)
        make_op(&ops[i], i);
    state_fake_boot("boot one");
    snprintf(name, sizeof(name), "reference%u", number);
    unsigned done = reference(name);
    snprintf(name, sizeof(name), "recorded%u", number);
    recorded(name);
    size_t events = recorder_events();
    path_of("image", folder);
    for (unsigned i = 0; i < images && bad < 5; i++) {
        size_t event = 1 + (size_t)(next_random() % events);
        enum image_kind kind = next_random() % 4 ? IMAGE_POWER_CUT : IMAGE_KILLED;
        recorder_image(event, kind, folder, next_random);
        if (!check_image(event, kind, folder)) {
            fprintf(stderr, "image %u, event %zu of %zu, %s [UNIT_SEED=%llu]\n", i, event, events,
                    kind == IMAGE_KILLED ? "killed" : "power cut", (unsigned long long)seed);
            bad++;
        }
    }
    printf(
        "%u of %d requests accepted, %llu rows moved, %llu files removed, %zu events, %u images, "
        "%u wrong\n",
        done, OPS, (unsigned long long)copied, (unsigned long long)removed, events, images, bad);
    fflush(stdout);
    recorder_clear();
    for (unsigned i = 0; i < OPS; i++)
        buf_done(&ops[i].payload);
    return bad + (done < OPS / 2 || copied == 0 || removed == 0);
}

int main(void)
{
    const char *env = getenv("UNIT_SEED"), *how_many = getenv("CRASH_IMAGES");
    bool is_long = getenv("SEALPOST_LONG") != NULL;
    unsigned images = how_many ? (unsigned)atoi(how_many) : is_long ? IMAGES_LONG : IMAGES, bad = 0;
    struct grant g = {.account = ALICE, .rights = GRANT_MAIL | GRANT_SUBMIT, .epoch = 1};

    seed = env ? strtoull(env, NULL, 10) : (uint64_t)clock_ms() | 1;
    state = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    log_open("image", LOG_LEVEL_ERROR);
    g.expires_seconds = NOW_MS / 1000 + 36000;
    grant_seal(&g, store_harness_secret, &grant);
    CHECK(mkdtemp(root));
    fill_memory();
    for (unsigned number = 0; images > 0 && !bad; number++) {
        unsigned n = images < HISTORY_IMAGES ? images : HISTORY_IMAGES;
        bad = history(number, n);
        images -= n;
    }
    buf_done(&grant);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return bad > 0;
}
