#include "monitor/run.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>

static void with_front(struct buf *out, const struct marked *m, const char *front)
{
    buf_clear(out);
    buf_put_cstr(out, front);
    buf_put_span(out, buf_span(&m->text));
}

TEST(byte_for_byte)
{
    struct buf got BUF_AUTO = BUF(65536);
    struct marked m;

    marked_init(&m, "a@example.test", "b@example.test", NULL);
    EXPECT(marked_compare(&m, buf_span(&m.text)) == NULL);
    with_front(&got, &m, "Return-Path: <a@example.test>\r\nReceived: x\r\n\ty\r\n");
    EXPECT(marked_compare(&m, buf_span(&got)) == NULL);
    with_front(&got, &m, "X: y\r\n\r\n");
    EXPECT(marked_compare(&m, buf_span(&got)) != NULL);
    with_front(&got, &m, "\r\n");
    EXPECT(marked_compare(&m, buf_span(&got)) != NULL);
    with_front(&got, &m, "no line end");
    EXPECT(marked_compare(&m, buf_span(&got)) != NULL);
    EXPECT(marked_compare(&m, SPAN_EMPTY) != NULL);
    /* no byte may be another, none missing, none more */
    for (size_t i = 0; i < m.text.n; i += 7) {
        with_front(&got, &m, "A: b\r\n");
        got.p[6 + i] ^= 1;
        EXPECT(marked_compare(&m, buf_span(&got)) != NULL);
    }
    with_front(&got, &m, "");
    buf_truncate(&got, got.n - 1);
    EXPECT(marked_compare(&m, buf_span(&got)) != NULL);
    with_front(&got, &m, "");
    buf_putc(&got, '\n');
    EXPECT(marked_compare(&m, buf_span(&got)) != NULL);
    marked_done(&m);
}

TEST(two_are_never_the_same)
{
    struct marked a, b;

    marked_init(&a, "a@x", "b@x", NULL);
    marked_init(&b, "a@x", "b@x", NULL);
    EXPECT(strcmp(a.token, b.token) != 0);
    EXPECT(strcmp(a.id, b.id) != 0);
    EXPECT(span_find_span(buf_span(&a.text), span_cstr(a.id)) != SPAN_NONE);
    /* lines end with CRLF, none is longer than RFC 5322 allows */
    struct span rest = buf_span(&a.text), line;
    while (span_split(&rest, '\n', &line)) {
        EXPECT(line.n > 0 && line.p[line.n - 1] == '\r');
        EXPECT(line.n <= 999);
    }
    marked_done(&a);
    marked_done(&b);
}

TEST(articles)
{
    struct buf got BUF_AUTO = BUF(65536);
    struct marked m;

    marked_init(&m, "a@example.test", NULL, "local.test");
    with_front(&got, &m, "Path: server!not-for-mail\r\nInjection-Info: x\r\n");
    EXPECT(marked_compare_article(&m, buf_span(&got)) == NULL);
    /* the body */
    got.p[got.n - 5] ^= 1;
    EXPECT(marked_compare_article(&m, buf_span(&got)) != NULL);
    /* a field */
    with_front(&got, &m, "Path: x\r\n");
    size_t at = span_find_span(buf_span(&got), SPAN("Newsgroups: local"));
    REQUIRE(at != SPAN_NONE);
    got.p[at] = 'X';
    EXPECT(marked_compare_article(&m, buf_span(&got)) != NULL);
    EXPECT(marked_compare_article(&m, SPAN_EMPTY) != NULL);
    marked_done(&m);
}
