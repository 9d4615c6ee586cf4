/*
 * import.h: taking mail into an account. A source (one file each: maildir, mbox, imap, backup)
 * reads folders and messages from somewhere and hands them over one after the other; here they are
 * put into batches, several of them under way at a time, and it is made sure that a second run
 * takes nothing twice:
 *
 * - the state file remembers what earlier runs have taken, by the source's own names of messages;
 * - a message of which the mailbox holds an equal one (all bytes) that was not matched by another
 *   message of the source yet is there already. This also finds what a run had appended but not yet
 *   remembered when it was killed.
 *
 * What cannot be taken is listed with the reason; what was changed on the way is noted. Everything
 * here suspends.
 */
#ifndef MANAGER_IMPORT_H
#define MANAGER_IMPORT_H

#include "manager/account_annex.h"
#include "manager/import_store.h"

struct import;

struct import_folder {
    struct span name;    /* UTF-8, '/' between levels; INBOX is the inbox */
    uint32_t attributes; /* special uses, MAILBOX_… */
    bool subscribed;
    const json_t *annex; /* account_annex.h: rights and annotations too; NULL: not known */
};

struct import_message {
    const char *where;  /* for people: "cur/1234", "UID 17" */
    uint64_t key;       /* its name within the folder, the same in each run */
    struct span prefix; /* trace fields that are kept apart; mostly empty */
    struct span bytes;  /* with CRLF */
    uint64_t flags;     /* STORE_… */
    const struct span *keywords;
    size_t keyword_count;
    int64_t received_seconds;
    int zone_minutes;
};

/* For the source. Negative: the source must end (the reason is known here); -ENOENT of
 * import_enter: this folder cannot be taken, go on with the next. */
int import_enter(struct import *i, const struct import_folder *f);
/* Should this message be read? False: it was taken before. suspends now and then */
bool import_wants(struct import *i, uint64_t key);
int import_take(struct import *i, const struct import_message *m);
/* A message that cannot be taken (of the folder that was entered last; NULL: none) … */
int import_refuse(struct import *i, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* … and what people should know besides. */
void import_note(struct import *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The source has come to grief: no more will come. Returns a negative errno. */
int import_fail(struct import *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool import_must_stop(struct import *i);
struct import_store *import_store_of(struct import *i);
/* A hash that is the same on every machine and in every run. */
uint64_t import_hash(struct span s);
uint64_t import_hash_pair(uint64_t a, uint64_t b);

struct import_source {
    /* Reads all and hands it over. In a fiber. 0 or negative. */
    int (*read)(struct import *i, void *arg);
    void *arg;
    const char *kind;    /* "maildir" */
    const char *from;    /* which one, for the name of the state file */
    bool keeps_names;    /* folders are called here as there; --mailbox means something else */
    bool dates_are_ours; /* an equal message of another date is another message */
    bool stateless;      /* what is there decides alone */
};
/* The whole course of it, with the report. As a command's handler. */
int import_run(struct call *c, const char *account, const struct import_source *s, struct err *e);

/* ---- import_state.c: what earlier runs have taken: a file of rows, only ever appended to. */
struct import_state;
struct import_row { /* of the message's bytes */
    uint64_t hash, size;
};
/* The file of option --state, or one below ~/.local/state/sealpost by the names. */
int import_state_open(struct call *c, uint64_t identity, struct import_state **ret, struct err *e);
bool import_state_find(const struct import_state *s, uint64_t key,
                       struct import_row *ret); /* NULL: false */
void import_state_add(struct import_state *s, uint64_t key,
                      const struct import_row *row); /* NULL is fine */
int import_state_sync(struct import_state *s);
void import_state_free(struct import_state *s);
const char *import_state_path(const struct import_state *s);

/* ---- import_name.c: names of folders. */
/* A folder's name on disk (one level) as UTF-8: modified UTF-7 where it is that, else UTF-8, else
 * Latin-1. Appended. */
void import_name_level(struct span raw, struct buf *out);
/* Makes a name that the store takes of any; true: it was changed. */
bool import_name_fit(struct span name, struct buf *out);
/* The other direction: one level as the name of a file. dots: '.' is a separator (Maildir++).
 * Never "cur", "new", "tmp", never begins with a dot. */
void import_name_file(struct span level, bool dots, struct buf *out);

/* ---- import_maildir.c, import_mbox.c, import_imap.c */
int import_read_maildir(struct import *i, void *arg); /* path */
int import_read_mbox(struct import *i, void *arg);    /* struct import_mbox */
struct import_mbox {
    const char *path;
    bool quoted_once; /* mboxo: only ">From " was quoted */
};
struct import_imap {
    const char *host, *user;
    struct buf password;
    unsigned port;
    bool starttls;
    struct buf roots; /* PEM */
};
int import_read_imap(struct import *i, void *arg);
/* Bytes of a file with LF or CRLF as a message with CRLF. */
void import_crlf(struct span s, struct buf *out);

/* ---- import_annex.c: what is no mail. Negative: the import has come to an end. suspend */
/* fresh: just made, or as if; only then rights are given, unless --with-rights says so too. */
int import_annex_mailbox(struct import *i, uint64_t mailbox, bool fresh, const json_t *annex);
/* What belongs to no mailbox of the account; annex NULL is fine. */
int import_annex_account(struct import *i, const json_t *annex);

/* ---- import_flags.c: the flags of mbox headers and Maildir names. */
enum { IMPORT_KEYWORDS_MAX = 64 };
struct import_flags {
    uint64_t flags;
    struct span keywords[IMPORT_KEYWORDS_MAX];
    size_t keyword_count;
};
bool import_keyword_valid(struct span s);
void import_flags_keyword(struct import_flags *f, struct span name); /* borrowed */

/* The date of an mbox From line, behind the sender. */
bool import_mbox_date(struct span s, int64_t *ret_seconds, int *ret_zone);
/* Is this line ("From …") one that begins a message? */
bool import_mbox_is_from(struct span line, int64_t *ret_seconds, int *ret_zone);

#endif
