/*
 * table.h: rows and columns for people: aligned by the cells of a terminal, made to fit its width.
 * Where the width is not enough, the widest columns that allow it are cut (with an ellipsis) or
 * wrapped.
 */
#ifndef MANAGER_TABLE_H
#define MANAGER_TABLE_H

#include "base/buf.h"

enum {
    COLUMN_RIGHT = 1, /* numbers */
    COLUMN_WRAP = 2,  /* goes on below instead of being cut */
    COLUMN_WHOLE = 4, /* never cut: what will be typed or compared */
};
struct table_column {
    const char *title;
    unsigned flags;
};

struct table;

struct table *table_new(const struct table_column *columns,
                        unsigned count); /* the titles are borrowed */
void table_free(struct table *t);
/* The next cell, row after row; made safe here. */
void table_put(struct table *t, struct span text);
/* The same for a cell that is not worth a second line: it is cut even where its column wraps. */
void table_put_short(struct table *t, struct span text);
size_t table_rows(const struct table *t);
/* width 0: as wide as it wants to be. */
void table_print(const struct table *t, unsigned width, struct buf *out);
/* Lines "Title   value" with aligned values; a table of two columns without heads. */
void table_print_fields(const struct table *t, unsigned width, struct buf *out);

#endif
