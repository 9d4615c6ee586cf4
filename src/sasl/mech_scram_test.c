#include "sasl/mechanism.h"

#include "base/base64.h"
#include "base/check.h"
#include "proc/scram_client.h"
#include "unit/unit.h"

#include <stdio.h>

#define EXPORTER "exporter-data-of-thirty-two-byte"
#define ENDPOINT "endpoint-hash"

static void make_credential(struct span password, struct span salt_base64, uint32_t iterations,
                            struct scram_credential *ret)
{
    BUF_AUTO struct buf salt = BUF(64);

    CHECK(base64_decode(&salt, salt_base64) && salt.n == sizeof ret->salt);
    memcpy(ret->salt, salt.p, salt.n);
    ret->iterations = iterations;
    scram_derive(password, buf_span(&salt), iterations, ret->stored_key, ret->server_key);
}

/* RFC 7677 section 3, byte for byte */
TEST(example_of_rfc_7677)
{
    struct sasl_exchange x;
    struct scram_credential k;
    BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);

    make_credential(SPAN("pencil"), SPAN("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096, &k);
    sasl_exchange_init(&x, sasl_mechanism_find(SPAN("scram-sha-256"), true, false));
    snprintf(x.server_nonce, sizeof x.server_nonce, "%%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    EXPECT_INT(sasl_begin(&x, SPAN("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &out), SASL_CREDENTIAL);
    EXPECT_STR(x.user, "user");
    EXPECT_STR(x.authzid, "");
    EXPECT_INT(sasl_credential(&x, &k, &out), SASL_CONTINUE);
    EXPECT_SPAN(buf_span(&out), SPAN("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    buf_clear(&out);
    EXPECT_INT(sasl_respond(&x,
                            SPAN("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                 "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
                            &out),
               SASL_PROOF);
    EXPECT_INT(sasl_credential(&x, &k, &out), SASL_PROVEN);
    EXPECT_SPAN(buf_span(&out), SPAN("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    sasl_exchange_done(&x);
}

/* The exchange as authd drives it: as bytes between the steps. */
static enum sasl_outcome run(const struct scram_client *c, const struct scram_credential *k,
                             bool binding, bool *ret_started)
{
    struct sasl_exchange x, y;
    BUF_AUTO struct buf first = BUF(4096), out = BUF(SASL_CHALLENGE_MAX), final = BUF(8192),
                        state = BUF(8192);

    *ret_started = false;
    const struct sasl_mechanism *m = sasl_mechanism_find(span_cstr(c->mechanism), true, binding);
    CHECK(m);
    sasl_exchange_init(&x, m);
    x.binding_exporter = y.binding_exporter = binding ? SPAN(EXPORTER) : SPAN_EMPTY;
    x.binding_endpoint = y.binding_endpoint = binding ? SPAN(ENDPOINT) : SPAN_EMPTY;
    buf_printf(&first, "%sn=%s,r=fyko+d2lbbFgONRv9qkxdawL%s", c->gs2, c->user,
               c->first_extra ? c->first_extra : "");
    enum sasl_outcome o = sasl_begin(&x, buf_span(&first), &out);
    if (o == SASL_CREDENTIAL)
        o = sasl_credential(&x, k, &out);
    if (o != SASL_CONTINUE) {
        sasl_exchange_done(&x);
        return o;
    }
    *ret_started = true;
    scram_client_final(c, span_skip(buf_span(&first), strlen(c->gs2)), buf_span(&out), &final);
    wr_sasl_exchange(&state, &x);
    sasl_exchange_done(&x);

    struct rd r = rd_of(buf_span(&state));
    CHECK(rd_sasl_exchange(&r, &y) && rd_done(&r));
    y.binding_exporter = binding ? SPAN(EXPORTER) : SPAN_EMPTY;
    y.binding_endpoint = binding ? SPAN(ENDPOINT) : SPAN_EMPTY;
    buf_clear(&out);
    o = sasl_respond(&y, buf_span(&final), &out);
    if (o == SASL_PROOF)
        o = sasl_credential(&y, k, &out);
    if (o == SASL_PROVEN)
        EXPECT(span_starts(buf_span(&out), SPAN("v=")));
    else
        EXPECT_INT(out.n, 0);
    sasl_exchange_done(&y);
    return o;
}

TEST(exchanges)
{
#define PLUS "SCRAM-SHA-256-PLUS"
#define BARE "SCRAM-SHA-256"
    static const struct {
        const char *name;
        struct scram_client c;
        bool binding;
        enum sasl_outcome want;
        bool started;
    } rows[] = {
        {"plain",
         {BARE, "n,,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         false, SASL_PROVEN,
         true },
        {"n while we bind",
         {BARE, "n,,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         true,  SASL_PROVEN,
         true },
        {"y and we cannot bind",
         {BARE, "y,,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         false, SASL_PROVEN,
         true },
        {"y and we can: downgrade",
         {BARE, "y,,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         true,  SASL_FAILED,
         false},
        {"authzid",
         {BARE, "n,a=user,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         false, SASL_PROVEN,
         true },
        {"wrong password",
         {BARE, "n,,", "user", "pencil2", NULL, NULL, NULL, NULL, false},
         false, SASL_FAILED,
         true },
        {"proof changed",
         {BARE, "n,,", "user", "pencil", NULL, NULL, NULL, NULL, true},
         false, SASL_FAILED,
         true },
        {"nonce changed",
         {BARE, "n,,", "user", "pencil", NULL, "x", NULL, NULL, false},
         false, SASL_FAILED,
         true },
        {"gs2 header changed",
         {BARE, "n,,", "user", "pencil", "x", NULL, NULL, NULL, false},
         false, SASL_FAILED,
         true },
        {"extensions",
         {BARE, "n,,", "user", "pencil", NULL, NULL, ",x=1,y=abc", ",z=9", false},
         false, SASL_PROVEN,
         true },
        {"exporter",
         {PLUS, "p=tls-exporter,,", "user", "pencil", EXPORTER, NULL, NULL, NULL, false},
         true,  SASL_PROVEN,
         true },
        {"end point",
         {PLUS, "p=tls-server-end-point,,", "user", "pencil", ENDPOINT, NULL, NULL, NULL, false},
         true,  SASL_PROVEN,
         true },
        {"another connection's exporter",
         {PLUS, "p=tls-exporter,,", "user", "pencil", "exporter-data-of-other-connectio", NULL,
          NULL, NULL, false},
         true,  SASL_FAILED,
         true },
        {"the other binding's data",
         {PLUS, "p=tls-exporter,,", "user", "pencil", ENDPOINT, NULL, NULL, NULL, false},
         true,  SASL_FAILED,
         true },
        {"no data",
         {PLUS, "p=tls-exporter,,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         true,  SASL_FAILED,
         true },
        {"tls-unique",
         {PLUS, "p=tls-unique,,", "user", "pencil", "x", NULL, NULL, NULL, false},
         true,  SASL_FAILED,
         false},
        {"n under PLUS",
         {PLUS, "n,,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         true,  SASL_INVALID,
         false},
        {"y under PLUS",
         {PLUS, "y,,", "user", "pencil", NULL, NULL, NULL, NULL, false},
         true,  SASL_INVALID,
         false},
        {"p without PLUS",
         {BARE, "p=tls-exporter,,", "user", "pencil", EXPORTER, NULL, NULL, NULL, false},
         true,  SASL_INVALID,
         false},
    };
    struct scram_credential k;

    make_credential(SPAN("pencil"), SPAN("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096, &k);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool started;
        unit_case(rows[i].name);
        EXPECT_INT(run(&rows[i].c, &k, rows[i].binding, &started), rows[i].want);
        EXPECT_INT(started, rows[i].started);
    }
    unit_case(NULL);
}

TEST(first_messages)
{
    static const struct {
        const char *in;
        enum sasl_outcome want;
        const char *user;
    } rows[] = {
        {"n,,n=user,r=abc",        SASL_CREDENTIAL, "user"       },
        {"n,a=adm,n=user,r=abc",   SASL_CREDENTIAL, "user"       },
        {"n,,n=a=2Cb=3Dc,r=abc",   SASL_CREDENTIAL, "a,b=c"      },
        {"n,,n=j\xc3\xb6rg,r=abc", SASL_CREDENTIAL, "j\xc3\xb6rg"},
        {"n,,n=I\xc2\xadX,r=abc",  SASL_CREDENTIAL, "IX"         },
        {"n,,n=a\x07,r=abc",       SASL_FAILED,     NULL         },
        {"n,,n=a=2c,r=abc",        SASL_INVALID,    NULL         },
        {"n,,n=a=,r=abc",          SASL_INVALID,    NULL         },
        {"n,,n=a=2,r=abc",         SASL_INVALID,    NULL         },
        {"n,,n=j\xc3,r=abc",       SASL_INVALID,    NULL         },
        {"n,,n=,r=abc",            SASL_INVALID,    NULL         },
        {"n,,n=user,r=",           SASL_INVALID,    NULL         },
        {"n,,n=user,r=a b",        SASL_INVALID,    NULL         },
        {"n,,n=user",              SASL_INVALID,    NULL         },
        {"n,,r=abc,n=user",        SASL_INVALID,    NULL         },
        {"n,,m=ext,n=user,r=abc",  SASL_INVALID,    NULL         },
        {"n,,n=user,r=abc,",       SASL_INVALID,    NULL         },
        {"n,,n=user,r=abc,x",      SASL_INVALID,    NULL         },
        {"n,,n=user,r=abc,x=",     SASL_INVALID,    NULL         },
        {"n,a=,n=user,r=abc",      SASL_INVALID,    NULL         },
        {"n,b=x,n=user,r=abc",     SASL_INVALID,    NULL         },
        {"n,n=user,r=abc",         SASL_INVALID,    NULL         },
        {"n",                      SASL_INVALID,    NULL         },
        {"",                       SASL_INVALID,    NULL         },
        {"x,,n=user,r=abc",        SASL_INVALID,    NULL         },
        {"N,,n=user,r=abc",        SASL_INVALID,    NULL         },
        {"p=,,n=user,r=abc",       SASL_INVALID,    NULL         },
        {"n=user,r=abc",           SASL_INVALID,    NULL         },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl_exchange x;
        BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);
        unit_case(rows[i].in);
        sasl_exchange_init(&x, sasl_mechanism_find(SPAN("SCRAM-SHA-256"), true, false));
        EXPECT_INT(sasl_begin(&x, span_cstr(rows[i].in), &out), rows[i].want);
        if (rows[i].user)
            EXPECT_STR(x.user, rows[i].user);
        sasl_exchange_done(&x);
    }
    unit_case(NULL);
}

TEST(long_and_binary_first_messages)
{
    static char text[SASL_RESPONSE_MAX + 1];
    static const size_t sizes[] = {300, 1000, 1030, 2000, 8000, SASL_RESPONSE_MAX + 1};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (int where = 0; where < 3; where++) {
            struct sasl_exchange x;
            BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);
            memset(text, 'a', sizeof text);
            static const char *const heads[] = {"n,,n=", "n,,n=user,r=", "n,a="};
            memcpy(text, heads[where], strlen(heads[where]));
            sasl_exchange_init(&x, sasl_mechanism_find(SPAN("SCRAM-SHA-256"), true, false));
            enum sasl_outcome o = sasl_begin(&x, span_of(text, sizes[i]), &out);
            EXPECT(o == SASL_INVALID || o == SASL_FAILED);
            sasl_exchange_done(&x);
        }
    }
    struct sasl_exchange x;
    BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);
    sasl_exchange_init(&x, sasl_mechanism_find(SPAN("SCRAM-SHA-256"), true, false));
    EXPECT_INT(sasl_begin(&x, SPAN("n,,n=us\0er,r=abc"), &out), SASL_INVALID);
    sasl_exchange_done(&x);
}

TEST(final_messages)
{
    /* biws is "n,,"; the proof is 32 bytes of something */
#define P ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    static const struct {
        const char *in;
        enum sasl_outcome want;
    } rows[] = {
        {"c=biws,r=abcSERVER" P,        SASL_PROOF  },
        {"c=biws,r=abcSERVER,x=1" P,    SASL_PROOF  },
        {"c=biws,r=abcSERVE" P,         SASL_FAILED },
        {"c=eSws,r=abcSERVER" P,        SASL_FAILED }, /* "y,," */
        {"c=biw=,r=abcSERVER" P,        SASL_FAILED },
        {"c=!,r=abcSERVER" P,           SASL_FAILED },
        {"c=,r=abcSERVER" P,            SASL_INVALID},
        {"r=abcSERVER,c=biws" P,        SASL_INVALID},
        {"c=biws" P,                    SASL_INVALID},
        {"c=biws,r=abcSERVER",          SASL_INVALID},
        {"c=biws,r=abcSERVER,p=",       SASL_INVALID},
        {"c=biws,r=abcSERVER,p=AAAA",   SASL_INVALID},
        {"c=biws,r=abcSERVER" P "x",    SASL_INVALID},
        {"c=biws,r=abcSERVER" P ",x=1", SASL_INVALID},
        {"",                            SASL_INVALID},
        {"*",                           SASL_INVALID},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl_exchange x;
        struct scram_credential k = {.iterations = 4096};
        BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);
        unit_case(rows[i].in);
        sasl_exchange_init(&x, sasl_mechanism_find(SPAN("SCRAM-SHA-256"), true, false));
        snprintf(x.server_nonce, sizeof x.server_nonce, "SERVER");
        REQUIRE(sasl_begin(&x, SPAN("n,,n=user,r=abc"), &out) == SASL_CREDENTIAL);
        REQUIRE(sasl_credential(&x, &k, &out) == SASL_CONTINUE);
        EXPECT_INT(sasl_respond(&x, span_cstr(rows[i].in), &out), rows[i].want);
        sasl_exchange_done(&x);
    }
    unit_case(NULL);
}

TEST(no_initial_response_and_nonces)
{
    struct sasl_exchange x, y;
    BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);
    const struct sasl_mechanism *m = sasl_mechanism_find(SPAN("SCRAM-SHA-256"), true, false);

    sasl_exchange_init(&x, m);
    sasl_exchange_init(&y, m);
    EXPECT_INT(sasl_begin(&x, SPAN_EMPTY, &out), SASL_CONTINUE);
    EXPECT_INT(sasl_begin(&y, SPAN_EMPTY, &out), SASL_CONTINUE);
    EXPECT_INT(out.n, 0);
    EXPECT_INT(sasl_respond(&x, SPAN("n,,n=user,r=abc"), &out), SASL_CREDENTIAL);
    EXPECT_INT(sasl_respond(&y, SPAN("n,,n=user,r=abc"), &out), SASL_CREDENTIAL);
    EXPECT(strlen(x.server_nonce) >= 24);
    EXPECT(strcmp(x.server_nonce, y.server_nonce) != 0);
    EXPECT_INT(strlen(x.nonce), 3 + strlen(x.server_nonce));
    sasl_exchange_done(&x);
    sasl_exchange_done(&y);
}
