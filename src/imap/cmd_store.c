/* cmd_store.c: STORE and UID STORE. */
#include "imap/arg.h"
#include "imap/batch.h"
#include "imap/commands.h"
#include "imap/modseq.h"

#include "base/check.h"

#include <errno.h>

/* One durable record of the store; each has one modseq, by which we know our own changes again. */
enum { STORE_AT_ONCE = 1000, CHUNK = 32 << 10 };

struct store_args {
    struct span set;
    enum store_flag_op op;
    bool silent;
    uint64_t unchanged_since; /* UINT64_MAX: no condition */
    struct arg_flags flags;
};

/* What came of it. */
struct outcome {
    struct rangeset modified; /* UIDs that failed the condition */
    struct store_told told;   /* if not empty: all that is new in the mailbox */
    uint64_t modseq;          /* then: as of which */
};

/* store-modifier = "UNCHANGEDSINCE" SP mod-sequence-valzer, the only one there is (RFC 7162) */
static bool parse_modifier(struct span *c, uint64_t *ret_since)
{
    *ret_since = UINT64_MAX;
    return !parse_char(c, '(') || (arg_word(c, "UNCHANGEDSINCE") && arg_sp(c) &&
                                   modseq_parse(c, ret_since) && parse_lit(c, ") "));
}

/* store = "STORE" SP sequence-set [SP "(" store-modifier ")"] SP ["+" / "-"] "FLAGS" [".SILENT"] SP
 * (flag-list / (flag *(SP flag))) */
static bool parse_store(const struct command_line *c, struct store_args *a)
{
    struct span args = c->args;

    if (!arg_set(&args, &a->set) || !arg_sp(&args) || !parse_modifier(&args, &a->unchanged_since))
        return false;
    a->op = parse_char(&args, '+') ? FLAGS_ADD : parse_char(&args, '-') ? FLAGS_REMOVE : FLAGS_SET;
    if (!parse_lit_nocase(&args, "FLAGS"))
        return false;
    a->silent = parse_lit_nocase(&args, ".SILENT");
    return arg_sp(&args) && arg_store_flags(&args, &a->flags) && parse_end(&args);
}

/* The first `max` members of *set, taken off it. */
static void take_some(struct rangeset *set, uint32_t max, struct rangeset *ret)
{
    uint32_t last = rangeset_nth(set, max - 1);

    if (last == 0)
        last = rangeset_max(set);
    rangeset_clear(ret);
    for (size_t i = 0; i < set->n && set->r[i].lo <= last; i++)
        rangeset_add(ret, set->r[i].lo, set->r[i].hi < last ? set->r[i].hi : last);
    rangeset_remove(set, 1, last);
}

/* One request, of who knows the mailbox as of `known` (0: he does not); *modified: UIDs that failed the
 * condition. 0 if all are gone. */
static int change_some(struct session *s, const struct store_args *a, const struct rangeset *uids,
                       uint64_t since, uint64_t known, struct rangeset *modified, struct outcome *o)
{
    struct store_flags f = {
        .grant = imap_grant(s),
        .mailbox = imap_of(s)->mailbox,
        .uids = uids,
        .op = a->op,
        .flags = a->flags.system,
        .keywords = a->flags.keywords,
        .keyword_count = a->flags.keyword_count,
        .unchanged_since = since,
    };
    int e;

    o->modseq = 0;
    rangeset_clear(modified);
    e = store_flags_told(imap_store(s), &f, known, modified, &o->modseq, &o->told);
    return e == -ENOENT ? 0 : e;
}

/*
 * With .SILENT the client takes the flags for what it knows and has added. Where somebody else has
 * changed them meanwhile that is wrong: such messages are changed by a second request that is not
 * taken for our own, and imap_update tells of them.
 */
static int change_silently(struct session *s, const struct store_args *a,
                           const struct rangeset *uids, uint64_t known, struct rangeset *modified,
                           struct outcome *o)
{
    struct imap *m = imap_of(s);
    struct rangeset others = RANGESET_EMPTY;
    uint64_t seen = m->view->modseq;
    bool further = a->unchanged_since > seen;
    int e = change_some(s, a, uids, further ? seen : a->unchanged_since, known, &others, o);

    imap_own_change(m, o->modseq);
    if (e == 0 && further && others.n)
        e = change_some(s, a, &others, a->unchanged_since, 0, modified, o);
    else
        rangeset_copy(modified, &others);
    rangeset_done(&others);
    return e;
}

static int change(struct session *s, const struct store_args *a, const struct rangeset *uids,
                  struct outcome *o)
{
    struct rangeset left = RANGESET_EMPTY, some = RANGESET_EMPTY, modified = RANGESET_EMPTY;
    /* of a new keyword more is to be told */
    bool few = a->flags.keyword_count == 0 && rangeset_count(uids) <= STORE_TOLD_MAX;
    uint64_t known = few ? imap_known(s) : 0;
    int e = 0;

    rangeset_copy(&left, uids);
    while (e == 0 && left.n) {
        take_some(&left, STORE_AT_ONCE, &some);
        if (a->silent) {
            e = change_silently(s, a, &some, known, &modified, o);
        } else {
            e = change_some(s, a, &some, a->unchanged_since, known, &modified, o);
            imap_own_change(imap_of(s), o->modseq);
        }
        ranges_unite(&o->modified, &modified);
    }
    rangeset_done(&left);
    rangeset_done(&some);
    rangeset_done(&modified);
    return e;
}

/* Into out, which has room for one more beyond CHUNK; what is gathered goes on from there. */
static void put_report(struct session *s, const struct told_message *info, uint32_t number,
                       const struct keywords *k, bool uid, bool flags, struct buf *out)
{
    bool modseqs = imap_of(s)->condstore;

    buf_put_cstr(out, "* ");
    buf_put_u64(out, number);
    buf_put_cstr(out, " FETCH (");
    if (uid || modseqs) {
        buf_put_cstr(out, "UID ");
        buf_put_u64(out, info->uid);
        buf_putc(out, ' ');
    }
    if (flags) {
        buf_put_cstr(out, "FLAGS ");
        flags_print(info->flags, k, out);
    }
    if (flags && modseqs)
        buf_putc(out, ' ');
    if (modseqs)
        modseq_put(info->modseq, out);
    buf_put_cstr(out, ")\r\n");
    if (out->n >= CHUNK) {
        session_put(s, buf_span(out));
        buf_clear(out);
    }
}

/* Reports the flags that the messages have now, and their modseqs where the client is told of
 * them: those with .SILENT as well, but only these then. How many of them are gone: */
static size_t report(struct session *s, const struct store_args *a, bool uid,
                     const struct rangeset *uids, const struct rangeset *modified)
{
    struct imap *m = imap_of(s);
    struct view_walk w = view_walk(m->view, uids);
    struct buf out BUF_AUTO = BUF(2 * CHUNK);
    struct batch *b = batch_new();
    size_t missing;

    while (batch_next(s, &w, BATCH_MAX, b) > 0) {
        for (size_t i = 0; i < b->n && (!a->silent || m->condstore); i++) {
            const struct message_info *info = &b->message[i];
            bool flags = !a->silent || rangeset_has(modified, info->uid);
            const struct told_message now = {info->uid, info->flags, info->modseq};
            put_report(s, &now, b->number[i], &b->keywords, uid, flags, &out);
        }
        session_put(s, buf_span(&out));
        buf_clear(&out);
    }
    missing = b->missing;
    batch_free(b);
    return missing;
}

/* The names of keywords that messages carry: those of the mailbox as the session knows it, so they
 * are in any snapshot. False: the store is away. */
static bool names_for(struct session *s, const struct store_told *t, struct keywords *ret)
{
    uint64_t flags = 0;
    struct store_read r;

    ret->n = 0;
    for (size_t i = 0; i < t->count; i++)
        flags |= t->message[i].flags;
    if (flags >> 8 == 0)
        return true;
    if (store_read_begin_names(imap_store(s), &r) < 0)
        return false;
    keywords_read(&r, imap_of(s)->mailbox, ret);
    store_read_end(&r);
    return true;
}

/* As report, where the answer of the store said it all. False: it has to be read. */
static bool report_told(struct session *s, const struct store_args *a, bool uid,
                        const struct store_told *t)
{
    struct imap *m = imap_of(s);
    struct buf out BUF_AUTO = BUF(2 * CHUNK);
    struct keywords *k;

    if (t->count == 0)
        return false;
    if (a->silent && !m->condstore)
        return true;
    k = ARENA_NEW(s->scratch, struct keywords);
    if (!names_for(s, t, k))
        return false;
    for (size_t i = 0; i < t->count; i++)
        put_report(s, &t->message[i], view_number(m->view, t->message[i].uid), k, uid, !a->silent,
                   &out);
    session_put(s, buf_span(&out));
    return true;
}

/* A keyword that is new in the mailbox is announced before the first answer that shows it. */
static void announce_keywords(struct session *s)
{
    struct imap *m = imap_of(s);
    struct buf out BUF_AUTO = BUF(16 << 10);
    struct store_read r;
    uint64_t before = m->keyword_hash;

    if (imap_read_begin(s, &r) < 0)
        return;
    imap_put_flags(s, &r, true, &out);
    store_read_end(&r);
    if (m->keyword_hash != before)
        session_put(s, buf_span(&out));
}

/* "tag OK|NO [MODIFIED set] text" */
static void answer_modified(struct session *s, const struct command_line *c, bool ok,
                            const struct rangeset *modified)
{
    struct buf out BUF_AUTO = BUF(2 * CHUNK);

    buf_put_span(&out, c->tag);
    buf_put_cstr(&out, ok ? " OK [MODIFIED " : " NO [MODIFIED ");
    imap_put_set(s, modified, &out);
    buf_put_cstr(&out, ok ? "] Some have been changed by others\r\n"
                          : "] Some have been changed by others, some are gone\r\n");
    session_put(s, buf_span(&out));
}

/* What came of it is read, and all else that happened. */
static void finish(struct session *s, const struct command_line *c, const struct store_args *a,
                   const struct rangeset *uids, const struct rangeset *modified, int e)
{
    struct imap *m = imap_of(s);
    struct rangeset numbers = RANGESET_EMPTY;
    bool uid = imap_is_uid(c);
    size_t missing;

    if (a->flags.keyword_count)
        announce_keywords(s);
    missing =
        e == -EACCES || (uid && a->silent && !m->condstore) ? 0 : report(s, a, uid, uids, modified);
    if (!uid)
        view_numbers_of(m->view, modified, &numbers);
    imap_update(s, uid);
    if (e < 0)
        imap_fail(s, c, e);
    else if (modified->n)
        answer_modified(s, c, uid || !missing, uid ? modified : &numbers);
    else if (missing && !uid)
        imap_no(s, c, "[EXPUNGEISSUED] Some of the messages are gone");
    else
        imap_ok(s, c, "Store completed");
    rangeset_done(&numbers);
}

static void store(struct session *s, const struct command_line *c, const struct store_args *a,
                  const struct rangeset *uids)
{
    struct outcome *o = ARENA_NEW(s->scratch, struct outcome);

    o->modified = RANGESET_EMPTY;
    o->told.count = 0;
    int e = change(s, a, uids, o);
    if (e == 0 && report_told(s, a, imap_is_uid(c), &o->told)) {
        imap_update_told(s, o->modseq);
        imap_ok(s, c, "Store completed");
    } else {
        finish(s, c, a, uids, &o->modified, e);
    }
    rangeset_done(&o->modified);
}

void cmd_store(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct store_args *a = ARENA_NEW(s->scratch, struct store_args);
    struct rangeset uids = RANGESET_EMPTY;

    if (!parse_store(c, a) || !imap_messages(m, a->set, imap_is_uid(c), &uids)) {
        imap_syntax(s, c);
    } else if (m->read_only) {
        imap_no(s, c, "[NOPERM] The mailbox is open for reading only");
    } else if (a->flags.too_many) {
        imap_fail(s, c, -E2BIG);
    } else {
        if (a->unchanged_since != UINT64_MAX)
            modseq_enable(s);
        store(s, c, a, &uids);
    }
    rangeset_done(&uids);
}
