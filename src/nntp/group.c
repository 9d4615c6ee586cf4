/* group.c: selecting a newsgroup and moving in it (RFC 3977 section 6.1). */
#include "nntp/reader.h"

#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { TURN_EACH = 1000 };

int group_find(struct store_read *r, struct span name, struct mailbox_info *ret)
{
    struct mailbox_info m;
    int err = store_mailbox_find(r, STORE_ACCOUNT_PUBLIC, name, &m);
    if (err < 0)
        return err;
    if (!(m.attributes & MAILBOX_NEWSGROUP))
        return -ENOENT;
    *ret = m;
    return 0;
}

uint32_t group_high(const struct mailbox_info *m)
{
    uint32_t high = m->uidnext ? m->uidnext - 1 : 0;
    return m->messages || high + 1 >= group_low(m) ? high : group_low(m) - 1;
}

uint32_t group_low(const struct mailbox_info *m)
{
    if (!m->messages) /* empty: low is high + 1 */
        return m->uidnext ? m->uidnext : 1;
    return m->first_number ? m->first_number : 1;
}

bool range_parse(struct span s, struct range_arg *ret)
{
    struct range_arg r;
    struct span c = s;

    if (!parse_u32(&c, STORE_NUMBER_MAX, &r.lo))
        return false;
    r.hi = r.lo;
    if (parse_char(&c, '-')) {
        r.hi = STORE_NUMBER_MAX;
        if (c.n && !parse_u32(&c, STORE_NUMBER_MAX, &r.hi))
            return false;
    }
    if (c.n)
        return false;
    *ret = r;
    return true;
}

/* The least number from `from` on; 0: none. */
static uint32_t article_from(struct store_read *read, uint64_t group, uint32_t from)
{
    struct store_cursor c;
    struct message_info m;

    if (store_cursor_open(read, group, from, &c) < 0)
        return 0;
    bool there = store_cursor_next(&c, &m);
    store_cursor_close(&c);
    return there ? m.uid : 0;
}

/* The greatest number below `below`; 0: none. Looks at ever larger stretches, so that a step costs
 * what the gap is wide, not what the group holds. */
static uint32_t article_below(struct store_read *read, uint64_t group, uint32_t below)
{
    uint32_t found = 0;

    for (uint32_t stretch = 1, hi = below; hi > 1 && !found;
         stretch = stretch < 1 << 20 ? stretch * 8 : stretch) {
        uint32_t lo = hi > stretch ? hi - stretch : 1, n;
        for (uint32_t at = lo; at < hi && (n = article_from(read, group, at)) && n < hi; at = n + 1)
            found = n;
        hi = lo;
    }
    return found;
}

static uint32_t first_article(struct store_read *read, uint64_t group)
{
    return article_from(read, group, 1);
}

/* Selects it and says 211; false: it has said why not. */
static bool select_group(struct session *s, struct span name, struct mailbox_info *ret)
{
    struct reader *r = session_data(s);
    struct store_read read;
    struct mailbox_info m;

    int err = store_read_begin(s->worker->store, &read);
    if (err < 0) {
        reader_unavailable(s);
        return false;
    }
    err = group_find(&read, name, &m);
    uint32_t first = err == 0 ? first_article(&read, m.id) : 0;
    store_read_end(&read);
    if (err < 0 || !span_to_cstr(name, r->group_name, sizeof(r->group_name))) {
        session_puts(s, "411 No such newsgroup\r\n");
        return false;
    }
    m.name = span_cstr(r->group_name);
    r->group = m.id;
    r->current = first;
    *ret = m;
    return true;
}

void cmd_group(struct session *s, struct command_line *c)
{
    struct mailbox_info m;
    if (reader_may_read(s) && select_group(s, span_trim(c->args), &m))
        session_printf(s, "211 %" PRIu32 " %" PRIu32 " %" PRIu32 " %.*s\r\n", m.messages,
                       group_low(&m), group_high(&m), SPAN_ARG(m.name));
}

static int read_numbers(struct session *s, uint64_t group, struct rangeset *ret)
{
    struct store_read read;
    int err = store_read_begin(s->worker->store, &read);
    if (err < 0)
        return err;
    err = store_uids(&read, group, ret);
    store_read_end(&read);
    return err;
}

static void put_numbers(struct session *s, const struct rangeset *numbers, struct range_arg only)
{
    for (size_t i = 0; i < numbers->n && !s->closing; i++) {
        struct range r = numbers->r[i];
        if (r.lo < only.lo)
            r.lo = only.lo;
        if (r.hi > only.hi)
            r.hi = only.hi;
        for (uint64_t n = r.lo; n <= r.hi && !s->closing; n++) {
            session_printf(s, "%" PRIu64 "\r\n", n);
            if (n % TURN_EACH == 0)
                session_give_turn(s);
        }
    }
}

void cmd_listgroup(struct session *s, struct command_line *c)
{
    struct reader *r = session_data(s);
    struct range_arg only = {1, STORE_NUMBER_MAX};
    struct rangeset numbers = RANGESET_EMPTY;
    struct span rest = c->args, name, range;
    struct mailbox_info m;

    if (!reader_may_read(s))
        return;
    if (!parse_word(&rest, sizeof(r->group_name) - 1, &name)) {
        if (!r->group) {
            session_puts(s, "412 No newsgroup selected\r\n");
            return;
        }
        name = arena_span(s->scratch, span_cstr(r->group_name));
    } else if ((parse_word(&rest, 32, &range) && !range_parse(range, &only)) || span_trim(rest).n) {
        reader_usage(s, c);
        return;
    }
    if (!select_group(s, name, &m))
        return;
    if (read_numbers(s, m.id, &numbers) < 0) {
        reader_unavailable(s);
        return;
    }
    session_printf(s, "211 %" PRIu32 " %" PRIu32 " %" PRIu32 " %.*s list follows\r\n", m.messages,
                   group_low(&m), group_high(&m), SPAN_ARG(m.name));
    put_numbers(s, &numbers, only);
    session_puts(s, ".\r\n");
    rangeset_done(&numbers);
}

static void step(struct session *s, bool next)
{
    struct reader *r = session_data(s);
    struct store_read read;
    struct message_info m;
    struct summary sum;
    uint32_t number = 0;

    if (!reader_may_read(s))
        return;
    if (!r->group) {
        session_puts(s, "412 No newsgroup selected\r\n");
        return;
    }
    if (!r->current) {
        session_puts(s, "420 No current article\r\n");
        return;
    }
    int err = store_read_begin(s->worker->store, &read);
    if (err == 0) {
        number = next ? article_from(&read, r->group, r->current + 1)
                      : article_below(&read, r->group, r->current);
        if (number)
            err = store_message_get(&read, r->group, number, &m);
        store_read_end(&read);
    }
    if (err == 0 && !number) {
        session_puts(s, next ? "421 No next article\r\n" : "422 No previous article\r\n");
        return;
    }
    if (err == 0)
        err = article_summary(s, &m, s->scratch, &sum);
    if (err < 0) {
        reader_unavailable(s);
        return;
    }
    r->current = number;
    session_printf(s, "223 %" PRIu32 " %.*s\r\n", number, SPAN_ARG(sum.message_id));
}

void cmd_last(struct session *s, struct command_line *c)
{
    (void)c;
    step(s, false);
}

void cmd_next(struct session *s, struct command_line *c)
{
    (void)c;
    step(s, true);
}
