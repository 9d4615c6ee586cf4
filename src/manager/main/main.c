/* sealpost: the command line (System Manager). */
#include "manager/command.h"

int main(int argc, char **argv)
{
    return manager_main(argc, argv);
}
