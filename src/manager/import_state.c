/*
 * import_state.c: a file of rows behind a head, only ever appended to; a last one that is not whole
 * is not counted. Losing the file costs time only: what is in the mailboxes is found there.
 */
#include "base/check.h"
#include "base/fd.h"
#include "base/map.h"
#include "manager/import.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, HEAD_BYTES = 16, ROW_BYTES = 24, BLOCK = 341 * ROW_BYTES };

struct import_state {
    int fd;
    struct map64 *known; /* key → place in rows, from 1 */
    struct import_row *rows;
    size_t n, cap;
    struct buf pending;
    char path[PATH_BYTES];
};

static bool remember(struct import_state *s, uint64_t key, const struct import_row *row)
{
    if (map64_get(s->known, key) != NULL)
        return false;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->rows = realloc(s->rows, s->cap * sizeof *s->rows);
        CHECK(s->rows != NULL);
    }
    s->rows[s->n++] = *row;
    map64_set(s->known, key, (void *)(uintptr_t)s->n);
    return true;
}

static int make_folders(char *path, struct err *e)
{
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        int r = mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -errno;
        if (r != 0)
            err_set(e, r, "the folder %s cannot be made: %s", text_quote(span_cstr(path)),
                    strerror(-r));
        *p = '/';
        if (r != 0)
            return r;
    }
    return 0;
}

static int choose_path(struct call *c, uint64_t identity, char path[PATH_BYTES], struct err *e)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n;

    if (has_option(c, OPT_STATE))
        n = snprintf(path, PATH_BYTES, "%s", c->option[OPT_STATE]);
    else if (state != NULL && state[0] == '/')
        n = snprintf(path, PATH_BYTES, "%s/sealpost/import-%016llx", state,
                     (unsigned long long)identity);
    else if (home != NULL && home[0] == '/')
        n = snprintf(path, PATH_BYTES, "%s/.local/state/sealpost/import-%016llx", home,
                     (unsigned long long)identity);
    else
        return err_set(e, -EINVAL,
                       "there is no HOME to keep the state of this import in: name a file with "
                       "--state");
    if (n < 0 || n >= PATH_BYTES)
        return err_set(e, -ENAMETOOLONG, "the name of the state file is too long");
    return has_option(c, OPT_STATE) ? 0 : make_folders(path, e);
}

static int load(struct import_state *s, uint64_t identity, struct err *e)
{
    struct buf head BUF_AUTO = BUF(HEAD_BYTES);
    unsigned char b[BLOCK];
    off_t at = HEAD_BYTES;
    ssize_t n;

    buf_put(&head, "SPIMPRT2", 8);
    wr_u64(&head, identity);
    n = pread(s->fd, b, HEAD_BYTES, 0);
    if (n > 0 && (n < HEAD_BYTES || memcmp(b, head.p, HEAD_BYTES) != 0))
        return err_set(e, -EBADMSG,
                       "%s is the state of another import (account, source or server differ); "
                       "name another file with --state",
                       text_quote(span_cstr(s->path)));
    if (n == 0 && pwrite(s->fd, head.p, HEAD_BYTES, 0) != HEAD_BYTES)
        n = -1;
    while (n >= 0 && (n = pread(s->fd, b, sizeof b, at)) > 0) {
        struct rd r = rd_of(span_of(b, (size_t)n - (size_t)n % ROW_BYTES));
        while (r.n > 0) {
            uint64_t key = rd_u64(&r);
            struct import_row row = {.hash = rd_u64(&r)};
            row.size = rd_u64(&r);
            remember(s, key, &row);
        }
        at += n - n % ROW_BYTES;
        if (n < ROW_BYTES)
            break;
    }
    /* half a row at the end would shift those that come */
    if (n < 0 || ftruncate(s->fd, at) != 0 || lseek(s->fd, at, SEEK_SET) < 0)
        return err_set(e, -errno, "the state file %s cannot be used: %s",
                       text_quote(span_cstr(s->path)), strerror(errno));
    return 0;
}

int import_state_open(struct call *c, uint64_t identity, struct import_state **ret, struct err *e)
{
    struct import_state *s = calloc(1, sizeof *s);
    int r;

    CHECK(s != NULL);
    s->fd = -1;
    s->known = map64_new();
    s->pending = BUF(64 << 20);
    r = choose_path(c, identity, s->path, e);
    if (r == 0) {
        s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (s->fd < 0)
            r = err_set(e, -errno, "the state file %s cannot be opened: %s",
                        text_quote(span_cstr(s->path)), strerror(errno));
        else if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
            r = err_set(e, -EBUSY, "another import from there is under way (it holds %s)",
                        text_quote(span_cstr(s->path)));
    }
    if (r == 0)
        r = load(s, identity, e);
    if (r != 0) {
        import_state_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

bool import_state_find(const struct import_state *s, uint64_t key, struct import_row *ret)
{
    uintptr_t at = s != NULL ? (uintptr_t)map64_get(s->known, key) : 0;

    if (at == 0)
        return false;
    *ret = s->rows[at - 1];
    return true;
}

void import_state_add(struct import_state *s, uint64_t key, const struct import_row *row)
{
    if (s == NULL || !remember(s, key, row))
        return;
    wr_u64(&s->pending, key);
    wr_u64(&s->pending, row->hash);
    wr_u64(&s->pending, row->size);
    if (s->pending.n >= BLOCK)
        import_state_sync(s);
}

int import_state_sync(struct import_state *s)
{
    int r = 0;

    if (s == NULL || s->pending.n == 0)
        return 0;
    r = fd_write_all(s->fd, s->pending.p, s->pending.n);
    buf_clear(&s->pending);
    return r;
}

void import_state_free(struct import_state *s)
{
    if (s == NULL)
        return;
    import_state_sync(s);
    fd_close(&s->fd);
    map64_free(s->known);
    free(s->rows);
    buf_done(&s->pending);
    free(s);
}

const char *import_state_path(const struct import_state *s)
{
    return s->path;
}
