/* sealpost-supervisor --config FILE [--foreground] [--ready-fd N]: starts and watches all other
 * processes. */
#include "proc/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct supervisor self = {
    .conf_fd = -1,
    .tallies = {-1, -1},
    .root_fd = -1,
    .ready_fd = -1,
    .stdout_fd = -1,
    .control_fd = -1
};

struct options {
    const char *config, *parse;
    bool foreground;
};

static int usage(void)
{
    fprintf(stderr, "usage: sealpost-supervisor --config FILE [--foreground] [--ready-fd N]\n");
    return 2;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"config",     required_argument, NULL, 'c'},
        {"foreground", no_argument,       NULL, 'f'},
        {"ready-fd",   required_argument, NULL, 'r'},
        {"parse",      required_argument, NULL, 'p'},
        {NULL,         0,                 NULL, 0  }
    };
    int k;

    while ((k = getopt_long(argc, argv, "", known, NULL)) != -1) {
        uint64_t fd;
        if (k == 'c')
            o->config = optarg;
        else if (k == 'f')
            o->foreground = true;
        else if (k == 'p')
            o->parse = optarg;
        else if (k == 'r' && span_to_u64(span_cstr(optarg), 1 << 20, &fd) &&
                 fcntl((int)fd, F_GETFD) >= 0)
            self.ready_fd = (int)fd;
        else
            return false;
    }
    return optind == argc && (o->config != NULL) != (o->parse != NULL);
}

static int fail(const char *text)
{
    fprintf(stderr, "sealpost-supervisor: %s\n", text);
    return 1;
}

static bool name_files(const char *config)
{
    char *real = realpath(config, NULL), *slash;
    ssize_t n = readlink("/proc/self/exe", self.programs, sizeof self.programs - 1);
    bool fits = real != NULL && strlen(real) < sizeof self.conf_file && n > 0;

    if (fits) {
        memcpy(self.conf_file, real, strlen(real) + 1);
        self.programs[n] = '\0';
        slash = strrchr(self.programs, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    free(real);
    return fits;
}

static bool read_conf(void)
{
    struct buf problems BUF_AUTO = BUF(PROBLEMS_MAX_BYTES);

    self.conf = parse_in_child(self.conf_file, &problems);
    fprintf(stderr, "%.*s", SPAN_ARG(buf_span(&problems)));
    if (self.conf == NULL)
        return false;
    log_set_level(self.conf->log_level);
    self.conf_fd = conf_memfd(self.conf);
    return self.conf_fd >= 0;
}

/* The parent waits for "ready" and says so. 0 in the child, else the parent's exit status in *ret.
 */
static bool into_background(int *ret)
{
    int fds[2];
    char word[6];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        *ret = fail(strerror(errno));
        return true;
    }
    if (pid == 0) {
        close(fds[0]);
        setsid();
        self.stdout_fd = fds[1];
        return false;
    }
    close(fds[1]);
    if (fd_read_all(fds[0], word, sizeof word) == 0) {
        printf("ready\n");
        *ret = 0;
    } else {
        *ret = fail("it did not get ready; the log file in the data folder says why");
    }
    return true;
}

static void keep_off_terminal(void)
{
    FD_AUTO null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
}

static int supervise(void)
{
    struct buf problems BUF_AUTO = BUF(PROBLEMS_MAX_BYTES);
    struct listeners none = {NULL, 0};
    struct span lines, line;
    struct err e;

    self.started_ms = clock_mono_ms();
    random_bytes(self.grant_secret, sizeof self.grant_secret);
    self.loop = loop_new();
    processes_new(&self);
    listeners_apply(&self.listeners, self.conf, &self, &none, &problems);
    lines = buf_span(&problems);
    while (span_split(&lines, '\n', &line))
        log_error("%.*s", SPAN_ARG(line));
    listeners_done(&none);
    if (layout_pid(&self, &e) != 0 || control_open(&self, &e) != 0 || powers_drop(&e) != 0) {
        log_error("%s", e.text);
        self.exit_status = 1;
    } else {
        course_run(&self);
    }
    control_close(&self);
    processes_done(&self);
    listeners_done(&self.listeners);
    layout_done(&self);
    course_settle(&self);
    log_info("stopped");
    conf_free(self.conf);
    loop_free(self.loop);
    secret_wipe(self.grant_secret, sizeof self.grant_secret);
    return self.exit_status;
}

int main(int argc, char **argv)
{
    struct options o = {NULL, NULL, false};
    struct err e;
    int status;

    if (!read_options(argc, argv, &o))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    if (o.parse != NULL)
        return parse_child_main(o.parse);
    log_open("supervisor", LOG_LEVEL_INFO);
    umask(077);
    powers_limits();
    if (!name_files(o.config)) {
        fprintf(stderr, "sealpost-supervisor: %s: %s\n", o.config, strerror(errno));
        return 1;
    }
    if (!read_conf())
        return fail("the configuration has errors; nothing was started");
    if (layout_root(&self, &e) != 0 || layout_folders(&self, &e) != 0)
        return fail(e.text);
    if (!o.foreground) {
        if (into_background(&status))
            return status;
        if (layout_log(&self, &e) != 0)
            return fail(e.text);
    } else {
        self.stdout_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    keep_off_terminal();
    return supervise();
}
