#include "imap/thread_tree.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdio.h>

struct row {
    uint32_t number;
    int64_t date;
    const char *id, *references, *subject;
    bool reply;
};

static void no_flush(struct buf *out, void *arg)
{
}

static void expect(enum thread_kind kind, const struct row *rows, size_t n, const char *want)
{
    struct threads *t = threads_new(kind);
    struct buf out BUF_AUTO = BUF(1 << 20);

    unit_case(want);
    for (size_t i = 0; i < n; i++) {
        struct thread_message m = {.number = rows[i].number,
                                   .date = rows[i].date,
                                   .message_id = span_cstr(rows[i].id),
                                   .references = span_cstr(rows[i].references),
                                   .subject = span_cstr(rows[i].subject),
                                   .reply = rows[i].reply};
        REQUIRE(threads_add(t, &m));
    }
    threads_put(t, &out, no_flush, NULL);
    EXPECT_SPAN(buf_span(&out), span_cstr(want));
    threads_free(t);
    unit_case(NULL);
}
#define EXPECT_THREADS(kind, want, ...)                                                            \
    do {                                                                                           \
        static const struct row rows[] = {__VA_ARGS__};                                            \
        expect(kind, rows, ARRAY_LEN(rows), want);                                                 \
    } while (0)

TEST(nothing)
{
    expect(THREAD_REFERENCES, NULL, 0, "");
}

TEST(answers_hang_below_what_they_answer)
{
    EXPECT_THREADS(THREAD_REFERENCES, "(1 2 3)", {1, 1, "<a>", "", "A", 0},
                   {2, 2, "<b>", "<a>", "A", 1}, {3, 3, "<c>", "<a> <b>", "A", 1});
    /* in any order of the mailbox */
    EXPECT_THREADS(THREAD_REFERENCES, "(3 2 1)", {1, 3, "<c>", "<a> <b>", "A", 1},
                   {2, 2, "<b>", "<a>", "A", 1}, {3, 1, "<a>", "", "A", 0});
    /* siblings by date, threads by the date of their first */
    EXPECT_THREADS(THREAD_REFERENCES, "(4)(1 (3)(2 5))", {1, 10, "<a>", "", "A", 0},
                   {2, 30, "<b>", "<a>", "A", 1}, {3, 20, "<c>", "<a>", "A", 1},
                   {4, 5, "<d>", "", "D", 0}, {5, 40, "<e>", "<a> <b>", "A", 1});
}

TEST(messages_that_are_missing)
{
    /* one answer to it stands for itself, two keep together under nothing */
    EXPECT_THREADS(THREAD_REFERENCES, "(1)", {1, 1, "<b>", "<a>", "A", 1});
    EXPECT_THREADS(THREAD_REFERENCES, "((1)(2))", {1, 1, "<b>", "<a>", "A", 1},
                   {2, 2, "<c>", "<a>", "B", 1});
    /* missing in the middle: the answer moves up */
    EXPECT_THREADS(THREAD_REFERENCES, "(1 2)", {1, 1, "<a>", "", "A", 0},
                   {2, 2, "<d>", "<a> <b> <c>", "X", 1});
    EXPECT_THREADS(THREAD_REFERENCES, "((1)(2)(3 4))", {1, 1, "<d>", "<a> <b> <c>", "A", 1},
                   {2, 2, "<e>", "<a> <b>", "B", 1}, {3, 3, "<f>", "<a>", "C", 1},
                   {4, 4, "<g>", "<a> <f> <x>", "D", 1});
}

TEST(odd_references)
{
    EXPECT_THREADS(THREAD_REFERENCES, "(1)", {1, 1, "<a>", "<a>", "A", 0});
    /* in a circle */
    EXPECT_THREADS(THREAD_REFERENCES, "(2 1)", {1, 1, "<a>", "<b>", "A", 0},
                   {2, 2, "<b>", "<a>", "B", 0});
    EXPECT_THREADS(THREAD_REFERENCES, "(1)(2)", {1, 1, "<a>", "", "A", 0},
                   {2, 2, "<a>", "", "B", 0}); /* one id, two messages */
    EXPECT_THREADS(THREAD_REFERENCES, "(1)(2)", {1, 1, "", "", "", 0}, {2, 2, "", "", "", 0});
    /* what the message says itself wins over what another said of it */
    EXPECT_THREADS(THREAD_REFERENCES, "(1)(3 4 2)", {1, 1, "<a>", "", "A", 0},
                   {2, 2, "<c>", "<a> <b>", "X", 1}, {3, 3, "<d>", "", "D", 0},
                   {4, 4, "<b>", "<d>", "Y", 1});
}

TEST(equal_subjects)
{
    /* an answer without References goes below */
    EXPECT_THREADS(THREAD_REFERENCES, "(1 2)", {1, 1, "<a>", "", "A", 0},
                   {2, 2, "<b>", "", "A", 1});
    EXPECT_THREADS(THREAD_REFERENCES, "(2 1)", {1, 1, "<a>", "", "A", 1},
                   {2, 2, "<b>", "", "A", 0});
    /* two that answer nothing, or two answers: side by side */
    EXPECT_THREADS(THREAD_REFERENCES, "((1)(2))", {1, 1, "<a>", "", "A", 0},
                   {2, 2, "<b>", "", "A", 0});
    EXPECT_THREADS(THREAD_REFERENCES, "((1)(2)(3))", {1, 1, "<a>", "", "A", 1},
                   {2, 2, "<b>", "", "A", 1}, {3, 3, "<c>", "", "A", 1});
    /* below a missing one that has the subject already; two missing ones are one */
    EXPECT_THREADS(THREAD_REFERENCES, "((1)(2)(3))", {1, 1, "<a>", "<x>", "A", 1},
                   {2, 2, "<b>", "<x>", "A", 1}, {3, 3, "<c>", "", "A", 0});
    EXPECT_THREADS(THREAD_REFERENCES, "((1)(2)(3)(4))", {1, 1, "<a>", "<x>", "A", 1},
                   {2, 2, "<b>", "<x>", "A", 1}, {3, 3, "<c>", "<y>", "A", 1},
                   {4, 4, "<d>", "<y>", "A", 1});
    /* no subject is no subject in common */
    EXPECT_THREADS(THREAD_REFERENCES, "(1)(2)", {1, 1, "<a>", "", "", 0}, {2, 2, "<b>", "", "", 0});
}

TEST(ordered_subject)
{
    EXPECT_THREADS(THREAD_ORDEREDSUBJECT, "(3)(1 (5)(2))(4 6)", {1, 10, "", "", "B", 0},
                   {2, 30, "", "", "B", 0}, {3, 5, "", "", "A", 0}, {4, 20, "", "", "C", 0},
                   {5, 25, "", "", "B", 0}, {6, 21, "", "", "C", 0});
}

/* Deeper than any stack, and wide; each message once. */
TEST(depth)
{
    enum { N = 50000 };
    struct threads *t = threads_new(THREAD_REFERENCES);
    struct buf out BUF_AUTO = BUF(1 << 22);
    size_t open = 0, close = 0, blanks = 0;

    for (uint32_t i = N; i >= 1; i--) {
        char id[20], before[20];
        snprintf(id, sizeof id, "<%u>", i);
        snprintf(before, sizeof before, "<%u>", i - 1);
        struct thread_message m = {.number = i,
                                   .date = i,
                                   .message_id = span_cstr(id),
                                   .references = i > 1 ? span_cstr(before) : SPAN_EMPTY,
                                   .subject = SPAN("A"),
                                   .reply = i > 1};
        REQUIRE(threads_add(t, &m));
    }
    threads_put(t, &out, no_flush, NULL);
    for (size_t i = 0; i < out.n; i++) {
        open += out.p[i] == '(';
        close += out.p[i] == ')';
        blanks += out.p[i] == ' ';
    }
    EXPECT_INT(open, 1);
    EXPECT_INT(close, 1);
    EXPECT_INT(blanks, N - 1);
    threads_free(t);
}
