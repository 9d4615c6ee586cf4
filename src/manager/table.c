#include "manager/table.h"

#include "base/check.h"
#include "manager/text.h"

#include <stdlib.h>

enum { COLUMNS_MAX = 16, GAP = 2, NARROW = 6, CELL_MAX = 64 * 1024, TEXT_MAX = 256 << 20 };

struct cell {
    size_t at, n; /* in text */
    unsigned width;
    bool is_short;
};

struct table {
    const struct table_column *columns;
    unsigned count;
    struct buf text;
    struct cell *cells;
    size_t cell_count, cell_cap;
};

struct table *table_new(const struct table_column *columns, unsigned count)
{
    struct table *t = calloc(1, sizeof *t);

    CHECK(t != NULL && count > 0 && count <= COLUMNS_MAX);
    t->columns = columns;
    t->count = count;
    t->text = BUF(TEXT_MAX);
    return t;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    buf_done(&t->text);
    free(t->cells);
    free(t);
}

void table_put(struct table *t, struct span text)
{
    struct cell *c;
    size_t at = t->text.n;

    if (t->cell_count == t->cell_cap) {
        t->cell_cap = t->cell_cap ? 2 * t->cell_cap : 64;
        t->cells = realloc(t->cells, t->cell_cap * sizeof *t->cells);
        CHECK(t->cells != NULL);
    }
    text_put_safe(&t->text, span_head(text, CELL_MAX), false);
    c = &t->cells[t->cell_count++];
    *c = (struct cell){.at = at, .n = t->text.n - at};
    c->width = text_width(span_of(t->text.p + at, c->n));
}

void table_put_short(struct table *t, struct span text)
{
    table_put(t, text);
    t->cells[t->cell_count - 1].is_short = true;
}

size_t table_rows(const struct table *t)
{
    return t->cell_count / t->count;
}

static struct span cell_text(const struct table *t, size_t row, unsigned column)
{
    const struct cell *c = &t->cells[row * t->count + column];

    return span_of(t->text.p + c->at, c->n);
}

/* Takes cells away from the widest column that may lose some, until all fit. */
static void shrink(const struct table *t, unsigned *widths, const unsigned *least, unsigned width)
{
    unsigned sum = GAP * (t->count - 1);

    for (unsigned i = 0; i < t->count; i++)
        sum += widths[i];
    while (sum > width) {
        unsigned widest = COLUMNS_MAX;
        for (unsigned i = 0; i < t->count; i++)
            if (widths[i] > least[i] && (widest == COLUMNS_MAX || widths[i] >= widths[widest]))
                widest = i;
        if (widest == COLUMNS_MAX)
            return; /* what must be whole may stick out */
        widths[widest]--;
        sum--;
    }
}

static void measure(const struct table *t, bool titles, unsigned width, unsigned *widths)
{
    unsigned least[COLUMNS_MAX];

    for (unsigned i = 0; i < t->count; i++) {
        unsigned title = titles ? text_width(span_cstr(t->columns[i].title)) : 0;
        widths[i] = title;
        for (size_t r = 0; r < table_rows(t); r++)
            if (t->cells[r * t->count + i].width > widths[i])
                widths[i] = t->cells[r * t->count + i].width;
        least[i] = widths[i];
        if (!(t->columns[i].flags & (COLUMN_WHOLE | COLUMN_RIGHT)))
            least[i] = title > NARROW ? title : NARROW;
        if (least[i] > widths[i])
            least[i] = widths[i];
    }
    if (width > 0)
        shrink(t, widths, least, width);
}

static void blanks(struct buf *out, unsigned n)
{
    while (n-- > 0)
        buf_putc(out, ' ');
}

struct line { /* of one row: what each column has left to show */
    struct span left[COLUMNS_MAX];
    unsigned flags[COLUMNS_MAX];
    bool more;
};

static unsigned put_cell(const struct table *t, struct line *l, unsigned i, unsigned width,
                         struct buf *out)
{
    unsigned flags = l->flags[i], cells;
    struct span text = l->left[i];

    if (flags & COLUMN_RIGHT) {
        cells = text_width(text);
        blanks(out, width > cells ? width - cells : 0);
        buf_put_span(out, text);
        l->left[i] = SPAN_EMPTY;
        return cells > width ? cells : width;
    }
    if (flags & COLUMN_WRAP) {
        size_t skip, n = text_wrap(text, width, &skip);
        buf_put(out, text.p, n);
        cells = text_width(span_head(text, n));
        l->left[i] = span_skip(text, n + skip);
        l->more |= l->left[i].n > 0;
        return cells;
    }
    l->left[i] = SPAN_EMPTY;
    return text_put_cut(out, text, width);
}

/* One line of a row; blanks at its end are left out. */
static void put_line(const struct table *t, struct line *l, const unsigned *widths, struct buf *out)
{
    size_t start = out->n, end;

    l->more = false;
    for (unsigned i = 0; i < t->count; i++) {
        unsigned cells = put_cell(t, l, i, widths[i], out);
        if (i + 1 < t->count)
            blanks(out, (widths[i] > cells ? widths[i] - cells : 0) + GAP);
    }
    end = out->n;
    while (end > start && out->p[end - 1] == ' ')
        end--;
    buf_truncate(out, end);
    buf_putc(out, '\n');
}

static void put_rows(const struct table *t, const unsigned *widths, struct buf *out)
{
    for (size_t r = 0; r < table_rows(t); r++) {
        struct line l = {.more = false};
        for (unsigned i = 0; i < t->count; i++) {
            l.left[i] = cell_text(t, r, i);
            l.flags[i] = t->columns[i].flags;
            if (t->cells[r * t->count + i].is_short)
                l.flags[i] &= ~(unsigned)COLUMN_WRAP;
        }
        do
            put_line(t, &l, widths, out);
        while (l.more && !out->overflow);
    }
}

void table_print(const struct table *t, unsigned width, struct buf *out)
{
    unsigned widths[COLUMNS_MAX];
    struct line l = {.more = false};

    measure(t, true, width, widths);
    for (unsigned i = 0; i < t->count; i++) {
        l.left[i] = span_cstr(t->columns[i].title);
        l.flags[i] = t->columns[i].flags;
    }
    put_line(t, &l, widths, out);
    put_rows(t, widths, out);
}

void table_print_fields(const struct table *t, unsigned width, struct buf *out)
{
    unsigned widths[COLUMNS_MAX];

    measure(t, false, width, widths);
    put_rows(t, widths, out);
}
