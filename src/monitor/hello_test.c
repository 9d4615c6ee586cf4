#include "monitor/hello.h"

#include "unit/unit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

/* ---- answers ----------------------------------------------------------------------------- */

#define RANDOM "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
/* ServerHellos: version, random, no id, suite, compression, extensions */
#define TLS_1_0                                                                                    \
    "16030100"                                                                                     \
    "2a"                                                                                           \
    "02000026"                                                                                     \
    "0301" RANDOM "00"                                                                             \
    "002f"                                                                                         \
    "00"
#define SECURE                                                                                     \
    "16030300"                                                                                     \
    "31"                                                                                           \
    "0200002d"                                                                                     \
    "0303" RANDOM "00"                                                                             \
    "c02f"                                                                                         \
    "00"                                                                                           \
    "0005"                                                                                         \
    "ff01000100"
#define DEFLATE                                                                                    \
    "16030300"                                                                                     \
    "31"                                                                                           \
    "0200002d"                                                                                     \
    "0303" RANDOM "00"                                                                             \
    "0005"                                                                                         \
    "01"                                                                                           \
    "0005"                                                                                         \
    "ff01000100"
#define OTHERS                                                                                     \
    "16030300"                                                                                     \
    "37"                                                                                           \
    "02000033"                                                                                     \
    "0303" RANDOM "00"                                                                             \
    "c030"                                                                                         \
    "00"                                                                                           \
    "000b"                                                                                         \
    "0017"                                                                                         \
    "0000"                                                                                         \
    "000b"                                                                                         \
    "0003"                                                                                         \
    "020100"
#define IN_TWO                                                                                     \
    "16030300"                                                                                     \
    "0a"                                                                                           \
    "02000026"                                                                                     \
    "0303"                                                                                         \
    "00112233"                                                                                     \
    "16030300"                                                                                     \
    "20"                                                                                           \
    "445566778899aabbccddeeff00112233445566778899aabbccddeeff"                                     \
    "00"                                                                                           \
    "0035"                                                                                         \
    "00"

/* clang-format off */
static const struct {
    const char *name, *hex;
    enum hello_kind kind;
    struct hello_answer want;
} rows[] = {
    {"nothing",                 "",                             HELLO_MORE,     {0}},
    {"TLS 1.0",                 TLS_1_0,                        HELLO_TAKEN,    {.version = 0x0301, .suite = 0x002f}},
    {"RFC 5746",                SECURE,                         HELLO_TAKEN,    {.version = 0x0303, .suite = 0xc02f, .secure_renegotiation = true}},
    {"compression",             DEFLATE,                        HELLO_TAKEN,    {.version = 0x0303, .suite = 0x0005, .compressed = true, .secure_renegotiation = true}},
    {"other extensions",        OTHERS,                         HELLO_TAKEN,    {.version = 0x0303, .suite = 0xc030}},
    {"in two records",          IN_TWO,                         HELLO_TAKEN,    {.version = 0x0303, .suite = 0x0035}},
    {"more behind it",          TLS_1_0 "160301ffff",           HELLO_TAKEN,    {.version = 0x0301, .suite = 0x002f}},
    {"after a warning",         "15030100020170" TLS_1_0,       HELLO_TAKEN,    {.version = 0x0301, .suite = 0x002f}},
    {"alert",                   "15030100020228",               HELLO_REFUSED,  {.alert = 40}},
    {"alert of no version",     "15030300020246",               HELLO_REFUSED,  {.alert = 70}},
    {"close_notify",            "15030300020100",               HELLO_REFUSED,  {.alert = 0}},
    {"warning alone",           "15030100020170",               HELLO_MORE,     {0}},
    {"SSL 2.0",                 "8010" "04" "00" "01" "0002" "0003" "0003" "0004" "aabbcc" "010080" "11223344", HELLO_TAKEN, {.version = 0x0002}},
    {"SSL 2.0 without suites",  "800b" "04" "00" "00" "0002" "0000" "0000" "0000", HELLO_REFUSED, {0}},
    {"SSL 2.0 of no version",   "800b" "04" "00" "00" "0301" "0000" "0003" "0000", HELLO_NONSENSE, {0}},
    {"plain text",              "32323020686f",                 HELLO_NONSENSE, {0}},
    {"application data",        "170303000100",                 HELLO_NONSENSE, {0}},
    {"no version",              "16050100",                     HELLO_MORE,     {0}},
    {"no version at all",       "160501000402000026",           HELLO_NONSENSE, {0}},
    {"empty record",            "1603010000",                   HELLO_NONSENSE, {0}},
    {"huge record",             "160301ffff02",                 HELLO_NONSENSE, {0}},
    {"another message",         "16030100040b000000",           HELLO_NONSENSE, {0}},
    {"huge message",            "160301000402ffffff",           HELLO_NONSENSE, {0}},
    {"short message",           "160301000602000002" "0301",    HELLO_NONSENSE, {0}},
    {"long id",                 "16030100" "2a" "02000026" "0301" RANDOM "21" "002f" "00", HELLO_NONSENSE, {0}},
    {"broken extensions",       "16030300" "31" "0200002d" "0303" RANDOM "00" "c02f" "00" "0005" "ff01000200", HELLO_NONSENSE, {0}},
    {"bytes behind extensions", "16030300" "32" "0200002e" "0303" RANDOM "00" "c02f" "00" "0005" "ff0100010000", HELLO_NONSENSE, {0}},
    {"alert of three bytes",    "1503010003022801",             HELLO_NONSENSE, {0}},
    {"alert inside a message",  "160301000302000015030100020228", HELLO_NONSENSE, {0}},
};
/* clang-format on */

static void unhex(const char *hex, struct buf *out)
{
    for (; hex[0] != '\0'; hex += 2) {
        char two[3] = {hex[0], hex[1], '\0'};
        buf_putc(out, (char)strtol(two, NULL, 16));
    }
}

static void expect_answer(const struct hello_answer *got, const struct hello_answer *want)
{
    EXPECT_INT(got->version, want->version);
    EXPECT_INT(got->suite, want->suite);
    EXPECT_INT(got->alert, want->alert);
    EXPECT_INT(got->compressed, want->compressed);
    EXPECT_INT(got->secure_renegotiation, want->secure_renegotiation);
}

/* Whole, and as it grows: until it says something it says nothing, then always the same. */
TEST(answers)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf bytes = BUF(HELLO_BYTES_MAX);
        struct hello_answer a = {0};
        enum hello_kind kind;
        unit_case(rows[i].name);
        unhex(rows[i].hex, &bytes);
        EXPECT_INT(hello_parse(buf_span(&bytes), &a), rows[i].kind);
        expect_answer(&a, &rows[i].want);
        for (size_t n = 0; n <= bytes.n; n++) {
            struct hello_answer part = {0};
            kind = hello_parse(span_head(buf_span(&bytes), n), &part);
            EXPECT(kind == HELLO_MORE || kind == rows[i].kind);
            if (kind == HELLO_TAKEN)
                expect_answer(&part, &rows[i].want);
        }
    }
    unit_case(NULL);
}

/* ---- offers ------------------------------------------------------------------------------ */

/* What OpenSSL as a server answers to it. */
static enum hello_kind ask(const struct hello_offer *o, int min, int max, const char *ciphers,
                           struct hello_answer *ret)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BUF_AUTO struct buf hello = BUF(HELLO_BYTES_MAX);
    SSL *ssl;
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    enum hello_kind kind;
    char *answer;
    long n;

    SSL_CTX_set_min_proto_version(ctx, min);
    SSL_CTX_set_max_proto_version(ctx, max);
    SSL_CTX_set_cipher_list(ctx, ciphers); /* anonymous ones: it needs no certificate */
    SSL_CTX_set_dh_auto(ctx, 1);
    ssl = SSL_new(ctx);
    SSL_set_bio(ssl, in, out);
    hello_put(o, &hello);
    EXPECT(!hello.overflow);
    BIO_write(in, hello.p, (int)hello.n);
    SSL_accept(ssl);
    n = BIO_get_mem_data(out, &answer);
    *ret = (struct hello_answer){0};
    kind = hello_parse(span_of(answer, (size_t)n), ret);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return kind;
}

#define ANY UINT32_MAX
#define ANON (1u << HELLO_ANONYMOUS)
#define LAX "aNULL:eNULL:@SECLEVEL=0"

/* clang-format off */
TEST(offers)
{
    static const struct {
        const char *name;
        struct hello_offer offer;
        int min, max;
        enum hello_kind kind;
        unsigned version;
    } table[] = {
        {"1.0 to 1.0",
         {HELLO_TLS_1_0, ANY, "a.example", NULL, false},
         TLS1_VERSION,   TLS1_VERSION,
         HELLO_TAKEN,   HELLO_TLS_1_0},
        {"1.0 to 1.1",
         {HELLO_TLS_1_0, ANY, "a.example", NULL, false},
         TLS1_1_VERSION, TLS1_1_VERSION,
         HELLO_REFUSED, 0            },
        {"1.1 to 1.0",
         {HELLO_TLS_1_1, ANY, NULL, NULL, false},
         TLS1_VERSION,   TLS1_VERSION,
         HELLO_TAKEN,   HELLO_TLS_1_0},
        {"1.1 to 1.1",
         {HELLO_TLS_1_1, ANY, NULL, "http/1.1", false},
         TLS1_VERSION,   TLS1_1_VERSION,
         HELLO_TAKEN,   HELLO_TLS_1_1},
        {"1.1 to 1.2",
         {HELLO_TLS_1_1, ANY, NULL, NULL, false},
         TLS1_2_VERSION, TLS1_3_VERSION,
         HELLO_REFUSED, 0            },
        {"anonymous",
         {HELLO_TLS_1_2, ANON, "a.example", NULL, false},
         TLS1_2_VERSION, TLS1_3_VERSION,
         HELLO_TAKEN,   HELLO_TLS_1_2},
        {"not anonymous",
         {HELLO_TLS_1_2, ANY & ~ANON, NULL, NULL, false},
         TLS1_2_VERSION, TLS1_3_VERSION,
         HELLO_REFUSED, 0            },
        {"compression",
         {HELLO_TLS_1_2, ANON, NULL, NULL, true},
         TLS1_2_VERSION, TLS1_2_VERSION,
         HELLO_TAKEN,   HELLO_TLS_1_2},
        {"1.2 to 1.3",
         {HELLO_TLS_1_2, ANY, NULL, NULL, false},
         TLS1_3_VERSION, TLS1_3_VERSION,
         HELLO_REFUSED, 0            },
        {"SSL 2.0 to 1.0",
         {HELLO_SSL_2, ANY, NULL, NULL, false},
         TLS1_VERSION,   TLS1_3_VERSION,
         HELLO_REFUSED, 0            },
        {"SSL 3.0 to 1.0",
         {HELLO_SSL_3, ANY, NULL, NULL, false},
         TLS1_VERSION,   TLS1_3_VERSION,
         HELLO_REFUSED, 0            },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct hello_answer a;
        unit_case(table[i].name);
        EXPECT_INT(ask(&table[i].offer, table[i].min, table[i].max, LAX, &a), table[i].kind);
        EXPECT_INT(a.version, table[i].version);
        EXPECT(a.alert != SSL_AD_DECODE_ERROR);
        if (table[i].kind == HELLO_TAKEN) {
            EXPECT(hello_suite_name(a.suite) != NULL &&
                   strstr(hello_suite_name(a.suite), "anon") != NULL);
            EXPECT(a.secure_renegotiation);
        }
    }
    unit_case(NULL);
}

/* Every suite that this machine's OpenSSL knows up to TLS 1.2, without those of shared secrets, has
 * the name that OpenSSL gives it. */
TEST(suites)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    unsigned known = 0;
    STACK_OF(SSL_CIPHER) * all;

    SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL:!PSK:!SRP:@SECLEVEL=0");
    all = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
        if (strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0)
            continue;
        const char *name = hello_suite_name(SSL_CIPHER_get_protocol_id(c));
        EXPECT(name != NULL);
        if (name != NULL)
            EXPECT_STR(name, SSL_CIPHER_standard_name(c));
        known++;
    }
    EXPECT(known > 80);
    SSL_CTX_free(ctx);
}

TEST(names)
{
    EXPECT_STR(hello_version_name(HELLO_SSL_2), "SSL 2.0");
    EXPECT_STR(hello_version_name(HELLO_TLS_1_1), "TLS 1.1");
    EXPECT_STR(hello_version_name(0x7f12), "an unknown version");
    EXPECT_STR(hello_suite_name(0xc011), "TLS_ECDHE_RSA_WITH_RC4_128_SHA");
    EXPECT(hello_suite_name(0x1301) == NULL);
    EXPECT_STR(hello_alert_name(70), "protocol version");
}
