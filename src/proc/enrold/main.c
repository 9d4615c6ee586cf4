/* enrold: others enrol with the own CA, by ACME and EST: who they are, which names are theirs. It
 * signs nothing: cad does, by rules of its own. */
#include "proc/enrold/enrold.h"

/* SQLite, the parsers of certificates and what was asked share a fiber's stack */
enum { STACK_BYTES = 512 * 1024, STACKS_KEPT = 16 };

int main(void)
{
    struct child *c = child_open(ROLE_ENROLD, &enrold_ops);

    fiber_config(STACK_BYTES, STACKS_KEPT);
    enrold_resolver(c);
    child_jail(c, "enrold");
    enrold_open(c);
    return child_run(c);
}
