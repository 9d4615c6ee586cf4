/* life_time.c: when something is due, and what people are told of it. */
#include "base/date.h"
#include "base/json.h"
#include "pki/chain.h"
#include "pki/life_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* 0 … 999, the same after every start: virtual servers do not all renew at once, and the date that
 * was shown stays. A serial is hexadecimal and drawn at random. */
static unsigned spread(const char *serial)
{
    unsigned sum = 0;

    for (; *serial; serial++)
        sum = (sum * 31 + (unsigned char)*serial) % 1000003;
    return sum % 1000;
}

int64_t life_renew_at(const struct life *l)
{
    const struct identity_slot *s = &l->id.current;
    int64_t life = s->not_after - s->not_before;

    if (!identity_is_served(s))
        return 0;
    return s->not_before + life * 2 / 3 + life / 20 * spread(s->serial) / 1000;
}

/* Names that are wanted now and not in the certificate in use: the configuration has changed. */
static bool names_missing(const struct life *l)
{
    struct chain chain = CHAIN_NONE;
    bool missing = false;
    struct err e;

    if (chain_parse(identity_chain(&l->id.current), &chain, &e) < 0 || chain.n == 0)
        return true;
    for (uint32_t i = 0; i < l->want.names.n && !missing; i++)
        missing = !certificate_name_matches(chain.v[0], &l->want.names.v[i]);
    chain_done(&chain);
    return missing;
}

bool life_may_try(const struct life *l, int64_t now)
{
    /* a clock that went back does not make it wait longer */
    return l->retry_at <= now || l->retry_at - now > LIFE_RETRY_MOST;
}

const char *life_due(const struct life *l, int64_t now)
{
    if (!life_may_try(l, now))
        return NULL;
    if (l->unwritten || l->unshown)
        return "writing down what was done";
    if (l->id.next.state == IDENTITY_PENDING || (l->held && !l->revoked))
        return NULL;
    if (l->id.next.state != IDENTITY_NONE)
        return "going on with what was begun";
    if (!identity_is_served(&l->id.current))
        return l->id.off ? NULL : "no certificate";
    if (l->revoked && l->id.current.source != IDENTITY_EXTERNAL)
        return "revoked by its CA";
    if (l->id.current.source != IDENTITY_OWN_CA)
        return NULL; /* whoever chose that CA wants to stay with it: life_notice */
    if (now >= life_renew_at(l))
        return "renewal in time";
    if (now < l->id.current.not_before)
        return "not yet valid: the clock went back";
    return names_missing(l) ? "names changed" : NULL;
}

bool life_notice(const struct life *l, int64_t now, char ret[600])
{
    const struct identity_slot *s = &l->id.current;
    struct buf day BUF_AUTO = BUF(64);

    if (identity_is_served(s) && now < s->not_before) {
        date_print_iso(&day, s->not_before);
        snprintf(ret, 600, "not yet valid: it begins on %s; did the clock go back?",
                 buf_cstr(&day));
        return true;
    }
    /* one of an authority that is asked over the network is renewed by itself */
    if (!identity_is_served(s) || s->source == IDENTITY_OWN_CA ||
        (s->source == IDENTITY_EXTERNAL && s->origin[0]) || now < life_renew_at(l) ||
        l->id.pending.state == IDENTITY_PENDING)
        return false;
    date_print_iso(&day, s->not_after);
    snprintf(ret, 600,
             "it %s on %s and is not renewed by itself (%s); prepare a request with `sealpost cert "
             "renew %s`, or make one of the own CA with `sealpost cert issue %s`",
             now > s->not_after ? "expired" : "ends", buf_cstr(&day),
             identity_source_name(s->source), l->id.vserver, l->id.vserver);
    return true;
}

void life_json(const struct life *l, int64_t now, struct buf *out)
{
    char notice[600];

    identity_json(&l->id, now, out);
    if (out->overflow || out->n == 0)
        return;
    buf_truncate(out, out->n - 1); /* its closing brace */
    buf_printf(out, ",\"renew_at\":%" PRId64 ",\"shown\":%s,\"settling\":%s", life_renew_at(l),
               l->checked ? "true" : "false", l->swapping || l->unshown ? "true" : "false");
    if (!l->failure[0] && life_notice(l, now, notice)) {
        buf_put_cstr(out, ",\"failure\":");
        json_put_string(out, span_cstr(notice));
    }
    if (l->failure[0]) {
        buf_put_cstr(out, ",\"failure\":");
        json_put_string(out, span_cstr(l->failure));
        buf_printf(out, ",\"retry_at\":%" PRId64, l->retry_at);
    }
    buf_putc(out, '}');
}
