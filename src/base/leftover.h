/* leftover.h: what a process that died in file_write (base/fd.h) has left in a folder. */
#ifndef BASE_LEFTOVER_H
#define BASE_LEFTOVER_H

/* Removes NAME.TOKEN.tmp for every NAME. Only for folders whose one writer is this process, before it writes. How many; or
 * negative errno. dir stays the caller's. */
int leftovers_remove(int dir);

#endif
