/* html.h: what the pages that this program writes (verify, evidence) have in common. */
#ifndef MANAGER_HTML_H
#define MANAGER_HTML_H

#include "base/buf.h"

#include <stdint.h>

extern const char html_style[]; /* CSS; light and dark, screen and paper */

/* Text as HTML: also inside of attributes in double quotes. */
void html_put(struct buf *out, struct span text);
void html_puts(struct buf *out, const char *text);
void html_put_time(struct buf *out, int64_t seconds); /* of the epoch, shown as UTC */

#endif
