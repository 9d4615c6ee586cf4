/*
 * talk.h: a dialogue of the probe with one endpoint, in its protocol's words: greeting, STARTTLS,
 * commands and replies, blocks and literals, login. Calls suspend; on failure the reason is in
 * talk->error and talk->failed is set: what follows fails at once, so that a check can say its
 * lines one after the other and ask once.
 */
#ifndef MONITOR_TALK_H
#define MONITOR_TALK_H

#include "monitor/hello.h"
#include "monitor/probe.h"
#include "monitor/reply.h"
#include "monitor/wire.h"

enum { TALK_BLOCK_MAX = 4 << 20, TALK_LINES_MAX = 256 << 10, TALK_REPLY_MAX = 1024 };

/* How far it had come when it failed. */
enum talk_stage { TALK_DIAL, TALK_GREETING, TALK_STARTTLS, TALK_HANDSHAKE, TALK_DIALOGUE };

struct talk {
    const struct probe_target *target;
    const struct probe_trust *trust;
    const struct probe_client *client; /* whose certificate is shown; NULL: none */
    enum conf_protocol protocol;
    struct wire *wire;
    bool staple;         /* asks for the OCSP answer */
    bool no_sni;         /* asks for no name */
    const char *ciphers; /* to offer up to TLS 1.2; NULL: the usual ones */
    enum talk_stage stage;
    bool failed;
    int reason; /* negative errno where the connection has failed; 0: what was said did not please
                 */
    struct err error;
    unsigned serial; /* of IMAP tags */
    char tag[16];
    char greeting[TALK_REPLY_MAX], last[TALK_REPLY_MAX]; /* lines as they came, cut */
    unsigned code;
    struct buf lines;   /* of the last reply but its last line; each with '\n' */
    struct buf literal; /* the last literal of the last reply (IMAP) */
};

void talk_init(struct talk *t, const struct probe_target *target, const struct probe_trust *trust);
void talk_done(struct talk *t);
/* For checks.c: sets the reason unless there is one already. */
void talk_fail(struct talk *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* TCP, and the greeting where there is one in clear. */
bool talk_open_clear(struct talk *t);
/* TLS from the first byte, or clear and STARTTLS, as the endpoint has it; then the greeting has
 * come and EHLO is said. */
bool talk_open(struct talk *t);
bool talk_starttls(struct talk *t);
/* TLS with versions from min to max (0: any). Of a TLS endpoint at once, else after STARTTLS was
 * answered. */
bool talk_handshake(struct talk *t, int min, int max, enum wire_tls_end *ret_end);
/* In place of a handshake: `o` (its name and ALPN are filled in), and what the server says to it.
 * True: it has answered; refused is also who closes (*ret_why says how). Where `silence` is set,
 * who says nothing within seconds refuses too. */
bool talk_hello(struct talk *t, struct hello_offer *o, bool silence, bool *ret_taken,
                struct hello_answer *ret, struct err *ret_why);
/* Says that it wants TLS; the handshake comes next. Nothing on a TLS endpoint. */
bool talk_ask_tls(struct talk *t);
bool talk_greeting(struct talk *t);

/* A command without its line end (IMAP: without its tag); waits for the reply. */
enum reply_kind talk_command(struct talk *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same; anything but that kind is a failure of the talk, told as `what`. */
bool talk_expect(struct talk *t, enum reply_kind want, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
enum reply_kind talk_reply(struct talk *t); /* the next reply; nothing is sent */
bool talk_put(struct talk *t, struct span bytes);
/* Lines to the single dot, each with CRLF, unstuffed. */
bool talk_block(struct talk *t, struct buf *out);
/* A message, dots stuffed, ended by the single dot. */
bool talk_put_message(struct talk *t, struct span message);
void talk_quit(struct talk *t);

/* SASL. LOGIN names: PLAIN and SCRAM-SHA-256. */
bool talk_login_plain(struct talk *t, const struct probe_login *l);
bool talk_login_scram(struct talk *t, const struct probe_login *l);
/* EXTERNAL as that user: by the certificate that was shown. */
bool talk_login_external(struct talk *t, const char *user);
/* "AUTH PLAIN", "AUTHENTICATE PLAIN", "AUTHINFO SASL PLAIN" */
const char *talk_auth_words(enum conf_protocol p);

#endif
