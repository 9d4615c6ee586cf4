/* The log read again: after a start, and for the answers of requests that are repeated. Files may
 * hold anything. */
#include "store/journal.h"

#include "base/check.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static int read_at(int fd, void *p, size_t n, uint64_t at)
{
    char *to = p;

    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)at);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (got == 0)
            return -ENODATA;
        to += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return 0;
}

int blob_read(int fd, uint32_t at, uint32_t bytes, bool prove, struct buf *out)
{
    struct blob_head h;
    char *to = buf_reserve(out, bytes);
    int err;

    if (!to)
        return -EMSGSIZE;
    err = read_at(fd, to, bytes, at);
    if (err)
        return err == -ENODATA ? -EBADMSG : err;
    if (prove) {
        if (at < sizeof(h) || read_at(fd, &h, sizeof(h), at - sizeof(h)) != 0 || h.bytes != bytes ||
            h.sum != XXH3_64bits(to, bytes))
            return -EBADMSG;
    }
    buf_commit(out, bytes);
    return 0;
}

/* ------------------------------------------------------------------ in large steps */
enum { WINDOW_BYTES = 1 << 20, AHEAD_BYTES = 8 << 20 };

/* Those bytes of the file, valid until the next call; NULL: not to be had this way. */
static const char *window_get(struct journal_window *w, int fd, size_t n, uint64_t at)
{
    ssize_t got;

    if (n > WINDOW_BYTES)
        return NULL;
    if (w->fd == fd && at >= w->at && at + n <= w->at + w->n)
        return w->p + (at - w->at);
    if (!w->p) {
        w->p = malloc(WINDOW_BYTES);
        CHECK(w->p);
    }
    if (w->fd != fd || at < w->at)
        w->ahead = at;
    w->fd = fd;
    w->at = at;
    w->n = 0;
    /* The disk works on while what is there is looked at. */
    if (w->ahead < at + AHEAD_BYTES / 2) {
        posix_fadvise(fd, (off_t)w->ahead, AHEAD_BYTES, POSIX_FADV_WILLNEED);
        w->ahead += AHEAD_BYTES;
    }
    do {
        got = pread(fd, w->p, WINDOW_BYTES, (off_t)at);
    } while (got < 0 && errno == EINTR);
    w->n = got > 0 ? (size_t)got : 0;
    return n <= w->n ? w->p : NULL;
}

static int reader_read(struct journal_reader *r, int fd, void *p, size_t n, uint64_t at)
{
    const char *from = r->on_blob ? window_get(&r->window, fd, n, at) : NULL;

    if (!from) /* which also says what is wrong */
        return read_at(fd, p, n, at);
    memcpy(p, from, n);
    return 0;
}

void journal_reader_init(struct journal_reader *r, struct journal *j,
                         const struct journal_position *at, bool skip_blobs)
{
    *r = (struct journal_reader){.j = j, .at = *at, .skip_blobs = skip_blobs, .window = {.fd = -1}};
    buf_init(&r->buf, (size_t)UINT32_MAX);
}

void journal_reader_done(struct journal_reader *r)
{
    buf_done(&r->buf);
    free(r->places);
    r->places = NULL;
    free(r->window.p);
    r->window.p = NULL;
}

static bool version_known(uint16_t version)
{
    return version >= STORE_FORMAT_OLDEST && version <= STORE_FORMAT_VERSION;
}

static bool head_sane(const struct log_head *h, uint64_t room)
{
    return h->magic == LOG_MAGIC && version_known(h->version) && h->bytes % LOG_ALIGN == 0 &&
           h->bytes >= sizeof(*h) + h->commit_bytes && h->bytes <= room &&
           h->blob_count <= h->bytes / sizeof(struct blob_head);
}

/* 1: its checksum is right; 0: it is not. */
static int prove_blob(struct journal_reader *r, int fd, const struct blob_head *b, uint64_t at)
{
    const char *p = r->on_blob ? window_get(&r->window, fd, b->bytes, at) : NULL;

    if (!p) {
        buf_clear(&r->buf);
        char *to = buf_reserve(&r->buf, b->bytes);
        if (!to)
            return 0;
        int err = read_at(fd, to, b->bytes, at);
        if (err)
            return err;
        p = to;
    }
    return XXH3_64bits(p, b->bytes) == b->sum;
}

/* Goes over the blobs of the record at `at`; where they end the commit part begins: *ret_commit,
 * from the record's start. */
static int read_blobs(struct journal_reader *r, int fd, const struct log_head *h, uint32_t at,
                      uint64_t *ret_commit)
{
    uint64_t pos = sizeof(*h), sum = 0, end = h->bytes - h->commit_bytes;

    if (h->blob_count > r->place_cap) {
        r->place_cap = h->blob_count;
        r->places = realloc(r->places, r->place_cap * sizeof(*r->places));
        CHECK(r->places);
    }
    for (uint32_t i = 0; i < h->blob_count; i++) {
        struct blob_head b;
        if (pos + sizeof(b) > end)
            return 0;
        int err = reader_read(r, fd, &b, sizeof(b), at + pos);
        if (err)
            return err;
        sum = XXH3_64bits_withSeed(&b, sizeof(b), sum);
        pos += sizeof(b);
        if (b.bytes > end - pos)
            return 0;
        r->places[i] = (struct place){r->at.file, at + (uint32_t)pos, b.bytes};
        if (!r->skip_blobs || r->on_blob) {
            int sound = prove_blob(r, fd, &b, at + pos);
            if (r->on_blob)
                r->on_blob(r->arg, r->places[i], sound == 1);
            if (!r->skip_blobs && sound <= 0)
                return sound;
        }
        pos += (b.bytes + UINT64_C(15)) & ~UINT64_C(15);
    }
    if (pos > end || sum != h->blob_sum)
        return 0;
    *ret_commit = pos;
    return 1;
}

/* It is the last thing of a record but for the padding. */
static bool commit_place(const struct log_head *h, uint64_t *ret_at)
{
    uint64_t padded = (h->commit_bytes + UINT64_C(15)) & ~UINT64_C(15);

    if (padded + sizeof(*h) > h->bytes)
        return false;
    *ret_at = h->bytes - padded;
    return true;
}

static int read_record(struct journal_reader *r, struct journal_record *ret)
{
    int fd = journal_fd(r->j, r->at.file);
    struct log_head h;
    struct stat st;
    uint64_t commit_at = 0;
    uint32_t at = r->at.at;
    int got;

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size < at + sizeof(h) || (uint64_t)st.st_size > UINT32_MAX)
        return 0;
    got = reader_read(r, fd, &h, sizeof(h), at);
    if (got)
        return got;
    if (!head_sane(&h, (uint64_t)st.st_size - at) || h.sequence != r->at.sequence + 1)
        return 0;
    if (r->commits_only) {
        if (!commit_place(&h, &commit_at))
            return 0;
    } else {
        got = read_blobs(r, fd, &h, at, &commit_at);
        if (got <= 0)
            return got;
    }
    buf_clear(&r->buf);
    char *p = buf_reserve(&r->buf, h.commit_bytes);
    if (!p)
        return 0;
    got = reader_read(r, fd, p, h.commit_bytes, at + commit_at);
    if (got)
        return got;
    uint64_t chain = XXH3_64bits_withSeed(&h, offsetof(struct log_head, chain), r->at.chain);
    if (r->any_chain ? h.mark != journal_mark(r->j, h.sequence, h.synced)
                     : XXH3_64bits_withSeed(p, h.commit_bytes, chain) != h.chain)
        return 0;
    r->any_chain = false;
    buf_commit(&r->buf, h.commit_bytes);
    *ret = (struct journal_record){
        .type = (enum log_type)h.type,
        .sequence = h.sequence,
        .synced = h.synced,
        .commit = buf_span(&r->buf),
        .blobs = r->places,
        .blob_count = r->commits_only ? 0 : h.blob_count,
        .file = r->at.file,
        .at = at,
        .bytes = h.bytes,
    };
    r->at.at = at + (uint32_t)h.bytes;
    r->at.sequence = h.sequence;
    r->at.chain = h.chain;
    return 1;
}

int journal_next(struct journal_reader *r, struct journal_record *ret)
{
    int got = read_record(r, ret);

    if (got != 0)
        return got;
    /* The end of this file, perhaps: then the next one begins with the record that follows. */
    struct journal_position here = r->at;
    r->at.file++;
    r->at.at = 0;
    got = journal_fd(r->j, r->at.file) >= 0 ? read_record(r, ret) : 0;
    if (got == 1 && ret->type == LOG_FILE)
        return 1;
    r->at = here;
    return got < 0 ? got : 0;
}

static bool shows_damage(const struct journal *j, const struct log_head *h, uint64_t sequence)
{
    return h->magic == LOG_MAGIC && version_known(h->version) && h->sequence > sequence &&
           h->synced >= sequence && h->synced < h->sequence &&
           h->mark == journal_mark(j, h->sequence, h->synced);
}

static bool file_shows_damage(const struct journal *j, int fd, uint64_t at, uint64_t missing)
{
    enum { STEP = 1 << 16 };
    char *b = malloc(STEP);
    bool found = false;

    CHECK(b);
    for (;;) {
        ssize_t n = pread(fd, b, STEP, (off_t)at);
        if (n < (ssize_t)sizeof(struct log_head))
            break;
        for (size_t k = 0; k + sizeof(struct log_head) <= (size_t)n && !found; k += LOG_ALIGN) {
            struct log_head h;
            memcpy(&h, b + k, sizeof(h));
            found = shows_damage(j, &h, missing);
        }
        if (found || n < STEP)
            break;
        at += STEP - sizeof(struct log_head);
    }
    free(b);
    return found;
}

bool journal_damaged(struct journal_reader *r)
{
    bool found = false;

    for (size_t i = 0; i < r->j->file_count && !found; i++) {
        const struct journal_file *f = &r->j->files[i];
        if (f->number >= r->at.file)
            found = file_shows_damage(r->j, f->fd, f->number == r->at.file ? r->at.at : 0,
                                      r->at.sequence + 1);
    }
    return found;
}

bool journal_damaged_file(struct journal_reader *r)
{
    int fd = journal_fd(r->j, r->at.file);
    return fd >= 0 && file_shows_damage(r->j, fd, r->at.at, r->at.sequence + 1);
}

int journal_commit_part(const struct journal *j, uint32_t file, uint32_t at, uint64_t sequence,
                        struct buf *out)
{
    int fd = journal_fd(j, file);
    struct log_head h;
    int err;

    if (fd < 0)
        return -EBADMSG;
    err = read_at(fd, &h, sizeof(h), at);
    if (err)
        return err == -ENODATA ? -EBADMSG : err;
    if (!head_sane(&h, UINT32_MAX) || h.sequence != sequence)
        return -EBADMSG;
    char *p = buf_reserve(out, h.commit_bytes);
    if (!p)
        return -EBADMSG;
    uint64_t commit_at;
    if (!commit_place(&h, &commit_at))
        return -EBADMSG;
    err = read_at(fd, p, h.commit_bytes, at + commit_at);
    if (err)
        return err == -ENODATA ? -EBADMSG : err;
    buf_commit(out, h.commit_bytes);
    return 0;
}
