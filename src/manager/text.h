/*
 * text.h: text from outside on its way to a terminal. Control characters, direction marks and what
 * is not UTF-8 never get there: they are shown as escapes. Widths are those of the terminal's cells
 * (LC_CTYPE must be a UTF-8 locale).
 */
#ifndef MANAGER_TEXT_H
#define MANAGER_TEXT_H

#include "base/buf.h"

/* Appends s, safe. lines: line ends stay (text of several lines, our own); else they are escapes
 * too. */
void text_put_safe(struct buf *b, struct span s, bool lines);
unsigned text_width(struct span safe); /* cells */
/* As much of it as fits into `cells`, with an ellipsis where something was cut; returns the cells
 * used. */
unsigned text_put_cut(struct buf *b, struct span safe, unsigned cells);
/* Where to break text that is to fit into `cells`: how many bytes stand on this line, how many
 * blanks to skip after them. */
size_t text_wrap(struct span safe, unsigned cells, size_t *ret_skip);
/* Safe and cut to 200 bytes, for messages; one of 4 static buffers in turn. */
const char *text_quote(struct span s);

#endif
