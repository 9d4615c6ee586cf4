#include "base/hash.h"

#include "base/random.h"

static struct hash_key process_key;

/* Before main and before any jail, so that no table ever sees another key. */
__attribute__((constructor)) static void draw_key(void)
{
    process_key.k0 = random_u64();
    process_key.k1 = random_u64();
}

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static inline void sip_round(struct sip *v)
{
    v->a += v->b;
    v->c += v->d;
    v->b = rotl(v->b, 13) ^ v->a;
    v->d = rotl(v->d, 16) ^ v->c;
    v->a = rotl(v->a, 32);
    v->c += v->b;
    v->a += v->d;
    v->b = rotl(v->b, 17) ^ v->c;
    v->d = rotl(v->d, 21) ^ v->a;
    v->c = rotl(v->c, 32);
}

static inline struct sip sip_start(struct hash_key key)
{
    return (struct sip){
        key.k0 ^ 0x736f6d6570736575,
        key.k1 ^ 0x646f72616e646f6d,
        key.k0 ^ 0x6c7967656e657261,
        key.k1 ^ 0x7465646279746573,
    };
}

static inline void sip_word(struct sip *v, uint64_t word)
{
    v->d ^= word;
    sip_round(v);
    v->a ^= word;
}

static inline uint64_t sip_end(struct sip *v, uint64_t tail)
{
    sip_word(v, tail);
    v->c ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v->a ^ v->b ^ v->c ^ v->d;
}

uint64_t hash_siphash13(struct hash_key key, struct span s)
{
    struct sip v = sip_start(key);
    uint64_t tail = (uint64_t)s.n << 56;

    for (; s.n >= 8; s = span_skip(s, 8)) {
        uint64_t word;
        memcpy(&word, s.p, 8);
        sip_word(&v, word);
    }
    for (size_t i = 0; i < s.n; i++)
        tail |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
    return sip_end(&v, tail);
}

uint64_t hash_span(struct span s)
{
    return hash_siphash13(process_key, s);
}

uint64_t hash_u64(uint64_t value)
{
    struct sip v = sip_start(process_key);

    sip_word(&v, value);
    return sip_end(&v, (uint64_t)8 << 56);
}

uint64_t span_hash(struct span s)
{
    return hash_span(s);
}
