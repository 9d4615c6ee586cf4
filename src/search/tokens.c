#include "search/tokens.h"

#include "search/gram.h"

static int create(void *context, const char **argv, int argc, Fts5Tokenizer **ret)
{
    static char nothing; /* FTS5 wants an address */

    (void)context;
    (void)argv;
    (void)argc;
    *ret = (Fts5Tokenizer *)(void *)&nothing;
    return SQLITE_OK;
}

static void delete (Fts5Tokenizer *t)
{
    (void)t;
}

static int tokenize(Fts5Tokenizer *t, void *context, int flags, const char *text, int n,
                    int (*token)(void *, int, const char *, int, int, int))
{
    int rc = SQLITE_OK;

    (void)t;
    (void)flags;
    for (int at = 0; rc == SQLITE_OK && at + GRAM_BYTES <= n; at += GRAM_BYTES)
        rc = token(context, 0, text + at, GRAM_BYTES, at, at + GRAM_BYTES);
    return rc;
}

int tokens_register(sqlite3 *db)
{
    fts5_tokenizer grams = {create, delete, tokenize};
    sqlite3_stmt *s = NULL;
    fts5_api *api = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &s, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_pointer(s, 1, &api, "fts5_api_ptr", NULL);
        sqlite3_step(s);
    }
    sqlite3_finalize(s);
    if (rc == SQLITE_OK && !api)
        rc = SQLITE_ERROR;
    return rc == SQLITE_OK ? api->xCreateTokenizer(api, "grams", NULL, &grams, NULL) : rc;
}
