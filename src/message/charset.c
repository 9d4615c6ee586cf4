/*
 * charset.c: opened converters are kept, a few, because headers use the same one word after word;
 * the cache belongs to the thread and grows to its fixed size only.
 */
#include "message/charset.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/udata.h>

enum { NAME_MAX_BYTES = 40, CACHED = 8, CHUNK = 512 };

struct charset {
    char name[NAME_MAX_BYTES + 1];
    UConverter *icu;
    UChar lead; /* first half of a surrogate pair, 0: none */
    bool busy;
};

static _Thread_local struct charset cache[CACHED];
static _Thread_local unsigned cache_next;

/* What mail says and ICU does not know, or knows as something narrower than what is sent under that
 * name. */
static const struct {
    const char *name, *icu;
} aliases[] = {
    {"latin1",            "windows-1252"     },
    {"latin-1",           "windows-1252"     },
    {"iso-8859-1",        "windows-1252"     },
    {"iso8859-1",         "windows-1252"     },
    {"ansi",              "windows-1252"     },
    {"gb2312",            "gb18030"          },
    {"gb_2312-80",        "gb18030"          },
    {"gbk",               "gb18030"          },
    {"x-gbk",             "gb18030"          },
    {"ks_c_5601-1987",    "windows-949"      },
    {"ks_c_5601",         "windows-949"      },
    {"euc-kr",            "windows-949"      },
    {"shift_jis",         "ibm-943_P15A-2003"},
    {"x-sjis",            "ibm-943_P15A-2003"},
    {"big5",              "windows-950"      },
    {"unicode-1-1-utf-7", "utf-7"            },
    {"iso-8859-8-i",      "iso-8859-8"       },
    {"iso-8859-11",       "windows-874"      },
    {"tis-620",           "windows-874"      },
};

/* Converters that are no charset of text but wrap others, or that no mail program sends and that
 * ICU parses at length. */
static const char *const refused[] = {"lmbcs", "imap", "x11", "scsu",
                                      "bocu",  "cesu", "x-",  "ebcdic"};

bool charset_is_ascii_kind(struct span name)
{
    static const char *const names[] = {"us-ascii", "utf-8",          "utf8",
                                        "ascii",    "ansi_x3.4-1968", "unknown-8bit"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (span_is(name, names[i]))
            return true;
    return name.n == 0;
}

/* Lower case into dst; false for what cannot be a charset's name. "," would give ICU options. */
static bool name_clean(struct span name, char *dst)
{
    if (name.n == 0 || name.n > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = ascii_lower(name.p[i]);
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !strchr("-_.:+()", c))
            return false;
        if (c == 0)
            return false;
        dst[i] = c;
    }
    dst[name.n] = 0;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (strncmp(dst, refused[i], strlen(refused[i])) == 0 && strcmp(dst, "x-sjis") != 0 &&
            strcmp(dst, "x-gbk") != 0)
            return false;
    return true;
}

static const char *icu_name(const char *name)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
        if (strcmp(aliases[i].name, name) == 0)
            return aliases[i].icu;
    return name;
}

/* ICU's own callback would give U+001A for single bytes. */
static void U_CALLCONV on_bad_bytes(const void *context, UConverterToUnicodeArgs *args,
                                    const char *bytes, int32_t n, UConverterCallbackReason reason,
                                    UErrorCode *e)
{
    static const UChar replacement = 0xfffd;
    if (reason > UCNV_IRREGULAR)
        return;
    *e = U_ZERO_ERROR;
    ucnv_cbToUWriteUChars(args, &replacement, 1, 0, e);
}

static UConverter *icu_open(const char *name)
{
    UErrorCode e = U_ZERO_ERROR;
    /* the tables lie in the library's own data segment; a jailed process must not even try the file
     * system */
    udata_setFileAccess(UDATA_NO_FILES, &e);
    e = U_ZERO_ERROR;
    UConverter *icu = ucnv_open(icu_name(name), &e);
    if (U_FAILURE(e))
        return NULL;
    ucnv_setToUCallBack(icu, on_bad_bytes, NULL, NULL, NULL, &e);
    return icu;
}

static struct charset *cache_find(const char *name)
{
    for (size_t i = 0; i < CACHED; i++)
        if (cache[i].icu && !cache[i].busy && strcmp(cache[i].name, name) == 0)
            return &cache[i];
    return NULL;
}

static struct charset *cache_slot(void)
{
    for (size_t i = 0; i < CACHED; i++) {
        struct charset *c = &cache[cache_next++ % CACHED];
        if (c->busy)
            continue;
        if (c->icu)
            ucnv_close(c->icu);
        *c = (struct charset){.busy = false};
        return c;
    }
    return calloc(1, sizeof(struct charset));
}

struct charset *charset_open(struct span name)
{
    char clean[NAME_MAX_BYTES + 1];
    if (charset_is_ascii_kind(name) || !name_clean(name, clean))
        return NULL;
    struct charset *c = cache_find(clean);
    if (!c) {
        UConverter *icu = icu_open(clean);
        if (!icu)
            return NULL;
        c = cache_slot();
        if (!c) {
            ucnv_close(icu);
            return NULL;
        }
        memcpy(c->name, clean, sizeof(clean));
        c->icu = icu;
    }
    ucnv_reset(c->icu);
    c->lead = 0;
    c->busy = true;
    return c;
}

void charset_close(struct charset *c)
{
    if (!c)
        return;
    c->busy = false;
    if (c < cache || c >= cache + CACHED) {
        ucnv_close(c->icu);
        free(c);
    }
}

void charset_forget(void)
{
    for (size_t i = 0; i < CACHED; i++)
        if (cache[i].icu && !cache[i].busy) {
            ucnv_close(cache[i].icu);
            cache[i].icu = NULL;
        }
}

/* One code point of UTF-16 off units[*i]; a lone surrogate gives U+FFFD. */
static uint32_t next_code_point(const UChar *units, int n, int *i)
{
    uint32_t c = units[(*i)++];
    if (c >= 0xd800 && c < 0xdc00 && *i < n && units[*i] >= 0xdc00 && units[*i] < 0xe000)
        return 0x10000 + ((c - 0xd800) << 10) + (units[(*i)++] - 0xdc00u);
    return (c >= 0xd800 && c < 0xe000) || c == 0 ? 0xfffd : c;
}

/* buf_put's overflow would stay set: a text cut at the limit is no error here */
static bool put_code_point(struct buf *out, uint32_t c)
{
    return out->max - out->n >= 4 && utf8_put(out, c);
}

/* The first half of a pair at the end of what is there waits for the second. */
static int hold_lead(struct charset *c, const UChar *units, int n)
{
    if (n == 0 || units[n - 1] < 0xd800 || units[n - 1] >= 0xdc00)
        return n;
    c->lead = units[n - 1];
    return n - 1;
}

void charset_feed(struct charset *c, struct span bytes, bool last, struct buf *out)
{
    UChar units[CHUNK];
    const char *p = bytes.n ? bytes.p : "", *end = p + bytes.n;
    UErrorCode e;
    do {
        UChar *to = units;
        if (c->lead)
            *to++ = c->lead;
        c->lead = 0;
        e = U_ZERO_ERROR;
        ucnv_toUnicode(c->icu, &to, units + CHUNK, &p, end, NULL, last, &e);
        bool more = !last || e == U_BUFFER_OVERFLOW_ERROR;
        int i = 0, n = (int)(to - units);
        if (more)
            n = hold_lead(c, units, n);
        while (i < n)
            if (!put_code_point(out, next_code_point(units, n, &i)))
                return;
    } while (e == U_BUFFER_OVERFLOW_ERROR);
}

static const uint16_t windows_1252[32] = {
    0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178};

static void guess_other(struct span bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char b = (unsigned char)bytes.p[i];
        uint32_t c = b >= 0x80 && b < 0xa0 ? windows_1252[b - 0x80] : b ? b : 0xfffd;
        if (!put_code_point(out, c))
            return;
    }
}

void charset_guess(struct span bytes, struct buf *out)
{
    if (!utf8_valid(bytes) || span_has(bytes, 0)) {
        if (utf8_valid(bytes)) {
            uint32_t c;
            while (utf8_next(&bytes, &c) && put_code_point(out, c ? c : 0xfffd))
                ;
        } else {
            guess_other(bytes, out);
        }
        return;
    }
    size_t room = out->max - out->n, n = bytes.n;
    if (n > room) /* whole characters only */
        for (n = room; n > 0 && ((unsigned char)bytes.p[n] & 0xc0) == 0x80; n--)
            ;
    buf_put(out, bytes.p, n);
}

bool charset_to_utf8(struct span name, struct span bytes, struct buf *out)
{
    if (charset_is_ascii_kind(name)) {
        charset_guess(bytes, out);
        return true;
    }
    struct charset *c = charset_open(name);
    if (!c)
        return false;
    charset_feed(c, bytes, true, out);
    charset_close(c);
    return true;
}

bool charset_known(struct span name)
{
    struct charset *c = charset_open(name);
    bool known = c || charset_is_ascii_kind(name);
    charset_close(c);
    return known;
}
