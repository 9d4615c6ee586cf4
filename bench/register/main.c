/*
 * register_bench: the register of the own CA with very many certificates in it. bench/register/run makes one.
 *
 *     register_bench fill FILE COUNT SECONDS    adds made certificates to the issuing CA of a register, for so long at most
 *     register_bench measure FILE        what is asked of it day by day, through its own library; the register is of
 *                                        no other use afterwards
 *
 * A certificate in three is an account's; one in twenty is revoked, one in ten has expired. Filling goes without
 * waiting for the disk, a thousand in a transaction; measuring waits as cad does.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/random.h"
#include "ca/ca.h"
#include "ca/register_internal.h"
#include "pki/issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400, BATCH = 1000, TRIES = 200, NAME_BYTES = 80 };

struct made {
    EVP_PKEY *key;
    unsigned char spki[200];
    size_t spki_bytes;
};

static struct err e;

static void need(int rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "register_bench: %s: %s\n", what, e.text);
    exit(1);
}

static void make_key(struct made *m)
{
    unsigned char *der = NULL;
    int n;

    m->key = EVP_EC_gen("P-256");
    n = m->key ? i2d_PUBKEY(m->key, &der) : 0;
    CHECK(n > 0 && (size_t)n <= sizeof(m->spki));
    memcpy(m->spki, der, (size_t)n);
    m->spki_bytes = (size_t)n;
    OPENSSL_free(der);
}

static const struct ca_record *issuing_of(struct ca_record *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].kind == CA_ISSUING && all[i].state == CA_ACTIVE)
            return &all[i];
    fprintf(stderr, "register_bench: there is no issuing CA in it\n");
    exit(1);
}

/* --- filling */

/* One is made and signed for each part and kind; of it come all others, by other bytes in the places of serial number,
 * key, name and end. Their signatures are wrong: the register does not look. */
struct template
{
    struct certificate *c;
    struct made key;
    char name[NAME_BYTES], end[16];
};

static void utc_time(int64_t seconds, char ret[16])
{
    time_t t = (time_t)seconds;
    struct tm tm;

    gmtime_r(&t, &tm);
    snprintf(ret, 16, "%02u%02u%02u%02u%02u%02uZ", (unsigned)tm.tm_year % 100,
             (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
             (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static void make_template(struct template *t, const struct ca_record *issuing, EVP_PKEY *signer,
                          bool account, const struct register_part *part)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    char crl[320], delta[330];
    int64_t now = clock_seconds(), end = now + 365 * DAY;
    struct cert_subject subject = {.common_name = t->name, .organization = "Example Organization"};
    struct issue_plan plan = {
        .profile = cert_profile_get(account ? PROFILE_ACCOUNT : PROFILE_SERVER),
        .issuer = issuing->certificate,
        .signer = signer,
        .subject = &subject,
        .names = &names,
        .not_before = now - 80 * DAY,
        .not_after = end,
        .crl_url = crl,
        .delta_url = delta,
        .ocsp_url = "http://mail.example.org/ocsp",
        .issuer_url = "http://mail.example.org/ca/issuing-1.crt",
    };

    certificate_free(t->c);
    EVP_PKEY_free(t->key.key);
    make_key(&t->key);
    plan.spki = span_of(t->key.spki, t->key.spki_bytes);
    snprintf(t->name, sizeof(t->name),
             account ? "user0000000@example.org" : "host0000000.example.org");
    snprintf(crl, sizeof(crl), "%s.crl", part->url);
    snprintf(delta, sizeof(delta), "%s-delta.crl", part->url);
    CHECK(cert_names_add_any(&names, span_cstr(t->name)) == 0);
    memset(plan.serial, 0x5a, sizeof(plan.serial));
    need(issue_certificate(&plan, &der, &e), "a certificate");
    need(certificate_parse(buf_span(&der), &t->c, &e), "a certificate");
    utc_time(end, t->end);
    cert_names_done(&names);
}

/* Everywhere: a name stands in subject and names. */
static void replace(unsigned char *der, size_t n, const void *old, const void *new, size_t bytes)
{
    unsigned char *at = der;
    unsigned found = 0;

    while ((at = memmem(at, n - (size_t)(at - der), old, bytes)) != NULL) {
        memcpy(at, new, bytes);
        at += bytes;
        found++;
    }
    CHECK(found > 0);
}

static void hex(const unsigned char *bytes, size_t n, char *ret)
{
    for (size_t i = 0; i < n; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static void add_one(struct ca_register *r, const struct template *t,
                    const struct ca_record *issuing, unsigned i, const struct register_part *part)
{
    struct cert_record row = {
        .issuer = issuing->id, .issued_at = clock_seconds(), .part = part->part};
    unsigned char der[CERTIFICATE_DER_MAX], serial[ISSUE_SERIAL_BYTES], old[ISSUE_SERIAL_BYTES],
        point[64], spki[32];
    struct certificate c = *t->c;
    char name[NAME_BYTES], end[16];
    struct cert_name one = {t->c->names.v[0].type, name};
    bool account = i % 3 == 0;

    c.not_after = i % 10 == 9 ? row.issued_at - (int64_t)(i % 60 + 8) * DAY
                              : row.issued_at + (int64_t)(i % 364 + 1) * DAY;
    memcpy(der, t->c->der, t->c->der_bytes);
    random_bytes(serial, sizeof(serial));
    serial[0] = (unsigned char)(serial[0] & 0x7f) | 1;
    memset(old, 0x5a, sizeof(old));
    random_bytes(point, sizeof(point));
    random_bytes(spki, sizeof(spki));
    snprintf(name, sizeof(name), account ? "user%07u@example.org" : "host%07u.example.org", i);
    utc_time(c.not_after, end);
    replace(der, c.der_bytes, old, serial, sizeof(serial));
    replace(der, c.der_bytes, t->key.spki + t->key.spki_bytes - 64, point, 64);
    replace(der, c.der_bytes, t->name, name, strlen(name));
    replace(der, c.der_bytes, t->end, end, 13);
    c.der = der;
    c.names = (struct cert_names){&one, 1};
    hex(serial, sizeof(serial), c.serial);
    hex(spki, sizeof(spki), c.spki_sha256);
    snprintf(c.subject, sizeof(c.subject), "CN=%s,O=Example Organization", name);
    row.certificate = &c;
    snprintf(row.profile, sizeof(row.profile), "%s", account ? "account" : "server");
    snprintf(row.requester, sizeof(row.requester),
             account ? "account %s, laptop" : "virtual server %s", name);
    need(ca_register_add(r, &row, &e), "adding");
    if (i % 20 == 7)
        need(ca_register_revoke(r, c.serial, CRL_SUPERSEDED, row.issued_at, &e), "revoking");
}

static void fill(struct ca_register *r, unsigned count, unsigned seconds)
{
    struct ca_record *all;
    size_t n;
    struct made signer;
    struct template templates[2] = {
        {NULL, {NULL, "", 0}, "", ""},
        {NULL, {NULL, "", 0}, "", ""}
    };
    const struct ca_record *issuing;
    uint64_t began = clock_mono_ms();
    int64_t part_now = -1;

    need(ca_register_cas(r, &all, &n, &e), "the CAs");
    issuing = issuing_of(all, n);
    make_key(&signer);
    need(reg_execute(
             r,
             "PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; PRAGMA wal_autocheckpoint=50000",
             &e),
         "speed");
    for (unsigned i = 0; i < count; i++) {
        struct register_part part;
        bool last = i + 1 == count ||
                    (i % BATCH == BATCH - 1 && clock_mono_ms() - began > seconds * UINT64_C(1000));
        if (i % BATCH == 0)
            need(reg_begin(r, &e), "a batch");
        need(ca_register_part(r, issuing->id, "http://mail.example.org/ca/issuing-1", &part, &e),
             "a part");
        for (unsigned k = 0; part.part != part_now && k < 2; k++)
            make_template(&templates[k], issuing, signer.key, k == 0, &part);
        part_now = part.part;
        add_one(r, &templates[i % 3 != 0], issuing, i, &part);
        if (i % BATCH == BATCH - 1 || last)
            need(reg_finish(r, 0, &e), "a batch");
        if (i % 50000 == 49999)
            fprintf(stderr, "%u in %.0f s\n", i + 1, (double)(clock_mono_ms() - began) / 1000);
        if (last)
            break;
    }
    need(reg_execute(r, "PRAGMA wal_checkpoint(TRUNCATE)", &e), "the end");
    EVP_PKEY_free(signer.key);
    for (unsigned k = 0; k < 2; k++) {
        certificate_free(templates[k].c);
        EVP_PKEY_free(templates[k].key.key);
    }
    for (size_t i = 0; i < n; i++)
        ca_record_done(&all[i]);
    free(all);
}

/* --- measuring */

static double times[TRIES];
static unsigned time_count;
static uint64_t started_ns;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void begin(void)
{
    started_ns = now_ns();
}

static void end(void)
{
    if (time_count < TRIES)
        times[time_count++] = (double)(now_ns() - started_ns) / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void say(const char *what, const char *more)
{
    qsort(times, time_count, sizeof(times[0]), by_value);
    printf("%s\t%.3f\t%.3f\t%u\t%s\n", what, times[time_count / 2], times[time_count - 1],
           time_count, more);
    fflush(stdout);
    time_count = 0;
}

static struct made ca_keys[8];
static unsigned ca_key_count;

/* The keys of the register's CAs are keyd's. What is issued here is issued by a CA with keys of this process; lists
 * of the others are signed with one of them too: nobody verifies them. */
static int key_make(void *arg, const struct ca_key_plan *plan, struct ca_key *ret, struct err *err)
{
    struct made *m = &ca_keys[ca_key_count];

    CHECK(ca_key_count < ARRAY_LEN(ca_keys));
    make_key(m);
    snprintf(ret->id, sizeof(ret->id), "bench-%u", ca_key_count++);
    memcpy(ret->spki, m->spki, m->spki_bytes);
    ret->spki_bytes = m->spki_bytes;
    return 0;
}

static EVP_PKEY *key_signer(void *arg, const char *id, enum ca_key_use use, struct span spki)
{
    unsigned i = strncmp(id, "bench-", 6) == 0 ? (unsigned)atoi(id + 6) : 0;

    if (i >= ca_key_count)
        return NULL;
    EVP_PKEY_up_ref(ca_keys[i].key);
    return ca_keys[i].key;
}

static const struct ca_hooks hooks = {.key_make = key_make, .key_signer = key_signer};

struct page {
    unsigned rows;
    char serial[CERTIFICATE_SERIAL_MAX];
};

static bool on_row(void *arg, const struct cert_record *c)
{
    struct page *p = arg;
    memcpy(p->serial, c->certificate->serial, sizeof(p->serial));
    return ++p->rows < 40; /* what a page of the command line holds */
}

static unsigned list(struct ca_register *r, const struct ca_search *s)
{
    struct page p = {0, ""};
    begin();
    need(ca_register_list(r, s, clock_seconds(), on_row, &p, &e), "searching");
    end();
    return p.rows;
}

static void searches(struct ca_register *r, unsigned count)
{
    char text[NAME_BYTES], more[80];
    unsigned rows = 0;
    const struct {
        const char *what;
        struct ca_search s;
    } all[] = {
        {"first page of all",                  {CA_LIST_ALL, 0, "", "", 0}                           },
        {"a page from the middle",             {CA_LIST_ALL, count / 2, "", "", 0}                   },
        {"a name that is nowhere",             {CA_LIST_ALL, 0, "", "nobody-has-that.example", 0}    },
        {"a name that is everywhere",          {CA_LIST_ALL, 0, "", "example.org", 0}                },
        {"two letters, everywhere",            {CA_LIST_ALL, 0, "", "ex", 0}                         },
        {"accounts' that end within 2 days",
         {CA_LIST_VALID, 0, "account", "", clock_seconds() + 2 * DAY}                                },
        {"ends within 30 days",                {CA_LIST_VALID, 0, "", "", clock_seconds() + 30 * DAY}},
        {"none ends so soon (whole register)", {CA_LIST_VALID, 0, "", "", clock_seconds() + 60}      },
        {"revoked ones",                       {CA_LIST_REVOKED, 0, "", "", 0}                       },
        {"on hold: none (whole register)",     {CA_LIST_HELD, 0, "", "", 0}                          },
    };

    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "host%07u.example", (i * 7919 + 1) % count / 3 * 3 + 1);
        rows += list(r, &(struct ca_search){CA_LIST_ALL, 0, "", text, 0});
    }
    snprintf(more, sizeof(more), "%u rows of 100 names", rows);
    say("one name", more);
    rows = 0;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "user%07u@", (i * 7919) % count / 3 * 3);
        rows += list(r, &(struct ca_search){CA_LIST_ALL, 0, "account", text, 0});
    }
    snprintf(more, sizeof(more), "%u rows of 100 accounts", rows);
    say("one account", more);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        for (unsigned k = 0; k < 5; k++)
            rows = list(r, &all[i].s);
        snprintf(more, sizeof(more), "%u rows", rows);
        say(all[i].what, more);
    }
}

static void by_serial(struct ca_register *r, unsigned count)
{
    struct page p = {0, ""};
    unsigned found = 0;

    for (unsigned i = 0; i < 100; i++) {
        struct cert_record c;
        p.rows = 39;
        need(ca_register_list(r,
                              &(struct ca_search){CA_LIST_ALL, (i * 7919) % (count - 2), "", "", 0},
                              clock_seconds(), on_row, &p, &e),
             "searching");
        begin();
        need(ca_register_get(r, p.serial, &c, &e), "by serial");
        end();
        found++;
        cert_record_done(&c);
    }
    say("one serial number", found == 100 ? "100 of 100" : "NOT all");
    for (unsigned i = 0; i < 20; i++) {
        int64_t counts[3];
        begin();
        need(ca_register_counts(r, clock_seconds(), counts, &e), "counting");
        end();
    }
    say("counts (ca info)", "");
}

static void issuing(struct ca *ca)
{
    char serial[CERTIFICATE_SERIAL_MAX], name[NAME_BYTES];

    for (unsigned i = 0; i < 100; i++) {
        struct buf chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
        struct cert_names names = CERT_NAMES_EMPTY;
        struct made m;
        make_key(&m);
        snprintf(name, sizeof(name), "new%u.example.org", i);
        CHECK(cert_names_add_any(&names, span_cstr(name)) == 0);
        begin();
        need(ca_issue(ca,
                      &(struct ca_request){.profile = cert_profile_get(PROFILE_SERVER),
                                           .spki = span_of(m.spki, m.spki_bytes),
                                           .names = &names,
                                           .requester = "bench"},
                      &chain, serial, &e),
             "issuing");
        end();
        cert_names_done(&names);
        EVP_PKEY_free(m.key);
    }
    say("issue", "signed here, checked, in the register, on the disk");
    begin();
    need(ca_revoke(ca, serial, CRL_SUPERSEDED, &e), "revoking");
    end();
    say("revoke", "");
}

/* Lists are signed by whom the register says; here its key is ours. */
static void lists(struct ca *ca, int64_t parts)
{
    struct buf der BUF_AUTO = BUF(CA_FILE_MAX);
    char name[64], more[80];
    size_t bytes = 0;

    for (unsigned i = 0; i < 50; i++) {
        buf_clear(&der);
        snprintf(name, sizeof(name), "issuing-1-%lld.crl", (long long)(1 + i * (parts - 2) / 50));
        begin();
        need(ca_file(ca, span_cstr(name), &der, &e), name);
        end();
        bytes = der.n;
    }
    snprintf(more, sizeof(more), "%zu bytes", bytes);
    say("a part's CRL, made", more);
    for (unsigned i = 0; i < 50; i++) {
        buf_clear(&der);
        snprintf(name, sizeof(name), "issuing-1-%lld-delta.crl",
                 (long long)(1 + i * (parts - 2) / 50));
        begin();
        need(ca_file(ca, span_cstr(name), &der, &e), name);
        end();
        bytes = der.n;
    }
    snprintf(more, sizeof(more), "%zu bytes", bytes);
    say("a part's delta CRL, made", more);
    begin();
    need(ca_crl_refresh(ca, &e), "the lists");
    end();
    snprintf(more, sizeof(more), "%lld parts", (long long)parts);
    say("all lists and deltas, the first time", more);
    for (unsigned i = 0; i < 3; i++) {
        begin();
        need(ca_crl_refresh(ca, &e), "the lists");
        end();
    }
    say("all lists looked at, none due", more);
}

static unsigned rss_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[200];
    unsigned kib = 0;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmRSS: %u", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void measure(const char *file)
{
    struct ca_settings s;
    const char *domain = "example.org";
    struct conf conf = {
        .domain = domain,
        .local_domains = {&domain, 1},
        .hostname = "mail.example.org",
        .organization = "Example Organization",
        .cert_days = 90,
        .ca_days = 1825,
        .root_days = 3650,
        .crl_delta = true
    };
    struct ca_register *r;
    struct ca *ca;
    unsigned count;
    int64_t counts[3];
    char more[80];

    need(ca_register_open(file, &r, &e), "opening");
    need(reg_execute(r, "UPDATE ca SET state='retired'", &e), "a CA of our own");
    ca_register_close(r);
    begin();
    need(ca_open(file, &hooks, &ca, &e), "opening");
    end();
    snprintf(more, sizeof(more), "%u KiB resident", rss_kib());
    say("open", more);
    need(ca_register_open(file, &r, &e), "opening");
    need(ca_register_counts(r, clock_seconds(), counts, &e), "counting");
    count = (unsigned)(counts[0] + counts[1] + counts[2]);
    searches(r, count);
    by_serial(r, count);
    need(ca_settings_init(&s, &conf, &e), "settings");
    snprintf(s.url, sizeof(s.url), "http://mail.example.org");
    make_key(&ca_keys[0]);
    ca_key_count = 1;
    need(ca_ensure(ca, &s, &e), "the CA");
    issuing(ca);
    lists(ca, count / REGISTER_PART_MAX);
    printf("memory at the end\t0\t0\t0\t%u KiB resident\n", rss_kib());
    ca_settings_done(&s);
    ca_register_close(r);
    ca_close(ca);
}

int main(int argc, char **argv)
{
    struct ca_register *r;

    if (argc == 5 && strcmp(argv[1], "fill") == 0) {
        need(ca_register_open(argv[2], &r, &e), argv[2]);
        fill(r, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
        ca_register_close(r);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "measure") == 0) {
        measure(argv[2]);
        return 0;
    }
    fprintf(stderr, "usage: register_bench fill FILE COUNT SECONDS | measure FILE\n");
    return 2;
}
