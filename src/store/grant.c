#include "store/grant.h"

#include "base/random.h"
#include <sodium.h>

enum { GRANT_VERSION = 3, GRANT_MAC_BYTES = 16 };

void grant_seal(const struct grant *g, const unsigned char secret[GRANT_SECRET_BYTES],
                struct buf *out)
{
    unsigned char mac[GRANT_MAC_BYTES];
    size_t start = out->n;

    wr_u8(out, GRANT_VERSION);
    wr_u64(out, g->account);
    wr_u32(out, g->rights);
    wr_u32(out, g->worker_generation);
    wr_u64(out, g->session);
    wr_i64(out, g->expires_seconds);
    wr_u64(out, g->epoch);
    wr_raw(out, g->address, sizeof(g->address));
    wr_u8(out, g->group_count);
    for (unsigned i = 0; i < g->group_count; i++)
        wr_u64(out, g->groups[i]);
    if (out->overflow)
        return;
    crypto_generichash(mac, sizeof(mac), (const unsigned char *)out->p + start, out->n - start,
                       secret, GRANT_SECRET_BYTES);
    wr_raw(out, mac, sizeof(mac));
}

static bool rd_grant(struct span text, struct grant *ret)
{
    struct rd r = rd_of(text);
    struct grant g = {0};

    if (rd_u8(&r) != GRANT_VERSION)
        return false;
    g.account = rd_u64(&r);
    g.rights = rd_u32(&r);
    g.worker_generation = rd_u32(&r);
    g.session = rd_u64(&r);
    g.expires_seconds = rd_i64(&r);
    g.epoch = rd_u64(&r);
    struct span address = rd_raw(&r, sizeof(g.address));
    g.group_count = rd_u8(&r);
    if (r.bad || g.group_count > GRANT_GROUPS_MAX)
        return false;
    for (unsigned i = 0; i < g.group_count; i++)
        g.groups[i] = rd_u64(&r);
    if (!rd_done(&r))
        return false;
    memcpy(g.address, address.p, sizeof(g.address));
    *ret = g;
    return true;
}

bool grant_peek(struct span token, struct grant *ret)
{
    return token.n > GRANT_MAC_BYTES && rd_grant(span_head(token, token.n - GRANT_MAC_BYTES), ret);
}

bool grant_open(struct span token, const unsigned char secret[GRANT_SECRET_BYTES], int64_t now,
                struct grant *ret)
{
    unsigned char mac[GRANT_MAC_BYTES];
    struct grant g;

    if (token.n <= sizeof(mac))
        return false;
    struct span text = span_head(token, token.n - sizeof(mac));
    crypto_generichash(mac, sizeof(mac), (const unsigned char *)text.p, text.n, secret,
                       GRANT_SECRET_BYTES);
    if (!secret_eq(mac, token.p + text.n, sizeof(mac)) || !rd_grant(text, &g) ||
        g.expires_seconds <= now)
        return false;
    *ret = g;
    return true;
}

void grant_address(struct span address, unsigned char ret[GRANT_ADDRESS_BYTES])
{
    unsigned char lower[256];
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, GRANT_ADDRESS_BYTES);
    for (size_t at = 0; at < address.n; at += sizeof(lower)) {
        size_t n = address.n - at < sizeof(lower) ? address.n - at : sizeof(lower);
        for (size_t i = 0; i < n; i++)
            lower[i] = (unsigned char)ascii_lower(address.p[at + i]);
        crypto_generichash_update(&state, lower, n);
    }
    crypto_generichash_final(&state, ret, GRANT_ADDRESS_BYTES);
}

uint64_t grant_group(struct span address)
{
    unsigned char hash[GRANT_ADDRESS_BYTES];
    uint64_t id;

    grant_address(address, hash);
    memcpy(&id, hash, sizeof(id));
    return id | UINT64_C(1) << 63;
}

bool grant_forwards(struct span token, const unsigned char secret[GRANT_SECRET_BYTES], int64_t now,
                    struct span address)
{
    unsigned char hash[GRANT_ADDRESS_BYTES];
    struct grant g;

    if (!grant_open(token, secret, now, &g) || g.account != 0 || g.rights != GRANT_FORWARD)
        return false;
    grant_address(address, hash);
    return memcmp(hash, g.address, sizeof(hash)) == 0;
}
