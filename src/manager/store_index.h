/* store_index.h: the state of the search index for other commands. */
#ifndef MANAGER_STORE_INDEX_H
#define MANAGER_STORE_INDEX_H

#include "manager/control.h"

#include <jansson.h>

/* An object with accounts, bytes, messages, waiting, paused and state in words. NULL with the reason. */
json_t *store_index_state(struct control *control, struct err *e);

#endif
