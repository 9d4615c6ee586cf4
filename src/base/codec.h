/*
 * codec.h: the one way to turn values into bytes and back: messages between processes, store records, files of our own.
 * Little-endian, no padding. Writers append to a buf (its overflow flag is the error). Readers have a sticky error: read
 * every field, then ask rd_done() once, which also demands that nothing is left over. After an error every read gives
 * zero or the empty span. Spans point into the input.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/buf.h"

void wr_u8(struct buf *b, uint8_t v);
void wr_u16(struct buf *b, uint16_t v);
void wr_u32(struct buf *b, uint32_t v);
void wr_u64(struct buf *b, uint64_t v);
void wr_i64(struct buf *b, int64_t v);
void wr_bool(struct buf *b, bool v);
void wr_varint(struct buf *b, uint64_t v);           /* LEB128, 1 to 10 bytes */
void wr_span(struct buf *b, struct span s);          /* u32 length, bytes */
void wr_cstr(struct buf *b, const char *s);          /* as wr_span; NULL as empty */
void wr_raw(struct buf *b, const void *p, size_t n); /* without a length */

struct rd {
    const unsigned char *p;
    size_t n;
    bool bad;
};

struct rd rd_of(struct span s);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
int64_t rd_i64(struct rd *r);
bool rd_bool(struct rd *r); /* only 0 and 1 */
uint64_t rd_varint(struct rd *r);
struct span rd_span(struct rd *r, size_t max); /* longer than max is an error */
struct span rd_raw(struct rd *r, size_t n);
void rd_fail(struct rd *r); /* a value that was read makes no sense */
/* A NUL-ended copy into dst; an error if it does not fit or holds a NUL. */
void rd_cstr(struct rd *r, char *dst, size_t size);
bool rd_done(const struct rd *r); /* no error and nothing left */

#endif
