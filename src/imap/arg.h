/*
 * arg.h: the arguments of IMAP commands. Cursor parsers over one complete command: literals stand
 * inline as "{n}" CRLF and n bytes. Each moves the cursor only on success. What needs other bytes
 * than the command's (quoted pairs) lies in the arena; past its limit a parser fails as for bad
 * syntax.
 */
#ifndef IMAP_ARG_H
#define IMAP_ARG_H

#include "base/arena.h"
#include "base/date.h"
#include "base/parse.h"
#include "store/store.h"

enum {
    ARG_ATOM_MAX = 1024,
    ARG_STRING_MAX = 64 * 1024,
    ARG_SET_RANGES_MAX = 20000,
};

bool arg_is_atom_char(unsigned char c);
bool arg_is_astring_char(unsigned char c);
bool arg_sp(struct span *c); /* exactly one SP */
bool arg_atom(struct span *c, size_t max, struct span *ret);
/* An atom equal to `word` without case. */
bool arg_word(struct span *c, const char *word);
/* string = quoted / literal; no NUL in either */
bool arg_string(struct span *c, struct arena *a, size_t max, struct span *ret);
bool arg_astring(struct span *c, struct arena *a, size_t max, struct span *ret);
/* nstring = string / "NIL"; p NULL for NIL */
bool arg_nstring(struct span *c, struct arena *a, size_t max, struct span *ret);
/* list-mailbox = 1*list-char / string */
bool arg_list_mailbox(struct span *c, struct arena *a, size_t max, struct span *ret);
/* The text of a sequence-set, "$" included; its numbers are checked later, against the view. */
bool arg_set(struct span *c, struct span *ret);
/* "{n}", "{n+}", with or without "~" before it, and CRLF if it is there: what a streamed command
 * ends with. */
bool arg_announcement(struct span *c, uint64_t *ret_bytes, bool *ret_binary);
/* date-time in its quotes; date with or without */
bool arg_date_time(struct span *c, struct date *ret);
bool arg_day(struct span *c, int64_t *ret_day);

/* flags of STORE and APPEND */
struct arg_flags {
    uint64_t system; /* STORE_SEEN … */
    struct span keywords[STORE_KEYWORDS_MAX];
    size_t keyword_count;
    bool too_many; /* there were more: well-formed, but no mailbox can have so many */
};
/* flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / keyword; added to f. Others
 * that begin with "\" fail. */
bool arg_flag(struct span *c, struct arg_flags *f);
/* flag-list = "(" [flag *(SP flag)] ")" */
bool arg_flag_list(struct span *c, struct arg_flags *f);
/* flag-list / (flag *(SP flag)) */
bool arg_store_flags(struct span *c, struct arg_flags *f);

/* --- printing */
/* As an atom where that is allowed, else quoted; s holds no CR, LF or NUL. */
bool print_astring(struct buf *b, struct span s);
bool print_quoted(struct buf *b, struct span s);

#endif
