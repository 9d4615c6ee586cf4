/*
 * Two IMAP sessions of one account on the real store, in the place of the engine (line/): the input
 * is what they are sent. Each command begins with a byte that says which of them it is for. Besides
 * memory errors, a small client of our own reads every answer and aborts when
 *   - an answer is not made of whole lines and literals of the length they announce, or holds NUL
 * outside of ~{n};
 *   - EXPUNGE or FETCH names a number that the client does not know of, EXISTS goes down, or
 * EXPUNGE comes where it must not;
 *   - a command has no tagged reply, or more than one.
 */
#include "imap/commands.h"
#include "store/store_harness.h"

#include "base/check.h"
#include "base/parse.h"
#include "loop/fiber.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGES = 5, ACCOUNT = 16, COMMANDS_MAX = 40 };

struct peer { /* one session, and what its client knows */
    struct session s;
    struct imap data;
    struct buf out;
    bool diverted, quiet; /* quiet: no EXPUNGE now */
    uint32_t exists;
    struct span tag;
    unsigned replies;
};

static struct {
    struct loop *loop;
    struct store_harness *harness;
    struct worker worker;
    struct conf_vserver vserver;
    struct conf conf;
    struct peer peers[2];
    struct span input; /* not yet read */
    struct buf grant;
    struct command_line *streaming;
} f;

static struct peer *peer_of(struct session *s)
{
    return &f.peers[s == &f.peers[1].s];
}

/* ------------------------------------------------------------------ the engine's side */
void *session_data(struct session *s)
{
    return &peer_of(s)->data;
}
void session_put(struct session *s, struct span bytes)
{
    buf_put_span(&peer_of(s)->out, bytes);
}
void session_puts(struct session *s, const char *text)
{
    session_put(s, span_cstr(text));
}
void session_printf(struct session *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&peer_of(s)->out, fmt, ap);
    va_end(ap);
}
int session_flush(struct session *s)
{
    return 0;
}
void session_end(struct session *s)
{
    s->closing = true;
}
void session_error(struct session *s)
{
}
void session_wake(struct session *s)
{
    /* the wake of IDLE is played after each command */
}
void session_divert(struct session *s, bool on, uint64_t idle_ms)
{
    peer_of(s)->diverted = on;
}
bool session_needs_tls(const struct session *s)
{
    return false;
}
bool session_can_start_tls(const struct session *s)
{
    return false;
}
bool session_start_tls(struct session *s)
{
    return false;
}
const char *session_mechanisms(const struct session *s)
{
    return "PLAIN";
}
enum auth_outcome session_password(struct session *s, struct span user, struct span password)
{
    return LOGIN_FAILED;
}
enum auth_outcome session_sasl(struct session *s, struct span mechanism, struct span initial,
                               const struct sasl_words *w, struct buf *final)
{
    return LOGIN_FAILED;
}
int session_read_bytes(struct session *s, uint64_t n, session_sink sink, void *arg, int *ret_sink)
{
    struct span in = span_head(f.input, n < f.input.n ? (size_t)n : f.input.n);

    f.input = span_skip(f.input, in.n);
    if (in.n < n)
        return -1;
    *ret_sink = sink(arg, in);
    return 0;
}
int session_read_line(struct session *s, size_t max, struct span *ret)
{
    size_t nl = span_find(f.input, '\n');

    if (nl == SPAN_NONE)
        return -1;
    *ret = span_chomp(span_head(f.input, nl + 1));
    f.input = span_skip(f.input, nl + 1);
    return 0;
}

/* ------------------------------------------------------------------ the client's side */
static void bad_answer(const struct peer *p, struct span line)
{
    fprintf(stderr, "bad answer: %.*s\nall: %.*s\n", SPAN_ARG(line), SPAN_ARG(buf_span(&p->out)));
    abort();
}

/* "* VANISHED uids": as many EXPUNGEs; "(EARLIER)" changes no number. */
static void check_vanished(struct peer *p, struct span line, struct span uids)
{
    struct rangeset set = RANGESET_EMPTY;
    uint64_t count = 0;
    bool ok = true;

    if (!parse_lit(&uids, "(EARLIER) ")) {
        ok = rangeset_parse(uids, 0, SIZE_MAX, &set) && set.n && !p->quiet;
        count = rangeset_count(&set);
    }
    rangeset_done(&set);
    if (!ok || count > p->exists)
        bad_answer(p, line);
    p->exists -= (uint32_t)count;
}

/* number = "* " n " " word */
static void check_untagged(struct peer *p, struct span line)
{
    struct span c = span_skip(line, 2), word;
    uint32_t n;

    if (span_starts(line, SPAN("* OK [CLOSED]")))
        p->exists = 0;
    if (parse_lit(&c, "VANISHED ")) {
        check_vanished(p, line, c);
        return;
    }
    if (!parse_u32(&c, UINT32_MAX, &n) || !parse_char(&c, ' '))
        return;
    parse_word(&c, 20, &word);
    if (span_eq_cstr(word, "EXISTS")) {
        if (n < p->exists)
            bad_answer(p, line);
        p->exists = n;
    } else if (span_eq_cstr(word, "EXPUNGE")) {
        if (n == 0 || n > p->exists || p->quiet)
            bad_answer(p, line);
        p->exists--;
    } else if (span_eq_cstr(word, "FETCH")) {
        if (n == 0 || n > p->exists)
            bad_answer(p, line);
    } else if (!span_eq_cstr(word, "RECENT")) {
        bad_answer(p, line);
    }
}

static bool announces(struct span line, uint64_t *ret_bytes, bool *ret_binary)
{
    size_t open = span_rfind(line, '{');

    if (line.n == 0 || line.p[line.n - 1] != '}' || open == SPAN_NONE)
        return false;
    *ret_binary = open && line.p[open - 1] == '~';
    return span_to_u64(span_sub(line, open + 1, line.n - open - 2), UINT32_MAX, ret_bytes);
}

static void check_answers(struct peer *p)
{
    struct span out = buf_span(&p->out);
    bool inside = false; /* behind a literal */

    CHECK(!p->out.overflow);
    while (out.n) {
        size_t nl = span_find(out, '\n');
        struct span line = span_head(out, nl);
        uint64_t bytes;
        bool binary;
        if (nl == SPAN_NONE || nl == 0 || out.p[nl - 1] != '\r')
            bad_answer(p, out);
        line.n--;
        if (span_has(line, '\0') || span_has(line, '\r'))
            bad_answer(p, line);
        if (!inside) {
            if (span_starts(line, SPAN("* ")))
                check_untagged(p, line);
            else if (p->tag.n && span_starts(line, p->tag))
                p->replies++;
            else if (!span_starts(line, SPAN("+ ")))
                bad_answer(p, line);
        }
        out = span_skip(out, nl + 1);
        inside = announces(line, &bytes, &binary) && span_starts(line, SPAN("* ")) | inside;
        if (inside) {
            if (out.n < bytes || (!binary && span_has(span_head(out, bytes), '\0')))
                bad_answer(p, line);
            out = span_skip(out, bytes);
        }
    }
    buf_clear(&p->out);
}

/* ------------------------------------------------------------------ commands */
static const struct command *find_row(struct span *args, struct span *ret_verb)
{
    for (int words = 2; words > 0; words--) {
        struct span rest = *args, first, second = SPAN_EMPTY;
        if (!span_split(&rest, ' ', &first) || (words == 2 && !span_split(&rest, ' ', &second)))
            continue;
        *ret_verb = span_head(*args, first.n + (words == 2 ? 1 + second.n : 0));
        for (size_t i = 0; i < imap_command_count; i++)
            if (span_is(*ret_verb, imap_commands[i].verb)) {
                *args = span_skip(*args, ret_verb->n + 1);
                return &imap_commands[i];
            }
    }
    return NULL;
}

/* One command of the input: its line, and the literals in it. False: the input is over. */
static bool read_command(struct session *s, struct command_line *c, struct buf *whole)
{
    for (;;) {
        struct span line;
        uint64_t bytes;
        bool binary;
        if (session_read_line(s, SIZE_MAX, &line) < 0)
            return false;
        buf_put_span(whole, line);
        bool sync = !span_ends_nocase(line, SPAN("+}"));
        if (!sync) { /* "{n+}" as "{n}" for announces() */
            buf_truncate(whole, whole->n - 2);
            buf_putc(whole, '}');
        }
        if (peer_of(s)->diverted || !announces(buf_span(whole), &bytes, &binary))
            return true;
        switch (imap_protocol.literal(s, buf_span(whole), bytes, sync)) {
        case LITERAL_STREAM:
            c->streaming = true;
            c->stream_sync = sync;
            c->stream_bytes = bytes;
            return true;
        case LITERAL_REFUSE:
            return true;
        case LITERAL_TAKE:
            if (bytes > f.input.n)
                return false;
            buf_put_cstr(whole, "\r\n");
            buf_put_span(whole, span_head(f.input, bytes));
            f.input = span_skip(f.input, bytes);
        }
    }
}

static bool may_expunge(struct span verb)
{
    return !span_is(verb, "FETCH") && !span_is(verb, "STORE") && !span_is(verb, "SEARCH");
}

static void dispatch(struct peer *p, struct command_line *c)
{
    struct span rest = c->whole;

    if (!span_split(&rest, ' ', &c->tag) || c->tag.n == 0 || !rest.n)
        return;
    for (size_t i = 0; i < c->tag.n; i++)
        if ((unsigned char)c->tag.p[i] <= ' ' || memchr("*+{", c->tag.p[i], 3))
            return;
    c->row = find_row(&rest, &c->verb);
    c->args = rest;
    if (!c->row || !(c->row->states & p->s.state))
        return;
    p->tag = c->tag;
    p->replies = 0;
    p->quiet = !may_expunge(c->verb);
    c->row->run(&p->s, c);
    check_answers(p);
    if (!p->data.view)
        p->exists = 0;
    CHECK(p->replies == 1 || p->diverted || p->s.closing || f.input.n == 0 || c->streaming);
    p->quiet = false;
}

static void play_wakes(void)
{
    for (int i = 0; i < 2; i++) {
        imap_protocol.wake(&f.peers[i].s);
        check_answers(&f.peers[i]);
    }
}

static void one_command(void)
{
    struct peer *p = &f.peers[f.input.p[0] & 1];
    struct buf whole BUF_AUTO = BUF(1 << 20);
    struct command_line c = {0};

    f.input = span_skip(f.input, 1);
    if (p->s.closing || !read_command(&p->s, &c, &whole)) {
        f.input = SPAN_EMPTY;
        return;
    }
    c.whole = buf_span(&whole);
    if (p->diverted) {
        struct buf tag BUF_AUTO = BUF(4096);
        buf_put_cstr(&tag, p->data.idle_tag);
        p->tag = buf_span(&tag);
        p->replies = 0;
        imap_protocol.line(&p->s, c.whole);
        check_answers(p);
        CHECK(p->replies == 1);
    } else {
        dispatch(p, &c);
    }
    p->tag = SPAN_EMPTY;
    arena_reset(p->s.scratch);
    play_wakes();
}

/* ------------------------------------------------------------------ the world */
static const char two_parts[] =
    "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
    "--B\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    "--B\r\nContent-Type: message/rfc822\r\n\r\nTo: x\r\n\r\ninner\r\n"
    "--B\r\nContent-Transfer-Encoding: odd\r\n\r\nx\r\n--B--\r\n";
static const char quoted[] =
    "Date: Wed, 17 Jul 1996 02:23:25 -0700\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\na=00b=\r\nc=3D\r\n";
static const char *const texts[MESSAGES] = {
    "From: a@b.c\r\nSubject: one\r\n\r\nhello\r\n",
    two_parts,
    "\r\n",
    quoted,
    "From: no empty line\r\n",
};

static void fill_inbox(struct store *st, uint64_t inbox)
{
    for (int i = 0; i < MESSAGES; i++) {
        struct store_body *b;
        struct store_append a = {
            .grant = buf_span(&f.grant), .mailbox = inbox, .received_seconds = 837596665};
        struct store_appended done;
        CHECK(store_body_begin(st, strlen(texts[i]), 1 << 20, &b) == 0);
        CHECK(store_body_write(b, span_cstr(texts[i])) == 0 && store_body_finish(b) == 0);
        CHECK(store_append(st, b, &a, &done) == 0);
        store_body_free(b);
    }
}

struct other {
    uint64_t id[64];
    size_t n;
};
static bool find_other(const struct mailbox_info *m, void *arg)
{
    struct other *o = arg;
    if (m->attributes == 0 || m->attributes & MAILBOX_NOSELECT)
        if (!span_eq_cstr(m->name, STORE_INBOX) && o->n < ARRAY_LEN(o->id))
            o->id[o->n++] = m->id;
    return true;
}

/* INBOX as it was at the start, and no other mailboxes than those of a new account. */
static void reset_store(struct store *st)
{
    struct mailbox_info inbox;
    struct store_read r;
    struct other o = {.n = 0};
    struct rangeset uids = RANGESET_EMPTY, gone = RANGESET_EMPTY;

    CHECK(store_read_begin(st, &r) == 0);
    CHECK(store_mailbox_find(&r, ACCOUNT, SPAN(STORE_INBOX), &inbox) == 0);
    store_mailbox_each(&r, ACCOUNT, find_other, &o);
    store_uids(&r, inbox.id, &uids);
    store_read_end(&r);
    for (size_t i = o.n; i--;)
        store_mailbox_delete(st, buf_span(&f.grant), o.id[i]);
    if (rangeset_count(&uids) != MESSAGES) {
        if (uids.n)
            CHECK(store_expunge(st, buf_span(&f.grant), inbox.id, &uids, false, &gone) == 0);
        fill_inbox(st, inbox.id);
    }
    rangeset_done(&uids);
    rangeset_done(&gone);
}

static void start(void)
{
    f.loop = loop_new();
    f.harness = store_harness_new(f.loop);
    f.grant = BUF(STORE_GRANT_MAX);
    CHECK(store_harness_account(f.harness, ACCOUNT) == 0);
    store_harness_grant(f.harness, ACCOUNT, GRANT_MAIL | GRANT_POST, &f.grant);
    f.worker.store = store_harness_store(f.harness);
    f.vserver.limits = (struct conf_limits){.message_bytes = 65536, .idle_timeout = 1800};
}

static void play(void *arg)
{
    reset_store(f.worker.store);
    for (int i = 0; i < 2; i++) {
        struct peer *p = &f.peers[i];
        *p = (struct peer){.out = BUF(64 << 20)};
        p->s = (struct session){.worker = &f.worker,
                                .vserver = &f.vserver,
                                .conf = &f.conf,
                                .tls = true,
                                .state = IMAP_AUTHED,
                                .protocol = &imap_protocol};
        p->s.scratch = arena_new(8 << 20);
        p->s.user.account = ACCOUNT;
        p->s.user.rights = GRANT_MAIL | GRANT_POST;
        memcpy(p->s.user.grant, f.grant.p, f.grant.n);
        p->s.user.grant_bytes = (unsigned)f.grant.n;
    }
    for (int n = 0; f.input.n && n < COMMANDS_MAX; n++)
        one_command();
    for (int i = 0; i < 2; i++) {
        imap_protocol.close(&f.peers[i].s);
        arena_free(f.peers[i].s.scratch);
        buf_done(&f.peers[i].out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 16384)
        return 0;
    if (!f.loop)
        start();
    f.input = span_of(data, size);
    store_harness_run(f.harness, play, NULL);
    return 0;
}
