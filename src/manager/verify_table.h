/* verify_table.h: the results of the probe as a table or as JSON. */
#ifndef MANAGER_VERIFY_TABLE_H
#define MANAGER_VERIFY_TABLE_H

#include "manager/command.h"
#include "monitor/probe.h"

struct verify_report {
    const struct probe_plan *plan;
    const struct probe_result *results;
    unsigned count;
    int64_t start; /* wall clock seconds */
    uint64_t took_ms;
    bool incomplete; /* the probe could not be prepared or cleared away; the warnings say why */
    struct span warnings; /* lines about that and the configuration */
};

/* Shows them; returns how many failed. Where all endpoints of a virtual server agree about a check
 * they share a row, unless --each is given. */
unsigned verify_show(struct call *c, const struct verify_report *r);

#endif
