/* message.c: a message that can be recognised, its way in and its way out. */
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/random.h"
#include "monitor/run.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TOKEN = 24,
    MESSAGE_MAX = 16384,
    TRIES = 40,
    PAUSE_MS = 100,
    LOOK_BACK = 30,
    EXPIRE_DAYS = 1
};

#define MARK "X-Sealpost-Verify"

/* Lines that transports like to damage: dots in front, blanks at the end, "From ", a long one, none
 * at all. */
static void put_body(struct buf *b)
{
    buf_put_cstr(b, "This message was made by `sealpost verify` and is deleted by it.\r\n"
                    ".\r\n"
                    "..two dots\r\n"
                    ".one dot\r\n"
                    "From here no line may be changed\r\n"
                    "blanks at the end   \r\n"
                    "\ta tabulator in front\r\n"
                    "\r\n");
    for (unsigned i = 0; i < 970; i++)
        buf_putc(b, (char)('!' + i % 90));
    buf_put_cstr(b, "\r\n\r\nend\r\n");
}

void marked_init(struct marked *m, const char *from, const char *to, const char *newsgroups)
{
    struct buf token BUF_AUTO = BUF(TOKEN + 1), date BUF_AUTO = BUF(64);
    int64_t now = clock_seconds();

    m->text = BUF(MESSAGE_MAX);
    random_token(&token, TOKEN);
    snprintf(m->token, sizeof m->token, "%s", buf_cstr(&token));
    snprintf(m->id, sizeof m->id, "<verify.%s@probe.invalid>", m->token);
    date_print_rfc5322(&date, (struct date){.seconds = now});
    buf_printf(&m->text, "From: <%s>\r\n", from);
    if (newsgroups != NULL)
        buf_printf(&m->text, "Newsgroups: %s\r\n", newsgroups);
    else
        buf_printf(&m->text, "To: <%s>\r\n", to);
    buf_printf(&m->text,
               "Subject: sealpost verify %s\r\nDate: %s\r\nMessage-ID: %s\r\n"
               "Auto-Submitted: auto-generated\r\n" MARK ": %s\r\nMIME-Version: 1.0\r\n"
               "Content-Type: text/plain; charset=us-ascii\r\n",
               m->token, buf_cstr(&date), m->id, m->token);
    if (newsgroups != NULL) {
        buf_clear(&date);
        date_print_rfc5322(&date, (struct date){.seconds = now + EXPIRE_DAYS * 86400});
        buf_printf(&m->text, "Expires: %s\r\n", buf_cstr(&date));
    }
    buf_put_cstr(&m->text, "\r\n");
    put_body(&m->text);
    CHECK(!m->text.overflow);
}

void marked_add(struct marked *m, const char *word)
{
    if (word[0] != '\0')
        buf_printf(&m->text, "%s\r\n", word);
}

void marked_done(struct marked *m)
{
    buf_done(&m->text);
}

const char *marked_compare(const struct marked *m, struct span got)
{
    struct span sent = buf_span(&m->text), front;

    if (got.n < sent.n || !span_eq(span_skip(got, got.n - sent.n), sent))
        return "what came back is not what was sent, byte for byte";
    front = span_head(got, got.n - sent.n);
    if (front.n > 0 && (front.p[0] == '\r' || !span_ends_nocase(front, SPAN("\r\n"))))
        return "what the server put in front are not header fields";
    return span_find_span(front, SPAN("\r\n\r\n")) != SPAN_NONE
               ? "an empty line stands in front of the message"
               : NULL;
}

static struct span body_of(struct span message)
{
    size_t at = span_find_span(message, SPAN("\r\n\r\n"));

    return at == SPAN_NONE ? SPAN_EMPTY : span_skip(message, at + 4);
}

const char *marked_compare_article(const struct marked *m, struct span got)
{
    struct span sent = buf_span(&m->text), body = body_of(sent), got_body = body_of(got);
    struct span header = span_head(sent, sent.n - body.n - 2), line;
    struct span got_header = span_head(got, got.n - got_body.n);

    if (!span_eq(body, got_body))
        return "the body that came back is not the one that was posted";
    while (span_split(&header, '\n', &line)) {
        struct buf whole BUF_AUTO = BUF(1024);
        buf_put_span(&whole, line);
        buf_putc(&whole, '\n');
        if (span_find_span(got_header, buf_span(&whole)) == SPAN_NONE)
            return "a header field is missing or changed";
    }
    return NULL;
}

/* ---- in ---------------------------------------------------------------------------------- */

static bool send_data(struct talk *t, const struct marked *m)
{
    if (!talk_expect(t, REPLY_CONTINUE, "DATA", "DATA") || !talk_put_message(t, buf_span(&m->text)))
        return false;
    enum reply_kind kind = talk_reply(t);
    if (!t->failed && kind != REPLY_OK)
        talk_fail(t, "the message is refused: %s", t->last);
    return !t->failed;
}

static bool send_envelope(struct talk *t, const char *from, const char *to, const struct marked *m)
{
    return talk_expect(t, REPLY_OK, "MAIL", "MAIL FROM:<%s>", from) &&
           talk_expect(t, REPLY_OK, "RCPT", "RCPT TO:<%s>", to) && send_data(t, m);
}

bool send_submission(struct talk *t, const struct probe_login *l, const struct marked *m)
{
    bool ok = talk_open(t) && talk_login_plain(t, l) && send_envelope(t, l->user, l->user, m);

    talk_quit(t);
    return ok;
}

bool send_stranger(struct talk *t, const char *to, const struct marked *m)
{
    bool ok = talk_open(t) && send_envelope(t, "", to, m);

    talk_quit(t);
    return ok;
}

/* ---- out: IMAP4 -------------------------------------------------------------------------- */

/* "* SEARCH 17" */
static bool found_uid(struct span lines, uint32_t *ret)
{
    struct span line, word;

    while (span_split(&lines, '\n', &line)) {
        uint64_t n = 0;
        bool is_search = false;
        while (span_split(&line, ' ', &word)) {
            if (is_search && span_to_u64(word, UINT32_MAX, &n) && n > 0) {
                *ret = (uint32_t)n;
                return true;
            }
            is_search |= span_is(word, "SEARCH");
        }
    }
    return false;
}

static bool find_imap(struct talk *t, const struct marked *m, uint32_t *ret_uid)
{
    for (unsigned i = 0; i < TRIES && !t->failed; i++) {
        if (i > 0)
            fiber_sleep_ms(PAUSE_MS);
        if (talk_expect(t, REPLY_OK, "UID SEARCH", "UID SEARCH HEADER Message-ID \"%s\"", m->id) &&
            found_uid(buf_span(&t->lines), ret_uid))
            return true;
    }
    talk_fail(t, "the message was taken, but after %d seconds it is not in INBOX",
              TRIES * PAUSE_MS / 1000);
    return false;
}

bool fetch_imap(struct talk *t, const struct probe_login *l, const struct marked *m)
{
    const char *wrong;
    uint32_t uid;

    if (!talk_open(t) || !talk_login_plain(t, l) ||
        !talk_expect(t, REPLY_OK, "SELECT", "SELECT INBOX") || !find_imap(t, m, &uid) ||
        !talk_expect(t, REPLY_OK, "UID FETCH", "UID FETCH %" PRIu32 " (BODY.PEEK[])", uid))
        return false;
    wrong = marked_compare(m, buf_span(&t->literal));
    /* it goes in any case */
    if (talk_expect(t, REPLY_OK, "UID STORE", "UID STORE %" PRIu32 " +FLAGS.SILENT (\\Deleted)",
                    uid))
        talk_expect(t, REPLY_OK, "UID EXPUNGE", "UID EXPUNGE %" PRIu32, uid);
    if (wrong != NULL)
        talk_fail(t, "%s", wrong);
    if (!t->failed &&
        talk_expect(t, REPLY_OK, "UID SEARCH", "UID SEARCH HEADER Message-ID \"%s\"", m->id) &&
        found_uid(buf_span(&t->lines), &uid))
        talk_fail(t, "the message is still there after UID EXPUNGE");
    talk_quit(t);
    return !t->failed;
}

/* ---- articles ---------------------------------------------------------------------------- */

/* "* LIST (\\HasNoChildren) "/" "Public/local.test"": the mailbox whose name ends so. */
static bool folder_of(struct span lines, const char *newsgroup, char *ret, size_t size)
{
    struct span line;

    while (span_split(&lines, '\n', &line)) {
        size_t at;
        if (!span_starts_nocase(line, SPAN("* LIST ")) || (at = span_rfind(line, ' ')) == SPAN_NONE)
            continue;
        line = span_skip(line, at + 1);
        if (line.n > 2 && line.p[0] == '"')
            line = span_sub(line, 1, line.n - 2);
        if (span_ends_nocase(line, span_cstr(newsgroup)))
            return span_to_cstr(line, ret, size);
    }
    return false;
}

const char *remove_article(struct talk *t, const struct probe_login *l, const char *newsgroup,
                           const struct marked *m)
{
    char folder[512];
    uint32_t uid;

    if (!talk_open(t) || !talk_login_plain(t, l) ||
        talk_command(t, "LIST \"\" \"*%s\"", newsgroup) != REPLY_OK)
        return "no session to delete it in";
    if (!folder_of(buf_span(&t->lines), newsgroup, folder, sizeof folder))
        return "no folder of that newsgroup is to be seen";
    if (talk_command(t, "SELECT \"%s\"", folder) != REPLY_OK ||
        talk_command(t, "UID SEARCH HEADER Message-ID \"%s\"", m->id) != REPLY_OK ||
        !found_uid(buf_span(&t->lines), &uid))
        return "it is not to be found in the folder";
    if (talk_command(t, "UID STORE %" PRIu32 " +FLAGS.SILENT (\\Deleted)", uid) != REPLY_OK ||
        talk_command(t, "UID EXPUNGE %" PRIu32, uid) != REPLY_OK)
        return "the account has no right to delete";
    if (talk_command(t, "UID SEARCH HEADER Message-ID \"%s\"", m->id) != REPLY_OK ||
        found_uid(buf_span(&t->lines), &uid))
        return "the account has no right to delete";
    return NULL;
}

/* ---- out: POP3 --------------------------------------------------------------------------- */

/* Number of the newest messages that bears the mark; 0: none. */
static uint32_t find_pop3(struct talk *t, const struct marked *m)
{
    struct span reply, word;
    uint64_t count = 0;

    if (!talk_expect(t, REPLY_OK, "STAT", "STAT"))
        return 0;
    reply = reply_text(PROTOCOL_POP3, span_cstr(t->last));
    if (!span_split(&reply, ' ', &word) || !span_to_u64(word, INT32_MAX, &count)) {
        talk_fail(t, "STAT is answered with \"%.200s\"", t->last);
        return 0;
    }
    for (uint64_t n = count; n > 0 && n + LOOK_BACK > count; n--) {
        struct buf top BUF_AUTO = BUF(TALK_BLOCK_MAX);
        /* one that another check has deleted meanwhile is none of ours */
        if (talk_command(t, "TOP %" PRIu64 " 0", n) == REPLY_NO)
            continue;
        if (t->failed || !talk_block(t, &top))
            return 0;
        if (span_find_span(buf_span(&top), span_cstr(m->token)) != SPAN_NONE)
            return (uint32_t)n;
    }
    return 0;
}

static bool retrieve(struct talk *t, const struct marked *m, uint32_t n)
{
    struct buf got BUF_AUTO = BUF(TALK_BLOCK_MAX);
    const char *wrong;

    if (!talk_expect(t, REPLY_OK, "RETR", "RETR %" PRIu32, n) || !talk_block(t, &got))
        return false;
    wrong = marked_compare(m, buf_span(&got));
    talk_expect(t, REPLY_OK, "DELE", "DELE %" PRIu32, n);
    if (wrong != NULL)
        talk_fail(t, "%s", wrong);
    return !t->failed;
}

bool fetch_pop3(struct talk *t, const struct probe_login *l, const struct marked *m)
{
    uint32_t n;
    bool ok;

    if (!talk_open(t) || !talk_login_plain(t, l))
        return false;
    n = find_pop3(t, m);
    if (!t->failed && n == 0)
        talk_fail(t, "the message was taken, but is not in the maildrop");
    ok = !t->failed && retrieve(t, m, n);
    /* DELE counts only when QUIT is answered */
    return talk_expect(t, REPLY_OK, "QUIT", "QUIT") && ok;
}
