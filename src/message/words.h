/*
 * words.h: encoded words of header text (RFC 2047, with RFC 2231's language tags) and MIME
 * parameters (RFC 2045 section 5.1, RFC 2231).
 */
#ifndef MESSAGE_WORDS_H
#define MESSAGE_WORDS_H

#include "base/buf.h"
#include "message/token.h"

/* One line of header text as UTF-8. Words in an unknown charset stay as they are. False past the
 * limit. */
bool words_decode(struct span line, struct buf *out);
/*
 * UTF-8 text as encoded words of at most 75 bytes, with single blanks between them where a line may
 * be folded. Text that is printable ASCII and holds no "=?" stays as it is.
 */
bool words_encode(struct span utf8, struct buf *out);

/* The parameters of a Content-Type or Content-Disposition, behind its first ";". */
struct param_scan {
    struct cursor at;
    struct buf *scratch;
};
void param_scan_init(struct param_scan *s, struct span params, struct buf *scratch);
/* Value: quotes and folds taken off; lives until the next call. Damaged parameters are passed over.
 * False at the end. */
bool param_next(struct param_scan *s, struct span *ret_name, struct span *ret_value);
/* The first parameter of that name, as it stands (no RFC 2231). */
bool param_find(struct span params, const char *name, struct buf *scratch, struct span *ret_value);
/* The parameter as UTF-8: RFC 2231 continuations and charsets first, else encoded words in the
 * plain one. False: none. */
bool param_decode(struct span params, const char *name, struct buf *out);

#endif
