/*
 * supervisor.h: the process that starts the others. It holds the listening sockets and the ends of
 * nothing else, reads nothing from the network, and has the configuration parsed by a jailed child
 * of its own.
 */
#ifndef PROC_SUPERVISOR_H
#define PROC_SUPERVISOR_H

#include "conf/conf.h"
#include "ipc/link.h"
#include "proc/child/child_msg.h"

#include <sys/types.h>

enum {
    INSTANCES_MAX = 64,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 30000,
    BACKOFF_RESET_MS = 60000, /* alive so long: the next restart is at once again */
    DRAIN_MS = 5000,
    STATUS_MAX_BYTES = 65536,
    PROBLEMS_MAX_BYTES = 60000,
};

struct process_row {
    enum role role;
    const char *program, *argument, *profile;
    unsigned (*instances)(const struct conf *c);
};

enum process_state {
    PROCESS_DOWN,     /* not started yet, or stopped in order */
    PROCESS_MISSING,  /* there is no such program */
    PROCESS_STARTING, /* has not said that it is ready */
    PROCESS_READY,
    PROCESS_WAITING, /* ended; is started again when its time has come */
    PROCESS_STOPPING,
};

struct process {
    struct supervisor *s;
    const struct process_row *row;
    unsigned instance, count;
    enum process_state state;
    pid_t pid; /* 0: not running */
    struct link *link;
    uint32_t generation; /* of the present or last start; 0: never started */
    uint64_t started_ms, alive_ms, backoff_ms;
    struct timer *restart;
    struct sandbox_report walls;
    struct child_alive alive;
    struct buf metrics;
    char last_end[80];             /* how it ended the last time; empty: never */
    uid_t managers[INSTANCES_MAX]; /* whose command line stands at its link of that number */
};

struct listener {
    char vserver[64], address[64];
    uint16_t port;
    enum role role;           /* of the workers that accept */
    unsigned place, endpoint; /* in the configuration */
    unsigned count;
    int fds[INSTANCES_MAX]; /* one a worker; -1: not listening */
    char error[160];        /* why not */
    bool fresh;             /* not passed to the workers yet */
    bool greeted;           /* TLS from the first byte, which is the client's */
};

struct listeners {
    struct listener *v;
    unsigned n;
};

struct supervisor {
    struct loop *loop;
    struct conf *conf;
    int conf_fd;                 /* the same as bytes, sealed */
    char conf_file[1024];        /* absolute */
    char root[CHILD_ROOT_BYTES]; /* the data folder, absolute */
    char programs[1024];         /* folder of the executables */
    int root_fd;
    struct process *processes;
    unsigned process_count;
    struct listeners listeners;
    int tallies[2]; /* connections by address, of the workers of a profile together; -1: none */
    struct fiber_cond changed; /* a process has changed its state */
    struct fiber_lock reloading;
    struct timer *look;
    unsigned char grant_secret[CHILD_START_SECRET_BYTES];
    uint64_t started_ms;
    int ready_fd, stdout_fd; /* -1: nobody is told */
    int control_fd;
    struct watch *control;
    struct link *managers[32];
    uid_t manager_uids[32];
    unsigned manager_serial;
    uint64_t stopping_ms;
    bool ready, stopping, hurry;
    int exit_status;
};

/* parse.c: the configuration, parsed in a child. Problems are lines as conf_parse gives them; NULL:
 * there is an error. In a fiber it suspends, elsewhere it blocks. */
struct conf *parse_in_child(const char *file, struct buf *problems);
int parse_child_main(
    const char *file); /* what that child runs: text from descriptor 3, the result to 4 */
int conf_memfd(const struct conf *c); /* negative errno */

/* layout.c */
int layout_root(struct supervisor *s,
                struct err *e); /* data folder: name, descriptor, lock, pid file */
int layout_folders(struct supervisor *s, struct err *e); /* one a process, its own user's */
int layout_pid(struct supervisor *s, struct err *e); /* writes the pid file; after the last fork */
int layout_log(struct supervisor *s, struct err *e); /* standard error goes to the log file */
void layout_done(struct supervisor *s);

/* powers.c */
void powers_limits(void);       /* descriptors: as many as may be */
int powers_drop(struct err *e); /* what root may do and we need not; after folders and sockets */

/* listen.c */
/* Binds what is new, keeps what stays, and gives back what is gone in *ret_gone. Returns how many
 * endpoints do not listen; each has a line in problems. */
unsigned listeners_apply(struct listeners *l, const struct conf *c, const struct supervisor *s,
                         struct listeners *ret_gone, struct buf *problems);
/* Tries those again that could not be bound; returns how many listen now. */
unsigned listeners_retry(struct listeners *l);
void listeners_done(struct listeners *l);
const struct listener *listener_of(const struct listeners *l, unsigned place, unsigned endpoint);

/* process.c */
void processes_new(struct supervisor *s);
void processes_done(struct supervisor *s);
void process_start(struct process *p);
void process_stop(struct process *p, uint32_t drain_ms);
void process_kill(struct process *p, const char *why);
void process_send_listeners(struct process *p, bool only_fresh);
void process_send_conf(struct process *p);
void processes_reap(struct supervisor *s);
void processes_look(struct supervisor *s); /* once a second: is everybody alive? */
struct process *process_find(struct supervisor *s, enum role role, unsigned instance);
unsigned process_count_of(const struct supervisor *s, enum role role);
const char *process_state_name(enum process_state state);
bool roles_linked(enum role a, enum role b);

/* command.c: the administrator's program for dns-01; arg is the process that asks */
void on_cert_command(void *arg, struct msg *m);

/* course.c: from start to stop */
void course_run(struct supervisor *s);
void course_stop(struct supervisor *s);
void course_settle(struct supervisor *s); /* after the end: what closed links still have to do */
/* suspends. 0, or a negative errno when the old configuration stays; what is wrong is in problems.
 */
int course_reload(struct supervisor *s, const char *asked, struct buf *problems);

/* evidence.c: the chained log */
enum { EVIDENCE_WHO_BYTES = 80 };
void on_evidence(void *arg, struct msg *m);     /* arg is the process that tells */
void on_evidence_add(void *arg, struct msg *m); /* arg is the supervisor */
void evidence_user(uid_t uid, char ret[EVIDENCE_WHO_BYTES]);
void evidence_settings(struct supervisor *s, const char *asked); /* if they have changed */

/* control.c, status.c, metrics.c */
int control_open(struct supervisor *s, struct err *e);
void control_close(struct supervisor *s);
void status_json(struct supervisor *s, struct buf *out);
void metrics_text(struct supervisor *s, struct buf *out);
void on_control_metrics(void *arg, struct msg *m);

/* A pair of connected sockets for a link, with room for the largest message. */
int socket_pair(int ret[2]);

#endif
