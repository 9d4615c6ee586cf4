/*
 * rows.h: the rows of options.def as a table, and what can be done with one value by its row: set
 * it from text, print it. Parser, printer and codec walk these rows over the structs of conf.h;
 * none of them knows an option by name.
 */
#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#include "conf/conf.h"

enum conf_scope {
    SCOPE_ROOT,
    SCOPE_VSERVER,
    SCOPE_ENDPOINT,
    SCOPE_LIMITS,
    SCOPE_CONNECTOR,
    SCOPE_AUTHORITY,
    SCOPE_MTA_STS,
    SCOPE_DANE,
    SCOPE_ACME_SERVER,
    SCOPE_EST_SERVER,
    SCOPE_COUNT
};

enum row_type {
    ROW_SECTION,
    ROW_STRING,
    ROW_BOOL,
    ROW_U16,
    ROW_U32,
    ROW_U64,
    ROW_CHOICE,
    ROW_STRINGS,
    ROW_DURATIONS, /* kept as decimal seconds */
    ROW_NETWORKS,
    ROW_LIST,
    ROW_GROUP,
};

struct row {
    const char *name;
    const char *doc;
    const char *def; /* NULL: required; "=words": derived */
    const char *unit;
    const char *(*check)(struct span s); /* of one text: NULL or what is wrong and the remedy */
    const char *const *names;            /* of a choice, NULL at the end */
    uint64_t min, max;
    size_t offset, count_offset;
    enum row_type type;
    enum conf_scope scope;
    enum conf_scope element; /* of a list or group */
};

extern const struct row conf_rows[];
extern const size_t conf_row_count;

/* Goes over the rows of one scope, headings included. */
#define FOR_EACH_ROW(which, it)                                                                    \
    for (const struct row *it = conf_rows; it < conf_rows + conf_row_count; it++)                  \
        if (it->scope == (which))

size_t scope_size(enum conf_scope scope);                            /* of its struct */
const char *scope_word(enum conf_scope scope);                       /* "virtual server" */
const char *scope_words(enum conf_scope scope);                      /* "virtual servers" */
const struct row *row_find(enum conf_scope scope, struct span name); /* NULL if there is none */
/* The option of that scope which is spelled most like it; NULL if none is near. */
const struct row *row_nearest(enum conf_scope scope, struct span name);
bool row_required(const struct row *row);
bool row_derived(const struct row *row);
const char *row_default(const struct row *row,
                        enum conf_protocol protocol); /* NULL: required or derived */

/*
 * Sets the row's field in the struct at `base` from texts as in the file, one for a single value,
 * any number for a list; copies live in the arena. On failure the field is as it was and `why` says
 * what is wrong and what to do.
 */
bool row_set(const struct row *row, void *base, struct arena *a, const struct span *texts, size_t n,
             struct err *why);
/* row_set from a default's text. The defaults are ours: a bad one is a bug. */
void row_set_default(const struct row *row, void *base, struct arena *a, const char *def);
/* A value that came from elsewhere (conf_rd): the same checks as row_set. */
bool row_valid(const struct row *row, const void *base);
/* In the file's syntax, right of the '='. */
void row_print(const struct row *row, const void *base, struct buf *out);

static inline void *row_field(const struct row *row, void *base)
{
    return (char *)base + row->offset;
}

static inline const void *row_field_const(const struct row *row, const void *base)
{
    return (const char *)base + row->offset;
}

/* A number with its unit, "64 MiB" or "30 min"; unit "bytes" or "s", else digits only. */
bool number_parse(struct span s, const char *unit, uint64_t *ret);
/* The largest unit that divides it: 65536 is "64 KiB". */
void number_print(uint64_t v, const char *unit, struct buf *out);
/* Both ends of a range for people, "1 s to 30 min": the unit is written out. */
void number_print_range(uint64_t min, uint64_t max, const char *unit, const char *between,
                        struct buf *out);
const char *number_help(const char *unit); /* the spellings allowed, for messages */

#endif
