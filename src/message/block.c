/* block.c: reading a block. Every number in it is doubted before it is used. */
#include "message/block.h"

static uint16_t get16(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint16_t)(u[0] | u[1] << 8);
}

static uint32_t get32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static uint64_t get64(const char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static struct span section(struct span block, enum block_section i)
{
    uint32_t from = i ? get32(block.p + BLOCK_ENDS_AT + 4 * (i - 1)) : BLOCK_HEAD_BYTES;
    return span_between(block.p + from, block.p + get32(block.p + BLOCK_ENDS_AT + 4 * i));
}

static bool ends_valid(struct span block)
{
    uint32_t at = BLOCK_HEAD_BYTES;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++) {
        uint32_t end = get32(block.p + BLOCK_ENDS_AT + 4 * i);
        if (end < at || end > block.n)
            return false;
        at = end;
    }
    return at == block.n;
}

bool summary_open(struct span b, struct summary *ret)
{
    if (b.n < BLOCK_HEAD_BYTES || get32(b.p) != (BLOCK_MAGIC | (uint32_t)BLOCK_VERSION << 24) ||
        get32(b.p + 4) != b.n || !ends_valid(b))
        return false;
    uint32_t parts = get32(b.p + 32), raw = get32(b.p + 8), header = get32(b.p + 24);
    if (parts == 0 || section(b, BLOCK_PARTS).n != (uint64_t)parts * BLOCK_PART_BYTES ||
        header > raw)
        return false;
    *ret = (struct summary){
        .block = b,
        .envelope = section(b, BLOCK_ENVELOPE),
        .body = section(b, BLOCK_BODY),
        .bodystructure = section(b, BLOCK_BODYSTRUCTURE),
        .overview = section(b, BLOCK_OVERVIEW),
        .message_id = section(b, BLOCK_MESSAGE_ID),
        .references = section(b, BLOCK_REFERENCES),
        .base_subject = section(b, BLOCK_BASE_SUBJECT),
        .from_first = section(b, BLOCK_FROM_FIRST),
        .newsgroups = section(b, BLOCK_NEWSGROUPS),
        .followup_to = section(b, BLOCK_FOLLOWUP_TO),
        .distribution = section(b, BLOCK_DISTRIBUTION),
        .control = section(b, BLOCK_CONTROL),
        .approved = section(b, BLOCK_APPROVED),
        .sent_seconds = (int64_t)get64(b.p + 16),
        .sent_zone_minutes = (int16_t)get16(b.p + 14),
        .header_bytes = header,
        .body_lines = get32(b.p + 28),
        .part_count = parts,
        .raw_bytes = raw,
        .flags = get16(b.p + 12),
    };
    return true;
}

static const char *part_record(const struct summary *s, uint32_t index)
{
    return section(s->block, BLOCK_PARTS).p + (size_t)index * BLOCK_PART_BYTES;
}

static enum mime_kind part_kind(const struct summary *s, uint32_t index)
{
    unsigned char kind = (unsigned char)part_record(s, index)[30];
    bool has_child = index + 1 < s->part_count;
    return has_child && kind <= MIME_MESSAGE ? (enum mime_kind)kind : MIME_LEAF;
}

static bool range_valid(const struct summary *s, uint32_t at, uint32_t bytes)
{
    return at <= s->raw_bytes && bytes <= s->raw_bytes - at;
}

bool summary_part_at(const struct summary *s, uint32_t index, struct part_range *ret)
{
    if (index >= s->part_count)
        return false;
    const char *p = part_record(s, index);
    struct part_range r = {.header_at = get32(p),
                           .header_bytes = get32(p + 4),
                           .body_at = get32(p + 8),
                           .body_bytes = get32(p + 12),
                           .body_lines = get32(p + 32)};
    if (!range_valid(s, r.header_at, r.header_bytes) || !range_valid(s, r.body_at, r.body_bytes))
        return false;
    if (part_kind(s, index) == MIME_MESSAGE) {
        const char *in = part_record(s, index + 1);
        r.inner_header_at = get32(in);
        r.inner_header_bytes = get32(in + 4);
        r.inner_body_at = get32(in + 8);
        r.inner_body_bytes = get32(in + 12);
        if (!range_valid(s, r.inner_header_at, r.inner_header_bytes) ||
            !range_valid(s, r.inner_body_at, r.inner_body_bytes))
            return false;
    }
    struct span strings = section(s->block, BLOCK_STRINGS);
    size_t at = get32(p + 20), type = get16(p + 24), encoding = get16(p + 26),
           charset = get16(p + 28);
    if (at > strings.n || type + encoding + charset > strings.n - at)
        return false;
    r.type = span_sub(strings, at, type);
    r.encoding = span_sub(strings, at + type, encoding);
    r.charset = span_sub(strings, at + type + encoding, charset);
    *ret = r;
    return true;
}

/* The n-th child, from 1. Siblings only ever lie further on, which bounds the walk in any block. */
static bool nth_child(const struct summary *s, uint32_t index, uint32_t n, uint32_t *ret)
{
    uint32_t child = index + 1;
    while (child < s->part_count && --n > 0) {
        uint32_t next = get32(part_record(s, child) + 16);
        if (next <= child)
            return false;
        child = next;
    }
    if (child >= s->part_count || n > 0)
        return false;
    *ret = child;
    return true;
}

/*
 * RFC 9051 section 6.4.5.1: numbers count the parts of a multipart. A message that is no multipart
 * has one part, number 1, its own body. Below a message/rfc822 part the numbers are those of the
 * message inside.
 */
bool summary_part(const struct summary *s, const uint32_t *path, size_t depth,
                  struct part_range *ret)
{
    uint32_t at = 0;
    bool message = true; /* `at` is the root of a message that no number has named yet */
    for (size_t i = 0; i < depth; i++) {
        if (path[i] == 0)
            return false;
        if (!message && part_kind(s, at) == MIME_MESSAGE) {
            at++;
            message = true;
        }
        if (part_kind(s, at) == MIME_MULTIPART) {
            if (!nth_child(s, at, path[i], &at))
                return false;
        } else if (!message || path[i] != 1) {
            return false;
        }
        message = false;
    }
    return summary_part_at(s, at, ret);
}
