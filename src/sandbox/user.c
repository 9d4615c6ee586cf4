#include "sandbox/profile.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What no program that is executed later could get back. As root only, and before the user changes:
 * it is itself a privilege. */
static int drop_bounds(struct err *e)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM)
            return err_set(e, -errno, "dropping capability %d: %s", cap, strerror(errno));
    return 0;
}

/* Root without a user to become at least loses everything that root may do beyond its own files. */
static int drop_capabilities(struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {
        {0, 0, 0},
        {0, 0, 0}
    };

    if (syscall(SYS_capset, &head, none) != 0)
        return err_set(e, -errno, "dropping capabilities: %s", strerror(errno));
    return 0;
}

static int change_user(const struct passwd *pw, const char *user, struct err *e)
{
    if (setgroups(0, NULL) != 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
        return err_set(e, -errno, "becoming user %s: %s", user, strerror(errno));
    /* trust nothing: the way back must be closed */
    if (pw->pw_uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
        return err_set(e, -EPERM, "user %s could become root again", user);
    return 0;
}

int sandbox_user(const struct profile *p, const char *user, struct sandbox_report *r, struct err *e)
{
    const struct passwd *pw = NULL;
    int k = drop_bounds(e);

    if (k != 0)
        return k;
    if (geteuid() != 0) {
        if (user != NULL)
            sandbox_lower(r, "not started as root: all processes have one user");
    } else if (user == NULL) {
        sandbox_lower(r, "runs as root: no users are configured");
    } else if ((pw = getpwnam(user)) == NULL || pw->pw_uid == 0) {
        sandbox_lower(r, "runs as root: there is no user %s", user);
        pw = NULL;
    } else if ((k = change_user(pw, user, e)) != 0) {
        return k;
    } else {
        r->user_changed = true;
    }
    if ((k = drop_capabilities(e)) != 0)
        return k;
    /* Changing the user has made the process undumpable; leak reports need the opposite. */
    if (SANDBOX_SANITIZED)
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    else if ((p->flags & P_SECRETS) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set(e, -errno, "forbidding core dumps: %s", strerror(errno));
    return 0;
}

static int set_limit(int what, rlim_t n, const char *name, struct err *e)
{
    struct rlimit l = {n, n};
    if (setrlimit(what, &l) != 0)
        return err_set(e, -errno, "limit of %s: %s", name, strerror(errno));
    return 0;
}

/* A limit that is tighter already stays: raising it needs a right that not even every root has. */
static int tighten(int what, rlim_t n, const char *name, struct err *e)
{
    struct rlimit now;
    return getrlimit(what, &now) == 0 && now.rlim_max < n ? 0 : set_limit(what, n, name, e);
}

int sandbox_limits(const struct profile *p, struct sandbox_report *r, struct err *e)
{
    struct rlimit now;
    int k = 0;

    if (getrlimit(RLIMIT_NOFILE, &now) == 0) {
        rlim_t want = p->nofile;
        if (want > now.rlim_max && geteuid() != 0)
            want = now.rlim_max;
        if (set_limit(RLIMIT_NOFILE, want, "descriptors", e) != 0 &&
            (k = set_limit(RLIMIT_NOFILE, now.rlim_max, "descriptors", e)) != 0)
            return k;
    }
    if (p->flags & P_SECRETS)
        k = set_limit(RLIMIT_CORE, 0, "core dumps", e);
    if (k == 0 && (p->flags & P_SHORT)) {
        k = tighten(RLIMIT_CPU, 20, "processor time", e);
        if (k == 0 && !SANDBOX_SANITIZED)
            k = tighten(RLIMIT_AS, 1u << 30, "memory", e);
    }
    return k;
}
