/*
 * child_msg.h: payloads between the supervisor and its children, and the first messages of the
 * command line. Roles travel as their index. Readers return false for what is not such a payload.
 */
#ifndef PROC_CHILD_MSG_H
#define PROC_CHILD_MSG_H

#include "base/codec.h"
#include "ipc/role.h"
#include "sandbox/sandbox.h"

enum {
    CHILD_LINK_FD = 3,
    CHILD_TALLY_FD = 4 /* of workers: connections by address */,
    CHILD_ROOT_BYTES = 256,
    CHILD_START_SECRET_BYTES = 32
};

/* CHILD_START: u8 role, u16 instance, u16 instance count, u32 generation, 32 bytes grant secret,
 * data folder; the configuration as a descriptor */
struct child_start {
    enum role role;
    unsigned instance, instance_count;
    uint32_t generation;
    unsigned char grant_secret[CHILD_START_SECRET_BYTES];
    char root[CHILD_ROOT_BYTES];
};
void wr_child_start(struct buf *b, const struct child_start *s);
bool rd_child_start(struct span body, struct child_start *ret);

/* CHILD_LISTEN: u32 virtual server (its place in the configuration), u32 endpoint */
void wr_child_listen(struct buf *b, uint32_t vserver, uint32_t endpoint);
bool rd_child_listen(struct span body, uint32_t *ret_vserver, uint32_t *ret_endpoint);

/* CHILD_PEER and CONTROL_CONNECT: u8 role, u16 instance */
void wr_child_peer(struct buf *b, enum role role, unsigned instance);
bool rd_child_peer(struct span body, enum role *ret_role, unsigned *ret_instance);

/* CHILD_READY: u8 walls (1 user, 2 system calls, 4 Landlock, 8 no new privileges), text of those
 * that are lower */
void wr_child_ready(struct buf *b, const struct sandbox_report *r);
bool rd_child_ready(struct span body, struct sandbox_report *ret);

/* CHILD_STOP: u32 drain time in ms */
void wr_child_stop(struct buf *b, uint32_t drain_ms);
bool rd_child_stop(struct span body, uint32_t *ret_drain_ms);

/* CHILD_ALIVE: u64 each of fibers running or parked, fibers started, resident bytes, processor time
 * in ms */
struct child_alive {
    uint64_t fibers, fibers_started, resident_bytes, cpu_ms;
};
void wr_child_alive(struct buf *b, const struct child_alive *a);
bool rd_child_alive(struct span body, struct child_alive *ret);

#endif
