/* build.c: header fields of our own. Everything that comes from outside is cleaned on its way in.
 */
#include "message/build.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/utf8.h"
#include "message/words.h"

enum { LINE_MAX_COLUMNS = 78, WORD_MAX_BYTES = 900 };

/* What may stand in a host name or an address literal. */
static bool is_host_byte(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (c && strchr(".-_:[]", c));
}

static void put_host(struct buf *out, struct span host)
{
    size_t start = out->n;
    for (size_t i = 0; i < host.n && i < 255; i++)
        if (is_host_byte(host.p[i]))
            buf_putc(out, host.p[i]);
    if (out->n == start)
        buf_put_cstr(out, "localhost");
}

bool build_message_id(struct buf *out, struct span host)
{
    buf_printf(out, "<%llu.", (unsigned long long)clock_ms());
    random_token(out, 16);
    buf_putc(out, '@');
    put_host(out, host);
    buf_putc(out, '>');
    return !out->overflow;
}

/* A byte that would end the field, the comment or the item it stands in becomes "?". */
static void put_clean(struct buf *out, struct span s, const char *also)
{
    bool utf8 = utf8_valid(s);
    for (size_t i = 0; i < s.n && i < 1000; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool bad = c < 32 || c == 127 || (c > 127 && !utf8) || strchr(also, (char)c);
        buf_putc(out, bad ? '?' : (char)c);
    }
}

/* " label text", if there is text */
static void put_item(struct buf *out, const char *before, struct span s, const char *after)
{
    if (s.n == 0)
        return;
    buf_put_cstr(out, before);
    put_clean(out, s, " ()<>;\\");
    buf_put_cstr(out, after);
}

/*
 * Received: from HELO (NAME [ADDRESS]) CRLF HT by BY with WITH (TLS) id ID CRLF HT for <ADDRESS>;
 * DATE
 */
bool build_received(struct buf *out, const struct build_received *r)
{
    buf_put_cstr(out, "Received:");
    put_item(out, " from ", r->helo, "");
    if (r->peer_name.n || r->peer_address.n) {
        buf_put_cstr(out, r->helo.n ? " (" : " from unknown (");
        put_item(out, "", r->peer_name, r->peer_address.n ? " " : "");
        put_item(out, "[", r->peer_address, "]");
        buf_putc(out, ')');
    }
    put_item(out, "\r\n\tby ", r->by, "");
    put_item(out, " with ", r->with, "");
    if (r->tls.n) {
        buf_put_cstr(out, " (");
        put_clean(out, r->tls, "()\\");
        buf_putc(out, ')');
    }
    put_item(out, " id ", r->id, "");
    if (r->for_address.n) {
        buf_put_cstr(out, "\r\n\tfor <");
        put_clean(out, r->for_address, "<>");
        buf_putc(out, '>');
    }
    buf_put_cstr(out, ";\r\n\t");
    date_print_rfc5322(out, r->when);
    buf_put_cstr(out, "\r\n");
    return !out->overflow;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One line without control bytes, blanks at both ends gone; bytes that are no UTF-8 become U+FFFD.
 */
static void clean_value(struct buf *out, struct span value)
{
    utf8_scrub(out, span_trim(value));
    for (size_t i = 0; i < out->n; i++)
        if ((unsigned char)out->p[i] < 32 || out->p[i] == 127)
            out->p[i] = ' ';
    while (out->n && out->p[out->n - 1] == ' ')
        out->n--;
}

static size_t word_bytes(struct span s)
{
    size_t n = 0;
    while (n < s.n && !is_blank(s.p[n]))
        n++;
    return n;
}

static size_t blank_bytes(struct span s)
{
    size_t n = 0;
    while (n < s.n && is_blank(s.p[n]))
        n++;
    return n;
}

static bool word_needs_encoding(struct span word)
{
    return !utf8_is_ascii(word) || span_find_span(word, SPAN("=?")) != SPAN_NONE;
}

/* The words that must be encoded, neighbours together with the blanks between them; all others stay
 * readable. */
static void encode_words(struct buf *out, struct span s)
{
    while (s.n) {
        size_t blanks = blank_bytes(s);
        buf_put_span(out, span_head(s, blanks));
        s = span_skip(s, blanks);
        size_t run = word_bytes(s);
        if (!word_needs_encoding(span_head(s, run))) {
            buf_put_span(out, span_head(s, run));
            s = span_skip(s, run);
            continue;
        }
        for (;;) {
            struct span rest = span_skip(s, run);
            size_t gap = blank_bytes(rest), next = word_bytes(span_skip(rest, gap));
            if (next == 0 || !word_needs_encoding(span_sub(rest, gap, next)))
                break;
            run += gap + next;
        }
        words_encode(span_head(s, run), out);
        s = span_skip(s, run);
    }
}

/* Words with the blanks before them; a line end goes before the blanks. Words longer than a line
 * may be are cut. */
static void put_folded(struct buf *out, struct span s, size_t column)
{
    bool first = true;
    while (s.n) {
        size_t blanks = blank_bytes(s), word = word_bytes(span_skip(s, blanks));
        if (word > WORD_MAX_BYTES)
            for (word = WORD_MAX_BYTES;
                 word > 1 && ((unsigned char)s.p[blanks + word] & 0xc0) == 0x80;)
                word--;
        if (!first && column + blanks + word > LINE_MAX_COLUMNS) {
            buf_put_cstr(out, blanks ? "\r\n" : "\r\n ");
            column = 0;
        }
        buf_put_span(out, span_head(s, blanks + word));
        column += blanks + word;
        s = span_skip(s, blanks + word);
        first = false;
    }
}

bool build_field(struct buf *out, const char *name, struct span value, bool utf8)
{
    struct buf clean BUF_AUTO = BUF(3 * value.n + 1), coded BUF_AUTO = BUF(24 * value.n + 100);
    clean_value(&clean, value);
    if (utf8)
        buf_put_span(&coded, buf_span(&clean));
    else
        encode_words(&coded, buf_span(&clean));
    buf_put_cstr(out, name);
    buf_put_cstr(out, ": ");
    put_folded(out, buf_span(&coded), strlen(name) + 2);
    buf_put_cstr(out, "\r\n");
    return !out->overflow && !coded.overflow;
}
