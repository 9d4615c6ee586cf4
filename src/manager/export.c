#include "manager/export.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "manager/account_annex.h"
#include "manager/table.h"
#include "manager/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 500, PROGRESS_MS = 200, NOTES_MAX = 1000, MARK_MAX = 1024 };
static const char mark_name[] = ".sealpost-export";

struct export
{
    struct import_store *s;
    const struct export_sink *sink;
    struct span only; /* --mailbox */
    int folder;
    uint64_t *mailboxes;
    size_t mailbox_count, mailbox_cap;
    char *name;
    uint64_t written, there, bytes, entered, shown_ms, started_ms;
    json_t *refused, *notes, *annex;
    int failed;
    struct err why;
};

int export_fail(struct export *x, const char *fmt, ...)
{
    va_list ap;

    if (x->failed == 0) {
        va_start(ap, fmt);
        vsnprintf(x->why.text, sizeof x->why.text, fmt, ap);
        va_end(ap);
        x->failed = -ECANCELED;
    }
    return x->failed;
}

static json_t *safe_text(struct span s)
{
    struct buf b BUF_AUTO = BUF(8192);

    text_put_safe(&b, span_head(s, 1000), false);
    return json_stringn(b.p ? b.p : "", b.n);
}

void export_note(struct export *x, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (json_array_size(x->notes) < NOTES_MAX)
        json_array_append_new(x->notes, safe_text(span_cstr(text)));
}

void export_lf(struct span s, struct buf *out)
{
    while (s.n > 0) {
        size_t at = span_find(s, '\n');
        if (at == SPAN_NONE) {
            buf_put_span(out, s);
            return;
        }
        buf_put_span(out, span_head(s, at > 0 && s.p[at - 1] == '\r' ? at - 1 : at));
        buf_putc(out, '\n');
        s = span_skip(s, at + 1);
    }
}

static void show_progress(struct export *x, bool last)
{
    uint64_t now = clock_mono_ms();

    if (!import_store_shows_progress(x->s) || (!last && now - x->shown_ms < PROGRESS_MS))
        return;
    x->shown_ms = now;
    if (last)
        fprintf(stderr, "\r\033[K");
    else
        fprintf(stderr, "\r%.30s: %llu written, %llu there already; %.1f MB\033[K",
                x->name ? text_quote(span_cstr(x->name)) : "", (unsigned long long)x->written,
                (unsigned long long)x->there, (double)x->bytes / 1e6);
    fflush(stderr);
}

static bool must_stop(struct export *x)
{
    if (x->s->interrupted)
        export_fail(x, "interrupted; the same command goes on where it was");
    if (x->s->lost)
        export_fail(x, "the server has ended; the same command goes on where it was");
    return x->failed != 0;
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Compaction may move a message between the look at the index and the reading. */
static int read_message(struct export *x, struct message_info *m, struct buf *out)
{
    struct store_read r;
    int err = store_message_read_all(x->s->store, m, out);

    for (unsigned tries = 0; err == -EIO && tries < 3; tries++) {
        fiber_sleep_ms(20);
        if (store_read_begin(x->s->store, &r) != 0)
            continue;
        int got = store_message_get(&r, m->mailbox, m->uid, m);
        store_read_end(&r);
        if (got == -ENOENT)
            return got;
        buf_clear(out);
        err = store_message_read_all(x->s->store, m, out);
    }
    return err;
}

static void refuse(struct export *x, const struct message_info *m, int err)
{
    json_array_append_new(
        x->refused,
        json_pack("{s:o,s:I,s:s}", "mailbox", safe_text(span_cstr(x->name)), "uid",
                  (json_int_t)m->uid, "reason",
                  err == -EBADMSG ? "it is damaged: its checksum does not hold" : strerror(-err)));
}

static int take_one(struct export *x, struct message_info *m)
{
    struct buf bytes = BUF((size_t)UINT32_MAX);
    int r = 0, err;

    if (x->sink->has(x, m, x->sink->arg)) {
        x->there++;
        return x->failed;
    }
    err = read_message(x, m, &bytes);
    if (err == 0) {
        r = x->sink->put(x, m, buf_span(&bytes), x->sink->arg);
        x->written += r == 0;
        x->bytes += bytes.n;
    } else if (err != -ENOENT) { /* else somebody has removed it meanwhile */
        refuse(x, m, err);
    }
    buf_done(&bytes);
    return r;
}

/* The next so many infos at or above uid. */
static int next_piece(struct export *x, uint64_t mailbox, uint32_t uid, struct message_info *infos,
                      size_t *ret)
{
    struct store_cursor c;
    struct store_read r;
    int err = store_read_begin(x->s->store, &r);

    *ret = 0;
    if (err == 0) {
        err = store_cursor_open(&r, mailbox, uid, &c);
        while (err == 0 && *ret < PIECE && store_cursor_next(&c, &infos[*ret]))
            ++*ret;
        if (err == 0)
            store_cursor_close(&c);
        store_read_end(&r);
    }
    return err != 0 ? export_fail(x, "the index cannot be read: %s", strerror(-err)) : 0;
}

static int take_messages(struct export *x, uint64_t mailbox)
{
    struct message_info *infos = calloc(PIECE, sizeof *infos);
    uint32_t uid = 1;
    size_t n = 1;
    int r = 0;

    CHECK(infos != NULL);
    while (r == 0 && n > 0) {
        r = next_piece(x, mailbox, uid, infos, &n);
        for (size_t k = 0; k < n && r == 0; k++) {
            r = take_one(x, &infos[k]);
            if (r == 0 && must_stop(x))
                r = x->failed;
            if (k % 32 == 0) {
                show_progress(x, false);
                fiber_yield();
            }
        }
        if (n > 0)
            uid = infos[n - 1].uid + 1;
    }
    free(infos);
    return r;
}

/* ---- what is no mail --------------------------------------------------------------------- */

static int put_annex(struct export *x, uint64_t id)
{
    struct mailbox_info m;
    struct store_read r;
    int err = store_read_begin(x->s->store, &r);

    if (err == 0) {
        if (store_mailbox_get(&r, id, &m) == 0)
            json_array_append_new(json_object_get(x->annex, "mailboxes"),
                                  annex_of_mailbox(&r, &m, x->sink->place(x->sink->arg)));
        store_read_end(&r);
    }
    return err != 0 ? export_fail(x, "the index cannot be read: %s", strerror(-err)) : 0;
}

/* An export of some mailboxes leaves what an earlier one wrote of the others. */
static int save_annex(struct export *x)
{
    json_t *old, *box;
    struct err e;
    size_t k;

    if (x->only.n > 0 && annex_load(x->folder, &old, &e) == 0 && old != NULL) {
        json_array_foreach(json_object_get(old, "mailboxes"), k, box)
        {
            if (annex_find(x->annex, "name", annex_text(box, "name")) == NULL)
                json_array_append(json_object_get(x->annex, "mailboxes"), box);
        }
        json_decref(old);
    }
    return annex_save(x->folder, x->annex, &e) != 0 ? export_fail(x, "%s", e.text) : 0;
}

/* ---- mailboxes --------------------------------------------------------------------------- */

static bool wanted(const struct export *x, struct span name)
{
    return x->only.n == 0 || span_eq(name, x->only) ||
           (span_is(x->only, STORE_INBOX) && span_is(name, STORE_INBOX)) ||
           (name.n > x->only.n && span_starts(name, x->only) && name.p[x->only.n] == '/');
}

static bool collect(const struct mailbox_info *m, void *arg)
{
    struct export *x = arg;

    if (m->attributes & MAILBOX_NOSELECT || !wanted(x, m->name))
        return true;
    if (x->mailbox_count == x->mailbox_cap) {
        x->mailbox_cap = x->mailbox_cap ? x->mailbox_cap * 2 : 64;
        x->mailboxes = realloc(x->mailboxes, x->mailbox_cap * sizeof *x->mailboxes);
        CHECK(x->mailboxes != NULL);
    }
    x->mailboxes[x->mailbox_count++] = m->id;
    return true;
}

static int take_mailbox(struct export *x, uint64_t id)
{
    struct arena *a = arena_new(1 << 20);
    struct export_mailbox m = {.id = id};
    struct mailbox_info info;
    struct store_read r;
    int err = store_read_begin(x->s->store, &r), left;

    if (err == 0) {
        err = store_mailbox_get(&r, id, &info);
        if (err == 0) {
            m.name = arena_span(a, info.name);
            m.uidvalidity = info.uidvalidity;
            m.messages = info.messages;
            m.subscribed = info.attributes & MAILBOX_SUBSCRIBED;
            m.keyword_count = store_mailbox_keywords(&r, id, m.keywords);
            for (unsigned k = 0; k < m.keyword_count; k++)
                m.keywords[k] = arena_span(a, m.keywords[k]);
        }
        store_read_end(&r);
    }
    if (err == -ENOENT) { /* deleted meanwhile */
        arena_free(a);
        return 0;
    }
    if (err == 0) {
        free(x->name);
        x->name = span_dup(m.name);
        err = x->sink->enter(x, &m, x->sink->arg);
        if (err == 0) {
            err = put_annex(x, id);
            if (err == 0)
                err = take_messages(x, id);
            left = x->sink->leave(x, err == 0, x->sink->arg);
            err = err != 0 ? err : left;
            x->entered += err == 0;
        }
    } else {
        export_fail(x, "the index cannot be read: %s", strerror(-err));
    }
    arena_free(a);
    return err;
}

static void work(void *arg)
{
    struct export *x = arg;
    struct store_read r;
    int err = store_read_begin(x->s->store, &r);

    if (err == 0) {
        err = store_mailbox_each(&r, x->s->account.id, collect, x);
        x->annex = annex_of_account(&r, x->s->account.id);
        store_read_end(&r);
    }
    if (err != 0) {
        export_fail(x, "the index cannot be read: %s", strerror(-err));
        return;
    }
    if (x->mailbox_count == 0 && x->only.n > 0) {
        export_fail(x, "%s has no mailbox %s", x->s->account.address, text_quote(x->only));
        return;
    }
    err = x->sink->begin(x, x->folder, x->sink->arg);
    for (size_t k = 0; k < x->mailbox_count && err == 0; k++)
        err = take_mailbox(x, x->mailboxes[k]);
    if (err == 0)
        err = x->sink->end(x, x->sink->arg);
    if (err == 0)
        save_annex(x);
}

/* ---- the folder -------------------------------------------------------------------------- */

static bool is_empty(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *n;
    bool empty = d != NULL;

    while (d != NULL && (n = readdir(d)) != NULL)
        empty = empty && (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0);
    if (d != NULL)
        closedir(d);
    return empty;
}

/* Only what this command has made is written to again: never into a Maildir that somebody uses. */
static int open_folder(struct export *x, const char *path, struct err *e)
{
    struct buf mark BUF_AUTO = BUF(MARK_MAX), found BUF_AUTO = BUF(MARK_MAX);
    struct err ignored;
    int r;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_set(e, -errno, "the folder %s cannot be made: %s", text_quote(span_cstr(path)),
                       strerror(errno));
    x->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x->folder < 0)
        return err_set(e, -errno, "the folder %s cannot be opened: %s", text_quote(span_cstr(path)),
                       strerror(errno));
    buf_printf(&mark, "%s of account %llu %s\n", x->sink->kind,
               (unsigned long long)x->s->account.id, x->s->account.address);
    r = file_read(x->folder, mark_name, MARK_MAX, &found, &ignored);
    if (r == 0 && span_eq(buf_span(&found), buf_span(&mark)))
        return 0;
    if (r == 0 || !is_empty(x->folder))
        return err_set(e, -EEXIST,
                       "the folder %s is not empty, and not an earlier export like this one; name "
                       "another with --to",
                       text_quote(span_cstr(path)));
    return file_write(x->folder, mark_name, buf_span(&mark), 0600, e);
}

/* ---- the whole course -------------------------------------------------------------------- */

static const struct view refused_columns[] = {
    {"MAILBOX", "mailbox", VIEW_TEXT,   0          },
    {"UID",     "uid",     VIEW_NUMBER, 0          },
    {"REASON",  "reason",  VIEW_TEXT,   COLUMN_WRAP},
};

static void report_text(struct call *c, struct export *x)
{
    json_t *note;
    size_t k;

    buf_printf(&c->out, "%llu message%s of %s written", (unsigned long long)x->written,
               x->written == 1 ? "" : "s", x->s->account.address);
    if (x->there > 0)
        buf_printf(&c->out, ", %llu there already", (unsigned long long)x->there);
    if (json_array_size(x->refused) > 0)
        buf_printf(&c->out, ", %zu not", json_array_size(x->refused));
    buf_printf(&c->out, ": %llu mailbox%s, %.1f MB in %.1f s.\n", (unsigned long long)x->entered,
               x->entered == 1 ? "" : "es", (double)x->bytes / 1e6,
               (double)(clock_mono_ms() - x->started_ms) / 1e3);
    json_array_foreach(x->notes, k, note)
    {
        buf_printf(&c->out, "Note: %s.\n", json_string_value(note));
    }
    if (json_array_size(x->refused) > 0) {
        buf_printf(&c->out, "\nNot written:\n");
        view_table(c, x->refused, refused_columns, ARRAY_LEN(refused_columns));
    }
}

static int report(struct call *c, struct export *x, struct err *e)
{
    json_t *all;

    if (has_option(c, OPT_JSON)) {
        all = json_pack("{s:o,s:s,s:I,s:I,s:I,s:I,s:O,s:O,s:b}", "account",
                        view_text(x->s->account.address), "kind", x->sink->kind, "mailboxes",
                        (json_int_t)x->entered, "written", (json_int_t)x->written, "there",
                        (json_int_t)x->there, "bytes", (json_int_t)x->bytes, "refused", x->refused,
                        "notes", x->notes, "complete", x->failed == 0);
        if (x->failed != 0)
            json_object_set_new(all, "stopped", safe_text(span_cstr(x->why.text)));
        view_json(c, all);
        json_decref(all);
    } else {
        report_text(c, x);
    }
    if (x->failed != 0 && !has_option(c, OPT_JSON))
        *e = x->why;
    return x->failed != 0 ? -ECANCELED : json_array_size(x->refused) > 0 ? -EBADMSG : 0;
}

int export_run(struct call *c, const struct export_sink *sink, struct err *e)
{
    struct export x = {.sink = sink,
                       .only = span_cstr(c->option[OPT_MAILBOX]),
                       .folder = -1,
                       .started_ms = clock_mono_ms()};
    int r;

    if (!has_option(c, OPT_ACCOUNT) || !has_option(c, OPT_TO))
        return usage_error(e, "whose mail, and where to: --account ADDRESS --to DIR");
    if ((r = import_store_open(c, c->option[OPT_ACCOUNT], &x.s, e)) != 0)
        return r;
    x.refused = json_array();
    x.notes = json_array();
    r = open_folder(&x, c->option[OPT_TO], e);
    if (r == 0)
        r = import_store_run(x.s, work, &x, e);
    show_progress(&x, true);
    if (r == 0 && syncfs(x.folder) != 0)
        export_fail(&x, "the folder cannot be made durable: %s", strerror(errno));
    if (r == 0)
        r = report(c, &x, e);
    fd_close(&x.folder);
    free(x.mailboxes);
    free(x.name);
    json_decref(x.refused);
    json_decref(x.notes);
    json_decref(x.annex);
    import_store_free(x.s);
    return r;
}
