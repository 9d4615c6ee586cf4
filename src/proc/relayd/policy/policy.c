#include "proc/relayd/policy/policy.h"

#include "base/check.h"
#include "base/parse.h"

#include <unicode/uidna.h>

enum { SECONDS_AN_HOUR = 3600, SECONDS_A_DAY = 86400, PAUSE_SECONDS = 900 };

/* ------------------------------------------------------------------ grouping */
static struct span domain_of(struct span address)
{
    size_t at = span_rfind(address, '@');
    return at == SPAN_NONE ? SPAN_EMPTY : span_skip(address, at + 1);
}

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 128)
            return false;
    return true;
}

/* RFC 6531 section 3.7.1: in the address as it was written, in DNS as ASCII. */
static void international_name(struct policy_group *g, struct span domain)
{
    UErrorCode status = U_ZERO_ERROR;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UIDNA *idna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_USE_STD3_RULES, &status);

    if (U_FAILURE(status))
        return;
    int32_t n = uidna_nameToASCII_UTF8(idna, domain.p, (int32_t)domain.n, g->domain,
                                       sizeof(g->domain) - 1, &info, &status);
    uidna_close(idna);
    g->domain[U_SUCCESS(status) && !info.errors && n >= 0 ? n : 0] = 0;
}

static void group_name(struct policy_group *g, struct span domain)
{
    if (!is_ascii(domain)) {
        international_name(g, domain);
        return;
    }
    if (!span_to_cstr(domain, g->domain, sizeof(g->domain)))
        g->domain[0] = 0;
    for (char *p = g->domain; *p; p++)
        *p = ascii_lower(*p);
}

size_t policy_groups(const struct queue_item *item, struct arena *a, struct policy_group **ret)
{
    size_t n = item->count, count = 0;
    struct policy_group *groups = ARENA_ARRAY(a, struct policy_group, n + 1);
    bool *done = ARENA_ARRAY(a, bool, n + 1);
    size_t *members = ARENA_ARRAY(a, size_t, n + 1), used = 0;

    CHECK(groups && done && members);
    for (size_t i = 0; i < n; i++) {
        struct span domain = domain_of(item->recipients[i].address);
        struct policy_group *g = &groups[count];
        if (done[i] || item->recipients[i].delivered)
            continue;
        group_name(g, domain);
        g->members = members + used;
        for (size_t k = i; k < n; k++) {
            const struct queue_recipient *q = &item->recipients[k];
            if (done[k] || q->delivered || !span_eq_nocase(domain_of(q->address), domain))
                continue;
            done[k] = true;
            g->members[g->count++] = k;
        }
        used += g->count;
        count++;
    }
    *ret = groups;
    return count;
}

/* ------------------------------------------------------------------ when */
int64_t policy_pause_seconds(const struct conf *c, uint32_t tries)
{
    uint64_t seconds = PAUSE_SECONDS;
    if (c->retry.n)
        span_to_u64(span_cstr(c->retry.v[tries < c->retry.n ? tries : c->retry.n - 1]),
                    UINT64_C(7) * SECONDS_A_DAY, &seconds);
    return seconds ? (int64_t)seconds : 1;
}

bool policy_expired(const struct conf *c, const struct queue_item *item, int64_t now)
{
    return now - item->queued_seconds > (int64_t)c->queue_days * SECONDS_A_DAY;
}

/* ------------------------------------------------------------------ reports */
enum report_kind policy_report(const struct conf *c, const struct queue_item *item,
                               const struct relay_verdict *v, int64_t now)
{
    uint8_t notify = v->recipient->notify;
    int64_t patience = (int64_t)c->delay_notice_hours * SECONDS_AN_HOUR;

    if (notify == NOTIFY_NEVER)
        return REPORT_NONE;
    if (v->recipient->delivered)
        return notify & NOTIFY_SUCCESS ? REPORT_DELIVERED : REPORT_NONE;
    if (v->expired || v->result.outcome == QUEUE_FAILED)
        return !notify || notify & NOTIFY_FAILURE ? REPORT_FAILED : REPORT_NONE;
    if (v->result.outcome == QUEUE_DELIVERED)
        return notify & NOTIFY_SUCCESS && !v->result.dsn ? REPORT_RELAYED : REPORT_NONE;
    if (v->delay_notified || !patience || now - item->queued_seconds < patience)
        return REPORT_NONE;
    return !notify || notify & NOTIFY_DELAY ? REPORT_DELAYED : REPORT_NONE;
}

/* status-code = class "." 1*3digit "." 1*3digit */
static bool parse_status(struct span *c, struct span *ret)
{
    struct span s = *c, from = s;
    unsigned class;
    uint64_t subject, detail;

    if (!parse_fixed_digits(&s, 1, &class) || (class != 2 && class != 4 && class != 5) ||
        !parse_char(&s, '.') || !parse_u64(&s, 999, &subject) || !parse_char(&s, '.') ||
        !parse_u64(&s, 999, &detail) || (s.n && s.p[0] != ' '))
        return false;
    *ret = span_head(from, from.n - s.n);
    *c = s;
    return true;
}

struct span policy_status(struct arena *a, const struct relay_verdict *v, enum report_kind k)
{
    static const char *const plain[REPORT_KINDS] = {
        [REPORT_NONE] = "4.0.0",    [REPORT_FAILED] = "5.0.0",    [REPORT_DELAYED] = "4.0.0",
        [REPORT_RELAYED] = "2.0.0", [REPORT_DELIVERED] = "2.1.5",
    };
    struct span text = span_cstr(v->result.text), status;
    unsigned code;

    if (v->expired)
        return SPAN("5.4.7");
    if (k == REPORT_DELIVERED || !parse_fixed_digits(&text, 3, &code) ||
        (!parse_char(&text, ' ') && !parse_char(&text, '-')) || !parse_status(&text, &status))
        return k == REPORT_DELAYED && !v->result.replied ? SPAN("4.4.1") : span_cstr(plain[k]);
    char *own = arena_dup(a, status);
    own[0] = plain[k][0];
    return span_cstr(own);
}
