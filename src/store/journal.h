/*
 * journal.h: the log of the store: files of records, written by batches. A batch is gathered in
 * memory of our own (a worker can still change what lies in its ring), put down with one write and
 * made durable with one fdatasync. Files are filled with zeros before they are used, so that a sync
 * moves data only.
 *
 *     journal_batch_begin(j);
 *     journal_record_begin(j);  place = journal_blob(j, ...);  journal_record_end(j, commit);   //
 * as often as wanted journal_write(j); journal_sync(j);                            // may run on
 * another thread while nobody else uses j journal_batch_done(j);
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/format.h"
#include "store/store.h"

struct place { /* bytes of a blob; the head with the checksum lies in front */
    uint32_t file, at, bytes;
};

struct journal_position {
    uint32_t file, at;
    uint64_t sequence, chain; /* of the last record before it */
};

struct journal_file {
    uint32_t number;
    int fd;
};

struct journal {
    int dir;
    uint64_t file_bytes; /* greatest planned size of a file */
    unsigned char uuid[16];
    struct journal_file *files; /* ascending */
    size_t file_count;
    struct journal_position end; /* where the next record goes, the batch at hand included */
    uint64_t synced;
    uint64_t planned_bytes; /* of the file at hand */
    int fd; /* of the file at hand; all that journal_write and journal_sync look at besides the
               buffer */
    uint32_t batch_at;              /* where the buffer goes in the file at hand */
    struct journal_position before; /* the batch at hand */
    char *b;
    size_t n, cap;
    /* the record being made */
    size_t head_at;
    uint32_t blobs;
    uint64_t blob_sum;
    /* the file that comes next */
    int next_fd;
    bool preparing;
    uint64_t reserve; /* files are not filled beforehand with the last so many bytes of the disk */
    uint64_t prepare_after_ms;
};

/* Opens the folder and all files. Nothing is written. */
int journal_open(struct journal *j, const char *root, uint64_t file_bytes);
int journal_open_read(struct journal *j,
                      const char *root); /* for reading only: somebody may write */
void journal_close(struct journal *j);
/* An empty log: the first file with its first record, durable. */
int journal_create(struct journal *j, const unsigned char uuid[16]);
/* From here on records are appended at `at`; later files are unlinked. */
int journal_resume(struct journal *j, const struct journal_position *at,
                   const unsigned char uuid[16]);
int journal_fd(const struct journal *j, uint32_t file); /* -1: not there */
/* A file that nothing needs any more, never the one at hand. */
int journal_remove(struct journal *j, uint32_t file);

/* Starts a batch of about `bytes`; takes the next file when the one at hand is full: *ret_rotated.
 */
int journal_batch_begin(struct journal *j, uint64_t bytes, bool *ret_rotated);
void journal_record_begin(struct journal *j);
struct place journal_blob(struct journal *j, enum blob_kind kind, struct span bytes);
/* A blob of several pieces. */
struct place journal_blob_pieces(struct journal *j, enum blob_kind kind, const struct span *pieces,
                                 size_t count);
void journal_record_end(struct journal *j, struct span commit);
void journal_record_cancel(struct journal *j);
bool journal_batch_empty(const struct journal *j);
int journal_write(struct journal *j);
int journal_sync(struct journal *j);
void journal_batch_done(struct journal *j);
/* There was no room for the batch: as if it had not been begun. What was written of it already is
 * made unreadable, durably. 0 or what the disk says. */
int journal_batch_undo(struct journal *j);

/* Should the next file be prepared? Then run journal_prepare on another thread and hand its result
 * to journal_prepared. */
bool journal_wants_file(const struct journal *j);
struct journal_prepare {
    int dir;
    uint32_t number;
    uint64_t bytes;
    int fd, err;
};
struct journal_prepare journal_prepare_begin(struct journal *j);
void journal_prepare(struct journal_prepare *p);
/* Takes the descriptor; it also stands in `files` from now on, so that readers can be given it
 * early. */
void journal_prepared(struct journal *j, const struct journal_prepare *p);

/* ------------------------------------------------------------------ reading again */
struct journal_record {
    enum log_type type;
    uint64_t sequence, synced;
    struct span commit;
    struct place *blobs; /* blob_count */
    uint32_t blob_count;
    uint32_t file; /* where it lies */
    uint32_t at;
    uint64_t bytes;
};
struct journal_reader {
    struct journal *j;
    struct journal_position at; /* of the next record; after it has been read, behind it */
    bool skip_blobs;            /* do not read and prove them */
    bool commits_only;          /* not even their heads: the commit part is all that is wanted */
    bool any_chain; /* believe the chain of the first record: what was before it is not there */
    /* All bytes are wanted, of a long log: it is read in large steps, and of each blob is said
     * whether its checksum is right. One that skip_blobs is set for does not end the log if not. */
    void (*on_blob)(void *arg, struct place at, bool sound);
    void *arg;
    struct journal_window { /* what on_blob reads through */
        char *p;
        size_t n;
        uint64_t at, ahead; /* what is in memory; up to where the disk was told to read */
        int fd;
    } window;
    struct buf buf;
    struct place *places;
    size_t place_cap;
};
void journal_reader_init(struct journal_reader *r, struct journal *j,
                         const struct journal_position *at, bool skip_blobs);
void journal_reader_done(struct journal_reader *r);
/* 1: a record, valid until the next call; 0: here ends what is whole; negative errno: cannot read.
 */
int journal_next(struct journal_reader *r, struct journal_record *ret);
/* After journal_next said 0: is there a later record that shows that this place was durable once?
 * Then the log is damaged. */
bool journal_damaged(struct journal_reader *r);
bool journal_damaged_file(struct journal_reader *r); /* looks in the file at hand only */
uint64_t journal_mark(const struct journal *j, uint64_t sequence, uint64_t synced);
/* The commit part of the record at that place, appended; its sequence must be this. 0, -EBADMSG,
 * -EIO. */
int journal_commit_part(const struct journal *j, uint32_t file, uint32_t at, uint64_t sequence,
                        struct buf *out);
/* The bytes of a blob, proved. 0, -EBADMSG, -EIO. Appended. */
int blob_read(int fd, uint32_t at, uint32_t bytes, bool prove, struct buf *out);

#endif
