#include "directory/proof.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "directory/credential.h"

#include <sodium.h>
#include <stdlib.h>

struct proof {
    struct list age; /* in proofs.age, the newest last */
    uint64_t account;
    uint64_t until_ms;
    unsigned char mac[32];
};

struct proofs {
    unsigned char key[32];
    uint32_t seconds, entries_max;
    struct map64 *by_account;
    struct list age;
};

struct proofs *proofs_new(uint32_t seconds, uint32_t entries_max)
{
    struct proofs *p = calloc(1, sizeof *p);

    CHECK(p && entries_max > 0);
    random_bytes(p->key, sizeof p->key);
    p->seconds = seconds;
    p->entries_max = entries_max;
    p->by_account = map64_new();
    list_init(&p->age);
    return p;
}

static void proof_free(struct proofs *p, struct proof *f)
{
    map64_remove(p->by_account, f->account);
    list_remove(&f->age);
    secret_wipe(f, sizeof *f);
    free(f);
}

void proofs_free(struct proofs *p)
{
    if (!p)
        return;
    list_for_each (&p->age, struct proof, age, f)
        proof_free(p, f);
    map64_free(p->by_account);
    secret_wipe(p, sizeof *p);
    free(p);
}

void proofs_set_seconds(struct proofs *p, uint32_t seconds)
{
    p->seconds = seconds;
    list_for_each (&p->age, struct proof, age, f)
        proof_free(p, f);
}

/* Numbers of fixed width in front: no password can look like another account's. */
static void mac_of(const struct proofs *p, const uint64_t head[2], struct span text,
                   unsigned char mac[32])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, p->key, sizeof p->key);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)head, 2 * sizeof head[0]);
    if (text.n)
        crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.p, text.n);
    crypto_auth_hmacsha256_final(&state, mac);
    secret_wipe(&state, sizeof state);
}

void proofs_add(struct proofs *p, uint64_t account, uint64_t epoch, struct span password)
{
    struct proof *f;

    proofs_forget(p, account);
    if (p->seconds == 0)
        return;
    if (map64_size(p->by_account) >= p->entries_max)
        proof_free(p, list_item(p->age.next, struct proof, age));
    f = calloc(1, sizeof *f);
    CHECK(f);
    f->account = account;
    f->until_ms = clock_mono_ms() + (uint64_t)p->seconds * 1000;
    mac_of(p, (uint64_t[2]){account, epoch}, password, f->mac);
    list_init(&f->age);
    list_append(&p->age, &f->age);
    map64_set(p->by_account, account, f);
}

bool proofs_has(struct proofs *p, uint64_t account, uint64_t epoch, struct span password)
{
    struct proof *f = map64_get(p->by_account, account);
    unsigned char mac[32];

    if (!f)
        return false;
    if (clock_mono_ms() >= f->until_ms) {
        proof_free(p, f);
        return false;
    }
    mac_of(p, (uint64_t[2]){account, epoch}, password, mac);
    bool is_same = secret_eq(mac, f->mac, sizeof mac);
    secret_wipe(mac, sizeof mac);
    return is_same;
}

void proofs_forget(struct proofs *p, uint64_t account)
{
    struct proof *f = map64_get(p->by_account, account);

    if (f)
        proof_free(p, f);
}

size_t proofs_size(const struct proofs *p)
{
    return map64_size(p->by_account);
}

uint64_t proofs_digest(const struct proofs *p, struct span user, uint64_t epoch,
                       struct span password)
{
    unsigned char name[32], mac[32];
    uint64_t v;

    mac_of(p, (uint64_t[2]){1, epoch}, user, name);
    memcpy(&v, name, sizeof v);
    mac_of(p, (uint64_t[2]){2, v}, password, mac);
    memcpy(&v, mac, sizeof v);
    secret_wipe(mac, sizeof mac);
    return v ? v : 1;
}
