#include "acme/json.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"

#include <errno.h>

/* jansson recurses; its own limit is far above what our stacks are made for */
static bool too_deep(struct span s)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if ((c == '{' || c == '[') && ++depth > ACME_JSON_DEPTH) {
            return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

int acme_json_read(struct span text, json_t **ret, struct err *e)
{
    json_error_t where;
    json_t *j;

    if (text.n > ACME_JSON_MAX)
        return err_set(e, -EMSGSIZE, "a JSON document of %zu bytes, more than %d", text.n,
                       ACME_JSON_MAX);
    if (too_deep(text))
        return err_set(e, -EBADMSG, "a JSON document deeper than %d", ACME_JSON_DEPTH);
    j = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &where);
    if (!j)
        return err_set(e, -EBADMSG, "no JSON document (line %d: %s)", where.line,
                       log_quote(span_cstr(where.text)));
    if (!json_is_object(j)) {
        json_decref(j);
        return err_set(e, -EBADMSG, "a JSON document that is no object");
    }
    *ret = j;
    return 0;
}

struct span acme_json_span(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);

    return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v)) : SPAN_EMPTY;
}

bool acme_json_text(const json_t *object, const char *name, char *dst, size_t size)
{
    struct span s = acme_json_span(object, name);

    dst[0] = '\0';
    return s.p != NULL && span_to_cstr(s, dst, size);
}

bool acme_json_number(const json_t *object, const char *name, uint64_t max, uint64_t *ret)
{
    const json_t *v = json_object_get(object, name);
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;

    if (n < 0 || (uint64_t)n > max)
        return false;
    *ret = (uint64_t)n;
    return true;
}

const json_t *acme_json_object(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_object(v) ? v : NULL;
}

const json_t *acme_json_array(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_array(v) ? v : NULL;
}

void acme_json_put(struct buf *b, const char *name, struct span value)
{
    if (b->n > 0 && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
        buf_putc(b, ',');
    json_put_string(b, span_cstr(name));
    buf_putc(b, ':');
    json_put_string(b, value);
}

/* --- RFC 3339 section 5.6 */

static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    unsigned doy, yoe, doe;
    int64_t era;

    y -= m <= 2;
    era = y / 400;
    yoe = (unsigned)(y - era * 400);
    doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static bool is_digit(unsigned char c)
{
    return ascii_is_digit((char)c);
}

/* ("+" / "-") hh ":" mm, or Z */
static bool parse_zone(struct span *c, int64_t *ret_seconds)
{
    unsigned h, m;
    bool west = c->n > 0 && c->p[0] == '-';

    *ret_seconds = 0;
    if (parse_lit_nocase(c, "Z"))
        return true;
    if (!parse_char(c, west ? '-' : '+') || !parse_fixed_digits(c, 2, &h) || !parse_char(c, ':') ||
        !parse_fixed_digits(c, 2, &m) || h > 23 || m > 59)
        return false;
    *ret_seconds = ((int64_t)h * 3600 + (int64_t)m * 60) * (west ? -1 : 1);
    return true;
}

bool acme_json_time(struct span s, int64_t *ret)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned y, mo, d, h, mi, se;
    struct span fraction;
    int64_t zone;

    if (!parse_fixed_digits(&s, 4, &y) || !parse_char(&s, '-') || !parse_fixed_digits(&s, 2, &mo) ||
        !parse_char(&s, '-') || !parse_fixed_digits(&s, 2, &d) || !parse_lit_nocase(&s, "T") ||
        !parse_fixed_digits(&s, 2, &h) || !parse_char(&s, ':') || !parse_fixed_digits(&s, 2, &mi) ||
        !parse_char(&s, ':') || !parse_fixed_digits(&s, 2, &se))
        return false;
    if (parse_char(&s, '.') && !parse_while(&s, is_digit, 1, 12, &fraction))
        return false;
    if (!parse_zone(&s, &zone) || !parse_end(&s))
        return false;
    if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > days[mo - 1] || h > 23 || mi > 59 || se > 60)
        return false;
    *ret = days_from_civil(y, mo, d) * 86400 + (int64_t)h * 3600 + (int64_t)mi * 60 + se - zone;
    return true;
}
