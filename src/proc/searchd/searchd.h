/* searchd.h: searchd as a process: reads the store, keeps the search index (search/searcher.h). */
#ifndef PROC_SEARCHD_SEARCHD_H
#define PROC_SEARCHD_SEARCHD_H

#include "proc/child/child.h"

extern const struct child_ops searchd_ops;

void searchd_open(struct child *c); /* before the jail: what is the store's */
void searchd_begin(struct child *c);
void searchd_done(struct child *c);

#endif
