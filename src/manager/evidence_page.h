/* evidence_page.h: the report of `sealpost evidence` as a page for people that carries the same as JSON for programs. */
#ifndef MANAGER_EVIDENCE_PAGE_H
#define MANAGER_EVIDENCE_PAGE_H

#include "base/buf.h"
#include "conf/conf.h"

#include <jansson.h>

void evidence_page(const struct conf *conf, const json_t *report, struct buf *out);
/* The report out of a page; the caller's. NULL: it holds none. */
json_t *evidence_page_read(struct span page);

#endif
