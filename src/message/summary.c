/*
 * summary.c: one parse, one block. The block has a greatest size: a message whose answers do not
 * fit is described with tighter limits, again and again, until they do. Each round is linear and
 * the rounds are few.
 */
#include "message/summary.h"
#include "base/check.h"
#include "base/codec.h"
#include "base/date.h"
#include "message/attachment.h"
#include "message/block.h"
#include "message/bytes.h"
#include "message/imap_text.h"
#include "message/news.h"
#include "message/thread.h"
#include "message/words.h"
#include <errno.h>

const struct message_limits message_limits_default = {
    .header_bytes = 1024 * 1024,
    .header_fields = 2000,
    .parts = 1000,
    .depth = 64,
    .addresses = 2000,
    .summary_bytes = 256 * 1024,
};

enum { ROUNDS = 10, SUMMARY_BYTES_MIN = 4096 };

struct maker {
    struct span raw;
    const struct message_limits *limits;
    struct mime mime;
    struct fields fields; /* of the message itself */
    struct buf block, basic, strings, scratch;
    uint32_t ends[BLOCK_SECTIONS];
    uint16_t flags;
};

static uint16_t byte_flags(struct span s, uint16_t eight, uint16_t nul)
{
    bool has_eight, has_nul;
    bytes_look(s, &has_eight, &has_nul);
    return (uint16_t)((has_eight ? eight : 0) | (has_nul ? nul : 0));
}

static void end_section(struct maker *mk, enum block_section i)
{
    mk->ends[i] = (uint32_t)mk->block.n;
}

static void put_field(struct maker *mk, enum block_section section, enum field_id id)
{
    header_unfold(mk->fields.value[id], &mk->block);
    end_section(mk, section);
}

static void put_keys(struct maker *mk)
{
    struct span value = mk->fields.value[FIELD_MESSAGE_ID], id;
    if (message_id_next(&value, &id))
        buf_put_span(&mk->block, id);
    end_section(mk, BLOCK_MESSAGE_ID);
    thread_references(&mk->fields, &mk->block);
    end_section(mk, BLOCK_REFERENCES);
    thread_base_subject(mk->fields.value[FIELD_SUBJECT], &mk->block);
    end_section(mk, BLOCK_BASE_SUBJECT);
    thread_sender(&mk->fields, &mk->block, &mk->scratch);
    end_section(mk, BLOCK_FROM_FIRST);
    news_groups(mk->fields.value[FIELD_NEWSGROUPS], &mk->block);
    end_section(mk, BLOCK_NEWSGROUPS);
    put_field(mk, BLOCK_FOLLOWUP_TO, FIELD_FOLLOWUP_TO);
    put_field(mk, BLOCK_DISTRIBUTION, FIELD_DISTRIBUTION);
    put_field(mk, BLOCK_CONTROL, FIELD_CONTROL);
    put_field(mk, BLOCK_APPROVED, FIELD_APPROVED);
}

static uint16_t put_lower(struct buf *out, struct span s)
{
    size_t start = out->n;
    s = span_head(s, BLOCK_STRING_MAX);
    buf_put_span(out, s);
    for (size_t i = start; i < out->n; i++)
        out->p[i] = ascii_lower(out->p[i]);
    return (uint16_t)(out->n - start);
}

static uint16_t put_charset(struct maker *mk, const struct mime_node *n)
{
    struct span charset;
    if (!span_is(n->type, "text") || !param_find(n->params, "charset", &mk->scratch, &charset))
        return 0;
    charset = span_head(span_trim(charset), BLOCK_STRING_MAX);
    buf_put_span(&mk->strings, charset);
    return (uint16_t)charset.n;
}

static void put_part(struct maker *mk, const struct mime_node *n)
{
    struct buf *b = &mk->block;
    wr_u32(b, n->header_at);
    wr_u32(b, n->header_end - n->header_at);
    wr_u32(b, n->body_at);
    wr_u32(b, n->body_end - n->body_at);
    wr_u32(b, n->next);
    wr_u32(b, (uint32_t)mk->strings.n);
    uint16_t type = put_lower(&mk->strings, n->type);
    buf_putc(&mk->strings, '/');
    type = (uint16_t)(type + 1 + put_lower(&mk->strings, n->subtype));
    wr_u16(b, type);
    wr_u16(b, put_lower(&mk->strings, mime_encoding(n)));
    wr_u16(b, put_charset(mk, n));
    wr_u8(b, n->kind);
    wr_u8(b, 0);
    wr_u32(b, n->body_lines);
}

static void put_parts(struct maker *mk)
{
    for (uint32_t i = 0; i < mk->mime.count; i++)
        put_part(mk, &mk->mime.nodes[i]);
    end_section(mk, BLOCK_PARTS);
    buf_put_span(&mk->block, buf_span(&mk->strings));
    end_section(mk, BLOCK_STRINGS);
}

static void patch(struct maker *mk)
{
    struct date d = {INT64_MIN, 0};
    struct buf head BUF_AUTO = BUF(BLOCK_HEAD_BYTES);
    const struct mime_node *root = &mk->mime.nodes[0];
    date_parse_rfc5322(mk->fields.value[FIELD_DATE], &d);
    wr_u32(&head, BLOCK_MAGIC | (uint32_t)BLOCK_VERSION << 24);
    wr_u32(&head, (uint32_t)mk->block.n);
    wr_u32(&head, (uint32_t)mk->raw.n);
    wr_u16(&head, mk->flags);
    wr_u16(&head, (uint16_t)d.zone_minutes);
    wr_i64(&head, d.seconds);
    wr_u32(&head, root->header_end);
    wr_u32(&head, root->body_lines);
    wr_u32(&head, mk->mime.count);
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        wr_u32(&head, mk->ends[i]);
    CHECK(head.n == BLOCK_HEAD_BYTES);
    memcpy(mk->block.p, head.p, head.n);
}

static void set_flags(struct maker *mk)
{
    struct span raw = mk->raw;
    mk->flags |= byte_flags(raw, SUMMARY_HAS_8BIT, SUMMARY_HAS_NUL);
    if (mk->flags & SUMMARY_HAS_8BIT)
        for (uint32_t i = 0; i < mk->mime.count; i++) {
            const struct mime_node *n = &mk->mime.nodes[i];
            struct span header = span_sub(raw, n->header_at, n->header_end - n->header_at);
            mk->flags |= byte_flags(header, SUMMARY_HEADER_8BIT, 0);
        }
    if (mime_has_attachment(&mk->mime, &mk->scratch))
        mk->flags |= SUMMARY_ATTACHMENT;
    if (news_valid(&mk->fields))
        mk->flags |= SUMMARY_NEWS_VALID;
    if (mk->mime.truncated)
        mk->flags |= SUMMARY_TRUNCATED;
}

/* False: the block exceeds its limit. */
static bool make(struct maker *mk)
{
    const struct message_limits *l = mk->limits;
    mime_parse(mk->raw, l, &mk->mime);
    fields_collect(span_head(mk->raw, mk->mime.nodes[0].header_end), l, &mk->fields);
    CHECK(buf_reserve(&mk->block, SUMMARY_BYTES_MIN));
    memset(mk->block.p, 0, BLOCK_HEAD_BYTES);
    buf_commit(&mk->block, BLOCK_HEAD_BYTES);
    bool all = envelope_print(&mk->block, &mk->fields, l, &mk->scratch);
    end_section(mk, BLOCK_ENVELOPE);
    all &= bodystructure_print(&mk->block, &mk->basic, mk->raw, &mk->mime, l, &mk->scratch);
    end_section(mk, BLOCK_BODYSTRUCTURE);
    buf_put_span(&mk->block, buf_span(&mk->basic));
    end_section(mk, BLOCK_BODY);
    news_overview(&mk->fields, &mk->block);
    end_section(mk, BLOCK_OVERVIEW);
    put_keys(mk);
    put_parts(mk);
    if (mk->block.overflow || mk->basic.overflow || mk->strings.overflow)
        return false;
    if (!all)
        mk->flags |= SUMMARY_TRUNCATED;
    set_flags(mk);
    patch(mk);
    return true;
}

/* Each round a quarter of the last one's; the header shrinks faster, since one long field is
 * answered several times. */
static struct message_limits tighten(struct message_limits l, int round)
{
    uint32_t header_max = l.summary_bytes / 4 >> (2 * (round - 1));
    l.header_bytes = l.header_bytes < header_max ? l.header_bytes : header_max;
    l.header_fields = l.header_fields >> (2 * round) | 1;
    l.parts = l.parts >> (2 * round) | 1;
    l.depth >>= round;
    l.addresses = l.addresses >> (2 * round) | 1;
    return l;
}

int summary_make(struct span raw, const struct message_limits *limits, struct buf *out)
{
    struct message_limits base = limits ? *limits : message_limits_default;
    struct maker mk = {.raw = span_head(raw, UINT32_MAX - 1)};
    if (base.summary_bytes < SUMMARY_BYTES_MIN)
        base.summary_bytes = SUMMARY_BYTES_MIN;
    mk.block = mk.basic = mk.strings = BUF(base.summary_bytes);
    for (int round = 0; round < ROUNDS; round++) {
        struct message_limits l = round ? tighten(base, round) : base;
        mk.limits = &l;
        mk.flags = round ? SUMMARY_TRUNCATED : 0;
        if (make(&mk))
            break;
        CHECK(round + 1 < ROUNDS);
        mime_done(&mk.mime);
        buf_clear(&mk.block);
        buf_clear(&mk.basic);
        buf_clear(&mk.strings);
    }
    mime_done(&mk.mime);
    size_t start = out->n;
    bool fits = buf_put_span(out, buf_span(&mk.block));
    buf_done(&mk.block);
    buf_done(&mk.basic);
    buf_done(&mk.strings);
    buf_done(&mk.scratch);
    if (!fits)
        buf_truncate(out, start);
    return fits ? 0 : -E2BIG;
}
