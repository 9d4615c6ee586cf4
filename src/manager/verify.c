/*
 * verify.c: proves that every endpoint of the running server does what it should: the probe client
 * of monitor/ as an ordinary client would come, over TCP, with the accounts of a settings file.
 */
#include "base/clock.h"
#include "manager/verify_plan.h"
#include "manager/verify_table.h"

#include <errno.h>
#include <stdlib.h>

int cmd_verify(struct call *c, struct err *e)
{
    struct verify_plan *v;
    struct probe_result *results = NULL;
    unsigned count = 0, failed;
    uint64_t start = clock_mono_ms();
    int r = verify_plan_make(c, c->args, c->arg_count, &v, e);

    if (r != 0)
        return r;
    probe_all(&v->plan, &results, &count);
    failed = verify_show(c, results, count, clock_mono_ms() - start);
    e->text[0] = '\0'; /* the table has said it all */
    free(results);
    verify_plan_free(v);
    return failed > 0 ? -EPROTO : 0;
}
