/*
 * err.h: an error for a person: what happened, where, what to do. Functions that can fail for reasons an administrator must
 * read take a `struct err *` (never NULL) last but for out-parameters and return a negative errno.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

struct err {
    char text[600];
};

/* Sets the text and returns `code` (a negative errno), so that it can be returned at once. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts "context: " in front of what is there. */
int err_wrap(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
