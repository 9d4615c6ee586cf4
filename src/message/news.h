/* news.h: what Netnews makes of a header: validity (RFC 5536 section 3.1) and the overview (RFC
 * 3977 section 8.3). */
#ifndef MESSAGE_NEWS_H
#define MESSAGE_NEWS_H

#include "message/fields.h"

/* From, Subject, Date, Message-ID, Newsgroups, Path: each once and well formed. */
bool news_valid(const struct fields *f);
/* The names of a Newsgroups value, blanks removed, separated by ",". False: the list is not well
 * formed (out holds what was). */
bool news_groups(struct span value, struct buf *out);
/* subject TAB from TAB date TAB message-id TAB references */
void news_overview(const struct fields *f, struct buf *out);

#endif
