/* store_index.h: the state of the store and its search index, for other commands. */
#ifndef MANAGER_STORE_INDEX_H
#define MANAGER_STORE_INDEX_H

#include "manager/control.h"

#include <jansson.h>

/* An object with accounts, bytes, messages, waiting, paused and state in words. NULL with the reason. */
json_t *store_index_state(struct control *control, struct err *e);

/* Into the store's state: the accounts that there are. It keeps the numbers of removed ones for ever,
 * so that only authd knows. Without authd nothing is said. (server.c) */
void store_count_accounts(struct control *control, json_t *store);

#endif
