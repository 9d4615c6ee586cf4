/* enrold: others enrol with the own CA, by ACME and EST: who they are, which names are theirs. It
 * signs nothing: cad does, by rules of its own. */
#include "proc/enrold/enrold.h"

int main(void)
{
    struct child *c = child_open(ROLE_ENROLD, &enrold_ops);

    enrold_open(c);
    child_jail(c, "enrold");
    return child_run(c);
}
