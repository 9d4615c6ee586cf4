#include "imap/fetch.h"
#include "imap/state.h"

#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>

/* ------------------------------------------------------------------ the seams: a session that
 * collects, a store with one message */
static struct buf sent = {.max = 64 << 20};
static struct span fake_prefix, fake_body;
static uint64_t fail_from = UINT64_MAX; /* reads at or past it fail */
static bool no_summary;

void session_put(struct session *s, struct span bytes)
{
    buf_put_span(&sent, bytes);
}
void session_end(struct session *s)
{
    s->closing = true;
}
static struct message_info fake_info;
static bool
    fake_moves; /* the message lies in file 2, and who looks for it in file 1 must look again */
int store_read_begin(struct store *s, struct store_read *ret)
{
    return fake_moves ? 0 : -EAGAIN;
}
void store_read_end(struct store_read *r)
{
}
int store_message_get(struct store_read *r, uint64_t mailbox, uint32_t uid,
                      struct message_info *ret)
{
    *ret = fake_info;
    ret->body_file = 2;
    return 0;
}
int store_summary(struct store *s, const struct message_info *m, struct arena *a,
                  struct summary *ret)
{
    return -EIO;
}
int store_summary_read(struct store *s, const struct message_info *m, struct buf *out,
                       struct summary *ret)
{
    buf_clear(out);
    if (no_summary || summary_make(fake_body, &message_limits_default, out) < 0)
        return -EIO;
    return summary_open(buf_span(out), ret) ? 0 : -EIO;
}
void store_summary_ahead(struct store *s, const struct message_info *m)
{
}
int store_message_read(struct store *s, const struct message_info *m, uint64_t offset, size_t n,
                       struct buf *out)
{
    struct buf whole BUF_AUTO = BUF(32 << 20);

    buf_put_span(&whole, fake_prefix);
    buf_put_span(&whole, fake_body);
    if (offset + n > fail_from || (fake_moves && m->body_file != 2))
        return -EIO;
    buf_put_span(out, span_sub(buf_span(&whole), (size_t)offset, n));
    return 0;
}

unsigned store_mailbox_keywords(struct store_read *r, uint64_t mailbox,
                                struct span names[STORE_KEYWORDS_MAX])
{
    return 0;
}

static bool fetch(const char *items, struct span prefix, struct span body, size_t *ret_unreadable,
                  size_t *ret_undecodable)
{
    struct worker w = {0};
    struct session s = {.worker = &w};
    struct arena *a = arena_new(1 << 20);
    struct fetch_plan plan;
    struct span c = span_cstr(items);
    struct message_info m = {.uid = 77,
                             .flags = STORE_SEEN | STORE_KEYWORD(0),
                             .received_seconds = 837596665,
                             .received_zone = -420};
    struct keywords k = {.n = 1, .name = {SPAN("$Junk")}};

    fake_prefix = prefix;
    fake_body = body;
    m.prefix_bytes = (uint32_t)prefix.n;
    m.body_bytes = (uint32_t)body.n;
    m.size = m.prefix_bytes + m.body_bytes;
    m.body_file = 1;
    fake_info = m;
    buf_clear(&sent);
    if (!fetch_parse(&c, a, &plan)) {
        unit_fail(__FILE__, __LINE__, "does not parse: %s", items);
        arena_free(a);
        return false;
    }
    struct fetch_run *r = fetch_run_new(&s, &plan);
    fetch_put(r, 5, &m, &k, false);
    fetch_flush(r);
    *ret_unreadable = fetch_unreadable(r);
    *ret_undecodable = fetch_undecodable(r);
    fetch_run_free(r);
    arena_free(a);
    return !s.closing;
}

static const struct span prefix = SPAN("Return-Path: <x@y>\r\n");
static const struct span body = SPAN(
    "From: a@b.c\r\nSubject: hi\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
    "boundary=B\r\n\r\n"
    "pre\r\n--B\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n\r\na=3Db=00c=\r\nd \r\n"
    "--B\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nTo: t@u.v\r\n\r\ninner\r\n"
    "--B\r\nContent-Type: application/x; name=n\r\nContent-Transfer-Encoding: x-mine\r\n\r\nzz\r\n"
    "--B\r\nContent-Type: application/y\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\naGVs\r\nbG8=\r\n--B--\r\n");

TEST(items)
{
    /* clang-format off */
    static const struct {
        const char *items, *want;
    } rows[] = {
        {"UID", "* 5 FETCH (UID 77)\r\n"},
        {"(FLAGS UID)", "* 5 FETCH (UID 77 FLAGS (\\Seen $Junk))\r\n"},
        {"FAST", "* 5 FETCH (FLAGS (\\Seen $Junk) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 452)\r\n"},
        {"ENVELOPE", "* 5 FETCH (ENVELOPE (NIL \"hi\" ((NIL NIL \"a\" \"b.c\")) ((NIL NIL \"a\" \"b.c\")) ((NIL NIL \"a\" \"b.c\")) NIL NIL NIL NIL NIL))\r\n"},
        {"BODY.PEEK[HEADER]<0.40>", "* 5 FETCH (BODY[HEADER]<0> {40}\r\nReturn-Path: <x@y>\r\nFrom: a@b.c\r\nSubject)\r\n"},
        {"BODY.PEEK[HEADER.FIELDS (subject Return-path)]", "* 5 FETCH (BODY[HEADER.FIELDS (subject Return-path)] {35}\r\nReturn-Path: <x@y>\r\nSubject: hi\r\n\r\n)\r\n"},
        {"BODY.PEEK[HEADER.FIELDS.NOT (return-path from content-type mime-version)]<1.4>",
         "* 5 FETCH (BODY[HEADER.FIELDS.NOT (return-path from content-type mime-version)]<1> {4}\r\nubje)\r\n"},
        {"BODY.PEEK[TEXT]<0.5>", "* 5 FETCH (BODY[TEXT]<0> {5}\r\npre\r\n)\r\n"},
        {"BODY.PEEK[]<18.4>", "* 5 FETCH (BODY[]<18> {4}\r\n\r\nFr)\r\n"},
        {"BODY.PEEK[]<5000.4>", "* 5 FETCH (BODY[]<5000> \"\")\r\n"},
        {"BODY.PEEK[1]", "* 5 FETCH (BODY[1] {14}\r\na=3Db=00c=\r\nd )\r\n"},
        {"BODY.PEEK[1.MIME]<0.14>", "* 5 FETCH (BODY[1.MIME]<0> {14}\r\nContent-Type: )\r\n"},
        {"BODY.PEEK[2.HEADER]", "* 5 FETCH (BODY[2.HEADER] {26}\r\nSubject: in\r\nTo: t@u.v\r\n\r\n)\r\n"},
        {"BODY.PEEK[2.HEADER.FIELDS (To)]", "* 5 FETCH (BODY[2.HEADER.FIELDS (To)] {13}\r\nTo: t@u.v\r\n\r\n)\r\n"},
        {"BODY.PEEK[2.TEXT]", "* 5 FETCH (BODY[2.TEXT] {5}\r\ninner)\r\n"},
        {"BODY.PEEK[2.1]", "* 5 FETCH (BODY[2.1] {5}\r\ninner)\r\n"},
        {"BODY.PEEK[1.HEADER]", "* 5 FETCH (BODY[1.HEADER] NIL)\r\n"},
        {"BODY.PEEK[9]", "* 5 FETCH (BODY[9] NIL)\r\n"},
        {"BINARY.PEEK[1]", "* 5 FETCH (BINARY[1] ~{6}\r\na=b\001cd)\r\n"},
        {"BINARY.PEEK[4]", "* 5 FETCH (BINARY[4] {5}\r\nhello)\r\n"},
        {"BINARY.PEEK[4]<1.3>", "* 5 FETCH (BINARY[4]<1> {3}\r\nell)\r\n"},
        {"BINARY.PEEK[4]<9.3>", "* 5 FETCH (BINARY[4]<9> \"\")\r\n"},
        {"(BINARY.SIZE[4] BINARY.SIZE[1])", "* 5 FETCH (BINARY.SIZE[4] 5 BINARY.SIZE[1] 6)\r\n"},
        {"(UID BODY.PEEK[4] RFC822.SIZE)", "* 5 FETCH (UID 77 RFC822.SIZE 452 BODY[4] {10}\r\naGVs\r\nbG8=)\r\n"},
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t unreadable, undecodable;
        unit_case(rows[i].items);
        EXPECT(fetch(rows[i].items, prefix, body, &unreadable, &undecodable));
        for (size_t k = 0; k < sent.n; k++)
            if (sent.p[k] == '\0')
                sent.p[k] = 1; /* \001 stands for NUL in the table */
        EXPECT_SPAN(buf_span(&sent), span_cstr(rows[i].want));
        EXPECT_INT(unreadable + undecodable, 0);
    }
    unit_case(NULL);
}

TEST(unknown_encoding)
{
    size_t unreadable, undecodable;

    EXPECT(fetch("(UID BINARY.PEEK[3])", prefix, body, &unreadable, &undecodable));
    EXPECT_SPAN(buf_span(&sent), SPAN("* 5 FETCH (UID 77)\r\n"));
    EXPECT_INT(undecodable, 1);
}

TEST(nul_is_covered)
{
    size_t unreadable, undecodable;

    EXPECT(
        fetch("BODY.PEEK[]", SPAN_EMPTY, SPAN("A: b\r\n\r\nx\0y\r\n"), &unreadable, &undecodable));
    EXPECT_SPAN(buf_span(&sent), SPAN("* 5 FETCH (BODY[] {13}\r\nA: b\r\n\r\nx\x80y\r\n)\r\n"));
}

TEST(damaged_summary_is_made_anew)
{
    size_t unreadable, undecodable;

    no_summary = true;
    EXPECT(fetch("BODY.PEEK[4]", prefix, body, &unreadable, &undecodable));
    EXPECT_SPAN(buf_span(&sent), SPAN("* 5 FETCH (BODY[4] {10}\r\naGVs\r\nbG8=)\r\n"));
    EXPECT_INT(unreadable, 0);
    no_summary = false;
}

/* 3 MiB of base64 in lines: decoded in pieces, and the raw text streamed in pieces. */
TEST(large)
{
    struct buf b BUF_AUTO = BUF(8 << 20);
    size_t unreadable, undecodable;

    buf_put_cstr(&b, "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    size_t head = b.n;
    for (unsigned i = 0; i < 40000; i++)
        buf_put_cstr(
            &b,
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NQ==\r\n");
    EXPECT(fetch("BODY.PEEK[TEXT]", SPAN_EMPTY, buf_span(&b), &unreadable, &undecodable));
    size_t at = span_find(buf_span(&sent), '\n') + 1;
    EXPECT(span_eq(span_sub(buf_span(&sent), at, b.n - head), span_skip(buf_span(&b), head)));
    EXPECT_INT(sent.n, at + b.n - head + 3);

    EXPECT(fetch("BINARY.SIZE[1]", SPAN_EMPTY, buf_span(&b), &unreadable, &undecodable));
    EXPECT_SPAN(buf_span(&sent), SPAN("* 5 FETCH (BINARY.SIZE[1] 2320000)\r\n"));
    EXPECT(fetch("BINARY.PEEK[1]<2319998.9>", SPAN_EMPTY, buf_span(&b), &unreadable, &undecodable));
    EXPECT_SPAN(buf_span(&sent), SPAN("* 5 FETCH (BINARY[1]<2319998> {2}\r\n45)\r\n"));
}

/* Quoted-printable whose soft breaks and blanks fall on every place of a chunk's border. */
TEST(quoted_printable_borders)
{
    size_t unreadable, undecodable;

    for (size_t pad = 0; pad < 12; pad++) {
        struct buf b BUF_AUTO = BUF(1 << 20), want BUF_AUTO = BUF(1 << 20);
        buf_put_cstr(&b, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        for (size_t i = 0; i < pad; i++) {
            buf_putc(&b, 'p');
            buf_putc(&want, 'p');
        }
        for (unsigned i = 0; i < 8000; i++) {
            buf_put_cstr(&b, "=3D \t\r\nx =\r\n");
            buf_put_cstr(&want, "=\r\nx ");
        }
        EXPECT(fetch("BINARY.PEEK[1]", SPAN_EMPTY, buf_span(&b), &unreadable, &undecodable));
        size_t at = span_find(buf_span(&sent), '\n') + 1;
        EXPECT(span_eq(span_sub(buf_span(&sent), at, want.n), buf_span(&want)));
        EXPECT_INT(sent.n, at + want.n + 3);
    }
}

TEST(read_errors)
{
    struct buf b BUF_AUTO = BUF(1 << 20);
    size_t unreadable, undecodable;

    buf_put_cstr(&b, "A: b\r\n\r\n");
    while (b.n < 200000)
        buf_put_cstr(&b, "0123456789\r\n");
    /* at the start: NIL, and the session goes on */
    fail_from = 0;
    EXPECT(fetch("(UID BODY.PEEK[])", SPAN_EMPTY, buf_span(&b), &unreadable, &undecodable));
    EXPECT_SPAN(buf_span(&sent), SPAN("* 5 FETCH (UID 77 BODY[] NIL)\r\n"));
    EXPECT_INT(unreadable, 1);
    /* in the middle of a literal: the session ends, and nothing is put where bytes of the message
     * are expected */
    fail_from = 100000;
    EXPECT(!fetch("(BODY.PEEK[] UID)", SPAN_EMPTY, buf_span(&b), &unreadable, &undecodable));
    EXPECT(sent.n < 110000 && sent.n > 60000);
    EXPECT(span_eq(span_sub(buf_span(&sent), sent.n - 5, 5),
                   span_sub(buf_span(&b), sent.n - 5 - (span_find(buf_span(&sent), '\n') + 1), 5)));
    fail_from = UINT64_MAX;
}

/* Compaction while the session slept: the answer is the same. */
TEST(moved)
{
    size_t unreadable, undecodable;

    fake_moves = true;
    EXPECT(fetch("(BODY.PEEK[4] BINARY.PEEK[4] BODY.PEEK[HEADER.FIELDS (From)])", prefix, body,
                 &unreadable, &undecodable));
    EXPECT_SPAN(buf_span(&sent),
                SPAN("* 5 FETCH (BODY[4] {10}\r\naGVs\r\nbG8= BINARY[4] {5}\r\nhello "
                     "BODY[HEADER.FIELDS (From)] {15}\r\nFrom: a@b.c\r\n\r\n)\r\n"));
    EXPECT_INT(unreadable, 0);
    fake_moves = false;
}
