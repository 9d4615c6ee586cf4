/* profile.h: a row of profiles.def, and the three kinds of walls that are built from it. */
#ifndef SANDBOX_PROFILE_H
#define SANDBOX_PROFILE_H

#include "sandbox/sandbox.h"

enum sandbox_set {
    S_BASE = 1 << 0,
    S_SERVE = 1 << 1,
    S_MEMFD = 1 << 2,
    S_OPEN = 1 << 3,
    S_WRITE = 1 << 4,
    S_NET = 1 << 5,
    S_THREADS = 1 << 6,
    S_SANITIZER = 1 << 7,
};
enum { S_FILES = S_OPEN | S_WRITE };
enum sandbox_folder { FOLDER_NONE, FOLDER_WRITE };
enum sandbox_system { SYSTEM_NONE, SYSTEM_READ };
enum { P_SECRETS = 1, P_SHORT = 2, P_GROUP_READS = 4, P_LATE_USER = 8 };

struct profile {
    const char *name, *user, *folder;
    enum sandbox_folder access;
    enum sandbox_system system;
    unsigned sets, flags, nofile;
};

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

const struct profile *profile_by_name(const char *name); /* NULL: none */

void sandbox_lower(struct sandbox_report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

int sandbox_user(const struct profile *p, const char *user, struct sandbox_report *r,
                 struct err *e);
int sandbox_limits(const struct profile *p, struct sandbox_report *r, struct err *e);
int sandbox_landlock(const struct profile *p, const char *data, struct sandbox_report *r,
                     struct err *e);
int sandbox_seccomp(const struct profile *p, struct sandbox_report *r, struct err *e);

#endif
