/*
 * compact.h: gives the room of dead messages back. Log files of which little lives are emptied:
 * what lives is written into the log once more, as records like any other (EFFECT_COPIED,
 * EFFECT_MOVED), and when nothing refers to a file any more it is unlinked.
 *
 * One round:
 *
 *     choose   files far enough behind the checkpoint and less alive than wanted (live bytes,
 * row_file) scan     of all rows, in one snapshot on a helper thread: which refer to these files?
 * Rows that come later are noted as they come (compact_note), so the list is complete warm     the
 * next piece is read on a helper thread, so that copying never waits for the disk copy     piece by
 * piece, one record each, within the batches; all rows of a body in one record, so that its
 * references never lead to two copies scan     again: only a whole scan that finds nothing lets a
 * file go settle   the record that forgets the file (EFFECT_FILE_GONE) is durable and a checkpoint
 * lies behind it: neither the index nor the log that would be read again needs the file unlink
 *
 * Why rows are found by a scan: doc/decisions/0010-compaction-scans.md. A round that is interrupted
 * leaves nothing to be tidied: the next one begins anew.
 */
#ifndef STORE_COMPACT_H
#define STORE_COMPACT_H

#include "store/engine.h"

enum {
    COMPACT_FILES_MAX = 16,          /* of one round */
    COMPACT_PIECE_BYTES = 512 << 10, /* copied by one record; one larger message may exceed it */
    COMPACT_PIECE_PLACES = 4096,
    COMPACT_LOOK_MS = 1000,
    COMPACT_REST = 20, /* rounds are so many times rarer than a scan is long */
};

enum compact_phase {
    COMPACT_IDLE,
    COMPACT_SCAN, /* on a helper thread */
    COMPACT_PICK,
    COMPACT_WARM, /* on a helper thread */
    COMPACT_COPY,
    COMPACT_FORGET,
    COMPACT_SETTLE,
    COMPACT_NUDGE, /* asked for, but answers still lie in those files: the log is moved on */
};

struct compact *compact_new(struct engine *e);
void compact_free(struct compact *c); /* no helper at work; NULL is fine */

/* Between batches. What is to be done now; COMPACT_IDLE: nothing at the moment. SCAN and WARM: run
 * compact_help on a helper thread, then compact_helped on the loop. COPY, FORGET, NUDGE: call
 * compact_put within a batch. SETTLE: compact_unlink. */
enum compact_phase compact_next(struct compact *c);
void compact_help(struct compact *c);
void compact_helped(struct compact *c);
uint64_t compact_piece_bytes(const struct compact *c); /* that compact_put will write, about */
int compact_put(struct compact *c);
/* The batch with what compact_put wrote: is it committed? */
void compact_committed(struct compact *c, bool done);
/* Unlinks what may go: how many numbers were put there. */
unsigned compact_unlink(struct compact *c, uint32_t gone[COMPACT_FILES_MAX]);

/* A row that refers to these files was made. */
void compact_note(struct compact *c, uint64_t mailbox, uint64_t number, uint64_t body,
                  const uint32_t files[3]);

/* A round for files that are alive less than `percent`, at full speed, as soon as possible. */
void compact_request(struct compact *c, unsigned percent);

struct compact_stats {
    enum compact_phase phase;
    bool requested;
    uint64_t rounds, scans, files_removed, bytes_removed, bytes_copied, rows_moved, damaged;
    uint64_t dead_bytes; /* of all files that are not written to any more */
    size_t refs_left;
};
struct compact_stats compact_stats(struct compact *c);
const char *compact_phase_name(enum compact_phase p);

#endif
