#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "pki/life.h"
#include "pki/request.h"
#include "pki/world_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- keyd, CA, disk and workers of this test
 * ------------------------------------------------------------------------------ */

struct fake_key {
    char id[IDENTITY_KEY_ID_MAX + 1], label[100];
    EVP_PKEY *key;
};

static struct {
    struct world world;
    struct chain roots;
    struct fake_key keys[64];
    size_t key_count;
    unsigned made, issued;
    struct buf disk;     /* empty: no file */
    struct buf shown[2]; /* chains that the workers have, by slot */
    char shown_key[2][IDENTITY_KEY_ID_MAX + 1];
    /* the process dies in its fuse-th operation, before or after its effect; 0: it does not */
    unsigned fuse;
    bool after;
    bool dead;
    /* the next call of each fails so; 0: it does not */
    int fail_key_make, fail_key_get, fail_issue, fail_save;
    unsigned save_skip; /* so many saves succeed first */
    unsigned proofs[2]; /* before the swap, after it */
    bool bad_proof[2];
    bool no_roots;
    bool removed; /* the current slot may be shown empty */
    int foreign;  /* the CA certifies: 1 a key of its own making, 2 another name */
    bool waits;   /* what is staged may not go live */
    unsigned asked;
} f;

static bool dies(bool after)
{
    if (f.dead)
        return true;
    if (f.fuse == 0 || f.after != after || --f.fuse > 0)
        return false;
    f.dead = true;
    return true;
}

/* The effect of an operation between two chances to die. */
#define OPERATION(effect)                                                                          \
    do {                                                                                           \
        if (dies(false))                                                                           \
            return err_set(e, -ECANCELED, "died before");                                          \
        effect;                                                                                    \
        if (dies(true))                                                                            \
            return err_set(e, -ECANCELED, "died after");                                           \
    } while (0)

static int failing(int *how, struct err *e)
{
    int rc = *how;
    *how = 0;
    return rc ? err_set(e, rc, "made to fail") : 0;
}

static struct fake_key *find_key(const char *id)
{
    for (size_t i = 0; i < f.key_count; i++)
        if (strcmp(f.keys[i].id, id) == 0)
            return &f.keys[i];
    return NULL;
}

static void fill_key(const struct fake_key *k, struct life_key *ret)
{
    struct buf spki BUF_AUTO = BUF(1024);

    world_spki(k->key, &spki);
    memcpy(ret->id, k->id, sizeof(ret->id));
    memcpy(ret->spki, spki.p, spki.n);
    ret->spki_bytes = spki.n;
}

static void add_key(const char *label)
{
    struct fake_key *k = &f.keys[f.key_count++];

    CHECK(f.key_count <= ARRAY_LEN(f.keys));
    snprintf(k->id, sizeof(k->id), "key-%u", ++f.made);
    snprintf(k->label, sizeof(k->label), "%s", label);
    k->key = world_key("p256");
}

static int key_make(void *arg, const char *label, const char *type, bool exportable,
                    struct life_key *ret, struct err *e)
{
    int rc = failing(&f.fail_key_make, e);

    if (rc < 0)
        return rc;
    EXPECT_STR(label, "vserver/imap4-default");
    OPERATION(add_key(label));
    fill_key(&f.keys[f.key_count - 1], ret);
    return 0;
}

static int key_get(void *arg, const char *id, struct life_key *ret, struct err *e)
{
    struct fake_key *k = find_key(id);
    int rc = failing(&f.fail_key_get, e);

    if (rc < 0)
        return rc;
    OPERATION((void)0);
    if (!k)
        return err_set(e, -ENOENT, "no such key");
    fill_key(k, ret);
    return 0;
}

static void drop_key(const char *id)
{
    struct fake_key *k = find_key(id);

    if (!k)
        return;
    EVP_PKEY_free(k->key);
    *k = f.keys[--f.key_count];
}

static int key_delete(void *arg, const char *id, struct err *e)
{
    OPERATION(drop_key(id));
    return 0;
}

static int key_ids(void *arg, const char *label, char (*ret)[IDENTITY_KEY_ID_MAX + 1],
                   size_t *ret_count, struct err *e)
{
    OPERATION((void)0);
    *ret_count = 0;
    for (size_t i = 0; i < f.key_count; i++)
        if (strcmp(f.keys[i].label, label) == 0)
            memcpy(ret[(*ret_count)++], f.keys[i].id, sizeof(ret[0]));
    return 0;
}

static EVP_PKEY *key_signer(void *arg, const struct life_key *key)
{
    struct fake_key *k = find_key(key->id);

    if (k)
        EVP_PKEY_up_ref(k->key);
    return k ? k->key : NULL;
}

static void make_answer(struct span request, const struct cert_names *names, struct buf *ret)
{
    struct request *r = NULL;
    struct err e;
    struct cert_names other = CERT_NAMES_EMPTY;
    struct buf spki BUF_AUTO = BUF(1024), der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct cert_subject subject = {.common_name = "leaf"};
    struct issue_plan plan = {.profile = cert_profile_get(PROFILE_SERVER),
                              .issuer = f.world.issuing,
                              .signer = f.world.issuing_key,
                              .subject = &subject,
                              .names = names,
                              .not_before = clock_seconds() - 300,
                              .not_after = clock_seconds() + 90 * WORLD_DAY};

    CHECK(request_parse(request, &r, &e) == 0);
    EXPECT(cert_names_same(&r->names, names));
    plan.spki = span_of(r->spki, r->spki_bytes);
    if (f.foreign == 1) {
        world_spki(f.world.leaf_key, &spki);
        plan.spki = buf_span(&spki);
    }
    world_names(&other, "other.example.org");
    if (f.foreign == 2)
        plan.names = &other;
    random_bytes(plan.serial, sizeof(plan.serial));
    CHECK(issue_certificate(&plan, &der, &e) == 0);
    wr_span(ret, buf_span(&der));
    wr_span(ret, certificate_der(f.world.issuing));
    f.issued++;
    cert_names_done(&other);
    request_free(r);
}

static int issue(void *arg, const char *vserver, struct span request,
                 const struct cert_names *names, struct buf *ret_chain, struct err *e)
{
    int rc = failing(&f.fail_issue, e);

    if (rc < 0)
        return rc;
    OPERATION(make_answer(request, names, ret_chain));
    return 0;
}

static const struct chain *roots(void *arg)
{
    return f.no_roots ? NULL : &f.roots;
}

static void write_disk(struct span bytes)
{
    buf_clear(&f.disk);
    buf_put_span(&f.disk, bytes);
}

static int save(void *arg, const char *vserver, struct span bytes, struct err *e)
{
    int rc = f.save_skip ? 0 : failing(&f.fail_save, e);

    f.save_skip -= f.save_skip > 0;
    if (rc < 0)
        return rc;
    OPERATION(write_disk(bytes));
    return 0;
}

/* Whatever is shown must have its key, and fit it. */
static void show(void *arg, const char *vserver, unsigned slot, const char *key_id,
                 const char *serial, struct span bytes)
{
    struct chain chain = CHAIN_NONE;
    struct err e;
    struct life_key key;

    if (f.dead)
        return;
    EXPECT_STR(vserver, "imap4-default");
    buf_clear(&f.shown[slot]);
    buf_put_span(&f.shown[slot], bytes);
    snprintf(f.shown_key[slot], sizeof(f.shown_key[slot]), "%s", key_id);
    if (bytes.n == 0) {
        EXPECT(slot == 1 || f.removed);
        return;
    }
    if (!find_key(key_id) || chain_parse(bytes, &chain, &e) < 0) {
        unit_fail(__FILE__, __LINE__, "shown without its key %s", key_id);
        return;
    }
    fill_key(find_key(key_id), &key);
    EXPECT(certificate_has_spki(chain.v[0], span_of(key.spki, key.spki_bytes)));
    EXPECT_STR(chain.v[0]->serial, serial);
    chain_done(&chain);
}

/* What is looked at is what the workers have. */
static int prove(void *arg, const char *vserver, bool live, const struct identity_slot *s,
                 struct err *e)
{
    OPERATION((void)0);
    f.proofs[live]++;
    EXPECT_STR(f.shown_key[live ? 0 : 1], s->key_id);
    return f.bad_proof[live] ? err_set(e, -EKEYREJECTED, "port 993: it shows another certificate")
                             : 0;
}

static int may_swap(void *arg, const struct identity_slot *current,
                    const struct identity_slot *next, char note[IDENTITY_NOTE_MAX + 1],
                    struct err *e)
{
    f.asked++;
    EXPECT(strcmp(current->key_id, next->key_id) != 0);
    snprintf(note, IDENTITY_NOTE_MAX + 1, "seen everywhere");
    return f.waits ? err_set(e, -EINPROGRESS, "not seen everywhere") : 0;
}

static const struct life_ops ops = {key_make, key_get, key_delete, key_ids, key_signer, issue,
                                    roots,    save,    show,       prove,   NULL,       may_swap};

/* --- the process, its death and its next life
 * ------------------------------------------------------------------------------ */

static void begin(void)
{
    memset(&f, 0, sizeof(f));
    log_set_level(LOG_LEVEL_ERROR);
    clock_fake(WORLD_NOW * 1000);
    world_init(&f.world, "p256");
    f.roots = (struct chain){{f.world.root}, 1};
    f.disk = BUF(IDENTITY_FILE_MAX);
    f.shown[0] = f.shown[1] = BUF(65536);
}

static void end(void)
{
    while (f.key_count > 0)
        drop_key(f.keys[0].id);
    world_done(&f.world);
    buf_done(&f.disk);
    buf_done(&f.shown[0]);
    buf_done(&f.shown[1]);
    clock_fake(0);
}

static void want(struct life *l, const char *words)
{
    struct cert_names names = CERT_NAMES_EMPTY;

    world_names(&names, words);
    life_set_want(l, &names, &names, "p256", "Example");
    cert_names_done(&names);
}

/* A process starts: it has what is on the disk. */
static void boot(struct life *l)
{
    struct identity id;
    struct err e = {""};

    f.dead = false;
    buf_clear(&f.shown[0]);
    buf_clear(&f.shown[1]);
    if (f.disk.n == 0)
        identity_init(&id, "imap4-default");
    else if (identity_read(buf_span(&f.disk), &id, &e) < 0)
        unit_fail(__FILE__, __LINE__, "the file: %s", e.text), abort();
    life_init(l, &id, &ops);
    want(l, "mail.example.org localhost 127.0.0.1 ::1");
}

/* What certd does: reconcile, then whatever is due. */
static int work(struct life *l)
{
    struct err e = {""};
    const char *why;
    int rc = life_reconcile(l, &e);

    while (rc == 0 && (why = life_due(l, clock_seconds())) != NULL)
        rc = life_renew(l, why, &e);
    return rc;
}

static void check_settled(const struct life *l)
{
    const struct identity *id = &l->id;

    EXPECT_STR(identity_state_name(id->current.state), "live");
    EXPECT_STR(identity_state_name(id->next.state), "none");
    EXPECT_STR(f.shown_key[0], id->current.key_id);
    EXPECT_INT(f.shown[1].n, 0);
    EXPECT_INT(f.key_count, 1 + id->retired_count);
    EXPECT(find_key(id->current.key_id) != NULL);
    for (unsigned i = 0; i < id->retired_count; i++)
        EXPECT(find_key(id->retired[i].key_id) != NULL);
    EXPECT(l->failure[0] == '\0' && !l->unwritten);
}

TEST(life_first_certificate)
{
    struct life l;
    struct buf json BUF_AUTO = BUF(65536);
    struct err e = {""};

    begin();
    boot(&l);
    EXPECT_STR(life_due(&l, WORLD_NOW), "no certificate");
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT_INT(l.id.retired_count, 0);
    EXPECT_INT(l.id.event_count, 5); /* key, requested, issued, staged, live */
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    life_json(&l, WORLD_NOW, &json);
    EXPECT(strstr(buf_cstr(&json), "\"from\":\"staged\",\"to\":\"live\""));
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    check_settled(&l);
    EXPECT_INT(l.id.retired_count, 1);
    /* the old key stays for a day */
    EXPECT_INT(life_tidy(&l, WORLD_NOW + 86399, &e), 0);
    EXPECT_INT(l.id.retired_count, 1);
    EXPECT_INT(life_tidy(&l, WORLD_NOW + 86400, &e), 0);
    EXPECT_INT(l.id.retired_count, 0);
    check_settled(&l);
    life_done(&l);
    end();
}

/* The process dies in every operation, before and after its effect, and a new one takes over. */
static void die_everywhere(unsigned prepared, int64_t later)
{
    for (int after = 0; after < 2; after++)
        for (unsigned fuse = 1;; fuse++) {
            struct life l;
            bool died;
            char name[60];

            snprintf(name, sizeof(name), "dies %s operation %u", after ? "after" : "before", fuse);
            unit_case(name);
            begin();
            boot(&l);
            for (unsigned i = 0; i < prepared; i++) {
                struct err e;
                EXPECT_INT(life_renew(&l, "before", &e), 0);
            }
            clock_fake((WORLD_NOW + later) * 1000);
            f.fuse = fuse;
            f.after = after;
            work(&l);
            died = f.dead;
            life_done(&l);
            f.fuse = 0;
            for (int again = 0; again < 2; again++) { /* and a start with nothing to do */
                boot(&l);
                if (prepared && f.disk.n) { /* what was live is shown before anything new is made */
                    struct err e;
                    EXPECT_INT(life_reconcile(&l, &e), 0);
                    EXPECT(f.shown[0].n > 0);
                }
                EXPECT_INT(work(&l), 0);
                check_settled(&l);
                EXPECT(l.id.retired_count <= prepared);
                if (again == 0)
                    life_done(&l);
            }
            EXPECT(f.issued <= prepared + 2);
            life_done(&l);
            end();
            if (!died)
                break;
        }
    unit_case(NULL);
}

TEST(life_dies_while_making_the_first)
{
    die_everywhere(0, 0);
}

TEST(life_dies_while_renewing)
{
    die_everywhere(1, INT64_C(70) * 86400);
}

TEST(life_dies_while_forgetting_the_oldest)
{
    die_everywhere(IDENTITY_RETIRED_MAX + 1, INT64_C(70) * 86400);
}

TEST(life_renews_in_time)
{
    struct life l;
    int64_t at;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    at = life_renew_at(&l);
    EXPECT(at >= WORLD_NOW - 300 + 60 * WORLD_DAY && at <= WORLD_NOW + 65 * WORLD_DAY);
    EXPECT(life_due(&l, at - 1) == NULL);
    EXPECT_STR(life_due(&l, at), "renewal in time");
    want(&l, "mail.example.org imap.example.org");
    EXPECT_STR(life_due(&l, WORLD_NOW), "names changed");
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT(!life_revoked(&l, "00"));
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    EXPECT(life_revoked(&l, l.id.current.serial));
    EXPECT_STR(life_due(&l, WORLD_NOW), "revoked by its CA");
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    want(&l, "mail.example.org"); /* fewer are no reason */
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    life_done(&l);
    end();
}

static bool history_has(const struct life *l, const char *text)
{
    for (unsigned i = 0; i < l->id.event_count; i++)
        if (strstr(l->id.events[i].note, text))
            return true;
    return false;
}

/* A new certificate that does not work as clients see it: before the swap it is given up, after it
 * the one before comes back; the history says why. The first of all is not looked at. */
TEST(life_proves_what_it_shows)
{
    for (int live = 0; live < 2; live++) {
        char serial[CERTIFICATE_SERIAL_MAX];
        struct err e = {""};
        struct life l;

        unit_case(live ? "over TCP" : "before the swap");
        begin();
        boot(&l);
        f.bad_proof[live] = true;
        EXPECT_INT(work(&l), 0);
        EXPECT_INT(f.proofs[0] + f.proofs[1], 0);
        memcpy(serial, l.id.current.serial, sizeof(serial));
        EXPECT_INT(life_renew(&l, "asked for", &e), -EKEYREJECTED);
        EXPECT_INT(f.proofs[0], 1);
        EXPECT_INT(f.proofs[1], live);
        EXPECT(strstr(e.text, "another certificate") != NULL);
        EXPECT_STR(l.id.current.serial, serial);
        EXPECT(history_has(&l, "it shows another certificate"));
        EXPECT_INT(history_has(&l, "went back: port 993"), live);
        EXPECT(l.failures == 1 && life_due(&l, clock_seconds()) == NULL);
        l.failure[0] = '\0';
        check_settled(&l);
        f.bad_proof[live] = false;
        EXPECT_INT(life_renew(&l, "asked for", &e), 0);
        EXPECT(strcmp(l.id.current.serial, serial) != 0);
        check_settled(&l);
        life_done(&l);
        end();
    }
    unit_case(NULL);
}

/* Dies in each operation of a swap that is taken back: one state, with all its keys. */
static bool going_back_dies_at(unsigned fuse, bool after)
{
    struct err e = {""};
    struct life l;
    bool died;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    f.bad_proof[1] = true;
    f.fuse = fuse;
    f.after = after;
    life_renew(&l, "asked for", &e);
    died = f.dead;
    f.fuse = 0;
    f.bad_proof[1] = false;
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    life_done(&l);
    end();
    return died;
}

static const struct identity_event *last_event(const struct life *l)
{
    return &l->id.events[l->id.event_count - 1];
}

/* A new key stays staged until it may go live; that is no failure, and service goes on. */
TEST(life_staged_waits)
{
    struct life l;
    struct err e = {""};
    char first[IDENTITY_KEY_ID_MAX + 1];
    unsigned events;

    begin();
    f.waits = true;
    boot(&l);
    EXPECT_INT(work(&l), 0); /* nothing is served yet: nobody is asked */
    check_settled(&l);
    EXPECT_INT(f.asked, 0);
    memcpy(first, l.id.current.key_id, sizeof(first));

    EXPECT_INT(life_renew(&l, "asked for", &e), -EINPROGRESS);
    EXPECT_STR(e.text, "not seen everywhere");
    EXPECT(l.held && l.failures == 0 && l.failure[0] == '\0');
    EXPECT_STR(identity_state_name(l.id.next.state), "staged");
    EXPECT_STR(f.shown_key[0], first);
    EXPECT_STR(last_event(&l)->note, "waits: not seen everywhere");
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    events = l.id.event_count;
    life_release(&l);
    EXPECT_STR(life_due(&l, WORLD_NOW), "going on with what was begun");
    EXPECT_INT(life_swap(&l, false, &e), -EINPROGRESS);
    EXPECT(l.id.event_count <= events + 1);

    /* a restart does not forget it */
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), -EINPROGRESS);
    EXPECT(l.held);
    EXPECT_STR(l.id.current.key_id, first);
    f.waits = false;
    EXPECT(life_due(&l, WORLD_NOW) == NULL);
    life_release(&l);
    EXPECT_INT(work(&l), 0);
    check_settled(&l);
    EXPECT(strcmp(l.id.current.key_id, first) != 0);
    EXPECT_STR(last_event(&l)->note, "seen everywhere");
    EXPECT_INT(life_swap(&l, true, &e), -ENOENT);
    life_done(&l);
    end();
}

TEST(life_staged_need_not_wait)
{
    struct life l;
    struct err e = {""};

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    f.waits = true;
    /* the administrator does not want to */
    EXPECT_INT(life_renew(&l, "asked for", &e), -EINPROGRESS);
    EXPECT_INT(life_swap(&l, true, &e), 0);
    check_settled(&l);
    EXPECT_STR(last_event(&l)->note, "put into service without waiting");
    /* the same key */
    f.asked = 0;
    l.same_key = true;
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    EXPECT_INT(f.asked, 0);
    /* what is in use was revoked, while the next one waits */
    EXPECT_INT(life_renew(&l, "asked for", &e), -EINPROGRESS);
    EXPECT(life_revoked(&l, l.id.current.serial));
    EXPECT_INT(work(&l), 0);
    EXPECT_STR(identity_state_name(l.id.next.state), "none");
    EXPECT(!l.held);
    life_done(&l);
    end();
}

TEST(life_dies_while_going_back)
{
    for (int after = 0; after < 2; after++)
        for (unsigned fuse = 1; going_back_dies_at(fuse, after); fuse++) {
            char name[40];
            snprintf(name, sizeof(name), "operation %u, %s it", fuse, after ? "after" : "before");
            unit_case(name);
        }
    unit_case(NULL);
}

TEST(life_failures)
{
    static const struct {
        const char *name;
        int key_make, key_get, issue, save, foreign;
        bool given_up; /* the next slot is empty afterwards */
    } cases[] = {
        {"keyd away",                    -EPIPE, 0,          0,            0,       0, true },
        {"keyd slow",                    0,      -ETIMEDOUT, 0,            0,       0, false},
        {"cad away",                     0,      0,          -EPIPE,       0,       0, false},
        {"cad refuses",                  0,      0,          -EPERM,       0,       0, false},
        {"key compromised",              0,      0,          -EKEYREVOKED, 0,       0, true },
        {"key lost",                     0,      -ENOENT,    0,            0,       0, true },
        {"disk full",                    0,      0,          0,            -ENOSPC, 0, false},
        {"certificate for another key",  0,      0,          0,            0,       1, true },
        {"certificate without the name", 0,      0,          0,            0,       2, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct life l;
        struct err e = {""};
        char live[CERTIFICATE_SERIAL_MAX];

        unit_case(cases[i].name);
        begin();
        boot(&l);
        EXPECT_INT(work(&l), 0);
        memcpy(live, l.id.current.serial, sizeof(live));
        f.fail_key_make = cases[i].key_make;
        f.fail_key_get = cases[i].key_get;
        f.fail_issue = cases[i].issue;
        f.fail_save = cases[i].save;
        f.foreign = cases[i].foreign;
        EXPECT(life_renew(&l, "test", &e) < 0);
        EXPECT_STR(l.id.current.serial, live); /* service goes on */
        EXPECT(identity_is_served(&l.id.current));
        EXPECT_INT(l.id.next.state == IDENTITY_NONE, cases[i].given_up);
        EXPECT(l.failure[0] && l.retry_at > WORLD_NOW);
        if (cases[i].given_up) {
            EXPECT_STR(identity_state_name(l.id.current.state), "live");
            EXPECT_INT(f.key_count, 1);
        }
        f.foreign = 0;
        EXPECT(life_due(&l, WORLD_NOW) == NULL); /* not at once again */
        EXPECT_INT(life_renew(&l, "again", &e), 0);
        check_settled(&l);
        EXPECT(strcmp(l.id.current.serial, live) != 0);
        life_done(&l);
        end();
    }
}

/* The disk fails in each of the writes of a renewal, once. */
TEST(life_survives_a_full_disk)
{
    for (unsigned writes = 0; writes < 5; writes++) {
        struct life l;
        struct err e = {""};
        int rc;

        begin();
        boot(&l);
        EXPECT_INT(work(&l), 0);
        f.fail_save = -ENOSPC;
        f.save_skip = writes;
        rc = life_renew(&l, "test", &e);
        EXPECT_INT(rc, -ENOSPC);
        EXPECT(l.unwritten);
        clock_fake((WORLD_NOW + 3600) * 1000);
        EXPECT(life_due(&l, clock_seconds()) != NULL);
        EXPECT_INT(life_renew(&l, "again", &e), 0);
        check_settled(&l);
        life_done(&l);
        boot(&l);
        EXPECT_INT(work(&l), 0);
        check_settled(&l);
        life_done(&l);
        end();
    }
}

TEST(life_without_roots_waits)
{
    struct life l;
    struct err e;

    begin();
    boot(&l);
    f.no_roots = true;
    EXPECT_INT(life_renew(&l, "x", &e), -EAGAIN);
    EXPECT_STR(identity_state_name(l.id.next.state), "issued");
    f.no_roots = false;
    EXPECT_INT(life_renew(&l, "x", &e), 0);
    check_settled(&l);
    EXPECT_INT(f.issued, 1); /* gone on with, not begun anew */
    life_done(&l);
    end();
}

TEST(life_key_lost_at_keyd)
{
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    drop_key(l.id.current.key_id);
    add_key("vserver/imap4-default"); /* one that nobody knows */
    add_key("vserver/imap4-default-2");
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(f.key_count, 2); /* the new one and that of another virtual server */
    EXPECT_STR(identity_state_name(l.id.current.state), "live");
    drop_key(f.keys[0].id[0] && strcmp(f.keys[0].label, "vserver/imap4-default-2") == 0
                 ? f.keys[0].id
                 : f.keys[1].id);
    check_settled(&l);
    life_done(&l);
    end();
}

/* --- other sources than our own CA
 * ---------------------------------------------------------------------------------------------- */

static int ask_other(struct life *l, const char *words, bool same_key, struct buf *der,
                     struct err *e)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    struct life_request q = {
        .name = "News",
        .key_type = "p256",
        .subject = {.common_name = "mail.example.org", .country = "DE"},
        .names = &names,
        .same_key = same_key
    };
    int rc;

    world_names(&names, words);
    rc = life_request(l, &q, der, e);
    cert_names_done(&names);
    return rc;
}

/* The other CA's answer; the world's CA plays it, its root is given with it. */
static int answer_other(struct life *l, struct span request, bool look_only, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(65536), roots BUF_AUTO = BUF(65536);
    struct chain c = CHAIN_NONE;
    struct life_offer o = {.source = IDENTITY_EXTERNAL, .certificates = &c};
    struct request *r = NULL;
    int rc;

    CHECK(request_parse(request, &r, e) == 0);
    make_answer(request, &r->names, &bytes);
    request_free(r);
    CHECK(chain_parse(buf_span(&bytes), &c, e) == 0);
    wr_span(&roots, certificate_der(f.world.root));
    o.roots = buf_span(&roots);
    rc = look_only ? life_look(l, &o, e) : life_take(l, &o, "installed", e);
    chain_done(&c);
    return rc;
}

TEST(life_request_waits)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX), other BUF_AUTO = BUF(REQUEST_DER_MAX);
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(ask_other(&l, "mail.example.org", false, &der, &e), 0);
    EXPECT_INT(ask_other(&l, "mail.example.org", false, &other, &e), -EEXIST);
    EXPECT_INT(f.key_count, 2);
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0); /* a restart changes nothing */
    EXPECT_STR(identity_state_name(l.id.pending.state), "pending");
    EXPECT_SPAN(identity_request(&l.id.pending), buf_span(&der));
    memcpy(serial, l.id.current.serial, sizeof(serial));
    EXPECT_INT(life_renew(&l, "own CA meanwhile", &e), 0);
    EXPECT(strcmp(serial, l.id.current.serial) != 0 && f.key_count == 3);
    /* refused: another key, another name; everything stays */
    memcpy(serial, l.id.current.serial, sizeof(serial));
    for (f.foreign = 1; f.foreign <= 2; f.foreign++) {
        EXPECT_INT(answer_other(&l, buf_span(&der), false, &e), -EKEYREJECTED);
        EXPECT(strstr(e.text, f.foreign == 1 ? "another key" : "mail.example.org"));
        EXPECT_STR(l.id.current.serial, serial);
        EXPECT_STR(identity_state_name(l.id.pending.state), "pending");
    }
    f.foreign = 0;
    EXPECT_INT(answer_other(&l, buf_span(&der), true, &e), 0);
    EXPECT_STR(l.id.current.serial, serial);
    EXPECT_INT(answer_other(&l, buf_span(&der), false, &e), 0);
    EXPECT(strcmp(serial, l.id.current.serial) != 0);
    EXPECT_INT(l.id.current.source, IDENTITY_EXTERNAL);
    EXPECT_STR(l.id.current.name, "News");
    check_settled(&l);
    EXPECT_INT(answer_other(&l, buf_span(&der), false, &e), -ENOENT);
    /* it is never replaced by itself, but it says when it ends */
    EXPECT(life_due(&l, WORLD_NOW + 80 * WORLD_DAY) == NULL);
    EXPECT(life_notice(&l, WORLD_NOW + 80 * WORLD_DAY, e.text) && strstr(e.text, "cert renew"));
    EXPECT(!life_notice(&l, WORLD_NOW + WORLD_DAY, e.text));
    /* renewed with the key in use: it is kept once, and goes with its last user */
    EXPECT_INT(ask_other(&l, "mail.example.org", true, &der, &e), 0);
    EXPECT_STR(l.id.pending.key_id, l.id.current.key_id);
    EXPECT_INT(life_cancel(&l, &e), 0);
    EXPECT(find_key(l.id.current.key_id) != NULL);
    EXPECT_INT(life_cancel(&l, &e), -ENOENT);
    life_done(&l);
    end();
}

TEST(life_removed_and_back)
{
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e = {""};
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(life_rollback(&l, &e), -ENOENT);
    memcpy(serial, l.id.current.serial, sizeof(serial));
    f.removed = true;
    EXPECT_INT(life_remove(&l, &e), 0);
    EXPECT(f.shown[0].n == 0 && f.key_count == 1);
    EXPECT_INT(life_remove(&l, &e), -ENOENT);
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0); /* none is made by itself */
    EXPECT_STR(identity_state_name(l.id.current.state), "none");
    EXPECT_INT(life_rollback(&l, &e), 0);
    f.removed = false;
    EXPECT_STR(l.id.current.serial, serial);
    check_settled(&l);
    EXPECT_INT(life_renew(&l, "asked for", &e), 0);
    drop_key(l.id.retired[0].key_id);
    EXPECT_INT(life_rollback(&l, &e), -ENOENT);
    EXPECT(strstr(e.text, "is gone") && strcmp(l.id.current.serial, serial) != 0);
    life_done(&l);
    end();
}

/* Dies in each operation of a request, its answer and the way back: one state, with all its keys. */
static bool source_dies_at(unsigned fuse, bool after)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct err e = {""};
    bool died;
    struct life l;

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    f.fuse = fuse;
    f.after = after;
    if (ask_other(&l, "mail.example.org", false, &der, &e) == 0 &&
        answer_other(&l, buf_span(&der), false, &e) == 0)
        life_rollback(&l, &e);
    died = f.dead;
    f.fuse = 0;
    life_done(&l);
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_STR(identity_state_name(l.id.current.state), "live");
    EXPECT_STR(f.shown_key[0], l.id.current.key_id);
    EXPECT(find_key(l.id.current.key_id) != NULL);
    EXPECT(l.id.pending.state == IDENTITY_NONE || l.id.pending.state == IDENTITY_PENDING);
    EXPECT_INT(f.key_count, 1 + l.id.retired_count + (l.id.pending.state == IDENTITY_PENDING));
    life_done(&l);
    end();
    return died;
}

TEST(life_sources_killed_at_any_moment)
{
    for (int after = 0; after < 2; after++)
        for (unsigned fuse = 1; source_dies_at(fuse, after); fuse++) {
            char name[40];
            snprintf(name, sizeof(name), "operation %u, %s it", fuse, after ? "after" : "before");
            unit_case(name);
            EXPECT(fuse < 200);
        }
    unit_case(NULL);
}

/* --- identity: table and file
 * ---------------------------------------------------------------------------------------------- */

TEST(identity_table)
{
    static const char *const way[] = {"none",   "key",  "requested", "pending", "issued",
                                      "staged", "live", "renewing",  "retired", "none"};

    for (size_t i = 0; i + 1 < ARRAY_LEN(way); i++) {
        enum identity_state a = 0, b = 0;
        while (strcmp(identity_state_name(a), way[i]) != 0)
            a++;
        while (strcmp(identity_state_name(b), way[i + 1]) != 0)
            b++;
        unit_case(way[i]);
        EXPECT(identity_may_follow(a, b));
    }
    unit_case(NULL);
    EXPECT(!identity_may_follow(IDENTITY_NONE, IDENTITY_LIVE));
    EXPECT(!identity_may_follow(IDENTITY_ISSUED, IDENTITY_LIVE));
    EXPECT(!identity_may_follow(IDENTITY_RETIRED, IDENTITY_LIVE));
    EXPECT(!identity_may_follow(IDENTITY_LIVE, IDENTITY_NONE));
}

TEST(identity_file)
{
    struct life l;
    struct err e = {""};
    struct identity id;
    struct buf again BUF_AUTO = BUF(IDENTITY_FILE_MAX);

    begin();
    boot(&l);
    EXPECT_INT(work(&l), 0);
    EXPECT_INT(life_renew(&l, "again", &e), 0);
    f.fail_issue = -EPIPE;
    EXPECT(life_renew(&l, "and again", &e) < 0);
    REQUIRE(identity_read(buf_span(&f.disk), &id, &e) == 0);
    EXPECT_STR(identity_state_name(id.current.state), "renewing");
    EXPECT_STR(identity_state_name(id.next.state), "requested");
    EXPECT_INT(id.retired_count, 1);
    identity_write(&id, &again);
    EXPECT_SPAN(buf_span(&again), buf_span(&f.disk));
    identity_done(&id);
    for (size_t n = 0; n < again.n; n++)
        EXPECT(identity_read(span_head(buf_span(&again), n), &id, &e) < 0);
    for (size_t i = 0; i < again.n; i++) {
        again.p[i] ^= 0x20;
        EXPECT(identity_read(buf_span(&again), &id, &e) < 0);
        again.p[i] ^= 0x20;
    }
    /* a right checksum over contents that make no sense: a live slot without its chain */
    free(l.id.current.chain);
    l.id.current.chain = NULL;
    l.id.current.chain_bytes = 0;
    buf_clear(&again);
    identity_write(&l.id, &again);
    EXPECT(identity_read(buf_span(&again), &id, &e) < 0);
    EXPECT(strstr(e.text, "no sense"));
    life_done(&l);
    end();
}

TEST(identity_history_is_bounded)
{
    struct life l;
    struct err e;
    struct identity id;

    begin();
    boot(&l);
    for (int i = 0; i < 30; i++) {
        EXPECT_INT(life_renew(&l, "again", &e), 0);
        EXPECT_INT(life_tidy(&l, WORLD_NOW + 86400, &e), 0);
    }
    EXPECT_INT(l.id.event_count, IDENTITY_EVENTS_MAX);
    REQUIRE(identity_read(buf_span(&f.disk), &id, &e) == 0);
    EXPECT_INT(id.event_count, IDENTITY_EVENTS_MAX);
    identity_done(&id);
    life_done(&l);
    end();
}
