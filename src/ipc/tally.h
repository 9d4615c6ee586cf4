/*
 * tally.h: how many of something there are per key, counted by several processes together in shared memory: each writes a row of its own and
 * reads the others'. No locks; a process that dies takes its counts with it when its successor joins. Nobody trusts what the others write: it
 * can make a count wrong and nothing else.
 *
 * Counts lie in buckets, two per key by a secret hash; the lower one is taken, so what others have is exact or a little too high.
 */
#ifndef IPC_TALLY_H
#define IPC_TALLY_H

#include <netinet/in.h>

enum { TALLY_MEMBERS_MAX = 64 };

struct tally;

/* The memory, for that many processes, sealed against resizing: a descriptor, or negative errno. */
int tally_make(unsigned members);
/* As one of them; the descriptor is taken. NULL: it is no such memory. */
struct tally *tally_join(int take_fd, unsigned member, unsigned members);
void tally_free(struct tally *t); /* NULL is fine */
void tally_add(struct tally *t, const struct in6_addr *key);
void tally_remove(struct tally *t, const struct in6_addr *key); /* one that was added */
/* What the other processes count for it. */
unsigned tally_others(const struct tally *t, const struct in6_addr *key);

#endif
