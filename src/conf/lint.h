/* lint.h: a configuration that can be used, but would be wiser otherwise. */
#ifndef CONF_LINT_H
#define CONF_LINT_H

#include "conf/conf.h"
#include "conf/report.h"

struct config_setting_t;

/* Mostly warnings; errors where senders elsewhere would be kept out. `root` as for conf_check. */
void conf_lint(const struct conf *c, const struct config_setting_t *root, struct report *r);

#endif
