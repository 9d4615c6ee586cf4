/*
 * runner.h: plays golden dialogues against the real session engine, protocols, TLS and store, all
 * in one process.
 *
 * A script is a text file NAME.t:
 *     # a comment
 *     ! set limits.errors = 3;         an option of the virtual server (any row of scope VSERVER),
 * before the first line of dialogue ! policy starttls                tls (the default), starttls,
 * opportunistic, public ! kind submission                SMTP: mx (the default) or submission C: a1
 * NOOP                       the client sends this line and CR LF C+ text\r\n\x00 the client sends
 * exactly these bytes (C escapes) C* 100000 a                      the client sends that many of
 * these bytes (C escapes) S: a1 OK done                    the next line of the server is exactly
 * this … S: /^a1 OK/                      … or matches this extended regular expression (for "/" at
 * the start write the expression) S* /^a1 OK/                      lines are skipped up to one that
 * matches S!                               the server closes S-                               the
 * server says nothing for 200 ms T                                the client starts TLS now X the
 * client closes A number before the colon names another session: C2: and S2: (1 is the default); it
 * connects when first used. What a regular expression caught in ( ) of the last match of that
 * session is $1 … $9 in later lines.
 */
#ifndef SESSION_RUNNER_H
#define SESSION_RUNNER_H

/* The secret of the store engine that the runner has started: GRANT_SECRET_BYTES. */
const unsigned char *runner_grant_secret(void);

#endif
