/* world_test.h: a CA for tests: keys of this process in the place of keyd, a folder, and other
 * programs that judge what it makes. */
#ifndef CA_WORLD_TEST_H
#define CA_WORLD_TEST_H

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ca/ca.h"
#include "pki/ca_msg.h"
#include "pki/chain.h"
#include "pki/issue.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* not every test uses all of it */
#pragma GCC diagnostic ignored "-Wunused-function"

/* --- keys of this process in the place of keyd */

static struct {
    char label[64];
    EVP_PKEY *key;
} keys[32];
static size_t key_count;
static const char *key_type = "P-256";
static bool keys_locked; /* nothing signs: as if keyd were away */
static unsigned offloaded;

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *k = strcmp(key_type, "RSA") == 0       ? EVP_RSA_gen(2048)
                  : strcmp(key_type, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                                     : EVP_EC_gen(key_type);
    CHECK(k);
    return k;
}

static size_t spki_of(EVP_PKEY *k, unsigned char *out, size_t size)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k, &der);

    CHECK(n > 0 && (size_t)n <= size);
    memcpy(out, der, (size_t)n);
    OPENSSL_free(der);
    return (size_t)n;
}

static unsigned keys_refused; /* so many signatures fail: the key is held to another name */

static int key_make(void *arg, const struct ca_key_plan *plan, struct ca_key *ret, struct err *e)
{
    size_t i = 0;

    EXPECT(plan->name.n > 0 && plan->root == (strncmp(plan->label, "ca/root", 7) == 0));
    while (i < key_count && (plan->fresh || strcmp(keys[i].label, plan->label) != 0))
        i++;
    CHECK(i < ARRAY_LEN(keys));
    if (i == key_count) {
        snprintf(keys[i].label, sizeof(keys[i].label), "%s", plan->label);
        keys[key_count++].key = new_key();
    }
    snprintf(ret->id, sizeof(ret->id), "%zu", i);
    ret->spki_bytes = spki_of(keys[i].key, ret->spki, sizeof(ret->spki));
    return 0;
}

static EVP_PKEY *key_signer(void *arg, const char *id, enum ca_key_use use, struct span spki)
{
    unsigned char own[1024];
    size_t i = strtoul(id, NULL, 10);

    if (keys_locked || i >= key_count)
        return NULL;
    EXPECT_SPAN(spki, span_of(own, spki_of(keys[i].key, own, sizeof(own))));
    if (keys_refused > 0) { /* a public key alone cannot sign */
        const unsigned char *at = own;
        keys_refused--;
        return d2i_PUBKEY(NULL, &at, (long)spki.n);
    }
    EVP_PKEY_up_ref(keys[i].key);
    return keys[i].key;
}

static void offload(void (*work)(void *), void *arg)
{
    offloaded++;
    work(arg);
}

static const struct ca_hooks hooks = {
    .key_make = key_make, .key_signer = key_signer, .offload = offload};

/* --- a folder, a configuration, a CA */

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    return remove(path);
}

static void begin(const char *type)
{
    key_type = type;
    keys_locked = false;
    snprintf(folder, sizeof(folder), "/tmp/sealpost-ca-XXXXXX");
    CHECK(mkdtemp(folder));
}

static void end(void)
{
    while (key_count > 0)
        EVP_PKEY_free(keys[--key_count].key);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    clock_fake(0);
}

static const char *in_folder(const char *name)
{
    static char texts[4][160];
    static unsigned turn;
    char *out = texts[turn++ % 4];

    snprintf(out, sizeof(texts[0]), "%s/%s", folder, name);
    return out;
}

static struct ca *open_ca(void)
{
    struct ca *ca = NULL;
    struct err e;

    if (ca_open(in_folder("register.db"), &hooks, &ca, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    CHECK(ca);
    return ca;
}

static void set(struct ca_settings *s, const char *more_dns, const char *more_ip)
{
    struct err e = {""};
    const char *domains[] = {"example.org", more_dns};
    struct conf c = {
        .domain = "example.org",
        .local_domains = {domains,   more_dns && !more_ip ? 2 : 1},
        .hostname = "mail.example.org",
        .organization = "Example Organization",
        .ca_dns = {&more_dns, more_ip ? 1 : 0             },
        .ca_ip = {&more_ip,  more_ip ? 1 : 0             },
        .cert_days = 90,
        .ca_days = 1825,
        .root_days = 3650
    };

    if (ca_settings_init(s, &c, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
}

static struct ca *made_ca(void)
{
    struct ca *ca = open_ca();
    struct ca_settings s;
    struct err e = {""};

    set(&s, NULL, NULL);
    if (ca_ensure(ca, &s, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s", e.text);
    CHECK(ca_ready(ca));
    ca_settings_done(&s);
    return ca;
}

struct asked {
    enum profile_id profile;
    const char *cn, *names;
    unsigned days;
    EVP_PKEY *key; /* NULL: a new one */
};

static int ask(struct ca *ca, const struct asked *a, struct chain *ret,
               char serial[CERTIFICATE_SERIAL_MAX], struct err *e)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    struct buf bytes BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct span words = span_cstr(a->names), word;
    unsigned char spki[1024];
    EVP_PKEY *key = a->key;
    int rc;

    if (key)
        EVP_PKEY_up_ref(key);
    else
        key = new_key();
    while (span_split(&words, ' ', &word))
        CHECK(cert_names_add_any(&names, word) == 0);
    rc = ca_issue(ca,
                  &(struct ca_request){.profile = cert_profile_get(a->profile),
                                       .spki = span_of(spki, spki_of(key, spki, sizeof(spki))),
                                       .subject = {.common_name = a->cn},
                                       .names = &names,
                                       .days = a->days,
                                       .requester = a->profile == PROFILE_EVIDENCE &&
                                                            a->cn != NULL &&
                                                            strcmp(a->cn, "sealpost evidence") == 0
                                                        ? CA_EVIDENCE_REQUESTER
                                                        : "test"},
                  &bytes, serial, e);
    EVP_PKEY_free(key);
    cert_names_done(&names);
    if (rc == 0)
        CHECK(chain_parse(buf_span(&bytes), ret, e) == 0);
    return rc;
}

/* --- what we make, as others see it */

static void write_pem(const char *name, struct certificate *c)
{
    struct buf pem BUF_AUTO = BUF(65536);
    struct err e;

    pem_write("CERTIFICATE", certificate_der(c), &pem);
    CHECK(file_write(AT_FDCWD, in_folder(name), buf_span(&pem), 0644, &e) == 0);
}

/* Does the command say yes? Its output goes to out.txt. */
static bool run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool run(const char *fmt, ...)
{
    char command[1000], whole[1200];
    va_list ap;
    int status;

    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    snprintf(whole, sizeof(whole), "cd %s && { %s; } >out.txt 2>&1", folder, command);
    status = system(whole);
    if (WEXITSTATUS(status) == 127)
        unit_fail(__FILE__, __LINE__, "cannot run: %s (install openssl and gnutls-bin)", command);
    return status == 0;
}

static void fail_with_output(int line, const char *what)
{
    struct buf text BUF_AUTO = BUF(65536);
    struct err e;

    file_read(AT_FDCWD, in_folder("out.txt"), 65536, &text, &e);
    unit_fail(__FILE__, line, "%s:\n%.*s", what, SPAN_ARG(buf_span(&text)));
}

static void write_chain(struct ca *ca, const struct chain *c)
{
    write_pem("root.pem", ca_root(ca)->certificate);
    write_pem("issuing.pem", c->v[1]);
    write_pem("leaf.pem", c->v[0]);
    CHECK(run("cat leaf.pem issuing.pem >chain.pem"));
}

/* openssl and GnuTLS, each with the check of the profile's purpose and name. */
static bool openssl_accepts(const char *purpose, const char *check)
{
    return run("openssl verify -x509_strict -purpose %s %s -CAfile root.pem -untrusted issuing.pem "
               "leaf.pem",
               purpose, check);
}

static bool gnutls_accepts(const char *check)
{
    return run("certtool --verify --load-ca-certificate root.pem --verify-profile medium %s "
               "--infile chain.pem && "
               "! grep -i 'not verified\\|not trusted' out.txt",
               check);
}

#endif
