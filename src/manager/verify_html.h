/* verify_html.h: what `sealpost verify` found, as one page that needs nothing else. */
#ifndef MANAGER_VERIFY_HTML_H
#define MANAGER_VERIFY_HTML_H

#include "manager/verify_table.h"

void verify_html(const struct verify_report *r, struct buf *out);
int verify_html_write(const char *file, const struct verify_report *r, struct err *e);

#endif
