/* tokens.h: the tokenizer of the index's FTS5 table: a text is grams of GRAM_BYTES, one behind the other. */
#ifndef SEARCH_TOKENS_H
#define SEARCH_TOKENS_H

#include <sqlite3.h>

/* Makes the tokenizer "grams" known to this connection. An SQLite error code. */
int tokens_register(sqlite3 *db);

#endif
