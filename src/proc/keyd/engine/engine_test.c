/* engine_test.c: the messages of keyd from well-meaning and from hostile peers, and what stays on
 * the disk. */
#include "base/base64.h"
#include "pki/keyd_msg.h"
#include "proc/keyd/engine/fixture.h"
#include "proc/keyd/engine/keystore.h"
#include "unit/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>

static int call(struct fixture *f, enum msg_id id, struct span body, struct buf *reply)
{
    buf_clear(reply);
    return link_call(f->client, id, body, NULL, 0, 20000, reply, NULL);
}

static void tls13(char text[130])
{
    memset(text, ' ', 64);
    memcpy(text + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(text + 98, 'h', 32);
}

static int sign(struct fixture *f, const char *id, unsigned purpose, enum key_algorithm a,
                enum key_digest d, struct span text, struct buf *reply)
{
    struct buf body BUF_AUTO = BUF(70000);
    struct key_sign_request r = {.purpose = purpose, .algorithm = a, .digest = d, .text = text};

    CHECK(key_id_parse(id, r.id));
    wr_key_sign(&body, &r);
    return call(f, MSG_KEY_SIGN, buf_span(&body), reply);
}

/* --- who may what, over the link */

static void hostile(struct fixture *f)
{
    struct buf reply BUF_AUTO = BUF(65536);
    struct key_info k, ca, got;
    char text[131] = {0};
    struct span good = span_of(text, 130);

    key_provider_init(fixture_link, f);
    tls13(text);
    fixture_role(f, ROLE_CAD);
    REQUIRE(key_create("ca/root", "p256", KEY_CA | KEY_CRL, false, &ca) == 0);
    EXPECT_INT(key_create("vserver/x", "p256", KEY_TLS_SERVER, false, &k), -EACCES);
    EXPECT_INT(key_create("ca/root", "p256", KEY_TLS_SERVER, false, &k), -EACCES);
    fixture_role(f, ROLE_CERTD);
    EXPECT_INT(key_create("vserver/x", "p257", KEY_TLS_SERVER, false, &k), -EINVAL);
    EXPECT_INT(key_create("vserver/x", "p256", KEY_CA, false, &k), -EACCES);
    REQUIRE(key_create("vserver/x", "p256", KEY_TLS_SERVER | KEY_CSR, false, &k) == 0);
    EXPECT_STR(k.type, "p256");
    EXPECT_STR(k.label, "vserver/x");
    EXPECT_INT(k.spki_bytes, 91);
    EXPECT_INT(key_get(k.id, &got), 0);
    EXPECT(memcmp(&got, &k, sizeof got) == 0);
    EXPECT_INT(key_delete(ca.id), -EACCES);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, good, &reply), -EACCES);

    fixture_role(f, ROLE_ACCESS);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, good, &reply), 0);
    EXPECT(reply.n >= 68 && reply.n <= 72);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA384, good, &reply), -EINVAL);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_RSA_PSS, KEY_SHA256, good, &reply), -EINVAL);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, span_of(text, 131), &reply),
               -EINVAL);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, SPAN_EMPTY, &reply), -EINVAL);
    EXPECT_INT(sign(f, ca.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, good, &reply), -EACCES);
    for (unsigned p = 0; p < 16; p++)
        if (1u << p != KEY_TLS_SERVER)
            EXPECT_INT(sign(f, k.id, 1u << p, KEY_ECDSA, KEY_SHA256, good, &reply), -EACCES);
    EXPECT_INT(sign(f, "00112233445566778899aabbccddeeff", KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256,
                    good, &reply),
               -ENOENT);
    EXPECT_INT(reply.n, 0);
    EXPECT_INT(key_get("00112233445566778899aabbccddeeff", &got), -ENOENT);
    EXPECT_INT(f->closed, 0);

    fixture_role(f, ROLE_RELAYD);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, good, &reply), -EACCES);
    EXPECT_INT(sign(f, k.id, KEY_TLS_CLIENT, KEY_ECDSA, KEY_SHA256, good, &reply), -EACCES);
    fixture_role(f, ROLE_MANAGER);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, good, &reply), -EACCES);

    /* the text for real: after all this the key still signs, and what it signs verifies */
    fixture_role(f, ROLE_MX);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, good, &reply), 0);
    const unsigned char *p = k.spki;
    EVP_PKEY *pub = d2i_PUBKEY(NULL, &p, k.spki_bytes);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pub);
    EXPECT_INT(EVP_DigestVerify(ctx, (unsigned char *)reply.p, reply.n, (unsigned char *)text, 130),
               1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pub);

    fixture_role(f, ROLE_CERTD);
    EXPECT_INT(key_delete(k.id), 0);
    EXPECT_INT(key_delete(k.id), -ENOENT);
    fixture_role(f, ROLE_ACCESS);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, good, &reply), -ENOENT);
}

TEST(each_process_has_its_own_rights)
{
    fixture_run(hostile);
}

/* --- payloads that are none */

static void garbage(struct fixture *f)
{
    static const struct {
        enum role who;
        enum msg_id id;
        size_t max;
    } rows[] = {
        {ROLE_CERTD,   MSG_KEY_CREATE, 2048 },
        {ROLE_CERTD,   MSG_KEY_GET,    16   },
        {ROLE_MANAGER, MSG_KEY_LIST,   256  },
        {ROLE_CERTD,   MSG_KEY_DELETE, 16   },
        {ROLE_ACCESS,  MSG_KEY_SIGN,   65664},
        {ROLE_CAD,     MSG_KEY_SIGN,   65664},
    };
    struct buf reply BUF_AUTO = BUF(65536);
    struct key_info k;
    char *junk = malloc(65664);

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_CERTD);
    REQUIRE(key_create("vserver/x", "p256", KEY_TLS_SERVER, false, &k) == 0);
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        fixture_role(f, rows[row].who);
        for (int i = 0; i < 300; i++) {
            size_t n = unit_random() % (i % 3 ? 64 : rows[row].max + 1);
            if (n > rows[row].max)
                n = rows[row].max;
            for (size_t j = 0; j < n; j++)
                junk[j] = (char)(unit_random() % (i % 2 ? 256 : 4));
            if (rows[row].id == MSG_KEY_SIGN && n >= 20 &&
                i % 2) { /* so that more of it is looked at */
                unsigned char id[KEY_ID_BYTES];
                key_id_parse(k.id, id);
                memcpy(junk, id, sizeof id);
                memcpy(junk + 16, "\1\0\3\1", 4);
            }
            EXPECT(call(f, rows[row].id, span_of(junk, n), &reply) < 0 ||
                   rows[row].id == MSG_KEY_LIST);
        }
    }
    EXPECT_INT(f->closed, 0);
    free(junk);
    fixture_role(f, ROLE_CERTD);
    EXPECT_INT(key_get(k.id, &k), 0);
}

TEST(garbage_is_refused)
{
    fixture_run(garbage);
}

/* --- list */

static void listing(struct fixture *f)
{
    struct key_info k, *list;
    size_t n = 0;

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_CERTD);
    for (int i = 0; i < 150; i++) {
        char label[40];
        snprintf(label, sizeof label, "%s/%d", i % 3 ? "vserver" : "acme", i);
        REQUIRE(key_create(label, "ed25519", i % 3 ? KEY_TLS_SERVER : KEY_ACME, i == 1, &k) == 0);
    }
    fixture_role(f, ROLE_MANAGER);
    EXPECT_INT(key_list("vserver/", &list, &n), 0);
    EXPECT_INT(n, 100);
    for (size_t i = 1; i < n; i++)
        EXPECT(strcmp(list[i - 1].id, list[i].id) < 0);
    free(list);
    EXPECT_INT(key_list("", &list, &n), 0);
    EXPECT_INT(n, 150);
    free(list);
    EXPECT_INT(key_list("nothing", &list, &n), 0);
    EXPECT_INT(n, 0);
    free(list);
}

TEST(keys_are_listed_in_pages)
{
    fixture_run(listing);
}

/* --- what stays */

static void reopen(struct fixture *f)
{
    link_free(f->client);
    f->client = NULL;
    fiber_sleep_ms(2);
    keyd_close(f->keyd);
    fixture_open(f);
}

static void path_of(const struct fixture *f, const char *id, char *dst, size_t size)
{
    snprintf(dst, size, "%s/%s%s", f->folder, id, strlen(id) == 32 ? ".key" : "");
}

static void flip(const char *path, long at)
{
    int fd = open(path, O_RDWR);
    char c;

    CHECK(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= 1;
    CHECK(pwrite(fd, &c, 1, at) == 1);
    close(fd);
}

static void persistence(struct fixture *f)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048"};
    struct key_info k[4], got;
    struct buf reply BUF_AUTO = BUF(65536);
    char text[130], path[100], other[100];
    struct stat st;
    struct err e;

    key_provider_init(fixture_link, f);
    tls13(text);
    fixture_role(f, ROLE_CERTD);
    for (int i = 0; i < 4; i++) {
        REQUIRE(key_create("vserver/x", types[i], KEY_TLS_SERVER, i == 0, &k[i]) == 0);
        path_of(f, k[i].id, path, sizeof path);
        EXPECT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    }
    reopen(f);
    fixture_role(f, ROLE_ACCESS);
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(key_get(k[i].id, &got), 0);
        EXPECT(memcmp(&got, &k[i], sizeof got) == 0);
    }
    EXPECT_INT(
        sign(f, k[3].id, KEY_TLS_SERVER, KEY_RSA_PSS, KEY_SHA256, span_of(text, 130), &reply), 0);
    EXPECT_INT(reply.n, 256);
    EXPECT_INT(
        sign(f, k[2].id, KEY_TLS_SERVER, KEY_EDDSA, KEY_DIGEST_NONE, span_of(text, 130), &reply),
        0);
    EXPECT_INT(reply.n, 64);

    /* one byte of a file, and one key under another's name: those two are gone, the others are
     * there */
    path_of(f, k[0].id, path, sizeof path);
    flip(path, 70);
    path_of(f, k[1].id, path, sizeof path);
    path_of(f, k[2].id, other, sizeof other);
    EXPECT(rename(path, other) == 0);
    reopen(f);
    fixture_role(f, ROLE_ACCESS);
    EXPECT_INT(key_get(k[0].id, &got), -ENOENT);
    EXPECT_INT(key_get(k[1].id, &got), -ENOENT);
    EXPECT_INT(key_get(k[2].id, &got), -ENOENT);
    EXPECT_INT(key_get(k[3].id, &got), 0);

    /* no secret, or one that others may read: keyd does not start, and makes no new one over old
     * keys */
    path_of(f, "secret", path, sizeof path);
    path_of(f, "kept", other, sizeof other);
    EXPECT(chmod(path, 0644) == 0);
    EXPECT(keyd_open(f->loop, fixture_dir(f), &e) == NULL);
    EXPECT(chmod(path, 0600) == 0 && rename(path, other) == 0);
    EXPECT(keyd_open(f->loop, fixture_dir(f), &e) == NULL);
    EXPECT(stat(path, &st) < 0);
    EXPECT(rename(other, path) == 0);
    flip(path, 3);
    reopen(f);
    fixture_role(f, ROLE_ACCESS);
    EXPECT_INT(key_get(k[3].id, &got), -ENOENT);
}

TEST(keys_survive_a_restart_and_damage_is_seen)
{
    fixture_run(persistence);
}

static void no_key_in_clear(struct fixture *f)
{
    struct keyd_key *k;
    struct keystore s = {.dir = fixture_dir(f)};
    struct key_create_request r = {
        .label = "vserver/x", .type = "p256", .purposes = KEY_TLS_SERVER};
    struct buf file BUF_AUTO = BUF(65536);
    unsigned char *der = NULL;
    char name[60];
    struct err e;
    int n;

    REQUIRE(seal_secret_load(s.dir, false, s.secret, &e) == 0);
    REQUIRE(keyd_key_make(&r, &k) == 0);
    REQUIRE(keystore_write(&s, k, &e) == 0);
    snprintf(name, sizeof name, "%s.key", k->info.id);
    REQUIRE(file_read(s.dir, name, 65536, &file, &e) == 0);
    n = i2d_PrivateKey(k->pkey, &der);
    EXPECT(n > 60);
    EXPECT(span_find_span(buf_span(&file), span_of(der + 7, 32)) == SPAN_NONE); /* the scalar */
    EXPECT(span_find_span(buf_span(&file), SPAN("vserver/x")) == SPAN_NONE);
    OPENSSL_free(der);
    keyd_key_unref(k);
    close(s.dir);
}

TEST(files_hold_no_key_in_clear)
{
    fixture_run(no_key_in_clear);
}

/* --- the log and the learned name */

static void logging(struct fixture *f)
{
    struct key_info ca;
    struct buf log BUF_AUTO = BUF(65536);
    struct buf reply BUF_AUTO = BUF(65536);
    struct buf text BUF_AUTO = BUF(65536);
    char hex[65], line[200];
    unsigned char md[32], *der = NULL;
    struct err e;
    int dir = fixture_dir(f), n;

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_CAD);
    REQUIRE(key_create("ca/sub", "p256", KEY_CA | KEY_CSR, false, &ca) == 0);
    const unsigned char *p = ca.spki;
    EVP_PKEY *pub = d2i_PUBKEY(NULL, &p, ca.spki_bytes);
    X509_REQ *req = X509_REQ_new();
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
                               (const unsigned char *)"sub", -1, -1, 0);
    X509_REQ_set_pubkey(req, pub);
    n = i2d_re_X509_REQ_tbs(req, &der);
    buf_put(&text, der, (size_t)n);
    OPENSSL_free(der);
    EXPECT_INT(sign(f, ca.id, KEY_CSR, KEY_ECDSA, KEY_SHA256, buf_span(&text), &reply), 0);
    EVP_Digest(text.p, text.n, md, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", md[i]);
    snprintf(line, sizeof line, " cad %s csr sha256=%s\n", ca.id, hex);
    REQUIRE(file_read(dir, "sign.log", 65536, &log, &e) == 0);
    EXPECT(span_ends_nocase(buf_span(&log), span_cstr(line)));
    EXPECT_INT(log.n, 20 + strlen(line));

    /* the name was written before the signature: another one is refused after a restart too */
    reopen(f);
    fixture_role(f, ROLE_CAD);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
                               (const unsigned char *)"more", -1, -1, 0);
    der = NULL;
    n = i2d_re_X509_REQ_tbs(req, &der);
    EXPECT_INT(sign(f, ca.id, KEY_CSR, KEY_ECDSA, KEY_SHA256, span_of(der, (size_t)n), &reply),
               -EINVAL);
    EXPECT_INT(sign(f, ca.id, KEY_CSR, KEY_ECDSA, KEY_SHA256, buf_span(&text), &reply), 0);
    OPENSSL_free(der);
    X509_REQ_free(req);
    EVP_PKEY_free(pub);
    close(dir);
}

TEST(authority_is_logged_and_names_stay)
{
    fixture_run(logging);
}

/* --- a slow key does not hold up the others */

struct slow {
    struct fixture *f;
    const char *id;
    unsigned left, ended;
    bool fast_done;
    unsigned slow_before_fast;
};

static void slow_done(void *arg, int status, struct span body, int *fds, unsigned fd_count)
{
    struct slow *s = arg;

    EXPECT_INT(status, 0);
    EXPECT_INT(body.n, 512);
    s->ended++;
    if (!s->fast_done)
        s->slow_before_fast++;
}

static void fairness(struct fixture *f)
{
    struct slow s = {.f = f};
    struct key_info rsa, ec;
    struct buf body BUF_AUTO = BUF(1024);
    struct buf reply BUF_AUTO = BUF(1024);
    struct key_sign_request r = {
        .purpose = KEY_TLS_SERVER, .algorithm = KEY_RSA_PSS, .digest = KEY_SHA256};
    char text[130];
    struct link *busy;

    key_provider_init(fixture_link, f);
    tls13(text);
    fixture_role(f, ROLE_CERTD);
    REQUIRE(key_create("vserver/x", "rsa4096", KEY_TLS_SERVER, false, &rsa) == 0);
    REQUIRE(key_create("vserver/x", "p256", KEY_TLS_SERVER, false, &ec) == 0);
    key_id_parse(rsa.id, r.id);
    r.text = span_of(text, sizeof text);
    wr_key_sign(&body, &r);
    fixture_role(f, ROLE_MX);
    for (int i = 0; i < 100; i++)
        REQUIRE(link_call_async(f->client, MSG_KEY_SIGN, buf_span(&body), NULL, 0, slow_done, &s) ==
                0);
    busy = f->client;
    f->client = NULL; /* stays open beside the new one */
    fixture_role(f, ROLE_ACCESS);
    EXPECT_INT(sign(f, ec.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, span_of(text, 130), &reply),
               0);
    EXPECT(s.ended < 90);
    /* and an RSA one of another link waits for its turn, not for the hundred */
    EXPECT_INT(sign(f, rsa.id, KEY_TLS_SERVER, KEY_RSA_PSS, KEY_SHA256, span_of(text, 130), &reply),
               0);
    s.fast_done = true;
    EXPECT(s.slow_before_fast < 90);
    while (s.ended < 100)
        fiber_sleep_ms(5);
    link_free(busy);
}

TEST(a_slow_key_does_not_hold_up_the_others)
{
    fixture_run(fairness);
}

/* --- tickets */

static void tickets(struct fixture *f)
{
    unsigned char a[KEY_TICKETS_MAX][KEY_TICKET_BYTES], b[KEY_TICKETS_MAX][KEY_TICKET_BYTES];
    unsigned n = 0, m = 0;

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_ACCESS);
    EXPECT_INT(key_tickets(a, &n), 0);
    EXPECT_INT(n, 1);
    keyd_rotate_tickets(f->keyd);
    keyd_rotate_tickets(f->keyd);
    keyd_rotate_tickets(f->keyd);
    fiber_sleep_ms(5);
    EXPECT_INT(f->notes, 3);
    EXPECT_INT(f->note_bytes, 1 + 3 * KEY_TICKET_BYTES);
    EXPECT_INT(key_tickets(b, &m), 0);
    EXPECT_INT(m, 3);
    for (unsigned i = 0; i < m; i++) /* the oldest fell out */
        EXPECT(memcmp(a[0], b[i], KEY_TICKET_BYTES) != 0);
    fixture_role(f, ROLE_MX); /* strangers' workers have other keys */
    EXPECT_INT(key_tickets(a, &n), 0);
    EXPECT_INT(n, 3);
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < m; j++)
            EXPECT(memcmp(a[i], b[j], KEY_TICKET_BYTES) != 0);
    fixture_role(f, ROLE_CERTD);
    keyd_rotate_tickets(f->keyd);
    fiber_sleep_ms(5);
    EXPECT_INT(f->notes, 3); /* nobody else is told */
}

TEST(ticket_keys)
{
    fixture_run(tickets);
}

/* --- codecs */

TEST(codecs_there_and_back)
{
    struct key_create_request r = {.label = "ca/x",
                                   .type = "p384",
                                   .purposes = 12,
                                   .exportable = true,
                                   .with_profile = true},
                              back;
    struct buf b BUF_AUTO = BUF(4096);
    unsigned char id[KEY_ID_BYTES];
    char hex[2 * KEY_ID_BYTES + 1];

    memcpy(r.profile.name, "name", 4);
    r.profile.name_bytes = 4;
    r.profile.client_only = true;
    r.profile.levels = 3;
    r.profile.max_days = 90;
    wr_key_create(&b, &r);
    EXPECT(rd_key_create(buf_span(&b), &back));
    EXPECT(memcmp(&r, &back, sizeof r) == 0);
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!rd_key_create(span_of(b.p, n), &back));
    buf_putc(&b, 0);
    EXPECT(!rd_key_create(buf_span(&b), &back));
    EXPECT(key_id_parse("00112233445566778899aabbccddeeff", id));
    key_id_print(id, hex);
    EXPECT_STR(hex, "00112233445566778899aabbccddeeff");
    EXPECT(!key_id_parse("00112233445566778899aabbccddeef", id));
    EXPECT(!key_id_parse("00112233445566778899aabbccddeefff", id));
    EXPECT(!key_id_parse("00112233445566778899AAbbccddeeff", id));
    EXPECT(!key_id_parse("", id));
}

/* --- keys that come and go */

static EVP_PKEY *decrypt(struct span der, const char *passphrase)
{
    BIO *in = BIO_new_mem_buf(der.p, (int)der.n);
    EVP_PKEY *k = d2i_PKCS8PrivateKey_bio(in, NULL, NULL, (void *)(uintptr_t)passphrase);

    BIO_free(in);
    ERR_clear_error();
    return k;
}

static int pkcs8_of(EVP_PKEY *k, unsigned char **ret)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(k);
    int n = i2d_PKCS8_PRIV_KEY_INFO(p8, ret);

    PKCS8_PRIV_KEY_INFO_free(p8);
    return n;
}

static void coming_and_going(struct fixture *f)
{
    EVP_PKEY *mine = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY *odd = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), *back;
    struct buf out BUF_AUTO = BUF(8192);
    struct buf reply BUF_AUTO = BUF(8192);
    struct buf log BUF_AUTO = BUF(65536);
    unsigned char *der = NULL, *odd_der = NULL;
    int n = pkcs8_of(mine, &der), m = pkcs8_of(odd, &odd_der), dir = fixture_dir(f);
    struct key_info k, fixed, again;
    char text[130];
    struct err e;

    key_provider_init(fixture_link, f);
    tls13(text);
    fixture_role(f, ROLE_CERTD);
    REQUIRE(key_create("vserver/fixed", "p256", KEY_TLS_SERVER, false, &fixed) == 0);
    fixture_role(f, ROLE_MANAGER);
    EXPECT_INT(key_import("vserver/x", KEY_TLS_SERVER, NULL, true, span_of(der, (size_t)n), &k), 0);
    EXPECT_STR(k.type, "p256");
    EXPECT_INT(key_import("vserver/x", KEY_TLS_SERVER, NULL, true, span_of(der, (size_t)n), &again),
               -EEXIST);
    EXPECT_INT(key_import("vserver/x", KEY_TLS_SERVER | KEY_CA, NULL, true, span_of(der, (size_t)n),
                          &again),
               -EACCES);
    EXPECT_INT(
        key_import("vserver/y", KEY_TLS_SERVER, NULL, true, span_of(odd_der, (size_t)m), &again),
        -EINVAL);
    EXPECT_INT(key_import("vserver/y", KEY_TLS_SERVER, NULL, true, SPAN("junk"), &again), -EINVAL);
    EXPECT_INT(key_import("vserver/y", KEY_TLS_SERVER, NULL, true, SPAN_EMPTY, &again), -EBADMSG);
    der[n - 1] ^= 1; /* the public half of another key */
    EXPECT_INT(key_import("vserver/y", KEY_TLS_SERVER, NULL, true, span_of(der, (size_t)n), &again),
               -EINVAL);

    EXPECT_INT(key_export(fixed.id, SPAN("a long passphrase"), &out), -EPERM);
    EXPECT_INT(key_export(k.id, SPAN("short"), &out), -EINVAL);
    EXPECT_INT(out.n, 0);
    EXPECT_INT(key_export(k.id, SPAN("a long passphrase"), &out), 0);
    EXPECT(decrypt(buf_span(&out), "another passphrase") == NULL);
    back = decrypt(buf_span(&out), "a long passphrase");
    REQUIRE(back != NULL);
    EXPECT_INT(EVP_PKEY_eq(back, mine), 1);
    REQUIRE(file_read(dir, "sign.log", 65536, &log, &e) == 0);
    EXPECT(span_find_span(buf_span(&log), SPAN(" import\n")) != SPAN_NONE);
    EXPECT(span_ends_nocase(buf_span(&log), SPAN(" export\n")));

    reopen(f); /* the imported one is as good as a made one */
    fixture_role(f, ROLE_ACCESS);
    EXPECT_INT(sign(f, k.id, KEY_TLS_SERVER, KEY_ECDSA, KEY_SHA256, span_of(text, 130), &reply), 0);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(odd);
    EVP_PKEY_free(back);
    OPENSSL_free(der);
    OPENSSL_free(odd_der);
    close(dir);
}

TEST(import_and_export)
{
    fixture_run(coming_and_going);
}
