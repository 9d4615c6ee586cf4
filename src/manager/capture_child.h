/*
 * capture_child.h: the half of `sealpost capture` that parses packets: a process of its own, that gives up user, rights and system calls
 * as soon as packets, file and pipes are open, and only then looks at the first byte.
 *
 * What it has to say are lines of JSON, one an event, on a pipe:
 *   {"type":"ready", "jail":"…"}       it is jailed and captures from now on
 *   {"type":"line"|"tls"|"offence", …} what was seen (src/capture/observe.h)
 *   {"type":"totals", "final":bool, …} twice a second, and at the end
 * It ends when its standing pipe is closed.
 */
#ifndef MANAGER_CAPTURE_CHILD_H
#define MANAGER_CAPTURE_CHILD_H

#include "base/err.h"
#include "capture/observe.h"
#include "capture/source.h"

#include <sys/types.h>

enum { CAPTURE_LINE_MAX = 256 << 10 };

struct capture_job {
    const struct observe_endpoint *endpoints;
    unsigned count;
    const struct secrets *secrets; /* NULL: none */
    const char *interface;         /* NULL: all */
    const char *filter;
    int write_fd;     /* the pcapng file; -1: none */
    const char *user; /* to become; NULL: none */
};
struct capture_child {
    pid_t pid;
    int events; /* to read from */
    int stop;   /* to close */
};

/* Takes the source over. */
int capture_child_start(const struct capture_job *job, struct source *take_source,
                        struct capture_child *ret, struct err *e);
/* Waits for its end: 0, or -EPROTO with how it ended. */
int capture_child_wait(struct capture_child *c, struct err *e);

#endif
