/*
 * backup.h: what a backup is: a folder that can be added to.
 *
 *     manifest.json        written last: which files belong to it, their sizes and checksums, and
 *                          the place in the log they stand for. Without it a backup is incomplete
 *     log/NNNNNNNN.log     the store's log, up to that place; a later backup appends
 *     set-NNNNNN/          what is copied whole each time: the index as of that place, registers,
 *                          keys, certificates, the configuration
 *
 * A set that is not named by the manifest is left over from a backup that was interrupted.
 */
#ifndef MANAGER_BACKUP_H
#define MANAGER_BACKUP_H

#include "manager/view.h"
#include "store/format.h"

enum { BACKUP_PATH_MAX = 4096, BACKUP_MANIFEST_MAX = 64 << 20, BACKUP_BLOCK = 1 << 20 };
#define BACKUP_MANIFEST "manifest.json"

struct backup_file {
    char *path;          /* below the backup's folder */
    uint64_t bytes, sum; /* XXH3 of all bytes */
    unsigned mode;
};

struct backup {
    int dir;
    char store[17]; /* which store: of its hash seed, hex */
    char set[24];
    int64_t taken;
    uint64_t sequence;
    uint32_t file, at;
    struct backup_file *files;
    size_t n, cap;
};

/* backup_manifest.c */
void backup_init(struct backup *b);
void backup_done(struct backup *b);
void backup_add(struct backup *b, const char *path, uint64_t bytes, uint64_t sum, unsigned mode);
const struct backup_file *backup_find(const struct backup *b, const char *path);
/* 0, -ENOENT: there is none (e says so); others with the reason. */
int backup_load(struct backup *b, struct err *e);
int backup_save(const struct backup *b, struct err *e);

/* Copies bytes [from, to) of a file behind what is in `out`; the checksum goes over [0, to) and, as
 * it was at `from`, into ret_before (may be NULL). out -1: only the sum. `to` UINT64_MAX: to the
 * end; *ret_bytes: where that was. */
struct backup_pace {
    uint64_t bytes_per_second; /* 0: as fast as it goes */
    uint64_t began_ms, bytes;
    void (*progress)(void *arg, uint64_t bytes);
    void *arg;
    const volatile int *stop; /* not 0: -ECANCELED */
};
int backup_copy(int in, int out, uint64_t from, uint64_t to, struct backup_pace *p,
                uint64_t *ret_bytes, uint64_t *ret_before, uint64_t *ret_sum);

/* Interrupted by SIGINT or SIGTERM? Set up by the first call. */
const volatile int *backup_interrupts(void);

#endif
