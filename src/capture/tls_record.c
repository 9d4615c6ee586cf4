#include "capture/tls_record.h"

#include "base/check.h"

#include <stdio.h>

enum { TYPE_FIRST = 20, TYPE_CCS = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_DATA = 23 };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11, SERVER_KEY_EXCHANGE = 12 };
enum { EXT_SERVER_NAME = 0, EXT_SUPPORTED_VERSIONS = 43, EXT_KEY_SHARE = 51 };

const char *tls_type_name(unsigned type)
{
    static const char *const names[TLS_TYPES] = {"change cipher spec", "alert", "handshake",
                                                 "application data", "heartbeat"};

    return type < TLS_TYPES ? names[type] : "unknown";
}

const char *tls_version_name(unsigned version)
{
    static const char *const names[TLS_VERSIONS] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2",
                                                    "TLS 1.3"};

    return version >> 8 == 3 && (version & 255) < TLS_VERSIONS ? names[version & 255] : "none";
}

void tls_side_init(struct tls_side *s, bool from_server)
{
    memset(s, 0, sizeof *s);
    s->from_server = from_server;
    s->handshake = BUF(TLS_HANDSHAKE_MAX);
}

void tls_side_done(struct tls_side *s)
{
    buf_done(&s->handshake);
}

bool tls_looks_like_record(struct span b)
{
    const unsigned char *p = (const unsigned char *)b.p;
    unsigned n;

    if (b.n == 0 || p[0] < TYPE_FIRST || p[0] >= TYPE_FIRST + TLS_TYPES)
        return false;
    if ((b.n > 1 && p[1] != 3) || (b.n > 2 && p[2] >= TLS_VERSIONS))
        return false;
    if (b.n < 5)
        return true;
    n = (unsigned)p[3] << 8 | p[4];
    if (n > TLS_RECORD_MAX)
        return false;
    /* only application data may be empty (RFC 8446 section 5.1) */
    return n > 0 || p[0] == TYPE_DATA;
}

/* ---- big-endian reading with a sticky error ---------------------------------------------- */

struct reader {
    const unsigned char *p;
    size_t n;
    bool bad;
};

static unsigned rd_be(struct reader *r, unsigned bytes)
{
    unsigned v = 0;

    if (r->n < bytes) {
        r->bad = true;
        r->n = 0;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | r->p[i];
    r->p += bytes;
    r->n -= bytes;
    return v;
}

/* A vector with its length in front. */
static struct reader rd_vector(struct reader *r, unsigned length_bytes)
{
    size_t n = rd_be(r, length_bytes);
    struct reader v = {r->p, n, false};

    if (r->bad || n > r->n) {
        r->bad = true;
        r->n = 0;
        return (struct reader){NULL, 0, true};
    }
    r->p += n;
    r->n -= n;
    return v;
}

static void rd_skip(struct reader *r, size_t n)
{
    if (r->n < n) {
        r->bad = true;
        r->n = 0;
        return;
    }
    r->p += n;
    r->n -= n;
}

/* ---- hellos ------------------------------------------------------------------------------ */

static void take_sni(struct reader ext, struct tls_facts *f)
{
    struct reader list = rd_vector(&ext, 2);

    while (list.n > 0) {
        unsigned type = rd_be(&list, 1);
        struct reader name = rd_vector(&list, 2);
        if (list.bad || type != 0 || name.n == 0 || name.n > TLS_NAME_MAX)
            return;
        for (size_t i = 0; i < name.n; i++)
            f->sni[i] = name.p[i] > ' ' && name.p[i] < 127 ? (char)name.p[i] : '?';
        f->sni[name.n] = '\0';
        return;
    }
}

static bool client_hello(struct reader r, struct tls_facts *f)
{
    rd_skip(&r, 2 + 32);
    rd_vector(&r, 1);
    rd_vector(&r, 2);
    rd_vector(&r, 1);
    if (r.bad)
        return false;
    f->client_hello = true;
    if (r.n > 0) {
        struct reader all = rd_vector(&r, 2);
        while (all.n > 0) {
            unsigned type = rd_be(&all, 2);
            struct reader ext = rd_vector(&all, 2);
            if (!all.bad && type == EXT_SERVER_NAME)
                take_sni(ext, f);
        }
        return !all.bad && !r.bad;
    }
    return true;
}

/* RFC 8446 section 4.1.3: the random of a HelloRetryRequest */
static const unsigned char retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static bool server_hello(struct reader r, struct tls_facts *f, bool *ret_retry)
{
    unsigned version = rd_be(&r, 2), cipher;

    *ret_retry = r.n >= 32 && memcmp(r.p, retry_random, 32) == 0;
    rd_skip(&r, 32);
    rd_vector(&r, 1);
    cipher = rd_be(&r, 2);
    rd_skip(&r, 1);
    if (r.bad)
        return false;
    if (r.n > 0) {
        struct reader all = rd_vector(&r, 2);
        while (all.n > 0) {
            unsigned type = rd_be(&all, 2);
            struct reader ext = rd_vector(&all, 2);
            if (!all.bad && type == EXT_SUPPORTED_VERSIONS && ext.n == 2)
                version = rd_be(&ext, 2);
            else if (!all.bad && type == EXT_KEY_SHARE && ext.n >= 2)
                f->group = (uint16_t)rd_be(&ext, 2);
        }
        if (all.bad)
            return false;
    }
    f->server_hello = !*ret_retry;
    f->version = (uint16_t)version;
    f->cipher = (uint16_t)cipher;
    return true;
}

/* ---- certificate: its serial number only (X.509 section 4.1) ------------------------------ */

static struct reader der_inside(struct reader *r, unsigned want_tag)
{
    unsigned tag = rd_be(r, 1), n = rd_be(r, 1);
    struct reader v;

    if (n > 0x80 && n <= 0x83)
        n = rd_be(r, n - 0x80);
    else if (n >= 0x80)
        r->bad = true;
    if (r->bad || tag != want_tag || n > r->n) {
        r->bad = true;
        r->n = 0;
        return (struct reader){NULL, 0, true};
    }
    v = (struct reader){r->p, n, false};
    r->p += n;
    r->n -= n;
    return v;
}

static bool certificate(struct reader r, struct tls_facts *f)
{
    struct reader list = rd_vector(&r, 3), leaf = rd_vector(&list, 3), whole, inside, serial;
    size_t n = 0;

    whole = der_inside(&leaf, 0x30);
    inside = der_inside(&whole, 0x30);
    if (inside.n > 0 && inside.p[0] == 0xa0)
        der_inside(&inside, 0xa0);
    serial = der_inside(&inside, 0x02);
    if (inside.bad || serial.n == 0)
        return false;
    while (serial.n > 1 && serial.p[0] == 0)
        rd_skip(&serial, 1);
    f->certificate = true;
    for (size_t i = 0; i < serial.n && n + 3 < sizeof f->serial; i++)
        n += (size_t)snprintf(f->serial + n, sizeof f->serial - n, "%02x", serial.p[i]);
    return true;
}

/* ---- what a good server does not choose --------------------------------------------------- */

/* RFC 5246 and later: no encryption, no authentication, export, DES, RC4, and RSA key exchange. */
static bool is_weak(unsigned cipher)
{
    if (cipher >> 8 == 0x13)
        return false;
    if (cipher >> 8 == 0xcc)
        return cipher < 0xcca8 || cipher > 0xccaa;
    /* GCM and CCM with ephemeral keys: DHE (00), ECDHE (C0) */
    if (cipher == 0x009e || cipher == 0x009f)
        return false;
    if (cipher >= 0xc02b && cipher <= 0xc030)
        return cipher == 0xc02d || cipher == 0xc02e;
    if (cipher >= 0xc0ac && cipher <= 0xc0af)
        return false;
    return true;
}

static enum tls_fault judge_choice(const struct tls_facts *f)
{
    if (f->version < 0x0303)
        return TLS_OLD_VERSION;
    return is_weak(f->cipher) ? TLS_WEAK_CIPHER : TLS_FINE;
}

/* ---- messages ---------------------------------------------------------------------------- */

static enum tls_fault message(struct tls_side *s, struct tls_side *other, struct tls_facts *f,
                              unsigned type, struct reader body)
{
    bool retry = false;

    if (type == CLIENT_HELLO && !s->from_server)
        return client_hello(body, f) ? TLS_FINE : TLS_BROKEN_HELLO;
    if (type == SERVER_HELLO && s->from_server) {
        if (!server_hello(body, f, &retry))
            return TLS_BROKEN_HELLO;
        if (!retry && f->version == 0x0304)
            s->encrypted = other->encrypted = true;
        return judge_choice(f);
    }
    if (type == CERTIFICATE && s->from_server)
        return certificate(body, f) ? TLS_FINE : TLS_BROKEN_HELLO;
    /* named curve, then the group (RFC 8422 section 5.4) */
    if (type == SERVER_KEY_EXCHANGE && s->from_server && body.n >= 3 && body.p[0] == 3)
        f->group = (uint16_t)(body.p[1] << 8 | body.p[2]);
    return TLS_FINE;
}

static enum tls_fault messages(struct tls_side *s, struct tls_side *other, struct tls_facts *f)
{
    enum tls_fault fault = TLS_FINE;

    while (fault == TLS_FINE && s->handshake.n >= 4 && !s->encrypted) {
        const unsigned char *p = (const unsigned char *)s->handshake.p;
        size_t n = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (n + 4 > TLS_HANDSHAKE_MAX) {
            s->skip_handshake = true;
            buf_clear(&s->handshake);
            return TLS_BROKEN_HELLO;
        }
        if (s->handshake.n < n + 4)
            break;
        fault = message(s, other, f, p[0], (struct reader){p + 4, n, false});
        buf_consume(&s->handshake, n + 4);
    }
    if (s->encrypted)
        buf_done(&s->handshake);
    return fault;
}

/* A piece of a record's body. */
static enum tls_fault body(struct tls_side *s, struct tls_side *other, struct tls_facts *f,
                           struct span piece)
{
    unsigned type = s->header[0];

    if (s->encrypted)
        return TLS_FINE;
    if (type == TYPE_HANDSHAKE && !s->skip_handshake) {
        if (!buf_put_span(&s->handshake, piece)) {
            s->skip_handshake = true;
            buf_clear(&s->handshake);
            return TLS_BROKEN_HELLO;
        }
        return messages(s, other, f);
    }
    if (type == TYPE_ALERT) {
        for (size_t i = 0; i < piece.n && s->alert_n < 2; i++)
            s->alert[s->alert_n++] = (unsigned char)piece.p[i];
        if (s->alert_n == 2 && f->alert_level == 0) {
            f->alert_level = s->alert[0];
            f->alert = s->alert[1];
        }
    }
    return TLS_FINE;
}

/* The five bytes of a header are there. */
static enum tls_fault begin_record(struct tls_side *s, const struct tls_facts *f,
                                   struct tls_counts *counts)
{
    enum tls_fault fault = TLS_FINE;

    if (!tls_looks_like_record(span_of(s->header, 5))) {
        s->lost = true;
        return TLS_NO_RECORD;
    }
    s->left = (uint32_t)s->header[3] << 8 | s->header[4];
    counts->records[s->header[0] - TYPE_FIRST][s->header[2]]++;
    counts->bytes += 5 + s->left;
    /* a client may send data with its first message (RFC 8446 section 4.2.10), a server never */
    if (s->header[0] == TYPE_DATA && !s->encrypted &&
        (s->from_server || (f->server_hello && f->version != 0x0304)))
        fault = TLS_EARLY_DATA;
    s->header_n = s->left == 0 ? 0 : 5;
    return fault;
}

static void end_record(struct tls_side *s, const struct tls_facts *f)
{
    /* with TLS 1.3 it says nothing (RFC 8446 appendix D.4) */
    if (s->header[0] == TYPE_CCS && f->server_hello && f->version != 0x0304)
        s->encrypted = true;
    s->header_n = 0;
    s->alert_n = 0;
}

size_t tls_feed(struct tls_side *s, struct tls_side *other, struct tls_facts *f,
                struct tls_counts *counts, struct span bytes, enum tls_fault *ret)
{
    size_t at = 0;

    *ret = TLS_FINE;
    while (at < bytes.n && *ret == TLS_FINE && !s->lost) {
        if (s->header_n < 5) {
            s->header[s->header_n++] = (unsigned char)bytes.p[at++];
            if (s->header_n == 5)
                *ret = begin_record(s, f, counts);
            else if (!tls_looks_like_record(span_of(s->header, s->header_n))) {
                s->lost = true;
                *ret = TLS_NO_RECORD;
            }
        } else {
            struct span piece = span_sub(bytes, at, s->left);
            at += piece.n;
            s->left -= (uint32_t)piece.n;
            *ret = body(s, other, f, piece);
            if (s->left == 0)
                end_record(s, f);
        }
    }
    return at;
}
