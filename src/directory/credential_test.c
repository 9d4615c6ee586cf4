#include "directory/credential.h"

#include "base/base64.h"
#include "base/random.h"
#include "unit/unit.h"

static const struct credential_cost cheap = {64, 1};

TEST(a_password_is_known_again)
{
    struct credential c, d;

    REQUIRE(credential_make(SPAN("pencil"), cheap, &c) == 0);
    REQUIRE(credential_make(SPAN("pencil"), cheap, &d) == 0);
    EXPECT(span_starts(span_cstr(c.hash), SPAN("$argon2id$v=19$m=64,t=1,p=1$")));
    EXPECT(strcmp(c.hash, d.hash) != 0);
    EXPECT(memcmp(c.scram.salt, d.scram.salt, sizeof c.scram.salt) != 0);
    EXPECT(credential_verify(c.hash, SPAN("pencil")));
    EXPECT(!credential_verify(c.hash, SPAN("pencil ")));
    EXPECT(!credential_verify(c.hash, SPAN("Pencil")));
    EXPECT(!credential_verify(c.hash, SPAN_EMPTY));
    EXPECT(!credential_verify("", SPAN("pencil")));
    EXPECT(!credential_verify("$argon2id$", SPAN("pencil")));
}

TEST(another_cost_is_noticed)
{
    struct credential c;

    REQUIRE(credential_make(SPAN("pencil"), cheap, &c) == 0);
    EXPECT(!credential_is_outdated(c.hash, cheap));
    EXPECT(credential_is_outdated(c.hash, (struct credential_cost){128, 1}));
    EXPECT(credential_is_outdated(c.hash, (struct credential_cost){64, 2}));
}

/* RFC 7677 section 3: its example gives the proof and the signature; the keys are what must lead to
 * them. */
TEST(scram_keys_of_rfc_7677)
{
    const struct span auth_message =
        SPAN("n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
             "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
             "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    unsigned char stored[32], server[32], signature[32];
    BUF_AUTO struct buf salt = BUF(64), text = BUF(64);

    REQUIRE(base64_decode(&salt, SPAN("W22ZaJ0SNY7soEsUEjb6gQ==")));
    scram_derive(SPAN("pencil"), buf_span(&salt), 4096, stored, server);
    hmac_sha256(span_of(server, 32), auth_message, signature);
    base64_encode(&text, span_of(signature, 32));
    EXPECT_SPAN(buf_span(&text), SPAN("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

/* RFC 4231, test case 2 */
TEST(hmac_of_rfc_4231)
{
    unsigned char mac[32];
    BUF_AUTO struct buf text = BUF(64);

    hmac_sha256(SPAN("Jefe"), SPAN("what do ya want for nothing?"), mac);
    hex_encode(&text, span_of(mac, 32));
    EXPECT_SPAN(buf_span(&text),
                SPAN("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

TEST(made_up_users_keep_their_salt)
{
    unsigned char secret[32];
    struct scram_credential a, b, c;

    random_bytes(secret, sizeof secret);
    scram_make_up(SPAN("nobody@x"), secret, &a);
    scram_make_up(SPAN("nobody@x"), secret, &b);
    scram_make_up(SPAN("noone@x"), secret, &c);
    EXPECT(memcmp(a.salt, b.salt, sizeof a.salt) == 0);
    EXPECT(memcmp(a.salt, c.salt, sizeof a.salt) != 0);
    EXPECT(memcmp(a.stored_key, b.stored_key, sizeof a.stored_key) != 0);
    EXPECT_INT(a.iterations, CREDENTIAL_ITERATIONS);
}
