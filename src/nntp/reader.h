/*
 * reader.h: what the files of nntp/ share: the state of a reader, articles by number or message-id.
 */
#ifndef NNTP_READER_H
#define NNTP_READER_H

#include "line/worker.h"

enum { ANY = 1 };

struct reader {
    uint64_t group;   /* mailbox; 0: none selected */
    uint32_t current; /* article number; 0: none */
    char group_name[512];
    char user[AUTH_NAME_MAX + 1]; /* from AUTHINFO USER */
};

/* A login is needed here and there is none: says 480. */
bool reader_may_read(struct session *s);
const char *reader_host(const struct session *s); /* path identity and server name in Xref */
void reader_usage(struct session *s, const struct command_line *c); /* 501 and counts */
void reader_unavailable(struct session *s);                         /* 403 */

/* A newsgroup by name. 0, -ENOENT, other: the store is away. */
int group_find(struct store_read *r, struct span name, struct mailbox_info *ret);
uint32_t
group_low(const struct mailbox_info *m); /* as RFC 3977 6.1.1.2 wants it, also for an empty group */
uint32_t group_high(const struct mailbox_info *m);

struct range_arg {
    uint32_t lo, hi;
};
/* "n", "n-", "n-m" (RFC 3977 section 9.8); hi is STORE_NUMBER_MAX for an open end. */
bool range_parse(struct span s, struct range_arg *ret);

/* An article: where it is, and what OVER needs. */
struct article {
    struct message_info m;
    bool in_group; /* found by number: the reply says the number; by message-id it is 0 */
};
enum article_result { ARTICLE_FOUND, ARTICLE_REFUSED /* the reply has been said */ };
/* The optional argument of ARTICLE, HEAD, BODY, STAT; sets the current article when asked by
 * number. */
enum article_result article_by_arg(struct session *s, const struct command_line *c,
                                   struct article *ret);
/* Summary of an article; message_id is filled from the prefix where the body has none. 0 or
 * negative errno. */
int article_summary(struct session *s, const struct message_info *m, struct arena *a,
                    struct summary *ret);
/* The same with a buffer in which the summary lies, for many in a row. */
int article_summary_read(struct session *s, const struct message_info *m, struct buf *block,
                         struct summary *ret);
/* "Xref: host group:number …" without line end. Needs no snapshot. */
void article_xref(struct session *s, const struct summary *sum, const struct message_info *m,
                  struct buf *out);

void cmd_group(struct session *s, struct command_line *c);
void cmd_listgroup(struct session *s, struct command_line *c);
void cmd_last(struct session *s, struct command_line *c);
void cmd_next(struct session *s, struct command_line *c);
void cmd_article(struct session *s, struct command_line *c);
void cmd_head(struct session *s, struct command_line *c);
void cmd_body(struct session *s, struct command_line *c);
void cmd_stat(struct session *s, struct command_line *c);
void cmd_over(struct session *s, struct command_line *c);
void cmd_hdr(struct session *s, struct command_line *c);
void cmd_list_alone(struct session *s, struct command_line *c);
void cmd_list_active(struct session *s, struct command_line *c);
void cmd_list_active_times(struct session *s, struct command_line *c);
void cmd_list_newsgroups(struct session *s, struct command_line *c);
void cmd_list_counts(struct session *s, struct command_line *c);
void cmd_list_overview_fmt(struct session *s, struct command_line *c);
void cmd_list_headers(struct session *s, struct command_line *c);
void cmd_list_subscriptions(struct session *s, struct command_line *c);
void cmd_newgroups(struct session *s, struct command_line *c);
void cmd_newnews(struct session *s, struct command_line *c);
void cmd_post(struct session *s, struct command_line *c);

#endif
