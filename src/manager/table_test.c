#include "manager/table.h"

#include "base/check.h"
#include "manager/text.h"
#include "unit/unit.h"

#include <locale.h>
#include <stdlib.h>

static const struct table_column columns[] = {
    {"NAME", 0           },
    {"N",    COLUMN_RIGHT},
    {"KEY",  COLUMN_WHOLE},
    {"TEXT", COLUMN_WRAP }
};

static struct table *sample(void)
{
    struct table *t = table_new(columns, ARRAY_LEN(columns));

    setlocale(LC_CTYPE, "C.UTF-8");
    table_put(t, SPAN("J\xc3\xbcrgen"));
    table_put(t, SPAN("7"));
    table_put(t, SPAN("abcdef"));
    table_put(t, SPAN("first words and more words"));
    table_put(t, SPAN("\xe6\x97\xa5\xe6\x9c\xac"));
    table_put(t, SPAN("1234"));
    table_put(t, SPAN(""));
    table_put(t, SPAN("x\ny"));
    return t;
}

TEST(as_wide_as_it_wants)
{
    struct table *t = sample();
    struct buf b BUF_AUTO = BUF(10000);

    table_print(t, 0, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("NAME       N  KEY     TEXT\n"
                                   "J\xc3\xbcrgen     7  abcdef  first words and more words\n"
                                   "\xe6\x97\xa5\xe6\x9c\xac    1234          x\\ny\n"));
    table_free(t);
}

TEST(made_to_fit)
{
    struct table *t = sample();
    struct buf b BUF_AUTO = BUF(10000);

    table_print(t, 36, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("NAME       N  KEY     TEXT\n"
                                   "J\xc3\xbcrgen     7  abcdef  first words\n"
                                   "                      and more words\n"
                                   "\xe6\x97\xa5\xe6\x9c\xac    1234          x\\ny\n"));
    table_free(t);
}

/* Whatever the width: no line is wider where columns can give way, and what must stay whole does.
 */
TEST(every_width)
{
    for (unsigned width = 30; width < 80; width++) {
        struct table *t = sample();
        struct buf b BUF_AUTO = BUF(10000);
        struct span rest, line;
        table_print(t, width, &b);
        rest = buf_span(&b);
        EXPECT(span_find_span(rest, SPAN("abcdef")) != SPAN_NONE);
        EXPECT(span_find_span(rest, SPAN("1234")) != SPAN_NONE);
        while (span_split(&rest, '\n', &line)) {
            EXPECT(text_width(line) <= width);
            EXPECT(line.n == 0 || line.p[line.n - 1] != ' ');
        }
        table_free(t);
    }
}

TEST(cut_with_an_ellipsis)
{
    static const struct table_column two[] = {
        {"A", 0},
        {"B", 0}
    };
    struct table *t = table_new(two, 2);
    struct buf b BUF_AUTO = BUF(1000);

    setlocale(LC_CTYPE, "C.UTF-8");
    table_put(t, SPAN("aaaaaaaaaaaaaaaaaaaa"));
    table_put(t, SPAN("bbbbbbbbbb"));
    table_print(t, 22, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("A           B\naaaaaaaaa\xe2\x80\xa6  bbbbbbbbbb\n"));
    table_free(t);
}

TEST(short_cells_do_not_wrap)
{
    static const struct table_column two[] = {
        {"A", COLUMN_WHOLE},
        {"B", COLUMN_WRAP }
    };
    struct table *t = table_new(two, 2);
    struct buf b BUF_AUTO = BUF(1000);

    setlocale(LC_CTYPE, "C.UTF-8");
    table_put(t, SPAN("1"));
    table_put_short(t, SPAN("seen and passed"));
    table_put(t, SPAN("2"));
    table_put(t, SPAN("read this all"));
    table_print(t, 12, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("A  B\n1  seen and\xe2\x80\xa6\n2  read this\n   all\n"));
    table_free(t);
}

TEST(fields)
{
    static const struct table_column two[] = {
        {"", COLUMN_WHOLE},
        {"", COLUMN_WRAP }
    };
    struct table *t = table_new(two, 2);
    struct buf b BUF_AUTO = BUF(1000);

    table_put(t, SPAN("Name"));
    table_put(t, SPAN("a b c"));
    table_put(t, SPAN("Longer"));
    table_put(t, SPAN("d"));
    EXPECT_INT(table_rows(t), 2);
    table_print_fields(t, 0, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("Name    a b c\nLonger  d\n"));
    table_free(t);
}
