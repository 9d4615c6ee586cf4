/* cmd_sort.c: SORT and THREAD, and their UID forms (RFC 5256), with MODSEQ (RFC 7162 3.1.9). */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/envelope.h"
#include "imap/modseq.h"
#include "imap/search.h"
#include "imap/thread_tree.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    CHUNK = 32 << 10,
    SORT_KEYS_MAX = 14,
    SORT_BYTES_MAX = 256 << 20,
    MAILBOX_MAX = 256, /* bytes of an addr-mailbox that count */
};

enum sort_field {
    SORT_ARRIVAL,
    SORT_DATE,
    SORT_SIZE,
    SORT_NUMBERS, /* how many are numbers; the others are texts */
    SORT_SUBJECT = SORT_NUMBERS,
    SORT_FROM,
    SORT_TO,
    SORT_CC,
};

static const struct {
    const char *name;
    enum sort_field field;
} sort_rows[] = {
    {"ARRIVAL", SORT_ARRIVAL},
    {"CC",      SORT_CC     },
    {"DATE",    SORT_DATE   },
    {"FROM",    SORT_FROM   },
    {"SIZE",    SORT_SIZE   },
    {"SUBJECT", SORT_SUBJECT},
    {"TO",      SORT_TO     },
};

struct sort_keys {
    struct {
        enum sort_field field;
        bool reverse;
    } v[SORT_KEYS_MAX];
    unsigned n;
};

union sort_value {
    int64_t number;
    struct span text;
};

struct sort_entry {
    uint32_t number, uid;
    union sort_value *values; /* one a key */
};

static bool parse_sort_key(struct span *c, struct sort_keys *k)
{
    struct span word;
    bool reverse = false;

    if (k->n == SORT_KEYS_MAX || !arg_atom(c, 20, &word))
        return false;
    if (span_is(word, "REVERSE")) {
        reverse = true;
        if (!arg_sp(c) || !arg_atom(c, 20, &word))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(sort_rows); i++)
        if (span_is(word, sort_rows[i].name)) {
            k->v[k->n].field = sort_rows[i].field;
            k->v[k->n++].reverse = reverse;
            return true;
        }
    return false;
}

/* sort-criteria = "(" sort-criterion *(SP sort-criterion) ")" */
static bool parse_sort_keys(struct span *c, struct sort_keys *k)
{
    if (!parse_char(c, '('))
        return false;
    do
        if (!parse_sort_key(c, k))
            return false;
    while (arg_sp(c));
    return parse_char(c, ')');
}

/* ------------------------------------------------------------------ what both share */

/* charset SP search-key *(SP search-key), and the answers where that cannot be. True: *p is there,
 * for search_done. */
static bool parse_criteria(struct session *s, const struct command_line *c, struct span *args,
                           struct search_program *p)
{
    struct imap *m = imap_of(s);
    struct search_context context = {m->view, &m->saved};
    struct span charset;

    if (!arg_astring(args, s->scratch, 100, &charset) || !arg_sp(args)) {
        imap_syntax(s, c);
        return false;
    }
    if (!span_is(charset, "UTF-8") && !span_is(charset, "US-ASCII")) {
        imap_no(s, c, "[BADCHARSET (UTF-8 US-ASCII)] Charset not supported");
        return false;
    }
    switch (search_parse(args, s->scratch, &context, p)) {
    case SEARCH_OK:
        if (p->modseqs)
            modseq_enable(s);
        return true;
    case SEARCH_TOO_COMPLEX:
        imap_bad(s, c, "[LIMIT] Too many keys, or nested too deeply");
        break;
    case SEARCH_SYNTAX:
        imap_syntax(s, c);
        break;
    }
    search_done(p);
    return false;
}

static void finish(struct session *s, const struct command_line *c, const struct search_program *p,
                   int e, bool full, size_t unreadable)
{
    imap_update(s, imap_is_uid(c) && !p->numbers);
    if (e < 0)
        imap_fail(s, c, e);
    else if (full)
        imap_no(s, c, "[LIMIT] Too many messages at once");
    else
        imap_ok(s, c, unreadable ? "Completed, but some messages could not be read" : "Completed");
}

/* The Date field, or where it is missing the day of arrival (RFC 5256 section 2.2). */
static int64_t sent(const struct search_message *m, bool has_summary)
{
    return has_summary && m->summary.sent_seconds != INT64_MIN ? m->summary.sent_seconds
                                                               : m->info->received_seconds;
}

/* ------------------------------------------------------------------ SORT */

struct sorting {
    const struct sort_keys *keys;
    struct arena *arena;
    struct sort_entry *v;
    size_t n, cap;
    bool needs_summary, full;
    uint64_t modseq; /* the highest */
    size_t unreadable;
};

static bool value_of(struct sorting *t, const struct search_message *m, bool has_summary,
                     enum sort_field field, union sort_value *ret)
{
    static const enum envelope_field address[] = {
        [SORT_FROM] = ENVELOPE_FROM, [SORT_TO] = ENVELOPE_TO, [SORT_CC] = ENVELOPE_CC};
    struct buf text BUF_AUTO = BUF(MAILBOX_MAX);

    switch (field) {
    case SORT_ARRIVAL:
        ret->number = m->info->received_seconds;
        return true;
    case SORT_DATE:
        ret->number = sent(m, has_summary);
        return true;
    case SORT_SIZE:
        ret->number = m->info->size;
        return true;
    case SORT_SUBJECT:
        ret->text = has_summary ? arena_span(t->arena, m->summary.base_subject) : SPAN_EMPTY;
        return !has_summary || !m->summary.base_subject.n || ret->text.p;
    default:
        if (has_summary)
            envelope_first_mailbox(m->summary.envelope, address[field], &text);
        ret->text = arena_span(t->arena, buf_span(&text));
        return text.n == 0 || ret->text.p;
    }
}

static void sorting_add(struct search_message *m, uint32_t number, void *arg)
{
    struct sorting *t = arg;
    bool has_summary = t->needs_summary && search_message_summary(m);
    struct sort_entry e = {number, m->info->uid,
                           ARENA_ARRAY(t->arena, union sort_value, t->keys->n)};

    t->full |= !e.values;
    for (unsigned i = 0; i < t->keys->n && !t->full; i++)
        t->full = !value_of(t, m, has_summary, t->keys->v[i].field, &e.values[i]);
    if (t->full)
        return;
    if (t->needs_summary && !has_summary)
        t->unreadable++;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 256;
        t->v = reallocarray(t->v, t->cap, sizeof *t->v);
        CHECK(t->v);
    }
    if (m->info->modseq > t->modseq)
        t->modseq = m->info->modseq;
    t->v[t->n++] = e;
}

static int compare(const void *a, const void *b, void *arg)
{
    const struct sort_entry *x = a, *y = b;
    const struct sort_keys *k = arg;

    for (unsigned i = 0; i < k->n; i++) {
        const union sort_value *p = &x->values[i], *q = &y->values[i];
        int r = k->v[i].field < SORT_NUMBERS ? (p->number > q->number) - (p->number < q->number)
                                             : span_cmp(p->text, q->text);
        if (r)
            return k->v[i].reverse ? -r : r;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static void put_sorted(struct session *s, const struct sorting *t, bool uid, bool modseq)
{
    struct buf out BUF_AUTO = BUF(2 * CHUNK);

    buf_put_cstr(&out, "* SORT");
    for (size_t i = 0; i < t->n; i++) {
        buf_putc(&out, ' ');
        buf_put_u64(&out, uid ? t->v[i].uid : t->v[i].number);
        if (out.n >= CHUNK) {
            session_put(s, buf_span(&out));
            buf_clear(&out);
        }
    }
    if (modseq && t->n) {
        buf_put_cstr(&out, " (MODSEQ ");
        buf_put_u64(&out, t->modseq);
        buf_putc(&out, ')');
    }
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
}

/* The messages in their order, as a set where they ascend by one (RFC 5267 section 3). */
static void put_order(struct session *s, const struct sorting *t, bool uid, struct buf *out)
{
    for (size_t i = 0; i < t->n;) {
        uint32_t first = uid ? t->v[i].uid : t->v[i].number, last = first;
        bool start = i == 0;
        while (++i < t->n && (uid ? t->v[i].uid : t->v[i].number) == last + 1)
            last++;
        if (!start)
            buf_putc(out, ',');
        buf_put_u64(out, first);
        if (last > first) {
            buf_putc(out, ':');
            buf_put_u64(out, last);
        }
        if (out->n >= CHUNK) {
            session_put(s, buf_span(out));
            buf_clear(out);
        }
    }
}

/* The highest modseq of the messages that are named; MIN and MAX are the first and the last of the
 * order. */
static void put_esort(struct session *s, const struct command_line *c, const struct sorting *t,
                      unsigned wants, bool modseq)
{
    struct buf out BUF_AUTO = BUF(2 * CHUNK);
    bool uid = imap_is_uid(c);

    buf_put_cstr(&out, "* ESEARCH (TAG ");
    print_quoted(&out, c->tag);
    buf_put_cstr(&out, uid ? ") UID" : ")");
    if (wants & RETURN_MIN && t->n)
        buf_printf(&out, " MIN %u", uid ? t->v[0].uid : t->v[0].number);
    if (wants & RETURN_MAX && t->n)
        buf_printf(&out, " MAX %u", uid ? t->v[t->n - 1].uid : t->v[t->n - 1].number);
    if (wants & RETURN_COUNT)
        buf_printf(&out, " COUNT %zu", t->n);
    if (wants & RETURN_ALL && t->n) {
        buf_put_cstr(&out, " ALL ");
        put_order(s, t, uid, &out);
    }
    if (modseq && t->n) {
        buf_put_cstr(&out, " MODSEQ ");
        buf_put_u64(&out, t->modseq);
    }
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
}

/* What "$" stands for afterwards: MIN and MAX alone save these messages only. */
static void save_sorted(struct imap *m, const struct sorting *t, unsigned wants)
{
    bool all = wants & (RETURN_ALL | RETURN_COUNT) || !(wants & (RETURN_MIN | RETURN_MAX));

    rangeset_clear(&m->saved);
    for (size_t i = 0; i < t->n; i++)
        if (all || (i == 0 && wants & RETURN_MIN) || (i + 1 == t->n && wants & RETURN_MAX))
            rangeset_add(&m->saved, t->v[i].uid, t->v[i].uid);
}

static void answer_sort(struct session *s, const struct command_line *c, const struct sorting *t,
                        bool extended, unsigned wants, bool modseq)
{
    if (wants & RETURN_SAVE)
        save_sorted(imap_of(s), t, wants);
    if (!extended)
        put_sorted(s, t, imap_is_uid(c), modseq);
    else if (wants != RETURN_SAVE)
        put_esort(s, c, t, wants, modseq);
}

void cmd_sort(struct session *s, struct command_line *c)
{
    bool extended = false;
    unsigned wants = 0;
    struct search_program p = {0};
    struct sort_keys keys = {0};
    struct sorting t = {.keys = &keys};
    struct span args = c->args;
    size_t unreadable = 0;
    int e;

    if (!search_parse_return(&args, &extended, &wants) || !parse_sort_keys(&args, &keys) ||
        !arg_sp(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (!parse_criteria(s, c, &args, &p))
        return;
    for (unsigned i = 0; i < keys.n; i++)
        t.needs_summary |= keys.v[i].field != SORT_ARRIVAL && keys.v[i].field != SORT_SIZE;
    t.arena = arena_new(SORT_BYTES_MAX);
    e = search_run(s, &p, sorting_add, &t, &unreadable);
    if (e == 0 && !t.full) {
        if (t.n)
            qsort_r(t.v, t.n, sizeof *t.v, compare, &keys);
        answer_sort(s, c, &t, extended, wants, p.modseqs);
    }
    arena_free(t.arena);
    free(t.v);
    finish(s, c, &p, e, t.full, unreadable + t.unreadable);
    search_done(&p);
}

/* ------------------------------------------------------------------ THREAD */

struct threading {
    struct threads *threads;
    bool uid, full;
    size_t unreadable;
};

static void threading_add(struct search_message *m, uint32_t number, void *arg)
{
    struct threading *t = arg;
    bool has = search_message_summary(m);
    struct thread_message x = {.number = t->uid ? m->info->uid : number, .date = sent(m, has)};

    if (has) {
        x.message_id = m->summary.message_id;
        x.references = m->summary.references;
        x.subject = m->summary.base_subject;
        x.reply = envelope_is_reply(m->summary.envelope);
    }
    t->unreadable += !has;
    t->full |= !threads_add(t->threads, &x);
}

static void flush_threads(struct buf *out, void *arg)
{
    if (out->n >= CHUNK) {
        session_put(arg, buf_span(out));
        buf_clear(out);
    }
}

void cmd_thread(struct session *s, struct command_line *c)
{
    struct search_program p = {0};
    struct threading t = {.uid = imap_is_uid(c)};
    struct span args = c->args;
    enum thread_kind kind = THREAD_REFERENCES;
    size_t unreadable = 0;
    int e;

    if (arg_word(&args, "ORDEREDSUBJECT"))
        kind = THREAD_ORDEREDSUBJECT;
    else if (!arg_word(&args, "REFERENCES"))
        args.n = 0;
    if (!arg_sp(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (!parse_criteria(s, c, &args, &p))
        return;
    t.threads = threads_new(kind);
    e = search_run(s, &p, threading_add, &t, &unreadable);
    if (e == 0 && !t.full) {
        /* one thread may be as long as the mailbox */
        struct buf out BUF_AUTO = BUF(64 << 20);
        buf_put_cstr(&out, "* THREAD ");
        threads_put(t.threads, &out, flush_threads, s);
        if (out.p[out.n - 1] == ' ')
            out.n--;
        buf_put_cstr(&out, "\r\n");
        session_put(s, buf_span(&out));
    }
    threads_free(t.threads);
    finish(s, c, &p, e, t.full, unreadable + t.unreadable);
    search_done(&p);
}
