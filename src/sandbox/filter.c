#include "sandbox/profile.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

struct sys_row {
    unsigned set;
    const char *name;
};

static const struct sys_row allowed[] = {
#define SYS(set, name) {set, #name},
#define SYS_EPERM(name)
#include "sandbox/syscalls.def"
#undef SYS
#undef SYS_EPERM
};

static const char *const refused[] = {
#define SYS(set, name)
#define SYS_EPERM(name) #name,
#include "sandbox/syscalls.def"
#undef SYS
#undef SYS_EPERM
};

/* In a build with sanitizers the forbidden call is named before the process ends; elsewhere nothing
 * runs after it. */
static void on_forbidden(int signo, siginfo_t *info, void *context)
{
    char line[120];
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);
    int n = snprintf(line, sizeof line, "sandbox: forbidden system call %d (%s)\n",
                     info->si_syscall, name ? name : "?");
    ssize_t w = write(STDERR_FILENO, line, (size_t)n);
    (void)w;
    _exit(128 + SIGSYS);
}

static bool is_allowed(const char *name, unsigned sets)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if ((allowed[i].set & sets) && strcmp(allowed[i].name, name) == 0)
            return true;
    return false;
}

static int rule(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n,
                const struct scmp_arg_cmp *args)
{
    int nr = seccomp_syscall_resolve_name(name), k;

    /* a name that this machine or libseccomp does not know cannot be called by our code either */
    if (nr == __NR_SCMP_ERROR || nr < 0)
        return 0;
    k = seccomp_rule_add_array(f, action, nr, n, args);
    return k == -EEXIST ? 0 : k;
}

enum { ALWAYS = ~0u };

/* Calls whose arguments decide: where any of `sets` is held and none of `not_sets`. What no row
 * names ends the process. */
enum arg_test { ANY, IS, IS_NOT, HAS_BITS, LACKS_BITS };
struct arg_row {
    unsigned sets, not_sets;
    uint32_t action;
    const char *name;
    enum arg_test test;
    unsigned arg;
    uint64_t value;
};

static int add_row(scmp_filter_ctx f, const struct arg_row *r)
{
    struct scmp_arg_cmp c = {.arg = r->arg, .op = SCMP_CMP_EQ, .datum_a = r->value, .datum_b = 0};

    if (r->test == IS_NOT) {
        c.op = SCMP_CMP_NE;
    } else if (r->test != IS) {
        c.op = SCMP_CMP_MASKED_EQ;
        c.datum_b = r->test == HAS_BITS ? r->value : 0;
    }
    return rule(f, r->action, r->name, r->test == ANY ? 0 : 1, &c);
}

/*
 * No new code in memory. fstat as the C library does it, while
 * stat by name is what libraries try. Limits are read, not set. abort(), and signals to nobody
 * else. getaddrinfo asks which addresses the machine has (netlink) and looks for a cache daemon
 * (unix). The arguments of clone3 lie in memory, out of the filter's sight: the C library then uses
 * clone.
 */
static int add_by_argument(scmp_filter_ctx f, unsigned sets)
{
    const uint64_t pid = (uint64_t)getpid();
    const uint64_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    const uint32_t yes = SCMP_ACT_ALLOW, eperm = SCMP_ACT_ERRNO(EPERM),
                   enosys = SCMP_ACT_ERRNO(ENOSYS);
    const struct arg_row rows[] = {
        {ALWAYS,    0,      yes,    "mmap",       LACKS_BITS, 2, PROT_EXEC    },
        {ALWAYS,    0,      yes,    "mprotect",   LACKS_BITS, 2, PROT_EXEC    },
        {ALWAYS,    S_OPEN, yes,    "newfstatat", HAS_BITS,   3, AT_EMPTY_PATH},
        {ALWAYS,    S_OPEN, eperm,  "newfstatat", LACKS_BITS, 3, AT_EMPTY_PATH},
        {ALWAYS,    0,      yes,    "prlimit64",  IS,         2, 0            },
        {ALWAYS,    0,      eperm,  "prlimit64",  IS_NOT,     2, 0            },
        {ALWAYS,    0,      yes,    "getrlimit",  ANY,        0, 0            },
        {ALWAYS,    0,      yes,    "tgkill",     IS,         0, pid          },
        {ALWAYS,    0,      yes,    "ioctl",      IS,         1, FIONBIO      },
        {ALWAYS,    0,      yes,    "ioctl",      IS,         1, FIONREAD     },
        {ALWAYS,    0,      yes,    "ioctl",      IS,         1, FIOCLEX      },
        {ALWAYS,    0,      eperm,  "ioctl",      IS,         1, TCGETS       },
        {ALWAYS,    0,      yes,    "prctl",      IS,         0, PR_SET_NAME  },
        {ALWAYS,    0,      eperm,  "prctl",      IS,         0, PR_SET_VMA   },
        {S_THREADS, 0,      yes,    "clone",      HAS_BITS,   0, thread       },
        {S_NET,     0,      yes,    "socket",     IS,         0, AF_INET      },
        {S_NET,     0,      yes,    "socket",     IS,         0, AF_INET6     },
        {S_NET,     0,      eperm,  "socket",     IS,         0, AF_NETLINK   },
        {S_NET,     0,      eperm,  "socket",     IS,         0, AF_UNIX      },
        {ALWAYS,    S_NET,  eperm,  "socket",     ANY,        0, 0            },
        {ALWAYS,    0,      enosys, "clone3",     ANY,        0, 0            },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int k;
        if (!(rows[i].sets & sets) || (rows[i].not_sets & sets) || is_allowed(rows[i].name, sets))
            continue;
        if ((k = add_row(f, &rows[i])) != 0)
            return k;
    }
    return 0;
}

static int refuse(scmp_filter_ctx f, unsigned sets)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int k;
        if (is_allowed(refused[i], sets))
            continue;
        if ((k = rule(f, SCMP_ACT_ERRNO(EPERM), refused[i], 0, NULL)) != 0)
            return k;
    }
    return 0;
}

static int build(scmp_filter_ctx f, const struct profile *p)
{
    unsigned sets = p->sets | (SANDBOX_SANITIZED ? S_SANITIZER : 0);
    int k;

    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if ((allowed[i].set & sets) && (k = rule(f, SCMP_ACT_ALLOW, allowed[i].name, 0, NULL)) != 0)
            return k;
    }
    if ((k = add_by_argument(f, sets)) != 0)
        return k;
    return refuse(f, sets);
}

int sandbox_seccomp(const struct profile *p, struct sandbox_report *r, struct err *e)
{
    scmp_filter_ctx f = seccomp_init(SANDBOX_SANITIZED ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    int k;

    if (f == NULL)
        return err_set(e, -ENOMEM, "system call filter: no memory");
    if (SANDBOX_SANITIZED) {
        sa.sa_sigaction = on_forbidden;
        sigaction(SIGSYS, &sa, NULL);
    }
    /* threads that a library may have started must not stay outside; a tree instead of a list keeps
     * the cost of a call low */
    seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    k = build(f, p);
    if (k == 0)
        k = seccomp_load(f);
    seccomp_release(f);
    if (k != 0)
        return err_set(e, k, "system call filter: %s", strerror(-k));
    r->seccomp = true;
    return 0;
}
