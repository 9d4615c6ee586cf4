/* frame.h: one frame as bytes, and the checks that every frame passes before anything else looks at
 * it. */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include "ipc/link.h"

#include <sys/socket.h>

enum {
    FRAME_HEAD_BYTES = 12,
    FRAME_MAX_BYTES = FRAME_HEAD_BYTES + LINK_PAYLOAD_MAX,
    /* room for one descriptor too many, so that it can be counted */
    FRAME_CONTROL_BYTES = CMSG_SPACE(sizeof(int) * (LINK_FDS_MAX + 1)),
};

struct frame_head {
    unsigned id;
    bool reply;
    uint32_t call;
    int status;
    struct span body;
    const struct msg_row *row;
};

void frame_header(const struct frame_head *h, unsigned char out[FRAME_HEAD_BYTES]);
/* What arrived at `self` from `peer`. NULL, or in words what is wrong with it; *ret is then
 * untouched. */
const char *frame_check(struct span bytes, unsigned fd_count, enum role self, enum role peer,
                        struct frame_head *ret);

/* Takes all descriptors out of a received header into fds (room for LINK_FDS_MAX + 1, the rest -1);
 * returns their number. */
unsigned frame_fds(struct msghdr *m, int fds[LINK_FDS_MAX + 1]);
/* Puts descriptors into a header about to be sent; control has FRAME_CONTROL_BYTES, aligned as a
 * cmsghdr. */
void frame_put_fds(struct msghdr *m, void *control, const int *fds, unsigned n);
void frame_close_fds(int *fds, unsigned n);

#endif
