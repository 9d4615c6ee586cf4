#include "imap/modseq.h"

#include "imap/batch.h"

enum { CHUNK = 32 << 10 };

void modseq_enable(struct session *s)
{
    struct imap *m = imap_of(s);

    if (m->condstore)
        return;
    m->condstore = true;
    if (m->view)
        imap_put_highest(s, "Modification sequences are told from now on");
}

void modseq_finish_expunge(struct session *s, const struct command_line *c, bool any,
                           const char *text)
{
    struct imap *m = imap_of(s);
    char *line;

    imap_update(s, true);
    if (!any || !m->qresync || !imap_highest(m)) {
        imap_ok(s, c, text);
        return;
    }
    line = arena_printf(s->scratch, "[HIGHESTMODSEQ %llu] %s", (unsigned long long)imap_highest(m),
                        text);
    imap_ok(s, c, line ? line : text);
}

void modseq_put_vanished(struct session *s, const struct rangeset *uids, bool earlier,
                         struct buf *out)
{
    if (uids->n == 0)
        return;
    buf_put_cstr(out, earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
    imap_put_set(s, uids, out);
    buf_put_cstr(out, "\r\n");
}

void modseq_put_resync(struct session *s, const struct rangeset *changed,
                       const struct rangeset *gone)
{
    struct imap *m = imap_of(s);
    struct view_walk w = view_walk(m->view, changed);
    struct buf out BUF_AUTO = BUF(2 * CHUNK);
    struct batch *b = batch_new();

    modseq_put_vanished(s, gone, true, &out);
    while (batch_next(s, &w, BATCH_MAX, b) > 0)
        imap_put_batch(s, b, NULL, &out);
    batch_free(b);
    session_put(s, buf_span(&out));
}
