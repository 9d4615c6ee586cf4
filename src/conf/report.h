/* report.h: problems found in a configuration, each with its line; written out in the order of the
 * lines. */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "base/buf.h"

struct problem;

struct report {
    const char *file;
    struct problem *problems;
    unsigned n, dropped; /* past the first REPORT_MAX problems only their number is kept */
    bool failed;         /* there is an error among them */
};

enum { REPORT_MAX = 200 };

void report_init(struct report *r, const char *file);
void report_done(struct report *r);
/* "what. remedy"; line 0: it concerns the whole file. */
void report_error(struct report *r, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void report_warning(struct report *r, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* One line each: "file:line: what. remedy." */
void report_write(const struct report *r, struct buf *out);

#endif
