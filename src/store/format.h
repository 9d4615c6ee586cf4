/*
 * format.h: the store on disk. Everything is little-endian and packed; sizes are asserted.
 * Version 2.
 *
 *     DATA/store/lock             held by the one stored that may write
 *     DATA/store/state            boot id of the machine's run that wrote last, and whether it
 * ended cleanly DATA/store/checkpoint       meta page of the index as of a durable state, and the
 * place in the log it stands for DATA/store/index/data.mdb   LMDB: what can be found (rows below),
 * always derivable from checkpoint + log DATA/store/log/NNNNNNNN.log the truth: records one behind
 * the other in files written with zeros beforehand
 *
 * A record is head, blobs, commit part, padding to 16 bytes. Each blob (body, summary, prefix) has
 * its own head with its own checksum, so that a reader can prove one without the record. The
 * record's checksum is seeded with that of the record before it: what an interrupted batch left
 * behind a place that was written anew never looks like its continuation.
 */
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the store's files are little-endian; this machine is not"
#endif
#define PACKED __attribute__((packed))
#define ROW_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)

/* Version 2 has ACLs, annotations, read marks and quotas of domains; a store of version 1 has none
 * and becomes one of version 2 when it is opened to be written. */
enum { STORE_FORMAT_VERSION = 2, STORE_FORMAT_OLDEST = 1, LOG_ALIGN = 16 };
#define LOG_MAGIC UINT32_C(0x31474c53) /* "SLG1" */

enum log_type {
    LOG_FILE = 1,   /* first of each file; commit part: uuid of the store, file number */
    LOG_COMMIT = 2, /* one request's effects, see effect.h */
};

struct PACKED log_head {
    uint32_t magic;
    uint16_t type;
    uint16_t version;
    uint64_t sequence;
    uint64_t synced; /* every record up to this one was durable when this one was written */
    uint64_t bytes;  /* of the whole record, a multiple of LOG_ALIGN */
    uint32_t commit_bytes;
    uint32_t blob_count;
    uint64_t blob_sum; /* over the heads of the blobs, in order */
    uint64_t mark;  /* XXH3 of sequence and synced under the store's uuid: no mail can hold a forged
                       head */
    uint64_t chain; /* XXH3 seeded with the chain before, over this head up to here and the commit
                       part */
};
ROW_SIZE(log_head, 64);

enum blob_kind { BLOB_BODY = 1, BLOB_SUMMARY = 2, BLOB_PREFIX = 3 };
struct PACKED blob_head {
    uint64_t sum; /* XXH3 of the bytes */
    uint32_t bytes;
    uint32_t kind;
};
ROW_SIZE(blob_head, 16);

/* ------------------------------------------------------------------ rows of the index */
struct PACKED row_state {
    uint32_t version;
    uint32_t last_uidvalidity;
    uint64_t sequence, chain; /* of the last record that is in this index */
    uint32_t file, at;        /* where the next one goes */
    uint64_t answers_sequence,
        answers_chain; /* from here on records are read again for answers after a restart */
    uint32_t answers_file, answers_at;
    uint64_t next_mailbox, next_queue;
    uint64_t hash_seed;
    unsigned char uuid[16];
};
ROW_SIZE(row_state, 96);

/* key: mailbox; the name follows */
struct PACKED row_mailbox {
    uint64_t account, highestmodseq, bytes;
    uint64_t change_floor; /* changes up to this modseq may be missing */
    int64_t created;
    uint32_t uidvalidity, uidnext, messages, unseen, deleted, first_number, first_unseen,
        attributes;
    uint16_t keywords, name_bytes;
    uint32_t spare;
};
ROW_SIZE(row_mailbox, 80);

enum { ROW_SHARED = 1 }; /* marks: another row may use the same body */

/* key: mailbox, uid */
struct PACKED row_message {
    uint64_t flags, modseq;
    uint64_t born; /* modseq it came with; a change row exists only once modseq differs */
    int64_t received, saved;
    uint64_t body, thread;
    uint32_t body_file, body_at, body_bytes;
    uint32_t summary_file, summary_at, summary_bytes;
    uint32_t prefix_file, prefix_at, prefix_bytes;
    int16_t zone;
    uint16_t marks;
};
ROW_SIZE(row_message, 96);

/* key: mailbox, modseq, uid */
struct PACKED row_change {
    uint8_t expunged;
    int64_t seconds;
};
ROW_SIZE(row_change, 9);

/* key: account */
struct PACKED row_account {
    uint64_t epoch, quota_bytes, used_bytes, inbox;
    int64_t created;
    uint32_t state; /* enum store_account_state */
    uint32_t spare;
};
ROW_SIZE(row_account, 48);

/* key: file number */
struct PACKED row_file {
    uint64_t live_bytes;
};
ROW_SIZE(row_file, 8);

/* key: name of a public folder; outlives it */
struct PACKED row_mark {
    uint32_t low, high;
};
ROW_SIZE(row_mark, 8);

/* key: hash of a Message-ID; then `count` of row_place, then the Message-ID */
struct PACKED row_history {
    int64_t arrived;
    uint16_t count, id_bytes;
};
ROW_SIZE(row_history, 12);
struct PACKED row_place {
    uint64_t mailbox;
    uint32_t number;
};
ROW_SIZE(row_place, 12);

/* key: queue id; then sender, envid, u16 count, recipients: see queue_item.h */
struct PACKED row_queue {
    uint64_t body;
    uint32_t body_file, body_at, body_bytes;
    uint32_t summary_file, summary_at, summary_bytes;
    uint32_t prefix_file, prefix_at, prefix_bytes;
    int64_t queued, next_try;
    uint32_t tries;
    uint8_t frozen, marks, bits, spare;
};
ROW_SIZE(row_queue, 68);

/* key: mailbox, identifier */
struct PACKED row_acl {
    uint64_t grantee;
    uint32_t rights;
};
ROW_SIZE(row_acl, 12);

/* key: account; then its address */
struct PACKED row_address {
    uint64_t domain; /* its row among the accounts, domain_number */
};
ROW_SIZE(row_address, 8);

/* ------------------------------------------------------------------ files beside the log */
struct PACKED file_checkpoint {
    char magic[8]; /* "SPCHECK1" */
    uint64_t txn;
    uint64_t sequence, chain;
    uint32_t file, at;
    unsigned char page[4096];
    uint64_t sum; /* XXH3 of all before */
};
ROW_SIZE(file_checkpoint, 4144);

struct PACKED file_state {
    char magic[8]; /* "SPSTATE1" */
    char boot[40];
    uint8_t clean;  /* the index was synced when the writer ended */
    uint8_t failed; /* a sync failed: trust nothing that was not synced before */
    uint8_t spare[6];
    uint64_t sum;
};
ROW_SIZE(file_state, 64);

#endif
