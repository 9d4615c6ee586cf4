/*
 * Rows, and over the corpus with 8-bit bytes sown into it: 7-bit bodies only, the same parts with
 * the same content, nothing to do a second time.
 */
#include "message/downgrade.h"

#include "base/random.h"
#include "message/mime.h"
#include "message/summary.h"
#include "message/transfer.h"
#include "unit/unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QP "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
#define B64 "Content-Transfer-Encoding: base64\r\n\r\n"
#define SEVEN "Content-Transfer-Encoding: 7bit\r\n\r\n"
#define MIME1 "MIME-Version: 1.0\r\n"
#define TEXT8 "Content-Type: text/plain; charset=utf-8\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=A\r\n"

/* clang-format off */
static const struct {
    const char *name, *in, *want;
} rows[] = {
    {"7-bit stays", "A: b\r\n\r\nx\r\n", "A: b\r\n\r\nx\r\n"},
    {"8-bit in a header stays", "A: \303\244\r\n\r\nx\r\n", "A: \303\244\r\n\r\nx\r\n"},
    {"text", MIME1 TEXT8 "Content-Transfer-Encoding: 8bit\r\nX: y\r\n\r\nabcdefghij = \303\244 \r\n",
     MIME1 TEXT8 "X: y\r\n" QP "abcdefghij =3D =C3=A4=20\r\n"},
    {"a field over lines", MIME1 TEXT8 "Content-Transfer-Encoding:\r\n 8bit\r\n\r\nabcdefghijklm\303\244",
     MIME1 TEXT8 QP "abcdefghijklm=C3=A4"},
    {"no MIME at all", "A: b\r\n\r\nwhat is it worth: \244\r\n",
     "A: b\r\n" MIME1 "Content-Type: text/plain; charset=unknown-8bit\r\n" QP "what is it worth: =A4\r\n"},
    {"no header at all", "\r\nwhat is it worth: \244\r\n",
     MIME1 "Content-Type: text/plain; charset=unknown-8bit\r\n" QP "what is it worth: =A4\r\n"},
    {"hardly any ASCII", MIME1 TEXT8 "\r\n\303\244\303\266\303\274", MIME1 TEXT8 B64 "w6TDtsO8"},
    {"From and dots at the start of a line", MIME1 TEXT8 "\r\nFrom a\r\n.\r\n.b\r\nabcdefghijklmnop\377\r\n",
     MIME1 TEXT8 QP "=46rom a\r\n=2E\r\n=2Eb\r\nabcdefghijklmnop=FF\r\n"},
    {"long lines", MIME1 TEXT8 "\r\n"
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678\377F\r\n",
     MIME1 TEXT8 QP "012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n5678=FFF\r\n"},
    {"bare CR, LF", MIME1 TEXT8 "\r\nabcdefghijklmno\rp\nq\377\r\n", MIME1 TEXT8 QP "abcdefghijklmno=0Dp\r\nq=FF\r\n"},
    {"parts", MIME1 MIXED "Content-Transfer-Encoding: 8bit\r\n\r\np\344\r\n--A\r\n\r\nasc\r\n--A\r\n" TEXT8 "\r\nabcdefghij\344\r\n--A--\r\ne\344\r\n",
     MIME1 MIXED SEVEN "p?\r\n--A\r\n\r\nasc\r\n--A\r\n" TEXT8 QP "abcdefghij=E4\r\n--A--\r\ne?\r\n"},
    {"a message inside", MIME1 "Content-Type: message/rfc822\r\n\r\nS: x\r\n\r\nabcdefghij\344\r\n",
     MIME1 "Content-Type: message/rfc822\r\n" SEVEN "S: x\r\n" MIME1 "Content-Type: text/plain; charset=unknown-8bit\r\n" QP
     "abcdefghij=E4\r\n"},
    {"8-bit in what says it is encoded", MIME1 TEXT8 QP "abc=C3=A4\344\r\n", MIME1 TEXT8 QP "abc=C3=A4?\r\n"},
    {"a line that is no field", "A: b\r\nno field\r\n" MIME1 TEXT8 "\r\nabcdefghij\344\r\n",
     "A: b\r\nno field\r\n" MIME1 TEXT8 QP "abcdefghij=E4\r\n"},
};
/* clang-format on */

TEST(rows)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf got BUF_AUTO = BUF(4096);
        unit_case(rows[i].name);
        EXPECT_INT(downgrade(span_cstr(rows[i].in), &got), 0);
        EXPECT_SPAN(buf_span(&got), span_cstr(rows[i].want));
    }
}

TEST(what_is_not_known_is_not_touched)
{
    struct buf deep BUF_AUTO = BUF(1 << 20), got BUF_AUTO = BUF(1 << 20);

    for (unsigned i = 0; i < 300; i++)
        buf_printf(&deep, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
    buf_put_cstr(&deep, "\r\n\377\r\n");
    EXPECT_INT(downgrade(buf_span(&deep), &got), -E2BIG);
    buf_init(&got, 100);
    EXPECT_INT(downgrade(SPAN("A: b\r\n\r\nabcdefghijklmnopqrstuvwxyz0123456789\377\r\n"), &got),
               -ENOBUFS);
}

TEST(where_8_bits_are)
{
    char bytes[64];

    for (size_t n = 0; n < sizeof(bytes); n++) {
        memset(bytes, 'a', sizeof(bytes));
        EXPECT(!downgrade_is_8bit((struct span){bytes, n}));
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (char)0x80;
            EXPECT(downgrade_is_8bit((struct span){bytes, n}));
            bytes[k] = 'a';
        }
    }
}

/* ---- the corpus -------------------------------------------------------------------------- */

static void decode(struct span raw, const struct mime_node *n, struct buf *out)
{
    struct transfer t = {.kind = transfer_kind(mime_encoding(n))};
    struct span in = {raw.p + n->body_at, n->body_end - n->body_at};
    char piece[1000];
    size_t got;

    while ((got = transfer_decode(&t, &in, piece, sizeof(piece))) > 0)
        buf_put(out, piece, got);
}

static void same_parts(struct span before, struct span after)
{
    struct mime a, b;

    mime_parse(before, &message_limits_default, &a);
    mime_parse(after, &message_limits_default, &b);
    EXPECT_INT(a.count, b.count);
    for (uint32_t i = 0; i < a.count && i < b.count; i++) {
        const struct mime_node *x = &a.nodes[i], *y = &b.nodes[i];
        struct buf was BUF_AUTO = BUF(16 << 20), is BUF_AUTO = BUF(16 << 20);
        EXPECT_INT(x->kind, y->kind);
        EXPECT_SPAN(y->type, x->type);
        EXPECT_SPAN(y->subtype, x->subtype);
        if (x->kind != MIME_LEAF)
            continue;
        decode(before, x, &was);
        decode(after, y, &is);
        if (transfer_kind(mime_encoding(x)) == TRANSFER_IDENTITY)
            EXPECT_SPAN(buf_span(&is), buf_span(&was));
        EXPECT(!downgrade_is_8bit((struct span){after.p + y->body_at, y->body_end - y->body_at}));
    }
    mime_done(&a);
    mime_done(&b);
}

static unsigned taken;

/* 8-bit bytes where letters were, outside everything that MIME reads. */
static void sow(struct buf *b)
{
    struct mime m;

    mime_parse(buf_span(b), &message_limits_default, &m);
    for (uint32_t i = 0; i < m.count; i++) {
        const struct mime_node *n = &m.nodes[i];
        if (n->kind == MIME_LEAF && n->body_end > n->body_at)
            for (unsigned k = 0; k < 1 + i % 3; k++) {
                char *p = &b->p[n->body_at + random_below(n->body_end - n->body_at)];
                if (*p >= 'a' && *p <= 'z')
                    *p = (char)(*p | 0x80);
            }
    }
    mime_done(&m);
}

static int on_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    struct buf raw BUF_AUTO = BUF(16 << 20), got BUF_AUTO = BUF(32 << 20),
                   again BUF_AUTO = BUF(32 << 20);
    char piece[4096];
    bool after_cr = false;
    size_t n;
    FILE *f;

    if (type != FTW_F || !span_ends_nocase(span_cstr(path), SPAN(".eml")))
        return 0;
    f = fopen(path, "rb");
    while (f != NULL && (n = fread(piece, 1, sizeof(piece), f)) > 0)
        for (size_t i = 0; i < n; i++) {
            if (piece[i] == '\n' && !after_cr)
                buf_putc(&raw, '\r');
            buf_putc(&raw, piece[i]);
            after_cr = piece[i] == '\r';
        }
    if (f != NULL)
        fclose(f);
    unit_case(path);
    sow(&raw);
    EXPECT_INT(downgrade(buf_span(&raw), &got), 0);
    same_parts(buf_span(&raw), buf_span(&got));
    EXPECT_INT(downgrade(buf_span(&got), &again), 0);
    EXPECT_SPAN(buf_span(&again), buf_span(&got));
    taken++;
    return 0;
}

TEST(the_corpus)
{
    char folder[4096];
    struct span here = span_cstr(__FILE__);

    for (int up = 0; up < 3; up++)
        here = span_head(here, span_rfind(here, '/'));
    snprintf(folder, sizeof(folder), "%.*s/tests/corpus", SPAN_ARG(here));
    for (int round = 0; round < 20; round++)
        nftw(folder, on_file, 16, FTW_PHYS);
    EXPECT(taken > 100);
}
