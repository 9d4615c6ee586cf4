#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "manager/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { VERSION = 1 };

void backup_init(struct backup *b)
{
    *b = (struct backup){.dir = -1};
}

void backup_done(struct backup *b)
{
    for (size_t k = 0; k < b->n; k++)
        free(b->files[k].path);
    free(b->files);
    fd_close(&b->dir);
    backup_init(b);
}

void backup_add(struct backup *b, const char *path, uint64_t bytes, uint64_t sum, unsigned mode)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->files = realloc(b->files, b->cap * sizeof *b->files);
        CHECK(b->files != NULL);
    }
    b->files[b->n++] = (struct backup_file){span_dup(span_cstr(path)), bytes, sum, mode & 0777};
}

const struct backup_file *backup_find(const struct backup *b, const char *path)
{
    for (size_t k = 0; k < b->n; k++)
        if (strcmp(b->files[k].path, path) == 0)
            return &b->files[k];
    return NULL;
}

/* Nothing in a manifest may lead out of the backup's folder. */
static bool path_fits(const char *path)
{
    struct span rest = span_cstr(path), part;

    if (rest.n == 0 || rest.n >= BACKUP_PATH_MAX || path[0] == '/')
        return false;
    while (span_split(&rest, '/', &part))
        if (part.n == 0 || span_eq_cstr(part, ".") || span_eq_cstr(part, ".."))
            return false;
    return true;
}

static bool load_file(struct backup *b, const json_t *f)
{
    const char *path = view_string(f, "path"), *sum = view_string(f, "xxh3");
    json_int_t bytes = json_integer_value(json_object_get(f, "bytes"));
    json_int_t mode = json_integer_value(json_object_get(f, "mode"));
    char *end;
    uint64_t value;

    if (!path_fits(path) || strlen(sum) != 16 || bytes < 0)
        return false;
    value = strtoull(sum, &end, 16);
    if (*end != '\0')
        return false;
    backup_add(b, path, (uint64_t)bytes, value, (unsigned)mode);
    return true;
}

int backup_load(struct backup *b, struct err *e)
{
    struct buf text BUF_AUTO = BUF(BACKUP_MANIFEST_MAX);
    json_t *v, *f;
    size_t k;
    bool fine;
    int r = file_read(b->dir, BACKUP_MANIFEST, BACKUP_MANIFEST_MAX, &text, e);

    if (r == -ENOENT)
        return err_set(e, r,
                       "there is no " BACKUP_MANIFEST
                       ": the backup was interrupted and is incomplete, or it is none");
    if (r != 0)
        return r;
    if ((v = view_parse(buf_span(&text), BACKUP_MANIFEST, e)) == NULL)
        return -EBADMSG;
    fine = strcmp(view_string(v, "format"), "sealpost backup") == 0 &&
           json_integer_value(json_object_get(v, "version")) == VERSION &&
           span_to_cstr(span_cstr(view_string(v, "store")), b->store, sizeof b->store) &&
           span_to_cstr(span_cstr(view_string(v, "set")), b->set, sizeof b->set) &&
           path_fits(b->set);
    b->taken = json_integer_value(json_object_get(v, "taken"));
    b->sequence = (uint64_t)json_integer_value(view_get(v, "log.sequence"));
    b->file = (uint32_t)json_integer_value(view_get(v, "log.file"));
    b->at = (uint32_t)json_integer_value(view_get(v, "log.at"));
    json_array_foreach(json_object_get(v, "files"), k, f)
    {
        fine = fine && load_file(b, f);
    }
    json_decref(v);
    return fine ? 0 : err_set(e, -EBADMSG, BACKUP_MANIFEST " is damaged, or of another version");
}

int backup_save(const struct backup *b, struct err *e)
{
    json_t *files = json_array(), *v;
    char sum[24], *text;
    int r;

    for (size_t k = 0; k < b->n; k++) {
        snprintf(sum, sizeof sum, "%016" PRIx64, b->files[k].sum);
        json_array_append_new(files,
                              json_pack("{s:o,s:I,s:s,s:i}", "path", view_text(b->files[k].path),
                                        "bytes", (json_int_t)b->files[k].bytes, "xxh3", sum, "mode",
                                        (int)b->files[k].mode));
    }
    v = json_pack("{s:s,s:i,s:s,s:s,s:I,s:{s:I,s:I,s:I},s:o}", "format", "sealpost backup",
                  "version", VERSION, "store", b->store, "set", b->set, "taken",
                  (json_int_t)b->taken, "log", "sequence", (json_int_t)b->sequence, "file",
                  (json_int_t)b->file, "at", (json_int_t)b->at, "files", files);
    text = json_dumps(v, JSON_INDENT(1));
    CHECK(text != NULL);
    r = file_write(b->dir, BACKUP_MANIFEST, span_cstr(text), 0600, e);
    free(text);
    json_decref(v);
    return r;
}

/* ---- copying ----------------------------------------------------------------------------- */

static volatile int interrupts;

static void on_signal(int signo)
{
    interrupts = interrupts + 1;
}

const volatile int *backup_interrupts(void)
{
    struct sigaction a = {.sa_handler = on_signal};

    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    return &interrupts;
}

static void keep_pace(struct backup_pace *p, uint64_t bytes)
{
    uint64_t due, now = clock_mono_ms();

    if (p->began_ms == 0)
        p->began_ms = now;
    p->bytes += bytes;
    if (p->progress != NULL)
        p->progress(p->arg, p->bytes);
    if (p->bytes_per_second == 0)
        return;
    due = p->began_ms + p->bytes * 1000 / p->bytes_per_second;
    if (due > now) {
        struct timespec t = {(time_t)((due - now) / 1000), (long)((due - now) % 1000) * 1000000};
        nanosleep(&t, NULL);
    }
}

static int write_all_at(int fd, const char *p, size_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

int backup_copy(int in, int out, uint64_t from, uint64_t to, struct backup_pace *p,
                uint64_t *ret_bytes, uint64_t *ret_before, uint64_t *ret_sum)
{
    char *block = malloc(BACKUP_BLOCK);
    XXH3_state_t *sum = XXH3_createState();
    uint64_t at = 0;
    int r = 0;

    CHECK(block != NULL && sum != NULL);
    XXH3_64bits_reset(sum);
    while (r == 0 && at < to) {
        /* not across `from`, where the sum is looked at */
        uint64_t stop = at < from && from < to ? from : to;
        size_t want = stop - at < BACKUP_BLOCK ? (size_t)(stop - at) : BACKUP_BLOCK;
        if (at == from && ret_before != NULL)
            *ret_before = XXH3_64bits_digest(sum);
        ssize_t n = pread(in, block, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : to == UINT64_MAX ? 0 : -ENODATA;
            break;
        }
        XXH3_64bits_update(sum, block, (size_t)n);
        if (out >= 0 && at >= from)
            r = write_all_at(out, block, (size_t)n, at);
        /* the server's own pages stay in memory, not these */
        posix_fadvise(in, (off_t)at, n, POSIX_FADV_DONTNEED);
        at += (uint64_t)n;
        keep_pace(p, (uint64_t)n);
        if (p->stop != NULL && *p->stop != 0)
            r = -ECANCELED;
    }
    if (at == from && ret_before != NULL)
        *ret_before = XXH3_64bits_digest(sum);
    *ret_bytes = at;
    *ret_sum = XXH3_64bits_digest(sum);
    XXH3_freeState(sum);
    free(block);
    return r;
}
