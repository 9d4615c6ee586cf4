#include "manager/import.h"

#include "base/check.h"
#include "base/clock.h"
#include "manager/table.h"
#include "manager/text.h"
#include "store/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    BATCH_MESSAGES = 64,
    BATCH_BYTES = 1 << 20,
    BATCHES_MAX = 1, /* under way: two could pass each other, and their mail would change places */
    REFUSED_MAX = 100000,
    NOTES_MAX = 1000,
    YIELD_EACH = 64,
    PROGRESS_MS = 200,
    WAIT_MS = 1000,
    KEYWORD_ROOM = 16384,
};

struct present { /* a message that the mailbox holds already */
    uint32_t size, uid;
    uint64_t hash;
    int64_t received;
    bool hashed, used;
};

struct batch {
    struct import *i;
    unsigned n;
    uint64_t bytes;
    uint64_t mailbox;
    struct store_body *body[BATCH_MESSAGES];
    struct store_append append[BATCH_MESSAGES];
    uint64_t key[BATCH_MESSAGES];
    struct import_row row[BATCH_MESSAGES];
    char *where[BATCH_MESSAGES];
    char *folder;
    struct arena *arena;
};

struct import {
    struct import_store *s;
    const struct import_source *source;
    struct import_state *state;
    bool anew;
    struct span prefix;
    /* the folder at hand */
    char *folder;
    uint64_t mailbox, folder_key;
    struct present *present; /* ascending by size */
    size_t present_count;
    char *keywords[STORE_KEYWORDS_MAX];
    unsigned keyword_count;
    struct batch *batch;
    unsigned under_way;
    struct fiber_cond done;
    /* what has come of it */
    uint64_t folders, taken, there, before, bytes, refused_count, keywords_lost, looked;
    json_t *refused, *notes;
    uint64_t notes_left_out, started_ms, shown_ms;
    int failed; /* negative: it must end */
    struct err why;
};

uint64_t import_hash(struct span s)
{
    return XXH3_64bits(s.p, s.n);
}

uint64_t import_hash_pair(uint64_t a, uint64_t b)
{
    return XXH3_64bits_withSeed(&a, sizeof a, b);
}

struct import_store *import_store_of(struct import *i)
{
    return i->s;
}

/* ---- what is said ------------------------------------------------------------------------ */

static json_t *safe_text(const char *s)
{
    struct buf b BUF_AUTO = BUF(8192);

    text_put_safe(&b, span_head(span_cstr(s), 1000), false);
    return json_stringn(b.p ? b.p : "", b.n);
}

static void show_progress(struct import *i, bool last)
{
    uint64_t now = clock_mono_ms();

    if (!import_store_shows_progress(i->s) || (!last && now - i->shown_ms < PROGRESS_MS))
        return;
    i->shown_ms = now;
    if (last)
        fprintf(stderr, "\r\033[K");
    else
        fprintf(stderr, "\r%.30s: %llu taken, %llu there already, %llu refused; %.1f MB\033[K",
                i->folder ? text_quote(span_cstr(i->folder)) : "", (unsigned long long)i->taken,
                (unsigned long long)(i->there + i->before), (unsigned long long)i->refused_count,
                (double)i->bytes / 1e6);
    fflush(stderr);
}

void import_note(struct import *i, const char *fmt, ...)
{
    char text[1200];
    va_list ap;

    if (json_array_size(i->notes) >= NOTES_MAX) {
        i->notes_left_out++;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_array_append_new(i->notes, safe_text(text));
}

static int refuse(struct import *i, const char *folder, const char *where, const char *reason)
{
    i->refused_count++;
    if (json_array_size(i->refused) >= REFUSED_MAX)
        return import_fail(i, "more than %d messages cannot be taken; those so far are listed",
                           REFUSED_MAX);
    json_array_append_new(
        i->refused, json_pack("{s:o,s:o,s:o}", "folder", safe_text(folder ? folder : ""), "message",
                              safe_text(where ? where : ""), "reason", safe_text(reason)));
    return 0;
}

int import_refuse(struct import *i, const char *where, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return refuse(i, i->folder, where, text);
}

int import_fail(struct import *i, const char *fmt, ...)
{
    va_list ap;

    if (i->failed == 0) {
        va_start(ap, fmt);
        vsnprintf(i->why.text, sizeof i->why.text, fmt, ap);
        va_end(ap);
        i->failed = -ECANCELED;
    }
    return i->failed;
}

bool import_must_stop(struct import *i)
{
    if (i->s->interrupted)
        import_fail(i, "interrupted; the same command goes on where it was");
    if (i->s->lost)
        import_fail(i, "the server has ended; the same command goes on where it was");
    return i->failed != 0;
}

/* ---- batches ----------------------------------------------------------------------------- */

static void batch_free(struct batch *b)
{
    for (unsigned k = 0; k < b->n; k++) {
        store_body_free(b->body[k]);
        free(b->where[k]);
    }
    free(b->folder);
    arena_free(b->arena);
    free(b);
}

static struct batch *batch_new(struct import *i)
{
    struct batch *b = calloc(1, sizeof *b);

    CHECK(b != NULL);
    b->i = i;
    b->mailbox = i->mailbox;
    b->folder = span_dup(span_cstr(i->folder));
    b->arena = arena_new(1 << 20);
    return b;
}

/* Reasons that hold for whatever comes next. */
static bool is_fatal(int r)
{
    return r == -EPIPE || r == -ETIMEDOUT || r == -EDQUOT || r == -ENOSPC || r == -EACCES ||
           r == -EIO || r == -ENOENT || r == -EOVERFLOW;
}

static void taken(struct import *i, const struct batch *b, unsigned k)
{
    i->taken++;
    i->bytes += store_body_size(b->body[k]) + b->append[k].prefix.n;
    import_state_add(i->state, b->key[k], &b->row[k]);
}

static int append(struct batch *b, unsigned from, unsigned count)
{
    struct store_appended done[BATCH_MESSAGES];
    struct span grant;
    int r = import_store_grant(b->i->s, &grant);

    grant = arena_span(b->arena, grant); /* it may be renewed meanwhile */
    for (unsigned k = from; k < from + count; k++)
        b->append[k].grant = grant;
    if (r == 0)
        r = store_append_many(b->i->s->store, b->body + from, b->append + from, count, done);
    for (unsigned k = from; r == 0 && k < from + count; k++)
        taken(b->i, b, k);
    return r;
}

static void batch_fiber(void *arg)
{
    struct batch *b = arg;
    struct import *i = b->i;
    int r = append(b, 0, b->n);

    /* One that is not taken would keep the others out. */
    for (unsigned k = 0; r != 0 && b->n > 1 && !is_fatal(r) && k < b->n; k++) {
        int one = append(b, k, 1);
        if (one != 0 && is_fatal(one)) {
            r = one;
            break;
        }
        if (one != 0)
            refuse(i, b->folder, b->where[k], import_store_reason(one));
        if (k + 1 == b->n)
            r = 0;
    }
    if (r != 0 && !is_fatal(r))
        refuse(i, b->folder, b->where[0], import_store_reason(r));
    else if (r != 0)
        import_fail(i, "%s; the same command goes on where it was", import_store_reason(r));
    batch_free(b);
    i->under_way--;
    fiber_cond_signal(&i->done);
}

static void wait_for_room(struct import *i, unsigned under_way)
{
    while (i->under_way > under_way) {
        fiber_cond_wait(&i->done, WAIT_MS);
        show_progress(i, false);
    }
}

static void batch_send(struct import *i)
{
    struct batch *b = i->batch;

    if (b == NULL)
        return;
    i->batch = NULL;
    wait_for_room(i, BATCHES_MAX - 1);
    if (i->failed != 0) {
        batch_free(b);
        return;
    }
    i->under_way++;
    fiber_start(i->s->loop, batch_fiber, b, "append");
    fiber_yield();
}

static void flush(struct import *i)
{
    batch_send(i);
    wait_for_room(i, 0);
    import_state_sync(i->state);
}

/* ---- folders ----------------------------------------------------------------------------- */

static void forget_folder(struct import *i)
{
    free(i->folder);
    free(i->present);
    for (unsigned k = 0; k < i->keyword_count; k++)
        free(i->keywords[k]);
    i->folder = NULL;
    i->present = NULL;
    i->present_count = 0;
    i->keyword_count = 0;
    i->mailbox = 0;
}

static int by_size(const void *a, const void *b)
{
    const struct present *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static int load_present(struct import *i, struct store_read *r, const struct mailbox_info *m)
{
    struct span names[STORE_KEYWORDS_MAX];
    unsigned n = store_mailbox_keywords(r, m->id, names);
    struct store_cursor c;
    struct message_info info;
    size_t cap = m->messages + 1;

    for (unsigned k = 0; k < n && k < STORE_KEYWORDS_MAX; k++)
        i->keywords[i->keyword_count++] = span_dup(names[k]);
    i->present = calloc(cap, sizeof *i->present);
    CHECK(i->present != NULL);
    if (store_cursor_open(r, m->id, 0, &c) != 0)
        return -EIO;
    while (i->present_count < cap && store_cursor_next(&c, &info))
        i->present[i->present_count++] =
            (struct present){.size = info.size, .uid = info.uid, .received = info.received_seconds};
    store_cursor_close(&c);
    qsort(i->present, i->present_count, sizeof *i->present, by_size);
    return 0;
}

struct special {
    uint32_t attributes;
    struct buf *name;
};

static bool find_special(const struct mailbox_info *m, void *arg)
{
    struct special *s = arg;

    if (!(m->attributes & s->attributes) || m->attributes & MAILBOX_NOSELECT)
        return true;
    buf_put_span(s->name, m->name);
    return false;
}

/* Where a folder of the source goes. */
static void choose_name(struct import *i, const struct import_folder *f, struct buf *out)
{
    struct buf whole BUF_AUTO = BUF(8192);
    bool inbox = span_is(f->name, STORE_INBOX);
    struct store_read r;

    if (i->prefix.n == 0 && f->attributes != 0 && !i->source->keeps_names && !inbox &&
        store_read_begin(i->s->store, &r) == 0) {
        struct special s = {f->attributes, out};
        store_mailbox_each(&r, i->s->account.id, find_special, &s);
        store_read_end(&r);
        if (out->n > 0) {
            if (!span_eq(buf_span(out), f->name))
                import_note(i, "the folder %s goes into %.*s, which has its use",
                            text_quote(f->name), SPAN_ARG(buf_span(out)));
            return;
        }
    }
    buf_put_span(&whole, i->prefix);
    if (i->prefix.n > 0 && !inbox)
        buf_putc(&whole, '/');
    if (i->prefix.n == 0 || !inbox)
        buf_put_span(&whole, f->name);
    if (import_name_fit(buf_span(&whole), out))
        import_note(i, "the folder %s is called %.*s here", text_quote(buf_span(&whole)),
                    SPAN_ARG(buf_span(out)));
}

/* Makes it if need be; *ret_fresh: it was never used before. suspends. */
static int open_mailbox(struct import *i, struct span name, const struct import_folder *f,
                        struct store_read *ret_read, struct mailbox_info *ret, bool *ret_fresh)
{
    uint64_t account = i->s->account.id, id;
    struct span grant;
    int r = store_read_begin(i->s->store, ret_read);

    if (r != 0)
        return r;
    r = store_mailbox_find(ret_read, account, name, ret);
    *ret_fresh = r != 0 || ret->attributes & MAILBOX_NOSELECT || ret->uidnext == 1;
    if (r == 0 && !(ret->attributes & MAILBOX_NOSELECT))
        return 0;
    store_read_end(ret_read);
    if (r != 0 && r != -ENOENT)
        return r;
    r = import_store_grant(i->s, &grant);
    if (r == 0)
        r = store_mailbox_create(i->s->store, grant, account, name, f->attributes, &id);
    if (r == -EEXIST)
        r = 0;
    if (r == 0 && f->subscribed)
        r = store_subscribe(i->s->store, grant, account, name, true);
    if (r == 0)
        r = store_read_begin(i->s->store, ret_read);
    if (r == 0 && (r = store_mailbox_find(ret_read, account, name, ret)) != 0)
        store_read_end(ret_read);
    return r;
}

int import_enter(struct import *i, const struct import_folder *f)
{
    struct buf name BUF_AUTO = BUF(8192);
    struct mailbox_info m;
    struct store_read read;
    bool fresh = false;
    int r;

    flush(i);
    forget_folder(i);
    if (import_must_stop(i))
        return i->failed;
    choose_name(i, f, &name);
    i->folder = span_dup(f->name);
    r = open_mailbox(i, buf_span(&name), f, &read, &m, &fresh);
    if (r == -EINVAL) {
        refuse(i, i->folder, "", "no mailbox can have this name");
        return i->failed != 0 ? i->failed : -ENOENT;
    }
    if (r != 0)
        return import_fail(i, "the mailbox %s cannot be opened: %s", text_quote(buf_span(&name)),
                           import_store_reason(r));
    if (f->annex != NULL && f->attributes & ~m.attributes)
        import_note(i, "the mailbox %s is there and keeps the special use it has",
                    text_quote(m.name));
    i->folders++;
    i->mailbox = m.id;
    /* A mailbox that was made anew, or restored, has another UIDVALIDITY: nothing that was
     * remembered of it holds. */
    i->folder_key = import_hash_pair(import_hash_pair(import_hash(f->name), m.id), m.uidvalidity);
    r = load_present(i, &read, &m);
    store_read_end(&read);
    if (r != 0)
        return import_fail(i, "the index cannot be read");
    return f->annex != NULL ? import_annex_mailbox(i, i->mailbox, fresh, f->annex) : 0;
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Of prefix and body as they lie in the store; a body alone has its hash in front of it. */
static bool present_hash(struct import *i, struct present *p)
{
    struct message_info m;
    struct store_read r;
    struct buf all = BUF(IMPORT_MESSAGE_MAX + STORE_PREFIX_MAX);
    struct blob_head h;
    int fd, err = store_read_begin(i->s->store, &r);

    if (err != 0)
        return false;
    err = store_message_get(&r, i->mailbox, p->uid, &m);
    store_read_end(&r);
    if (err != 0)
        return false;
    fd = client_file(i->s->store, m.body_file);
    if (m.prefix_bytes == 0 && fd >= 0 && m.body_at >= sizeof h &&
        pread(fd, &h, sizeof h, (off_t)(m.body_at - sizeof h)) == (ssize_t)sizeof h &&
        h.bytes == m.body_bytes) {
        p->hash = h.sum;
        return p->hashed = true;
    }
    if (store_message_read_all(i->s->store, &m, &all) == 0) {
        p->hash = import_hash(buf_span(&all));
        p->hashed = true;
    }
    buf_done(&all);
    return p->hashed;
}

static uint64_t message_hash(const struct import_message *m)
{
    XXH3_state_t *state;
    uint64_t hash;

    if (m->prefix.n == 0)
        return import_hash(m->bytes);
    state = XXH3_createState();
    CHECK(state != NULL);
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, m->prefix.p, m->prefix.n);
    XXH3_64bits_update(state, m->bytes.p, m->bytes.n);
    hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

/* Matches it with one that the mailbox holds, if there is one; each is matched once. Of equal ones
 * the one with the same date goes first; of a source whose dates are ours no other will do. */
static bool match_present(struct import *i, const struct import_row *row, const int64_t *received)
{
    size_t lo = 0, hi = i->present_count;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (i->present[mid].size < row->size)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (unsigned pass = received != NULL ? 0 : 1; pass < 2; pass++) {
        if (pass == 1 && received != NULL && i->source->dates_are_ours)
            break;
        for (size_t k = lo; k < i->present_count && i->present[k].size == row->size; k++) {
            struct present *p = &i->present[k];
            if (!p->used && (pass == 1 || p->received == *received) &&
                (p->hashed || present_hash(i, p)) && p->hash == row->hash)
                return p->used = true;
        }
    }
    return false;
}

bool import_wants(struct import *i, uint64_t key)
{
    struct import_row row;

    if (++i->looked % YIELD_EACH == 0) {
        show_progress(i, false);
        fiber_yield();
    }
    if (!import_state_find(i->state, import_hash_pair(i->folder_key, key), &row))
        return true;
    /* what it became is not there for another message of these bytes */
    if (!match_present(i, &row, NULL) && i->anew)
        return true;
    i->before++;
    return false;
}

static bool keyword_fits(struct import *i, struct span name)
{
    for (unsigned k = 0; k < i->keyword_count; k++)
        if (span_is(name, i->keywords[k]))
            return true;
    if (i->keyword_count == STORE_KEYWORDS_MAX)
        return false;
    i->keywords[i->keyword_count++] = span_dup(name);
    return true;
}

/* Copies; those that find no room in the mailbox are counted. */
static void put_keywords(struct import *i, struct batch *b, const struct import_message *m,
                         struct store_append *a)
{
    struct span *names = ARENA_ARRAY(b->arena, struct span, m->keyword_count);

    for (size_t k = 0; k < m->keyword_count; k++) {
        struct span name = {NULL, 0};
        if (names != NULL && a->keyword_count < STORE_KEYWORDS_MAX &&
            import_keyword_valid(m->keywords[k]) && keyword_fits(i, m->keywords[k]))
            name = arena_span(b->arena, m->keywords[k]);
        if (name.n > 0)
            names[a->keyword_count++] = name;
        else
            i->keywords_lost++;
    }
    a->keywords = names;
}

static int put_body(struct import *i, const struct import_message *m, struct store_body **ret)
{
    int r = store_body_begin(i->s->store, m->bytes.n, IMPORT_MESSAGE_MAX, ret);

    if (r != 0)
        return r;
    r = store_body_write(*ret, m->bytes);
    if (r == 0)
        r = store_body_finish(*ret);
    if (r != 0)
        store_body_free(*ret);
    return r;
}

int import_take(struct import *i, const struct import_message *m)
{
    uint64_t key = import_hash_pair(i->folder_key, m->key);
    struct import_row row;
    struct store_body *body;
    struct batch *b;
    int r;

    if (import_must_stop(i))
        return i->failed;
    if (m->bytes.n == 0 || m->bytes.n > IMPORT_MESSAGE_MAX || m->prefix.n > STORE_PREFIX_MAX)
        return import_refuse(i, m->where,
                             m->bytes.n == 0 ? "it is empty" : "it is larger than %d MiB",
                             IMPORT_MESSAGE_MAX >> 20);
    row = (struct import_row){message_hash(m), m->prefix.n + m->bytes.n};
    if (match_present(i, &row, &m->received_seconds)) {
        i->there++;
        import_state_add(i->state, key, &row);
        return 0;
    }
    r = put_body(i, m, &body);
    if (r == -ETIMEDOUT)
        return import_fail(i, "%s", import_store_reason(r));
    if (r != 0)
        return import_refuse(i, m->where, "it cannot be read: %s", strerror(-r));
    if (i->batch == NULL)
        i->batch = batch_new(i);
    b = i->batch;
    b->body[b->n] = body;
    b->key[b->n] = key;
    b->row[b->n] = row;
    b->where[b->n] = span_dup(span_cstr(m->where));
    b->append[b->n] = (struct store_append){
        .mailbox = i->mailbox,
        .flags = m->flags,
        .received_seconds = m->received_seconds,
        .received_zone = (int16_t)m->zone_minutes,
        .prefix = arena_span(b->arena, m->prefix),
    };
    if (m->keyword_count > 0)
        put_keywords(i, b, m, &b->append[b->n]);
    b->bytes += m->bytes.n;
    b->n++;
    if (b->n == BATCH_MESSAGES || b->bytes >= BATCH_BYTES || arena_used(b->arena) > 512 << 10)
        batch_send(i);
    show_progress(i, false);
    return i->failed;
}

/* ---- the whole course -------------------------------------------------------------------- */

static void work(void *arg)
{
    struct import *i = arg;
    int r = i->source->read(i, i->source->arg);

    if (r < 0 && r != -ENOENT)
        import_fail(i, "%s", strerror(-r));
    if (i->failed == 0)
        batch_send(i);
    if (i->batch != NULL)
        batch_free(i->batch);
    i->batch = NULL;
    wait_for_room(i, 0);
    import_state_sync(i->state);
}

static const struct view refused_columns[] = {
    {"FOLDER",  "folder",  VIEW_TEXT, 0          },
    {"MESSAGE", "message", VIEW_TEXT, 0          },
    {"REASON",  "reason",  VIEW_TEXT, COLUMN_WRAP},
};

static void report_text(struct call *c, struct import *i)
{
    size_t k;
    json_t *note;

    buf_printf(&c->out, "%llu message%s taken into %s", (unsigned long long)i->taken,
               i->taken == 1 ? "" : "s", i->s->account.address);
    if (i->there + i->before > 0)
        buf_printf(&c->out, ", %llu there already", (unsigned long long)(i->there + i->before));
    if (i->refused_count > 0)
        buf_printf(&c->out, ", %llu not taken", (unsigned long long)i->refused_count);
    buf_printf(&c->out, ": %llu folder%s, %.1f MB in %.1f s.\n", (unsigned long long)i->folders,
               i->folders == 1 ? "" : "s", (double)i->bytes / 1e6,
               (double)(clock_mono_ms() - i->started_ms) / 1e3);
    json_array_foreach(i->notes, k, note)
    {
        buf_printf(&c->out, "Note: %s.\n", json_string_value(note));
    }
    if (i->refused_count > 0) {
        buf_printf(&c->out, "\nNot taken:\n");
        view_table(c, i->refused, refused_columns, ARRAY_LEN(refused_columns));
    }
}

static int report(struct call *c, struct import *i, struct err *e)
{
    json_t *all;

    if (i->keywords_lost > 0)
        import_note(i,
                    "%llu keywords were left out: a mailbox has room for %d, and a keyword is an "
                    "IMAP atom",
                    (unsigned long long)i->keywords_lost, STORE_KEYWORDS_MAX);
    if (i->notes_left_out > 0)
        json_array_append_new(i->notes, json_sprintf("%llu more of such notes",
                                                     (unsigned long long)i->notes_left_out));
    if (has_option(c, OPT_JSON)) {
        all =
            json_pack("{s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:O,s:O,s:b}", "account",
                      view_text(i->s->account.address), "source", i->source->kind, "folders",
                      (json_int_t)i->folders, "taken", (json_int_t)i->taken, "there",
                      (json_int_t)(i->there + i->before), "remembered", (json_int_t)i->before,
                      "bytes", (json_int_t)i->bytes, "refused_count", (json_int_t)i->refused_count,
                      "refused", i->refused, "notes", i->notes, "complete", i->failed == 0);
        if (i->failed != 0)
            json_object_set_new(all, "stopped", safe_text(i->why.text));
        view_json(c, all);
        json_decref(all);
    } else {
        report_text(c, i);
    }
    if (i->failed != 0) {
        if (!has_option(c, OPT_JSON))
            *e = i->why;
        return -ECANCELED;
    }
    return i->refused_count > 0 ? -EBADMSG : 0;
}

int import_run(struct call *c, const char *account, const struct import_source *source,
               struct err *e)
{
    struct import i = {.source = source,
                       .anew = has_option(c, OPT_ANEW),
                       .prefix =
                           source->keeps_names ? SPAN_EMPTY : span_cstr(c->option[OPT_MAILBOX]),
                       .started_ms = clock_mono_ms()};
    int r = import_store_open(c, account, &i.s, e);

    if (r != 0)
        return r;
    i.refused = json_array();
    i.notes = json_array();
    if (!source->stateless) {
        uint64_t identity = import_hash_pair(import_hash(span_cstr(source->kind)),
                                             import_hash(span_cstr(source->from)));
        identity = import_hash_pair(identity, i.s->account.id);
        identity = import_hash_pair(identity, (uint64_t)i.s->account.created_seconds);
        r = import_state_open(c, import_hash_pair(identity, import_hash(i.prefix)), &i.state, e);
    }
    if (r == 0)
        r = import_store_run(i.s, work, &i, e);
    show_progress(&i, true);
    if (r == 0)
        r = report(c, &i, e);
    forget_folder(&i);
    import_state_free(i.state);
    json_decref(i.refused);
    json_decref(i.notes);
    import_store_free(i.s);
    return r;
}
