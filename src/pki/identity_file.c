/* An identity as bytes, and as JSON. */
#include "base/check.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/utf8.h"
#include "pki/identity.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define MAGIC "sealpost identity 3\n"
#define MAGIC_2 "sealpost identity 2\n"
#define MAGIC_1 "sealpost identity 1\n"
enum { SUM_BYTES = 32, ROOTS_TEXT_MAX = 24 * 1024 };

/* --- writing */

static void wr_slot(struct buf *b, const struct identity_slot *s)
{
    wr_u8(b, (uint8_t)s->state);
    wr_i64(b, s->since);
    wr_cstr(b, s->key_id);
    wr_cstr(b, s->key_type);
    wr_cstr(b, s->serial);
    wr_i64(b, s->not_before);
    wr_i64(b, s->not_after);
    wr_span(b, identity_chain(s));
    wr_u8(b, (uint8_t)s->source);
    wr_cstr(b, s->name);
    wr_cstr(b, s->origin);
    wr_span(b, identity_roots(s));
    wr_span(b, identity_request(s));
}

static void wr_event(struct buf *b, const struct identity_event *e)
{
    wr_i64(b, e->time);
    wr_u8(b, e->slot);
    wr_u8(b, e->from);
    wr_u8(b, e->to);
    wr_cstr(b, e->serial);
    wr_cstr(b, e->note);
}

static void checksum(struct span s, unsigned char ret[SUM_BYTES])
{
    unsigned n = 0;
    CHECK(EVP_Digest(s.p, s.n, ret, &n, EVP_sha256(), NULL) == 1 && n == SUM_BYTES);
}

bool identity_write(const struct identity *id, struct buf *out)
{
    unsigned char sum[SUM_BYTES];
    size_t start = out->n;

    buf_put_cstr(out, MAGIC);
    wr_cstr(out, id->vserver);
    wr_bool(out, id->off);
    wr_bool(out, id->unproved);
    wr_slot(out, &id->current);
    wr_slot(out, &id->next);
    wr_slot(out, &id->pending);
    wr_u8(out, (uint8_t)id->retired_count);
    for (unsigned i = 0; i < id->retired_count; i++)
        wr_slot(out, &id->retired[i]);
    wr_u16(out, (uint16_t)id->event_count);
    for (unsigned i = 0; i < id->event_count; i++)
        wr_event(out, &id->events[i]);
    checksum(span_skip(buf_span(out), start), sum);
    return buf_put(out, sum, sizeof(sum));
}

/* --- reading */

/* Has the slot what its state promises? */
static bool slot_whole(const struct identity_slot *s)
{
    bool keyed = s->state != IDENTITY_NONE;
    bool certified = s->state >= IDENTITY_ISSUED;

    return (s->key_id[0] != '\0') == keyed && (s->chain_bytes > 0) == certified &&
           (s->serial[0] != '\0') == certified &&
           (s->state != IDENTITY_PENDING || s->request_bytes > 0);
}

static void take(struct span s, unsigned char **ret, size_t *ret_bytes)
{
    if (s.n == 0)
        return;
    *ret = (unsigned char *)span_dup(s);
    *ret_bytes = s.n;
}

static void rd_source(struct rd *r, struct identity_slot *s)
{
    unsigned source = rd_u8(r);

    rd_cstr(r, s->name, sizeof(s->name));
    rd_cstr(r, s->origin, sizeof(s->origin));
    take(rd_span(r, CERTIFICATE_CHAIN_BYTES), &s->roots, &s->roots_bytes);
    take(rd_span(r, IDENTITY_REQUEST_MAX), &s->request, &s->request_bytes);
    if (source >= IDENTITY_SOURCE_COUNT || !utf8_valid(span_cstr(s->name)))
        rd_fail(r);
    else
        s->source = (enum identity_source)source;
}

static void rd_slot(struct rd *r, unsigned version, struct identity_slot *s)
{
    struct span chain;
    unsigned state = rd_u8(r);

    s->since = rd_i64(r);
    rd_cstr(r, s->key_id, sizeof(s->key_id));
    rd_cstr(r, s->key_type, sizeof(s->key_type));
    rd_cstr(r, s->serial, sizeof(s->serial));
    s->not_before = rd_i64(r);
    s->not_after = rd_i64(r);
    chain = rd_span(r, CERTIFICATE_CHAIN_BYTES);
    if (state >= IDENTITY_STATE_COUNT)
        rd_fail(r);
    if (r->bad)
        return;
    s->state = (enum identity_state)state;
    take(chain, &s->chain, &s->chain_bytes);
    if (version > 1)
        rd_source(r, s);
    if (!slot_whole(s))
        rd_fail(r);
}

static void rd_event(struct rd *r, struct identity_event *e)
{
    e->time = rd_i64(r);
    e->slot = rd_u8(r);
    e->from = rd_u8(r);
    e->to = rd_u8(r);
    rd_cstr(r, e->serial, sizeof(e->serial));
    rd_cstr(r, e->note, sizeof(e->note));
    if (e->slot > 3 || e->from >= IDENTITY_STATE_COUNT || e->to >= IDENTITY_STATE_COUNT)
        rd_fail(r);
}

static void rd_lists(struct rd *r, unsigned version, struct identity *id)
{
    unsigned retired = rd_u8(r), events;

    if (retired > IDENTITY_RETIRED_MAX)
        rd_fail(r);
    while (!r->bad && id->retired_count < retired) {
        rd_slot(r, version, &id->retired[id->retired_count]);
        if (!r->bad && id->retired[id->retired_count].state != IDENTITY_RETIRED)
            rd_fail(r);
        id->retired_count++; /* also a half one: identity_done frees it */
    }
    events = rd_u16(r);
    if (events > IDENTITY_EVENTS_MAX)
        rd_fail(r);
    if (r->bad || events == 0)
        return;
    id->events = calloc(IDENTITY_EVENTS_MAX, sizeof(*id->events));
    CHECK(id->events);
    while (!r->bad && id->event_count < events)
        rd_event(r, &id->events[id->event_count++]);
}

/* current: nothing or what is served; next: what is on its way; pending: what waits */
static bool slots_fit(const struct identity *id)
{
    return (id->current.state == IDENTITY_NONE || id->current.state >= IDENTITY_LIVE) &&
           id->current.state != IDENTITY_RETIRED && id->next.state < IDENTITY_LIVE &&
           id->pending.state <= IDENTITY_PENDING;
}

/* 0: it is none. */
static unsigned version_of(struct span bytes)
{
    if (bytes.n < sizeof(MAGIC) - 1 + SUM_BYTES)
        return 0;
    return span_starts(bytes, SPAN(MAGIC))     ? 3
           : span_starts(bytes, SPAN(MAGIC_2)) ? 2
           : span_starts(bytes, SPAN(MAGIC_1)) ? 1
                                               : 0;
}

int identity_read(struct span bytes, struct identity *ret, struct err *e)
{
    struct identity id;
    unsigned char sum[SUM_BYTES];
    struct rd r;
    unsigned version = version_of(bytes);

    if (version == 0)
        return err_set(e, -EBADMSG, "it is no identity of version 1, 2 or 3");
    checksum(span_head(bytes, bytes.n - SUM_BYTES), sum);
    if (memcmp(sum, bytes.p + bytes.n - SUM_BYTES, SUM_BYTES) != 0)
        return err_set(e, -EBADMSG, "its checksum does not hold: it is cut or damaged");
    memset(&id, 0, sizeof(id));
    r = rd_of(span_sub(bytes, sizeof(MAGIC) - 1, bytes.n - SUM_BYTES - (sizeof(MAGIC) - 1)));
    rd_cstr(&r, id.vserver, sizeof(id.vserver));
    id.off = version > 1 && rd_bool(&r);
    id.unproved = version > 2 && rd_bool(&r);
    rd_slot(&r, version, &id.current);
    rd_slot(&r, version, &id.next);
    if (version > 1)
        rd_slot(&r, version, &id.pending);
    rd_lists(&r, version, &id);
    if (!rd_done(&r) || !slots_fit(&id)) {
        identity_done(&id);
        return err_set(e, -EBADMSG, "its contents make no sense");
    }
    *ret = id;
    return 0;
}

/* --- for people */

static void json_certificate(const struct identity_slot *s, struct buf *out)
{
    struct chain chain = CHAIN_NONE;
    struct err e;

    if (s->chain_bytes == 0 || chain_parse(identity_chain(s), &chain, &e) < 0 || chain.n == 0)
        return;
    buf_put_cstr(out, ",\"certificate\":");
    certificate_json(chain.v[0], out);
    chain_done(&chain);
}

static void json_slot(const struct identity_slot *s, struct buf *out)
{
    buf_printf(out, "{\"state\":\"%s\",\"since\":%" PRId64, identity_state_name(s->state),
               s->since);
    if (s->state != IDENTITY_NONE) {
        buf_put_cstr(out, ",\"key\":");
        json_put_string(out, span_cstr(s->key_id));
        buf_put_cstr(out, ",\"key_type\":");
        json_put_string(out, span_cstr(s->key_type));
    }
    if (s->state != IDENTITY_NONE) {
        buf_printf(out, ",\"source\":\"%s\",\"name\":", identity_source_name(s->source));
        json_put_string(out, span_cstr(s->name));
    }
    if (s->origin[0]) {
        buf_put_cstr(out, ",\"origin\":");
        json_put_string(out, span_cstr(s->origin));
    }
    if (s->serial[0]) {
        buf_put_cstr(out, ",\"serial\":");
        json_put_string(out, span_cstr(s->serial));
        buf_printf(out, ",\"not_before\":%" PRId64 ",\"not_after\":%" PRId64, s->not_before,
                   s->not_after);
    }
}

/* That were given with it: who looks at it as a client does must trust them. */
static void json_roots(const struct identity_slot *s, struct buf *out)
{
    struct buf pem BUF_AUTO = BUF(ROOTS_TEXT_MAX);
    struct chain roots = CHAIN_NONE;
    struct err ignored;

    if (s->roots_bytes > 0 && chain_parse(identity_roots(s), &roots, &ignored) == 0 &&
        chain_write_pem(&roots, &pem)) {
        buf_put_cstr(out, ",\"roots\":");
        json_put_string(out, buf_span(&pem));
    }
    chain_done(&roots);
}

void identity_json(const struct identity *id, int64_t now, struct buf *out)
{
    static const char *const slots[] = {"current", "next", "retired", "pending"};

    buf_put_cstr(out, "{\"vserver\":");
    json_put_string(out, span_cstr(id->vserver));
    if (identity_is_served(&id->current))
        buf_printf(out, ",\"seconds_left\":%" PRId64, id->current.not_after - now);
    buf_put_cstr(out, ",\"current\":");
    json_slot(&id->current, out);
    json_roots(&id->current, out);
    json_certificate(&id->current, out);
    buf_put_cstr(out, "},\"next\":");
    json_slot(&id->next, out);
    json_certificate(&id->next, out);
    buf_printf(out, "},\"off\":%s,\"pending\":", id->off ? "true" : "false");
    json_slot(&id->pending, out);
    buf_put_cstr(out, "},\"retired\":[");
    for (unsigned i = 0; i < id->retired_count; i++) {
        buf_put_cstr(out, i ? "," : "");
        json_slot(&id->retired[i], out);
        buf_putc(out, '}');
    }
    buf_put_cstr(out, "],\"history\":[");
    for (unsigned i = 0; i < id->event_count; i++) {
        const struct identity_event *e = &id->events[i];
        buf_printf(out,
                   "%s{\"time\":%" PRId64
                   ",\"slot\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"serial\":",
                   i ? "," : "", e->time, slots[e->slot], identity_state_name(e->from),
                   identity_state_name(e->to));
        json_put_string(out, span_cstr(e->serial));
        buf_put_cstr(out, ",\"note\":");
        json_put_string(out, span_cstr(e->note));
        buf_putc(out, '}');
    }
    buf_put_cstr(out, "]}");
}
