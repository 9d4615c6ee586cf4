/* clang-format off */
/*
 * runner.h: plays golden dialogues against the real session engine, protocols, TLS and store, all
 * in one process; only authd is a fake (fake_auth.c).
 *
 * A script is a text file NAME.t in the folder of its protocol:
 *
 *     # a comment
 *   Settings, before the dialogue:
 *     ! set limits.errors = 3;     an option of the virtual server
 *     ! root hops = 5;             an option beside it
 *     ! policy starttls            tls (the default), starttls, opportunistic, public
 *     ! kind submission            SMTP: mx (the default) or submission
 *     ! certificate known          of the clients: known to the trust list, or unknown
 *   The dialogue:
 *     C: a1 NOOP                   the client sends this line and CR LF
 *     C+ text\r\n\x00              the client sends exactly these bytes (C escapes)
 *     C* 100000 a                  the client sends that many of these bytes (C escapes)
 *     S: a1 OK done                the next line of the server is exactly this …
 *     S: /^a1 OK/                  … or matches this extended regular expression
 *     S= 100 x                     each of the next 100 lines is so
 *     S+ x\n.\r\n                  exactly these bytes come next (C escapes)
 *     S* /^a1 OK/                  lines are skipped up to one that matches
 *     S!                           the server closes
 *     S-                           the server says nothing for 200 ms
 *     T                            the client starts TLS now
 *     X                            the client closes
 *   A number before the colon names another session: C2: and S2: (1 is the default); it connects
 *   when first used. What a regular expression caught in ( ) of the last match of that session is
 *   $1 … $9 in later lines.
 *   Behind the scenes:
 *     D 16 text\r\n                that message (C escapes) comes into the INBOX of account 16
 *     D local.test <1@x> text\r\n  … or as an article of that Message-ID into the newsgroup
 *     L 16 1000 x\r\n              … that text a thousand times
 *     N 300 local.test             so many articles <1@many> … come into it
 *     P local.test A: b\r\n|<1@x>|text\r\n   one with a prefix
 *     E 16 1                       somebody else removes message 1 (or E local.test 1)
 *     M 16 1                       message 1 in the INBOX of account 16 (or M local.test 1: of a
 *                                  newsgroup) becomes the lines of session 0, which end with "."
 *     Q                            the same for the next item of the outgoing queue, which is done then
 *     V errors 3                   that counter of the virtual server is so
 *     W 300                        waits that many ms
 *     K 2 some reason              an administrator ends session 2
 *     R tls_min = "1.3";           the configuration is loaded again, perhaps with one option more
 *     Z                            the server begins to stop
 *     - / +                        stored goes away / comes back
 */
/* clang-format on */
#ifndef SESSION_RUNNER_H
#define SESSION_RUNNER_H

/* The secret of the store engine that the runner has started: GRANT_SECRET_BYTES. */
const unsigned char *runner_grant_secret(void);

#endif
