#include "message/bytes.h"

/* Vectors of the compiler: machines without such registers get what they have. */
typedef unsigned char lanes __attribute__((vector_size(16)));
enum { LANES = sizeof(lanes), LANE_MAX = 255 };

static lanes load(const char *p)
{
    lanes v;
    memcpy(&v, p, sizeof(v));
    return v;
}

uint32_t bytes_count(struct span s, char c)
{
    lanes want = (lanes){0} + (unsigned char)c;
    uint32_t n = 0;

    while (s.n >= LANES) {
        size_t rounds = s.n / LANES < LANE_MAX ? s.n / LANES : LANE_MAX;
        lanes seen = {0};
        for (size_t i = 0; i < rounds; i++) /* true is all ones: minus one */
            seen -= (lanes)(load(s.p + i * LANES) == want);
        for (size_t i = 0; i < LANES; i++)
            n += seen[i];
        s = span_skip(s, rounds * LANES);
    }
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

void bytes_look(struct span s, bool *ret_eight, bool *ret_nul)
{
    lanes all = {0}, zero = {0};
    unsigned char any = 0, none = 0;
    size_t at = 0;

    for (; s.n - at >= LANES; at += LANES) {
        lanes v = load(s.p + at);
        all |= v;
        zero |= (lanes)(v == 0);
    }
    for (size_t i = 0; i < LANES; i++) {
        any |= all[i];
        none |= zero[i];
    }
    for (size_t i = at; i < s.n; i++) {
        any |= (unsigned char)s.p[i];
        none |= (unsigned char)(s.p[i] == 0);
    }
    *ret_eight = any & 128;
    *ret_nul = none != 0;
}
