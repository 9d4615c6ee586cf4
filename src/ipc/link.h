/*
 * link.h: a connection to another process of sealpost: a SOCK_SEQPACKET socketpair made by the supervisor.
 *
 * Frame: u16 id, u8 flags (1 = reply), u8 zero, u32 call number, i32 status (replies: 0 or a negative errno), payload. The far
 * end may have been taken over: every frame is checked against messages.def before anything looks at it. A bad frame closes
 * the link and is logged; it never ends the process.
 */
#ifndef IPC_LINK_H
#define IPC_LINK_H

#include "base/codec.h"
#include "ipc/role.h"
#include "loop/fiber.h"

enum msg_id {
#define SECTION(n) MSG_SECTION_##n = (n),
#define CALL(name, from, to, max_request, max_reply, fds_request, fds_reply) MSG_##name,
#define NOTE(name, from, to, max_bytes, fds) MSG_##name,
#include "ipc/messages.def"
#undef SECTION
#undef CALL
#undef NOTE
};

struct msg_row {
    const char *name;
    enum msg_id id;
    unsigned from, to; /* enum role bits */
    uint32_t max_request, max_reply;
    uint8_t fds_request, fds_reply;
    bool is_call;
};
const struct msg_row *msg_row(unsigned id); /* NULL: no such message */

enum { LINK_FDS_MAX = 8, LINK_PAYLOAD_MAX = 128 * 1024, LINK_QUEUE_MAX_BYTES = 32 << 20 };

struct link;

struct msg {
    struct link
        *link; /* whence; valid during the handler only: keep link_id and ask link_by_id later */
    enum msg_id id;
    uint32_t call; /* for link_reply */
    struct span
        body; /* valid during the handler, or until it first suspends: copy what is needed later */
    int *fds; /* descriptors; taken ones are set to -1, the others are closed after the handler */
    unsigned fd_count;
};

/* One handler per message that a process receives; rows end with id 0 and fn NULL. The handler of a CALL answers with link_reply,
 * now or later, exactly once; `fiber` handlers run in a fiber of their own, with the body copied, and may suspend. */
struct msg_handler {
    enum msg_id id;
    void (*fn)(void *arg, struct msg *m);
    bool fiber;
};

struct link_ops {
    const struct msg_handler *handlers;
    void (*on_closed)(void *arg,
                      struct link *l); /* the link is freed after this returns; may be NULL */
    void *arg;
};

/* Takes fd. self is this process's role, peer what the supervisor says stands at the other end. */
struct link *link_new(struct loop *l, int take_fd, enum role self, enum role peer,
                      unsigned instance, const struct link_ops *ops);
void link_free(struct link *l); /* NULL is fine; waiting calls end with -EPIPE */
enum role link_peer(const struct link *l);
unsigned link_instance(const struct link *l);
uint64_t link_id(const struct link *l); /* never used again */
struct link *link_by_id(uint64_t id);   /* NULL once it is closed */
bool link_is_open(const struct link *l);

/* Queues a note. 0; -EPIPE closed; -ENOBUFS the far end does not read (the link is then closed); -EMSGSIZE over the row. fds are dup'ed
 * by the kernel: the caller keeps its own. */
int link_send(struct link *l, enum msg_id id, struct span body, const int *fds, unsigned fd_count);
/* What is queued goes out now and not at the end of the turn: for who is about to wait for its effect without the loop. */
void link_push(struct link *l);
/* Is the far end gone? Looks at the socket, ahead of what is still unread. */
bool link_hung_up(const struct link *l);

/* A call and its answer. suspends. Returns the status of the answer, -EPIPE, -ETIMEDOUT … The answer's bytes are appended to `reply`
 * (may be NULL), descriptors go to ret_fds (room for the row's count; missing ones are -1). l may be NULL: -EPIPE. */
int link_call(struct link *l, enum msg_id id, struct span body, const int *fds, unsigned fd_count,
              uint64_t timeout_ms, struct buf *reply, int *ret_fds);

/* The same without a fiber: done(arg, status, body, fds) is called once. */
typedef void (*link_done_fn)(void *arg, int status, struct span body, int *fds, unsigned fd_count);
int link_call_async(struct link *l, enum msg_id id, struct span body, const int *fds,
                    unsigned fd_count, link_done_fn done, void *arg);

/* Answers a call; `link` by its id, so that an answer to a link that is gone is dropped. */
int link_reply(uint64_t link, enum msg_id id, uint32_t call, int status, struct span body,
               const int *fds, unsigned fd_count);
static inline int msg_reply(const struct msg *m, int status, struct span body)
{
    return link_reply(link_id(m->link), m->id, m->call, status, body, NULL, 0);
}

/* Blocking use before a loop exists and in the command line: one frame out, one in. */
int link_raw_send(int fd, enum msg_id id, bool reply, uint32_t call, int status, struct span body,
                  const int *fds, unsigned fd_count);
struct frame {
    enum msg_id id;
    bool reply;
    uint32_t call;
    int status;
    int fds[LINK_FDS_MAX];
    unsigned fd_count;
    struct span body; /* in `store` */
};
int link_raw_recv(int fd, enum role self, enum role peer, int timeout_ms, struct buf *store,
                  struct frame *ret);

#endif
