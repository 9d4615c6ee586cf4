#include "monitor/scram.h"

#include "base/random.h"
#include "unit/unit.h"

#include <stdlib.h>

/* RFC 7677 section 3 */
#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_FIRST                                                                               \
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define CLIENT_FINAL                                                                               \
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"               \
    "Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

TEST(the_words_of_rfc_7677)
{
    struct scram s;
    struct buf first BUF_AUTO = BUF(1024), final BUF_AUTO = BUF(1024);

    scram_init(&s, "user", "pencil");
    scram_first_with(&s, NONCE, &first);
    EXPECT_SPAN(buf_span(&first), SPAN("n,,n=user,r=" NONCE));
    EXPECT(scram_final(&s, SPAN(SERVER_FIRST), &final));
    EXPECT_SPAN(buf_span(&final), SPAN(CLIENT_FINAL));
    EXPECT(scram_server_proved(&s, SPAN(SERVER_FINAL)));
    EXPECT(!scram_server_proved(&s, SPAN("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
    EXPECT(!scram_server_proved(&s, SPAN("v=")));
    EXPECT(!scram_server_proved(&s, SPAN("e=other-error")));
    scram_done(&s);
}

TEST(names_are_escaped)
{
    struct scram s;
    struct buf first BUF_AUTO = BUF(1024);

    scram_init(&s, "a,b=c", "x");
    scram_first_with(&s, "n", &first);
    EXPECT_SPAN(buf_span(&first), SPAN("n,,n=a=2Cb=3Dc,r=n"));
    scram_done(&s);
}

TEST(what_a_server_must_not_say)
{
    static const char *const bad[] = {
        "",
        "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* nothing of its own in the nonce */
        "r=other" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=" NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        "r=" NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001", /* would cost us dear */
        "r=" NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999",
        "r=" NONCE "x,s=!!!!,i=4096",
        "r=" NONCE "x,s=,i=4096",
        "m=ext,r=" NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=" NONCE "x,s=W22ZaJ0SNY7soEsUEjb6gQ==",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct scram s;
        struct buf first BUF_AUTO = BUF(1024), final BUF_AUTO = BUF(1024);
        unit_case(bad[i]);
        scram_init(&s, "user", "pencil");
        scram_first_with(&s, NONCE, &first);
        EXPECT(!scram_final(&s, span_cstr(bad[i]), &final));
        scram_done(&s);
    }
    unit_case(NULL);
}
