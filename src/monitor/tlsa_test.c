#include "monitor/tlsa.h"

#include "pki/world_test.h"

#include <openssl/sha.h>

static struct world world;
static struct certificate *leaf, *other;

static struct certificate *server(const char *names, int64_t to)
{
    struct err e = {""};
    struct certificate *c = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                                             .cn = "mx.example.org",
                                                             .names = names,
                                                             .to = to,
                                                             .issuer = world.issuing,
                                                             .key = world.leaf_key,
                                                             .signer = world.issuing_key},
                                        &e);

    CHECK(c != NULL);
    return c;
}

/* A record of that kind for that certificate. */
static struct dns_tlsa record(unsigned usage, unsigned selector, unsigned matching,
                              const struct certificate *c)
{
    struct buf spki BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct span whole = certificate_der(c);
    struct dns_tlsa t = {
        .usage = (uint8_t)usage, .selector = (uint8_t)selector, .matching = (uint8_t)matching};

    if (selector == 1 && certificate_spki(c, &spki))
        whole = buf_span(&spki);
    t.bytes = matching != 1 ? SHA512_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
    t.whole = matching == 0 ? whole.n : 0;
    if (matching != 1)
        SHA512((const unsigned char *)whole.p, whole.n, t.data);
    else
        SHA256((const unsigned char *)whole.p, whole.n, t.data);
    return t;
}

TEST(records)
{
    static const struct {
        unsigned usage, selector, matching;
        char of; /* l: leaf, i: issuing, r: root (not sent), o: another leaf of the same key */
        bool smtp, trusted;
        enum tlsa_fit want;
    } rows[] = {
        {3, 1, 1, 'l', true,  false, TLSA_FITS    },
        {3, 1, 2, 'l', true,  false, TLSA_FITS    },
        {3, 0, 1, 'l', true,  false, TLSA_FITS    },
        {3, 0, 2, 'l', true,  false, TLSA_FITS    },
        {3, 0, 0, 'l', true,  false, TLSA_FITS    },
        {3, 1, 0, 'l', true,  false, TLSA_FITS    },
        {2, 0, 0, 'i', true,  false, TLSA_FITS    },
        {3, 0, 0, 'o', true,  false, TLSA_DIFFERS },
        {3, 1, 1, 'o', true,  false, TLSA_FITS    },
        {3, 0, 1, 'o', true,  false, TLSA_DIFFERS },
        {3, 1, 1, 'i', true,  true,  TLSA_DIFFERS },
        {2, 1, 1, 'i', true,  false, TLSA_FITS    },
        {2, 0, 2, 'i', true,  false, TLSA_FITS    },
        {2, 1, 1, 'l', true,  true,  TLSA_DIFFERS },
        {2, 1, 1, 'r', true,  true,  TLSA_DIFFERS }, /* it must be sent along (RFC 7671 5.2) */
        {1, 1, 1, 'l', true,  true,  TLSA_UNUSABLE},
        {0, 1, 1, 'i', true,  true,  TLSA_UNUSABLE},
        {1, 1, 1, 'l', false, true,  TLSA_FITS    },
        {1, 1, 1, 'l', false, false, TLSA_DIFFERS },
        {0, 1, 1, 'i', false, true,  TLSA_FITS    },
        {0, 1, 1, 'i', false, false, TLSA_DIFFERS },
        {4, 1, 1, 'l', true,  true,  TLSA_UNUSABLE},
        {3, 2, 1, 'l', true,  true,  TLSA_UNUSABLE},
        {3, 1, 3, 'l', true,  true,  TLSA_UNUSABLE},
    };
    struct chain chain = {.n = 2};
    struct tlsa_question q = {.chain = &chain, .host = "mx.example.org", .now = WORLD_NOW};

    world_init(&world, "p256");
    leaf = server("mx.example.org", 0);
    other = server("mx.example.org", 0);
    chain.v[0] = leaf;
    chain.v[1] = world.issuing;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct certificate *c = rows[i].of == 'l'   ? leaf
                                      : rows[i].of == 'i' ? world.issuing
                                      : rows[i].of == 'r' ? world.root
                                                          : other;
        struct dns_tlsa t = record(rows[i].usage, rows[i].selector, rows[i].matching, c);
        char name[40];
        snprintf(name, sizeof name, "%u %u %u %c", t.usage, t.selector, t.matching, rows[i].of);
        unit_case(name);
        q.smtp = rows[i].smtp;
        q.trusted = rows[i].trusted;
        EXPECT_INT(tlsa_judge(&q, &t), rows[i].want);
        t.data[5] ^= 1;
        if (rows[i].want == TLSA_FITS)
            EXPECT_INT(tlsa_judge(&q, &t), TLSA_DIFFERS);
        t.bytes--;
        if (t.matching != 0)
            EXPECT_INT(tlsa_judge(&q, &t), TLSA_UNUSABLE);
    }
    unit_case(NULL);
    certificate_free(leaf);
    certificate_free(other);
    world_done(&world);
}

/* A CA's record vouches for dates, names and signatures; that of the certificate needs none. */
TEST(of_a_ca)
{
    struct chain chain = {.n = 2};
    struct tlsa_question q = {
        .chain = &chain, .host = "mx.example.org", .smtp = true, .now = WORLD_NOW};
    struct world another;
    struct dns_tlsa ca, own, exact;

    world_init(&world, "p256");
    world_init(&another, "p256");
    leaf = server("mx.example.org", 0);
    chain.v[0] = leaf;
    chain.v[1] = world.issuing;
    ca = record(2, 1, 1, world.issuing);
    tlsa_of(leaf, &own);
    EXPECT_INT(tlsa_judge(&q, &ca), TLSA_FITS);
    EXPECT_INT(tlsa_judge(&q, &own), TLSA_FITS);
    q.host = "mail.example.org";
    EXPECT_INT(tlsa_judge(&q, &ca), TLSA_DIFFERS);
    EXPECT_INT(tlsa_judge(&q, &own), TLSA_FITS);
    q.host = "mx.example.org";
    q.now = WORLD_NOW + 60 * WORLD_DAY;
    EXPECT_INT(tlsa_judge(&q, &ca), TLSA_DIFFERS);
    EXPECT_INT(tlsa_judge(&q, &own), TLSA_FITS);
    q.now = WORLD_NOW;
    chain.v[1] = another.issuing; /* of the same name, and another key */
    ca = record(2, 1, 1, another.issuing);
    EXPECT_INT(tlsa_judge(&q, &ca), TLSA_DIFFERS);
    exact = (struct dns_tlsa){.usage = 3, .selector = 1, .matching = 0, .bytes = 64};
    EXPECT_INT(tlsa_judge(&q, &exact), TLSA_DIFFERS);
    certificate_free(leaf);
    world_done(&world);
    world_done(&another);
}
