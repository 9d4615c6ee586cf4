#include "store/journal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    FIRST_FILE_BYTES = 16 << 20,
    PREPARE_STEP = 1 << 20,
    PREPARE_AGAIN_MS = 10000,
    KEEP_BUFFER_BYTES = 16 << 20,
    PAGE_BYTES = 4096
};

static uint64_t align_up(uint64_t n)
{
    return (n + LOG_ALIGN - 1) & ~(uint64_t)(LOG_ALIGN - 1);
}

static void file_name(uint32_t number, bool prepared, char out[24])
{
    snprintf(out, 24, "%08u.%s", number, prepared ? "new" : "log");
}

static void files_add(struct journal *j, uint32_t number, int fd)
{
    size_t i = j->file_count;

    j->files = realloc(j->files, (j->file_count + 1) * sizeof(*j->files));
    CHECK(j->files);
    while (i > 0 && j->files[i - 1].number > number) {
        j->files[i] = j->files[i - 1];
        i--;
    }
    j->files[i] = (struct journal_file){number, fd};
    j->file_count++;
}

static void files_remove(struct journal *j, size_t i)
{
    close(j->files[i].fd);
    memmove(j->files + i, j->files + i + 1, (j->file_count - i - 1) * sizeof(*j->files));
    j->file_count--;
}

int journal_fd(const struct journal *j, uint32_t file)
{
    size_t lo = 0, hi = j->file_count;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (j->files[mid].number < file)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < j->file_count && j->files[lo].number == file ? j->files[lo].fd : -1;
}

static int open_files(struct journal *j, const char *root, uint64_t file_bytes, bool write)
{
    char path[512];
    struct dirent *e;
    int err = 0;

    *j = (struct journal){.dir = -1, .next_fd = -1, .fd = -1, .file_bytes = file_bytes};
    if ((size_t)snprintf(path, sizeof(path), "%s/store/log", root) >= sizeof(path))
        return -ENAMETOOLONG;
    j->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir < 0)
        return -errno;
    DIR *d = opendir(path);
    if (!d)
        return -errno;
    while ((e = readdir(d)) != NULL) {
        char want[24];
        unsigned number;
        if (sscanf(e->d_name, "%8u.", &number) != 1 || number == 0)
            continue;
        file_name(number, true, want);
        if (strcmp(want, e->d_name) == 0) {
            if (write)
                unlinkat(j->dir, want, 0);
            continue;
        }
        file_name(number, false, want);
        if (strcmp(want, e->d_name) != 0)
            continue;
        int fd = openat(j->dir, want, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
        if (fd < 0) {
            err = -errno;
            log_error("store: cannot open log file %s: %s", want, strerror(errno));
            break;
        }
        files_add(j, number, fd);
    }
    closedir(d);
    return err;
}

int journal_open(struct journal *j, const char *root, uint64_t file_bytes)
{
    return open_files(j, root, file_bytes, true);
}

int journal_open_read(struct journal *j, const char *root)
{
    return open_files(j, root, 0, false);
}

void journal_close(struct journal *j)
{
    while (j->file_count > 0)
        files_remove(j, j->file_count - 1);
    free(j->files);
    free(j->b);
    fd_close(&j->dir);
    j->files = NULL;
    j->b = NULL;
}

int journal_remove(struct journal *j, uint32_t file)
{
    char name[24];

    CHECK(file < j->end.file);
    for (size_t i = 0; i < j->file_count; i++) {
        if (j->files[i].number != file)
            continue;
        file_name(file, false, name);
        if (unlinkat(j->dir, name, 0) < 0)
            return -errno;
        files_remove(j, i);
        return fsync(j->dir) < 0 ? -errno : 0;
    }
    return -ENOENT;
}

static uint64_t planned_size(const struct journal *j, uint32_t number)
{
    uint64_t n = FIRST_FILE_BYTES;

    /* A small store stays small: files grow up to the configured size. */
    while (--number > 0 && n < j->file_bytes)
        n *= 4;
    n = n < j->file_bytes ? n : j->file_bytes;
    return (n + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

static char *reserve(struct journal *j, size_t n)
{
    if (j->n + n > j->cap) {
        size_t cap = j->cap ? j->cap : 1 << 16;
        while (cap < j->n + n)
            cap *= 2;
        j->b = realloc(j->b, cap);
        CHECK(j->b);
        j->cap = cap;
    }
    return j->b + j->n;
}

static void pad(struct journal *j)
{
    size_t n = (size_t)(align_up(j->n) - j->n);

    memset(reserve(j, n), 0, n);
    j->n += n;
}

void journal_record_begin(struct journal *j)
{
    j->head_at = j->n;
    j->blobs = 0;
    j->blob_sum = 0;
    reserve(j, sizeof(struct log_head));
    j->n += sizeof(struct log_head);
}

struct place journal_blob_pieces(struct journal *j, enum blob_kind kind, const struct span *pieces,
                                 size_t count)
{
    struct blob_head h = {.kind = kind};
    size_t n = 0, start;

    for (size_t i = 0; i < count; i++)
        n += pieces[i].n;
    CHECK(n <= UINT32_MAX);
    reserve(j, sizeof(h) + n + LOG_ALIGN);
    start = j->n + sizeof(h);
    j->n = start;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].n)
            memcpy(j->b + j->n, pieces[i].p, pieces[i].n);
        j->n += pieces[i].n;
    }
    h.bytes = (uint32_t)n;
    h.sum = XXH3_64bits(j->b + start, n);
    memcpy(j->b + start - sizeof(h), &h, sizeof(h));
    j->blob_sum = XXH3_64bits_withSeed(&h, sizeof(h), j->blob_sum);
    j->blobs++;
    pad(j);
    return (struct place){j->end.file, j->batch_at + (uint32_t)start, (uint32_t)n};
}

struct place journal_blob(struct journal *j, enum blob_kind kind, struct span bytes)
{
    return journal_blob_pieces(j, kind, &bytes, 1);
}

static uint64_t chain_of(const struct log_head *h, const void *commit, uint64_t before)
{
    uint64_t head = XXH3_64bits_withSeed(h, offsetof(struct log_head, chain), before);
    return XXH3_64bits_withSeed(commit, h->commit_bytes, head);
}

uint64_t journal_mark(const struct journal *j, uint64_t sequence, uint64_t synced)
{
    uint64_t both[2] = {sequence, synced}, seed;

    memcpy(&seed, j->uuid, sizeof(seed));
    return XXH3_64bits_withSeed(both, sizeof(both), seed);
}

static void record_end(struct journal *j, enum log_type type, struct span commit)
{
    struct log_head h = {
        .magic = LOG_MAGIC,
        .type = (uint16_t)type,
        .version = STORE_FORMAT_VERSION,
        .sequence = j->end.sequence + 1,
        .synced = j->synced,
        .commit_bytes = (uint32_t)commit.n,
        .blob_count = j->blobs,
        .blob_sum = j->blob_sum,
    };

    memcpy(reserve(j, commit.n + LOG_ALIGN), commit.p, commit.n);
    size_t commit_at = j->n;
    j->n += commit.n;
    pad(j);
    h.bytes = j->n - j->head_at;
    h.mark = journal_mark(j, h.sequence, h.synced);
    h.chain = chain_of(&h, j->b + commit_at, j->end.chain);
    memcpy(j->b + j->head_at, &h, sizeof(h));
    j->end.sequence++;
    j->end.chain = h.chain;
    j->end.at = j->batch_at + (uint32_t)j->n;
}

void journal_record_end(struct journal *j, struct span commit)
{
    record_end(j, LOG_COMMIT, commit);
}

void journal_record_cancel(struct journal *j)
{
    j->n = j->head_at;
}

static void file_record(struct journal *j)
{
    struct buf b = BUF(64);

    wr_raw(&b, j->uuid, 16);
    wr_u32(&b, j->end.file);
    journal_record_begin(j);
    record_end(j, LOG_FILE, buf_span(&b));
    buf_done(&b);
}

/* The next file takes its name; without a prepared one, an empty file will do, only slower. */
static int take_file(struct journal *j, uint32_t number)
{
    char from[24], to[24];

    file_name(number, true, from);
    file_name(number, false, to);
    if (j->next_fd < 0) {
        int fd = openat(j->dir, from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (fd < 0)
            return -errno;
        files_add(j, number, fd);
    }
    if (renameat(j->dir, from, j->dir, to) < 0) {
        int err = -errno;
        if (j->next_fd < 0) {
            unlinkat(j->dir, from, 0);
            files_remove(j, j->file_count - 1);
        }
        return err;
    }
    if (fsync(j->dir) < 0)
        return errno == ENOSPC ? -EIO : -errno;
    j->next_fd = -1;
    j->end.file = number;
    j->end.at = 0;
    j->fd = journal_fd(j, number);
    j->planned_bytes = planned_size(j, number);
    return 0;
}

int journal_batch_begin(struct journal *j, uint64_t bytes, bool *ret_rotated)
{
    *ret_rotated = false;
    j->n = 0;
    j->before = j->end;
    if (j->end.at + bytes > UINT32_MAX / 2)
        return -EFBIG;
    /* While the next file is being written by another thread it cannot be taken: this one grows
     * instead. */
    if (j->end.at + bytes > j->planned_bytes && j->end.at > 0 && !j->preparing) {
        int err = take_file(j, j->end.file + 1);
        if (err)
            return err;
        *ret_rotated = true;
        j->before = j->end;
    }
    j->batch_at = j->end.at;
    if (j->end.at == 0)
        file_record(j);
    return 0;
}

bool journal_batch_empty(const struct journal *j)
{
    return j->n == 0;
}

static int write_at(int fd, const char *p, size_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, p, n, (off_t)at);
        if (done < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (done == 0)
            return -EIO;
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

/*
 * Whole pages, with zeros behind the batch where zeros are already: the file's pages are not in
 * memory, and a page that is written in part would first be read.
 */
int journal_write(struct journal *j)
{
    size_t over = (size_t)((j->batch_at + j->n) % PAGE_BYTES), more = over ? PAGE_BYTES - over : 0;

    memset(reserve(j, more), 0, more);
    return write_at(j->fd, j->b, j->n + more, j->batch_at);
}

int journal_sync(struct journal *j)
{
    return fdatasync(j->fd) < 0 ? -errno : 0;
}

int journal_batch_undo(struct journal *j)
{
    static const char nothing[sizeof(struct log_head)];
    struct stat st;
    int err = 0;

    j->end = j->before;
    j->n = 0;
    if (fstat(j->fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size > j->batch_at)
        err = write_at(j->fd, nothing, sizeof(nothing), j->batch_at);
    if (err == -ENOSPC || err == -EDQUOT)
        err = ftruncate(j->fd, (off_t)j->batch_at) < 0 ? -errno : 0;
    return err ? err : journal_sync(j);
}

void journal_batch_done(struct journal *j)
{
    j->synced = j->end.sequence;
    j->n = 0;
    if (j->cap > KEEP_BUFFER_BYTES) {
        free(j->b);
        j->b = NULL;
        j->cap = 0;
    }
}

int journal_create(struct journal *j, const unsigned char uuid[16])
{
    struct journal_prepare p;

    memcpy(j->uuid, uuid, 16);
    while (j->file_count > 0)
        files_remove(j, j->file_count - 1);
    p = journal_prepare_begin(j);
    journal_prepare(&p);
    journal_prepared(j, &p);
    if (p.err)
        return p.err;
    int err = take_file(j, 1);
    if (err)
        return err;
    j->batch_at = 0;
    j->n = 0;
    file_record(j);
    err = journal_write(j);
    if (!err)
        err = journal_sync(j);
    if (!err)
        journal_batch_done(j);
    return err;
}

int journal_resume(struct journal *j, const struct journal_position *at,
                   const unsigned char uuid[16])
{
    char name[24];
    bool removed = false;

    memcpy(j->uuid, uuid, 16);
    while (j->file_count > 0 && j->files[j->file_count - 1].number > at->file) {
        file_name(j->files[j->file_count - 1].number, false, name);
        if (unlinkat(j->dir, name, 0) < 0)
            return -errno;
        files_remove(j, j->file_count - 1);
        removed = true;
    }
    if (removed && fsync(j->dir) < 0)
        return -errno;
    if (journal_fd(j, at->file) < 0)
        return -ENOENT;
    j->fd = journal_fd(j, at->file);
    j->end = *at;
    j->synced = at->sequence;
    j->planned_bytes = planned_size(j, at->file);
    return 0;
}

bool journal_wants_file(const struct journal *j)
{
    return !j->preparing && j->next_fd < 0 && j->end.at > j->planned_bytes / 4 &&
           (j->prepare_after_ms == 0 || clock_mono_ms() >= j->prepare_after_ms);
}

struct journal_prepare journal_prepare_begin(struct journal *j)
{
    uint64_t bytes = planned_size(j, j->end.file + 1), room = UINT64_MAX;
    struct statvfs v;

    j->preparing = true;
    if (fstatvfs(j->dir, &v) == 0)
        room = (uint64_t)v.f_bavail * v.f_frsize;
    room = room > j->reserve ? room - j->reserve : 0;
    if (bytes > room) /* grows as it is written, then */
        bytes = room - room % PREPARE_STEP;
    return (struct journal_prepare){j->dir, j->end.file + 1, bytes, -1, 0};
}

/* Past the page cache where the file system can do that: zeros that nobody reads cost copying and
 * memory. -EINVAL: it cannot. */
static int fill(const struct journal_prepare *p, const char *name, const char *zeros, int flags)
{
    int fd = openat(p->dir, name, O_WRONLY | O_CLOEXEC | flags), err = 0;

    if (fd < 0)
        return -errno;
    for (uint64_t at = 0; !err && at < p->bytes; at += PREPARE_STEP) {
        uint64_t n = p->bytes - at < PREPARE_STEP ? p->bytes - at : PREPARE_STEP;
        err = write_at(fd, zeros, (size_t)n, at);
        /* In steps, so that the batch of a client never waits behind a whole file of zeros. */
        if (!err && at % (8 * PREPARE_STEP) == 0 && fdatasync(fd) < 0)
            err = -errno;
    }
    if (!err && fsync(fd) < 0)
        err = -errno;
    close(fd);
    return err;
}

void journal_prepare(struct journal_prepare *p)
{
    char name[24];
    char *zeros = aligned_alloc(PAGE_BYTES, PREPARE_STEP);

    CHECK(zeros);
    memset(zeros, 0, PREPARE_STEP);
    file_name(p->number, true, name);
    p->fd = openat(p->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    p->err = p->fd < 0 ? -errno : fill(p, name, zeros, O_DIRECT);
    if (p->err == -EINVAL)
        p->err = fill(p, name, zeros, 0);
    free(zeros);
    if (p->err && p->fd >= 0) {
        close(p->fd);
        p->fd = -1;
        unlinkat(p->dir, name, 0);
    }
}

void journal_prepared(struct journal *j, const struct journal_prepare *p)
{
    j->preparing = false;
    if (p->err) {
        log_warn("store: cannot prepare log file %u: %s", p->number, strerror(-p->err));
        j->prepare_after_ms = clock_mono_ms() + PREPARE_AGAIN_MS;
        return;
    }
    if (p->number != j->end.file + 1) {
        /* The log went on without it (it would have met its end of numbers): too late. */
        close(p->fd);
        return;
    }
    j->next_fd = p->fd;
    files_add(j, p->number, p->fd);
}
