/*
 * grammar.h: what server and client may say to each other in clear: the plain grammar of a protocol under a policy, as a judge of
 * lines in the order in which they went over the wire. It knows what the answer to each command may be, so that a client's fault (it
 * asks for what needs TLS) and the server's (it goes along with it) are told apart.
 *
 * SMTP: RFC 5321, RFC 3207, RFC 3030. POP3: RFC 1939, RFC 2595, RFC 2449. IMAP4: RFC 9051. NNTP: RFC 3977, RFC 4642, RFC 4643. HTTP: RFC 9112.
 */
#ifndef CAPTURE_GRAMMAR_H
#define CAPTURE_GRAMMAR_H

#include "base/span.h"
#include "conf/conf.h"

enum offence {
#define OFFENCE(id, name, whose, meaning, remedy) OFFENCE_##id,
#include "capture/offences.def"
#undef OFFENCE
    OFFENCE_COUNT
};
enum offence_whose { WHOSE_SERVER, WHOSE_CLIENT };
struct offence_row {
    const char *name, *meaning, *remedy;
    enum offence_whose whose;
};
extern const struct offence_row offence_rows[OFFENCE_COUNT];

enum { GRAMMAR_OPEN_MAX = 64, GRAMMAR_LINE_MAX = 8192 };

enum grammar_kind {
    KIND_SAY,
    KIND_CAPABILITIES,
    KIND_BLOCK,
    KIND_STARTTLS,
    KIND_LOGIN,
    KIND_DATA,
    KIND_CHUNK,
    KIND_QUIT,
};

struct grammar_open { /* a command that is not answered yet */
    uint8_t kind;
    bool forbidden;
    uint64_t tag; /* IMAP: hash of its tag */
};

struct grammar {
    enum conf_protocol protocol;
    enum conf_policy policy;
    bool strict; /* nothing but the way into TLS */
    bool greeted;
    struct grammar_open open[GRAMMAR_OPEN_MAX];
    unsigned open_first, open_n;
    bool in_block; /* server: lines to the single dot */
    bool block_is_capabilities;
    bool in_data;       /* client: lines to the single dot */
    bool data_answered; /* and an answer comes behind the dot */
    uint64_t raw[2];    /* bytes that are no lines, [1]: of the server */
    bool raw_to_end[2]; /* to the end of the connection */
    uint64_t literal;   /* IMAP: to come after '+' */
    bool continues;     /* the client's next line is not a new command */
    bool login_goes_on; /* the client's next line answers the question of a login */
    bool asked_tls;     /* STARTTLS was said and is not answered */
    bool behind;        /* and something came behind it */
    /* HTTP */
    bool in_header[2], chunked[2], public_page, head;
    unsigned status;
    uint64_t body[2];
    bool has_body[2];
};

/* What a line is a part of, for who shows it (mask.h). */
enum grammar_part {
    PART_COMMAND, /* or an answer */
    PART_SECRET,  /* the client answers a question of its login; a message or a body */
    PART_FIELD,   /* of HTTP */
};

struct grammar_result {
    int offence;     /* -1: none */
    const char *why; /* of the offence, in words; may be NULL */
    bool starts_tls; /* behind this line both directions are TLS */
    bool is_data;    /* part of a message or a body: counted, not shown */
    enum grammar_part part;
};

void grammar_init(struct grammar *g, enum conf_protocol protocol, enum conf_policy policy,
                  bool require_secure);
/* A line without its end. */
void grammar_line(struct grammar *g, bool from_server, struct span line,
                  struct grammar_result *ret);
bool grammar_knows(enum conf_protocol protocol, struct span word); /* is it a command? */
/* How many of the next bytes of that direction are no lines (UINT64_MAX: all); take them with grammar_raw_taken. */
uint64_t grammar_raw(const struct grammar *g, bool from_server);
void grammar_raw_taken(struct grammar *g, bool from_server, uint64_t n);

#endif
