#include "sandbox/profile.h"

#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's interface, by its numbers: Debian 12's headers know only the first versions of it.
 */
enum {
    LL_CREATE = 444,
    LL_ADD = 445,
    LL_RESTRICT = 446,
    LL_VERSION = 1,
    LL_RULE_PATH = 1,
};
enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
    FS_FIRST = (1 << 13) - 1, /* all that the first version knows */
    NET_TCP = 3,              /* bind and connect */
    SCOPE_ALL = 3,            /* abstract sockets and signals to processes outside */
};
struct ll_ruleset {
    uint64_t fs, net, scoped;
};
struct ll_path {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

static int landlock_version(void)
{
    long n = syscall(LL_CREATE, NULL, 0, LL_VERSION);
    return n < 0 ? 0 : (int)n;
}

bool sandbox_has_landlock(void)
{
    return landlock_version() > 0;
}

/* A path that does not exist gives no right, which is what it would give anyhow; a folder of our
 * own must exist. */
static int allow(int rules, const char *path, uint64_t rights, bool must, struct err *e)
{
    FD_AUTO fd = open(path, O_PATH | O_CLOEXEC);
    struct ll_path rule = {.allowed = rights, .parent_fd = fd};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return must ? err_set(e, -errno, "folder %s: %s", path, strerror(errno)) : 0;
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE;
    if (syscall(LL_ADD, rules, LL_RULE_PATH, &rule, 0) != 0)
        return err_set(e, -errno, "Landlock rule for %s: %s", path, strerror(errno));
    return 0;
}

static const char *const system_files[] = {
    "/etc/ssl",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/dns",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/services",
};

static int add_rules(const struct profile *p, const char *data, int rules, uint64_t handled,
                     struct err *e)
{
    const uint64_t own = FS_READ_FILE | FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_DIR |
                         FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE;
    const uint64_t read_only = FS_READ_FILE | FS_READ_DIR;
    char path[4096];
    int k;

    if (p->access == FOLDER_WRITE) {
        int n = snprintf(path, sizeof path, "%s/%s", data ? data : ".", p->folder);
        if (n < 0 || (size_t)n >= sizeof path)
            return err_set(e, -ENAMETOOLONG, "data folder: its name is too long");
        if ((k = allow(rules, path, own & handled, true, e)) != 0)
            return k;
    }
    for (size_t i = 0; i < ARRAY_LEN(system_files) && p->system == SYSTEM_READ; i++)
        if ((k = allow(rules, system_files[i], read_only & handled, false, e)) != 0)
            return k;
    /* the symbols of a leak report */
    if (SANDBOX_SANITIZED)
        return allow(rules, "/", read_only & handled, false, e);
    return 0;
}

int sandbox_landlock(const struct profile *p, const char *data, struct sandbox_report *r,
                     struct err *e)
{
    int version = landlock_version(), k;
    struct ll_ruleset set = {.fs = FS_FIRST};
    size_t bytes = version >= 6 ? sizeof set : version >= 4 ? 16 : 8;
    FD_AUTO rules = -1;

    if (version == 0) {
        sandbox_lower(r, "this kernel has no Landlock");
        return 0;
    }
    if (version >= 2)
        set.fs |= FS_REFER;
    if (version >= 3)
        set.fs |= FS_TRUNCATE;
    if (version >= 5)
        set.fs |= FS_IOCTL_DEV;
    if (version >= 4 && !(p->sets & S_NET))
        set.net = NET_TCP;
    if (version >= 6)
        set.scoped = SCOPE_ALL;
    rules = (int)syscall(LL_CREATE, &set, bytes, 0);
    if (rules < 0)
        return err_set(e, -errno, "Landlock: %s", strerror(errno));
    if ((k = add_rules(p, data, rules, set.fs, e)) != 0)
        return k;
    if (syscall(LL_RESTRICT, rules, 0) != 0)
        return err_set(e, -errno, "Landlock: %s", strerror(errno));
    r->landlock = true;
    return 0;
}
