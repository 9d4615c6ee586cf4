#include "capture/flow.h"

#include "base/check.h"
#include "capture/mask.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- telling ----------------------------------------------------------------------------- */

static struct observe_event event_of(const struct flow *f, enum observe_kind kind, bool server,
                                     const struct origin *o, uint64_t at)
{
    return (struct observe_event){.kind = kind,
                                  .endpoint = observe_endpoint(f->observe, f->endpoint),
                                  .client = f->client,
                                  .server = f->server,
                                  .from_server = server,
                                  .origin = *o,
                                  .at = at,
                                  .tls = &f->facts};
}

static void offend(struct flow *f, bool server, enum offence offence, struct span text,
                   const struct origin *o, uint64_t at)
{
    struct observe_event e = event_of(f, OBSERVE_OFFENCE, server, o, at);

    observe_counts_of(f->observe, f->endpoint)->offences[offence]++;
    e.offence = offence;
    e.text = text;
    observe_tell(f->observe, &e);
}

static struct observe_counts *counts(const struct flow *f)
{
    return observe_counts_of(f->observe, f->endpoint);
}

/* ---- secrets ----------------------------------------------------------------------------- */

static void mark_packet(struct flow_side *s, const struct origin *o, uint64_t at)
{
    s->marks[s->mark_n++ % FLOW_MARKS] = (struct mark){at, *o};
}

/* The packet in which that place of the stream lies; the oldest known where it is older. */
static const struct mark *mark_of(const struct flow_side *s, uint64_t at)
{
    uint64_t n = s->mark_n < FLOW_MARKS ? s->mark_n : FLOW_MARKS;
    const struct mark *best = &s->marks[(s->mark_n - 1) % FLOW_MARKS];

    for (uint64_t i = 1; i <= n; i++) {
        const struct mark *m = &s->marks[(s->mark_n - i) % FLOW_MARKS];
        best = m;
        if (m->at <= at)
            break;
    }
    return best;
}

static void tell_secret(struct flow *f, bool server, const struct secret_hit *hit, uint64_t end)
{
    const struct flow_side *s = &f->side[server];
    uint64_t begin = end > hit->length ? end - hit->length : 0;
    const struct mark *first = mark_of(s, begin), *last = mark_of(s, end - 1);
    struct origin o = first->origin;
    char text[200];

    if (begin >= first->at)
        o.at += (uint32_t)(begin - first->at);
    if (first->origin.packet == last->origin.packet)
        snprintf(text, sizeof text, "%s, %s", hit->name, hit->form);
    else
        snprintf(text, sizeof text, "%s, %s, over packets %llu to %llu", hit->name, hit->form,
                 (unsigned long long)first->origin.packet, (unsigned long long)last->origin.packet);
    offend(f, server, OFFENCE_SECRET, span_cstr(text), &o, begin);
}

static void search(struct flow *f, bool server, struct span bytes, uint64_t at)
{
    const struct secrets *secrets = observe_secrets(f->observe);
    struct flow_side *s = &f->side[server];
    struct secret_hit hit;
    size_t i = 0;

    while (secrets != NULL &&
           secrets_scan(secrets, &s->scan, bytes, s->phase != FLOW_TLS, &i, &hit))
        tell_secret(f, server, &hit, at + hit.end);
}

/* ---- TLS --------------------------------------------------------------------------------- */

/* Once, when all is known that will be: with TLS 1.2 the certificate follows the hello. */
static void tell_tls(struct flow *f, const struct origin *o, bool at_end)
{
    struct observe_event e;
    bool whole = f->facts.server_hello && (f->facts.version == 0x0304 || f->side[1].tls.encrypted ||
                                           (f->facts.certificate && f->facts.group != 0));

    if (f->told_tls || !(whole || (at_end && f->facts.client_hello)))
        return;
    f->told_tls = true;
    if (f->facts.server_hello && f->facts.version >> 8 == 3 &&
        (f->facts.version & 255) < TLS_VERSIONS)
        counts(f)->handshakes[f->facts.version & 255]++;
    if (f->facts.client_hello && f->facts.sni[0] == '\0')
        counts(f)->client_no_sni++;
    e = event_of(f, OBSERVE_TLS, true, o, 0);
    observe_tell(f->observe, &e);
}

static enum offence offence_of(const struct flow *f, bool server, enum tls_fault fault)
{
    switch (fault) {
    case TLS_EARLY_DATA:
        return OFFENCE_EARLY_DATA;
    case TLS_OLD_VERSION:
        return OFFENCE_OLD_VERSION;
    case TLS_WEAK_CIPHER:
        return OFFENCE_WEAK_CIPHER;
    case TLS_BROKEN_HELLO:
        return OFFENCE_BROKEN_HELLO;
    default:
        break;
    }
    if (counts(f)->tls.bytes > 0 && f->facts.client_hello && f->facts.server_hello)
        return OFFENCE_BROKEN;
    return server ? OFFENCE_NO_TLS : OFFENCE_CLIENT_NO_TLS;
}

/* The beginning of what should have been a record, for people. */
static void put_sample(const struct flow *f, bool server, struct span b, struct buf *out)
{
    struct span line = span_chomp(span_head(b, span_find(b, '\n')));
    struct buf whole BUF_AUTO = BUF(GRAMMAR_LINE_MAX + 256);

    mask_line(observe_endpoint(f->observe, f->endpoint)->protocol, server, PART_COMMAND,
              span_head(line, GRAMMAR_LINE_MAX), &whole);
    buf_put_span(out, span_head(buf_span(&whole), 120));
}

static void lose(struct flow *f, bool server, struct span rest, const struct origin *o, uint64_t at)
{
    struct flow_side *s = &f->side[server];
    struct buf text BUF_AUTO = BUF(128);

    s->phase = FLOW_LOST;
    counts(f)->clear_bytes += rest.n;
    if (s->told_lost)
        return;
    s->told_lost = true;
    put_sample(f, server, rest, &text);
    offend(f, server, offence_of(f, server, TLS_NO_RECORD), buf_span(&text), o, at);
}

/* The server has gone on with TLS although there was more behind the request for it. */
static void check_behind(struct flow *f, const struct origin *o, uint64_t at)
{
    if (!f->grammar.behind || f->told_behind || !f->facts.server_hello)
        return;
    f->told_behind = true;
    offend(f, true, OFFENCE_BEHIND_KEPT, SPAN_EMPTY, o, at);
}

static void records(struct flow *f, bool server, struct span bytes, const struct origin *given,
                    uint64_t at)
{
    struct flow_side *s = &f->side[server];
    struct origin o = *given;

    while (bytes.n > 0 && s->phase == FLOW_TLS) {
        enum tls_fault fault;
        size_t n =
            tls_feed(&s->tls, &f->side[!server].tls, &f->facts, &counts(f)->tls, bytes, &fault);
        if (fault == TLS_NO_RECORD) {
            /* its first bytes may have come before */
            size_t back = s->tls.header_n < n ? s->tls.header_n : n, early = s->tls.header_n - back;
            counts(f)->tls_bytes += n - back - early;
            counts(f)->clear_bytes += early;
            o.at += (uint32_t)(n - back);
            lose(f, server, span_skip(bytes, n - back), &o, at + n - back);
            return;
        }
        counts(f)->tls_bytes += n;
        bytes = span_skip(bytes, n);
        o.at += (uint32_t)n;
        at += n;
        if (fault != TLS_FINE)
            offend(f, server, offence_of(f, server, fault),
                   fault == TLS_OLD_VERSION ? span_cstr(tls_version_name(f->facts.version))
                                            : SPAN_EMPTY,
                   &o, at);
        check_behind(f, &o, at);
        tell_tls(f, &o, false);
    }
}

/* ---- lines ------------------------------------------------------------------------------- */

static void start_tls(struct flow *f)
{
    for (unsigned i = 0; i < 2; i++) {
        if (f->side[i].phase == FLOW_TLS) /* a client that has not waited */
            continue;
        f->side[i].phase = FLOW_TLS;
        tls_side_init(&f->side[i].tls, i == 1);
        buf_done(&f->side[i].line);
        f->side[i].line = BUF(GRAMMAR_LINE_MAX);
    }
}

static void whole_line(struct flow *f, bool server)
{
    struct flow_side *s = &f->side[server];
    struct span line = span_chomp(buf_span(&s->line));
    struct observe_event e = event_of(f, OBSERVE_LINE, server, &s->line_origin, s->line_at);
    struct buf shown BUF_AUTO = BUF(GRAMMAR_LINE_MAX + 256);
    struct grammar_result r;

    grammar_line(&f->grammar, server, line, &r);
    mask_line(f->grammar.protocol, server, r.is_data ? PART_SECRET : r.part, line, &shown);
    counts(f)->lines++;
    if (!r.is_data) {
        e.text = buf_span(&shown);
        observe_tell(f->observe, &e);
    }
    if (r.offence >= 0) {
        char text[300];
        snprintf(text, sizeof text, "%s%s\"%.*s\"", r.why != NULL ? r.why : "",
                 r.why != NULL ? ": " : "", (int)(shown.n < 200 ? shown.n : 200),
                 shown.p ? shown.p : "");
        offend(f, server, (enum offence)r.offence, span_cstr(text), &s->line_origin, s->line_at);
    }
    s->line_cut = false;
    buf_clear(&s->line);
    if (r.starts_tls)
        start_tls(f);
}

/* The bytes of one line, or of less; returns how many. */
static size_t line_bytes(struct flow *f, bool server, struct span bytes, const struct origin *o,
                         uint64_t at)
{
    struct flow_side *s = &f->side[server];
    size_t end = span_find(bytes, '\n'), n = end == SPAN_NONE ? bytes.n : end + 1;

    if (s->line.n == 0 && !s->line_cut) {
        s->line_origin = *o;
        s->line_at = at;
    }
    if (!buf_put_span(&s->line, span_head(span_head(bytes, n), s->line.max - s->line.n)) ||
        s->line.n == s->line.max)
        s->line_cut = true;
    if (end != SPAN_NONE)
        whole_line(f, server);
    return n;
}

/* A client that does not wait for the answer to STARTTLS. */
static bool begins_early(const struct flow *f, bool server, struct span bytes)
{
    return !server && f->grammar.asked_tls && f->side[0].line.n == 0 && bytes.p[0] == 22 &&
           tls_looks_like_record(bytes);
}

static void lines(struct flow *f, bool server, struct span bytes, const struct origin *given,
                  uint64_t at)
{
    struct flow_side *s = &f->side[server];
    struct origin o = *given;

    while (bytes.n > 0 && s->phase == FLOW_CLEAR) {
        uint64_t raw = grammar_raw(&f->grammar, server);
        size_t n;
        if (raw > 0) {
            n = raw < bytes.n ? (size_t)raw : bytes.n;
            grammar_raw_taken(&f->grammar, server, n);
        } else if (begins_early(f, server, bytes)) {
            s->phase = FLOW_TLS;
            tls_side_init(&s->tls, false);
            break;
        } else {
            n = line_bytes(f, server, bytes, &o, at);
        }
        counts(f)->clear_bytes += n;
        bytes = span_skip(bytes, n);
        o.at += (uint32_t)n;
        at += n;
    }
    if (bytes.n > 0)
        records(f, server, bytes, &o, at);
}

/* ---- what streams give ------------------------------------------------------------------- */

/* After a gap, or in the middle of a connection: records begin with packets most of the time. */
static void try_sync(struct flow *f, bool server, struct span bytes)
{
    struct flow_side *s = &f->side[server];

    if (bytes.n < 5 || !tls_looks_like_record(bytes))
        return;
    s->phase = FLOW_TLS;
    tls_side_init(&s->tls, server);
    s->tls.encrypted = true;
}

static void on_bytes(void *arg, bool server, struct span bytes, uint64_t at, const struct origin *o)
{
    struct flow *f = arg;
    struct flow_side *s = &f->side[server];

    counts(f)->bytes += bytes.n;
    mark_packet(s, o, at);
    search(f, server, bytes, at);
    if (s->phase == FLOW_UNSYNC)
        try_sync(f, server, bytes);
    if (s->phase == FLOW_CLEAR)
        lines(f, server, bytes, o, at);
    else if (s->phase == FLOW_TLS)
        records(f, server, bytes, o, at);
    else if (s->phase == FLOW_LOST)
        counts(f)->clear_bytes += bytes.n;
    else
        counts(f)->unsynced_bytes += bytes.n;
}

static void on_again(void *arg, bool server, struct span bytes, bool differs,
                     const struct origin *o)
{
    struct flow *f = arg;
    struct flow_side *s = &f->side[server];
    const struct secrets *secrets = observe_secrets(f->observe);
    struct secret_scan scan = {0};
    struct secret_hit hit;
    size_t i = 0;

    if (!differs)
        return;
    offend(f, server, OFFENCE_DIFFERS, SPAN_EMPTY, o, s->stream.at);
    while (secrets != NULL && secrets_scan(secrets, &scan, bytes, true, &i, &hit)) {
        struct origin place = *o;
        char text[160];
        place.at += (uint32_t)(hit.end > hit.length ? hit.end - hit.length : 0);
        snprintf(text, sizeof text, "%s, %s, in bytes that were sent twice", hit.name, hit.form);
        offend(f, server, OFFENCE_SECRET, span_cstr(text), &place, s->stream.at);
    }
}

static void on_gap(void *arg, bool server, uint64_t n)
{
    struct flow *f = arg;
    struct flow_side *s = &f->side[server];

    (void)n;
    memset(&s->scan, 0, sizeof s->scan);
    buf_clear(&s->line);
    if (s->phase == FLOW_TLS || s->phase == FLOW_CLEAR)
        s->phase = FLOW_UNSYNC;
}

#define SIDE_OPS(name, server)                                                                     \
    static void bytes_##name(void *arg, struct span b, uint64_t at, const struct origin *o)        \
    {                                                                                              \
        on_bytes(arg, server, b, at, o);                                                           \
    }                                                                                              \
    static void again_##name(void *arg, struct span b, bool differs, const struct origin *o)       \
    {                                                                                              \
        on_again(arg, server, b, differs, o);                                                      \
    }                                                                                              \
    static void gap_##name(void *arg, uint64_t n)                                                  \
    {                                                                                              \
        on_gap(arg, server, n);                                                                    \
    }
SIDE_OPS(client, false)
SIDE_OPS(server, true)

static const struct stream_ops side_ops[2] = {
    {bytes_client, again_client, gap_client},
    {bytes_server, again_server, gap_server},
};

/* ---- life -------------------------------------------------------------------------------- */

struct flow *flow_new(struct observe *o, unsigned endpoint, const struct packet_end *client,
                      const struct packet_end *server)
{
    const struct observe_endpoint *e = observe_endpoint(o, endpoint);
    struct flow *f = calloc(1, sizeof *f);

    CHECK(f != NULL);
    f->observe = o;
    f->endpoint = endpoint;
    f->client = *client;
    f->server = *server;
    list_init(&f->in_order);
    grammar_init(&f->grammar, e->protocol, e->policy, e->require_secure);
    for (unsigned i = 0; i < 2; i++) {
        stream_init(&f->side[i].stream);
        tls_side_init(&f->side[i].tls, i == 1);
        f->side[i].line = BUF(GRAMMAR_LINE_MAX);
        f->side[i].phase = FLOW_UNSYNC;
    }
    return f;
}

void flow_free(struct flow *f)
{
    for (unsigned i = 0; f != NULL && i < 2; i++) {
        stream_done(&f->side[i].stream);
        tls_side_done(&f->side[i].tls);
        buf_done(&f->side[i].line);
    }
    free(f);
}

static void begin_side(struct flow *f, bool server, uint32_t seq)
{
    struct flow_side *s = &f->side[server];
    bool tls = observe_endpoint(f->observe, f->endpoint)->policy == POLICY_TLS_ONLY;

    if (s->stream.begun)
        return;
    stream_begin(&s->stream, seq);
    s->phase = tls ? FLOW_TLS : FLOW_CLEAR;
}

void flow_packet(struct flow *f, bool server, const struct packet *p, const struct origin *o)
{
    struct flow_side *s = &f->side[server];
    uint32_t seq = p->seq;

    if (p->flags & TCP_SYN) {
        if (!server || (p->flags & TCP_ACK))
            begin_side(f, server, seq + 1);
        seq++;
    }
    /* the other side's first byte is known from its first acknowledgement too */
    stream_segment(&s->stream, seq, p->payload, p->missing, o, &side_ops[server], f);
    if (p->flags & TCP_FIN)
        stream_fin(&s->stream, seq + (uint32_t)p->payload.n + p->missing);
    f->reset |= (p->flags & TCP_RST) != 0;
}

void flow_finish(struct flow *f)
{
    struct observe_counts *c = counts(f);
    struct origin none = {0};

    for (unsigned i = 0; i < 2; i++) {
        struct stream *s = &f->side[i].stream;
        /* what a reset has cut off was never promised */
        if (f->reset)
            s->fin_known = false;
        stream_flush(s, &side_ops[i], f);
        c->gaps += s->gaps;
        c->gap_bytes += s->gap_bytes;
        c->again += s->again;
        c->out_of_order += s->out_of_order;
        c->differing += s->differing;
    }
    tell_tls(f, f->side[0].mark_n > 0 ? &f->side[0].marks[0].origin : &none, true);
}
