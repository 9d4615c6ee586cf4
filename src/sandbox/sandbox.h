/*
 * sandbox.h: the walls around a process, by name from profiles.def: user, resource limits, no new privileges, no core dump where secrets
 * are held, Landlock rules where the kernel has it, seccomp filter always. They go up once and never come down.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/err.h"
#include <stdbool.h>

struct sandbox_request {
    const char *profile; /* "keyd", "authd", "stored", "sessiond-access", … */
    const char *user;    /* changed to when started as root; NULL: stay */
    const char
        *data; /* folder that profiles with a file rule may use below (their own sub-folder) */
};
struct sandbox_report {
    bool user_changed, seccomp, landlock, no_new_privs;
    char lower[200]; /* which walls are lower than they could be, in words; empty if none */
};
/* 0, or a negative errno with the reason. Seccomp kills the process on a forbidden call (EPERM for the few that libraries try). */
int sandbox_enter(const struct sandbox_request *r, struct sandbox_report *ret, struct err *e);
/* The first part of it alone, limits and user, so that the files which a process opens before its jail are its own user's. sandbox_enter
 * then leaves both as they are. Nothing happens for profiles that have to open something as root (P_LATE_USER). */
int sandbox_become(const struct sandbox_request *r, struct err *e);
bool sandbox_has_landlock(void);
/* What stands in a profile's row; NULL: no such profile, or (folder) none. */
const char *sandbox_profile_user(const char *profile);   /* suffix of the user's name */
const char *sandbox_profile_folder(const char *profile); /* its own sub-folder of the data folder */

#endif
