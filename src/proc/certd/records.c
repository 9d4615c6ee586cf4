#include "proc/certd/records.h"
#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "pki/certificate.h"
#include "proc/certd/certd.h"

#include <errno.h>
#include <stdlib.h>

static const char magic[] = "sealpost tlsa 1\n";

void records_done(struct records *r)
{
    free(r->v);
    *r = (struct records){NULL, 0, false};
}

struct record *records_find(const struct records *r, const char *owner, const struct dns_tlsa *t)
{
    for (unsigned i = 0; i < r->n; i++)
        if (strcmp(r->v[i].owner, owner) == 0 && dane_same(&r->v[i].tlsa, t))
            return &r->v[i];
    return NULL;
}

void records_add(struct records *r, const struct record *one)
{
    if (r->n == RECORDS_MAX) {
        r->cut = true;
        return;
    }
    if (!r->v)
        r->v = calloc(RECORDS_MAX, sizeof(*r->v));
    CHECK(r->v);
    r->v[r->n++] = *one;
}

void records_drop(struct records *r, struct record *one)
{
    *one = r->v[--r->n];
}

/* --- which there should be */

static void add_record(struct records *r, const char *owner, const struct dns_tlsa *t, bool next)
{
    struct record one = {.tlsa = *t}, *had = records_find(r, owner, t);

    if (!had) {
        memcpy(one.owner, owner, sizeof(one.owner));
        records_add(r, &one);
        had = records_find(r, owner, t);
    }
    if (had && next)
        had->next = true;
    else if (had)
        had->current = true;
}

static void add_slot(struct records *r, const char *owner, const struct identity_slot *s, bool next,
                     bool ca)
{
    struct chain c = CHAIN_NONE;
    struct err e;

    if (s->chain_bytes == 0 || chain_parse(identity_chain(s), &c, &e) < 0)
        return;
    for (size_t i = 0; i < (ca ? c.n : c.n ? 1 : 0); i++) {
        struct buf spki BUF_AUTO = BUF(4096);
        struct dns_tlsa t;
        if (!certificate_spki(c.v[i], &spki))
            continue;
        t = dane_record(i ? DANE_TA : DANE_EE, buf_span(&spki));
        add_record(r, owner, &t, next);
    }
    chain_done(&c);
}

static bool port_before(const struct conf_vserver *v, uint32_t endpoint)
{
    for (uint32_t i = 0; i < endpoint; i++)
        if (v->endpoints[i].port == v->endpoints[endpoint].port &&
            v->endpoints[i].policy != POLICY_PUBLIC_HTTP)
            return true;
    return false;
}

void records_of(const struct conf *c, const struct conf_vserver *v, const struct identity *id,
                bool ca, struct records *ret)
{
    struct cert_names names = CERT_NAMES_EMPTY;

    names_public(c, v, &names);
    for (uint32_t n = 0; n < names.n; n++)
        for (uint32_t i = 0; i < v->endpoint_count; i++) {
            char owner[DANE_OWNER_MAX + 1];
            if (names.v[n].type != CERT_NAME_DNS || names.v[n].text[0] == '*' ||
                v->endpoints[i].policy == POLICY_PUBLIC_HTTP || port_before(v, i) ||
                !dane_owner(v->endpoints[i].port, names.v[n].text, owner))
                continue;
            if (identity_is_served(&id->current))
                add_slot(ret, owner, &id->current, false, ca);
            if (id->next.state == IDENTITY_STAGED)
                add_slot(ret, owner, &id->next, true, ca);
        }
    cert_names_done(&names);
    if (ret->cut)
        log_warn("DANE of %s: it has more than %d TLSA records; the rest is left out", v->name,
                 RECORDS_MAX);
}

/* --- the file */

bool records_write(const struct records *r, struct buf *out)
{
    buf_put_cstr(out, magic);
    wr_u16(out, (uint16_t)r->n);
    for (unsigned i = 0; i < r->n; i++) {
        const struct dns_tlsa *t = &r->v[i].tlsa;
        wr_cstr(out, r->v[i].owner);
        wr_u8(out, t->usage);
        wr_u8(out, t->selector);
        wr_u8(out, t->matching);
        wr_span(out, span_of(t->data, t->bytes));
    }
    return !out->overflow;
}

static void rd_record(struct rd *r, struct record *one)
{
    struct span data;

    rd_cstr(r, one->owner, sizeof(one->owner));
    one->tlsa.usage = rd_u8(r);
    one->tlsa.selector = rd_u8(r);
    one->tlsa.matching = rd_u8(r);
    data = rd_span(r, sizeof(one->tlsa.data));
    if (data.n)
        memcpy(one->tlsa.data, data.p, data.n);
    one->tlsa.bytes = data.n;
}

int records_read(struct span bytes, struct records *ret)
{
    struct records all = {NULL, 0, false};
    unsigned count;
    struct rd r;

    if (!span_starts(bytes, SPAN("sealpost tlsa 1\n")))
        return -EBADMSG;
    r = rd_of(span_skip(bytes, sizeof(magic) - 1));
    count = rd_u16(&r);
    for (unsigned i = 0; i < count && !r.bad; i++) {
        struct record one = {.owner = ""};
        rd_record(&r, &one);
        records_add(&all, &one);
    }
    if (!rd_done(&r) || all.cut) {
        records_done(&all);
        return -EBADMSG;
    }
    for (unsigned i = 0; i < all.n; i++)
        records_add(ret, &all.v[i]);
    records_done(&all);
    return 0;
}
