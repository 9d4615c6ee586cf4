#include "base/parse.h"
#include "conf/rows.h"

#include <string.h>

static const struct {
    const char *unit, *name;
    uint64_t factor;
} factors[] = {
  /* of each unit the largest first */
    {"bytes", "TiB", (uint64_t)1 << 40},
    {"bytes", "GiB", 1 << 30          },
    {"bytes", "MiB", 1 << 20          },
    {"bytes", "KiB", 1 << 10          },
    {"bytes", "B",   1                },
    {"s",     "d",   86400            },
    {"s",     "h",   3600             },
    {"s",     "min", 60               },
    {"s",     "s",   1                },
};

bool number_parse(struct span s, const char *unit, uint64_t *ret)
{
    uint64_t v, factor = 1;

    if (!parse_u64(&s, UINT64_MAX, &v))
        return false;
    parse_blanks(&s);
    if (s.n) {
        factor = 0;
        for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
            if (strcmp(factors[i].unit, unit) == 0 && span_eq_cstr(s, factors[i].name))
                factor = factors[i].factor;
    }
    if (factor == 0 || v > UINT64_MAX / factor)
        return false;
    *ret = v * factor;
    return true;
}

void number_print(uint64_t v, const char *unit, struct buf *out)
{
    for (size_t i = 0; v && i < sizeof factors / sizeof *factors; i++) {
        if (strcmp(factors[i].unit, unit) != 0 || v % factors[i].factor || factors[i].factor == 1)
            continue;
        buf_put_u64(out, v / factors[i].factor);
        buf_printf(out, " %s", factors[i].name);
        return;
    }
    buf_put_u64(out, v);
}

static void print_amount(uint64_t v, const char *unit, struct buf *out)
{
    size_t start = out->n;

    number_print(v, unit, out);
    if (unit[0] && !span_has(span_skip(buf_span(out), start), ' '))
        buf_printf(out, " %s", unit);
}

void number_print_range(uint64_t min, uint64_t max, const char *unit, const char *between,
                        struct buf *out)
{
    /* a unit that does not change is said once */
    bool changes = strcmp(unit, "s") == 0 || strcmp(unit, "bytes") == 0;

    print_amount(min, changes ? unit : "", out);
    buf_put_cstr(out, between);
    print_amount(max, unit, out);
}

const char *number_help(const char *unit)
{
    if (strcmp(unit, "bytes") == 0)
        return "a number, or a text like \"64 KiB\" (B, KiB, MiB, GiB, TiB)";
    if (strcmp(unit, "s") == 0)
        return "a number of seconds, or a text like \"30 min\" (s, min, h, d)";
    return "a number";
}
