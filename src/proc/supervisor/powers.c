#include "proc/supervisor/supervisor.h"

#include "base/check.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What is left of root once the folders, the lock and the sockets are there: becoming other users
 * and emptying the bounds of those (children do that, and have no more than we), signals to them,
 * low ports on reload, watchd's raw socket, reading the configuration.
 */
static const int kept[] = {
    CAP_SETUID,           CAP_SETGID,  CAP_SETPCAP,         CAP_KILL,
    CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_DAC_READ_SEARCH,
};

enum { DESCRIPTORS_MAX = 1 << 20 };

void powers_limits(void)
{
    struct rlimit l;

    /* listening sockets, links, and what workers raise theirs to: they cannot go beyond ours */
    if (getrlimit(RLIMIT_NOFILE, &l) != 0)
        return;
    if (geteuid() == 0 && l.rlim_max < DESCRIPTORS_MAX) {
        struct rlimit more = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return;
    }
    l.rlim_cur = l.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
}

int powers_drop(struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {0, 0, 0},
        {0, 0, 0}
    };

    if (geteuid() != 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        data[kept[i] / 32].permitted |= 1u << (kept[i] % 32);
        data[kept[i] / 32].effective |= 1u << (kept[i] % 32);
    }
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (!(data[cap / 32].permitted & 1u << (cap % 32)) &&
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM)
            return err_set(e, -errno, "dropping capability %d: %s", cap, strerror(errno));
    /* a container may have given us less than that */
    struct __user_cap_data_struct now[2];
    if (syscall(SYS_capget, &head, now) != 0)
        return err_set(e, -errno, "capabilities: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= now[i].permitted;
        data[i].effective &= now[i].permitted;
    }
    if (syscall(SYS_capset, &head, data) != 0)
        return err_set(e, -errno, "dropping capabilities: %s", strerror(errno));
    return 0;
}
