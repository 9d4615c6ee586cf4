/* ticket.c: session tickets under keys that all workers of a profile share (RFC 5077 section 4, RFC
 * 8446 section 4.6.1). */
#include "base/check.h"
#include "base/random.h"
#include "tls/context_internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

enum { NAME_BYTES = 16, MAC_BYTES = 32, CIPHER_BYTES = 32, IV_BYTES = 16 };

struct ticket_key {
    unsigned char name[NAME_BYTES], mac[MAC_BYTES], cipher[CIPHER_BYTES];
};
_Static_assert(sizeof(struct ticket_key) == TLS_TICKET_KEY_BYTES, "a ticket key is its bytes");

static struct ticket_key keys[TLS_TICKET_KEYS_MAX];
static unsigned key_count;

void tls_ticket_keys(const unsigned char (*from)[TLS_TICKET_KEY_BYTES], unsigned count)
{
    CHECK(count <= TLS_TICKET_KEYS_MAX);
    secret_wipe(keys, sizeof keys);
    for (unsigned i = 0; i < count; i++)
        memcpy(&keys[i], from[i], sizeof keys[i]);
    key_count = count;
}

bool tls_ticket_have_keys(void)
{
    return key_count > 0;
}

static bool set_up(const struct ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac, bool enc)
{
    static EVP_CIPHER *aes; /* fetched once: a fetch a handshake costs more than the cipher */
    unsigned char mac_key[MAC_BYTES];
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof mac_key),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool ok;

    if (aes == NULL)
        aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    memcpy(mac_key, k->mac, sizeof mac_key);
    ok = aes != NULL && EVP_CipherInit_ex2(cipher, aes, k->cipher, iv, enc, NULL) == 1 &&
         EVP_MAC_CTX_set_params(mac, params) == 1;
    secret_wipe(mac_key, sizeof mac_key);
    return ok;
}

/* As OpenSSL wants it: enc: 1 done, 0 no ticket, -1 error; else 0 unknown key, 1 good, 2 good but
 * to be renewed. */
int tls_ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                        EVP_MAC_CTX *mac, int enc)
{
    if (enc) {
        if (key_count == 0)
            return 0;
        random_bytes(iv, IV_BYTES);
        memcpy(name, keys[0].name, NAME_BYTES);
        return set_up(&keys[0], iv, cipher, mac, true) ? 1 : -1;
    }
    for (unsigned i = 0; i < key_count; i++) {
        if (memcmp(name, keys[i].name, NAME_BYTES) != 0)
            continue;
        if (!set_up(&keys[i], iv, cipher, mac, false))
            return -1;
        /* in TLS 1.3 a ticket is for one use: without a new one every second connection of a client
         * that keeps to it is a full handshake */
        return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
    }
    return 0;
}
