/*
 * prepare.h: what must happen to the text before libconfig sees it. libconfig 1.5 cuts numbers to
 * 32 bits without a word and opens other files at @include; both are put right here.
 */
#ifndef CONF_PREPARE_H
#define CONF_PREPARE_H

#include "conf/report.h"

/* The text with every large number marked as such (lines stay where they are), ended by a NUL;
 * false: refused and reported. */
bool conf_prepare(struct span text, struct report *r, struct buf *ret);

#endif
