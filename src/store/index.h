/*
 * index.h: the LMDB tables of the store and their keys. Numbers in keys are big-endian, so that
 * rows lie in their order. The only place, with its users in this folder, that knows LMDB.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "store/format.h"
#include "store/store.h"
#include <lmdb.h>

#define INDEX_TABLES(X)                                                                            \
    X(STATE, "state")               /* "state" → row_state */                                    \
    X(MAILBOX, "mailbox")           /* mailbox → row_mailbox, name */                            \
    X(NAME, "name")                 /* account, name → mailbox */                                \
    X(MESSAGE, "message")           /* mailbox, uid → row_message */                             \
    X(CHANGE, "change")             /* mailbox, modseq, uid → row_change */                      \
    X(SHARED, "shared")             /* body → references, if there are two or more */            \
    X(KEYWORD, "keyword")           /* mailbox → (length, name) … */                           \
    X(HISTORY, "history")           /* hash of Message-ID → row_history … */                   \
    X(ARRIVED, "arrived")           /* seconds, sequence → Message-ID */                         \
    X(SEEN, "seen")                 /* hash of (mailbox, Message-ID) → seconds */                \
    X(SUBSCRIPTION, "subscription") /* account, folder account, name → name */                   \
    X(QUEUE, "queue")               /* id → item, see queue_item.h */                            \
    X(DUE, "due")                   /* next try, id → nothing */                                 \
    X(ACCOUNT, "account")           /* account → row_account */                                  \
    X(MARK, "mark")                 /* name → row_mark */                                        \
    X(FILE, "file")                 /* log file → row_file */                                    \
    X(DOOMED, "doomed")   /* mailbox that is gone → its messages are still to be removed */      \
    X(ACL, "acl")         /* mailbox, identifier → row_acl */                                    \
    X(GRANTED, "granted") /* grantee, mailbox → u32 rights, those of ACL again */                \
    X(NOTE, "note")       /* mailbox (0: the server), account (0: all), entry → value */         \
    X(READ, "read")       /* mailbox, account, UID / 256 → runs, see marks.h */                  \
    X(ADDRESS, "address") /* account → row_address, address in small letters */                  \
    X(NAMED, "named")     /* address → account */

enum index_table {
#define X(id, name) INDEX_##id,
    INDEX_TABLES(X)
#undef X
        INDEX_TABLE_COUNT
};
enum { INDEX_FIRST_OF_V2 = INDEX_ACL }; /* from here on a store of version 1 has no tables */

enum { INDEX_KEY_MAX = 511 };
/* As dbi: there is no such table. LMDB's own list of free pages has this number. */
#define INDEX_NO_TABLE ((MDB_dbi)0)

struct index {
    MDB_env *env;
    MDB_dbi dbi[INDEX_TABLE_COUNT];
};

/* Opens DATA/store/index. write: creates what is missing, takes the lock file. Else read-only,
 * lock-free, tables opened by index_tables: those of a newer version than the store's are taken for
 * empty, if they are not to be created. */
int index_open(struct index *x, const char *root, uint64_t map_bytes, bool write);
int index_tables(struct index *x, MDB_txn *txn, bool create);
void index_close(struct index *x);
int index_error(int mdb_error); /* as negative errno */

/* A key under construction. */
struct key {
    unsigned char b[INDEX_KEY_MAX];
    size_t n;
};
struct key key_u64(uint64_t a);
void key_set_u64(struct key *k, uint64_t a);
void key_add_u64(struct key *k, uint64_t a);
void key_add_u32(struct key *k, uint32_t a);
/* A name; past what fits its head and a hash of all. */
void key_add_name(struct key *k, struct span name);
struct key key_message(uint64_t mailbox, uint32_t uid);
struct key key_change(uint64_t mailbox, uint64_t modseq, uint32_t uid);
struct key key_name(uint64_t account, struct span name);
/* The hash of a Message-ID (in a mailbox, if not 0), seeded per store so that nobody can choose
 * collisions. */
struct key key_message_id(uint64_t seed, uint64_t mailbox, struct span id);
uint64_t key_get_u64(const void *p);
uint32_t key_get_u32(const void *p);

/* 0, -ENOENT, -EIO. The span points into the map. */
int index_get(const struct index *x, MDB_txn *t, enum index_table table, const struct key *k,
              struct span *ret);
/* As above; the row must have at least `size` bytes, which are copied. */
int index_get_row(const struct index *x, MDB_txn *t, enum index_table table, const struct key *k,
                  void *row, size_t size);
int index_put(const struct index *x, MDB_txn *t, enum index_table table, const struct key *k,
              const void *p, size_t n);
int index_del(const struct index *x, MDB_txn *t, enum index_table table,
              const struct key *k); /* gone already is fine */

/* The personal mailbox whatever its case. */
struct span store_name_canonical(uint64_t account, struct span name, char room[STORE_NAME_MAX]);
bool store_name_valid(struct span name);

/* Decoders that worker and stored share. */
bool index_mailbox_info(uint64_t id, struct span row, struct mailbox_info *ret);
void index_message_info(uint64_t mailbox, uint32_t uid, const void *row, struct message_info *ret);
unsigned index_keywords(struct span row, struct span names[STORE_KEYWORDS_MAX]);

#endif
