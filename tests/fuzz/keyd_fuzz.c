/*
 * keyd_fuzz.c: the first byte chooses the purpose, the rest is the text. Whatever passes for one
 * purpose must not pass for another that the same key may have, and must pass again unchanged. The
 * same bytes also go through the codecs.
 */
#include "base/check.h"
#include "proc/keyd/engine/check.h"

#include <stdio.h>
#include <stdlib.h>

/* The corpus was made with this key. */
static const unsigned char spki[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0xc9, 0xa9, 0xc2, 0x51, 0x2f,
    0x61, 0x91, 0x02, 0xef, 0xe4, 0x1a, 0x82, 0x27, 0x36, 0x11, 0xfc, 0x4a, 0x1d, 0xc1, 0x3d, 0x2f,
    0x09, 0x23, 0xb9, 0xeb, 0x50, 0x5b, 0x3e, 0x85, 0xea, 0xc5, 0x5c, 0x11, 0x80, 0xf5, 0xec, 0x97,
    0x0a, 0x5f, 0xad, 0xcf, 0xdb, 0x6a, 0x94, 0xb6, 0xc9, 0x6d, 0x13, 0xf2, 0x79, 0x7c, 0xd2, 0x1d,
    0x28, 0x7b, 0x83, 0xdb, 0x74, 0x5f, 0x34, 0xdc, 0xf3, 0x6f, 0xb3,
};
static const unsigned char name[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03,
                                     0x55, 0x04, 0x03, 0x0c, 0x02, 'c',  'a'};

static struct keyd_key *key(void)
{
    static struct keyd_key k;

    if (k.refs == 0) {
        k.refs = 1;
        k.is_ca = true;
        snprintf(k.info.type, sizeof k.info.type, "p256");
        memcpy(k.info.spki, spki, sizeof spki);
        k.info.spki_bytes = sizeof spki;
        k.profile = (struct key_ca_profile){.root = true, .levels = 2, .name_bytes = sizeof name};
        memcpy(k.profile.name, name, sizeof name);
    }
    return &k;
}

static bool passes(unsigned purpose, struct span text)
{
    struct key_sign_request r = {
        .purpose = purpose, .algorithm = KEY_ECDSA, .digest = KEY_SHA256, .text = text};
    bool learned;
    return check_text(key(), &r, &learned) == NULL;
}

static void codecs(struct span body)
{
    unsigned char keys[KEY_TICKETS_MAX][KEY_TICKET_BYTES];
    struct key_create_request create;
    struct key_sign_request sign;
    struct key_info info;
    struct span pkcs8;
    struct rd r = rd_of(body);
    unsigned n;

    if (rd_key_create(body, &create)) {
        struct buf b BUF_AUTO = BUF(4096);
        wr_key_create(&b, &create);
        CHECK(span_eq(buf_span(&b), body));
    }
    if (rd_key_sign(body, &sign)) {
        struct buf b BUF_AUTO = BUF(KEY_TBS_MAX + 64);
        wr_key_sign(&b, &sign);
        CHECK(span_eq(buf_span(&b), body));
    }
    if (rd_key_import(body, &create, &pkcs8)) {
        struct buf b BUF_AUTO = BUF(16384);
        wr_key_import(&b, &create, pkcs8);
        CHECK(span_eq(buf_span(&b), body));
    }
    rd_key_info(&r, &info);
    key_tickets_rd(body, keys, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data + 1, size - 1);
    unsigned purpose, passed = 0;

    if (size == 0 || size > KEY_TBS_MAX)
        return 0;
    codecs(span_of(data, size));
    purpose = 1u << (data[0] % 9);
    if (!passes(purpose, text))
        return 0;
    CHECK(passes(purpose, text));
    for (unsigned p = KEY_TLS_SERVER; p <= KEY_EVIDENCE; p <<= 1)
        passed += passes(p, text);
    CHECK(passed == 1);
    return 0;
}
