/*
 * store_process.h: the store's service in a process of its own, for tests that kill it and
 * benchmarks that weigh it. The program starts itself again: its main begins with
 * store_process_main.
 */
#ifndef STORE_STORE_PROCESS_H
#define STORE_STORE_PROCESS_H

#include "ipc/link.h"
#include "store/store.h"
#include <sys/types.h>

struct store_process_options {
    uint64_t map_bytes, log_file_bytes;
    uint64_t checkpoint_ms, start_hold_ms; /* 0: as always */
    unsigned compact_percent;              /* 0: none; else at full speed, as soon as possible */
};
/* In the child: serves until its link ends, and does not return. In the parent: returns at once. */
void store_process_main(int argc, char **argv);
/* Starts one on a data folder; *ret_fd is the worker's end of its link (peer ROLE_STORED, self
 * ROLE_ACCESS). */
pid_t store_process_start(const char *root, const struct store_process_options *o, int *ret_fd);
/* A worker's view of it. */
struct store_process_client {
    struct loop *loop;
    struct store *store;
    struct link *link; /* NULL once the process is gone */
};
/* Attaches the store to that end of a link; the descriptor is taken. */
void store_process_attach(struct store_process_client *c, int take_fd);
void store_process_detach(struct store_process_client *c);
/* Makes the store with accounts 16 … 16+count-1, in this process, and closes it. */
int store_process_prepare(const char *root, const struct store_process_options *o,
                          unsigned accounts);

#endif
