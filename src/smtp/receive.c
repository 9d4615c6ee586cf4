/* receive.c: the bytes of a message: DATA and BDAT. */
#include "smtp/transaction.h"

#include "base/log.h"
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>

static int body_sink(void *arg, struct span bytes)
{
    return store_body_write(arg, bytes);
}

/* Says why a message is not taken (a negative errno of the store) and forgets it. */
static void refuse_body(struct session *s, int error)
{
    switch (error) {
    case -EMSGSIZE:
        session_printf(s, "552 5.3.4 Messages of more than %" PRIu32 " bytes are not taken\r\n",
                       s->vserver->limits.message_bytes);
        break;
    case -ENOSPC:
    case -EDQUOT:
        session_puts(s, "452 4.3.1 No room, try again later\r\n");
        break;
    case -EILSEQ:
        session_puts(s,
                     "550 5.5.2 Bare CR or LF: lines end with CR LF (RFC 5321 section 2.3.8)\r\n");
        break;
    case -EBADMSG:
        session_puts(s, "550 5.6.0 A NUL is in the message: no reader could show it\r\n");
        break;
    default:
        session_puts(s, "451 4.3.0 The store is not available, try again later\r\n");
        break;
    }
    transaction_reset(s);
}

static bool have_recipients(struct session *s)
{
    if (s->state & (RECIPIENTS | CHUNKS))
        return true;
    if (s->state == SENDER)
        session_puts(s, "554 5.5.1 No valid recipients\r\n");
    else
        session_puts(s, "503 5.5.1 Send MAIL and RCPT first\r\n");
    session_error(s);
    return false;
}

static int begin_body(struct session *s)
{
    struct smtp *t = session_data(s);
    return store_body_begin(s->worker->store, t->size, s->vserver->limits.message_bytes, &t->body);
}

static void finish_body(struct session *s, bool bare, bool nul)
{
    struct smtp *t = session_data(s);
    if (t->failed == 0)
        t->failed = bare ? -EILSEQ : nul ? -EBADMSG : 0;
    if (t->failed == 0)
        t->failed = store_body_finish(t->body);
    if (t->failed)
        refuse_body(s, t->failed);
    else
        transaction_deliver(s);
}

void cmd_data(struct session *s, struct command_line *c)
{
    struct smtp *t = session_data(s);
    struct dotted d;

    (void)c;
    if (!have_recipients(s))
        return;
    int r = begin_body(s);
    if (r < 0) {
        refuse_body(s, r);
        return;
    }
    session_puts(s, "354 Send the message, end with CRLF.CRLF\r\n");
    if (session_read_dotted(s, body_sink, t->body, &d) < 0)
        return;
    t->failed = d.sink;
    finish_body(s, d.bare_cr || d.bare_lf, d.nul);
}

/* ------------------------------------------------------------------ chunks */

struct chunk {
    struct smtp *t;
};

/* As body_sink, and looks for line ends that are none, also across chunks. */
static int chunk_sink(void *arg, struct span bytes)
{
    struct smtp *t = ((struct chunk *)arg)->t;

    for (size_t i = 0; i < bytes.n; i++) {
        bool lf = bytes.p[i] == '\n';
        if (lf != t->chunk_cr)
            *(lf ? &t->bare_lf : &t->bare_cr) = true;
        t->chunk_cr = bytes.p[i] == '\r';
        if (!lf && !t->chunk_cr) { /* on to the next interesting byte */
            const char *from = bytes.p + i, *end = bytes.p + bytes.n;
            while (from + 1 < end && from[1] != '\r' && from[1] != '\n')
                from++;
            i = (size_t)(from - bytes.p);
        }
    }
    t->nul = t->nul || memchr(bytes.p, 0, bytes.n);
    if (t->failed == 0)
        t->failed = store_body_write(t->body, bytes);
    return 0;
}

static int drop_sink(void *arg, struct span bytes)
{
    (void)arg;
    (void)bytes;
    return 0;
}

static bool chunk_size(struct span *args, uint64_t *ret)
{
    struct span size;
    return parse_word(args, 20, &size) && span_to_u64(size, UINT32_MAX, ret);
}

static bool chunk_last(struct span args, bool *ret)
{
    struct span last;
    *ret = parse_word(&args, 8, &last);
    return (!*ret || span_is(last, "LAST")) && span_trim(args).n == 0;
}

/* Where the next command starts is not known. */
static void chunk_lost(struct session *s)
{
    session_printf(s, "421 4.5.4 %s How many octets BDAT brings is not known, closing\r\n",
                   smtp_own_name(s));
    session_error(s);
    session_end(s);
}

/* The octets of a chunk come whatever the answer is (RFC 3030 section 2): they are always read. */
void cmd_bdat(struct session *s, struct command_line *c)
{
    struct smtp *t = session_data(s);
    struct chunk chunk = {t};
    struct span args = c->args;
    uint64_t bytes;
    bool last;
    int ignored;

    if (!chunk_size(&args, &bytes) || bytes > 4 * (uint64_t)s->vserver->limits.message_bytes) {
        chunk_lost(s);
        return;
    }
    if (!chunk_last(args, &last)) {
        if (session_read_bytes(s, bytes, drop_sink, NULL, &ignored) < 0)
            return;
        session_puts(s, "501 5.5.4 Usage: BDAT octets [LAST]\r\n");
        session_error(s);
        transaction_reset(s); /* a part of the message is lost */
        return;
    }
    bool wanted = (s->state & (RECIPIENTS | CHUNKS)) != 0;
    if (wanted && !t->body && t->failed == 0)
        t->failed = begin_body(s);
    if (session_read_bytes(s, bytes, wanted && t->failed == 0 ? chunk_sink : drop_sink, &chunk,
                           &ignored) < 0)
        return;
    if (!wanted) {
        have_recipients(s);
        return;
    }
    s->state = CHUNKS;
    if (last)
        finish_body(s, t->bare_cr || t->bare_lf || t->chunk_cr, t->nul);
    else if (t->failed)
        refuse_body(s, t->failed);
    else
        session_printf(s, "250 2.0.0 %" PRIu64 " octets taken\r\n", bytes);
}
