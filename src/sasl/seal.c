#include "sasl/seal.h"

#include "base/check.h"
#include "base/random.h"

#include <sodium.h>

enum {
    NONCE = crypto_secretbox_NONCEBYTES,
    MAC = crypto_secretbox_MACBYTES,
    PLAIN_MAX = SEAL_MAX - NONCE - MAC,
};

/* The secret also makes grants: what is sealed here has a key of its own. */
static void derive_key(const unsigned char secret[SEAL_SECRET_BYTES],
                       unsigned char key[crypto_secretbox_KEYBYTES])
{
    static const unsigned char purpose[] = "sasl exchange state 1";

    crypto_generichash(key, crypto_secretbox_KEYBYTES, purpose, sizeof purpose, secret,
                       SEAL_SECRET_BYTES);
}

void sasl_seal(const struct sasl_exchange *x, uint64_t session,
               const unsigned char secret[SEAL_SECRET_BYTES], int64_t now_seconds, struct buf *out)
{
    BUF_AUTO struct buf plain = BUF(PLAIN_MAX);
    unsigned char key[crypto_secretbox_KEYBYTES], nonce[NONCE];

    wr_i64(&plain, now_seconds + SEAL_SECONDS);
    wr_u64(&plain, session);
    wr_sasl_exchange(&plain, x);
    CHECK(!plain.overflow); /* its parts have fixed maxima */
    derive_key(secret, key);
    random_bytes(nonce, sizeof nonce);
    buf_put(out, nonce, sizeof nonce);
    unsigned char *at = (unsigned char *)buf_reserve(out, plain.n + MAC);
    if (at) {
        crypto_secretbox_easy(at, (const unsigned char *)plain.p, plain.n, nonce, key);
        buf_commit(out, plain.n + MAC);
    }
    secret_wipe(key, sizeof key);
}

bool sasl_open(struct span sealed, uint64_t session, const unsigned char secret[SEAL_SECRET_BYTES],
               int64_t now_seconds, struct sasl_exchange *ret)
{
    unsigned char key[crypto_secretbox_KEYBYTES], plain[PLAIN_MAX];

    sasl_exchange_init(ret, NULL);
    if (sealed.n < NONCE + MAC || sealed.n > SEAL_MAX)
        return false;
    struct span box = span_skip(sealed, NONCE);
    derive_key(secret, key);
    int bad = crypto_secretbox_open_easy(plain, (const unsigned char *)box.p, box.n,
                                         (const unsigned char *)sealed.p, key);
    secret_wipe(key, sizeof key);
    if (bad)
        return false;
    struct rd r = rd_of(span_of(plain, box.n - MAC));
    int64_t until = rd_i64(&r);
    uint64_t whose = rd_u64(&r);
    return rd_sasl_exchange(&r, ret) && rd_done(&r) && until > now_seconds && whose == session;
}
