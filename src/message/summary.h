/*
 * summary.h: what one parse of a message finds out, as one compact block of bytes that lies beside
 * the body in the store.
 *
 * A message is parsed once, when it arrives. The block holds ready-made answers: the IMAP ENVELOPE,
 * BODY and BODYSTRUCTURE texts, the NNTP overview fields, the offsets of every MIME part, thread
 * keys, dates. A reader opens the block (one bounds check, no allocation) and copies slices. Blocks
 * come from less trusted processes and from disk: summary_open is safe for any bytes. The block can
 * always be made anew from the body.
 *
 * All offsets count from the first byte of the body (a view's prefix is added by the reader). Raw
 * messages have CR LF line ends as they arrived; bare CR, bare LF, NUL and broken MIME are
 * described as well as possible and never refused.
 */
#ifndef MESSAGE_SUMMARY_H
#define MESSAGE_SUMMARY_H

#include "base/arena.h"
#include "base/buf.h"

/* Limits of one parse. What exceeds them is described as opaque text or left out, never an error.
 */
struct message_limits {
    uint32_t header_bytes;  /* of one header block; default 1 MiB */
    uint32_t header_fields; /* of one header block; default 2,000 */
    uint32_t parts;         /* of the whole message; default 1,000 */
    uint32_t depth;         /* multipart and message/rfc822 nesting; default 64 */
    uint32_t addresses;     /* of one address field in the ENVELOPE; default 2,000 */
    uint32_t summary_bytes; /* of the block; default 256 KiB */
};
extern const struct message_limits message_limits_default;

/* Parses `raw` and appends the block to `out`. Never fails but for out's limit (-E2BIG). Does not
 * suspend; about linear time. */
int summary_make(struct span raw, const struct message_limits *limits, struct buf *out);

struct summary {
    struct span block;
    /* filled by summary_open; all point into block */
    struct span envelope; /* "(" … ")" as in FETCH ENVELOPE, literals inline where a quoted string
                             is not allowed */
    struct span body;     /* FETCH BODY, non-extensible form */
    struct span bodystructure; /* FETCH BODYSTRUCTURE */
    struct span overview; /* subject TAB from TAB date TAB message-id TAB references, RFC 3977 8.3.2
                             cleaning applied */
    struct span message_id; /* with < >, the first that is valid; else empty */
    struct span
        references; /* message-ids of References (else In-Reply-To), separated by SP, newest last */
    struct span base_subject; /* RFC 5256 section 2.1, UTF-8, upper-cased */
    struct span from_first;   /* addr-spec of the first From address, lower-cased; may be empty */
    struct span newsgroups;   /* names separated by ','; empty if there is no Newsgroups field */
    struct span followup_to, distribution, control,
        approved;         /* raw field bodies, unfolded; mostly empty */
    int64_t sent_seconds; /* Date field in UTC; INT64_MIN if there is none */
    int32_t sent_zone_minutes;
    uint32_t header_bytes; /* of the top header with its empty line; the body text starts here */
    uint32_t body_lines;   /* lines of the body text */
    uint32_t part_count;
    uint32_t raw_bytes; /* of the message the block was made from; all part ranges lie within it */
    uint16_t flags;     /* SUMMARY_… */
};
enum {
    SUMMARY_NEWS_VALID =
        1, /* has From, Subject, Date, Message-ID, Newsgroups, Path as RFC 5536 demands */
    SUMMARY_HAS_8BIT = 2,
    SUMMARY_HAS_NUL = 4,
    SUMMARY_HEADER_8BIT = 8, /* bytes over 127 in a header: SMTPUTF8 or damage */
    SUMMARY_ATTACHMENT = 16, /* a part that a person would call an attachment */
    SUMMARY_TRUNCATED = 32,  /* a limit was met */
    SUMMARY_ALL = 63,
};

/* False: not a block (or another version). Never reads outside `block`. */
bool summary_open(struct span block, struct summary *ret);

/*
 * For blocks of a process that may be in wrong hands: true if every text has the grammar it is sent
 * in, so that no block can speak for the server. ENVELOPE, BODY and BODYSTRUCTURE are read by their
 * ABNF (RFC 9051 section 9) to the last byte: quoted strings and literals of the length they say,
 * nothing else with a line end. The overview is five columns of one line; a Message-ID and
 * newsgroup names hold no blanks; CR, LF and NUL are nowhere. Known flags only, a date that can be
 * printed, every part within the body_bytes of the message beside it. That the texts tell the truth
 * about the message is not known. Every block of summary_make passes. Linear; about 0.3 µs for a
 * usual block.
 */
bool summary_vet(struct span block, uint32_t body_bytes);

/* Where a section of the message lies. */
struct part_range {
    uint32_t header_at, header_bytes; /* the part's own MIME header, with its empty line */
    uint32_t body_at, body_bytes;
    /* of a message/rfc822 part: header and text of the message inside; else zero */
    uint32_t inner_header_at, inner_header_bytes, inner_body_at, inner_body_bytes;
    uint32_t body_lines;  /* line ends in the body */
    struct span encoding; /* lower case: "7bit", "base64", … */
    struct span type;     /* "text/plain" lower case */
    struct span charset;  /* of text parts, as given; empty means us-ascii */
};
/*
 * The part with IMAP section number path[0..depth-1] (RFC 9051 section 6.4.5.1); depth 0 is the
 * message itself. False if there is none.
 */
bool summary_part(const struct summary *s, const uint32_t *path, size_t depth,
                  struct part_range *ret);
/* Parts in order of appearance, leaves and containers; index from 0. */
bool summary_part_at(const struct summary *s, uint32_t index, struct part_range *ret);

#endif
