#include "conf/mta_sts.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const modes[] = {"none", "testing", "enforce"};

const char *conf_mta_sts_mode_name(enum conf_mta_sts_mode m)
{
    return modes[m];
}

const struct conf_mta_sts *conf_mta_sts_of(const struct conf *c, struct span domain)
{
    for (uint32_t i = 0; i < c->mta_sts_count; i++)
        if (span_is(domain, c->mta_sts[i].domain))
            return &c->mta_sts[i];
    return NULL;
}

bool mta_sts_matches(struct span pattern, struct span host)
{
    size_t dot;

    if (!span_starts(pattern, SPAN("*.")))
        return span_eq_nocase(pattern, host);
    dot = span_find(host, '.');
    return dot != SPAN_NONE && dot > 0 &&
           span_eq_nocase(span_skip(pattern, 2), span_skip(host, dot + 1));
}

/* ---- the names -------------------------------------------------------------------------- */

typedef bool (*name_fn)(struct span pattern, void *arg); /* false: enough */

/* Names that a greeting and a certificate can have, not addresses. */
static void each_name(const struct conf *c, const struct conf_mta_sts *p, name_fn fn, void *arg)
{
    struct conf_network address;

    for (uint32_t i = 0; i < p->mx.n; i++)
        if (!fn(span_cstr(p->mx.v[i]), arg))
            return;
    for (uint32_t i = 0; p->mx.n == 0 && i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        if (!v->enabled || v->protocol != PROTOCOL_SMTP || v->smtp_kind != SMTP_MX)
            continue;
        for (uint32_t k = 0; k < v->names.n; k++)
            if (!conf_network_parse(span_cstr(v->names.v[k]), &address) &&
                !fn(span_cstr(v->names.v[k]), arg))
                return;
    }
}

struct search {
    struct span host;
    bool found;
};

static bool look(struct span pattern, void *arg)
{
    struct search *s = arg;

    s->found = mta_sts_matches(pattern, s->host);
    return !s->found;
}

bool conf_mta_sts_names(const struct conf *c, const struct conf_mta_sts *p, struct span host)
{
    struct search s = {.host = host};

    each_name(c, p, look, &s);
    return s.found;
}

/* ---- the text --------------------------------------------------------------------------- */

/* Two virtual servers may have the same name. */
static bool put_mx(struct span pattern, void *arg)
{
    struct buf *out = arg, line BUF_AUTO = BUF(300);

    buf_printf(&line, "mx: %.*s\r\n", SPAN_ARG(pattern));
    return span_find_span(buf_span(out), buf_span(&line)) != SPAN_NONE ||
           buf_put_span(out, buf_span(&line));
}

void conf_mta_sts_print(const struct conf *c, const struct conf_mta_sts *p, struct buf *out)
{
    buf_printf(out, "version: STSv1\r\nmode: %s\r\n", modes[p->mode]);
    if (p->mode != MTA_STS_NONE)
        each_name(c, p, put_mx, out);
    buf_printf(out, "max_age: %" PRIu32 "\r\n", p->max_age);
}

void conf_mta_sts_id(struct span policy, char ret[MTA_STS_ID_MAX + 1])
{
    static const struct hash_key same_everywhere;

    snprintf(ret, MTA_STS_ID_MAX + 1, "%016" PRIx64, hash_siphash13(same_everywhere, policy));
}
