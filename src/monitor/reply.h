/*
 * reply.h: the replies of text protocols, read line by line: is it complete, is it good, what does
 * it say. Pure; what a peer sends is bounded and never trusted.
 */
#ifndef MONITOR_REPLY_H
#define MONITOR_REPLY_H

#include "base/buf.h"
#include "conf/conf.h"

enum reply_kind {
    REPLY_PARTIAL, /* more lines belong to it */
    REPLY_OK,
    REPLY_CONTINUE, /* the server waits for more of the command: +, 334, 383, 354, 340 */
    REPLY_NO,
    REPLY_NONSENSE, /* not a reply of that protocol */
};

/* RFC 5321 section 4.2, RFC 3977 section 3.2: three digits, then ' ' or (SMTP only) '-'; or
 * nothing. */
bool reply_code(struct span line, unsigned *ret_code, bool *ret_more);
/* One line of the reply to the command with that tag (IMAP; greetings: "*"). *ret_code: of SMTP and
 * NNTP, else 0. */
enum reply_kind reply_line(enum conf_protocol p, struct span line, const char *tag,
                           unsigned *ret_code);
/* The text behind code, tag or status. */
struct span reply_text(enum conf_protocol p, struct span line);
/* Does a word of the line equal it, without case? Words are divided by blanks, brackets and commas.
 */
bool reply_has_word(struct span line, const char *word);
/* "{123}" or "{123+}" at the end of a line (RFC 9051 literal, "~{" too): its bytes. */
bool reply_literal(struct span line, uint64_t max, uint64_t *ret_bytes);
/* A line of a block that ends with ".": false at the end. *ret is the line without its stuffed dot.
 */
bool reply_block_line(struct span line, struct span *ret);
/* "HTTP/1.1 200 OK" */
bool reply_http_status(struct span line, unsigned *ret_code);
/* "Name: value" of a header line, without case; false when it is another. */
bool reply_http_field(struct span line, const char *name, struct span *ret_value);
/* Base64 of a SASL challenge in a REPLY_CONTINUE line ("+ …", "334 …", "383 …"). */
bool reply_challenge(enum conf_protocol p, struct span line, struct buf *out);

#endif
