/* measure.h: what the parts of keyd.measure share: the server, which shows a key of its own or one of keyd. */
#ifndef KEYD_MEASURE_H
#define KEYD_MEASURE_H

#include "conf/conf.h"
#include "loop/loop.h"

#include <netinet/in.h>
#include <sys/types.h>

struct server {
    struct loop *loop;
    int listener;
    struct watch *watch;
    struct tls_context *context; /* what new connections get */
    struct link *keyd, *certd;
    unsigned want, seen; /* the loop stops when so many sessions are over */
    bool keep;
    struct conn **kept;
    unsigned swap_every, swaps, failed, at_once, most; /* swap */
    struct tls_context *other;
};

extern struct conf_vserver measure_vserver;

/* CPU so far, in microseconds: of this process (RUSAGE_SELF), of another (in ticks of 10 ms). */
double measure_cpu(int who);
double measure_cpu_of(pid_t pid);
/* A client's socket, connected, without Nagle's delay. */
int measure_connect(const struct sockaddr_in *to);
/* The context becomes one whose key keyd has made. */
void measure_use_keyd(struct server *s, const char *type);

/* rate.c: handshakes a second with the key at keyd and with the key in the process, in pairs one right behind the other, and resumed;
 * prints a table. */
void measure_rates(struct server *s, const struct sockaddr_in *a, pid_t keyd, unsigned pairs,
                   double seconds);

#endif
