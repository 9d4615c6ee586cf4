/* cmd_search.c: SEARCH and UID SEARCH, with ESEARCH (RFC 4731) and SEARCHRES (RFC 5182). */
#include "imap/arg.h"
#include "imap/batch.h"
#include "imap/commands.h"
#include "imap/modseq.h"
#include "imap/search.h"

#include "base/check.h"
#include "loop/fiber.h"

enum { CHUNK = 32 << 10, BREAK_MESSAGES = 4096 };
struct search_args {
    bool extended; /* RETURN was there */
    unsigned wants;
    bool bad_charset;
};

static bool parse_return_option(struct span *c, unsigned *wants)
{
    static const struct {
        const char *name;
        unsigned bit;
    } rows[] = {
        {"MIN",   RETURN_MIN  },
        {"MAX",   RETURN_MAX  },
        {"ALL",   RETURN_ALL  },
        {"COUNT", RETURN_COUNT},
        {"SAVE",  RETURN_SAVE },
    };
    struct span word;

    if (!arg_atom(c, 20, &word))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (span_is(word, rows[i].name)) {
            *wants |= rows[i].bit;
            return true;
        }
    return false;
}

/* search-return-opts = "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" */
bool search_parse_return(struct span *c, bool *extended, unsigned *wants)
{
    if (!parse_lit_nocase(c, "RETURN "))
        return true;
    *extended = true;
    if (!parse_char(c, '('))
        return false;
    if (!parse_char(c, ')')) {
        do
            if (!parse_return_option(c, wants))
                return false;
        while (arg_sp(c));
        if (!parse_char(c, ')'))
            return false;
    }
    if (*wants == 0)
        *wants = RETURN_ALL;
    return arg_sp(c);
}

/* [CHARSET SP charset SP] */
static bool parse_charset(struct session *s, struct span *c, struct search_args *a)
{
    struct span name;

    if (imap_of(s)->utf8) /* all is UTF-8 then, and BAD to name a charset (RFC 6855 3) */
        return !span_starts_nocase(*c, SPAN("CHARSET "));
    if (!parse_lit_nocase(c, "CHARSET "))
        return true;
    if (!arg_astring(c, s->scratch, 100, &name) || !arg_sp(c))
        return false;
    a->bad_charset = !span_is(name, "UTF-8") && !span_is(name, "US-ASCII");
    return true;
}

/* ------------------------------------------------------------------ running */

struct found {
    struct rangeset uids;
    uint64_t first, last, highest; /* modseqs: of the least and the greatest UID, of all */
    size_t unreadable;
};

static void found_add(struct search_message *m, uint32_t number, void *arg)
{
    const struct message_info *info = m->info;
    struct found *f = arg;

    if (f->uids.n == 0)
        f->first = info->modseq;
    f->last = info->modseq;
    if (info->modseq > f->highest)
        f->highest = info->modseq;
    rangeset_add(&f->uids, info->uid, info->uid);
}

/* Every so many messages others have their turn; search_match does the same for headers and bodies.
 */
int search_run(struct session *s, struct search_program *p, search_fn fn, void *arg,
               size_t *ret_unreadable)
{
    struct imap *m = imap_of(s);
    struct rangeset some = RANGESET_EMPTY;
    struct batch *b = batch_new();
    struct search_message message;
    size_t seen = 0;
    int e;

    search_ask(s, p);
    struct view_walk w =
        view_walk(m->view, search_candidates(p->root, &some) ? &some : &m->view->uids);
    search_message_init(&message, imap_store(s));
    b->with_keywords = true;
    while ((e = batch_next(s, &w, BATCH_MAX, b)) > 0 && !s->closing) {
        search_keywords(p, &b->keywords);
        for (size_t i = 0; i < b->n; i++) {
            if (search_match(p, &message, &b->message[i]))
                fn(&message, b->number[i], arg);
        }
        if ((seen += b->n) >= BREAK_MESSAGES) {
            fiber_yield();
            seen = 0;
        }
    }
    *ret_unreadable = message.unreadable;
    search_message_done(&message);
    batch_free(b);
    rangeset_done(&some);
    return e < 0 ? e : 0;
}

/* ------------------------------------------------------------------ answers */

static void put_search(struct session *s, bool uid, const struct rangeset *found, uint64_t modseq)
{
    struct imap *m = imap_of(s);
    struct view_walk w = view_walk(m->view, found);
    struct buf out BUF_AUTO = BUF(2 * CHUNK);
    uint32_t number, u;

    buf_put_cstr(&out, "* SEARCH");
    while (view_walk_next(&w, &number, &u)) {
        buf_putc(&out, ' ');
        buf_put_u64(&out, uid ? u : number);
        if (out.n >= CHUNK) {
            session_put(s, buf_span(&out));
            buf_clear(&out);
        }
    }
    if (modseq) {
        buf_put_cstr(&out, " (MODSEQ ");
        buf_put_u64(&out, modseq);
        buf_putc(&out, ')');
    }
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
}

/* The highest modseq of the messages that the answer names (RFC 4731 3.2); 0: it names none. */
static uint64_t named_modseq(const struct found *f, unsigned wants)
{
    uint64_t modseq = 0;

    if (f->uids.n == 0)
        return 0;
    if (wants & (RETURN_ALL | RETURN_COUNT))
        return f->highest;
    if (wants & RETURN_MIN)
        modseq = f->first;
    return wants & RETURN_MAX && f->last > modseq ? f->last : modseq;
}

/* esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data) */
static void put_esearch(struct session *s, const struct command_line *c, bool uid, unsigned wants,
                        const struct rangeset *found, uint64_t modseq)
{
    struct buf out BUF_AUTO = BUF(2 * CHUNK);
    struct rangeset numbers = RANGESET_EMPTY;
    const struct rangeset *set = found;

    if (!uid) {
        view_numbers_of(imap_of(s)->view, found, &numbers);
        set = &numbers;
    }
    buf_put_cstr(&out, "* ESEARCH (TAG ");
    print_quoted(&out, c->tag);
    buf_put_cstr(&out, uid ? ") UID" : ")");
    if (wants & RETURN_MIN && set->n)
        buf_printf(&out, " MIN %u", rangeset_min(set));
    if (wants & RETURN_MAX && set->n)
        buf_printf(&out, " MAX %u", rangeset_max(set));
    if (wants & RETURN_COUNT)
        buf_printf(&out, " COUNT %llu", (unsigned long long)rangeset_count(set));
    if (wants & RETURN_ALL && set->n) {
        buf_put_cstr(&out, " ALL ");
        imap_put_set(s, set, &out);
    }
    if (modseq) {
        buf_put_cstr(&out, " MODSEQ ");
        buf_put_u64(&out, modseq);
    }
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
    rangeset_done(&numbers);
}

/* What "$" stands for: MIN and MAX alone save these messages only (RFC 5182 section 2.4). */
static void save(struct imap *m, unsigned wants, const struct rangeset *found)
{
    rangeset_clear(&m->saved);
    if (wants & (RETURN_ALL | RETURN_COUNT) || !(wants & (RETURN_MIN | RETURN_MAX))) {
        rangeset_copy(&m->saved, found);
        return;
    }
    if (wants & RETURN_MIN && found->n)
        rangeset_add(&m->saved, rangeset_min(found), rangeset_min(found));
    if (wants & RETURN_MAX && found->n)
        rangeset_add(&m->saved, rangeset_max(found), rangeset_max(found));
}

static void answer(struct session *s, const struct command_line *c, const struct search_args *a,
                   const struct search_program *p, const struct found *found)
{
    unsigned wants = a->extended ? a->wants : RETURN_ALL;
    uint64_t modseq = p->modseqs ? named_modseq(found, wants) : 0;
    bool uid = imap_is_uid(c);

    if (a->wants & RETURN_SAVE)
        save(imap_of(s), a->wants, &found->uids);
    if (!a->extended && !imap_of(s)->rev2)
        put_search(s, uid, &found->uids, modseq);
    else if (a->wants != RETURN_SAVE)
        put_esearch(s, c, uid, wants, &found->uids, modseq);
}

static void search(struct session *s, const struct command_line *c, const struct search_args *a,
                   struct search_program *p)
{
    struct imap *m = imap_of(s);
    struct found found = {0};
    int e;

    if (p->modseqs)
        modseq_enable(s);
    e = search_run(s, p, found_add, &found, &found.unreadable);
    if (e < 0 && a->wants & RETURN_SAVE)
        rangeset_clear(&m->saved);
    if (e == 0)
        answer(s, c, a, p, &found);
    rangeset_done(&found.uids);
    /* numbers may not change under a command that has named some (RFC 9051 7.5.1) */
    imap_update(s, imap_is_uid(c) && !p->numbers);
    if (e < 0)
        imap_fail(s, c, e);
    else
        imap_ok(s, c,
                found.unreadable ? "Search completed, but some messages could not be read"
                                 : "Search completed");
}

/* search = "SEARCH" [SP search-return-opts] SP [charset SP] search-key *(SP search-key) */
void cmd_search(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct search_context context = {m->view, &m->saved};
    struct search_program p = {0};
    struct search_args a = {0};
    struct span args = c->args;

    if (!search_parse_return(&args, &a.extended, &a.wants) || !parse_charset(s, &args, &a)) {
        imap_syntax(s, c);
        return;
    }
    if (a.bad_charset) {
        if (a.wants & RETURN_SAVE)
            rangeset_clear(&m->saved);
        imap_no(s, c, "[BADCHARSET (UTF-8 US-ASCII)] Charset not supported");
        return;
    }
    switch (search_parse(&args, s->scratch, &context, &p)) {
    case SEARCH_OK:
        search(s, c, &a, &p);
        break;
    case SEARCH_TOO_COMPLEX:
        imap_bad(s, c, "[LIMIT] Too many keys, or nested too deeply");
        break;
    case SEARCH_SYNTAX:
        imap_syntax(s, c);
        break;
    }
    search_done(&p);
}
