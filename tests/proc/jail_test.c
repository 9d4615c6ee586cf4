/*
 * Enters every profile in a process of its own and tries, one by one, what it must and what it must
 * not be able to do. Built without sanitizers in every build: their own needs would widen the
 * filter that is looked at here.
 */
#include "base/check.h"
#include "sandbox/profile.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOUND_OPEN = 0, FOUND_EPERM = 1, FOUND_OTHER = 2, FOUND_KILLED = 3, JAIL_FAILED = 9 };

static char data[64] = "/tmp/sealpost-jail.XXXXXX";
static int data_fd, listener, client, handed; /* made before the jail, as the supervisor would */
static uint16_t port;
static const struct profile *in; /* the profile that the child is in */

static void set_up(void)
{
    static const char *const folders[] = {"keys", "directory", "store", "certs",
                                          "ca",   "enrol",     "search"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;

    if (data_fd > 0)
        return;
    CHECK(mkdtemp(data) != NULL && chmod(data, 0755) == 0);
    data_fd = open(data, O_PATH | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        CHECK(mkdirat(data_fd, folders[i], 0777) == 0 &&
              fchmodat(data_fd, folders[i], 0777, 0) == 0);
    handed = openat(data_fd, "handed", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(write(handed, "bytes", 5) == 5);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 5) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&a, &n) == 0);
    port = a.sin_port;
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

__attribute__((destructor)) static void tear_down(void)
{
    char command[100];
    if (data_fd <= 0)
        return;
    snprintf(command, sizeof command, "rm -rf '%s'", data);
    if (system(command) != 0)
        perror(command);
}

/* ---- what is tried: 0 it can be done, negative errno it was refused ----------------------- */

#define R(call) ((call) < 0 ? -errno : 0)

static int try_shadow(void)
{
    return R(open("/etc/shadow", O_RDONLY));
}
static int try_read_anything(void)
{
    return R(open("/etc/passwd", O_RDONLY));
}
static int try_write_anywhere(void)
{
    return R(open("/tmp/sealpost-escaped", O_WRONLY | O_CREAT, 0600));
}
static int try_proc_mem(void)
{
    return R(open("/proc/self/mem", O_RDWR));
}
static int try_system_library(void)
{
    return R(open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY));
}
static int try_certificates(void)
{
    return R(open("/etc/ssl/openssl.cnf", O_RDONLY));
}
static int try_own_folder(void)
{
    char from[128], to[128];
    int fd;

    /* a process without one tries the store */
    snprintf(from, sizeof from, "%s/%s/new", data, in->folder[0] ? in->folder : "store");
    snprintf(to, sizeof to, "%s/%s/renamed", data, in->folder[0] ? in->folder : "store");
    fd = open(from, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fdatasync(fd) != 0 || rename(from, to) != 0)
        return -errno;
    return R(unlink(to));
}
static int try_folder_of_another(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s/x", data, strcmp(in->folder, "ca") == 0 ? "keys" : "ca");
    return R(open(path, O_RDWR | O_CREAT, 0600));
}
static int try_through_a_descriptor(void)
{
    return R(openat(data_fd, "handed", O_RDWR));
}
static int try_handed(void)
{
    char b[5];
    struct stat st;
    return pread(handed, b, 5, 0) == 5 && fstat(handed, &st) == 0 ? 0 : -errno;
}
static int try_chmod(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/handed", data);
    return R(chmod(path, 0600));
}
static int try_socket_inet(void)
{
    return R(socket(AF_INET, SOCK_STREAM, 0));
}
static int try_socket_inet6(void)
{
    return R(socket(AF_INET6, SOCK_DGRAM, 0));
}
static int try_socket_unix(void)
{
    return R(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int try_socket_netlink(void)
{
    return R(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int try_socket_raw(void)
{
    return R(socket(AF_PACKET, SOCK_RAW, 0));
}
static int try_connect(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = port};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* the trials of other profiles share this socket */
    return connect(client, (struct sockaddr *)&a, sizeof a) == 0 || errno == EISCONN ? 0 : -errno;
}
static int try_listen(void)
{
    return R(listen(client, 5));
}
static int try_accept(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    return fd >= 0 || errno == EAGAIN ? 0 : -errno;
}
static int try_exec(void)
{
    char path[] = "/bin/true";
    char *argv[] = {path, NULL};
    return R(execve(path, argv, NULL));
}
static int try_execveat(void)
{
    char *argv[] = {data, NULL};
    return R(syscall(SYS_execveat, handed, "", argv, NULL, AT_EMPTY_PATH));
}
static int try_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return R(pid);
}
static void *thread_main(void *arg)
{
    return arg;
}
static int try_thread(void)
{
    pthread_t t;
    int k = pthread_create(&t, NULL, thread_main, NULL);
    return k != 0 ? -k : -pthread_join(t, NULL);
}
static int try_ptrace(void)
{
    return R(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}
static int try_peek(void)
{
    char b[8];
    struct iovec l = {b, 8}, r = {data, 8};
    return R(process_vm_readv(getppid(), &l, 1, &r, 1, 0));
}
static int try_signal_another(void)
{
    return R(kill(getppid(), SIGCONT));
}
static int try_tgkill_another(void)
{
    return R(syscall(SYS_tgkill, getppid(), getppid(), SIGCONT));
}
static int try_memfd(void)
{
    int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, 4096) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
        return -errno;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -errno : 0;
}
static int try_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -errno : 0;
}
static int try_code_by_mprotect(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -errno : R(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
static int try_mount(void)
{
    return R(mount("none", "/mnt", "tmpfs", 0, NULL));
}
static int try_unshare(void)
{
    return R(unshare(CLONE_NEWUSER));
}
static int try_uring(void)
{
    char params[120] = {0};
    return R(syscall(425, 4, params));
}
static int try_bpf(void)
{
    return R(syscall(SYS_bpf, 0, NULL, 0));
}
static int try_tty_input(void)
{
    return R(ioctl(0, TIOCSTI, "x"));
}
static int try_raise_limit(void)
{
    struct rlimit l = {RLIM_INFINITY, RLIM_INFINITY};
    return R(setrlimit(RLIMIT_NOFILE, &l));
}
static int try_dumpable(void)
{
    return R(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
static int try_user_again(void)
{
    return R(setresuid(0, 0, 0));
}
static int try_ordinary(void)
{
    int fds[2], ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN};
    struct rlimit l;
    char *p = malloc(1 << 20);
    uint64_t one = 1;

    if (ep < 0 || ev < 0 || p == NULL || pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    memset(p, 1, 1 << 20);
    free(p);
    if (epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e) != 0 || write(ev, &one, 8) != 8 ||
        epoll_wait(ep, &e, 1, 0) != 1 || getrlimit(RLIMIT_NOFILE, &l) != 0)
        return -errno;
    if (write(fds[1], "x", 1) != 1 || read(fds[0], p = (char[1]){0}, 1) != 1)
        return -errno;
    fprintf(stderr, "%s", "");
    return fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0 && usleep(1) == 0 ? 0 : -errno;
}

/* `may`: profiles whose sets hold one of these bits; ~0 all, 0 none. */
static const struct trial {
    const char *name;
    int (*fn)(void);
    unsigned may;
    bool needs_landlock; /* without it only the user stands in the way */
} trials[] = {
    {"ordinary work",              try_ordinary,             ~0u,       false},
    {"a descriptor handed over",   try_handed,               ~0u,       false},
    {"/etc/shadow",                try_shadow,               0,         true },
    {"any file",                   try_read_anything,        0,         true },
    {"any new file",               try_write_anywhere,       0,         true },
    {"its own memory as a file",   try_proc_mem,             0,         true },
    {"shared library",             try_system_library,       0,         true },
    {"certificates of the system", try_certificates,         S_NET,     true },
    {"its own folder",             try_own_folder,           S_WRITE,   true },
    {"the folder of another",      try_folder_of_another,    0,         true },
    {"a folder it was handed",     try_through_a_descriptor, 0,         true },
    {"rights of a file",           try_chmod,                0,         true },
    {"IPv4 socket",                try_socket_inet,          S_NET,     false},
    {"IPv6 socket",                try_socket_inet6,         S_NET,     false},
    {"unix socket",                try_socket_unix,          0,         false},
    {"netlink socket",             try_socket_netlink,       0,         false},
    {"packet socket",              try_socket_raw,           0,         false},
    {"connect",                    try_connect,              S_NET,     false},
    {"listen",                     try_listen,               0,         false},
    {"accept",                     try_accept,               S_SERVE,   false},
    {"execve",                     try_exec,                 0,         false},
    {"execveat",                   try_execveat,             0,         false},
    {"fork",                       try_fork,                 0,         false},
    {"thread",                     try_thread,               S_THREADS, false},
    {"ptrace",                     try_ptrace,               0,         false},
    {"memory of another",          try_peek,                 0,         false},
    {"signal to another",          try_signal_another,       0,         false},
    {"tgkill to another",          try_tgkill_another,       0,         false},
    {"shared memory",              try_memfd,                S_MEMFD,   false},
    {"new code",                   try_code,                 0,         false},
    {"new code by mprotect",       try_code_by_mprotect,     0,         false},
    {"mount",                      try_mount,                0,         false},
    {"namespace",                  try_unshare,              0,         false},
    {"io_uring",                   try_uring,                0,         false},
    {"bpf",                        try_bpf,                  0,         false},
    {"typing into a terminal",     try_tty_input,            0,         false},
    {"raising a limit",            try_raise_limit,          0,         false},
    {"core dumps again",           try_dumpable,             0,         false},
    {"another user",               try_user_again,           0,         false},
};

static const char *const profiles[] = {
    "keyd",  "authd", "stored", "sessiond-access", "sessiond-mx", "relayd",
    "certd", "cad",   "enrold", "searchd",         "watchd",      "conf",
};

static int run(const char *profile, const char *user, int (*fn)(void), struct sandbox_report *ret)
{
    struct sandbox_report *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;
    int status;

    CHECK(shared != MAP_FAILED);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct sandbox_request q = {profile, user, data};
        struct rlimit none = {0, 0};
        struct err e;
        int k;

        setrlimit(RLIMIT_CORE, &none);
        in = profile_by_name(profile);
        if (sandbox_enter(&q, shared, &e) != 0) {
            fprintf(stderr, "%s\n", e.text);
            _exit(JAIL_FAILED);
        }
        k = fn();
        _exit(k == 0 ? FOUND_OPEN : k == -EPERM || k == -EACCES ? FOUND_EPERM : FOUND_OTHER);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (ret != NULL)
        *ret = *shared;
    munmap(shared, 4096);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? FOUND_KILLED : FOUND_OTHER;
    return WEXITSTATUS(status);
}

static void all_trials(const char *user)
{
    char name[100];

    set_up();
    for (size_t p = 0; p < ARRAY_LEN(profiles); p++) {
        const struct profile *row = profile_by_name(profiles[p]);
        REQUIRE(row != NULL);
        for (size_t t = 0; t < ARRAY_LEN(trials); t++) {
            int found;
            bool may = (trials[t].may & row->sets) != 0;

            snprintf(name, sizeof name, "%s: %s", profiles[p], trials[t].name);
            unit_case(name);
            if (trials[t].needs_landlock && !may && (row->sets & S_OPEN) && !sandbox_has_landlock())
                continue;
            found = run(profiles[p], user, trials[t].fn, NULL);
            if (may)
                EXPECT_INT(found, FOUND_OPEN);
            else
                EXPECT(found == FOUND_EPERM || found == FOUND_KILLED);
        }
    }
    unit_case(NULL);
}

TEST(every_profile_can_do_its_work_and_nothing_else)
{
    all_trials(NULL);
}

TEST(as_another_user)
{
    if (geteuid() == 0 && getpwnam("nobody") != NULL)
        all_trials("nobody");
}

static int try_users(void)
{
    struct passwd *pw = getpwuid(0);
    (void)pw;
    return getuid() != 0 && geteuid() != 0 && getgid() != 0 ? 0 : -EPERM;
}

TEST(what_is_reported)
{
    struct sandbox_report r;

    set_up();
    EXPECT_INT(run("stored", "no-such-user-here", try_ordinary, &r), FOUND_OPEN);
    EXPECT(r.seccomp && r.no_new_privs && !r.user_changed);
    EXPECT_INT(r.landlock, sandbox_has_landlock());
    if (geteuid() == 0)
        EXPECT(strstr(r.lower, "no-such-user-here") != NULL);
    else
        EXPECT(strstr(r.lower, "not started as root") != NULL);
    if (!sandbox_has_landlock())
        EXPECT(strstr(r.lower, "Landlock") != NULL);
    if (geteuid() == 0 && getpwnam("nobody") != NULL) {
        EXPECT_INT(run("stored", "nobody", try_users, &r), FOUND_OPEN);
        EXPECT(r.user_changed);
        if (sandbox_has_landlock())
            EXPECT_STR(r.lower, "");
    }
    EXPECT_INT(run("no-such-profile", NULL, try_ordinary, NULL), JAIL_FAILED);
}

static int try_no_core(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_CORE, &l) != 0)
        return -errno;
    /* /proc/self belongs to root when a process is not dumpable; asked for with no file access this
     * is all that can be seen */
    return l.rlim_cur == 0 && l.rlim_max == 0 ? 0 : -EPERM;
}

TEST(secrets_are_not_dumped)
{
    struct rlimit core = {RLIM_INFINITY, RLIM_INFINITY};
    int status;
    pid_t pid;

    set_up();
    EXPECT_INT(run("keyd", NULL, try_no_core, NULL), FOUND_OPEN);
    EXPECT_INT(run("authd", NULL, try_no_core, NULL), FOUND_OPEN);
    /* The wait status says whether the kernel would have written a core: a process that may not be
     * dumped never has that bit. */
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        struct sandbox_request q = {"keyd", NULL, data};
        struct sandbox_report r;
        struct err e;
        setrlimit(RLIMIT_CORE, &core);
        if (sandbox_enter(&q, &r, &e) != 0)
            _exit(JAIL_FAILED);
        abort();
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
}
