#include "sandbox/profile.h"

#include "base/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static const struct profile profiles[] = {
#define PROFILE(...) {__VA_ARGS__},
#include "sandbox/profiles.def"
#undef PROFILE
};

const struct profile *profile_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

const char *sandbox_profile_user(const char *profile)
{
    const struct profile *p = profile_by_name(profile);
    return p ? p->user : NULL;
}

const char *sandbox_profile_folder(const char *profile)
{
    const struct profile *p = profile_by_name(profile);
    return p && p->folder[0] ? p->folder : NULL;
}

void sandbox_lower(struct sandbox_report *r, const char *fmt, ...)
{
    size_t n = strlen(r->lower);
    va_list ap;

    if (n > 0 && n + 3 < sizeof r->lower) {
        memcpy(r->lower + n, "; ", 3);
        n += 2;
    }
    va_start(ap, fmt);
    vsnprintf(r->lower + n, sizeof r->lower - n, fmt, ap);
    va_end(ap);
}

static struct sandbox_report became;
static bool has_become;

static int become(const struct profile *p, const char *user, struct err *e)
{
    int k;

    if (has_become)
        return 0;
    /* limits are raised as root */
    if ((k = sandbox_limits(p, &became, e)) != 0 || (k = sandbox_user(p, user, &became, e)) != 0)
        return k;
    umask(p->flags & P_GROUP_READS ? 027 : 077);
    has_become = true;
    return 0;
}

static const struct profile *find(const struct sandbox_request *q, struct err *e)
{
    const struct profile *p = profile_by_name(q->profile);

    if (p == NULL)
        err_set(e, -ENOENT, "no sandbox profile is called %s", q->profile);
    return p;
}

int sandbox_become(const struct sandbox_request *q, struct err *e)
{
    const struct profile *p = find(q, e);

    if (p == NULL)
        return -ENOENT;
    return p->flags & P_LATE_USER ? 0 : become(p, q->user, e);
}

int sandbox_enter(const struct sandbox_request *q, struct sandbox_report *ret, struct err *e)
{
    const struct profile *p = find(q, e);
    struct sandbox_report r;
    int k;

    if (p == NULL)
        return -ENOENT;
    /* Each wall may need what the next one takes away: Landlock rules are made by opening folders,
     * and the system call filter would forbid all of it. */
    if ((k = become(p, q->user, e)) != 0)
        return k;
    r = became;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(e, -errno, "no new privileges: %s", strerror(errno));
    r.no_new_privs = true;
    if ((k = sandbox_landlock(p, q->data, &r, e)) != 0 || (k = sandbox_seccomp(p, &r, e)) != 0)
        return k;
    *ret = r;
    return 0;
}
