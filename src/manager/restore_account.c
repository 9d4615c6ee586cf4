/*
 * restore_account.c: one account out of a backup into the running server: what is not in the
 * mailbox comes back, with its rights and annotations (import_annex.c), with new numbers, by the same way as an import. Nothing that a client
 * knows changes its meaning, so the UIDVALIDITY of a mailbox that is there stays; one that is made
 * again gets a new one.
 */
#include "manager/restore.h"

#include "base/check.h"
#include "base/fd.h"
#include "manager/import.h"
#include "manager/text.h"
#include "store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES (UINT64_C(1) << 40)

struct account_source {
    struct backup *backup;
    struct span only; /* --mailbox */
    uint64_t account; /* its number in the backup */
    struct store *store;
    struct store_read read;
    uint64_t *mailboxes;
    size_t n, cap;
};

static bool collect(const struct mailbox_info *m, void *arg)
{
    struct account_source *a = arg;
    bool wanted =
        a->only.n == 0 || span_eq(m->name, a->only) ||
        (span_is(a->only, STORE_INBOX) && span_is(m->name, STORE_INBOX)) ||
        (m->name.n > a->only.n && span_starts(m->name, a->only) && m->name.p[a->only.n] == '/');

    if (m->attributes & MAILBOX_NOSELECT || !wanted)
        return true;
    if (a->n == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 64;
        a->mailboxes = realloc(a->mailboxes, a->cap * sizeof *a->mailboxes);
        CHECK(a->mailboxes != NULL);
    }
    a->mailboxes[a->n++] = m->id;
    return true;
}

static int take_message(struct import *i, struct account_source *a, const struct message_info *m,
                        const struct span *names, unsigned name_count)
{
    struct buf bytes = BUF((size_t)UINT32_MAX);
    struct span keywords[STORE_KEYWORDS_MAX];
    struct import_message item = {.keywords = keywords,
                                  .key = m->uid,
                                  .flags = m->flags & 0xff,
                                  .received_seconds = m->received_seconds,
                                  .zone_minutes = m->received_zone};
    char where[32];
    int r = store_message_read_all(a->store, m, &bytes);

    snprintf(where, sizeof where, "UID %u", m->uid);
    item.where = where;
    for (unsigned k = 0; k < name_count; k++)
        if (m->flags & STORE_KEYWORD(k))
            keywords[item.keyword_count++] = names[k];
    if (r != 0) {
        r = import_refuse(i, where, r == -EBADMSG ? "it is damaged in the backup: %s" : "%s",
                          strerror(-r));
    } else {
        item.prefix = span_head(buf_span(&bytes), m->prefix_bytes);
        item.bytes = span_skip(buf_span(&bytes), m->prefix_bytes);
        r = import_take(i, &item);
    }
    buf_done(&bytes);
    return r;
}

static int take_mailbox(struct import *i, struct account_source *a, uint64_t id)
{
    struct span names[STORE_KEYWORDS_MAX];
    struct mailbox_info m;
    struct message_info info;
    struct store_cursor c;
    unsigned n = store_mailbox_keywords(&a->read, id, names);
    int r = store_mailbox_get(&a->read, id, &m);

    if (r == 0) {
        json_t *annex = annex_of_mailbox(&a->read, &m, NULL);
        r = import_enter(i, &(struct import_folder){.name = m.name,
                                                    .attributes = annex_uses(annex),
                                                    .subscribed = m.attributes & MAILBOX_SUBSCRIBED,
                                                    .annex = annex});
        json_decref(annex);
    }
    if (r != 0)
        return r == -ENOENT ? 0 : r;
    r = store_cursor_open(&a->read, id, 1, &c);
    while (r == 0 && store_cursor_next(&c, &info))
        if (import_wants(i, info.uid))
            r = take_message(i, a, &info, names, n);
    store_cursor_close(&c);
    return r;
}

static int read_account(struct import *i, void *arg)
{
    struct account_source *a = arg;
    int r = store_mailbox_each(&a->read, a->account, collect, a);

    if (r == 0 && a->n == 0)
        return import_fail(i,
                           a->only.n > 0 ? "the backup has no mailbox %s of that account"
                                         : "the backup has no mailboxes of that account%s",
                           a->only.n > 0 ? text_quote(a->only) : "");
    for (size_t k = 0; k < a->n && r == 0; k++)
        r = take_mailbox(i, a, a->mailboxes[k]);
    if (r == 0 && a->only.n == 0) {
        json_t *annex = annex_of_account(&a->read, a->account);
        r = import_annex_account(i, annex);
        json_decref(annex);
    }
    return r;
}

/* ---- which account ----------------------------------------------------------------------- */

/* Its number when the backup was made: the address may belong to a new account now. */
static int find_number(struct account_source *a, const char *address, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    struct span text = span_cstr(address);
    size_t at = span_rfind(text, '@');
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int r = -ENOENT;

    snprintf(path, sizeof path, "file:/proc/self/fd/%d/%s/data/directory/directory.db?immutable=1",
             a->backup->dir, a->backup->set);
    if (at == SPAN_NONE)
        at = text.n;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "SELECT id FROM account WHERE local = ?1 COLLATE NOCASE AND "
                           "(domain = ?2 COLLATE NOCASE OR ?2 = '') ORDER BY id LIMIT 1",
                           -1, &s, NULL) != SQLITE_OK) {
        r = err_set(e, -EBADMSG, "the register of accounts in the backup cannot be read: %s",
                    sqlite3_errmsg(db));
    } else {
        sqlite3_bind_text(s, 1, text.p, (int)at, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, at < text.n ? text.p + at + 1 : "", -1, SQLITE_STATIC);
        if (sqlite3_step(s) == SQLITE_ROW) {
            a->account = (uint64_t)sqlite3_column_int64(s, 0);
            r = 0;
        } else {
            err_set(e, r, "the backup knows no account %s", text_quote(text));
        }
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return r;
}

/* ---- opening ----------------------------------------------------------------------------- */

static int prove_index(struct account_source *a, char path[BACKUP_PATH_MAX], struct err *e)
{
    const struct backup_file *f;
    struct backup_pace pace = {0};
    uint64_t bytes, sum;
    int r;

    snprintf(path, BACKUP_PATH_MAX, "%s/index.mdb", a->backup->set);
    f = backup_find(a->backup, path);
    FD_AUTO in = openat(a->backup->dir, path, O_RDONLY | O_CLOEXEC);
    r = f == NULL || in < 0 ? -ENOENT
                            : backup_copy(in, -1, 0, UINT64_MAX, &pace, &bytes, NULL, &sum);
    if (r == 0 && (bytes != f->bytes || sum != f->sum))
        r = -EBADMSG;
    return r != 0 ? restore_damaged(path, r, e) : 0;
}

/* LMDB wants a folder with a file of its own name in it. */
static int open_store(struct account_source *a, struct err *e)
{
    char index[BACKUP_PATH_MAX], target[2 * BACKUP_PATH_MAX], link[PATH_MAX];
    char root[] = "/tmp/sealpost-restore.XXXXXX", folder[64];
    int r = prove_index(a, index, e);

    if (r != 0)
        return r;
    if (mkdtemp(root) == NULL)
        return err_set(e, -errno, "no temporary folder: %s", strerror(errno));
    snprintf(target, sizeof target, "/proc/self/fd/%d/%s", a->backup->dir, index);
    snprintf(folder, sizeof folder, "%s/store", root);
    r = mkdir(folder, 0700) != 0 ? -errno : 0;
    snprintf(folder, sizeof folder, "%s/store/index", root);
    r = r == 0 && mkdir(folder, 0700) != 0 ? -errno : r;
    snprintf(link, sizeof link, "%s/data.mdb", folder);
    r = r == 0 && symlink(target, link) != 0 ? -errno : r;
    if (r == 0) {
        FD_AUTO log = openat(a->backup->dir, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = log < 0 ? -errno : restore_open(root, log, MAP_BYTES, &a->store, &a->read, e);
        if (log < 0)
            err_set(e, r, "the backup's log cannot be opened: %s", strerror(-r));
    } else {
        err_set(e, r, "%s cannot be made: %s", link, strerror(-r));
    }
    /* open now: the names have done their work */
    unlink(link);
    rmdir(folder);
    snprintf(folder, sizeof folder, "%s/store", root);
    rmdir(folder);
    rmdir(root);
    return r;
}

int restore_account(struct call *c, struct err *e)
{
    struct backup b;
    struct account_source a = {.backup = &b, .only = span_cstr(c->option[OPT_MAILBOX])};
    struct import_source s = {.read = read_account,
                              .arg = &a,
                              .kind = "backup",
                              .from = c->option[OPT_FROM],
                              .keeps_names = true,
                              .dates_are_ours = true,
                              .stateless = true};
    int r = restore_open_backup(c, &b, e);

    if (r == 0)
        r = find_number(&a, c->option[OPT_ACCOUNT], e);
    if (r == 0)
        r = open_store(&a, e);
    if (r == 0)
        r = import_run(c, c->option[OPT_ACCOUNT], &s, e);
    if (a.store != NULL)
        restore_close(a.store, &a.read);
    free(a.mailboxes);
    backup_done(&b);
    return r;
}
