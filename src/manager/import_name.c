/* import_name.c: names of folders in file systems and what they are called here. */
#include "base/utf8.h"
#include "manager/import.h"

#include <stdio.h>

enum { FILE_NAME_MAX = 200, LEVEL_MAX = 4 * STORE_NAME_MAX };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool put_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
    if (unit >= 0xd800 && unit <= 0xdbff) {
        *high = unit;
        return true;
    }
    if (unit >= 0xdc00 && unit <= 0xdfff) {
        if (*high == 0)
            return false;
        unit = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
        *high = 0;
    }
    return unit != 0 && utf8_put(out, unit);
}

/* Modified UTF-7 with less rigour than a server has for its clients: characters that need no shift
 * may stand in one, as '.' does in Maildir++ names of ours. */
static bool decode_loosely(struct span s, struct buf *out)
{
    uint32_t bits = 0, high = 0;
    unsigned have = 0;
    bool shifted = false, empty = false;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        const char *at = c != '\0' ? strchr(digits, c) : NULL;
        if (!shifted && c == '&') {
            shifted = empty = true;
            bits = have = 0;
        } else if (!shifted) {
            if ((unsigned char)c < 0x20 || (unsigned char)c > 0x7e || !buf_putc(out, c))
                return false;
        } else if (c == '-') {
            if ((empty && !buf_putc(out, '&')) || high != 0)
                return false;
            shifted = false;
        } else if (at == NULL) {
            return false;
        } else {
            empty = false;
            bits = (bits << 6 | (uint32_t)(at - digits)) & 0x3fffff;
            have += 6;
            if (have >= 16) {
                have -= 16;
                if (!put_unit(out, bits >> have & 0xffff, &high))
                    return false;
            }
        }
    }
    return !shifted;
}

void import_name_level(struct span raw, struct buf *out)
{
    size_t before = out->n;

    if (utf8_is_ascii(raw) && decode_loosely(raw, out))
        return;
    buf_truncate(out, before);
    if (utf8_valid(raw)) {
        buf_put_span(out, raw);
        return;
    }
    for (size_t i = 0; i < raw.n; i++)
        utf8_put(out, (unsigned char)raw.p[i]);
}

bool import_name_fit(struct span name, struct buf *out)
{
    struct buf clean BUF_AUTO = BUF(LEVEL_MAX);
    bool changed = false;
    char last = '/';

    utf8_scrub(&clean, span_head(name, LEVEL_MAX / 4));
    for (size_t i = 0; i < clean.n; i++) {
        unsigned char c = (unsigned char)clean.p[i];
        if (c < 0x20 || c == 0x7f)
            c = '_';
        if (c == '/' && last == '/')
            continue;
        buf_putc(out, (char)c);
        last = (char)c;
    }
    while (out->n > 0 && out->p[out->n - 1] == '/')
        buf_truncate(out, out->n - 1);
    if (out->n > STORE_NAME_MAX) {
        /* what is cut off still tells names apart */
        char tail[24];
        int n = snprintf(tail, sizeof tail, "~%016llx", (unsigned long long)import_hash(name));
        size_t keep = STORE_NAME_MAX - (size_t)n;
        while (keep > 0 && ((unsigned char)out->p[keep] & 0xc0) == 0x80)
            keep--;
        buf_truncate(out, keep);
        buf_put(out, tail, (size_t)n);
    }
    if (out->n == 0)
        buf_put_cstr(out, "_");
    changed = !span_eq(buf_span(out), name);
    return changed;
}

/* One ASCII character as a shift of its own. */
static void put_shifted(struct buf *out, unsigned char c)
{
    uint32_t bits = (uint32_t)c << 2;

    buf_putc(out, '&');
    buf_putc(out, digits[bits >> 12 & 63]);
    buf_putc(out, digits[bits >> 6 & 63]);
    buf_putc(out, digits[bits & 63]);
    buf_putc(out, '-');
}

void import_name_file(struct span level, bool dots, struct buf *out)
{
    bool taken =
        span_eq_cstr(level, "cur") || span_eq_cstr(level, "new") || span_eq_cstr(level, "tmp");
    size_t before = out->n;
    struct buf encoded BUF_AUTO = BUF(LEVEL_MAX);

    for (size_t i = 0; i < level.n;) {
        size_t end = i;
        bool first = i == 0 && (taken || level.p[0] == '.');
        while (end < level.n && !(level.p[end] == '.' && dots) && !(end == 0 && first))
            end++;
        utf7_imap_encode(&encoded, span_sub(level, i, end - i));
        if (end < level.n)
            put_shifted(&encoded, (unsigned char)level.p[end++]);
        i = end;
    }
    if (encoded.n <= FILE_NAME_MAX) {
        buf_put_span(out, buf_span(&encoded));
        return;
    }
    /* A file system takes 255 bytes: the front, and a hash of all. */
    struct buf hash BUF_AUTO = BUF(32);
    buf_printf(&hash, "~%016llx", (unsigned long long)import_hash(level));
    size_t keep = 0;
    for (size_t i = 0; i < FILE_NAME_MAX - 40;) {
        size_t end = encoded.p[i] == '&' ? span_find(span_skip(buf_span(&encoded), i), '-') : 0;
        i += end + 1;
        if (i < FILE_NAME_MAX - 40)
            keep = i;
    }
    buf_put_span(out, span_head(buf_span(&encoded), keep));
    buf_put_span(out, buf_span(&hash));
    (void)before;
}
