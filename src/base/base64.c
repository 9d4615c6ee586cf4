#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* value + 1, so that 0 is "foreign" */
static unsigned char standard_value[256], url_value[256];

__attribute__((constructor)) static void fill_tables(void)
{
    for (unsigned char i = 0; i < 64; i++) {
        standard_value[(unsigned char)standard[i]] = i + 1;
        url_value[(unsigned char)url_safe[i]] = i + 1;
    }
}

static bool encode(struct buf *b, struct span s, const char *digits, bool pad)
{
    size_t rest = s.n % 3;

    if (s.n > SIZE_MAX / 2) {
        b->overflow = true;
        return false;
    }
    size_t n = s.n / 3 * 4 + (rest == 0 ? 0 : pad ? 4 : rest + 1);
    char *at = buf_reserve(b, n);
    if (!at)
        return false;

    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t left = s.n / 3; left; left--, p += 3, at += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        at[0] = digits[v >> 18];
        at[1] = digits[v >> 12 & 63];
        at[2] = digits[v >> 6 & 63];
        at[3] = digits[v & 63];
    }
    if (rest) {
        uint32_t v = (uint32_t)p[0] << 16 | (rest == 2 ? (uint32_t)p[1] << 8 : 0);
        at[0] = digits[v >> 18];
        at[1] = digits[v >> 12 & 63];
        if (rest == 2)
            at[2] = digits[v >> 6 & 63];
        if (pad) {
            at[3] = '=';
            if (rest == 1)
                at[2] = '=';
        }
    }
    buf_commit(b, n);
    return true;
}

bool base64_encode(struct buf *b, struct span s)
{
    return encode(b, s, standard, true);
}

bool base64url_encode(struct buf *b, struct span s)
{
    return encode(b, s, url_safe, false);
}

/* Digits only, no padding; what is left over at the end must be zero bits. */
static bool decode(struct buf *b, struct span s, const unsigned char *value)
{
    size_t rest = s.n % 4, n = s.n / 4 * 3 + (rest ? rest - 1 : 0);
    const unsigned char *p = (const unsigned char *)s.p;

    if (rest == 1)
        return false;
    char *at = buf_reserve(b, n);
    if (!at)
        return false;
    for (size_t left = s.n / 4; left; left--, p += 4, at += 3) {
        uint32_t a = value[p[0]], c = value[p[1]], d = value[p[2]], f = value[p[3]];
        if (!a || !c || !d || !f)
            return false;
        uint32_t v = (a - 1) << 18 | (c - 1) << 12 | (d - 1) << 6 | (f - 1);
        at[0] = (char)(v >> 16);
        at[1] = (char)(v >> 8);
        at[2] = (char)v;
    }
    if (rest) {
        uint32_t a = value[p[0]], c = value[p[1]], d = rest == 3 ? value[p[2]] : 1;
        if (!a || !c || !d)
            return false;
        uint32_t v = (a - 1) << 18 | (c - 1) << 12 | (d - 1) << 6;
        if (v & (rest == 3 ? 0xff : 0xffff))
            return false;
        at[0] = (char)(v >> 16);
        if (rest == 3)
            at[1] = (char)(v >> 8);
    }
    buf_commit(b, n);
    return true;
}

bool base64_decode(struct buf *b, struct span s)
{
    if (s.n % 4)
        return false;
    for (int i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++)
        s.n--;
    return decode(b, s, standard_value);
}

bool base64url_decode(struct buf *b, struct span s)
{
    return decode(b, s, url_value);
}

bool base64_decode_lenient(struct buf *b, struct span s)
{
    uint32_t v = 0;
    unsigned have = 0;
    char *at = buf_reserve(b, s.n / 4 * 3 + 3);
    size_t n = 0;

    /* Foreign bytes may make the input much longer than what it holds: then step by step. */
    bool small = !at;
    if (small)
        b->overflow = false;

    for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
        uint32_t digit = standard_value[(unsigned char)s.p[i]];
        if (!digit)
            continue;
        v = v << 6 | (digit - 1);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        char byte = (char)(v >> have);
        if (small) {
            if (!buf_putc(b, byte))
                return false;
        } else {
            at[n++] = byte;
        }
    }
    if (!small)
        buf_commit(b, n);
    return true;
}

bool hex_encode(struct buf *b, struct span s)
{
    static const char hex[] = "0123456789abcdef";
    char *at = buf_reserve(b, s.n > SIZE_MAX / 2 ? SIZE_MAX : s.n * 2);

    if (!at)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        *at++ = hex[(unsigned char)s.p[i] >> 4];
        *at++ = hex[(unsigned char)s.p[i] & 15];
    }
    buf_commit(b, s.n * 2);
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct buf *b, struct span s)
{
    if (s.n % 2)
        return false;

    char *at = buf_reserve(b, s.n / 2);
    if (!at)
        return false;
    for (size_t i = 0; i < s.n; i += 2) {
        int hi = hex_value(s.p[i]), lo = hex_value(s.p[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        *at++ = (char)(hi << 4 | lo);
    }
    buf_commit(b, s.n / 2);
    return true;
}
