#include "manager/view.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/utf8.h"
#include "manager/table.h"
#include "manager/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 16, VALUE_MAX = 256 << 10, PATH_WORD_MAX = 64 };

const json_t *view_get(const json_t *object, const char *path)
{
    struct span rest = span_cstr(path), word;
    char key[PATH_WORD_MAX];

    while (object != NULL && span_split(&rest, '.', &word)) {
        CHECK(span_to_cstr(word, key, sizeof key));
        object = json_object_get(object, key);
    }
    return object;
}

const char *view_string(const json_t *object, const char *path)
{
    const char *s = json_string_value(view_get(object, path));

    return s != NULL ? s : "";
}

json_t *view_parse(struct span text, const char *whose, struct err *e)
{
    json_error_t why;
    json_t *v = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &why);

    if (v == NULL)
        err_set(e, -EBADMSG,
                "the answer of %s is no JSON (%s); are server and command line of the "
                "same version?",
                whose, why.text);
    return v;
}

json_t *view_text(const char *s)
{
    struct buf b BUF_AUTO = BUF(VALUE_MAX);

    utf8_scrub(&b, span_cstr(s));
    return json_stringn(b.p ? b.p : "", b.n);
}

/* ---- values ------------------------------------------------------------------------------ */

static void put_bytes(uint64_t n, struct buf *out)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned u = 0;
    double v = (double)n;

    while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
        v /= 1024;
        u++;
    }
    buf_printf(out, u == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

/* The two largest units. */
static void put_duration(int64_t s, struct buf *out)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {
        {86400, "d"  },
        {3600,  "h"  },
        {60,    "min"},
        {1,     "s"  }
    };

    int64_t days;

    if (s < 0)
        s = 0;
    days = s / 86400;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (s < units[i].seconds && i + 1 < ARRAY_LEN(units))
            continue;
        buf_printf(out, "%" PRId64 " %s", s / units[i].seconds, units[i].name);
        s %= units[i].seconds;
        if (i == 0 && days >= 10) /* nobody counts hours there */
            return;
        if (i + 1 < ARRAY_LEN(units) && s / units[i + 1].seconds > 0)
            buf_printf(out, " %" PRId64 " %s", s / units[i + 1].seconds, units[i + 1].name);
        return;
    }
}

static void put_until(int64_t at, int64_t now, struct buf *out)
{
    if (at == 0)
        return;
    if (at == now) {
        buf_put_cstr(out, "now");
    } else if (at > now) {
        buf_put_cstr(out, "in ");
        put_duration(at - now, out);
    } else {
        put_duration(now - at, out);
        buf_put_cstr(out, " ago");
    }
}

static void put_text(const json_t *v, struct buf *out)
{
    size_t i;
    json_t *one;

    if (json_is_string(v)) {
        buf_put(out, json_string_value(v), json_string_length(v));
    } else if (json_is_integer(v)) {
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    } else if (json_is_real(v)) {
        buf_printf(out, "%.2f", json_real_value(v));
    } else if (json_is_boolean(v)) {
        buf_put_cstr(out, json_is_true(v) ? "yes" : "no");
    } else if (json_is_array(v)) {
        json_array_foreach((json_t *)(uintptr_t)v, i, one)
        {
            if (i > 0)
                buf_put_cstr(out, ", ");
            if (!json_is_array(one)) /* one level: its depth is not ours to decide */
                put_text(one, out);
        }
    } else if (json_is_object(v)) {
        put_text(json_object_get(v, "address"), out);
    }
}

void view_value(const json_t *v, enum view_format format, int64_t now, struct buf *out)
{
    int64_t n = json_integer_value(v);

    switch (format) {
    case VIEW_BYTES:
        if (json_is_integer(v))
            put_bytes(n < 0 ? 0 : (uint64_t)n, out);
        break;
    case VIEW_TIME:
        if (json_is_integer(v) && n != 0)
            date_print_iso(out, n);
        break;
    case VIEW_DURATION:
        if (json_is_integer(v))
            put_duration(n, out);
        break;
    case VIEW_UNTIL:
        if (json_is_integer(v))
            put_until(n, now, out);
        break;
    case VIEW_YES:
        if (json_is_true(v))
            buf_put_cstr(out, "yes");
        break;
    case VIEW_COUNT:
        buf_printf(out, "%zu", json_array_size(v));
        break;
    case VIEW_TEXT:
    case VIEW_NUMBER:
        put_text(v, out);
        break;
    }
}

/* ---- tables ------------------------------------------------------------------------------ */

static bool is_number(enum view_format f)
{
    return f == VIEW_NUMBER || f == VIEW_BYTES || f == VIEW_COUNT;
}

static void put_cell(struct table *t, const json_t *object, const struct view *v, int64_t now)
{
    struct buf value BUF_AUTO = BUF(VALUE_MAX);

    view_value(view_get(object, v->path), v->format, now, &value);
    table_put(t, buf_span(&value));
}

/* Does any row have something to say in that column? */
static bool is_used(const json_t *array, const struct view *v, int64_t now)
{
    for (size_t r = 0; r < json_array_size(array); r++) {
        struct buf value BUF_AUTO = BUF(VALUE_MAX);
        view_value(view_get(json_array_get(array, r), v->path), v->format, now, &value);
        if (value.n > 0)
            return true;
    }
    return false;
}

/* Columns in which nobody has anything to say are left out: there is little room on a terminal. */
void view_table(struct call *c, const json_t *array, const struct view *columns, unsigned count)
{
    struct table_column heads[COLUMNS_MAX];
    const struct view *used[COLUMNS_MAX];
    int64_t now = clock_seconds();
    struct table *t;
    unsigned n = 0;

    CHECK(count <= COLUMNS_MAX);
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && !is_used(array, &columns[i], now))
            continue;
        heads[n] = (struct table_column){
            columns[i].title, columns[i].flags | (is_number(columns[i].format) ? COLUMN_RIGHT : 0)};
        used[n++] = &columns[i];
    }
    t = table_new(heads, n);
    for (size_t r = 0; r < json_array_size(array); r++)
        for (unsigned i = 0; i < n; i++)
            put_cell(t, json_array_get(array, r), used[i], now);
    table_print(t, c->columns, &c->out);
    table_free(t);
}

void view_fields(struct call *c, const json_t *object, const struct view *fields, unsigned count)
{
    static const struct table_column heads[] = {
        {"", COLUMN_WHOLE},
        {"", COLUMN_WRAP }
    };
    struct table *t = table_new(heads, ARRAY_LEN(heads));

    for (unsigned i = 0; i < count; i++) {
        struct buf value BUF_AUTO = BUF(VALUE_MAX);
        view_value(view_get(object, fields[i].path), fields[i].format, clock_seconds(), &value);
        if (value.n == 0)
            continue;
        table_put(t, span_cstr(fields[i].title));
        table_put(t, buf_span(&value));
    }
    table_print_fields(t, c->columns, &c->out);
    table_free(t);
}

void view_json(struct call *c, const json_t *v)
{
    /* a terminal gets no bytes but ASCII; programs get the text as it is */
    size_t flags = JSON_INDENT(2) | JSON_ENCODE_ANY | (c->columns > 0 ? JSON_ENSURE_ASCII : 0);
    char *text = json_dumps(v, flags);

    CHECK(text != NULL);
    buf_put_cstr(&c->out, text);
    buf_putc(&c->out, '\n');
    free(text);
}

int view_list(struct call *c, json_t *take_array, const struct view *columns, unsigned count,
              const char *none)
{
    if (has_option(c, OPT_JSON))
        view_json(c, take_array);
    else if (json_array_size(take_array) == 0)
        buf_printf(&c->out, "%s\n", none);
    else
        view_table(c, take_array, columns, count);
    json_decref(take_array);
    return 0;
}

int view_object(struct call *c, json_t *take_object, const struct view *fields, unsigned count)
{
    if (has_option(c, OPT_JSON))
        view_json(c, take_object);
    else
        view_fields(c, take_object, fields, count);
    json_decref(take_object);
    return 0;
}

int view_done(struct call *c, json_t *take_object, const char *fmt, ...)
{
    struct buf line BUF_AUTO = BUF(VALUE_MAX);
    va_list ap;

    if (has_option(c, OPT_JSON)) {
        json_t *v = take_object != NULL ? take_object : json_object();
        view_json(c, v);
        json_decref(v);
        return 0;
    }
    json_decref(take_object);
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    text_put_safe(&c->out, buf_span(&line), true);
    buf_putc(&c->out, '\n');
    return 0;
}
