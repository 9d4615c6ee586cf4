#include "conf/report.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 1000 };

struct problem {
    unsigned line, order;
    bool warning;
    char *text;
};

void report_init(struct report *r, const char *file)
{
    *r = (struct report){.file = file};
}

void report_done(struct report *r)
{
    for (unsigned i = 0; i < r->n; i++)
        free(r->problems[i].text);
    free(r->problems);
    *r = (struct report){.file = r->file};
}

__attribute__((format(printf, 4, 0))) static void add(struct report *r, unsigned line, bool warning,
                                                      const char *fmt, va_list ap)
{
    if (r->n == REPORT_MAX) {
        r->dropped++;
        return;
    }
    if (!r->problems) {
        r->problems = calloc(REPORT_MAX, sizeof *r->problems);
        CHECK(r->problems);
    }

    char text[TEXT_MAX];
    vsnprintf(text, sizeof text, fmt, ap);
    r->problems[r->n] = (struct problem){line, r->n, warning, span_dup(span_cstr(text))};
    r->n++;
}

void report_error(struct report *r, unsigned line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(r, line, false, fmt, ap);
    va_end(ap);
    r->failed = true;
}

void report_warning(struct report *r, unsigned line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(r, line, true, fmt, ap);
    va_end(ap);
}

static int by_line(const void *a, const void *b)
{
    const struct problem *x = a, *y = b;

    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

void report_write(const struct report *r, struct buf *out)
{
    struct problem sorted[REPORT_MAX];

    if (r->n)
        memcpy(sorted, r->problems, r->n * sizeof *sorted);
    qsort(sorted, r->n, sizeof *sorted, by_line);
    for (unsigned i = 0; i < r->n; i++) {
        const struct problem *p = &sorted[i];
        size_t n = strlen(p->text);
        buf_printf(out, "%s%s", p->warning ? "warning: " : "", r->file);
        if (p->line)
            buf_printf(out, ":%u", p->line);
        buf_printf(out, ": %s%s\n", p->text, n && p->text[n - 1] == '?' ? "" : ".");
    }
    if (r->dropped)
        buf_printf(out, "%s: %u more problems. Mend the first ones and check again.\n", r->file,
                   r->dropped);
}
