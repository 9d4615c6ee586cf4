/* Nonces without memory for those that strangers let lie: a counter and its MAC, and one bit for
 * each of the newest. */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/codec.h"
#include "base/random.h"

#include <openssl/hmac.h>

enum { MAC_BYTES = 16 };

void nonces_init(struct nonces *n)
{
    memset(n, 0, sizeof(*n));
    random_bytes(n->key, sizeof(n->key));
    n->next = 1;
}

static void mac(const struct nonces *n, uint64_t counter, unsigned char ret[MAC_BYTES])
{
    struct buf text BUF_AUTO = BUF(8);
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    wr_u64(&text, counter);
    CHECK(HMAC(EVP_sha256(), n->key, sizeof(n->key), (const unsigned char *)text.p, text.n, md,
               &len) &&
          len >= MAC_BYTES);
    memcpy(ret, md, MAC_BYTES);
}

void nonce_make(struct nonces *n, char ret[64])
{
    struct buf bytes BUF_AUTO = BUF(8 + MAC_BYTES), text BUF_AUTO = BUF(63);
    unsigned char m[MAC_BYTES];
    uint64_t bit = n->next % NONCE_WINDOW;

    n->used[bit / 8] &= (unsigned char)~(1u << bit % 8);
    mac(n, n->next, m);
    wr_u64(&bytes, n->next++);
    wr_raw(&bytes, m, sizeof(m));
    base64url_encode(&text, buf_span(&bytes));
    CHECK(span_to_cstr(buf_span(&text), ret, 64));
}

bool nonce_use(struct nonces *n, const char *text)
{
    struct buf bytes BUF_AUTO = BUF(8 + MAC_BYTES);
    unsigned char m[MAC_BYTES];

    if (!base64url_decode(&bytes, span_cstr(text)))
        return false;
    struct rd r = rd_of(buf_span(&bytes));
    uint64_t counter = rd_u64(&r);
    struct span got = rd_raw(&r, MAC_BYTES);
    if (!rd_done(&r) || counter >= n->next || n->next - counter > NONCE_WINDOW)
        return false;
    mac(n, counter, m);
    if (!secret_eq(m, got.p, MAC_BYTES))
        return false;
    uint64_t bit = counter % NONCE_WINDOW;
    if (n->used[bit / 8] & 1u << bit % 8)
        return false;
    n->used[bit / 8] |= (unsigned char)(1u << bit % 8);
    return true;
}
