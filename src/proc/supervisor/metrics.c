/*
 * The metrics of all processes as one Prometheus text (exposition format 0.0.4): every line of a
 * child gets the labels process and instance, and lines of one name stand together below one TYPE
 * line. What children send is checked: a worker that was taken over must not be able to write the
 * lines of another.
 */
#include "proc/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/parse.h"

#include <stdlib.h>

enum { FAMILIES_MAX = 1000, NAME_MAX_BYTES = 120, LINE_MAX_BYTES = 600 };

struct family {
    struct buf head, lines; /* its HELP and TYPE; its values */
};

struct gathering {
    struct map *by_name;
    struct family *v[FAMILIES_MAX];
    unsigned n;
};

static bool is_name(unsigned char c)
{
    return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || c == '_' || c == ':';
}

static bool is_plain(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return true;
}

static struct family *family_of(struct gathering *g, struct span name)
{
    struct family *f = map_get(g->by_name, name);

    if (f != NULL || g->n == FAMILIES_MAX)
        return f;
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->head = BUF(2 * LINE_MAX_BYTES);
    f->lines = BUF(LINK_PAYLOAD_MAX);
    map_set(g->by_name, name, f);
    g->v[g->n++] = f;
    return f;
}

/* _bucket, _sum and _count belong to the histogram of their stem */
static struct span stem(struct gathering *g, struct span name)
{
    static const char *const ends[] = {"_bucket", "_sum", "_count"};

    for (size_t i = 0; i < 3; i++) {
        struct span s = span_head(name, name.n - (name.n >= strlen(ends[i]) ? strlen(ends[i]) : 0));
        if (span_ends_nocase(name, span_cstr(ends[i])) && map_get(g->by_name, s) != NULL)
            return s;
    }
    return name;
}

static void take_comment(struct gathering *g, struct span line)
{
    struct span c = line, name;
    struct family *f;
    bool type = false;

    if (!parse_lit(&c, "# HELP ") && !(type = parse_lit(&c, "# TYPE ")))
        return;
    if (!parse_while(&c, is_name, 1, NAME_MAX_BYTES, &name) || (f = family_of(g, name)) == NULL)
        return;
    /* the first process that says it says it for all */
    if (span_find_span(buf_span(&f->head), type ? SPAN("# TYPE") : SPAN("# HELP")) == SPAN_NONE) {
        buf_put_span(&f->head, line);
        buf_putc(&f->head, '\n');
    }
}

static void take_line(struct gathering *g, const struct process *p, struct span line)
{
    struct span c = line, name, labels = SPAN_EMPTY;
    struct family *f;

    if (line.n == 0 || line.n > LINE_MAX_BYTES || !is_plain(line))
        return;
    if (line.p[0] == '#') {
        take_comment(g, line);
        return;
    }
    if (!parse_while(&c, is_name, 1, NAME_MAX_BYTES, &name) || ascii_is_digit(name.p[0]))
        return;
    if (parse_char(&c, '{')) {
        size_t end = span_rfind(c, '}');
        if (end == SPAN_NONE)
            return;
        labels = span_head(c, end);
        c = span_skip(c, end + 1);
    }
    /* process and instance are ours to say */
    if (c.n < 2 || c.p[0] != ' ' || span_find_span(labels, SPAN("process=")) != SPAN_NONE ||
        span_find_span(labels, SPAN("instance=")) != SPAN_NONE ||
        (f = family_of(g, stem(g, name))) == NULL)
        return;
    buf_printf(&f->lines, "%.*s{process=\"%s\",instance=\"%u\"%s%.*s}%.*s\n", SPAN_ARG(name),
               role_name(p->row->role), p->instance, labels.n ? "," : "", SPAN_ARG(labels),
               SPAN_ARG(c));
}

static void put_own(const struct supervisor *s, struct buf *out)
{
    static const struct {
        const char *name, *type;
    } own[] = {
        {"sealpost_process_up",                     "gauge"  },
        {"sealpost_process_restarts_total",         "counter"},
        {"sealpost_process_fibers",                 "gauge"  },
        {"sealpost_process_resident_max_bytes",     "gauge"  },
        {"sealpost_process_cpu_milliseconds_total", "counter"}
    };

    for (unsigned k = 0; k < sizeof own / sizeof *own; k++) {
        buf_printf(out, "# TYPE %s %s\n", own[k].name, own[k].type);
        for (unsigned i = 0; i < s->process_count; i++) {
            const struct process *p = &s->processes[i];
            const uint64_t v[] = {p->state == PROCESS_READY, p->generation ? p->generation - 1 : 0,
                                  p->alive.fibers, p->alive.resident_bytes, p->alive.cpu_ms};
            buf_printf(out, "%s{process=\"%s\",instance=\"%u\"} %llu\n", own[k].name,
                       role_name(p->row->role), p->instance, (unsigned long long)v[k]);
        }
    }
}

void metrics_text(struct supervisor *s, struct buf *out)
{
    struct gathering g = {.by_name = map_new()};

    put_own(s, out);
    for (unsigned i = 0; i < s->process_count; i++) {
        struct span text = buf_span(&s->processes[i].metrics), line;
        while (span_split(&text, '\n', &line))
            take_line(&g, &s->processes[i], line);
        take_line(&g, &s->processes[i], text);
    }
    for (unsigned i = 0; i < g.n; i++) {
        struct family *f = g.v[i];
        /* whole or not at all: half a family would be read as a whole one */
        if (f->lines.n > 0 && out->n + f->head.n + f->lines.n <= out->max) {
            buf_put_span(out, buf_span(&f->head));
            buf_put_span(out, buf_span(&f->lines));
        }
        buf_done(&f->head);
        buf_done(&f->lines);
        free(f);
    }
    map_free(g.by_name);
}
