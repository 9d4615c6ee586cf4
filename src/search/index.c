#include "search/index.h"

#include "base/check.h"
#include "base/log.h"
#include "search/sums.h"
#include "search/tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    VERSION = 2,
    PAGE_BYTES = 4096,
    CACHE_KIB = 8 << 10,
    NEEDLE_GRAMS = 12, /* of one place; more make a query slower, and few fewer candidates */
    QUERY_MAX = GRAM_PLACES * (NEEDLE_GRAMS * (GRAM_BYTES + 8) + 16),
    TURN_ROWS = 2000,
    TIDY_PAGES = 100,
    MERGE_AT = 8,          /* segments of a level are merged when there are so many */
    HASH_BYTES = 32 << 20, /* of what waits for the end of a batch: written once, not in pieces */
    MERGE_AT_ONCE = 1000,  /* and by the writer itself never: it would take long */
};

#define STATEMENTS(X)                                                                              \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(USED, "SELECT day FROM used WHERE id = 1")                                                   \
    X(USED_PUT, "INSERT OR REPLACE INTO used (id, day) VALUES (1, ?1)")                            \
    X(MAILBOX, "SELECT id, uidvalidity, next_uid, modseq, places FROM mailbox WHERE id = ?1")      \
    X(MAILBOXES, "SELECT id, uidvalidity, next_uid, modseq, places FROM mailbox")                  \
    X(MAILBOX_PUT, "INSERT INTO mailbox (id, uidvalidity, next_uid, modseq, places) "              \
                   "VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT (id) DO UPDATE SET "                    \
                   "uidvalidity = ?2, next_uid = ?3, modseq = ?4")                                 \
    X(MAILBOX_DROP, "DELETE FROM mailbox WHERE id = ?1")                                           \
    X(PLACES, "UPDATE mailbox SET places = places + ?2 WHERE id = ?1")                             \
    X(DOC, "SELECT doc FROM doc WHERE body = ?1 AND prefix = ?2")                                  \
    X(DOC_ADD, "INSERT INTO doc (body, prefix) VALUES (?1, ?2)")                                   \
    X(DOC_GRAMS, "INSERT INTO gram (rowid, g) VALUES (?1, ?2)")                                    \
    X(DOC_ALWAYS, "INSERT INTO always (doc) VALUES (?1)")                                          \
    X(DOC_USED, "SELECT 1 FROM place WHERE doc = ?1 LIMIT 1")                                      \
    X(DOC_DROP, "DELETE FROM doc WHERE doc = ?1")                                                  \
    X(ALWAYS_DROP, "DELETE FROM always WHERE doc = ?1")                                            \
    X(PLACE_ADD, "INSERT OR IGNORE INTO place (mailbox, uid, doc) VALUES (?1, ?2, ?3)")            \
    X(PLACE, "SELECT doc FROM place WHERE mailbox = ?1 AND uid = ?2")                              \
    X(PLACE_DROP, "DELETE FROM place WHERE mailbox = ?1 AND uid = ?2")                             \
    X(UIDS, "SELECT uid FROM place WHERE mailbox = ?1 ORDER BY uid")                               \
    X(FIND, "SELECT p.uid FROM gram g CROSS JOIN place p ON p.doc = g.rowid "                      \
            "WHERE g.gram MATCH ?1 AND p.mailbox = ?2 AND p.uid >= ?3")                            \
    X(FIND_ALWAYS, "SELECT p.uid FROM always a CROSS JOIN place p ON p.doc = a.doc "               \
                   "WHERE p.mailbox = ?1 AND p.uid >= ?2")                                         \
    X(MERGE, "INSERT INTO gram (gram, rank) VALUES ('merge', ?1)")                                 \
    X(COUNT, "SELECT (SELECT count(*) FROM doc), coalesce((SELECT seq FROM sqlite_sequence "       \
             "WHERE name = 'doc'), 0)")

enum statement {
#define X(id, text) Q_##id,
    STATEMENTS(X)
#undef X
        STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
#define X(id, text) text,
    STATEMENTS(X)
#undef X
};

struct search_index {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT];
    struct buf tokens;   /* of the document that is added */
    uint64_t docs, ever; /* documents, and how many there have been */
    bool changing;
    char path[512];
};

static const char schema[] =
    "BEGIN;"
    /* AUTOINCREMENT: a document's number is never used again, its grams may still be there */
    "CREATE TABLE doc (doc INTEGER PRIMARY KEY AUTOINCREMENT, body INTEGER NOT NULL,"
    " prefix INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX doc_body ON doc (body, prefix);"
    "CREATE TABLE place (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, doc INTEGER NOT NULL,"
    " PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;"
    "CREATE INDEX place_doc ON place (doc);"
    "CREATE TABLE mailbox (id INTEGER PRIMARY KEY, uidvalidity INTEGER NOT NULL,"
    " next_uid INTEGER NOT NULL, modseq INTEGER NOT NULL, places INTEGER NOT NULL);"
    "CREATE TABLE used (id INTEGER PRIMARY KEY, day INTEGER NOT NULL);"
    "CREATE TABLE always (doc INTEGER PRIMARY KEY);"
    "CREATE VIRTUAL TABLE gram USING fts5(g, content='', columnsize=0, detail=none,"
    " tokenize='grams');"
    "COMMIT;";

/* ------------------------------------------------------------------ SQLite */

static int error_of(struct search_index *x, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        break;
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_FSYNC)
            return -EIO;
        if (rc != SQLITE_IOERR_DATA && rc != SQLITE_IOERR_SHORT_READ)
            break;
        __attribute__((fallthrough));
    default: /* SQLITE_CORRUPT, SQLITE_NOTADB; FTS5 says SQLITE_ERROR where a table of its is gone */
        log_warn("search: %s is damaged: %s", x->path, x->db ? sqlite3_errmsg(x->db) : "");
        return -EBADMSG;
    }
    log_warn("search: %s: %s", x->path, x->db ? sqlite3_errmsg(x->db) : "cannot be opened");
    return -EIO;
}

static int exec(struct search_index *x, const char *text)
{
    return sqlite3_exec(x->db, text, NULL, NULL, NULL);
}

static void reset(sqlite3_stmt **s)
{
    if (*s) {
        sqlite3_reset(*s);
        sqlite3_clear_bindings(*s);
    }
}
#define STATEMENT_AUTO __attribute__((cleanup(reset)))

/* NULL: a later step says why. */
static sqlite3_stmt *statement(struct search_index *x, enum statement which)
{
    sqlite3_stmt **s = &x->statement[which];

    if (!*s)
        sqlite3_prepare_v3(x->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
    return *s;
}

static void bind(sqlite3_stmt *s, int at, uint64_t v)
{
    sqlite3_bind_int64(s, at, (sqlite3_int64)v);
}

/* SQLITE_ROW, SQLITE_DONE or an error. */
static int step(struct search_index *x, sqlite3_stmt *s)
{
    return s ? sqlite3_step(s) : sqlite3_errcode(x->db) | SQLITE_ERROR;
}

/* A statement without rows, with up to four numbers. */
static int run(struct search_index *x, enum statement which, const uint64_t *v, int n)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, which);

    for (int i = 0; s && i < n; i++)
        bind(s, i + 1, v[i]);
    return error_of(x, step(x, s));
}
#define RUN(x, which, ...)                                                                         \
    run(x, which, (const uint64_t[]){__VA_ARGS__},                                                 \
        (int)(sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)))

static uint64_t column(sqlite3_stmt *s, int at)
{
    return (uint64_t)sqlite3_column_int64(s, at);
}

/* ------------------------------------------------------------------ opening */

static int user_version(struct search_index *x, int *ret)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(x->db, "PRAGMA user_version", -1, &s, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *ret = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return rc;
}

static int count(struct search_index *x)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_COUNT);
    int rc = step(x, s);

    if (rc != SQLITE_ROW)
        return error_of(x, rc);
    x->docs = column(s, 0);
    x->ever = column(s, 1);
    return x->docs > x->ever ? -EBADMSG : 0;
}

static int make(struct search_index *x)
{
    char text[300];
    int rc;

    snprintf(text, sizeof(text),
             "INSERT INTO gram (gram, rank) VALUES ('automerge', 0);"
             "INSERT INTO gram (gram, rank) VALUES ('usermerge', %d);"
             "INSERT INTO gram (gram, rank) VALUES ('crisismerge', %d);"
             "INSERT INTO gram (gram, rank) VALUES ('hashsize', %d);"
             "PRAGMA user_version = %d;",
             MERGE_AT, MERGE_AT_ONCE, HASH_BYTES, VERSION);
    if ((rc = exec(x, schema)) == SQLITE_OK)
        rc = exec(x, text);
    return rc;
}

static int prepare(struct search_index *x)
{
    char text[300];
    int version = 0, rc;

    snprintf(text, sizeof(text),
             "PRAGMA page_size = %d; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -%d;"
             "PRAGMA temp_store = MEMORY; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
             "PRAGMA trusted_schema = OFF;",
             PAGE_BYTES, CACHE_KIB);
    if ((rc = sums_reserve(x->db)) != SQLITE_OK || (rc = exec(x, text)) != SQLITE_OK ||
        (rc = user_version(x, &version)) != SQLITE_ROW)
        return error_of(x, rc);
    if (version == 0 && (rc = make(x)) != SQLITE_OK)
        return error_of(x, rc);
    if (version != 0 && version != VERSION)
        return -ESTALE;
    return count(x);
}

int search_index_open(const char *path, struct search_index **ret)
{
    struct search_index *x = calloc(1, sizeof(*x));
    int rc, e;

    CHECK(x);
    snprintf(x->path, sizeof(x->path), "%s", path);
    buf_init(&x->tokens, (size_t)GRAMS_OF_MESSAGE * GRAM_BYTES);
    rc = sums_register();
    if (rc == SQLITE_OK)
        rc = sqlite3_open_v2(path, &x->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                             SUMS_VFS);
    if (rc == SQLITE_OK)
        rc = tokens_register(x->db);
    e = rc == SQLITE_OK ? prepare(x) : error_of(x, rc);
    if (e < 0) {
        search_index_close(x);
        return e;
    }
    *ret = x;
    return 0;
}

void search_index_close(struct search_index *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(x->statement[i]);
    sqlite3_close(x->db);
    buf_done(&x->tokens);
    free(x);
}

static const char *const endings[] = {"", "-wal", "-journal", "-shm"};

void search_index_remove(const char *path)
{
    char name[520];

    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        snprintf(name, sizeof(name), "%s%s", path, endings[i]);
        if (unlink(name) != 0 && errno != ENOENT)
            log_warn("search: %s cannot be removed: %s", name, strerror(errno));
    }
}

void search_index_stat(struct search_index *x, struct search_stat *ret)
{
    char name[520];
    struct stat st;

    *ret = (struct search_stat){.docs = x->docs, .dead = x->ever - x->docs};
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        snprintf(name, sizeof(name), "%s%s", x->path, endings[i]);
        if (stat(name, &st) == 0)
            ret->bytes += (uint64_t)st.st_size;
    }
}

/* ------------------------------------------------------------------ changing */

int search_index_begin(struct search_index *x)
{
    int e = run(x, Q_BEGIN, NULL, 0);

    x->changing = e == 0;
    return e;
}

int search_index_commit(struct search_index *x)
{
    int e = run(x, Q_COMMIT, NULL, 0);

    if (e < 0) {
        search_index_rollback(x);
        return e;
    }
    x->changing = false;
    return 0;
}

void search_index_rollback(struct search_index *x)
{
    if (!x->changing)
        return;
    x->changing = false;
    exec(x, "ROLLBACK");
    count(x);
}

int search_index_used(struct search_index *x, uint32_t *ret_day)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_USED);
    int rc = step(x, s);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return error_of(x, rc);
    *ret_day = rc == SQLITE_ROW ? (uint32_t)column(s, 0) : 0;
    return 0;
}

int search_index_used_put(struct search_index *x, uint32_t day)
{
    return RUN(x, Q_USED_PUT, day);
}

static struct search_mailbox mailbox_row(sqlite3_stmt *s)
{
    return (struct search_mailbox){
        .id = column(s, 0),
        .uidvalidity = (uint32_t)column(s, 1),
        .next_uid = (uint32_t)column(s, 2),
        .modseq = column(s, 3),
        .places = (uint32_t)column(s, 4),
    };
}

int search_index_mailbox(struct search_index *x, uint64_t id, struct search_mailbox *ret)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_MAILBOX);
    int rc;

    if (s)
        bind(s, 1, id);
    if ((rc = step(x, s)) != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENOENT : error_of(x, rc);
    *ret = mailbox_row(s);
    return 0;
}

int search_index_mailbox_put(struct search_index *x, const struct search_mailbox *m)
{
    return RUN(x, Q_MAILBOX_PUT, m->id, m->uidvalidity, m->next_uid, m->modseq);
}

int search_index_mailbox_each(struct search_index *x,
                              bool (*fn)(const struct search_mailbox *m, void *arg), void *arg)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_MAILBOXES);
    int rc;

    while ((rc = step(x, s)) == SQLITE_ROW) {
        struct search_mailbox m = mailbox_row(s);
        if (!fn(&m, arg))
            return 0;
    }
    return error_of(x, rc);
}

int search_index_mailbox_drop(struct search_index *x, uint64_t id)
{
    struct rangeset uids = RANGESET_EMPTY;
    int e = search_index_uids(x, id, &uids);

    for (size_t i = 0; e == 0 && i < uids.n; i++)
        for (uint64_t uid = uids.r[i].lo; e == 0 && uid <= uids.r[i].hi; uid++)
            e = search_index_place_remove(x, id, (uint32_t)uid);
    rangeset_done(&uids);
    return e < 0 ? e : RUN(x, Q_MAILBOX_DROP, id);
}

int search_index_uids(struct search_index *x, uint64_t mailbox, struct rangeset *ret)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_UIDS);
    int rc;

    if (s)
        bind(s, 1, mailbox);
    while ((rc = step(x, s)) == SQLITE_ROW)
        rangeset_add(ret, (uint32_t)column(s, 0), (uint32_t)column(s, 0));
    return error_of(x, rc);
}

int search_index_doc(struct search_index *x, uint64_t body, uint64_t prefix, uint64_t *ret_doc)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_DOC);
    int rc;

    if (s) {
        bind(s, 1, body);
        bind(s, 2, prefix);
    }
    if ((rc = step(x, s)) != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENOENT : error_of(x, rc);
    *ret_doc = column(s, 0);
    return 0;
}

static int put_grams(struct search_index *x, uint64_t doc, const struct gram_set *grams)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_DOC_GRAMS);
    uint32_t at = 0, gram;

    buf_clear(&x->tokens);
    while (gram_set_next(grams, &at, &gram)) {
        char *to = buf_reserve(&x->tokens, GRAM_BYTES);
        if (!to)
            return -E2BIG;
        gram_put(gram, to);
        buf_commit(&x->tokens, GRAM_BYTES);
    }
    if (!s || x->tokens.n == 0)
        return s ? 0 : error_of(x, sqlite3_errcode(x->db));
    bind(s, 1, doc);
    sqlite3_bind_text(s, 2, x->tokens.p, (int)x->tokens.n, SQLITE_STATIC);
    return error_of(x, step(x, s));
}

int search_index_doc_add(struct search_index *x, uint64_t body, uint64_t prefix,
                         const struct gram_set *grams, uint64_t *ret_doc)
{
    int e = RUN(x, Q_DOC_ADD, body, prefix);

    if (e < 0)
        return e;
    uint64_t doc = (uint64_t)sqlite3_last_insert_rowid(x->db);
    x->docs++;
    x->ever = doc;
    e = grams->full ? RUN(x, Q_DOC_ALWAYS, doc) : put_grams(x, doc, grams);
    if (e == 0)
        *ret_doc = doc;
    return e;
}

int search_index_place_add(struct search_index *x, uint64_t mailbox, uint32_t uid, uint64_t doc)
{
    int e = RUN(x, Q_PLACE_ADD, mailbox, uid, doc);

    return e < 0 || sqlite3_changes(x->db) == 0 ? e : RUN(x, Q_PLACES, mailbox, 1);
}

/* 1: the document has a place yet. */
static int doc_used(struct search_index *x, uint64_t doc)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_DOC_USED);
    int rc;

    if (s)
        bind(s, 1, doc);
    rc = step(x, s);
    return rc == SQLITE_ROW ? 1 : error_of(x, rc);
}

static int place_doc(struct search_index *x, uint64_t mailbox, uint32_t uid, uint64_t *ret)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_PLACE);
    int rc;

    if (s) {
        bind(s, 1, mailbox);
        bind(s, 2, uid);
    }
    if ((rc = step(x, s)) != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENOENT : error_of(x, rc);
    *ret = column(s, 0);
    return 0;
}

int search_index_place_remove(struct search_index *x, uint64_t mailbox, uint32_t uid)
{
    uint64_t doc = 0;
    int e = place_doc(x, mailbox, uid, &doc);

    if (e < 0)
        return e == -ENOENT ? 0 : e;
    if ((e = RUN(x, Q_PLACE_DROP, mailbox, uid)) < 0 ||
        (e = RUN(x, Q_PLACES, mailbox, UINT64_MAX)) < 0 || (e = doc_used(x, doc)) != 0)
        return e < 0 ? e : 0;
    if ((e = RUN(x, Q_DOC_DROP, doc)) == 0 && sqlite3_changes(x->db))
        x->docs--;
    return e < 0 ? e : RUN(x, Q_ALWAYS_DROP, doc);
}

/* ------------------------------------------------------------------ finding */

/* ("gram" AND "gram" …): of a long needle some, spread over it as the set has them. False: none. */
static bool put_place(struct buf *out, const struct gram_set *set)
{
    uint32_t at = 0, put = 0, gram;
    char bytes[GRAM_BYTES];

    while (put < NEEDLE_GRAMS && gram_set_next(set, &at, &gram)) {
        buf_put_cstr(out, put++ ? " AND \"" : out->n ? " OR (\"" : "(\"");
        gram_put(gram, bytes);
        buf_put(out, bytes, GRAM_BYTES);
        buf_putc(out, '"');
    }
    if (put)
        buf_putc(out, ')');
    return put > 0;
}

static bool query_of(unsigned places, struct span folded, struct buf *out)
{
    struct gram_set set;
    bool any = true;

    gram_set_init(&set);
    for (unsigned p = 0; any && p < GRAM_PLACES; p++) {
        if (!(places & 1u << p))
            continue;
        gram_set_clear(&set);
        gram_needle(folded, (enum gram_place)p, &set);
        any = put_place(out, &set);
    }
    gram_set_done(&set);
    return any && out->n && !out->overflow;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static int collect(struct search_index *x, sqlite3_stmt *s, void (*turn)(void *arg), void *arg,
                   struct rangeset *ret)
{
    uint32_t *uid = NULL;
    size_t n = 0, cap = 0;
    int rc;

    while ((rc = step(x, s)) == SQLITE_ROW) {
        if (n == cap) {
            cap = cap ? cap * 2 : 1024;
            uid = realloc(uid, cap * sizeof(*uid));
            CHECK(uid);
        }
        uid[n++] = (uint32_t)column(s, 0);
        if (turn && n % TURN_ROWS == 0)
            turn(arg);
    }
    /* documents and UIDs mostly rise together, but not where messages were moved about; in order
     * each add is at the end */
    if (n > 1)
        qsort(uid, n, sizeof(*uid), by_number);
    for (size_t i = 0; rc == SQLITE_DONE && i < n; i++)
        rangeset_add(ret, uid[i], uid[i]);
    free(uid);
    return error_of(x, rc);
}

static int find_always(struct search_index *x, uint64_t mailbox, uint32_t from,
                       struct rangeset *ret)
{
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_FIND_ALWAYS);

    if (s) {
        bind(s, 1, mailbox);
        bind(s, 2, from);
    }
    return collect(x, s, NULL, NULL, ret);
}

int search_index_find(struct search_index *x, uint64_t mailbox, uint32_t from, unsigned places,
                      struct span folded, void (*turn)(void *arg), void *arg, struct rangeset *ret)
{
    struct buf query BUF_AUTO = BUF(QUERY_MAX);
    sqlite3_stmt *s STATEMENT_AUTO = statement(x, Q_FIND);
    int e;

    if (!query_of(places, folded, &query))
        return -ENODATA;
    if (s) {
        sqlite3_bind_text(s, 1, query.p, (int)query.n, SQLITE_STATIC);
        bind(s, 2, mailbox);
        bind(s, 3, from);
    }
    e = collect(x, s, turn, arg, ret);
    return e < 0 ? e : find_always(x, mailbox, from, ret);
}

/* ------------------------------------------------------------------ upkeep */

int search_index_tidy(struct search_index *x)
{
    int before = sqlite3_total_changes(x->db);
    int e = RUN(x, Q_MERGE, TIDY_PAGES);

    if (e < 0)
        return e;
    /* FTS5: fewer than two changes, nothing was left to do */
    return sqlite3_total_changes(x->db) - before >= 2;
}

static int one_word(struct search_index *x, const char *text, const char *want)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(x->db, text, -1, &s, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    const char *got = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    bool ok = got && strcmp(got, want) == 0;
    if (rc == SQLITE_ROW && !ok)
        log_warn("search: %s: %s", x->path, got ? got : "");
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? ok ? 0 : -EBADMSG : error_of(x, rc);
}

int search_index_check(struct search_index *x)
{
    int e = one_word(x, "PRAGMA integrity_check(1)", "ok");

    if (e == 0)
        e = error_of(x, exec(x, "INSERT INTO gram (gram) VALUES ('integrity-check')"));
    if (e == 0)
        e = one_word(x, "SELECT count(*) FROM place WHERE doc NOT IN (SELECT doc FROM doc)", "0");
    if (e == 0)
        e = one_word(x,
                     "SELECT count(*) FROM mailbox m WHERE places != "
                     "(SELECT count(*) FROM place WHERE mailbox = m.id)",
                     "0");
    return e;
}
