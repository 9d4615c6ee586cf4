#include "base/codec.h"

#include "unit/unit.h"

static void write_all(struct buf *b)
{
    wr_u8(b, 0xff);
    wr_u16(b, 0x1234);
    wr_u32(b, 0xfedcba98);
    wr_u64(b, 0x0123456789abcdef);
    wr_i64(b, INT64_MIN);
    wr_bool(b, true);
    wr_bool(b, false);
    wr_varint(b, 300);
    wr_span(b, SPAN("a\0b"));
    wr_cstr(b, "name");
    wr_cstr(b, NULL);
    wr_raw(b, "xyz", 3);
}

/* Reads it all; false after an error. */
static bool read_all(struct span s, bool check)
{
    struct rd r = rd_of(s);
    char name[5];
    uint8_t u8 = rd_u8(&r);
    uint16_t u16 = rd_u16(&r);
    uint32_t u32 = rd_u32(&r);
    uint64_t u64 = rd_u64(&r);
    int64_t i64 = rd_i64(&r);
    bool yes = rd_bool(&r), no = rd_bool(&r);
    uint64_t var = rd_varint(&r);
    struct span text = rd_span(&r, 3);
    rd_cstr(&r, name, sizeof name);
    struct span none = rd_span(&r, 0), raw = rd_raw(&r, 3);

    if (check) {
        EXPECT(u8 == 0xff && u16 == 0x1234 && u32 == 0xfedcba98 && u64 == 0x0123456789abcdef);
        EXPECT(i64 == INT64_MIN && yes && !no && var == 300);
        EXPECT_SPAN(text, SPAN("a\0b"));
        EXPECT_STR(name, "name");
        EXPECT_INT(none.n, 0);
        EXPECT_SPAN(raw, SPAN("xyz"));
    }
    return rd_done(&r);
}

TEST(round_trip)
{
    BUF_AUTO struct buf b = BUF(1000);

    write_all(&b);
    EXPECT(!b.overflow);
    EXPECT(read_all(buf_span(&b), true));
    EXPECT_SPAN(span_head(buf_span(&b), 7), SPAN("\xff\x34\x12\x98\xba\xdc\xfe"));
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!read_all(span_head(buf_span(&b), n), false));
    wr_u8(&b, 0);
    EXPECT(!read_all(buf_span(&b), false)); /* something left over */
}

TEST(every_limit_of_the_writer)
{
    BUF_AUTO struct buf whole = BUF(1000);

    write_all(&whole);
    for (size_t max = 0; max < whole.n; max++) {
        BUF_AUTO struct buf b = BUF(max);
        write_all(&b);
        EXPECT(b.overflow);
        EXPECT_SPAN(buf_span(&b), span_head(buf_span(&whole), b.n));
    }
}

TEST(varint)
{
    static const struct {
        uint64_t v;
        struct span bytes;
    } rows[] = {
        {0,                 {"\x00", 1}                                     },
        {127,               {"\x7f", 1}                                     },
        {128,               {"\x80\x01", 2}                                 },
        {300,               {"\xac\x02", 2}                                 },
        {UINT64_MAX,        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10}},
        {(uint64_t)1 << 63, {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10}},
    };
    static const struct span wrong[] = {
        {"",                                             0 },
        {"\x80",                                         1 },
        {"\x80\x00",                                     2 }, /* longer than need be */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",     10}, /* 65 bits */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = BUF(10);
        wr_varint(&b, rows[i].v);
        EXPECT_SPAN(buf_span(&b), rows[i].bytes);
        struct rd r = rd_of(rows[i].bytes);
        EXPECT(rd_varint(&r) == rows[i].v && rd_done(&r));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rd r = rd_of(wrong[i]);
        EXPECT_INT(rd_varint(&r), 0);
        EXPECT(r.bad && !rd_done(&r));
    }
}

TEST(sticky_error)
{
    struct rd r = rd_of(SPAN("\x02\x01\x01\x01\x01"));
    char text[4] = "zzz";

    EXPECT(!rd_bool(&r)); /* 2 is no bool */
    EXPECT(r.bad);
    EXPECT_INT(rd_u8(&r), 0);
    EXPECT_INT(rd_u32(&r), 0);
    EXPECT_INT(rd_span(&r, 9).n, 0);
    EXPECT(!rd_raw(&r, 0).p);
    rd_cstr(&r, text, sizeof text);
    EXPECT_STR(text, "");
    EXPECT(!rd_done(&r));

    r = rd_of(SPAN("a"));
    rd_fail(&r);
    EXPECT_INT(rd_u8(&r), 0);
    EXPECT(!rd_done(&r));
}

TEST(lengths)
{
    char text[3];
    struct rd r = rd_of(SPAN("\x03\0\0\0abc"));
    EXPECT_INT(rd_span(&r, 2).n, 0);
    EXPECT(r.bad);
    r = rd_of(SPAN("\xff\xff\xff\xff"
                   "abc"));
    EXPECT_INT(rd_span(&r, SIZE_MAX).n, 0);
    EXPECT(r.bad);
    r = rd_of(SPAN("\x03\0\0\0abc"));
    rd_cstr(&r, text, sizeof text);
    EXPECT(r.bad);
    r = rd_of(SPAN("\x02\0\0\0a\0"));
    rd_cstr(&r, text, sizeof text);
    EXPECT(r.bad);
    r = rd_of(SPAN("\x02\0\0\0ab"));
    rd_cstr(&r, text, sizeof text);
    EXPECT_STR(text, "ab");
    EXPECT(rd_done(&r));
    r = rd_of(SPAN_EMPTY);
    EXPECT(rd_done(&r));
    EXPECT_INT(rd_raw(&r, 0).n, 0);
    EXPECT(rd_done(&r));
}
