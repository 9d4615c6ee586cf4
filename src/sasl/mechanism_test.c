#include "sasl/mechanism.h"

#include "base/check.h"
#include "sasl/seal.h"
#include "unit/unit.h"

#define S(literal)                                                                                 \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

TEST(which_mechanisms_there_are)
{
    EXPECT(sasl_mechanism_find(SPAN("PLAIN"), true, false) != NULL);
    EXPECT(sasl_mechanism_find(SPAN("plain"), true, true) != NULL);
    EXPECT(sasl_mechanism_find(SPAN("LOGIN"), true, false) != NULL);
    EXPECT(sasl_mechanism_find(SPAN("SCRAM-SHA-256"), true, false) != NULL);
    EXPECT(sasl_mechanism_find(SPAN("SCRAM-SHA-256-PLUS"), true, true) != NULL);
    EXPECT(sasl_mechanism_find(SPAN("SCRAM-SHA-256-PLUS"), true, false) == NULL);
    EXPECT(sasl_mechanism_find(SPAN("PLAIN"), false, false) == NULL);
    EXPECT(sasl_mechanism_find(SPAN("SCRAM-SHA-256"), false, false) == NULL);
    EXPECT(sasl_mechanism_find(SPAN("EXTERNAL"), true, false)->certificate);
    EXPECT(sasl_mechanism_find(SPAN("EXTERNAL"), false, false) == NULL);
    EXPECT(!sasl_mechanism_find(SPAN("PLAIN"), true, false)->certificate);
    EXPECT(sasl_mechanism_find(SPAN("CRAM-MD5"), true, true) == NULL);
    EXPECT(sasl_mechanism_find(SPAN(""), true, true) == NULL);
}

TEST(external_messages)
{
    static const struct {
        struct span in;
        enum sasl_outcome want;
        const char *authzid;
    } rows[] = {
        {S(""),                     SASL_EXTERNAL, ""                },
        {S("anna"),                 SASL_EXTERNAL, "anna"            },
        {S("anna@example.org"),     SASL_EXTERNAL, "anna@example.org"},
        {S("I\xc2\xadX@b.example"), SASL_EXTERNAL, "IX@b.example"    },
        {S("an\x07na"),             SASL_FAILED,   NULL              },
        {S("anna\0"),               SASL_INVALID,  NULL              },
        {S("\0anna"),               SASL_INVALID,  NULL              },
        {S("\xff"),                 SASL_INVALID,  NULL              },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUF_AUTO struct buf challenge = BUF(SASL_CHALLENGE_MAX);
        struct sasl_exchange x;
        unit_case(rows[i].authzid);
        sasl_exchange_init(&x, sasl_mechanism_find(SPAN("EXTERNAL"), true, false));
        EXPECT_INT(sasl_begin(&x, SPAN_EMPTY, &challenge), SASL_CONTINUE);
        EXPECT_INT(challenge.n, 0);
        EXPECT_INT(sasl_respond(&x, rows[i].in, &challenge), rows[i].want);
        if (rows[i].authzid)
            EXPECT_STR(x.authzid, rows[i].authzid);
        sasl_exchange_done(&x);
    }
    unit_case(NULL);
}

TEST(plain_messages)
{
    static const struct {
        struct span in;
        enum sasl_outcome want;
        const char *authzid, *user, *password;
    } rows[] = {
        {S("\0tim\0tanstaaftanstaaf"),  SASL_PASSWORD, "",      "tim",             "tanstaaftanstaaf"},
        {S("Ursel\0Kurt\0xipj3plmq"),   SASL_PASSWORD, "Ursel", "Kurt",            "xipj3plmq"       },
        {S("\0joe@example.org\0p w"),   SASL_PASSWORD, "",      "joe@example.org", "p w"             },
        {S("\0I\xc2\xadX\0a\xc2\xa0z"), SASL_PASSWORD, "",      "IX",              "a z"             },
        {S("\0joe\0a\x07"),             SASL_FAILED,   NULL,    NULL,              NULL              },
        {S("\0j\x07\0pw"),              SASL_FAILED,   NULL,    NULL,              NULL              },
        {S("\0joe\0"),                  SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("\0\0pw"),                   SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("joe\0pw"),                  SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("\0joe\0pw\0"),              SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("\0joe\0pw\0x"),             SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("joe"),                      SASL_INVALID,  NULL,    NULL,              NULL              },
        {S(""),                         SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("\0"),                       SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("\0\0"),                     SASL_INVALID,  NULL,    NULL,              NULL              },
        {S("\0j\xff\0pw"),              SASL_INVALID,  NULL,    NULL,              NULL              },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl_exchange x;
        BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);
        sasl_exchange_init(&x, sasl_mechanism_find(SPAN("PLAIN"), true, false));
        /* at once, and after an empty challenge */
        for (int late = 0; late < 2; late++) {
            buf_clear(&x.password);
            x.authzid[0] = '\0';
            if (late)
                EXPECT_INT(sasl_begin(&x, SPAN_EMPTY, &out), SASL_CONTINUE);
            enum sasl_outcome o =
                late ? sasl_respond(&x, rows[i].in, &out) : sasl_begin(&x, rows[i].in, &out);
            if (!EXPECT_INT(o, rows[i].want))
                unit_fail(__FILE__, __LINE__, "row %zu", i);
            EXPECT_INT(out.n, 0);
            if (o == SASL_PASSWORD) {
                EXPECT_STR(x.user, rows[i].user);
                EXPECT_STR(x.authzid, rows[i].authzid);
                EXPECT_SPAN(buf_span(&x.password), span_cstr(rows[i].password));
            }
        }
        sasl_exchange_done(&x);
    }
}

TEST(plain_limits)
{
    static char text[SASL_RESPONSE_MAX + 1];
    struct sasl_exchange x;
    BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);

    sasl_exchange_init(&x, sasl_mechanism_find(SPAN("PLAIN"), true, false));
    memset(text, 'a', sizeof text);
    text[0] = text[NAME_ADDRESS_MAX + 1] = '\0';
    EXPECT_INT(sasl_begin(&x, span_of(text, NAME_ADDRESS_MAX + 2 + NAME_PASSWORD_MAX), &out),
               SASL_PASSWORD);
    EXPECT_INT(sasl_begin(&x, span_of(text, NAME_ADDRESS_MAX + 3 + NAME_PASSWORD_MAX), &out),
               SASL_INVALID);
    EXPECT_INT(sasl_begin(&x, span_of(text, sizeof text), &out), SASL_INVALID);
    text[NAME_ADDRESS_MAX + 1] = 'a';
    text[NAME_ADDRESS_MAX + 2] = '\0';
    EXPECT_INT(sasl_begin(&x, span_of(text, 400), &out), SASL_INVALID);
    sasl_exchange_done(&x);
}

TEST(login_messages)
{
    static const struct {
        struct span user, password;
        enum sasl_outcome first, last;
    } rows[] = {
        {S("joe"),   S("pw"),    SASL_CONTINUE, SASL_PASSWORD},
        {S("j\x07"), S("pw"),    SASL_CONTINUE, SASL_FAILED  },
        {S("joe"),   S("p\x07"), SASL_CONTINUE, SASL_FAILED  },
        {S("joe"),   S(""),      SASL_CONTINUE, SASL_INVALID },
        {S("joe"),   S("p\0w"),  SASL_CONTINUE, SASL_INVALID },
        {S("joe"),   S("\xff"),  SASL_CONTINUE, SASL_INVALID },
        {S(""),      S(""),      SASL_INVALID,  SASL_INVALID },
        {S("\xff"),  S(""),      SASL_INVALID,  SASL_INVALID },
        {S("j\0oe"), S(""),      SASL_INVALID,  SASL_INVALID },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl_exchange x;
        BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);
        sasl_exchange_init(&x, sasl_mechanism_find(SPAN("LOGIN"), true, false));
        EXPECT_INT(sasl_begin(&x, SPAN_EMPTY, &out), SASL_CONTINUE);
        EXPECT_SPAN(buf_span(&out), SPAN("Username:"));
        buf_clear(&out);
        EXPECT_INT(sasl_respond(&x, rows[i].user, &out), rows[i].first);
        if (rows[i].first == SASL_CONTINUE) {
            EXPECT_SPAN(buf_span(&out), SPAN("Password:"));
            EXPECT_INT(sasl_respond(&x, rows[i].password, &out), rows[i].last);
        }
        if (rows[i].last == SASL_PASSWORD)
            EXPECT_SPAN(buf_span(&x.password), rows[i].password);
        sasl_exchange_done(&x);
    }
}

/* ------------------------------------------------------------------ sealing */
static const unsigned char secret[SEAL_SECRET_BYTES] = "0123456789abcdef0123456789abcde",
                           other[SEAL_SECRET_BYTES] = "1123456789abcdef0123456789abcde";

static void begin_login(struct sasl_exchange *x)
{
    BUF_AUTO struct buf out = BUF(SASL_CHALLENGE_MAX);

    sasl_exchange_init(x, sasl_mechanism_find(SPAN("LOGIN"), true, false));
    EXPECT_INT(sasl_begin(x, SPAN("joe"), &out), SASL_CONTINUE);
}

TEST(a_sealed_state_opens_for_its_session_only)
{
    struct sasl_exchange x, y;
    BUF_AUTO struct buf sealed = BUF(SEAL_MAX), out = BUF(SASL_CHALLENGE_MAX);
    static const struct {
        uint64_t session;
        const unsigned char *secret;
        int64_t now;
        bool want;
    } rows[] = {
        {7, secret, 1000,                    true },
        {7, secret, 1000 + SEAL_SECONDS - 1, true },
        {7, secret, 1000 + SEAL_SECONDS,     false},
        {8, secret, 1000,                    false},
        {7, other,  1000,                    false},
    };

    begin_login(&x);
    sasl_seal(&x, 7, secret, 1000, &sealed);
    EXPECT(!sealed.overflow);
    EXPECT(span_find_span(buf_span(&sealed), SPAN("joe")) == SPAN_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        EXPECT_INT(sasl_open(buf_span(&sealed), rows[i].session, rows[i].secret, rows[i].now, &y),
                   rows[i].want);
        if (rows[i].want) {
            EXPECT_STR(y.user, "joe");
            EXPECT_INT(sasl_respond(&y, SPAN("pw"), &out), SASL_PASSWORD);
        }
        sasl_exchange_done(&y);
    }
    sasl_exchange_done(&x);
}

TEST(a_changed_state_does_not_open)
{
    struct sasl_exchange x, y;
    BUF_AUTO struct buf sealed = BUF(SEAL_MAX);

    begin_login(&x);
    sasl_seal(&x, 7, secret, 1000, &sealed);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 0x40;
        EXPECT(!sasl_open(buf_span(&sealed), 7, secret, 1000, &y));
        sasl_exchange_done(&y);
        sealed.p[i] ^= 0x40;
        EXPECT(!sasl_open(span_head(buf_span(&sealed), i), 7, secret, 1000, &y));
        sasl_exchange_done(&y);
    }
    sasl_exchange_done(&x);
}

TEST(the_largest_state_fits)
{
    struct sasl_exchange x, y;
    BUF_AUTO struct buf sealed = BUF(SEAL_MAX);

    sasl_exchange_init(&x, sasl_mechanism_find(SPAN("SCRAM-SHA-256"), true, false));
    memset(x.user, 'a', sizeof x.user - 1);
    memset(x.authzid, 'a', sizeof x.authzid - 1);
    memset(x.first_bare, 'a', sizeof x.first_bare - 1);
    memset(x.gs2, 'a', sizeof x.gs2 - 1);
    memset(x.nonce, 'a', sizeof x.nonce - 1);
    memset(x.server_nonce, 'a', sizeof x.server_nonce - 1);
    sasl_seal(&x, 7, secret, 1000, &sealed);
    EXPECT(!sealed.overflow);
    EXPECT(sasl_open(buf_span(&sealed), 7, secret, 1000, &y));
    EXPECT(memcmp(x.first_bare, y.first_bare, sizeof x.first_bare) == 0);
    sasl_exchange_done(&y);
    sasl_exchange_done(&x);
}
