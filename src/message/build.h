/*
 * build.h: messages that sealpost itself writes: trace fields, delivery reports, missing mandatory
 * fields of submissions.
 */
#ifndef MESSAGE_BUILD_H
#define MESSAGE_BUILD_H

#include "base/buf.h"
#include "base/date.h"

/* <time.random@host>, RFC 5322 section 3.6.4 */
bool build_message_id(struct buf *out, struct span host);

struct build_received { /* RFC 5321 section 4.4, RFC 3848 for `with` */
    struct span helo, peer_name, peer_address, by, with, tls, id, for_address;
    struct date when;
};
bool build_received(struct buf *out, const struct build_received *r); /* folded, ends with CRLF */

/* One field, folded at blanks before 78 columns where it can, non-ASCII as RFC 2047 words unless
 * utf8. Control bytes never pass. */
bool build_field(struct buf *out, const char *name, struct span value, bool utf8);

struct build_report_recipient {         /* RFC 3464 section 2.3 */
    struct span original;               /* ORCPT, may be empty: "rfc822;user@example.org" */
    struct span final;                  /* address */
    struct span action;                 /* failed, delayed, delivered, relayed, expanded */
    struct span status;                 /* 5.1.1 */
    struct span remote_mta, diagnostic; /* may be empty */
};
struct build_report {
    struct span reporting_mta, from, to, envelope_id;
    struct span subject, explanation; /* for the person */
    struct date when, arrival;
    const struct build_report_recipient *recipients;
    size_t recipient_count;
    struct span original; /* the message: all of it, or its header only */
    bool headers_only;
};
/* multipart/report of RFC 3462/3464 (RFC 6533 when an address is not ASCII). */
bool build_report(struct buf *out, const struct build_report *r);

#endif
