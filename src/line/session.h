/*
 * session.h: one client session of a text protocol: the same engine for POP3, IMAP4, SMTP, NNTP and
 * HTTP.
 *
 * A protocol is a table of commands and a few hooks (struct protocol). The engine owns the
 * connection, reads one complete, bounded command, looks its verb up, enforces state, TLS, limits
 * and error counts, and calls the handler in a fiber. Handlers read from top to bottom and may
 * suspend. A session that waits for its next command has no fiber. One fiber at a time works for a
 * session.
 */
#ifndef LINE_SESSION_H
#define LINE_SESSION_H

#include "base/arena.h"
#include "base/list.h"
#include "conf/conf.h"
#include "sasl/auth.h"
#include "store/store.h"
#include "tls/conn.h"

struct session;
struct worker;

/* ------------------------------------------------------------------ commands */
struct command_line {
    struct span tag;  /* protocols with tags: before the verb */
    struct span verb; /* as typed; two words for rows with two */
    struct span args; /* after the verb and one SP; literals inline as {n}CRLF and n bytes; no
                         ending CRLF */
    struct span whole;
    const struct command *row;
    bool streaming;   /* args ends with a literal announcement whose bytes are still to be read: */
    bool stream_sync; /*   the client waits for a continuation */
    uint64_t stream_bytes; /*   with session_read_bytes */
};
typedef void (*command_fn)(struct session *s, struct command_line *c);

enum {
    COMMAND_CLEAR = 1,      /* allowed before TLS where a secure channel is required */
    COMMAND_LOGIN = 2,      /* carries credentials: never without TLS; counted and refused there */
    COMMAND_NO_ARGS = 4,    /* arguments are an error */
    COMMAND_ARGS = 8,       /* at least one argument */
    COMMAND_UNCOUNTED = 16, /* (NOOP and the like) also fine after too many errors */
};
struct command {
    const char *verb; /* upper case; "LIST ACTIVE" rows are tried before "LIST" */
    command_fn run;
    unsigned states; /* bits of the protocol in which it is allowed */
    unsigned flags;  /* COMMAND_… */
    const char *syntax, *rfc, *help;
};
/*
 * A commands.def has rows  CMD(VERB, handler, STATES, FLAGS, SYNTAX, RFC, HELP)  and is included
 * with #define CMD(verb, handler, states, flags, syntax, rfc, help) {verb, handler, states, flags,
 * syntax, rfc, help},
 */

enum session_event { /* what the engine asks the protocol to say, in its own words; `detail` may be
                        empty */
                     SESSION_UNKNOWN_COMMAND,
                     SESSION_BAD_STATE,       /* not now */
                     SESSION_NEED_TLS,        /* name the remedy: STARTTLS */
                     SESSION_LOGIN_CLEAR,     /* credentials in clear; refused and counted */
                     SESSION_BAD_ARGS,        /* detail: the row's syntax */
                     SESSION_TOO_LONG,        /* line or literal over its limit */
                     SESSION_TOO_MANY_ERRORS, /* then the session ends */
                     SESSION_TIMEOUT,         /* then the session ends */
                     SESSION_SHUTDOWN, /* server or virtual server stops, or an administrator ended
                                          it; detail: reason */
                     SESSION_BUSY, /* instead of the greeting: too many connections, or temporarily
                                      no service */
                     SESSION_WEAK, /* TLS below what the virtual server requires */
};

enum literal_answer { LITERAL_TAKE, LITERAL_STREAM, LITERAL_REFUSE };

struct protocol {
    const char *name; /* "imap4" */
    const struct command *commands;
    size_t command_count;
    bool tagged;   /* "tag SP verb" */
    bool literals; /* {n} and {n+} at the end of a line */
    /* With `tagged`: may replies begin with it? Else they are untagged. NULL: whatever it is. */
    bool (*tag_valid)(struct span tag);
    size_t data_bytes; /* of the protocol's private, zeroed state: session_data() */
    unsigned initial_state;
    const char *const *alpn; /* NULL-ended */
    /* After accept and implicit TLS: the greeting. May suspend. false: end. */
    bool (*open)(struct session *s);
    /* Connection is over: let go of watches and the like. Must not suspend or write. */
    void (*close)(struct session *s);
    /* After STARTTLS, before the next command: forget what the clear part said (may be NULL). */
    void (*tls_started)(struct session *s);
    /* Says the event (puts reply lines); c is NULL where no command was read. */
    void (*say)(struct session *s, enum session_event e, const struct command_line *c,
                struct span detail);
    /* With `literals`: a literal of `bytes` is announced by the command so far. May be NULL:
     * LITERAL_TAKE up to the limit. */
    enum literal_answer (*literal)(struct session *s, struct span so_far, uint64_t bytes,
                                   bool sync);
    /* Takes a line instead of the dispatcher while session_divert is on (IDLE's DONE). May suspend.
     */
    void (*line)(struct session *s, struct span line);
    /* After session_wake: something outside happened (new mail). In a fiber, never while a command
     * runs. May suspend. */
    void (*wake)(struct session *s);
    /* Before the next command is awaited: unsolicited data may be sent here (may be NULL). May
     * suspend. */
    bool (*plain_allowed)(struct span line); /* plain grammar, see tls/conn.h */
    /* Not a line protocol (HTTP): runs the whole connection in one fiber instead of the command
     * loop; NULL for the others. May suspend. */
    void (*run)(struct session *s);
};

/* ------------------------------------------------------------------ a session */
struct session {
    struct list in_worker;
    struct worker *worker;
    const struct protocol *protocol;
    const struct conf *conf; /* the configuration it began with (held) */
    const struct conf_vserver *vserver;
    const struct conf_endpoint *endpoint;
    struct conn *conn;
    uint64_t number; /* within this worker; never used again */
    int64_t started; /* seconds */
    unsigned state;  /* the protocol's bits */
    bool tls;
    bool closing; /* set by session_end: no further command is read */
    unsigned errors, auth_failures;
    uint64_t commands;
    struct auth_result user; /* account 0: not logged in */
    struct arena *arena;     /* lifetime of the session; small things */
    struct arena *scratch;   /* emptied after each command */
    const char *doing;       /* literal: what it does at the moment, for `session list` */
    /* engine's own */
    struct session_engine *engine;
};
void *session_data(struct session *s); /* data_bytes of the protocol */

/* --- output; errors end the session by themselves, so handlers need not look. suspend when the
 * client is slow */
void session_put(struct session *s, struct span bytes);
void session_puts(struct session *s, const char *text);
void session_printf(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int session_flush(
    struct session *s); /* only where the client must see it before the handler goes on */

/* --- more input inside a handler; all suspend; a negative result has ended the session (the
 * handler just returns) */
/* One line without its end, at most max bytes (longer: -EMSGSIZE, the line is skipped, the session
 * lives). Valid until the next read. */
int session_read_line(struct session *s, size_t max, struct span *ret);
typedef int (*session_sink)(
    void *arg,
    struct span bytes); /* may suspend; an error is remembered, reading goes on to the end */
/* Exactly n bytes. ret_sink: 0 or the sink's first error. */
int session_read_bytes(struct session *s, uint64_t n, session_sink sink, void *arg, int *ret_sink);
struct dotted {
    uint64_t bytes; /* passed to the sink */
    int sink;       /* its first error */
    bool bare_cr, bare_lf, nul;
    size_t longest_line; /* without CRLF */
};
/* A dot-stuffed text to its end, which is CR LF . CR LF only (RFC 5321 4.5.2, RFC 3977 3.1.1);
 * unstuffed, without the final dot line. */
int session_read_dotted(struct session *s, session_sink sink, void *arg, struct dotted *ret);
/* Writes text dot-stuffed, line ends as they are: what stands behind a bare LF is stuffed too,
 * since some clients take that for a line end. Pieces of one text share a writer, DOT_WRITER at
 * first. */
struct dot_writer {
    bool line_start, crlf; /* after any line end; after CR LF or nothing at all */
    bool cr;               /* the last byte was CR */
};
#define DOT_WRITER ((struct dot_writer){true, true, false})
void session_put_dotted(struct session *s, struct span text, struct dot_writer *w);
/* A CR LF if the text did not end with one, then the final line. */
void session_end_dotted(struct session *s, struct dot_writer *w);

/* --- course of the session */
void session_end(struct session *s);   /* after the replies so far are sent */
void session_error(struct session *s); /* counts one bad command; too many end the session */
/* From the loop or a handler: have protocol->wake called soon. */
void session_wake(struct session *s);
/* Lines go to protocol->line until switched off; the login timeout is off meanwhile, idle_ms (0:
 * the usual) counts. */
void session_divert(struct session *s, bool on, uint64_t idle_ms);
/* The client has logged in (user is filled): the idle timeout holds from here. */
void session_logged_in(struct session *s, const struct auth_result *user);
/* The client has shown that it needs no login (mail to us, news for everybody): the same. */
void session_settled(struct session *s);
/* Protocols with run(): between two requests, so that a farewell ends the session at once. False:
 * it is to end. */
bool session_rest(struct session *s, bool on);
/* For long work: other sessions get a turn if this one has been at work for some ms. suspends */
void session_give_turn(struct session *s);
/* STARTTLS: the positive reply has been put. Flushes it, shakes hands, resets. false: the session
 * is over. suspends */
bool session_start_tls(struct session *s);
bool session_can_start_tls(
    const struct session *s); /* endpoint has STARTTLS, not yet on, an identity is there */
/* The client's address is in conf.trusted. */
bool session_is_trusted(const struct session *s);
/* Must this session be on TLS before anything but COMMAND_CLEAR? */
bool session_needs_tls(const struct session *s);

/* --- login, the same for all (session_auth.c) */
struct sasl_words {
    const char *challenge; /* before base64: "+ ", "334 ", "383 " */
    size_t line_max;       /* of a response line */
    /* where a final challenge with success goes: true, it fits the protocol's success reply (NNTP
     * 283) and is left in `final`; false, it is sent as one more challenge and an empty response is
     * awaited (SMTP, IMAP without…, POP3) */
    bool final_in_success;
};
enum auth_outcome {
    LOGIN_OK,
    LOGIN_FAILED,
    LOGIN_TEMPORARY,
    LOGIN_BAD_BASE64,
    LOGIN_CANCELLED,
    LOGIN_UNKNOWN_MECHANISM,
    LOGIN_INVALID,
    LOGIN_GONE
};
/* The whole exchange: mechanism, optional initial response as base64 ("=" is the empty one; p NULL:
 * none). On LOGIN_OK session_logged_in has been done. LOGIN_GONE: the session ended meanwhile.
 * Counts failures and ends the session past limits.auth_failures. suspends */
enum auth_outcome session_sasl(struct session *s, struct span mechanism, struct span initial_base64,
                               const struct sasl_words *w, struct buf *final);
enum auth_outcome session_password(struct session *s, struct span user,
                                   struct span password); /* suspends */
/* By the client's certificate alone, as protocols without SASL do (HTTP). suspends */
enum auth_outcome session_external(struct session *s);
const char *session_mechanisms(const struct session *s); /* offered now; "" before TLS */

#endif
