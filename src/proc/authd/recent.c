#include "proc/authd/recent.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/random.h"

#include <stdlib.h>

struct recent {
    struct directory *directory;
    struct map *by_name;
    uint32_t entries_max;
    uint64_t version; /* of the directory, when it was last looked at */
    uint64_t look_ms; /* next time */
};

struct recent *recent_new(struct directory *d, uint32_t entries_max)
{
    struct recent *r = calloc(1, sizeof *r);

    CHECK(r && entries_max > 0);
    r->directory = d;
    r->entries_max = entries_max;
    r->by_name = map_new();
    return r;
}

static bool free_one(struct span name, void *value, void *arg)
{
    secret_wipe(value, sizeof(struct recent_account));
    free(value);
    return true;
}

void recent_forget(struct recent *r)
{
    if (map_size(r->by_name) == 0)
        return;
    map_each(r->by_name, free_one, NULL);
    map_free(r->by_name);
    r->by_name = map_new();
}

void recent_free(struct recent *r)
{
    if (!r)
        return;
    map_each(r->by_name, free_one, NULL);
    map_free(r->by_name);
    free(r);
}

size_t recent_size(const struct recent *r)
{
    return map_size(r->by_name);
}

/* The version is asked before the rows are: what is written in between is noticed next time. */
static void look(struct recent *r)
{
    uint64_t now = clock_mono_ms(), version;

    if (now < r->look_ms && r->look_ms - now <= RECENT_LOOK_MS)
        return;
    r->look_ms = now + RECENT_LOOK_MS;
    version = directory_version(r->directory);
    if (version != r->version)
        recent_forget(r);
    r->version = version;
}

static void add_group(struct span group, void *arg)
{
    struct recent_account *a = arg;

    a->groups[a->group_count++] = grant_group(group);
}

int recent_login(struct recent *r, struct span name, const struct recent_account **ret)
{
    struct recent_account *a;
    int rc;

    look(r);
    a = map_get(r->by_name, name);
    if (!a) {
        a = calloc(1, sizeof *a);
        CHECK(a);
        rc = directory_login(r->directory, name, &a->account, &a->credential);
        if (rc == 0)
            rc = directory_groups_of(r->directory, span_cstr(a->account.address), GRANT_GROUPS_MAX,
                                     add_group, a);
        if (rc < 0) {
            free_one(name, a, NULL);
            return rc;
        }
        if (map_size(r->by_name) >= r->entries_max)
            recent_forget(r);
        map_set(r->by_name, name, a);
    }
    *ret = a;
    return 0;
}
