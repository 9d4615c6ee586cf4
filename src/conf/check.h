/*
 * check.h: what no single row can see: options that contradict each other, addresses used twice,
 * anything that would let a stranger relay or a login pass in clear. Problems are collected with
 * their place in the file.
 */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/conf.h"
#include "conf/report.h"

struct config_setting_t;

/* `root` is what the configuration was parsed from, for the lines; NULL: there is no file. */
void conf_check(const struct conf *c, const struct config_setting_t *root, struct report *r);

#endif
