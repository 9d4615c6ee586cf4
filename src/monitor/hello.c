#include "monitor/hello.h"

#include "base/check.h"
#include "base/random.h"

#include <openssl/ssl.h>

enum { RECORD_HEAD = 5, RECORD_MAX = (1 << 14) + 2048, MESSAGE_HEAD = 4, RANDOM_BYTES = 32 };
enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, SERVER_HELLO = 2 };
enum { SSL_2_CLIENT_HELLO = 1, SSL_2_SERVER_HELLO = 4, SSL_2_CHALLENGE = 16 };
enum { EXT_RENEGOTIATION_INFO = 0xff01 };

static const struct suite {
    uint16_t number;
    uint8_t group;
    const char *name;
} suites[] = {
#define SUITE(number, group, name) {number, HELLO_##group, name},
#include "monitor/suites.def"
#undef SUITE
};
_Static_assert(ARRAY_LEN(suites) <= HELLO_SUITES_MAX, "more than one hello should offer");

/* Of SSL 2.0: RC4, RC2, IDEA, DES, 3DES. */
static const char suites_2[] = "\1\0\x80\2\0\x80\3\0\x80\4\0\x80\5\0\x80\6\0\x40\7\0\xc0\x8\0\x80";
enum { SUITES_2_BYTES = sizeof suites_2 - 1 };

const char *hello_version_name(unsigned version)
{
    static const char *const names[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"};

    if (version == HELLO_SSL_2)
        return "SSL 2.0";
    version -= HELLO_SSL_3;
    return version < ARRAY_LEN(names) ? names[version] : "an unknown version";
}

const char *hello_suite_name(unsigned suite)
{
    for (size_t i = 0; i < ARRAY_LEN(suites); i++)
        if (suites[i].number == suite)
            return suites[i].name;
    return NULL;
}

const char *hello_alert_name(unsigned alert)
{
    return SSL_alert_desc_string_long((int)alert);
}

/* ---- the offer --------------------------------------------------------------------------- */

static void put_16(struct buf *out, unsigned n)
{
    buf_putc(out, (char)(n >> 8));
    buf_putc(out, (char)n);
}

/* A length in front that is not known yet. */
static size_t begin(struct buf *out)
{
    put_16(out, 0);
    return out->n;
}

static void end(struct buf *out, size_t start)
{
    size_t n = out->n - start;

    CHECK(n <= 0xffff && !out->overflow);
    out->p[start - 2] = (char)(n >> 8);
    out->p[start - 1] = (char)n;
}

static void put_random(struct buf *out, size_t n)
{
    unsigned char bytes[RANDOM_BYTES];

    CHECK(n <= sizeof bytes);
    random_bytes(bytes, n);
    buf_put(out, bytes, n);
}

/* RFC 6066 section 3 */
static void put_name(const char *name, struct buf *out)
{
    size_t all, list, one;

    put_16(out, 0);
    all = begin(out);
    list = begin(out);
    buf_putc(out, 0);
    one = begin(out);
    buf_put_cstr(out, name);
    end(out, one);
    end(out, list);
    end(out, all);
}

/* RFC 7301 */
static void put_alpn(const char *name, struct buf *out)
{
    size_t all, list;

    put_16(out, 16);
    all = begin(out);
    list = begin(out);
    buf_putc(out, (char)strlen(name));
    buf_put_cstr(out, name);
    end(out, list);
    end(out, all);
}

/* What servers want to know before they take a suite. */
static const struct {
    uint16_t type;
    uint8_t n;
    const char *bytes;
} others[] = {
  /* P-256, P-384, P-521, X25519, secp256k1, secp224r1, secp192r1 */
    {10,                     16, "\0\16\0\27\0\30\0\31\0\35\0\26\0\25\0\23"                               },
    {11,                     2,  "\1\0"                                                                   },
 /* everything that signs, from Ed25519 to DSA and RSA with SHA-1 */
    {13,                     32, "\0\36\x8\7\x8\x8\4\3\5\3\6\3\x8\4\x8\5\x8\6\4\1\5\1\6\1\2\3\2\1\4\2\2\2"},
    {EXT_RENEGOTIATION_INFO, 1,  "\0"                                                                     },
};

static void put_extensions(const struct hello_offer *o, struct buf *out)
{
    size_t all = begin(out);

    if (o->name != NULL)
        put_name(o->name, out);
    if (o->alpn != NULL)
        put_alpn(o->alpn, out);
    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        put_16(out, others[i].type);
        put_16(out, others[i].n);
        buf_put(out, others[i].bytes, others[i].n);
    }
    end(out, all);
}

/* A server that goes by the client's order must not be led to what it cannot do after all: one that
 * has no parameters for finite Diffie-Hellman ends the handshake where that stands first. So elliptic
 * curves come first, which have the higher numbers. */
static const uint8_t order[] = {HELLO_GOOD,      HELLO_CBC,       HELLO_RSA_KEY,
                                HELLO_OLD,       HELLO_SHORT,     HELLO_PLAIN,
                                HELLO_FIXED_KEY, HELLO_ANONYMOUS, HELLO_FINITE};

static void put_suites(const struct hello_offer *o, struct buf *out)
{
    size_t all = begin(out);

    for (unsigned g = 0; g < ARRAY_LEN(order); g++)
        for (size_t i = ARRAY_LEN(suites); (o->groups >> order[g] & 1) && i-- > 0;)
            if (suites[i].group == order[g])
                put_16(out, suites[i].number);
    if (o->version ==
        HELLO_SSL_3) /* it has no extensions: the way to ask for RFC 5746 all the same */
        put_16(out, 0x00ff);
    end(out, all);
}

/* Netscape's SSL 2.0 specification, CLIENT-HELLO */
static void put_ssl_2(struct buf *out)
{
    size_t start = begin(out);

    buf_putc(out, SSL_2_CLIENT_HELLO);
    put_16(out, HELLO_SSL_2);
    put_16(out, SUITES_2_BYTES);
    put_16(out, 0);
    put_16(out, SSL_2_CHALLENGE);
    buf_put(out, suites_2, SUITES_2_BYTES);
    put_random(out, SSL_2_CHALLENGE);
    end(out, start);
    out->p[start - 2] = (char)(out->p[start - 2] | 0x80);
}

void hello_put(const struct hello_offer *o, struct buf *out)
{
    size_t record, message;

    if (o->version == HELLO_SSL_2) {
        put_ssl_2(out);
        return;
    }
    buf_putc(out, RECORD_HANDSHAKE);
    put_16(out, o->version < HELLO_TLS_1_0 ? o->version : HELLO_TLS_1_0);
    record = begin(out);
    buf_put(out, "\1\0", 2); /* ClientHello, below 64 KiB */
    message = begin(out);
    put_16(out, o->version);
    put_random(out, RANDOM_BYTES);
    buf_putc(out, 0); /* no session to go on with */
    put_suites(o, out);
    if (o->compression)
        buf_put(out, "\2\1\0", 3);
    else
        buf_put(out, "\1\0", 2);
    if (o->version != HELLO_SSL_3)
        put_extensions(o, out);
    end(out, message);
    end(out, record);
}

/* ---- the answer -------------------------------------------------------------------------- */

/* Takes n bytes off the front as a number; false: they are not there. */
static bool take(struct span *s, unsigned n, unsigned *ret)
{
    unsigned v = 0;

    if (s->n < n)
        return false;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | (unsigned char)s->p[i];
    *s = span_skip(*s, n);
    *ret = v;
    return true;
}

static bool take_span(struct span *s, size_t n, struct span *ret)
{
    if (s->n < n)
        return false;
    *ret = span_head(*s, n);
    *s = span_skip(*s, n);
    return true;
}

/* RFC 5246 section 7.4.1.3 */
static enum hello_kind read_server_hello(struct span body, struct hello_answer *ret)
{
    struct hello_answer a = {.version = 0};
    struct span ignored, all;
    unsigned n, compression;

    if (!take(&body, 2, &a.version) || !take_span(&body, RANDOM_BYTES, &ignored) ||
        !take(&body, 1, &n) || n > 32 || !take_span(&body, n, &ignored) ||
        !take(&body, 2, &a.suite) || !take(&body, 1, &compression))
        return HELLO_NONSENSE;
    a.compressed = compression != 0;
    if (body.n > 0) {
        if (!take(&body, 2, &n) || !take_span(&body, n, &all) || body.n > 0)
            return HELLO_NONSENSE;
        while (all.n > 0) {
            unsigned type;
            if (!take(&all, 2, &type) || !take(&all, 2, &n) || !take_span(&all, n, &ignored))
                return HELLO_NONSENSE;
            a.secure_renegotiation |= type == EXT_RENEGOTIATION_INFO;
        }
    }
    *ret = a;
    return HELLO_TAKEN;
}

/* A message may lie in several records. */
static enum hello_kind read_handshake(struct span message, struct hello_answer *ret)
{
    unsigned type, n;
    struct span body;

    if (message.n > 0 && message.p[0] != SERVER_HELLO)
        return HELLO_NONSENSE;
    if (!take(&message, 1, &type) || !take(&message, 3, &n))
        return HELLO_MORE;
    if (n > HELLO_BYTES_MAX - MESSAGE_HEAD)
        return HELLO_NONSENSE;
    return take_span(&message, n, &body) ? read_server_hello(body, ret) : HELLO_MORE;
}

/* Its length, type 4, hit, type of the certificate, version, lengths of certificate, suites, id. */
static enum hello_kind read_ssl_2(struct span bytes, struct hello_answer *ret)
{
    struct hello_answer a = {.version = 0};
    unsigned head, n;

    if (!take(&bytes, 2, &head) || !take(&bytes, 3, &n) || !take(&bytes, 2, &a.version) ||
        !take(&bytes, 2, &n) || !take(&bytes, 2, &n))
        return HELLO_MORE;
    if (a.version != HELLO_SSL_2)
        return HELLO_NONSENSE;
    if (n == 0) /* it would, but has no suite in common */
        return HELLO_REFUSED;
    *ret = a;
    return HELLO_TAKEN;
}

enum hello_kind hello_parse(struct span bytes, struct hello_answer *ret)
{
    struct buf message BUF_AUTO = BUF(HELLO_BYTES_MAX);

    if (bytes.n > 0 && bytes.p[0] & 0x80 && (bytes.n < 3 || bytes.p[2] == SSL_2_SERVER_HELLO))
        return read_ssl_2(bytes, ret);
    while (bytes.n > 0) {
        unsigned type, version, n, level = 0, alert = 0;
        struct span body = SPAN_EMPTY;
        enum hello_kind kind;
        if (bytes.p[0] != RECORD_ALERT && bytes.p[0] != RECORD_HANDSHAKE)
            return HELLO_NONSENSE;
        if (!take(&bytes, 1, &type) || !take(&bytes, 2, &version) || !take(&bytes, 2, &n))
            return HELLO_MORE;
        if (version >> 8 != 3 || n == 0 || n > RECORD_MAX)
            return HELLO_NONSENSE;
        body = span_head(bytes, n);
        bytes = span_skip(bytes, body.n);
        if (type == RECORD_HANDSHAKE) {
            buf_put_span(&message, span_head(body, message.max - message.n));
            if ((kind = read_handshake(buf_span(&message), ret)) != HELLO_MORE)
                return kind;
        } else if (body.n == n) {
            if (n != 2 || message.n > 0)
                return HELLO_NONSENSE;
            take(&body, 1, &level);
            take(&body, 1, &alert);
            if (level == 2 || alert == SSL_AD_CLOSE_NOTIFY) { /* a warning is not the end */
                ret->alert = alert;
                return HELLO_REFUSED;
            }
        }
    }
    return HELLO_MORE;
}
