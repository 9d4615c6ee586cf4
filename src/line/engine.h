/* engine.h: what the files of line/ share about a session; protocols do not include it. */
#ifndef LINE_ENGINE_H
#define LINE_ENGINE_H

#include "line/worker.h"

struct session_engine {
    struct worker_vserver *vserver;
    struct held_conf *held;
    struct in6_addr peer;
    bool trusted; /* peer is in a trusted network */
    bool working; /* a fiber is at work or about to start */
    bool opened;
    bool busy; /* refused: say so instead of greeting */
    bool timed_out;
    bool readable; /* conn_idle has seen input */
    bool resting;  /* protocols with run(): between two requests */
    bool wake_pending;
    bool confirm_pending; /* session_confirm_login without waiting for a command */
    bool diverted;
    bool broken;            /* the connection failed: no more output */
    bool certificate;       /* the client has shown one that holds */
    bool settled;           /* logged in, or shown to need no login: the login timeout is off */
    unsigned good_commands; /* since an error was last forgiven */
    uint64_t turn_began_ms; /* when this fiber last gave the others a turn */
    uint64_t divert_ms;
    uint64_t auth_changes, grant_until_ms; /* of the login, or when it was last confirmed */
    uint64_t idle_since_ms, login_deadline_ms;
    char *kill_reason;    /* an administrator or a stop ended it */
    struct buf command;   /* the command being read, then the one being run */
    struct buf line;      /* session_read_line */
    uint64_t stream_left; /* bytes of a streamed literal not read yet */
    bool stream_sync;
    bool stream_untouched; /* the handler has not begun to read it */
};

/* A copy of a configuration, held by the worker and by sessions. */
struct held_conf {
    struct list in_worker;
    struct conf *conf;
    unsigned refs;
};
/* worker.c: a session is over: its counts and its configuration are given back. */
void session_left(struct worker *w, struct worker_vserver *v, const struct in6_addr *peer,
                  struct held_conf *h);

/* session_auth.c: after a handshake in which a certificate was asked for; false: the session ends. suspends */
bool session_look_at_client(struct session *s);

/* session_auth.c: is the login still good? Asks authd when something has changed in the directory
 * and before the grant ends; if not, session->engine->kill_reason is set. suspends */
void session_confirm_login(struct session *s);

/* session.c */
void session_confirm_soon(struct session *s); /* from the loop */
struct session *session_new(struct worker *w, struct worker_vserver *v, struct held_conf *h,
                            const struct conf_endpoint *e, struct conn *take_conn,
                            const struct in6_addr *peer, bool trusted, bool busy);
void session_start(struct session *s); /* from the loop */
void session_kill(struct session *s, const char *reason);
void session_farewell(
    struct session *s,
    const char *reason); /* as session_kill, but a command that runs may end first */

/* command.c */
enum command_result {
    COMMAND_READY,   /* c is filled */
    COMMAND_MORE,    /* nothing, or not all of it, is there yet */
    COMMAND_REFUSED, /* it was over a limit; the client has been told */
    COMMAND_OVER,    /* the session is over */
};
/* Takes one command from what has arrived. May suspend only to read the rest of a command that has
 * begun with a literal. */
enum command_result command_read(struct session *s, struct command_line *c);
void command_skip_stream(struct session *s); /* what a handler left of a streamed literal */
void command_dispatch(struct session *s, struct command_line *c);

/* Waits for more input under `timeout_ms`; false: the session is over (and what had to be said is
 * said). suspends */
bool session_fill(struct session *s, uint64_t timeout_ms);
/* How long something the client owes may take: the idle timeout, before a login no longer than what
 * is left for that. */
uint64_t session_patience_ms(const struct session *s);
/* The same for data of unknown length: silence ends it as above, and so does a trickle. */
struct pace {
    uint64_t began_ms, bytes;
};
bool session_fill_paced(struct session *s, struct pace *p); /* suspends */

#endif
