/*
 * fetch_put.c: FETCH responses. Everything is built in one buffer that goes out when 32 KiB have
 * come together; bodies pass through it in pieces, so memory does not depend on a message's size.
 */
#include "imap/fetch.h"
#include "imap/modseq.h"
#include "imap/moved.h"
#include "imap/preview.h"
#include "imap/state.h"

#include "base/check.h"
#include "base/date.h"
#include "message/header.h"
#include "message/transfer.h"

#include <errno.h>
#include <stdlib.h>

enum {
    CHUNK = 32 << 10,
    OUT_MAX = 2 << 20, /* a chunk and the texts of one summary (256 KiB each at most) */
    HEADER_MAX =
        4 << 20, /* prefix and one header block; message_limits bounds the latter to 1 MiB */
    DECODED_CHUNK = 16 << 10,
    SUMMARY_MAX = 1 << 20,
};

struct fetch_run {
    struct session *s;
    struct store *store;
    const struct fetch_plan *plan;
    struct buf out, header, selected;
    size_t unreadable, undecodable;
    /* the message at hand */
    struct message_info *m;
    struct summary summary;
    struct buf block; /* where it lies */
    bool has_summary;
};

struct fetch_run *fetch_run_new(struct session *s, const struct fetch_plan *plan)
{
    struct fetch_run *r = calloc(1, sizeof *r);

    CHECK(r);
    *r = (struct fetch_run){.s = s,
                            .store = imap_store(s),
                            .plan = plan,
                            .out = BUF(OUT_MAX),
                            .header = BUF(HEADER_MAX),
                            .selected = BUF(HEADER_MAX),
                            .block = BUF(SUMMARY_MAX)};
    return r;
}

void fetch_run_free(struct fetch_run *r)
{
    if (!r)
        return;
    buf_done(&r->block);
    buf_done(&r->out);
    buf_done(&r->header);
    buf_done(&r->selected);
    free(r);
}

size_t fetch_unreadable(const struct fetch_run *r)
{
    return r->unreadable;
}

size_t fetch_undecodable(const struct fetch_run *r)
{
    return r->undecodable;
}

void fetch_flush(struct fetch_run *r)
{
    session_put(r->s, buf_span(&r->out));
    buf_clear(&r->out);
}

static void flush_chunk(struct fetch_run *r)
{
    if (r->out.n >= CHUNK)
        fetch_flush(r);
}

/* A damaged summary is made anew, from the body. */
static int remake_summary(struct fetch_run *r)
{
    struct buf body BUF_AUTO = BUF((size_t)r->m->body_bytes + 1);
    int e = moved_message_read(r->store, r->m, r->m->prefix_bytes, r->m->body_bytes, &body);

    buf_clear(&r->block);
    if (e == 0)
        e = summary_make(buf_span(&body), &message_limits_default, &r->block);
    if (e < 0)
        return e;
    return summary_open(buf_span(&r->block), &r->summary) ? 0 : -EIO;
}

static void read_summary(struct fetch_run *r)
{
    int e = store_summary_read(r->store, r->m, &r->block, &r->summary);

    if (e < 0 && message_moved(r->store, r->m))
        e = store_summary_read(r->store, r->m, &r->block, &r->summary);
    if (e < 0)
        e = remake_summary(r);
    r->has_summary = e == 0;
    if (e < 0)
        r->unreadable++;
}

void fetch_ahead(struct fetch_run *r, const struct message_info *m)
{
    if (r->plan->needs_summary)
        store_summary_ahead(r->store, m);
}

/* ------------------------------------------------------------------ literals */

/* A literal may not hold NUL (RFC 9051 section 9, CHAR8); what came in with NULs shows a byte that
 * is no text either. */
static void cover_nul(char *p, size_t n)
{
    for (char *nul = memchr(p, 0, n); nul; nul = memchr(nul, 0, n - (size_t)(nul - p)))
        *nul = (char)0x80;
}

/* Appends at most CHUNK bytes from `at` of prefix + body to out; how many. 0: it could not be read.
 */
static size_t read_chunk(struct fetch_run *r, uint64_t at, uint64_t left)
{
    size_t want = left < CHUNK ? (size_t)left : CHUNK, before = r->out.n;

    if (moved_message_read(r->store, r->m, at, want, &r->out) < 0)
        return 0;
    cover_nul(r->out.p + before, want);
    return want;
}

static void clip(const struct fetch_section *x, uint64_t *at, uint64_t *n)
{
    if (!x->partial)
        return;
    uint64_t skip = x->from < *n ? x->from : *n;
    *at += skip;
    *n -= skip;
    if (x->count < *n)
        *n = x->count;
}

static void put_literal_head(struct fetch_run *r, uint64_t n, bool binary)
{
    buf_put_cstr(&r->out, binary ? " ~{" : " {");
    buf_put_u64(&r->out, n);
    buf_put_cstr(&r->out, "}\r\n");
}

static void put_nil(struct fetch_run *r)
{
    buf_put_cstr(&r->out, " NIL");
}

/* Bytes [at, at + n) of prefix + body. */
static void put_range(struct fetch_run *r, const struct fetch_section *x, uint64_t at, uint64_t n)
{
    size_t begin = r->out.n;

    clip(x, &at, &n);
    if (n == 0) {
        buf_put_cstr(&r->out, " \"\"");
        return;
    }
    put_literal_head(r, n, false);
    for (bool first = true; n; first = false) {
        size_t got = read_chunk(r, at, n);
        if (got == 0 && first) {
            buf_truncate(&r->out, begin);
            put_nil(r);
            r->unreadable++;
            return;
        }
        if (got == 0) {
            /* so many bytes have been promised that no other end is left */
            r->unreadable++;
            session_end(r->s);
            return;
        }
        at += got;
        n -= got;
        flush_chunk(r);
        if (r->s->closing)
            return;
    }
}

static void put_bytes(struct fetch_run *r, const struct fetch_section *x, struct span text)
{
    uint64_t at = 0, n = text.n;

    clip(x, &at, &n);
    if (n == 0) {
        buf_put_cstr(&r->out, " \"\"");
        return;
    }
    put_literal_head(r, n, false);
    while (n) {
        size_t take = n < CHUNK ? (size_t)n : CHUNK, before = r->out.n;
        buf_put_span(&r->out, span_sub(text, (size_t)at, take));
        cover_nul(r->out.p + before, r->out.n - before);
        at += take;
        n -= take;
        flush_chunk(r);
    }
}

/* HEADER.FIELDS and .NOT of the header block at [at, at + n) */
static void put_fields(struct fetch_run *r, const struct fetch_section *x, uint64_t at, uint64_t n)
{
    buf_clear(&r->header);
    buf_clear(&r->selected);
    if (n > HEADER_MAX || moved_message_read(r->store, r->m, at, (size_t)n, &r->header) < 0 ||
        !header_select(buf_span(&r->header), x->names, x->name_count, x->kind == SECTION_FIELDS_NOT,
                       &r->selected)) {
        put_nil(r);
        r->unreadable++;
        return;
    }
    put_bytes(r, x, buf_span(&r->selected));
}

/* ------------------------------------------------------------------ decoded parts (RFC 3516) */

typedef void (*decoded_fn)(void *arg, struct span bytes);

/*
 * Decodes [at, at + n) piece by piece. Quoted-printable is cut at line ends, since what a blank or
 * "=" there means is seen only behind it; a line longer than a chunk is damage anyway. False: it
 * could not be read.
 */
static bool decode(struct fetch_run *r, enum transfer_kind kind, uint64_t at, uint64_t n,
                   decoded_fn fn, void *arg)
{
    struct transfer t = {.kind = kind};
    char *decoded = malloc(DECODED_CHUNK);
    bool ok = true;

    CHECK(decoded);
    buf_clear(&r->header);
    while (n && ok) {
        size_t want = n < CHUNK ? (size_t)n : CHUNK;
        ok = moved_message_read(r->store, r->m, at, want, &r->header) == 0;
        if (!ok)
            break;
        at += want;
        n -= want;
        struct span in = buf_span(&r->header);
        if (kind == TRANSFER_QP && n) {
            size_t lf = span_rfind(in, '\n');
            if (lf != SPAN_NONE)
                in.n = lf + 1;
        }
        size_t taken = in.n;
        while (in.n)
            fn(arg, span_of(decoded, transfer_decode(&t, &in, decoded, DECODED_CHUNK)));
        buf_consume(&r->header, taken);
    }
    free(decoded);
    return ok;
}

struct counting {
    uint64_t n;
    bool nul;
};
static void count_decoded(void *arg, struct span bytes)
{
    struct counting *c = arg;

    c->n += bytes.n;
    c->nul |= span_has(bytes, '\0');
}

struct putting {
    struct fetch_run *r;
    uint64_t skip, left;
};
static void put_decoded(void *arg, struct span bytes)
{
    struct putting *p = arg;
    size_t skip = p->skip < bytes.n ? (size_t)p->skip : bytes.n;

    p->skip -= skip;
    bytes = span_head(span_skip(bytes, skip), p->left < SIZE_MAX ? (size_t)p->left : SIZE_MAX);
    p->left -= bytes.n;
    buf_put_span(&p->r->out, bytes);
    flush_chunk(p->r);
}

/* Two passes: the length of a literal comes before its bytes. */
static void put_decoded_part(struct fetch_run *r, const struct fetch_section *x,
                             enum transfer_kind kind, uint64_t at, uint64_t n)
{
    struct counting c = {0};
    bool ok = decode(r, kind, at, n, count_decoded, &c);
    uint64_t from = 0, count = c.n;

    if (!ok) {
        r->unreadable++;
        buf_put_cstr(&r->out, x->size_only ? " 0" : " NIL");
        return;
    }
    if (x->size_only) {
        buf_putc(&r->out, ' ');
        buf_put_u64(&r->out, c.n);
        return;
    }
    clip(x, &from, &count);
    if (count == 0) {
        buf_put_cstr(&r->out, " \"\"");
        return;
    }
    put_literal_head(r, count, c.nul);
    struct putting p = {.r = r, .skip = from, .left = count};
    if (!decode(r, kind, at, n, put_decoded, &p) || p.left) {
        r->unreadable++;
        session_end(r->s);
    }
}

/* ------------------------------------------------------------------ sections */

static bool label(struct fetch_run *r, const struct fetch_section *x)
{
    if (r->out.p[r->out.n - 1] != '(')
        buf_putc(&r->out, ' ');
    return buf_put_span(&r->out, x->label);
}

static void put_binary(struct fetch_run *r, const struct fetch_section *x,
                       const struct part_range *part)
{
    uint64_t at = r->m->prefix_bytes + (uint64_t)part->body_at;
    enum transfer_kind kind = transfer_kind(part->encoding);

    if (kind == TRANSFER_UNKNOWN) {
        r->undecodable++;
        return; /* the item is left out, the tagged reply says why */
    }
    label(r, x);
    put_decoded_part(r, x, kind, at, part->body_bytes);
}

/* The message itself: its header is the prefix and the body's own. */
static void put_top(struct fetch_run *r, const struct fetch_section *x)
{
    uint64_t size = r->m->size,
             header = r->has_summary ? (uint64_t)r->m->prefix_bytes + r->summary.header_bytes : 0;

    if (header > size)
        header = size;
    if (x->kind == SECTION_ALL && x->binary) {
        label(r, x);
        put_decoded_part(r, x, TRANSFER_IDENTITY, 0, size);
        return;
    }
    label(r, x);
    if (x->kind == SECTION_ALL)
        put_range(r, x, 0, size);
    else if (!r->has_summary)
        put_nil(r);
    else if (x->kind == SECTION_HEADER)
        put_range(r, x, 0, header);
    else if (x->kind == SECTION_TEXT)
        put_range(r, x, header, size - header);
    else
        put_fields(r, x, 0, header);
}

static void put_part(struct fetch_run *r, const struct fetch_section *x)
{
    uint64_t base = r->m->prefix_bytes;
    struct part_range part;
    bool message;

    if (!r->has_summary || !summary_part(&r->summary, x->path, x->depth, &part)) {
        label(r, x);
        buf_put_cstr(&r->out, x->size_only ? " 0" : " NIL");
        return;
    }
    if (x->binary) {
        put_binary(r, x, &part);
        return;
    }
    message = part.inner_header_bytes || part.inner_body_bytes;
    label(r, x);
    if (x->kind == SECTION_ALL)
        put_range(r, x, base + part.body_at, part.body_bytes);
    else if (x->kind == SECTION_MIME)
        put_range(r, x, base + part.header_at, part.header_bytes);
    else if (!message) /* HEADER and TEXT are those of a message in a message */
        put_nil(r);
    else if (x->kind == SECTION_HEADER)
        put_range(r, x, base + part.inner_header_at, part.inner_header_bytes);
    else if (x->kind == SECTION_TEXT)
        put_range(r, x, base + part.inner_body_at, part.inner_body_bytes);
    else
        put_fields(r, x, base + part.inner_header_at, part.inner_header_bytes);
}

/* ------------------------------------------------------------------ a response */

static void put_number(struct buf *out, const char *name, uint64_t v)
{
    char text[48], *p = text + sizeof text;
    size_t n = strlen(name);

    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    *--p = ' ';
    p -= n;
    memcpy(p, name, n);
    if (out->p[out->n - 1] != '(')
        *--p = ' ';
    buf_put(out, p, (size_t)(text + sizeof text - p));
}

static void put_name(struct buf *out, const char *name)
{
    if (out->p[out->n - 1] != '(')
        buf_putc(out, ' ');
    buf_put_cstr(out, name);
}

static void put_simple(struct fetch_run *r, unsigned items, const struct keywords *k)
{
    struct buf *out = &r->out;

    if (items & FETCH_UID)
        put_number(out, "UID", r->m->uid);
    if (items & FETCH_FLAGS) {
        put_name(out, "FLAGS ");
        flags_print(r->m->flags, k, out);
    }
    if (items & FETCH_INTERNALDATE) {
        put_name(out, "INTERNALDATE \"");
        date_print_imap(out, (struct date){r->m->received_seconds, r->m->received_zone});
        buf_putc(out, '"');
    }
    if (items & FETCH_SIZE)
        put_number(out, "RFC822.SIZE", r->m->size);
    if (items & FETCH_SAVEDATE) {
        put_name(out, "SAVEDATE \"");
        date_print_imap(out, (struct date){r->m->saved_seconds, 0});
        buf_putc(out, '"');
    }
    if (items & FETCH_EMAILID) {
        put_name(out, "EMAILID (");
        r->unreadable += !objectid_email(r->store, r->m, out);
        buf_putc(out, ')');
    }
    if (items & FETCH_THREADID) {
        put_name(out, r->m->thread ? "THREADID (" : "THREADID NIL");
        objectid_thread(r->m, out);
        if (r->m->thread)
            buf_putc(out, ')');
    }
    if (items & FETCH_MODSEQ) {
        put_name(out, "");
        modseq_put(r->m->modseq, out);
    }
}

static void put_from_summary(struct fetch_run *r, unsigned items)
{
    struct buf *out = &r->out;

    if (items & FETCH_ENVELOPE) {
        put_name(out, "ENVELOPE ");
        buf_put_span(out, r->summary.envelope);
    }
    if (items & FETCH_PREVIEW) {
        put_name(out, "PREVIEW ");
        r->unreadable += !preview_put(r->store, r->m, &r->summary, out);
    }
    if (items & FETCH_BODY) {
        put_name(out, "BODY ");
        buf_put_span(out, r->summary.body);
    }
    if (items & FETCH_BODYSTRUCTURE) {
        put_name(out, "BODYSTRUCTURE ");
        buf_put_span(out, r->summary.bodystructure);
    }
}

static void put_head(struct buf *out, uint32_t number)
{
    char text[32], *p = text + sizeof text;

    p -= 8;
    memcpy(p, " FETCH (", 8);
    do
        *--p = (char)('0' + number % 10);
    while (number /= 10);
    *--p = ' ';
    *--p = '*';
    buf_put(out, p, (size_t)(text + sizeof text - p));
}

void fetch_put(struct fetch_run *r, uint32_t number, struct message_info *m,
               const struct keywords *k, bool flags)
{
    const struct fetch_plan *plan = r->plan;
    unsigned items = plan->items | (flags ? plan->seen_items : 0u);

    r->m = m;
    r->has_summary = false;
    if (plan->needs_summary)
        read_summary(r);
    put_head(&r->out, number);
    put_simple(r, items, k);
    if (r->has_summary)
        put_from_summary(r, items);
    for (size_t i = 0; i < plan->section_count && !r->s->closing; i++)
        if (plan->sections[i].depth)
            put_part(r, &plan->sections[i]);
        else
            put_top(r, &plan->sections[i]);
    if (r->s->closing) /* perhaps in the middle of a literal: nothing may follow */
        return;
    buf_put_cstr(&r->out, ")\r\n");
    flush_chunk(r);
}
