/* date.h: the dates of mail and news. Seconds since 1970 UTC and the zone they were written with. */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include "base/buf.h"

struct date {
    int64_t seconds;  /* UTC */
    int zone_minutes; /* east of Greenwich */
};

/* RFC 5322 section 3.3 with its obsolete forms (two-digit years, names of zones, comments) and common damage. */
bool date_parse_rfc5322(struct span s, struct date *ret);
bool date_print_rfc5322(struct buf *b, struct date d); /* Tue, 24 Nov 2026 05:29:00 +0000 */
/* IMAP date-time "17-Jul-1996 02:44:25 -0700", without the quotes. */
bool date_parse_imap(struct span s, struct date *ret);
bool date_print_imap(struct buf *b, struct date d);
/* IMAP date "1-Feb-1994": the number of days since 1970-01-01. */
bool date_parse_imap_day(struct span s, int64_t *ret_day);
/* NNTP "YYMMDD|YYYYMMDD" and "HHMMSS" (RFC 3977 section 7.3), taken as UTC; `now` decides the century of YY. */
bool date_parse_nntp(struct span day, struct span time, int64_t now, int64_t *ret_seconds);
bool date_print_nntp(struct buf *b, int64_t seconds); /* YYYYMMDDhhmmss */
bool date_print_iso(struct buf *b, int64_t seconds);  /* 2026-11-24T05:29:00Z */
int64_t date_day(struct date d); /* the day in its own zone, since 1970-01-01 */

#endif
