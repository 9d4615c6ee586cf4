#include "proc/keyd/engine/signlog.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "proc/keyd/engine/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int signlog_open(int dir, struct err *e)
{
    int fd = openat(dir, "sign.log",
                    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_set(e, -errno, "sign.log: cannot be opened: %s", strerror(errno));
    return fd;
}

bool signlog_wants(unsigned purpose)
{
    return (purpose & (KEY_CA | KEY_CRL | KEY_CSR)) != 0;
}

static int write_line(int fd, enum role who, const struct keyd_key *k, const char *what)
{
    char line[256];
    time_t now = (time_t)clock_seconds();
    struct tm tm;
    ssize_t done;
    int n;

    gmtime_r(&now, &tm);
    n = snprintf(line, sizeof line, "%04d-%02d-%02dT%02d:%02d:%02dZ %s %s %s\n", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, role_name(who),
                 k->info.id, what);
    CHECK(n > 0 && (size_t)n < sizeof line);
    /* one write: lines of several threads never mix */
    done = write(fd, line, (size_t)n);
    if (done != n)
        return done < 0 ? -errno : -EIO;
    return fdatasync(fd) < 0 ? -errno : 0;
}

int signlog_event(int fd, enum role who, const struct keyd_key *k, const char *event)
{
    return write_line(fd, who, k, event);
}

int signlog_write(int fd, enum role who, const struct keyd_key *k, const struct key_sign_request *r)
{
    unsigned char hash[32];
    char what[120];
    int n = snprintf(what, sizeof what, "%s sha256=", purpose_name(r->purpose));

    CHECK(EVP_Digest(r->text.p, r->text.n, hash, NULL, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < sizeof hash; i++)
        n += snprintf(what + n, sizeof what - (size_t)n, "%02x", hash[i]);
    return write_line(fd, who, k, what);
}
