/*
 * view.h: what a handler has to say, as JSON, and how it looks as a table: one row of struct view a
 * column or field. With --json the value itself is printed.
 */
#ifndef MANAGER_VIEW_H
#define MANAGER_VIEW_H

#include "manager/command.h"

#include <jansson.h>

enum view_format {
    VIEW_TEXT,     /* strings, numbers, lists with ", " between */
    VIEW_NUMBER,   /* right */
    VIEW_BYTES,    /* 12.3 MiB */
    VIEW_TIME,     /* seconds since 1970; 0: nothing */
    VIEW_DURATION, /* seconds: 3 d 4 h */
    VIEW_UNTIL,    /* seconds since 1970: in 3 d 4 h, 5 min ago */
    VIEW_YES,      /* yes for true, nothing for false */
    VIEW_COUNT,    /* how many elements a list has */
};

struct view {
    const char *title;
    const char *path; /* "current.certificate.serial" */
    enum view_format format;
    unsigned flags; /* COLUMN_… of table.h */
};

/* All of these take the value over. An empty list as a table is the sentence `none`. */
int view_list(struct call *c, json_t *take_array, const struct view *columns, unsigned count,
              const char *none);
int view_object(struct call *c, json_t *take_object, const struct view *fields, unsigned count);
/* One sentence for people, for programs the object (NULL: {}). */
int view_done(struct call *c, json_t *take_object, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define VIEW(rows) rows, ARRAY_LEN(rows)

/* The table only, into c->out; `array` stays the caller's. */
void view_table(struct call *c, const json_t *array, const struct view *columns, unsigned count);
void view_fields(struct call *c, const json_t *object, const struct view *fields, unsigned count);
/* A value printed as its format says. */
void view_value(const json_t *v, enum view_format format, int64_t now, struct buf *out);
const json_t *view_get(const json_t *object, const char *path);  /* borrowed; NULL: none */
const char *view_string(const json_t *object, const char *path); /* "" where there is none */
void view_json(struct call *c, const json_t *v);

/* What a process has sent. NULL with the reason. */
json_t *view_parse(struct span text, const char *whose, struct err *e);
/* A string of ours that may not be UTF-8. */
json_t *view_text(const char *s);

#endif
