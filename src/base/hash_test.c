#include "base/hash.h"

#include "unit/unit.h"

TEST(siphash)
{
    /* key 0, input 00 01 02 ...; from CPython 3.11's bytes hash under PYTHONHASHSEED=0, an
     * implementation not ours */
    static const struct {
        size_t n;
        uint64_t want;
    } rows[] = {
        {1,  0x68a914128e01e473},
        {2,  0x010bac45c41e3669},
        {3,  0x4d4c9a4a8ef6e0ad},
        {4,  0x7cc43f98813e4dbd},
        {5,  0x5abe2169dff36275},
        {6,  0xe3c25f87624f1cdb},
        {7,  0x2f098ab0c751325a},
        {8,  0xead411e67ebe2eea},
        {9,  0x75927f9d95124362},
        {15, 0xf30eb725bb91c9ea},
        {16, 0x8972188433a5c5b7},
        {17, 0x4883c49a2c009c1d},
        {31, 0x169739443111d49b},
        {63, 0x385d3e39e5f37359},
    };
    unsigned char input[64];

    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(hash_siphash13((struct hash_key){0, 0}, span_of(input, rows[i].n)) == rows[i].want);
}

TEST(keyed_by_process)
{
    /* 2^-64 of a false alarm each */
    EXPECT(hash_span(SPAN("a")) != hash_siphash13((struct hash_key){0, 0}, SPAN("a")));
    EXPECT(hash_span(SPAN("a")) != hash_span(SPAN("b")));
    EXPECT(hash_span(SPAN("a")) == span_hash(SPAN("a")));
    EXPECT(hash_span(SPAN_EMPTY) == hash_span(SPAN("")));

    uint64_t v = 0x1122334455667788;
    EXPECT(hash_u64(v) == hash_span(span_of(&v, 8))); /* on a little-endian machine */
}
