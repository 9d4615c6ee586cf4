/*
 * load: a closed-loop load generator for mail and news servers. One program, one driver per
 * protocol; a driver is a row of drivers[] with straight-line, blocking operations; each connection
 * is a thread. What an operation fails at ends the program with status 1: a benchmark of failures
 * is none.
 *
 * Dialogue with who measures: after all workers have begun and warmed up "ready" is printed; a line
 * on standard input starts the measured part; its result is printed as one line of JSON; a second
 * line on standard input lets the workers end their sessions.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum security { CLEAR, TLS, STARTTLS };

struct options {
    unsigned port;
    enum security security;
    unsigned conns;    /* workers, each a thread */
    unsigned sessions; /* per worker: sessions held open (idle) */
    unsigned ops;      /* all workers together */
    unsigned warm;     /* per worker, before "ready" */
    unsigned seconds;  /* then it ends, whatever is left of ops */
    unsigned bytes;    /* of a message */
    unsigned pause;    /* ms before each message whose arrival is watched */
    unsigned per;      /* messages a connection; 0: all */
    unsigned messages; /* in the mailbox or group */
    bool resume;       /* offer the last session ticket */
    bool lmtp;         /* LHLO instead of EHLO */
    const char *user;  /* "u#@example.test": # becomes the worker's number */
    const char *password;
    const char *mailbox; /* or newsgroup */
    const char *items;   /* of FETCH */
};
extern struct options opt;

/* A connection; reading functions end the program when the peer closes it. */
struct conn {
    int fd;
    SSL *ssl;
    size_t begin, end;
    char in[65536];
};

extern atomic_ullong conn_received; /* bytes of all connections, without TLS's own */

struct worker {
    unsigned number;
    struct conn *conn; /* NULL: none */
    struct conn **held;
    SSL_SESSION *ticket;
    unsigned sent;  /* messages on this connection */
    uint64_t units; /* what the operations moved: messages, lines */
    uint64_t resumed;
    uint64_t mark_us; /* set by an operation: its latency counts from here; 0: from its begin */
    char user[128];
    char *message; /* made by message_new */
    uint32_t *samples;
    unsigned sample_count, sample_room;
};

struct driver {
    const char *name;
    void (*begin)(struct worker *w);
    void (*op)(struct worker *w); /* NULL: only holds what begin opened */
    void (*end)(struct worker *w);
};
extern const struct driver imap_drivers[], smtp_drivers[], pop3_drivers[], nntp_drivers[];

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
uint64_t now_us(void);
/* Makes w->user from opt.user. */
void worker_name(struct worker *w, unsigned number);

/* Opens, and with opt.security TLS shakes hands; with STARTTLS that is conn_secure's, at the right
 * moment of the dialogue. */
struct conn *conn_open(struct worker *w);
void conn_secure(struct worker *w, struct conn *c);
void conn_close(struct conn *c);
void conn_write(struct conn *c, const char *data, size_t length);
__attribute__((format(printf, 2, 3))) void conn_print(struct conn *c, const char *format, ...);
/* The next line without its CRLF, ended by NUL; valid until the next call. */
char *conn_line(struct conn *c, size_t *ret_length);
void conn_skip(struct conn *c, size_t bytes);
/* The next line must begin with want. */
char *conn_want(struct conn *c, const char *want);

/* A message of opt.bytes, CRLF lines, no line begins with a dot; group: for the Newsgroups field,
 * or NULL for mail. */
char *message_new(const char *group);
/* Gives it the next identity: Message-ID and Subject differ from all before. */
void message_next(char *message);
#define MESSAGE_LENGTH(m) strlen(m)

#endif
