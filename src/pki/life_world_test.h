/* life_world_test.h: what a life meets in tests: keyd, CA, disk and workers of this process, each of which may fail, and in
 * each of whose operations the process may die. */
#ifndef PKI_LIFE_WORLD_TEST_H
#define PKI_LIFE_WORLD_TEST_H

#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "pki/life.h"
#include "pki/request.h"
#include "pki/world_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- keyd, CA, disk and workers of this test */

struct fake_key {
    char id[IDENTITY_KEY_ID_MAX + 1], label[100];
    EVP_PKEY *key;
    int64_t made;
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
    unsigned save_skip;       /* so many saves succeed first */
    unsigned proofs[2];       /* before the swap, after it */
    bool bad_proof[2], blind; /* blind: nothing can be seen over TCP */
    bool no_roots;
    bool removed; /* the current slot may be shown empty */
    int foreign;  /* the CA certifies: 1 a key of its own making, 2 another name */
    bool waits;   /* what is staged may not go live */
    unsigned asked;
    const struct life *life; /* that was booted last */
} f;

static inline bool dies(bool after)
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

static inline int failing(int *how, struct err *e)
{
    int rc = *how;
    *how = 0;
    return rc ? err_set(e, rc, "made to fail") : 0;
}

static inline struct fake_key *find_key(const char *id)
{
    for (size_t i = 0; i < f.key_count; i++)
        if (strcmp(f.keys[i].id, id) == 0)
            return &f.keys[i];
    return NULL;
}

static inline void fill_key(const struct fake_key *k, struct life_key *ret)
{
    struct buf spki BUF_AUTO = BUF(1024);

    world_spki(k->key, &spki);
    memcpy(ret->id, k->id, sizeof(ret->id));
    memcpy(ret->spki, spki.p, spki.n);
    ret->spki_bytes = spki.n;
}

static inline void add_key(const char *label)
{
    struct fake_key *k = &f.keys[f.key_count++];

    CHECK(f.key_count <= ARRAY_LEN(f.keys));
    snprintf(k->id, sizeof(k->id), "key-%u", ++f.made);
    snprintf(k->label, sizeof(k->label), "%s", label);
    k->key = world_key("p256");
    k->made = clock_seconds();
}

static inline int key_make(void *arg, const char *label, const char *type, bool exportable,
                           bool client, struct life_key *ret, struct err *e)
{
    int rc = failing(&f.fail_key_make, e);

    if (rc < 0)
        return rc;
    EXPECT_STR(label, "vserver/imap4-default");
    OPERATION(add_key(label));
    fill_key(&f.keys[f.key_count - 1], ret);
    return 0;
}

static inline int key_get(void *arg, const char *id, struct life_key *ret, struct err *e)
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

static inline void drop_key(const char *id)
{
    struct fake_key *k = find_key(id);

    if (!k)
        return;
    EVP_PKEY_free(k->key);
    *k = f.keys[--f.key_count];
}

static inline int key_delete(void *arg, const char *id, struct err *e)
{
    OPERATION(drop_key(id));
    return 0;
}

static inline int key_ids(void *arg, const char *label, int64_t before,
                          char (*ret)[IDENTITY_KEY_ID_MAX + 1], size_t *ret_count, struct err *e)
{
    OPERATION((void)0);
    *ret_count = 0;
    for (size_t i = 0; i < f.key_count; i++)
        if (strcmp(f.keys[i].label, label) == 0 && f.keys[i].made < before)
            memcpy(ret[(*ret_count)++], f.keys[i].id, sizeof(ret[0]));
    return 0;
}

static inline EVP_PKEY *key_signer(void *arg, const struct life_key *key)
{
    struct fake_key *k = find_key(key->id);

    if (k)
        EVP_PKEY_up_ref(k->key);
    return k ? k->key : NULL;
}

static inline void make_answer(struct span request, const struct cert_names *names, struct buf *ret)
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

static inline int issue(void *arg, const char *vserver, struct span request,
                        const struct cert_names *names, struct buf *ret_chain, struct err *e)
{
    int rc = failing(&f.fail_issue, e);

    if (rc < 0)
        return rc;
    OPERATION(make_answer(request, names, ret_chain));
    return 0;
}

static inline const struct chain *roots(void *arg)
{
    return f.no_roots ? NULL : &f.roots;
}

static inline void write_disk(struct span bytes)
{
    buf_clear(&f.disk);
    buf_put_span(&f.disk, bytes);
}

static inline int save(void *arg, const char *vserver, struct span bytes, struct err *e)
{
    int rc = f.save_skip ? 0 : failing(&f.fail_save, e);

    f.save_skip -= f.save_skip > 0;
    if (rc < 0)
        return rc;
    OPERATION(write_disk(bytes));
    return 0;
}

/* Whatever is shown must have its key, and fit it. */
static inline void show(void *arg, const char *vserver, unsigned slot, const char *key_id,
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

static inline bool says_settling(const struct life *l)
{
    struct buf json BUF_AUTO = BUF(65536);

    life_json(l, clock_seconds(), &json);
    return span_find_span(buf_span(&json), SPAN("\"settling\":true")) != SPAN_NONE;
}

/* What is looked at is what the workers have; until it was, it is not said to be in service for good. */
static inline int prove(void *arg, const char *vserver, bool live, const struct identity_slot *s,
                        struct err *e)
{
    OPERATION((void)0);
    f.proofs[live]++;
    EXPECT_STR(f.shown_key[live ? 0 : 1], s->key_id);
    EXPECT_INT(says_settling(f.life), live);
    if (live && f.blind)
        return err_set(e, -EAGAIN, "no connection");
    return f.bad_proof[live] ? err_set(e, -EKEYREJECTED, "port 993: it shows another certificate")
                             : 0;
}

static inline int may_swap(void *arg, const struct identity_slot *current,
                           const struct identity_slot *next, char note[IDENTITY_NOTE_MAX + 1],
                           struct err *e)
{
    f.asked++;
    EXPECT(strcmp(current->key_id, next->key_id) != 0);
    snprintf(note, IDENTITY_NOTE_MAX + 1, "seen everywhere");
    return f.waits ? err_set(e, -EINPROGRESS, "not seen everywhere") : 0;
}

static const struct life_ops life_world_ops = {
    .key_make = key_make,
    .key_get = key_get,
    .key_delete = key_delete,
    .key_ids = key_ids,
    .key_signer = key_signer,
    .issue = issue,
    .roots = roots,
    .save = save,
    .show = show,
    .prove = prove,
    .may_swap = may_swap,
};

/* --- the process, its death and its next life */

static inline void begin(void)
{
    memset(&f, 0, sizeof(f));
    log_set_level(LOG_LEVEL_ERROR);
    clock_fake(WORLD_NOW * 1000);
    world_init(&f.world, "p256");
    f.roots = (struct chain){{f.world.root}, 1};
    f.disk = BUF(IDENTITY_FILE_MAX);
    f.shown[0] = f.shown[1] = BUF(65536);
}

static inline void end(void)
{
    while (f.key_count > 0)
        drop_key(f.keys[0].id);
    world_done(&f.world);
    buf_done(&f.disk);
    buf_done(&f.shown[0]);
    buf_done(&f.shown[1]);
    clock_fake(0);
}

static inline void want(struct life *l, const char *words)
{
    struct cert_names names = CERT_NAMES_EMPTY;

    world_names(&names, words);
    life_set_want(l, &names, &names, "p256", "Example");
    cert_names_done(&names);
}

/* A process starts: it has what is on the disk. */
static inline void boot(struct life *l)
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
    life_init(l, &id, &life_world_ops);
    f.life = l;
    want(l, "mail.example.org localhost 127.0.0.1 ::1");
}

/* What certd does: reconcile, then whatever is due. */
static inline int work(struct life *l)
{
    struct err e = {""};
    const char *why;
    int rc = life_reconcile(l, &e);

    if (rc == 0)
        rc = life_make_up(l, &e);
    while (rc == 0 && (why = life_due(l, clock_seconds())) != NULL)
        rc = life_renew(l, why, &e);
    return rc;
}

static inline void check_settled(const struct life *l)
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
    EXPECT(l->failure[0] == '\0' && !l->unwritten && !says_settling(l));
}

static inline bool history_has(const struct life *l, const char *text)
{
    for (unsigned i = 0; i < l->id.event_count; i++)
        if (strstr(l->id.events[i].note, text))
            return true;
    return false;
}

static inline const struct identity_event *last_event(const struct life *l)
{
    return &l->id.events[l->id.event_count - 1];
}

#endif
