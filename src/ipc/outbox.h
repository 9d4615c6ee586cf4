/* outbox.h: the frames of a link that have not been sent yet, bounded in bytes. */
#ifndef IPC_OUTBOX_H
#define IPC_OUTBOX_H

#include "ipc/frame.h"

struct outframe;
struct outbox {
    struct outframe *head, *tail;
    unsigned count;
    size_t bytes;
};

/* 0, -ENOBUFS over LINK_QUEUE_MAX_BYTES, or the error of dup: descriptors are duplicated. */
int outbox_add(struct outbox *o, const struct frame_head *h, struct span body, const int *fds,
               unsigned fd_count);
/* Sends what the socket takes. 0: all; -EAGAIN: some are left; else the socket is dead. */
int outbox_flush(struct outbox *o, int fd);
/* One frame past an empty outbox. 0, -EAGAIN, or the socket is dead. */
int outbox_send_now(int fd, const struct frame_head *h, struct span body, const int *fds,
                    unsigned fd_count);
void outbox_done(struct outbox *o);

#endif
