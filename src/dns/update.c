#include "dns/update.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TYPE_SOA = 6,
    TYPE_TXT = 16,
    TYPE_TLSA = 52,
    TYPE_TSIG = 250,
    CLASS_IN = 1,
    CLASS_NONE = 254,
    CLASS_ANY = 255,
    OPCODE_UPDATE = 5,
    HEADER = 12,
    FUDGE = 300,
    TRIES = 4,
    TRY_MS = 3000,
};

/* --- names and numbers on the wire */

static void put16(struct buf *b, unsigned v)
{
    buf_putc(b, (char)(v >> 8));
    buf_putc(b, (char)v);
}

static void put32(struct buf *b, uint32_t v)
{
    put16(b, v >> 16);
    put16(b, v & 0xffff);
}

static void put_time(struct buf *b, int64_t t)
{
    put16(b, (unsigned)((uint64_t)t >> 32) & 0xffff);
    put32(b, (uint32_t)t);
}

static void set16(struct buf *b, size_t at, unsigned v)
{
    b->p[at] = (char)(v >> 8);
    b->p[at + 1] = (char)v;
}

static unsigned get16(struct span s, size_t at)
{
    return (unsigned)(unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1];
}

/* Lower case, which is also the canonical form. False: no name. */
static bool put_name(struct buf *b, const char *name)
{
    struct span rest = span_cstr(name), label;
    size_t before = b->n;

    while (span_split(&rest, '.', &label)) {
        if (label.n == 0 || label.n > 63)
            return false;
        buf_putc(b, (char)label.n);
        for (size_t i = 0; i < label.n; i++)
            buf_putc(b, ascii_lower(label.p[i]));
    }
    return b->n > before && buf_putc(b, '\0') && b->n - before <= 255;
}

static const struct {
    const char *name, *digest;
    size_t bytes;
} hmacs[] = {
    [DNS_HMAC_SHA256] = {"hmac-sha256", "SHA256", 32},
    [DNS_HMAC_SHA384] = {"hmac-sha384", "SHA384", 48},
    [DNS_HMAC_SHA512] = {"hmac-sha512", "SHA512", 64},
};

/* --- TSIG (RFC 8945 section 4.2 and 4.3) */

struct tsig {
    int64_t time;
    unsigned fudge, error;
    struct span other;
};

static void put_variables(struct buf *b, const struct dns_key *k, const struct tsig *t)
{
    put_name(b, k->name);
    put16(b, CLASS_ANY);
    put32(b, 0);
    put_name(b, hmacs[k->algorithm].name);
    put_time(b, t->time);
    put16(b, t->fudge);
    put16(b, t->error);
    put16(b, (unsigned)t->other.n);
    buf_put_span(b, t->other);
}

static bool mac_of(const struct dns_key *k, const struct dns_mac *request, struct span message,
                   const struct tsig *t, struct dns_mac *ret)
{
    struct buf text BUF_AUTO = BUF(2 * DNS_UPDATE_MAX + 65536);
    unsigned n = 0;

    if (request) {
        put16(&text, (unsigned)request->n);
        buf_put(&text, request->bytes, request->n);
    }
    buf_put_span(&text, message);
    put_variables(&text, k, t);
    if (text.overflow || k->secret.n == 0 ||
        !HMAC(EVP_get_digestbyname(hmacs[k->algorithm].digest), k->secret.p, (int)k->secret.n,
              (const unsigned char *)text.p, text.n, ret->bytes, &n))
        return false;
    ret->n = n;
    return true;
}

static int sign(struct buf *b, const struct dns_key *k, uint16_t id, int64_t now,
                struct dns_mac *ret_mac, struct err *e)
{
    struct tsig t = {.time = now, .fudge = FUDGE};
    size_t length;

    if (!mac_of(k, NULL, buf_span(b), &t, ret_mac))
        return err_set(e, -EINVAL, "the TSIG key %s cannot sign; is its file empty?", k->name);
    set16(b, 10, 1); /* one additional record */
    if (!put_name(b, k->name))
        return err_set(e, -EINVAL, "%s is no name of a TSIG key", k->name);
    put16(b, TYPE_TSIG);
    put16(b, CLASS_ANY);
    put32(b, 0);
    length = b->n;
    put16(b, 0);
    put_name(b, hmacs[k->algorithm].name);
    put_time(b, now);
    put16(b, FUDGE);
    put16(b, (unsigned)ret_mac->n);
    buf_put(b, ret_mac->bytes, ret_mac->n);
    put16(b, id);
    put16(b, 0);
    put16(b, 0);
    if (!b->overflow)
        set16(b, length, (unsigned)(b->n - length - 2));
    return 0;
}

/* --- the question */

static bool put_rdata(const struct dns_update *u, struct buf *out)
{
    size_t n = u->text ? strlen(u->text) : u->tlsa->bytes;

    if (n > (u->text ? (size_t)DNS_UPDATE_TEXT_MAX : sizeof(u->tlsa->data)))
        return false;
    if (u->text) {
        put16(out, (unsigned)n + 1);
        buf_putc(out, (char)n);
        buf_put(out, u->text, n);
        return true;
    }
    put16(out, (unsigned)n + 3);
    buf_putc(out, (char)u->tlsa->usage);
    buf_putc(out, (char)u->tlsa->selector);
    buf_putc(out, (char)u->tlsa->matching);
    buf_put(out, u->tlsa->data, n);
    return true;
}

int dns_update_build(const struct dns_update *u, const struct dns_key *k, uint16_t id, int64_t now,
                     struct buf *out, struct dns_mac *ret_mac, struct err *e)
{
    int rc = 0;

    put16(out, id);
    put16(out, OPCODE_UPDATE << 11);
    put16(out, 1); /* the zone */
    put16(out, 0);
    put16(out, 1); /* one change */
    put16(out, 0);
    if (!put_name(out, u->zone))
        return err_set(e, -EINVAL, "%s is no name of a zone", u->zone);
    put16(out, TYPE_SOA);
    put16(out, CLASS_IN);
    if (!put_name(out, u->name))
        return err_set(e, -EINVAL, "%s is no name of a record", u->name);
    put16(out, u->text ? TYPE_TXT : TYPE_TLSA);
    put16(out, u->add ? CLASS_IN : CLASS_NONE); /* section 2.5.4: exactly this record */
    put32(out, u->add ? u->ttl : 0);
    if (!put_rdata(u, out))
        return err_set(e, -EINVAL, "what is to stand at %s is too long", u->name);
    ret_mac->n = 0;
    if (k->name[0])
        rc = sign(out, k, id, now, ret_mac, e);
    return rc == 0 && out->overflow ? err_set(e, -EMSGSIZE, "the update of DNS is too long") : rc;
}

/* --- the answer */

/* Past a name, compressed or not. False: it goes beyond the end. */
static bool skip_name(struct span s, size_t *at)
{
    while (*at < s.n) {
        unsigned n = (unsigned char)s.p[*at];
        if ((n & 0xc0) == 0xc0) {
            *at += 2;
            return *at <= s.n;
        }
        if (n & 0xc0)
            return false;
        *at += n + 1;
        if (n == 0)
            return *at <= s.n;
    }
    return false;
}

/* Past a record; *ret_rdata where its data begin. */
static bool skip_record(struct span s, size_t *at, unsigned *ret_type, size_t *ret_rdata)
{
    if (!skip_name(s, at) || s.n - *at < 10)
        return false;
    *ret_type = get16(s, *at);
    *ret_rdata = *at + 10;
    *at += 10 + get16(s, *at + 8);
    return *at <= s.n;
}

/* The TSIG must be the last record. Its offset and data. */
static bool find_tsig(struct span s, size_t *ret_at, struct span *ret_rdata)
{
    unsigned records, type = 0;
    size_t at = HEADER, start = 0, rdata = 0;

    if (get16(s, 10) == 0)
        return false;
    for (unsigned i = get16(s, 4); i > 0; i--) {
        if (!skip_name(s, &at) || s.n - at < 4)
            return false;
        at += 4;
    }
    records = get16(s, 6) + get16(s, 8) + get16(s, 10);
    for (unsigned i = 0; i < records; i++) {
        start = at;
        if (!skip_record(s, &at, &type, &rdata))
            return false;
    }
    if (type != TYPE_TSIG || at != s.n)
        return false;
    *ret_at = start;
    *ret_rdata = span_sub(s, rdata, at - rdata);
    return true;
}

/* A name without compression, equal to ours. */
static bool is_name(struct span s, size_t *at, const char *name)
{
    struct buf want BUF_AUTO = BUF(256);
    struct span got;

    if (!put_name(&want, name))
        return false;
    got = span_sub(s, *at, want.n);
    *at += want.n;
    return span_eq_nocase(got, buf_span(&want));
}

static int bad_tsig(struct err *e, const char *why)
{
    return err_set(e, -EKEYREJECTED,
                   "the DNS server's answer is not signed with our key: %s; see that tsig_name, "
                   "tsig_algorithm and the key are those of the server, and both clocks are right",
                   why);
}

static int verify(struct span s, const struct dns_key *k, uint16_t id,
                  const struct dns_mac *request, int64_t now, struct err *e)
{
    struct buf message BUF_AUTO = BUF(65536);
    struct tsig t = {.time = 0};
    struct dns_mac want;
    struct span r;
    size_t start, at = 0, owner, mac;
    unsigned n;

    if (!find_tsig(s, &start, &r))
        return bad_tsig(e, "it has no TSIG");
    owner = start;
    if (!is_name(s, &owner, k->name) || !is_name(r, &at, hmacs[k->algorithm].name) || at + 10 > r.n)
        return bad_tsig(e, "it names another key or algorithm");
    t.time = (int64_t)((uint64_t)get16(r, at) << 32 | (uint64_t)get16(r, at + 2) << 16 |
                       get16(r, at + 4));
    t.fudge = get16(r, at + 6);
    n = get16(r, at + 8);
    mac = at + 10;
    if (mac + n + 6 > r.n || mac + n + 6 + get16(r, mac + n + 4) != r.n)
        return bad_tsig(e, "its TSIG is damaged");
    if (get16(r, mac + n) != id)
        return bad_tsig(e, "it answers another message");
    t.error = get16(r, mac + n + 2);
    t.other = span_skip(r, mac + n + 6);
    if (t.error == 18)
        return bad_tsig(e, "our clock and the server's differ (BADTIME)");
    if (n != hmacs[k->algorithm].bytes)
        return bad_tsig(e, t.error == 17 ? "it does not know the key (BADKEY)"
                                         : "the signature is missing or cut (BADSIG)");
    buf_put_span(&message, span_head(s, start));
    set16(&message, 0, id);
    set16(&message, 10, get16(s, 10) - 1);
    if (!mac_of(k, request, buf_span(&message), &t, &want) ||
        !secret_eq(want.bytes, r.p + mac, want.n))
        return bad_tsig(e, "the signature is wrong");
    if (t.time - now > t.fudge || now - t.time > t.fudge)
        return bad_tsig(e, "it is too old, or from the future");
    return 0;
}

static int refused(unsigned rcode, const struct dns_key *k, struct err *e)
{
    static const struct {
        unsigned rcode;
        const char *words;
    } rows[] = {
        {1,  "it does not understand the update (FORMERR)"                                        },
        {2,  "it failed (SERVFAIL)"                                                               },
        {4,  "it does not do updates (NOTIMP)"                                                    },
        {5,  "the key may not change this name (REFUSED); allow it in the server's configuration" },
        {9,  "it does not know our key, or has not the zone (NOTAUTH); see tsig_name and dns_zone"},
        {10, "the name is not in the zone (NOTZONE); see dns_zone"                                },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].rcode == rcode)
            return err_set(e, -EREMOTEIO, "the DNS server refuses the update: %s", rows[i].words);
    return err_set(e, -EREMOTEIO, "the DNS server refuses the update (code %u)", rcode);
}

int dns_update_read(struct span s, const struct dns_key *k, uint16_t id,
                    const struct dns_mac *request, int64_t now, struct err *e)
{
    unsigned flags, rcode;
    int rc = 0;

    if (s.n < HEADER)
        return err_set(e, -EBADMSG, "the DNS server's answer is cut");
    flags = get16(s, 2);
    if (get16(s, 0) != id || !(flags & 0x8000) || (flags >> 11 & 15) != OPCODE_UPDATE)
        return err_set(e, -EAGAIN, "an answer to another question");
    rcode = flags & 15;
    if (k->name[0])
        rc = verify(s, k, id, request, now, e);
    /* a refusal for the key cannot be signed with it */
    if (rcode == 9 && rc == -EKEYREJECTED)
        return refused(rcode, k, e);
    if (rc < 0)
        return rc;
    return rcode == 0 ? 0 : refused(rcode, k, e);
}

/* --- over the network */

bool dns_server_parse(const char *text, struct sockaddr_storage *ret)
{
    struct span s = span_cstr(text), host;
    struct sockaddr_in *v4 = (void *)ret;
    struct sockaddr_in6 *v6 = (void *)ret;
    uint64_t port = 53;
    char name[64];

    memset(ret, 0, sizeof(*ret));
    if (!span_split(&s, '@', &host) || !span_to_cstr(host, name, sizeof(name)) ||
        (s.n > 0 && !span_to_u64(s, 65535, &port)))
        return false;
    if (inet_pton(AF_INET, name, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    return inet_pton(AF_INET6, name, &v6->sin6_addr) == 1;
}

/* One try. -ETIMEDOUT: nothing came. */
static int exchange(int fd, struct span question, const struct dns_key *k, uint16_t id,
                    const struct dns_mac *mac, struct err *e)
{
    uint64_t deadline = clock_mono_ms() + TRY_MS;
    char answer[4096];

    if (send(fd, question.p, question.n, MSG_NOSIGNAL) < 0)
        return err_set(e, -EHOSTUNREACH, "the DNS server cannot be reached: %s", strerror(errno));
    for (;;) {
        uint64_t now = clock_mono_ms();
        ssize_t n;
        int rc;
        if (now >= deadline || fiber_wait_fd(fd, WATCH_READ, deadline - now) == 0)
            return err_set(e, -ETIMEDOUT, "the DNS server does not answer the update");
        n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return err_set(e, -EHOSTUNREACH, "the DNS server cannot be reached: %s",
                           strerror(errno));
        rc = dns_update_read(span_of(answer, (size_t)n), k, id, mac, clock_seconds(), e);
        if (rc != -EAGAIN)
            return rc;
    }
}

int dns_update_send(const struct sockaddr_storage *server, const struct dns_update *u,
                    const struct dns_key *k, struct err *e)
{
    socklen_t n =
        server->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int rc = -ETIMEDOUT;

    for (int i = 0; i < TRIES && (rc == -ETIMEDOUT || rc == -EHOSTUNREACH); i++) {
        struct buf question BUF_AUTO = BUF(DNS_UPDATE_MAX);
        uint16_t id = (uint16_t)random_below(65536);
        struct dns_mac mac;
        FD_AUTO fd = socket(server->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        rc = dns_update_build(u, k, id, clock_seconds(), &question, &mac, e);
        if (rc < 0)
            return rc;
        if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)server, n) < 0)
            return err_set(e, -EHOSTUNREACH, "the DNS server cannot be reached: %s",
                           strerror(errno));
        rc = exchange(fd, buf_span(&question), k, id, &mac, e);
    }
    return rc;
}
