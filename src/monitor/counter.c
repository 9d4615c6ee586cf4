#include "monitor/counter.h"

/* label="value" behind '{' or ','; values of ours hold no quotation mark and no comma. */
static bool find_vserver(struct span labels, struct span *ret)
{
    struct span one;

    while (span_split(&labels, ',', &one))
        if (span_starts(one, SPAN("vserver=\"")) && one.n > 9 && one.p[one.n - 1] == '"') {
            *ret = span_sub(one, 9, one.n - 10);
            return ret->n > 0;
        }
    return false;
}

/* "12", and what a gauge may look like: "12.00". */
static bool find_value(struct span s, uint64_t *ret)
{
    struct span whole;

    while (s.n > 0 && s.p[0] == ' ')
        s = span_skip(s, 1);
    return span_split(&s, '.', &whole) && span_to_u64(whole, UINT64_MAX, ret);
}

void counter_each(struct span text, const char *name, counter_fn fn, void *arg)
{
    struct span line, vserver, want = span_cstr(name);
    uint64_t value;

    while (span_split(&text, '\n', &line)) {
        size_t end;
        line = span_chomp(line);
        if (!span_starts(line, want) || line.n <= want.n || line.p[want.n] != '{')
            continue;
        line = span_skip(line, want.n + 1);
        end = span_find(line, '}');
        if (end != SPAN_NONE && find_vserver(span_head(line, end), &vserver) &&
            find_value(span_skip(line, end + 1), &value))
            fn(arg, vserver, value);
    }
}
