/*
 * evidence.h: what a process did to keys, certificates or settings, for the log of evidence, at the moment it has done it. Who asked follows from
 * the message that the running fiber handles (child.c); where there is none, the process did it by itself.
 */
#ifndef PROC_CHILD_EVIDENCE_H
#define PROC_CHILD_EVIDENCE_H

#include "base/check.h"
#include "proc/child/child.h"
#include "proc/child/evidence_msg.h"

/* kind: "issue", "swap", "rollback", "remove", "revoke", "export", "rollover", "install", "backup", "restore"; facts with an empty value are left
 * out. */
void child_evidence(struct child *c, const char *kind, const struct evidence_fact *facts,
                    unsigned count);
#define EVIDENCE(child, kind, ...)                                                                 \
    child_evidence(child, kind, (const struct evidence_fact[]){__VA_ARGS__},                       \
                   (unsigned)ARRAY_LEN(((const struct evidence_fact[]){__VA_ARGS__})))

#endif
