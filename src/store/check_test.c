/* A store that was made wrong on purpose: each fault is found, called by its name, and repaired
 * where it can be; what is sound is left alone. */
#include "store/check.h"
#include "store/engine_testing.h"

#include <errno.h>
#include <sys/stat.h>

static char said[20000];

static void on_found(void *arg, enum finding kind, bool repaired, const char *text)
{
    size_t n = strlen(said);
    snprintf(said + n, sizeof(said) - n, "%s: %s%s\n", finding_name(kind), text,
             repaired ? " (repaired)" : "");
}

static struct check look(bool repair)
{
    struct check c = {.found = on_found, .repair = repair};
    struct err err;

    said[0] = 0;
    if (store_check(root, 256 << 20, &c, &err) != 0)
        snprintf(said, sizeof(said), "%s", err.text);
    return c;
}

/* A change of the index behind stored's back. */
static void change(enum index_table table, const struct key *k, const void *p, size_t n)
{
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, 0, &t) == 0);
    if (p)
        CHECK(index_put(&engine->index, t, table, k, p, n) == 0);
    else
        CHECK(index_del(&engine->index, t, table, k) == 0);
    CHECK(mdb_txn_commit(t) == 0);
}

static size_t row(enum index_table table, const struct key *k, char room[2000])
{
    struct span s;
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    CHECK(index_get(&engine->index, t, table, k, &s) == 0 && s.n <= 2000);
    memcpy(room, s.p, s.n);
    mdb_txn_abort(t);
    return s.n;
}

static void harm_byte(uint32_t file, uint32_t at)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/store/log/%08u.log", root, file);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, "\1", 1, at) == 1);
    close(fd);
}

static struct row_message message(uint64_t mailbox, uint32_t uid)
{
    struct key k = key_message(mailbox, uid);
    struct row_message m;
    char room[2000];

    CHECK(row(INDEX_MESSAGE, &k, room) == sizeof(m));
    memcpy(&m, room, sizeof(m));
    return m;
}

static void harm_body(void)
{
    struct row_message m = message(1, 7);
    harm_byte(m.body_file, m.body_at + 10);
}

static void harm_counter(void)
{
    struct key k = key_u64(1);
    struct row_mailbox m;
    char room[2000];
    size_t n = row(INDEX_MAILBOX, &k, room);

    memcpy(&m, room, sizeof(m));
    m.messages += 3;
    m.bytes -= 1;
    memcpy(room, &m, sizeof(m));
    change(INDEX_MAILBOX, &k, room, n);
}

static void harm_uid(void)
{
    struct key k = key_u64(1);
    struct row_mailbox m;
    char room[2000];
    size_t n = row(INDEX_MAILBOX, &k, room);

    memcpy(&m, room, sizeof(m));
    m.uidnext = 5;
    memcpy(room, &m, sizeof(m));
    change(INDEX_MAILBOX, &k, room, n);
}

static void harm_modseq(void)
{
    struct key k = key_u64(1);
    struct row_mailbox m;
    char room[2000];
    size_t n = row(INDEX_MAILBOX, &k, room);

    memcpy(&m, room, sizeof(m));
    m.highestmodseq = 2;
    memcpy(room, &m, sizeof(m));
    change(INDEX_MAILBOX, &k, room, n);
}

static void harm_references(void)
{
    struct key k = key_u64(message(6, 1).body);
    uint32_t n = 9;
    change(INDEX_SHARED, &k, &n, sizeof(n));
}

static void harm_live(void)
{
    struct key k = key_u64(1);
    struct row_file f = {12345};
    change(INDEX_FILE, &k, &f, sizeof(f));
}

static void harm_name(void)
{
    struct key k = key_name(ALICE, SPAN("INBOX"));
    change(INDEX_NAME, &k, NULL, 0);
}

static void harm_stray_name(void)
{
    struct key k = key_name(ALICE, SPAN("Nowhere"));
    uint64_t id = 1;
    change(INDEX_NAME, &k, &id, sizeof(id));
}

static void harm_change(void)
{
    struct key k = key_change(1, 3, 1);
    struct row_change r = {1, 5};
    change(INDEX_CHANGE, &k, &r, sizeof(r));
}

static void harm_account(void)
{
    struct key k = key_u64(ALICE);
    struct row_account a;
    char room[2000];

    row(INDEX_ACCOUNT, &k, room);
    memcpy(&a, room, sizeof(a));
    a.used_bytes = 1;
    change(INDEX_ACCOUNT, &k, &a, sizeof(a));
}

static void harm_due(void)
{
    struct key k = key_u64(100);
    key_add_u64(&k, 77);
    change(INDEX_DUE, &k, "", 0);
}

static void harm_queue(void)
{
    struct key k = key_u64(77);
    change(INDEX_QUEUE, &k, "short", 5);
}

static void harm_history(void)
{
    struct key k = key_u64(100);
    key_add_u64(&k, 1);
    change(INDEX_ARRIVED, &k, "<a@b>", 5);
}

static void harm_orphan(void)
{
    struct row_message m = message(1, 1);
    struct key k = key_message(4711, 1);
    m.marks = 0;
    m.body = 42;
    change(INDEX_MESSAGE, &k, &m, sizeof(m));
}

/* The commit part of a record: nothing but the chain tells. */
static void harm_log(void)
{
    struct row_message m = message(1, 3);
    harm_byte(m.prefix_file, m.prefix_at + 16 + 60);
}

static const struct {
    const char *name;
    void (*harm)(void);
    enum finding finding;
    bool repairs;
} faults[] = {
    {"body",         harm_body,       FINDING_BODY_LOST,  true },
    {"counter",      harm_counter,    FINDING_COUNTER,    true },
    {"account",      harm_account,    FINDING_COUNTER,    true },
    {"uid",          harm_uid,        FINDING_UID,        true },
    {"modseq",       harm_modseq,     FINDING_MODSEQ,     true },
    {"references",   harm_references, FINDING_REFERENCES, true },
    {"live bytes",   harm_live,       FINDING_LIVE,       true },
    {"name missing", harm_name,       FINDING_NAME,       true },
    {"name stray",   harm_stray_name, FINDING_NAME,       true },
    {"change log",   harm_change,     FINDING_CHANGE,     true },
    {"due",          harm_due,        FINDING_QUEUE,      true },
    {"queue",        harm_queue,      FINDING_QUEUE,      true },
    {"history",      harm_history,    FINDING_HISTORY,    true },
    {"orphan",       harm_orphan,     FINDING_ORPHAN,     true },
    {"log",          harm_log,        FINDING_LOG,        false},
};

static void fill(void)
{
    begin();
    for (uint32_t i = 1; i <= 60; i++)
        EXPECT_INT(append(i), 0);
    EXPECT_INT(expunge(1, 20, 29), 0);
    EXPECT_INT(copy(1, 5, 15, 6, false), 0);
    EXPECT_INT(copy(1, 40, 45, 5, true), 0);
}

TEST(a_sound_store)
{
    fill();
    struct check busy = {0};
    struct err err;
    EXPECT_INT(store_check(root, 256 << 20, &busy, &err), -EBUSY);
    engine_close(engine, true);
    struct check c = look(false);
    EXPECT_STR(said, "");
    EXPECT(c.all == 0 && c.messages == 50 - 6 + 11 + 6 && c.bodies >= 50 && c.records > 60);
    c = look(true);
    EXPECT_STR(said, "");
    EXPECT_INT(c.repaired, 0);
    start();
    end();
}

/* What was answered is in the log only: it is looked at as the next start would have it. */
static void killed(const char *boot)
{
    fill();
    for (uint32_t i = 61; i <= 63; i++)
        keep_one(i);
    engine_close(engine, false);
    state_fake_boot(boot);
}

static void lose(const char *what);
enum { FILLED = 50 - 6 + 11 + 6 };

TEST(killed_while_the_index_is_behind)
{
    static const char *const boots[] = {NULL, "another run of the machine"};
    struct check c;

    for (size_t i = 0; i < ARRAY_LEN(boots); i++) {
        unit_case(boots[i]);
        killed(boots[i]);
        for (int again = 0; again < 2; again++) { /* the store itself stays behind */
            c = look(false);
            EXPECT_STR(said, "");
            EXPECT_INT(c.messages, FILLED + 3);
        }
        if (!boots[i]) { /* the index as it lies there is what a start believes */
            lose("checkpoint");
            c = look(false);
            EXPECT(c.all == 1 && c.findings[FINDING_INDEX] == 1 && c.messages == FILLED + 3);
        }
        c = look(true);
        EXPECT_STR(said, "");
        EXPECT_INT(c.messages, FILLED + 3);
        c = look(false);
        EXPECT_STR(said, "");
        EXPECT_INT(c.messages, FILLED + 3);
        start();
        EXPECT_INT(append(64), 0);
        end();
    }
    unit_case(NULL);
    state_fake_boot(NULL);
}

/* A fault of what the index lacks: the log is damaged where a later record knows of it, and ends
 * where none does. */
TEST(killed_and_damaged)
{
    for (int last = 0; last < 2; last++) {
        unit_case(last ? "the last record" : "one before it");
        fill();
        keep_one(61);
        struct journal_position at = engine->journal.end;
        keep_one(62);
        if (!last)
            keep_one(63);
        engine_close(engine, false);
        harm_byte(at.file, at.at + 64 + 16 + 100);
        struct check c = look(false);
        EXPECT_INT(c.findings[FINDING_LOG], last ? 0 : 1);
        EXPECT_INT(c.all, last ? 0 : 1);
        EXPECT_INT(c.messages, FILLED + 1);
        remove_folder();
    }
    unit_case(NULL);
}

/* The index is of another history than what the log goes on with. */
TEST(killed_and_the_rest_does_not_fit)
{
    struct key k = key_u64(1);
    struct row_mailbox m;
    char room[2000];

    fill();
    size_t n = row(INDEX_MAILBOX, &k, room);
    memcpy(&m, room, sizeof(m));
    m.uidnext += 1000;
    memcpy(room, &m, sizeof(m));
    keep_one(61);
    mdb_txn_abort(engine->txn);
    engine->txn = NULL;
    engine->behind = false;
    change(INDEX_MAILBOX, &k, room, n);
    engine_close(engine, false);
    struct check c = look(false);
    EXPECT_INT(c.findings[FINDING_INDEX], 1);
    EXPECT(strstr(said, "does not fit the index") != NULL);
    remove_folder();
}

TEST(every_fault_has_its_name)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        unit_case(faults[i].name);
        fill();
        faults[i].harm();
        engine_close(engine, true);
        struct check c = look(false);
        EXPECT(c.findings[faults[i].finding] > 0);
        EXPECT_INT(c.repaired, 0);
        if (faults[i].repairs) {
            c = look(true);
            EXPECT(c.repaired > 0);
            c = look(false);
            EXPECT_STR(said, "");
        }
        start();
        /* It can be worked with again, and the counters still fit afterwards. */
        EXPECT_INT(append(61), 0);
        EXPECT_INT(expunge(1, 8, 12), 0);
        while (engine_housekeep(engine))
            ;
        engine_close(engine, true);
        if (faults[i].repairs) {
            look(false);
            EXPECT_STR(said, "");
        }
        start();
        end();
    }
    unit_case(NULL);
}

/* What root repairs stays the property of stored's user. */
TEST(files_stay_with_their_owner)
{
    static const char *const folders[] = {"store", "store/index", "store/log"};
    static const char *const files[] = {"store/checkpoint", "store/state", "store/index/data.mdb",
                                        "store/log/00000001.log"};
    enum { SOMEBODY = 4242 };
    char path[128];
    struct stat st;

    if (geteuid() != 0)
        return;
    fill();
    harm_counter();
    engine_close(engine, true);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
        CHECK(chown(path, SOMEBODY, SOMEBODY) == 0);
    }
    EXPECT(look(true).repaired > 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, files[i]);
        EXPECT(stat(path, &st) == 0 && st.st_uid == SOMEBODY && st.st_gid == SOMEBODY);
    }
    start();
    end();
}

TEST(an_index_that_is_gone)
{
    char path[128];

    fill();
    engine_close(engine, true);
    snprintf(path, sizeof(path), "%s/store/index/data.mdb", root);
    CHECK(truncate(path, 5000) == 0);
    struct check c = look(false);
    EXPECT(c.findings[FINDING_INDEX] > 0);
    c = look(true);
    EXPECT(c.findings[FINDING_INDEX] > 0);
    c = look(false);
    EXPECT_STR(said, "");
    EXPECT_INT(c.messages, 50 - 6 + 11 + 6);
    start();
    end();
}

static void lose(const char *what)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/store/%s", root, what);
    CHECK(remove(path) == 0 || errno == ENOENT);
}

/* Nothing is left but the log. */
static void lose_all_but_the_log(void)
{
    lose("index/data.mdb");
    lose("index/lock.mdb");
    lose("index");
    lose("checkpoint");
    lose("state");
    lose("ballast");
}

TEST(index_and_checkpoint_are_lost)
{
    char first[128], elsewhere[128], want[200];
    struct check c;

    fill();
    engine_close(engine, true);
    lose_all_but_the_log();
    c = look(false);
    EXPECT(c.findings[FINDING_INDEX] > 0);
    c = look(true);
    EXPECT_STR(said, "");
    EXPECT_INT(c.messages, 50 - 6 + 11 + 6);
    c = look(false);
    EXPECT_STR(said, "");
    /* as the next start would */
    lose_all_but_the_log();
    start();
    EXPECT_INT(append(61), 0);
    uint64_t last = engine->journal.end.sequence;
    engine_close(engine, true);
    c = look(false);
    EXPECT_STR(said, "");
    EXPECT_INT(c.messages, 50 - 6 + 11 + 6 + 1);

    /* With the beginning of the log given up: said, with numbers, and nothing is thrown away. */
    snprintf(first, sizeof(first), "%s/store/log/00000001.log", root);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", root);
    CHECK(rename(first, elsewhere) == 0);
    lose("checkpoint");
    lose("state");
    c = look(true);
    snprintf(want, sizeof(want), " to %llu.", (unsigned long long)last);
    EXPECT(strstr(said, "begins with file 2 and holds records ") != NULL);
    EXPECT(strstr(said, want) != NULL);
    EXPECT(strstr(said, "Restore a backup") != NULL);
    snprintf(want, sizeof(want), "%s/store/index/data.mdb", root);
    EXPECT(access(want, R_OK) == 0);
    CHECK(rename(elsewhere, first) == 0);
    start();
    EXPECT_INT(append(62), 0);
    engine_close(engine, true);
    c = look(false);
    EXPECT_STR(said, "");
    EXPECT_INT(c.messages, 50 - 6 + 11 + 6 + 2);
    start();
    end();
}

TEST(no_room_for_the_copy_of_the_index)
{
    struct check c = {.found = on_found, .keep_bytes = UINT64_MAX};
    char beside[128], elsewhere[128];
    struct err err;

    fill();
    engine_close(engine, true);
    snprintf(beside, sizeof(beside), "%s/store/check.tmp", root);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", root);
    EXPECT_INT(store_check(root, 256 << 20, &c, &err), -ENOSPC);
    EXPECT(strstr(err.text, "--tmp") != NULL);
    EXPECT(access(beside, F_OK) < 0);

    CHECK(mkdir(beside, 0500) == 0); /* nobody looks there */
    c = (struct check){.found = on_found, .copy = elsewhere};
    CHECK(mkdir(elsewhere, 0700) == 0);
    EXPECT_INT(store_check(root, 256 << 20, &c, &err), 0);
    EXPECT_INT(c.all, 0);
    EXPECT(c.messages > 0);
    EXPECT(access(elsewhere, F_OK) < 0);
    EXPECT(access(beside, F_OK) == 0); /* it was not used, and not removed */
    CHECK(rmdir(beside) == 0);
    start();
    end();
}

TEST(what_a_write_left_is_removed_at_the_start)
{
    static const struct {
        const char *name;
        bool stays;
    } files[] = {
        {"checkpoint.4qom2v4cwr3o.tmp",   false},
        {"state.abcdefghij23.tmp",        false},
        {"checkpoint.4qom2v4cwr3o.saved", true },
        {"checkpoint.short.tmp",          true },
        {"notes.tmp",                     true },
        {"checkpoint",                    true },
    };
    char path[128];

    fill();
    engine_close(engine, true);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/store/%s", root, files[i].name);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0);
        close(fd);
    }
    start();
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/store/%s", root, files[i].name);
        EXPECT_INT(access(path, F_OK) == 0, files[i].stays);
    }
    end();
}
