#include "proc/keyd/engine/seal.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SALT_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16, PLAIN_MAX = 1 << 20 };

static const struct span version = {"sealpost key 1\n", 15};

int seal_secret_load(int dir, bool may_make, unsigned char ret[SEAL_SECRET_BYTES], struct err *e)
{
    struct buf b BUF_AUTO = BUF(SEAL_SECRET_BYTES);
    unsigned char made[SEAL_SECRET_BYTES];
    struct stat st;
    int r;

    if (fstatat(dir, "secret", &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return err_set(e, -errno, "secret: cannot be looked at: %s", strerror(errno));
        if (!may_make)
            return err_set(e, -ENOENT,
                           "secret: is missing, but there are keys that only it opens; "
                           "restore it from the backup that the keys came from");
        random_bytes(made, sizeof made);
        r = file_write(dir, "secret", span_of(made, sizeof made), 0600, e);
        if (r == 0)
            memcpy(ret, made, sizeof made);
        secret_wipe(made, sizeof made);
        return r;
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
        return err_set(e, -EPERM,
                       "secret: must be a file that nobody but keyd's user can read "
                       "(chmod 600)");
    r = file_read(dir, "secret", SEAL_SECRET_BYTES, &b, e);
    if (r == 0 && b.n != SEAL_SECRET_BYTES)
        r = err_set(e, -EBADMSG, "secret: is not %d bytes long", SEAL_SECRET_BYTES);
    if (r == 0)
        memcpy(ret, b.p, SEAL_SECRET_BYTES);
    if (b.p != NULL)
        secret_wipe(b.p, b.cap);
    return r;
}

static void blob_key(const unsigned char secret[SEAL_SECRET_BYTES], const unsigned char *salt,
                     unsigned char ret[32])
{
    unsigned n = 0;
    CHECK(HMAC(EVP_sha256(), secret, SEAL_SECRET_BYTES, salt, SALT_BYTES, ret, &n) != NULL);
    CHECK(n == 32);
}

void seal_wrap(const unsigned char secret[SEAL_SECRET_BYTES], struct span name, struct span plain,
               struct buf *out)
{
    unsigned char salt[SALT_BYTES], nonce[NONCE_BYTES], key[32], tag[TAG_BYTES];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    char *body;
    int n = 0, rest = 0;

    CHECK(ctx != NULL && plain.n <= PLAIN_MAX);
    random_bytes(salt, sizeof salt);
    random_bytes(nonce, sizeof nonce);
    blob_key(secret, salt, key);
    buf_put_span(out, version);
    buf_put(out, salt, sizeof salt);
    buf_put(out, nonce, sizeof nonce);
    body = buf_reserve(out, plain.n);
    CHECK(body != NULL);
    CHECK(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) == 1);
    CHECK(EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)name.p, (int)name.n) == 1);
    CHECK(EVP_EncryptUpdate(ctx, (unsigned char *)body, &n, (const unsigned char *)plain.p,
                            (int)plain.n) == 1);
    CHECK((size_t)n == plain.n);
    CHECK(EVP_EncryptFinal_ex(ctx, tag, &rest) == 1 && rest == 0);
    CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1);
    buf_commit(out, plain.n);
    buf_put(out, tag, sizeof tag);
    CHECK(!out->overflow);
    secret_wipe(key, sizeof key);
    EVP_CIPHER_CTX_free(ctx);
}

int seal_open(const unsigned char secret[SEAL_SECRET_BYTES], struct span name, struct span blob,
              struct buf *out)
{
    size_t head = version.n + SALT_BYTES + NONCE_BYTES, n_plain;
    const unsigned char *salt = (const unsigned char *)blob.p + version.n;
    unsigned char key[32], tag[TAG_BYTES], end[16];
    EVP_CIPHER_CTX *ctx;
    char *body;
    int n = 0, rest = 0;
    bool ok;

    if (!span_starts(blob, version) || blob.n < head + TAG_BYTES ||
        blob.n > head + TAG_BYTES + PLAIN_MAX)
        return -EBADMSG;
    n_plain = blob.n - head - TAG_BYTES;
    memcpy(tag, blob.p + head + n_plain, TAG_BYTES);
    body = buf_reserve(out, n_plain + 1);
    if (body == NULL)
        return -EBADMSG;
    blob_key(secret, salt, key);
    ctx = EVP_CIPHER_CTX_new();
    CHECK(ctx != NULL);
    ok = EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, salt + SALT_BYTES, NULL) == 1 &&
         EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)name.p, (int)name.n) == 1 &&
         EVP_DecryptUpdate(ctx, (unsigned char *)body, &n, (const unsigned char *)blob.p + head,
                           (int)n_plain) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
         EVP_DecryptFinal_ex(ctx, end, &rest) == 1;
    secret_wipe(key, sizeof key);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        secret_wipe(body, n_plain);
        return -EBADMSG;
    }
    buf_commit(out, n_plain);
    return 0;
}
