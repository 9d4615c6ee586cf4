/* cad: the own CA: its register, and the certificates, revocations and lists that it signs through
 * keyd. */
#include "proc/cad/cad.h"

int main(void)
{
    struct child *c = child_open(ROLE_CAD, &cad_ops);

    cad_folder(c);
    child_jail(c, "cad");
    cad_open(c);
    return child_run(c);
}
