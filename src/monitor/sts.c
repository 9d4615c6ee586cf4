#include "monitor/sts.h"

/* ---- the record: sts-text-record = sts-version 1*(sts-field-delim sts-field) … ------------- */

static bool is_id(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]))
            return false;
    return s.n > 0 && s.n <= MTA_STS_ID_MAX;
}

bool sts_record_parse(struct span txt, char ret_id[MTA_STS_ID_MAX + 1], bool *ret_broken)
{
    struct span field = SPAN_EMPTY;
    bool found = false;

    *ret_broken = false;
    span_split(&txt, ';', &field);
    if (!span_eq_cstr(span_trim(field), "v=STSv1"))
        return false;
    while (span_split(&txt, ';', &field)) {
        field = span_trim(field);
        if (!span_starts(field, SPAN("id=")))
            continue;
        field = span_skip(field, 3);
        *ret_broken |= found || !is_id(field);
        found = span_to_cstr(field, ret_id, MTA_STS_ID_MAX + 1);
    }
    *ret_broken |= !found;
    return !*ret_broken;
}

/* ---- the policy -------------------------------------------------------------------------- */

static bool take_mode(struct span value, enum conf_mta_sts_mode *ret)
{
    for (unsigned i = MTA_STS_NONE; i <= MTA_STS_ENFORCE; i++)
        if (span_eq_cstr(value, conf_mta_sts_mode_name((enum conf_mta_sts_mode)i))) {
            *ret = (enum conf_mta_sts_mode)i;
            return true;
        }
    return false;
}

enum { HAS_VERSION = 1, HAS_MODE = 2, HAS_AGE = 4, HAS_ALL = 7 };

/* Of a field that stands there twice the first counts. */
static const char *take_field(struct span key, struct span value, struct sts_policy *p,
                              unsigned *have)
{
    uint64_t n;

    if (span_eq_cstr(key, "version") && !(*have & HAS_VERSION)) {
        *have |= HAS_VERSION;
        return span_eq_cstr(value, "STSv1") ? NULL : "its version is not STSv1";
    }
    if (span_eq_cstr(key, "mode") && !(*have & HAS_MODE)) {
        *have |= HAS_MODE;
        return take_mode(value, &p->mode) ? NULL : "its mode is none of none, testing, enforce";
    }
    if (span_eq_cstr(key, "max_age") && !(*have & HAS_AGE)) {
        *have |= HAS_AGE;
        if (!span_to_u64(value, 31557600, &n))
            return "its max_age is no number of seconds up to a year";
        p->max_age = (uint32_t)n;
        return NULL;
    }
    if (!span_eq_cstr(key, "mx"))
        return NULL; /* what is unknown counts for nothing */
    if (p->mx_count == STS_MX_MAX)
        return "it has more than 100 mx lines";
    p->mx[p->mx_count++] = value;
    return NULL;
}

const char *sts_policy_parse(struct span text, struct sts_policy *ret)
{
    struct sts_policy *p = ret;
    struct span line;
    unsigned have = 0;

    *p = (struct sts_policy){.mx_count = 0};
    while (span_split(&text, '\n', &line)) {
        size_t colon;
        const char *wrong;
        line = span_trim(line);
        if (line.n == 0)
            continue;
        if ((colon = span_find(line, ':')) == SPAN_NONE)
            return "a line of it has no colon";
        wrong = take_field(span_trim(span_head(line, colon)), span_trim(span_skip(line, colon + 1)),
                           p, &have);
        if (wrong != NULL)
            return wrong;
    }
    if (have != HAS_ALL)
        return "version, mode or max_age is missing in it";
    return p->mode != MTA_STS_NONE && p->mx_count == 0 ? "it names no mail server (mx)" : NULL;
}

bool sts_policy_names(const struct sts_policy *p, struct span host)
{
    for (unsigned i = 0; i < p->mx_count; i++)
        if (mta_sts_matches(p->mx[i], host))
            return true;
    return false;
}
