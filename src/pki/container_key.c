/* Files with a private key: PKCS#12 and PEM. Before a passphrase is put to work, the file says what
 * that would cost; what costs too much, or is of an age that no longer protects, is refused. */
#include "base/check.h"
#include "base/random.h"
#include "pki/container_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <string.h>

void container_key_init(struct container_key *k)
{
    memset(k, 0, sizeof(*k));
    buf_init(&k->pkcs8, 16 * 1024);
    buf_init(&k->spki, 8 * 1024);
    buf_reserve(&k->pkcs8, 16 * 1024); /* never moved: one copy to wipe */
}

void container_key_done(struct container_key *k)
{
    if (k->pkcs8.p)
        secret_wipe(k->pkcs8.p, k->pkcs8.cap);
    buf_done(&k->pkcs8);
    buf_done(&k->spki);
    chain_done(&k->chain);
}

/* What is under way with one file. */
struct opening {
    struct container_key *k;
    struct span passphrase;
    bool legacy;
    long work; /* iterations so far */
    unsigned bags;
    struct err *e;
};

/* --- what it costs */

static int spend(struct opening *o, long iterations)
{
    if (iterations >= 1 && iterations <= CONTAINER_ITERATIONS_MAX &&
        o->work + iterations > CONTAINER_WORK_MAX)
        return err_set(o->e, -EMSGSIZE,
                       "the file wants %ld iterations for each of its parts to try its passphrase, "
                       "more than %d altogether; export it anew with fewer",
                       iterations, CONTAINER_WORK_MAX);
    if (iterations < 1 || iterations > CONTAINER_ITERATIONS_MAX)
        return err_set(o->e, -EMSGSIZE,
                       "the file wants %ld iterations to try its passphrase; at most %d are done, "
                       "export it anew with fewer",
                       iterations, CONTAINER_ITERATIONS_MAX);
    o->work += iterations;
    return 0;
}

static int old(struct opening *o, const char *what)
{
    return o->legacy
               ? 0
               : err_set(o->e, -EPERM,
                         "the file is protected with %s, which is broken or nearly so; export it "
                         "anew with AES-256 and SHA-256, or take it as it is with --legacy",
                         what);
}

static int unknown(struct opening *o, int nid)
{
    const char *name = nid == NID_undef ? NULL : OBJ_nid2ln(nid);

    return err_set(o->e, -EBADMSG,
                   "the file is protected with %s, which is not known here; export it anew with "
                   "AES-256 and SHA-256",
                   name ? name : "something");
}

static long number(const ASN1_INTEGER *i)
{
    int64_t v;

    return i && ASN1_INTEGER_get_int64(&v, i) == 1 && v > 0 && v < INT32_MAX ? (long)v : -1;
}

static int check_kdf(struct opening *o, const X509_ALGOR *kdf)
{
    const ASN1_OBJECT *oid;
    const void *value;
    PBKDF2PARAM *p;
    int type, rc;

    X509_ALGOR_get0(&oid, &type, &value, kdf);
    if (OBJ_obj2nid(oid) != NID_id_pbkdf2 || type != V_ASN1_SEQUENCE)
        return unknown(o, OBJ_obj2nid(oid));
    p = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBKDF2PARAM));
    if (!p)
        return err_set(o->e, -EBADMSG, "the file's protection is damaged");
    rc = spend(o, number(p->iter));
    PBKDF2PARAM_free(p);
    return rc;
}

static int check_cipher(struct opening *o, const X509_ALGOR *cipher)
{
    const ASN1_OBJECT *oid;
    int nid;

    X509_ALGOR_get0(&oid, NULL, NULL, cipher);
    nid = OBJ_obj2nid(oid);
    switch (nid) {
    case NID_aes_128_cbc:
    case NID_aes_192_cbc:
    case NID_aes_256_cbc:
        return 0;
    case NID_des_ede3_cbc:
    case NID_rc2_cbc:
    case NID_des_cbc:
        return old(o, OBJ_nid2ln(nid));
    default:
        return unknown(o, nid);
    }
}

static int check_pbes2(struct opening *o, const void *value)
{
    PBE2PARAM *p = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBE2PARAM));
    int rc;

    if (!p)
        return err_set(o->e, -EBADMSG, "the file's protection is damaged");
    rc = check_kdf(o, p->keyfunc);
    if (rc == 0)
        rc = check_cipher(o, p->encryption);
    PBE2PARAM_free(p);
    return rc;
}

static int check_pbes1(struct opening *o, int nid, const void *value)
{
    PBEPARAM *p;
    int rc = old(o, OBJ_nid2ln(nid));

    if (rc < 0)
        return rc;
    p = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBEPARAM));
    if (!p)
        return err_set(o->e, -EBADMSG, "the file's protection is damaged");
    rc = spend(o, p->iter ? number(p->iter) : 1);
    PBEPARAM_free(p);
    return rc;
}

static int check_protection(struct opening *o, const X509_ALGOR *a)
{
    const ASN1_OBJECT *oid;
    const void *value;
    int type, nid;

    X509_ALGOR_get0(&oid, &type, &value, a);
    nid = OBJ_obj2nid(oid);
    switch (nid) {
    case NID_pbes2:
    case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
    case NID_pbe_WithSHA1And2_Key_TripleDES_CBC:
    case NID_pbe_WithSHA1And128BitRC2_CBC:
    case NID_pbe_WithSHA1And40BitRC2_CBC:
        break;
    default:
        return unknown(o, nid);
    }
    if (type != V_ASN1_SEQUENCE)
        return err_set(o->e, -EBADMSG, "the file's protection is damaged");
    return nid == NID_pbes2 ? check_pbes2(o, value) : check_pbes1(o, nid, value);
}

static int no_passphrase(struct opening *o)
{
    o->k->needs_passphrase = true;
    return err_set(o->e, -EACCES, "the file is protected by a passphrase; none was given");
}

static int wrong_passphrase(struct opening *o)
{
    ERR_clear_error();
    return err_set(o->e, -EACCES, "the passphrase is wrong, or the file is damaged");
}

/* --- keys */

static int put_key(struct opening *o, EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL, *spki = NULL;
    unsigned security;
    int n = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : -1, m = i2d_PUBKEY(key, &spki), rc = 0;

    if (n <= 0 || m <= 0 || !key_type_of(key, o->k->key_type, &security))
        rc = err_set(o->e, -EBADMSG, "the key is of a kind that is not known here");
    else if (!buf_put(&o->k->pkcs8, der, (size_t)n) || !buf_put(&o->k->spki, spki, (size_t)m))
        rc =
            err_set(o->e, -EMSGSIZE, "the key is too large; RSA keys of 4096 bits are the largest");
    if (n > 0)
        OPENSSL_clear_free(der, (size_t)n);
    OPENSSL_free(spki);
    PKCS8_PRIV_KEY_INFO_free(p8);
    return rc;
}

static int one_key_only(struct opening *o)
{
    return o->k->pkcs8.n == 0 ? 0
                              : err_set(o->e, -EEXIST,
                                        "there is more than one private key in what was given; "
                                        "give one with its certificates");
}

static int take_pkcs8(struct opening *o, const PKCS8_PRIV_KEY_INFO *p8)
{
    int rc = one_key_only(o);
    EVP_PKEY *key = rc == 0 ? EVP_PKCS82PKEY(p8) : NULL;

    if (rc < 0)
        return rc;
    if (!key) {
        ERR_clear_error();
        return err_set(o->e, -EBADMSG, "the private key cannot be read");
    }
    rc = put_key(o, key);
    EVP_PKEY_free(key);
    return rc;
}

static int take_encrypted(struct opening *o, const X509_SIG *sig)
{
    const X509_ALGOR *a;
    PKCS8_PRIV_KEY_INFO *p8;
    int rc;

    X509_SIG_get0(sig, &a, NULL);
    rc = check_protection(o, a);
    if (rc < 0)
        return rc;
    if (!o->passphrase.p)
        return no_passphrase(o);
    p8 = PKCS8_decrypt(sig, o->passphrase.p, (int)o->passphrase.n);
    if (!p8)
        return wrong_passphrase(o);
    rc = take_pkcs8(o, p8);
    PKCS8_PRIV_KEY_INFO_free(p8);
    return rc;
}

/* --- PKCS#12 */

static void take_name(struct opening *o, PKCS12_SAFEBAG *bag)
{
    char *name = PKCS12_get_friendlyname(bag);

    for (char *p = name; p && *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (name && !o->k->name[0])
        span_to_cstr(span_cstr(name), o->k->name, sizeof(o->k->name));
    OPENSSL_free(name);
}

static int take_bag(struct opening *o, PKCS12_SAFEBAG *bag)
{
    X509 *x;
    int rc;

    if (++o->bags > CONTAINER_BAGS_MAX)
        return err_set(o->e, -E2BIG,
                       "the file holds more than %d things; give one key with its "
                       "certificates",
                       CONTAINER_BAGS_MAX);
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
        take_name(o, bag);
        return take_pkcs8(o, PKCS12_SAFEBAG_get0_p8inf(bag));
    case NID_pkcs8ShroudedKeyBag:
        take_name(o, bag);
        return take_encrypted(o, PKCS12_SAFEBAG_get0_pkcs8(bag));
    case NID_certBag:
        if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
            return 0;
        x = PKCS12_SAFEBAG_get1_cert(bag);
        if (!x)
            return err_set(o->e, -EBADMSG, "a certificate in the file cannot be read");
        rc = container_add_x509(&o->k->chain, x, o->e);
        X509_free(x);
        return rc;
    case NID_safeContentsBag:
        return err_set(o->e, -EBADMSG, "the file has boxes within boxes, which no program writes");
    default: /* CRLs, secrets of other programs */
        return 0;
    }
}

static int check_safe(struct opening *o, PKCS7 *safe)
{
    const PKCS7_ENC_CONTENT *content;

    if (!PKCS7_type_is_encrypted(safe) || !safe->d.encrypted)
        return err_set(
            o->e, -EBADMSG,
            "the file is protected by a certificate, not by a passphrase; export it anew");
    content = safe->d.encrypted->enc_data;
    if (!content || !content->algorithm)
        return err_set(o->e, -EBADMSG, "the file's protection is damaged");
    return check_protection(o, content->algorithm);
}

static int take_safe(struct opening *o, PKCS7 *safe)
{
    STACK_OF(PKCS12_SAFEBAG) * bags;
    int rc = 0;

    if (PKCS7_type_is_data(safe)) {
        bags = PKCS12_unpack_p7data(safe);
    } else {
        if ((rc = check_safe(o, safe)) < 0)
            return rc;
        if (!o->passphrase.p)
            return no_passphrase(o);
        bags = PKCS12_unpack_p7encdata(safe, o->passphrase.p, (int)o->passphrase.n);
        if (!bags)
            return wrong_passphrase(o);
    }
    if (!bags)
        return err_set(o->e, -EBADMSG, "the file is damaged inside");
    for (int i = 0; rc == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++)
        rc = take_bag(o, sk_PKCS12_SAFEBAG_value(bags, i));
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return rc;
}

/* The checksum over all of it, made with the passphrase. */
static int check_mac(struct opening *o, PKCS12 *p12)
{
    const ASN1_INTEGER *iterations;
    const X509_ALGOR *a;
    const ASN1_OBJECT *oid;
    int rc, nid;

    if (!PKCS12_mac_present(p12))
        return err_set(o->e, -EBADMSG,
                       "the file has no checksum (MAC), so nobody can tell whether it is whole; "
                       "export it anew with one");
    PKCS12_get0_mac(NULL, &a, NULL, &iterations, p12);
    X509_ALGOR_get0(&oid, NULL, NULL, a);
    nid = OBJ_obj2nid(oid);
    rc = nid == NID_sha1                                               ? old(o, "SHA-1")
         : nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512 ? 0
                                                                       : unknown(o, nid);
    if (rc == 0)
        rc = spend(o, iterations ? number(iterations) : 1);
    if (rc < 0)
        return rc;
    if (!o->passphrase.p)
        return no_passphrase(o);
    return PKCS12_verify_mac(p12, o->passphrase.p, (int)o->passphrase.n) == 1 ? 0
                                                                              : wrong_passphrase(o);
}

static int open_pkcs12(struct opening *o, struct span file)
{
    const unsigned char *at = (const unsigned char *)file.p;
    PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)file.n);
    STACK_OF(PKCS7) *safes = NULL;
    int rc;

    if (!p12 || (size_t)(at - (const unsigned char *)file.p) != file.n) {
        PKCS12_free(p12);
        ERR_clear_error();
        return err_set(o->e, -EBADMSG,
                       "this is neither PKCS#12 (.p12, .pfx) nor PEM with a private key");
    }
    rc = check_mac(o, p12);
    if (rc == 0 && !(safes = PKCS12_unpack_authsafes(p12)))
        rc = err_set(o->e, -EBADMSG, "the file is damaged inside");
    for (int i = 0; rc == 0 && i < sk_PKCS7_num(safes); i++)
        rc = take_safe(o, sk_PKCS7_value(safes, i));
    sk_PKCS7_pop_free(safes, PKCS7_free);
    PKCS12_free(p12);
    ERR_clear_error();
    return rc;
}

/* --- PEM */

static int take_plain(struct opening *o, struct span der)
{
    const unsigned char *at = (const unsigned char *)der.p;
    EVP_PKEY *key;
    int rc = one_key_only(o);

    if (rc < 0)
        return rc;
    key = d2i_AutoPrivateKey(NULL, &at, (long)der.n);
    ERR_clear_error();
    if (!key)
        return err_set(o->e, -EBADMSG, "the private key cannot be read");
    rc = put_key(o, key);
    EVP_PKEY_free(key);
    return rc;
}

static int take_encrypted_der(struct opening *o, struct span der)
{
    const unsigned char *at = (const unsigned char *)der.p;
    X509_SIG *sig = d2i_X509_SIG(NULL, &at, (long)der.n);
    int rc;

    if (!sig) {
        ERR_clear_error();
        return err_set(o->e, -EBADMSG, "the protected private key cannot be read");
    }
    rc = take_encrypted(o, sig);
    X509_SIG_free(sig);
    return rc;
}

static int open_pem(struct opening *o, struct span file, unsigned *found)
{
    static const char *const labels[] = {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY",
                                         "ENCRYPTED PRIVATE KEY"};
    struct buf der BUF_AUTO = BUF(CONTAINER_BYTES_MAX);
    bool damaged;
    int rc = 0;

    if (span_find_span(file, SPAN("Proc-Type: 4,ENCRYPTED")) != SPAN_NONE)
        return err_set(
            o->e, -EPERM,
            "the private key is protected in OpenSSL's old way (MD5); write it anew with "
            "`openssl pkcs8 -topk8`");
    buf_reserve(&der, file.n);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(labels); i++) {
        struct span text = file;
        while (rc == 0 && pem_next(&text, labels[i], &der, &damaged)) {
            rc = i == 3 ? take_encrypted_der(o, buf_span(&der)) : take_plain(o, buf_span(&der));
            ++*found;
            secret_wipe(der.p, der.n);
            buf_clear(&der);
        }
        if (rc == 0 && damaged)
            rc = err_set(o->e, -EBADMSG, "the private key is cut off or damaged: no clean PEM");
    }
    if (der.p)
        secret_wipe(der.p, der.cap);
    return rc;
}

int container_open(struct span file, struct span passphrase, bool legacy, struct container_key *k,
                   struct err *e)
{
    struct opening o = {.k = k, .passphrase = passphrase, .legacy = legacy, .e = e};
    struct err ignored;
    unsigned found = 0;
    size_t had = k->chain.n;
    int rc = container_check_size(file, e);

    if (rc < 0)
        return rc;
    ERR_clear_error();
    if (container_is_pem(file)) {
        rc = open_pem(&o, file, &found);
        if (rc == 0)
            rc = container_add_pem(file, &k->chain, &found, e);
        return rc == 0 && found == 0
                   ? err_set(e, -EBADMSG,
                             "there is neither a private key nor a certificate in the "
                             "file")
                   : rc;
    }
    /* a certificate in DER or a PKCS#7 beside the key's file */
    if (container_certificates(file, &k->chain, &ignored) == 0 && k->chain.n > had)
        return 0;
    return open_pkcs12(&o, file);
}

/* --- writing */

enum { WRITE_ITERATIONS = 100000 };

static int put_bags(struct span encrypted_key, const struct chain *c, const char *name,
                    STACK_OF(PKCS12_SAFEBAG) * certs, STACK_OF(PKCS12_SAFEBAG) * keys)
{
    const unsigned char *at = (const unsigned char *)encrypted_key.p;
    X509_SIG *sig = d2i_X509_SIG(NULL, &at, (long)encrypted_key.n);
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned id_bytes = 0;
    PKCS12_SAFEBAG *bag;

    if (!sig || X509_digest(c->v[0]->x509, EVP_sha1(), id, &id_bytes) != 1) {
        X509_SIG_free(sig);
        return -EBADMSG;
    }
    bag = PKCS12_SAFEBAG_create0_pkcs8(sig);
    CHECK(bag && sk_PKCS12_SAFEBAG_push(keys, bag) > 0);
    /* by this number readers find the key's certificate */
    if (PKCS12_add_localkeyid(bag, id, (int)id_bytes) != 1 ||
        (name[0] && PKCS12_add_friendlyname_utf8(bag, name, -1) != 1))
        return -EBADMSG;
    for (size_t i = 0; i < c->n; i++) {
        bag = PKCS12_SAFEBAG_create_cert(c->v[i]->x509);
        CHECK(bag && sk_PKCS12_SAFEBAG_push(certs, bag) > 0);
        if (i == 0 && (PKCS12_add_localkeyid(bag, id, (int)id_bytes) != 1 ||
                       (name[0] && PKCS12_add_friendlyname_utf8(bag, name, -1) != 1)))
            return -EBADMSG;
    }
    return 0;
}

static PKCS12 *pack(STACK_OF(PKCS12_SAFEBAG) * certs, STACK_OF(PKCS12_SAFEBAG) * keys,
                    const char *passphrase)
{
    STACK_OF(PKCS7) *safes = sk_PKCS7_new_null();
    PKCS7 *one =
        PKCS12_pack_p7encdata(NID_aes_256_cbc, passphrase, -1, NULL, 0, WRITE_ITERATIONS, certs);
    PKCS7 *two = PKCS12_pack_p7data(keys);
    PKCS12 *p12 = NULL;

    CHECK(safes);
    if (one)
        sk_PKCS7_push(safes, one);
    if (two)
        sk_PKCS7_push(safes, two);
    if (one && two)
        p12 = PKCS12_add_safes(safes, 0);
    if (p12 && PKCS12_set_mac(p12, passphrase, -1, NULL, 0, WRITE_ITERATIONS, EVP_sha256()) != 1) {
        PKCS12_free(p12);
        p12 = NULL;
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return p12;
}

int container_write(struct span encrypted_key, const struct chain *c, const char *name,
                    struct span passphrase, struct buf *out, struct err *e)
{
    STACK_OF(PKCS12_SAFEBAG) *certs = sk_PKCS12_SAFEBAG_new_null(),
                             *keys = sk_PKCS12_SAFEBAG_new_null();
    unsigned char *der = NULL;
    PKCS12 *p12 = NULL;
    char word[256], why[200];
    int n = 0, rc;

    CHECK(certs && keys && c->n > 0);
    if (!span_to_cstr(passphrase, word, sizeof(word)))
        rc = err_set(e, -EINVAL, "the passphrase is too long");
    else if ((rc = put_bags(encrypted_key, c, name, certs, keys)) == 0 &&
             (p12 = pack(certs, keys, word)) != NULL)
        n = i2d_PKCS12(p12, &der);
    if (rc == 0 && (n <= 0 || !buf_put(out, der, (size_t)n)))
        rc = -EBADMSG;
    if (rc == -EBADMSG)
        err_set(e, rc, "the PKCS#12 file cannot be made: %s", openssl_error(why));
    secret_wipe(word, sizeof(word));
    OPENSSL_free(der);
    PKCS12_free(p12);
    sk_PKCS12_SAFEBAG_pop_free(certs, PKCS12_SAFEBAG_free);
    sk_PKCS12_SAFEBAG_pop_free(keys, PKCS12_SAFEBAG_free);
    ERR_clear_error();
    return rc;
}
