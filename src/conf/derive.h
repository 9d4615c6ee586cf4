/* derive.h: the options whose default depends on others (DERIVED rows). */
#ifndef CONF_DERIVE_H
#define CONF_DERIVE_H

#include "conf/conf.h"

struct config_setting_t;

/* Fills what the file left out; root tells what it gave. False: the arena is full. */
bool conf_derive(struct conf *c, const struct config_setting_t *root);

#endif
