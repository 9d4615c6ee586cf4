/*
 * What summary_vet lets pass must be one reply of IMAP, one line of NNTP. The first byte says what
 * the rest is: a message (its own block must pass), a block, or the text of one section put into a
 * good block. The reader here is another one than that of vet.c: it reads as a client does, line by
 * line, literals by their length, then lists of strings and atoms.
 */
#include "base/check.h"
#include "message/block.h"

enum { RAW_BYTES = 1000 };

/* Reads a reply from a stream: lines end in CR LF; one that ends in {n} goes on after n bytes.
 * Where the reply ends, or 0. */
static size_t reply_end(struct span s)
{
    size_t at = 0;
    for (;;) {
        size_t lf = span_find(span_skip(s, at), '\n');
        if (lf == SPAN_NONE || lf == 0 || s.p[at + lf - 1] != '\r')
            return 0;
        struct span line = span_sub(s, at, lf - 1);
        if (span_has(line, '\r') || span_has(line, 0))
            return 0;
        at += lf + 1;
        size_t brace = span_rfind(line, '{');
        uint64_t n;
        if (line.n == 0 || line.p[line.n - 1] != '}' || brace == SPAN_NONE ||
            !span_to_u64(span_sub(line, brace + 1, line.n - brace - 2), UINT32_MAX, &n))
            return at;
        if (n > s.n - at)
            return 0;
        at += n;
    }
}

static bool skip_item(struct span *s, int depth);

static bool skip_string(struct span *s)
{
    size_t i = 1;
    while (i < s->n && s->p[i] != '"')
        i += s->p[i] == '\\' ? 2 : 1;
    bool closed = i < s->n;
    *s = span_skip(*s, i + 1);
    return closed;
}

static bool skip_literal(struct span *s)
{
    size_t close = span_find(*s, '}');
    uint64_t n;
    if (close == SPAN_NONE || !span_to_u64(span_sub(*s, 1, close - 1), UINT32_MAX, &n) ||
        s->n < close + 3 + n)
        return false;
    *s = span_skip(*s, close + 3 + n);
    return true;
}

static bool skip_list(struct span *s, int depth)
{
    *s = span_skip(*s, 1);
    while (s->n && s->p[0] != ')') {
        if (s->p[0] == ' ')
            *s = span_skip(*s, 1);
        if (!skip_item(s, depth + 1))
            return false;
    }
    bool closed = s->n > 0;
    *s = span_skip(*s, 1);
    return closed;
}

static bool skip_item(struct span *s, int depth)
{
    if (s->n == 0 || depth > 400)
        return false;
    if (s->p[0] == '(')
        return skip_list(s, depth);
    if (s->p[0] == '"')
        return skip_string(s);
    if (s->p[0] == '{')
        return skip_literal(s);
    size_t i = 0;
    while (i < s->n && (ascii_is_digit(s->p[i]) || ascii_is_alpha(s->p[i])))
        i++;
    *s = span_skip(*s, i);
    return i > 0;
}

static void check_reply(struct span text)
{
    struct buf b BUF_AUTO = BUF(text.n + 100);
    buf_put_cstr(&b, "* 1 FETCH (X ");
    size_t start = b.n;
    buf_put_span(&b, text);
    size_t end = b.n;
    buf_put_cstr(&b, ")\r\n");
    CHECK(reply_end(buf_span(&b)) == b.n);
    struct span s = span_sub(buf_span(&b), start, end - start);
    CHECK(skip_item(&s, 0) && s.n == 0);
}

static void check_line(struct span s)
{
    CHECK(!span_has(s, '\r') && !span_has(s, '\n') && !span_has(s, 0));
}

static void check(struct span block, uint32_t raw_bytes)
{
    struct summary s;
    struct part_range r;
    CHECK(summary_open(block, &s));
    check_reply(s.envelope);
    check_reply(s.body);
    check_reply(s.bodystructure);
    check_line(s.overview);
    check_line(s.message_id);
    check_line(s.references);
    check_line(s.base_subject);
    check_line(s.from_first);
    check_line(s.newsgroups);
    check_line(s.followup_to);
    check_line(s.distribution);
    check_line(s.control);
    check_line(s.approved);
    CHECK(s.header_bytes <= raw_bytes);
    for (uint32_t i = 0; i < s.part_count; i++) {
        CHECK(summary_part_at(&s, i, &r));
        CHECK((uint64_t)r.header_at + r.header_bytes <= raw_bytes);
        CHECK((uint64_t)r.body_at + r.body_bytes <= raw_bytes);
        CHECK((uint64_t)r.inner_body_at + r.inner_body_bytes <= raw_bytes);
    }
}

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> 8 * i);
}

static uint32_t get32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* A good block whose section `at` is `text`. */
static void transplant(unsigned at, struct span text, struct buf *out)
{
    struct buf raw BUF_AUTO = BUF(RAW_BYTES), good BUF_AUTO = BUF(1 << 16);
    buf_put_cstr(&raw, "From: A <a@b>\r\nSubject: s\r\nMessage-ID: <a@b>\r\n\r\n");
    while (raw.n < RAW_BYTES)
        buf_putc(&raw, 'x');
    CHECK(summary_make(buf_span(&raw), NULL, &good) == 0);
    CHECK(summary_vet(buf_span(&good), RAW_BYTES));
    uint32_t from = at ? get32(good.p + BLOCK_ENDS_AT + 4 * (at - 1)) : BLOCK_HEAD_BYTES,
             to = get32(good.p + BLOCK_ENDS_AT + 4 * at);
    buf_put(out, good.p, from);
    buf_put_span(out, text);
    buf_put(out, good.p + to, good.n - to);
    CHECK(!out->overflow);
    for (unsigned i = at; i < BLOCK_SECTIONS; i++)
        put32(out->p + BLOCK_ENDS_AT + 4 * i,
              get32(good.p + BLOCK_ENDS_AT + 4 * i) + (uint32_t)text.n - (to - from));
    put32(out->p + 4, (uint32_t)out->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b BUF_AUTO = BUF(2 << 20);
    if (size == 0)
        return 0;
    struct span rest = span_of(data + 1, size - 1);
    if (data[0] < 64) {
        CHECK(summary_make(rest, NULL, &b) == 0);
        CHECK(summary_vet(buf_span(&b), (uint32_t)rest.n));
        check(buf_span(&b), (uint32_t)rest.n);
    } else if (data[0] < 96) {
        if (summary_vet(rest, RAW_BYTES))
            check(rest, RAW_BYTES);
    } else {
        transplant(data[0] % BLOCK_SECTIONS, rest, &b);
        if (summary_vet(buf_span(&b), RAW_BYTES))
            check(buf_span(&b), RAW_BYTES);
    }
    return 0;
}
