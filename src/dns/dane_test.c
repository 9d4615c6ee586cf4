#include "base/base64.h"
#include "base/check.h"
#include "dns/dane.h"
#include "unit/unit.h"

/* printf abc | sha256sum */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

TEST(records)
{
    struct dns_tlsa ee = dane_record(DANE_EE, SPAN("abc")), ta = dane_record(DANE_TA, SPAN("abc"));
    struct dns_tlsa_answer a = {
        .v = {ta, ee},
          .count = 2
    };
    struct buf text BUF_AUTO = BUF(200);

    dane_print(&ee, &text);
    EXPECT_STR(buf_cstr(&text), "3 1 1 " ABC);
    EXPECT(!dane_same(&ee, &ta));
    EXPECT(dane_has(&a, &ee));
    a.count = 1;
    EXPECT(!dane_has(&a, &ee));
    ta.data[31] ^= 1;
    EXPECT(!dane_has(&a, &ta));
}

TEST(owners)
{
    char name[DANE_OWNER_MAX + 1] = "kept", host[DNS_NAME_MAX + 1];

    EXPECT(dane_owner(25, "mx.example.test", name));
    EXPECT_STR(name, "_25._tcp.mx.example.test");
    memset(host, 'x', sizeof(host) - 1);
    host[sizeof(host) - 1] = 0;
    EXPECT(!dane_owner(25, host, name));
    EXPECT_STR(name, "_25._tcp.mx.example.test");
}

TEST(sights)
{
    static const struct {
        const char *name;
        enum dns_result found;
        bool secure, has;
        enum dane_sight want;
        const char *words;
    } rows[] = {
        {"seen",      DNS_FOUND,     true,  true,  DANE_SEEN,      "is seen at o"       },
        {"others",    DNS_FOUND,     true,  false, DANE_NOT_SEEN,  "not among"          },
        {"unsigned",  DNS_FOUND,     false, true,  DANE_INSECURE,  "not secured by"     },
        {"unsigned2", DNS_FOUND,     false, false, DANE_INSECURE,  "for o is"           },
        {"no data",   DNS_NO_DATA,   false, true,  DANE_NONE,      "o has no TLSA"      },
        {"no name",   DNS_NO_NAME,   true,  true,  DANE_NONE,      "not there yet"      },
        {"bogus",     DNS_BOGUS,     true,  true,  DANE_BOGUS,     "do not hold (bogus)"},
        {"nobody",    DNS_TEMPORARY, true,  true,  DANE_TEMPORARY, "do not answer"      },
    };
    struct dns_tlsa t = dane_record(DANE_EE, SPAN("abc")), other = dane_record(DANE_EE, SPAN("b"));

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dns_tlsa_answer a = {
            .v = {rows[i].has ? t : other}, .count = 1, .secure = rows[i].secure};
        struct buf words BUF_AUTO = BUF(400);
        unit_case(rows[i].name);
        EXPECT_INT(dane_look(rows[i].found, &a, &t), rows[i].want);
        dane_words(rows[i].want, "o", &words);
        EXPECT(strstr(buf_cstr(&words), rows[i].words) != NULL);
    }
    unit_case(NULL);
}

/* Looks at moments, and whether it is over behind each. */
TEST(two_ttls_without_a_break)
{
    static const struct {
        uint64_t at_ms;
        enum dane_sight sight;
        uint32_t ttl_s;
        bool over;
    } rows[] = {
        {1000,  DANE_NOT_SEEN,  5,  false},
        {2000,  DANE_SEEN,      5,  false},
        {11999, DANE_SEEN,      1,  false}, /* what is left of it at a cache is not its TTL */
        {12000, DANE_SEEN,      5,  true },
        {12001, DANE_BOGUS,     0,  false}, /* anew */
        {13000, DANE_SEEN,      5,  false},
        {22999, DANE_SEEN,      5,  false},
        {23000, DANE_SEEN,      20, false}, /* a longer one turns up */
        {53000, DANE_SEEN,      20, true },
        {53001, DANE_TEMPORARY, 0,  false},
    };
    struct dane_wait w = {0};

    EXPECT(!dane_wait_over(&w, 1000000));
    EXPECT(dane_wait_left_ms(&w, 5) == UINT64_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        dane_wait_look(&w, rows[i].sight, rows[i].ttl_s, rows[i].at_ms);
        EXPECT(dane_wait_over(&w, rows[i].at_ms) == rows[i].over);
    }
}

TEST(a_ttl_of_nothing_waits_too)
{
    struct dane_wait w = {0};

    dane_wait_look(&w, DANE_SEEN, 0, 0);
    EXPECT(!dane_wait_over(&w, 1999));
    EXPECT_INT(dane_wait_left_ms(&w, 1001), 1000);
    EXPECT(dane_wait_over(&w, 2001));
}
