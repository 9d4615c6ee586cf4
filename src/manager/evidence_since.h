/*
 * evidence_since.h: what is different between two reports of `sealpost evidence`, both read and verified before: looked up in what they say, not in the
 * log beside them.
 *
 * The answer is an object: `log`, the entries that are new; and for settings, certificates, history, probe, capture, accounts and trust a list
 * of rows {"where", "what", "old", "new"}: null stands for "there was none". `unknown` names what the earlier report, of an older version, did
 * not say.
 */
#ifndef MANAGER_EVIDENCE_SINCE_H
#define MANAGER_EVIDENCE_SINCE_H

#include "base/err.h"

#include <jansson.h>

/* The parts that have rows, in the order in which they are shown; ends with NULL. */
struct evidence_part {
    const char *name, *title;
};
extern const struct evidence_part evidence_parts[];

/* Are both of one installation, and does the log of the later one go on from the earlier one's? 0, or negative errno with the reason. */
int evidence_follows(const json_t *earlier, const json_t *now, const char *file, struct err *e);
/* The caller's. */
json_t *evidence_since(const json_t *earlier, const json_t *now);
/* How many rows a part, or (NULL) all of them, have. */
size_t evidence_changes(const json_t *since, const char *part);

#endif
