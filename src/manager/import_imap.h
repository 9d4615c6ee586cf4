/*
 * import_imap.h: a client of IMAP (RFC 3501 and 9051) over TLS, as far as taking mail over needs one:
 * commands one after the other, responses whole, with their literals. All suspend.
 */
#ifndef MANAGER_IMPORT_IMAP_H
#define MANAGER_IMPORT_IMAP_H

#include "base/date.h"
#include "manager/import.h"

enum { IMAP_RESPONSE_MAX = IMPORT_MESSAGE_MAX + (1 << 20) };

struct remote {
    struct span name, shown; /* on the wire; here, UTF-8 with '/' */
    uint32_t attributes;
    bool subscribed;
};

struct meta {
    uint32_t uid, size;
};

struct imap {
    struct import *i;
    struct import_imap *o;
    struct conn *conn;
    struct tls_client_context *tls;
    struct buf response; /* one, with its literals as they came */
    struct arena *arena;
    unsigned tag;
    bool special_use, list_extended, utf8_names;
    struct remote *folders;
    size_t folder_count, folder_cap;
    struct buf personal; /* prefix of the personal namespace: "INBOX." */
    uint32_t uidvalidity, exists;
    struct meta *meta;
    size_t meta_count, meta_cap;
    int failed;
};

/* Of an untagged response, behind its "* ". */
typedef int (*untagged_fn)(struct imap *m, struct span rest);

/* Connects, shakes hands and logs in. 0; negative: the import has come to its end, with the reason. */
int remote_open(struct imap *m);
/* Ends the import; returns the negative errno that everything returns from then on. */
int remote_fail(struct imap *m, const char *what);

/* Parts of a response; strings live in the arena or the response. */
bool remote_skip_blank(struct span *s);
bool remote_skip_char(struct span *s, char c);
struct span remote_atom(struct span *s);
bool remote_string(struct imap *m, struct span *s, struct span *ret);
bool remote_value(struct imap *m, struct span *s, struct span *ret);
/* 0: OK, 1: NO or BAD (remote_said), negative: ended. */
int remote_command(struct imap *m, struct span text, untagged_fn fn);
/* What the server said at last, for people. */
const char *remote_said(struct imap *m);
/* The same with a string behind `word`, as a literal where it cannot be quoted, and `tail` behind it. */
int remote_command_string(struct imap *m, const char *word, struct span s, const char *tail,
                          untagged_fn fn);

#endif
