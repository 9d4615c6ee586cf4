#include "proc/keyd/engine/keystore.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/leftover.h"
#include "base/log.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    EXPORT_ITERATIONS = 600000,
    FILE_VERSION = 2,
    FILE_MAX = 64 * 1024,
    NAME_BYTES = 2 * KEY_ID_BYTES + 5
};

static const struct type_row {
    const char *name, *algorithm, *curve;
    unsigned bits;
} types[] = {
    {"p256",    "EC",      "P-256", 0   },
    {"p384",    "EC",      "P-384", 0   },
    {"ed25519", "ED25519", NULL,    0   },
    {"rsa2048", "RSA",     NULL,    2048},
    {"rsa3072", "RSA",     NULL,    3072},
    {"rsa4096", "RSA",     NULL,    4096},
};

/* --- one key */

struct keyd_key *keyd_key_ref(struct keyd_key *k)
{
    k->refs++;
    return k;
}

void keyd_key_unref(struct keyd_key *k)
{
    if (k == NULL || --k->refs > 0)
        return;
    EVP_PKEY_CTX_free(k->sign_ctx);
    EVP_PKEY_free(k->pkey); /* OpenSSL wipes what was private */
    free(k);
}

static bool take_spki(struct keyd_key *k)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->pkey, &der);
    bool ok = n > 0 && n <= KEY_SPKI_MAX;

    if (ok) {
        memcpy(k->info.spki, der, (size_t)n);
        k->info.spki_bytes = (unsigned)n;
    }
    OPENSSL_free(der);
    return ok;
}

static EVP_PKEY *pkcs8_parse(struct span der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
    EVP_PKEY *k = NULL;

    if (p8 != NULL && p == (const unsigned char *)der.p + der.n)
        k = EVP_PKCS82PKEY(p8);
    PKCS8_PRIV_KEY_INFO_free(p8);
    ERR_clear_error();
    return k;
}

static EVP_PKEY *generate(const struct type_row *t)
{
    if (t->bits > 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm, (size_t)t->bits);
    if (t->curve != NULL)
        return EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm, t->curve);
    return EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm);
}

static struct keyd_key *key_new(void)
{
    struct keyd_key *k = calloc(1, sizeof *k);

    CHECK(k != NULL);
    k->refs = 1;
    return k;
}

/* Takes pkey. */
static int key_of_pkey(const struct key_create_request *r, const char *type, EVP_PKEY *pkey,
                       struct keyd_key **ret)
{
    struct keyd_key *k = key_new();

    k->pkey = pkey;
    if (k->pkey == NULL || !take_spki(k)) {
        ERR_clear_error();
        keyd_key_unref(k);
        return -EIO;
    }
    random_bytes(k->id, sizeof k->id);
    key_id_print(k->id, k->info.id);
    memcpy(k->info.label, r->label, sizeof k->info.label);
    snprintf(k->info.type, sizeof k->info.type, "%s", type);
    k->info.purposes = r->purposes;
    k->info.exportable = r->exportable;
    k->info.created = clock_seconds();
    k->is_ca = (r->purposes & (KEY_CA | KEY_CRL | KEY_OCSP)) != 0;
    if (k->is_ca)
        k->profile =
            r->with_profile ? r->profile : (struct key_ca_profile){.root = true, .levels = 2};
    *ret = k;
    return 0;
}

int keyd_key_make(const struct key_create_request *r, struct keyd_key **ret)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, r->type) == 0)
            return key_of_pkey(r, r->type, generate(&types[i]), ret);
    return -EINVAL;
}

static const char *type_of(const EVP_PKEY *k)
{
    char group[32] = "";

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!EVP_PKEY_is_a(k, types[i].algorithm) ||
            (types[i].bits > 0 && EVP_PKEY_get_bits(k) != (int)types[i].bits))
            continue;
        if (types[i].curve == NULL)
            return types[i].name;
        if (EVP_PKEY_get_group_name(k, group, sizeof group, NULL) == 1 &&
            OBJ_txt2nid(group) == EC_curve_nist2nid(types[i].curve))
            return types[i].name;
    }
    return NULL;
}

static bool halves_match(EVP_PKEY *k)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k, NULL);
    bool ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int keyd_key_take(const struct key_create_request *r, struct span pkcs8, struct keyd_key **ret)
{
    EVP_PKEY *pkey = pkcs8_parse(pkcs8);
    const char *type = pkey == NULL ? NULL : type_of(pkey);

    if (type == NULL || !halves_match(pkey)) {
        EVP_PKEY_free(pkey);
        return -EINVAL;
    }
    return key_of_pkey(r, type, pkey, ret);
}

int keyd_key_encrypted(const struct keyd_key *k, struct span passphrase, struct buf *out)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(k->pkey);
    X509_ALGOR *scheme =
        PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), EXPORT_ITERATIONS, NULL, 0, NULL, NID_hmacWithSHA256);
    X509_SIG *sealed = NULL;
    unsigned char *der = NULL;
    int n = -1;

    if (p8 != NULL && scheme != NULL)
        sealed = PKCS8_set0_pbe(passphrase.p, (int)passphrase.n, p8, scheme);
    if (sealed != NULL)
        n = i2d_X509_SIG(sealed, &der);
    else
        X509_ALGOR_free(scheme);
    if (n > 0)
        buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(p8);
    ERR_clear_error();
    return n > 0 && !out->overflow ? 0 : -EIO;
}

/* --- its file */

static void file_name(const unsigned char id[KEY_ID_BYTES], char ret[NAME_BYTES])
{
    key_id_print(id, ret);
    memcpy(ret + 2 * KEY_ID_BYTES, ".key", 5);
}

int keystore_write(const struct keystore *s, const struct keyd_key *k, struct err *e)
{
    struct buf plain BUF_AUTO = BUF(FILE_MAX / 2);
    struct buf blob BUF_AUTO = BUF(FILE_MAX);
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(k->pkey);
    unsigned char *der = NULL;
    int n = p8 == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
    char name[NAME_BYTES];
    int r;

    PKCS8_PRIV_KEY_INFO_free(p8);
    if (n <= 0) {
        ERR_clear_error();
        return err_set(e, -EIO, "the key cannot be encoded");
    }
    buf_reserve(&plain, FILE_MAX / 2); /* never moved: no copy stays behind in freed memory */
    wr_u8(&plain, FILE_VERSION);
    wr_key_info(&plain, &k->info);
    wr_bool(&plain, k->is_ca);
    if (k->is_ca)
        wr_ca_profile(&plain, &k->profile);
    wr_span(&plain, span_of(der, (size_t)n));
    OPENSSL_clear_free(der, (size_t)n);
    file_name(k->id, name);
    CHECK(!plain.overflow);
    seal_wrap(s->secret, span_cstr(name), buf_span(&plain), &blob);
    secret_wipe(plain.p, plain.n);
    r = file_write(s->dir, name, buf_span(&blob), 0600, e);
    return r;
}

static struct keyd_key *key_of_bytes(struct span plain)
{
    struct keyd_key *k = key_new();
    struct rd r = rd_of(plain);
    struct key_info stored;
    bool ok;

    if (rd_u8(&r) != FILE_VERSION)
        rd_fail(&r);
    rd_key_info(&r, &k->info);
    k->is_ca = rd_bool(&r);
    if (k->is_ca)
        rd_ca_profile(&r, &k->profile);
    k->pkey = pkcs8_parse(rd_span(&r, plain.n));
    stored = k->info;
    ok = rd_done(&r) && k->pkey != NULL && key_id_parse(k->info.id, k->id) && take_spki(k) &&
         stored.spki_bytes == k->info.spki_bytes &&
         memcmp(stored.spki, k->info.spki, stored.spki_bytes) == 0;
    if (!ok) {
        keyd_key_unref(k);
        return NULL;
    }
    return k;
}

static int read_file(struct keystore *s, const char *name, struct err *e)
{
    struct buf blob BUF_AUTO = BUF(FILE_MAX);
    struct buf plain BUF_AUTO = BUF(FILE_MAX);
    char own_name[NAME_BYTES];
    struct keyd_key *k;
    int r = file_read(s->dir, name, FILE_MAX, &blob, e);

    if (r < 0)
        return r;
    r = seal_open(s->secret, span_cstr(name), buf_span(&blob), &plain);
    if (r < 0)
        return err_set(e, r, "%s: is damaged or was sealed with another secret", name);
    k = key_of_bytes(buf_span(&plain));
    secret_wipe(plain.p, plain.n);
    if (k == NULL)
        return err_set(e, -EBADMSG, "%s: holds no key", name);
    file_name(k->id, own_name);
    r = strcmp(own_name, name) == 0 ? keystore_add(s, k) : -EBADMSG;
    if (r < 0) {
        keyd_key_unref(k);
        return err_set(e, r, "%s: cannot be taken: %s", name, strerror(-r));
    }
    return 0;
}

/* --- all keys */

static bool is_key_file(const char *name)
{
    char hex[2 * KEY_ID_BYTES + 1];
    unsigned char id[KEY_ID_BYTES];
    struct span s = span_cstr(name);

    return s.n == NAME_BYTES - 1 && strcmp(name + 2 * KEY_ID_BYTES, ".key") == 0 &&
           span_to_cstr(span_head(s, 2 * KEY_ID_BYTES), hex, sizeof hex) && key_id_parse(hex, id);
}

/* Calls fn for each key file. */
static int each_file(struct keystore *s,
                     void (*fn)(struct keystore *s, const char *name, size_t *n), size_t *n,
                     struct err *e)
{
    int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (d == NULL) {
        int r = -errno;
        fd_close(&fd);
        return err_set(e, r, "the key folder cannot be read: %s", strerror(-r));
    }
    while ((entry = readdir(d)) != NULL)
        if (is_key_file(entry->d_name))
            fn(s, entry->d_name, n);
    closedir(d);
    return 0;
}

static void count_one(struct keystore *s, const char *name, size_t *n)
{
    ++*n;
}

static void load_one(struct keystore *s, const char *name, size_t *n)
{
    struct err e;

    if (read_file(s, name, &e) < 0) {
        log_error("key file %s", e.text);
        ++*n;
    }
}

int keystore_open(struct keystore *s, int dir, struct err *e)
{
    size_t files = 0, bad = 0;
    int r;

    *s = (struct keystore){.dir = dir};
    leftovers_remove(dir); /* of keys that nobody was told of */
    r = each_file(s, count_one, &files, e);
    if (r == 0)
        r = seal_secret_load(dir, files == 0, s->secret, e);
    if (r == 0)
        r = each_file(s, load_one, &bad, e);
    if (r < 0) {
        keystore_close(s);
        return r;
    }
    if (bad > 0)
        log_error("%zu of %zu keys cannot be used until their files are restored", bad, files);
    return 0;
}

void keystore_close(struct keystore *s)
{
    for (size_t i = 0; i < s->count; i++)
        keyd_key_unref(s->keys[i]);
    free(s->keys);
    secret_wipe(s->secret, sizeof s->secret);
    s->keys = NULL;
    s->count = 0;
}

/* The first index whose id is not less. */
static size_t lower_bound(const struct keystore *s, const unsigned char id[KEY_ID_BYTES])
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (memcmp(s->keys[mid]->id, id, KEY_ID_BYTES) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct keyd_key *keystore_find(const struct keystore *s, const unsigned char id[KEY_ID_BYTES])
{
    size_t i = lower_bound(s, id);
    return i < s->count && memcmp(s->keys[i]->id, id, KEY_ID_BYTES) == 0 ? s->keys[i] : NULL;
}

bool keystore_has_spki(const struct keystore *s, const struct keyd_key *k)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->keys[i]->info.spki_bytes == k->info.spki_bytes &&
            memcmp(s->keys[i]->info.spki, k->info.spki, k->info.spki_bytes) == 0)
            return true;
    return false;
}

size_t keystore_after(const struct keystore *s, const unsigned char id[KEY_ID_BYTES])
{
    size_t i = lower_bound(s, id);
    return i < s->count && memcmp(s->keys[i]->id, id, KEY_ID_BYTES) == 0 ? i + 1 : i;
}

int keystore_add(struct keystore *s, struct keyd_key *take_k)
{
    size_t i = lower_bound(s, take_k->id);

    if (keystore_find(s, take_k->id) != NULL)
        return -EEXIST;
    if (s->count == KEYSTORE_MAX)
        return -ENOSPC;
    if (s->count % 64 == 0) {
        s->keys = realloc(s->keys, (s->count + 64) * sizeof(struct keyd_key *));
        CHECK(s->keys != NULL);
    }
    memmove(s->keys + i + 1, s->keys + i, (s->count - i) * sizeof(struct keyd_key *));
    s->keys[i] = take_k;
    s->count++;
    return 0;
}

int keystore_delete(struct keystore *s, struct keyd_key *k, struct err *e)
{
    size_t i = lower_bound(s, k->id);
    char name[NAME_BYTES];

    CHECK(i < s->count && s->keys[i] == k);
    file_name(k->id, name);
    if (unlinkat(s->dir, name, 0) < 0 && errno != ENOENT)
        return err_set(e, -errno, "%s: cannot be removed: %s", name, strerror(errno));
    if (fsync(s->dir) < 0)
        log_warn("the key folder cannot be synced: %s", strerror(errno));
    memmove(s->keys + i, s->keys + i + 1, (s->count - i - 1) * sizeof(struct keyd_key *));
    s->count--;
    keyd_key_unref(k);
    return 0;
}
