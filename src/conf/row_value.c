#include "conf/rows.h"

#include "base/check.h"
#include "base/log.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>

enum { ELEMENT_MAX = 320, DURATIONS_MAX = 32 };

/* ---- what a value may be ---- */

static bool out_of_range(const struct row *row, struct span got, struct err *why)
{
    BUF_AUTO struct buf range = BUF(100);

    number_print_range(row->min, row->max, row->unit, " and ", &range);
    err_set(why, -ERANGE, "'%s' is %.*s. It must lie between %s", row->name, SPAN_ARG(got),
            buf_cstr(&range));
    return false;
}

/* One text of a STRING or STRINGS row. */
static bool text_ok(const struct row *row, struct span s, struct err *why)
{
    bool list = row->type == ROW_STRINGS;
    uint64_t min = list ? 1 : row->min, max = list ? ELEMENT_MAX : row->max;

    if (s.n < min) {
        err_set(why, -EINVAL, "'%s' is empty. Write a value%s", row->name,
                list ? " or leave the element out" : "");
        return false;
    }
    if (s.n > max) {
        err_set(why, -EINVAL, "'%s' is %zu bytes long. At most %" PRIu64 " are allowed: shorten it",
                row->name, s.n, max);
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            err_set(why, -EINVAL, "'%s' holds a control character. Remove it", row->name);
            return false;
        }
    }
    if (!utf8_valid(s)) {
        err_set(why, -EINVAL, "'%s' is not UTF-8. Save the file in UTF-8", row->name);
        return false;
    }
    const char *wrong = s.n ? row->check(s) : NULL;
    if (wrong)
        err_set(why, -EINVAL, "'%s': %s %s", row->name, log_quote(s), wrong);
    return !wrong;
}

static bool number_ok(const struct row *row, uint64_t v, struct err *why)
{
    if (v >= row->min && v <= row->max)
        return true;

    BUF_AUTO struct buf got = BUF(40);
    number_print(v, row->unit, &got);
    return out_of_range(row, buf_span(&got), why);
}

static bool count_ok(const struct row *row, size_t n, struct err *why)
{
    uint64_t min = row->type == ROW_DURATIONS ? 1 : row->min;
    uint64_t max = row->type == ROW_DURATIONS ? DURATIONS_MAX : row->max;

    if (n >= min && n <= max)
        return true;
    err_set(why, -ERANGE, "'%s' has %zu elements. Write between %" PRIu64 " and %" PRIu64,
            row->name, n, min, max);
    return false;
}

/* ---- from text ---- */

static bool too_large(const struct row *row, struct err *why)
{
    err_set(why, -E2BIG, "'%s' does not fit into memory for the configuration. Shorten the file",
            row->name);
    return false;
}

static bool set_string(const struct row *row, const char **field, struct arena *a, struct span s,
                       struct err *why)
{
    if (!text_ok(row, s, why))
        return false;
    const char *copy = arena_dup(a, s);
    if (!copy)
        return too_large(row, why);
    *field = copy;
    return true;
}

static bool parse_number(const struct row *row, struct span s, uint64_t *ret, struct err *why)
{
    uint64_t v;

    if (s.n > 1 && s.n < 24 && s.p[0] == '-' && span_to_u64(span_skip(s, 1), UINT64_MAX, &v))
        return out_of_range(row, s, why);
    if (!number_parse(s, row->unit, &v)) {
        err_set(why, -EINVAL, "'%s': %s is not a number for it. Write %s", row->name, log_quote(s),
                number_help(row->unit));
        return false;
    }
    if (!number_ok(row, v, why))
        return false;
    *ret = v;
    return true;
}

static bool set_number(const struct row *row, void *field, struct span s, struct err *why)
{
    uint64_t v;

    if (!parse_number(row, s, &v, why))
        return false;
    if (row->type == ROW_U16)
        *(uint16_t *)field = (uint16_t)v;
    else if (row->type == ROW_U32)
        *(uint32_t *)field = (uint32_t)v;
    else
        *(uint64_t *)field = v;
    return true;
}

static bool set_choice(const struct row *row, uint8_t *field, struct span s, struct err *why)
{
    BUF_AUTO struct buf all = BUF(200);

    for (uint8_t i = 0; row->names[i]; i++) {
        if (span_eq_cstr(s, row->names[i])) {
            *field = i;
            return true;
        }
        buf_printf(&all, "%s\"%s\"",
                   i == 0              ? ""
                   : row->names[i + 1] ? ", "
                                       : " or ",
                   row->names[i]);
    }
    err_set(why, -EINVAL, "'%s': %s is not one of its values. Write %s", row->name, log_quote(s),
            buf_cstr(&all));
    return false;
}

static bool set_strings(const struct row *row, struct conf_strings *field, struct arena *a,
                        const struct span *texts, size_t n, struct err *why)
{
    struct conf_strings v = {NULL, (uint32_t)n};

    if (!count_ok(row, n, why))
        return false;
    if (n && !(v.v = ARENA_ARRAY(a, const char *, n)))
        return too_large(row, why);
    for (size_t i = 0; i < n; i++) {
        if (row->type == ROW_STRINGS) {
            if (!set_string(row, &v.v[i], a, texts[i], why))
                return false;
        } else {
            uint64_t seconds;
            if (!parse_number(row, texts[i], &seconds, why))
                return false;
            if (!(v.v[i] = arena_printf(a, "%" PRIu64, seconds)))
                return too_large(row, why);
        }
    }
    *field = v;
    return true;
}

static bool set_networks(const struct row *row, struct conf_networks *field, struct arena *a,
                         const struct span *texts, size_t n, struct err *why)
{
    struct conf_networks v = {NULL, (uint32_t)n};

    if (!count_ok(row, n, why))
        return false;
    if (n && !(v.v = ARENA_ARRAY(a, struct conf_network, n)))
        return too_large(row, why);
    for (size_t i = 0; i < n; i++) {
        if (!conf_network_parse(texts[i], &v.v[i])) {
            err_set(why, -EINVAL,
                    "'%s': %s is not an address or network. Write it as in \"192.0.2.1\", "
                    "\"10.0.0.0/8\" or \"2001:db8::/32\"",
                    row->name, log_quote(texts[i]));
            return false;
        }
    }
    *field = v;
    return true;
}

bool row_set(const struct row *row, void *base, struct arena *a, const struct span *texts, size_t n,
             struct err *why)
{
    void *field = row_field(row, base);

    switch (row->type) {
    case ROW_STRINGS:
    case ROW_DURATIONS:
        return set_strings(row, field, a, texts, n, why);
    case ROW_NETWORKS:
        return set_networks(row, field, a, texts, n, why);
    default:
        break;
    }

    CHECK(n == 1);
    switch (row->type) {
    case ROW_STRING:
        return set_string(row, field, a, texts[0], why);
    case ROW_BOOL:
        CHECK(span_eq(texts[0], SPAN("true")) || span_eq(texts[0], SPAN("false")));
        *(bool *)field = span_eq(texts[0], SPAN("true"));
        return true;
    case ROW_CHOICE:
        return set_choice(row, field, texts[0], why);
    default:
        CHECK(row->type == ROW_U16 || row->type == ROW_U32 || row->type == ROW_U64);
        return set_number(row, field, texts[0], why);
    }
}

void row_set_default(const struct row *row, void *base, struct arena *a, const char *def)
{
    struct span texts[DURATIONS_MAX] = {span_cstr(def)}, rest = texts[0];
    bool list = row->type == ROW_STRINGS || row->type == ROW_DURATIONS || row->type == ROW_NETWORKS;
    size_t n = list ? 0 : 1;
    struct err why;

    while (list && n < ARRAY_LEN(texts) && span_split(&rest, ',', &texts[n]))
        n++;
    CHECK(row_set(row, base, a, texts, n, &why));
}

/* ---- as it is ---- */

static bool strings_valid(const struct row *row, const struct conf_strings *v)
{
    struct err why;

    if (!count_ok(row, v->n, &why))
        return false;
    for (uint32_t i = 0; i < v->n; i++) {
        struct span s = span_cstr(v->v[i]);
        uint64_t seconds;
        bool ok = row->type == ROW_STRINGS
                      ? text_ok(row, s, &why)
                      : span_to_u64(s, row->max, &seconds) && seconds >= row->min;
        if (!ok)
            return false;
    }
    return true;
}

static bool networks_valid(const struct row *row, const struct conf_networks *v)
{
    struct err why;

    if (!count_ok(row, v->n, &why))
        return false;
    for (uint32_t i = 0; i < v->n; i++) {
        BUF_AUTO struct buf text = BUF(64);
        struct conf_network back;

        /* nothing behind the prefix, or two spellings of one network would differ */
        if (v->v[i].bits > 128 || !conf_network_print(&v->v[i], &text) ||
            !conf_network_parse(buf_span(&text), &back) ||
            memcmp(&back.address, &v->v[i].address, sizeof back.address) != 0)
            return false;
    }
    return true;
}

bool row_valid(const struct row *row, const void *base)
{
    const void *field = row_field_const(row, base);
    struct err why;

    switch (row->type) {
    case ROW_STRING:
        return text_ok(row, span_cstr(*(const char *const *)field), &why);
    case ROW_U16:
        return number_ok(row, *(const uint16_t *)field, &why);
    case ROW_U32:
        return number_ok(row, *(const uint32_t *)field, &why);
    case ROW_U64:
        return number_ok(row, *(const uint64_t *)field, &why);
    case ROW_CHOICE:
        return *(const uint8_t *)field <= row->max;
    case ROW_STRINGS:
    case ROW_DURATIONS:
        return strings_valid(row, field);
    case ROW_NETWORKS:
        return networks_valid(row, field);
    default:
        return true;
    }
}

/* ---- to text ---- */

static void print_string(const char *s, struct buf *out)
{
    buf_putc(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *s);
    }
    buf_putc(out, '"');
}

static void print_number(uint64_t v, const char *unit, struct buf *out)
{
    BUF_AUTO struct buf text = BUF(40);

    number_print(v, unit, &text);
    if (!span_has(buf_span(&text), ' '))
        buf_put_span(out, buf_span(&text));
    else
        print_string(buf_cstr(&text), out);
}

static void print_element(const struct row *row, const void *field, uint32_t i, struct buf *out)
{
    if (row->type == ROW_NETWORKS) {
        const struct conf_networks *v = field;
        buf_putc(out, '"');
        conf_network_print(&v->v[i], out);
        buf_putc(out, '"');
        return;
    }

    const struct conf_strings *v = field;
    if (row->type == ROW_STRINGS) {
        print_string(v->v[i], out);
        return;
    }
    /* texts throughout: an array of the file holds values of one type */
    BUF_AUTO struct buf text = BUF(40);
    uint64_t seconds = 0;
    span_to_u64(span_cstr(v->v[i]), UINT64_MAX, &seconds);
    number_print(seconds, row->unit, &text);
    if (!span_has(buf_span(&text), ' '))
        buf_printf(&text, " %s", row->unit);
    print_string(buf_cstr(&text), out);
}

static void print_elements(const struct row *row, const void *field, struct buf *out)
{
    uint32_t n = row->type == ROW_NETWORKS ? ((const struct conf_networks *)field)->n
                                           : ((const struct conf_strings *)field)->n;

    buf_putc(out, '[');
    for (uint32_t i = 0; i < n; i++) {
        buf_put_cstr(out, i ? ", " : "");
        print_element(row, field, i, out);
    }
    buf_putc(out, ']');
}

void row_print(const struct row *row, const void *base, struct buf *out)
{
    const void *field = row_field_const(row, base);

    switch (row->type) {
    case ROW_STRING:
        print_string(*(const char *const *)field, out);
        break;
    case ROW_BOOL:
        buf_put_cstr(out, *(const bool *)field ? "true" : "false");
        break;
    case ROW_CHOICE:
        print_string(row->names[*(const uint8_t *)field], out);
        break;
    case ROW_U16:
        print_number(*(const uint16_t *)field, row->unit, out);
        break;
    case ROW_U32:
        print_number(*(const uint32_t *)field, row->unit, out);
        break;
    case ROW_U64:
        print_number(*(const uint64_t *)field, row->unit, out);
        break;
    default:
        print_elements(row, field, out);
        break;
    }
}
