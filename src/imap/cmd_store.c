/* cmd_store.c: STORE and UID STORE. */
#include "imap/arg.h"
#include "imap/batch.h"
#include "imap/commands.h"

#include "base/check.h"

#include <errno.h>

/* One durable record of the store; each has one modseq, by which we know our own changes again. */
enum { STORE_AT_ONCE = 1000, CHUNK = 32 << 10 };

struct store_args {
    struct span set;
    enum store_flag_op op;
    bool silent;
    struct arg_flags flags;
};

/* store = "STORE" SP sequence-set SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / (flag *(SP
 * flag))) */
static bool parse_store(const struct command_line *c, struct store_args *a)
{
    struct span args = c->args;

    if (!arg_set(&args, &a->set) || !arg_sp(&args))
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

static int change(struct session *s, const struct store_args *a, const struct rangeset *uids)
{
    struct imap *m = imap_of(s);
    struct rangeset left = RANGESET_EMPTY, some = RANGESET_EMPTY;
    int e = 0;

    rangeset_copy(&left, uids);
    while (e == 0 && left.n) {
        take_some(&left, STORE_AT_ONCE, &some);
        struct store_flags f = {
            .grant = imap_grant(s),
            .mailbox = m->mailbox,
            .uids = &some,
            .op = a->op,
            .flags = a->flags.system,
            .keywords = a->flags.keywords,
            .keyword_count = a->flags.keyword_count,
            .unchanged_since = UINT64_MAX,
        };
        uint64_t modseq = 0;
        e = store_flags(imap_store(s), &f, NULL, &modseq);
        if (e == -ENOENT) /* all of these are gone */
            e = 0;
        else if (e == 0)
            imap_own_change(m, modseq);
    }
    rangeset_done(&left);
    rangeset_done(&some);
    return e;
}

/* Reports the flags that the messages have now. How many of them are gone: */
static size_t report(struct session *s, bool uid, bool silent, const struct rangeset *uids)
{
    struct imap *m = imap_of(s);
    struct view_walk w = view_walk(m->view, uids);
    struct buf out BUF_AUTO = BUF(2 * CHUNK);
    struct batch *b = batch_new();
    size_t missing;

    while (batch_next(imap_store(s), m->mailbox, &w, BATCH_MAX, b) > 0) {
        for (size_t i = 0; i < b->n && !silent; i++) {
            buf_put_cstr(&out, "* ");
            buf_put_u64(&out, b->number[i]);
            buf_put_cstr(&out, " FETCH (");
            if (uid) {
                buf_put_cstr(&out, "UID ");
                buf_put_u64(&out, b->message[i].uid);
                buf_putc(&out, ' ');
            }
            buf_put_cstr(&out, "FLAGS ");
            flags_print(b->message[i].flags, &b->keywords, &out);
            buf_put_cstr(&out, ")\r\n");
            if (out.n >= CHUNK) {
                session_put(s, buf_span(&out));
                buf_clear(&out);
            }
        }
        session_put(s, buf_span(&out));
        buf_clear(&out);
    }
    missing = b->missing;
    batch_free(b);
    return missing;
}

/* A keyword that is new in the mailbox is announced before the first answer that shows it. */
static void announce_keywords(struct session *s)
{
    struct imap *m = imap_of(s);
    struct buf out BUF_AUTO = BUF(16 << 10);
    struct store_read r;
    uint64_t before = m->keyword_hash;

    if (store_read_begin(imap_store(s), &r) < 0)
        return;
    imap_put_flags(s, &r, true, &out);
    store_read_end(&r);
    if (m->keyword_hash != before)
        session_put(s, buf_span(&out));
}

void cmd_store(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct store_args *a = ARENA_NEW(s->scratch, struct store_args);
    struct rangeset uids = RANGESET_EMPTY;
    bool uid = imap_is_uid(c);
    size_t missing;
    int e;

    if (!parse_store(c, a) || !imap_messages(m, a->set, uid, &uids)) {
        imap_syntax(s, c);
        return;
    }
    if (m->read_only) {
        imap_no(s, c, "[NOPERM] The mailbox is open for reading only");
        rangeset_done(&uids);
        return;
    }
    e = change(s, a, &uids);
    if (a->flags.keyword_count)
        announce_keywords(s);
    missing = uid && a->silent ? 0 : report(s, uid, a->silent, &uids);
    rangeset_done(&uids);
    imap_update(s, uid);
    if (e < 0)
        imap_fail(s, c, e);
    else if (missing && !uid)
        imap_no(s, c, "[EXPUNGEISSUED] Some of the messages are gone");
    else
        imap_ok(s, c, "Store completed");
}
