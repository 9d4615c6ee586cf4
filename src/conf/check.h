/*
 * check.h: what no single row can see: options that contradict each other, addresses used twice,
 * anything that would let a stranger relay or a login pass in clear. Problems are collected with
 * their place in the file.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/conf.h"

struct config_setting_t;

struct report {
    const char *file;
    struct buf *out;
    bool failed;
};

/* "file:line: what. remedy"; line 0: none. */
void report_error(struct report *r, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void report_warning(struct report *r, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* `root` is what the configuration was parsed from, for the lines; NULL: there is no file. */
void conf_check(const struct conf *c, const struct config_setting_t *root, struct report *r);

#endif
