/* The register out to a file and in again, while the CA runs. */
#include "base/check.h"
#include "ca/ca_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct copy_job {
    struct ca *ca;
    const char *path;
    struct register_copy *copy;
    bool done;
    struct err *e;
    int rc;
};

static void work_start(void *arg)
{
    struct copy_job *j = arg;
    j->rc = ca_register_copy_start(j->ca->reg, j->path, &j->copy, j->e);
}

static void work_step(void *arg)
{
    struct copy_job *j = arg;
    j->rc = ca_register_copy_step(j->copy, &j->done, j->e);
}

static void work_end(void *arg)
{
    struct copy_job *j = arg;
    ca_register_copy_end(j->copy);
}

int ca_backup(struct ca *ca, const char *path, struct err *e)
{
    struct copy_job j = {.ca = ca, .path = path, .e = e};

    ca_run(ca, work_start, &j);
    if (j.rc < 0)
        return j.rc;
    while (j.rc == 0 && !j.done)
        ca_run(ca, work_step, &j);
    ca_run(ca, work_end, &j);
    if (j.rc < 0)
        unlink(path);
    return j.rc;
}

struct restore_job {
    struct ca *ca;
    const char *path;
    const struct register_key *keys;
    size_t key_count;
    bool force;
    struct register_carried carried;
    int fresh;
    struct ca_record *all;
    size_t count;
    struct err *e;
    int rc;
};

static void work_fresh(void *arg)
{
    struct restore_job *j = arg;

    j->fresh = ca_register_is_fresh(j->ca->reg, j->e);
    j->rc = j->fresh < 0 ? j->fresh : 0;
}

static void work_restore(void *arg)
{
    struct restore_job *j = arg;

    /* again, in the same step: somebody may have got a certificate since */
    work_fresh(j);
    if (j->rc == 0 && !j->fresh && !j->force)
        j->rc = err_set(j->e, -EEXIST,
                        "the CA that is here has issued certificates to others; --force puts the "
                        "backup in its place");
    if (j->rc == 0)
        j->rc = ca_register_restore(j->ca->reg, j->path, j->keys, j->key_count, &j->carried, j->e);
    if (j->rc == 0)
        j->rc = ca_register_cas(j->ca->reg, &j->all, &j->count, j->e);
}

/* Calls that are suspended hold records of before: those stay until the end. */
static void take_up(struct ca *ca, struct restore_job *j)
{
    for (size_t i = 0; i < ca->ca_count; i++)
        ca_let_go(ca, ca->cas[i]);
    ca->ca_count = 0;
    ca->root = ca->issuing = NULL;
    for (size_t i = 0; i < j->count; i++) {
        struct ca_record *one = malloc(sizeof(*one));
        CHECK(one);
        *one = j->all[i];
        ca_adopt(ca, one);
    }
    free(j->all);
    ca->changes++;
}

int ca_restore(struct ca *ca, const char *path, const struct register_key *keys, size_t key_count,
               bool force, const char *replaced, struct register_carried *ret, struct err *e)
{
    struct restore_job j = {
        .ca = ca, .path = path, .keys = keys, .key_count = key_count, .force = force, .e = e};

    ca_run(ca, work_fresh, &j);
    if (j.rc == 0 && !j.fresh && force)
        j.rc = ca_backup(ca, replaced, e);
    if (j.rc < 0)
        return j.rc;
    ca_run(ca, work_restore, &j);
    if (j.rc < 0)
        return j.rc;
    take_up(ca, &j);
    *ret = j.carried;
    return 0;
}
