#include "message/transfer.h"

static const struct {
    const char *name;
    enum transfer_kind kind;
} kinds[] = {
    {"",                 TRANSFER_IDENTITY},
    {"7bit",             TRANSFER_IDENTITY},
    {"8bit",             TRANSFER_IDENTITY},
    {"binary",           TRANSFER_IDENTITY},
    {"7-bit",            TRANSFER_IDENTITY},
    {"8-bit",            TRANSFER_IDENTITY},
    {"8bits",            TRANSFER_IDENTITY},
    {"7bits",            TRANSFER_IDENTITY},
    {"plain",            TRANSFER_IDENTITY},
    {"none",             TRANSFER_IDENTITY},
    {"quoted-printable", TRANSFER_QP      },
    {"base64",           TRANSFER_BASE64  },
};

enum transfer_kind transfer_kind(struct span encoding)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (span_is(encoding, kinds[i].name))
            return kinds[i].kind;
    return TRANSFER_UNKNOWN;
}

static size_t decode_identity(struct span *in, char *out, size_t room)
{
    size_t n = in->n < room ? in->n : room;
    if (n)
        memcpy(out, in->p, n);
    *in = span_skip(*in, n);
    return n;
}

static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Each character past the first of a group completes one byte. */
static size_t decode_base64(struct transfer *t, struct span *in, char *out, size_t room)
{
    size_t n = 0, i = 0;
    for (; i < in->n && n < room; i++) {
        int v = base64_value((unsigned char)in->p[i]);
        if (v < 0) {
            if (in->p[i] == '=')
                t->have = 0; /* the group ends; some programs join several encoded texts */
            continue;
        }
        t->bits = (t->bits << 6 | (uint32_t)v) & 0xffffff;
        if (t->have++ == 0)
            continue;
        unsigned left =
            8 - 2 * t->have; /* 2nd: 4, 3rd: 2, 4th: 0 bits that belong to the next byte */
        out[n++] = (char)(t->bits >> left & 0xff);
        t->have &= 3;
    }
    *in = span_skip(*in, i);
    return n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Length of a soft line break "=" *blank [CR] LF at s, or 0. */
static size_t soft_break(struct span s)
{
    size_t i = 1;
    while (i < s.n && i < 80 && (s.p[i] == ' ' || s.p[i] == '\t'))
        i++;
    if (i < s.n && s.p[i] == '\r')
        i++;
    return i < s.n && s.p[i] == '\n' ? i + 1 : 0;
}

enum { QP_BLANKS_MAX = 1000 };

/* Blanks before a line end, or the end, were added in transport and are dropped. */
static size_t qp_blanks(struct span s, bool *ret_trailing)
{
    size_t i = 0;
    while (i < s.n && i < QP_BLANKS_MAX && (s.p[i] == ' ' || s.p[i] == '\t'))
        i++;
    *ret_trailing = i == s.n || s.p[i] == '\r' || s.p[i] == '\n';
    return i;
}

/* One "=" sequence at s: how long it is, and its byte, or -1 for none. */
static size_t qp_sequence(struct span s, int *ret_byte)
{
    size_t soft = soft_break(s);
    int hi = s.n > 2 ? hex_value(s.p[1]) : -1, lo = s.n > 2 ? hex_value(s.p[2]) : -1;
    *ret_byte = soft ? -1 : hi >= 0 && lo >= 0 ? hi << 4 | lo : '=';
    return soft ? soft : hi >= 0 && lo >= 0 ? 3 : 1;
}

static size_t decode_qp(struct span *in, char *out, size_t room)
{
    size_t n = 0, i = 0;
    while (i < in->n && n < room) {
        char c = in->p[i];
        struct span rest = span_skip(*in, i);
        if (c == '=') {
            int byte;
            i += qp_sequence(rest, &byte);
            if (byte >= 0)
                out[n++] = (char)byte;
        } else if (c == ' ' || c == '\t') {
            bool trailing;
            size_t run = qp_blanks(rest, &trailing);
            if (!trailing) {
                run = run < room - n ? run : room - n;
                memcpy(out + n, rest.p, run);
                n += run;
            }
            i += run;
        } else {
            out[n++] = c;
            i++;
        }
    }
    *in = span_skip(*in, i);
    return n;
}

size_t transfer_decode(struct transfer *t, struct span *in, char *out, size_t room)
{
    if (t->kind == TRANSFER_BASE64)
        return decode_base64(t, in, out, room);
    if (t->kind == TRANSFER_QP)
        return decode_qp(in, out, room);
    return decode_identity(in, out, room);
}
