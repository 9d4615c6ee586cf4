/*
 * preview.h: the first words of a message (RFC 8970), and the names that messages, threads and
 * mailboxes keep (RFC 8474).
 */
#ifndef IMAP_PREVIEW_H
#define IMAP_PREVIEW_H

#include "store/store.h"

enum {
    PREVIEW_CHARS = 200,     /* of the answer, RFC 8970 section 3.2 */
    PREVIEW_READ = 16 << 10, /* bytes of the message that are looked at */
    OBJECTID_MAX = 64,       /* bytes of one that we make */
};

/* Plain text, or HTML with what is not text taken out, as one line. UTF-8, at most PREVIEW_CHARS
 * characters, appended to out. */
void preview_text(struct span text, bool html, struct buf *out);
/* " \"…\"" of the first text part, or NIL where there is none. False: it could not be read. */
bool preview_put(struct store *s, const struct message_info *m, const struct summary *summary,
                 struct buf *out);

/* The same for every copy of a message, and for no other: by its body and what stands before it.
 * Reads the prefix. False: it could not be read. */
bool objectid_email(struct store *s, const struct message_info *m, struct buf *out);
void objectid_thread(const struct message_info *m, struct buf *out); /* nothing: it has none */
void objectid_mailbox(uint64_t id, struct buf *out);

#endif
