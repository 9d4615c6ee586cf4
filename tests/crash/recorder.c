#include "recorder.h"

#include "base/check.h"
#include "base/list.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512, NAME = 256 };

enum event_kind {
    EVENT_CREATE,
    EVENT_WRITE,
    EVENT_TRUNCATE,
    EVENT_SYNC,
    EVENT_RENAME,
    EVENT_UNLINK,
    EVENT_FOLDER_SYNC
};

struct event {
    enum event_kind kind;
    uint64_t inode, at; /* of WRITE, or the size for TRUNCATE */
    size_t n;
    char *bytes;
    char name[NAME], to[NAME]; /* below the root */
};

static struct event *events;
static size_t count, cap;
static char root[PATH_MAX];
static size_t root_bytes;
static bool on;

static uint64_t known[4096];
static size_t known_count;

static struct event *event_new(enum event_kind kind)
{
    if (count == cap) {
        cap = cap ? cap * 2 : 1024;
        events = realloc(events, cap * sizeof(*events));
        CHECK(events);
    }
    memset(&events[count], 0, sizeof(*events));
    events[count].kind = kind;
    return &events[count++];
}

void recorder_start(const char *folder)
{
    CHECK(realpath(folder, root));
    root_bytes = strlen(root);
    on = true;
}

void recorder_stop(void)
{
    on = false;
}

void recorder_clear(void)
{
    for (size_t i = 0; i < count; i++)
        free(events[i].bytes);
    free(events);
    events = NULL;
    count = cap = 0;
    known_count = 0;
}

size_t recorder_events(void)
{
    return count;
}

/* ------------------------------------------------------------------ recording */
static bool below_root(const char *path, char name[NAME])
{
    if (!on || strncmp(path, root, root_bytes) != 0 ||
        (path[root_bytes] != '/' && path[root_bytes]))
        return false;
    const char *rest = path[root_bytes] ? path + root_bytes + 1 : "";
    CHECK(strlen(rest) < NAME);
    strcpy(name, rest);
    /* LMDB's lock file is memory that processes share; after a start it is made anew. */
    return strstr(rest, "lock") == NULL;
}

static bool fd_name(int fd, char name[NAME])
{
    char link[64], path[PATH_MAX];

    if (!on)
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return below_root(path, name);
}

static bool at_name(int dir, const char *file, char name[NAME])
{
    char link[64], path[PATH_MAX], folder[PATH_MAX];

    if (!on)
        return false;
    if (file[0] == '/' || dir == AT_FDCWD)
        return below_root(file, name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, folder, sizeof(folder) - 1);
    if (n <= 0)
        return false;
    folder[n] = '\0';
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, file) >= sizeof(path))
        return false;
    return below_root(path, name);
}

static uint64_t inode_of(int fd, const char *name)
{
    struct stat st;

    CHECK(fstat(fd, &st) == 0);
    for (size_t i = 0; i < known_count; i++)
        if (known[i] == st.st_ino)
            return st.st_ino;
    CHECK(known_count < sizeof(known) / sizeof(known[0]));
    known[known_count++] = st.st_ino;
    struct event *e = event_new(EVENT_CREATE);
    e->inode = st.st_ino;
    strcpy(e->name, name);
    return st.st_ino;
}

/* The number of a file that is gone may be given to another one. */
static void forget_inode(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return;
    for (size_t i = 0; i < known_count; i++)
        if (known[i] == st.st_ino)
            known[i] = known[--known_count];
}

static void note_write(int fd, const void *p, size_t n, uint64_t at)
{
    char name[NAME];

    if (!fd_name(fd, name))
        return;
    uint64_t inode = inode_of(fd, name);
    struct event *e = event_new(EVENT_WRITE);
    e->inode = inode;
    e->at = at;
    e->n = n;
    e->bytes = malloc(n ? n : 1);
    CHECK(e->bytes);
    memcpy(e->bytes, p, n);
}

static void note_sync(int fd)
{
    char name[NAME];
    struct stat st;

    if (!fd_name(fd, name) || fstat(fd, &st) < 0)
        return;
    if (S_ISDIR(st.st_mode)) {
        strcpy(event_new(EVENT_FOLDER_SYNC)->name, name);
        return;
    }
    uint64_t inode = inode_of(fd, name);
    event_new(EVENT_SYNC)->inode = inode;
}

/* A name appears when a file is made, not when it is first written to. */
static int opened(int fd, int flags)
{
    char name[NAME];

    if (fd >= 0 && (flags & O_CREAT) && fd_name(fd, name)) {
        struct stat st;
        uint64_t inode = inode_of(fd, name);
        if ((flags & O_TRUNC) && fstat(fd, &st) == 0)
            event_new(EVENT_TRUNCATE)->inode = inode;
    }
    return fd;
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, unsigned) : 0;
    va_end(ap);
    return opened((int)syscall(SYS_openat, dir, path, flags, mode), flags);
}

int openat64(int dir, const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, unsigned) : 0;
    va_end(ap);
    return openat(dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, unsigned) : 0;
    va_end(ap);
    return openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, unsigned) : 0;
    va_end(ap);
    return openat(AT_FDCWD, path, flags, mode);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t done = syscall(SYS_pwrite64, fd, p, n, at);
    if (done > 0)
        note_write(fd, p, (size_t)done, (uint64_t)at);
    return done;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t pwritev(int fd, const struct iovec *v, int vn, off_t at)
{
    ssize_t all = 0;

    for (int i = 0; i < vn; i++) {
        ssize_t done = pwrite(fd, v[i].iov_base, v[i].iov_len, at + all);
        if (done < 0)
            return all ? all : done;
        all += done;
    }
    return all;
}

ssize_t pwritev64(int fd, const struct iovec *v, int vn, off64_t at)
{
    return pwritev(fd, v, vn, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
    off_t at = on ? lseek(fd, 0, SEEK_CUR) : -1;
    ssize_t done = syscall(SYS_write, fd, p, n);
    if (done > 0 && at >= 0)
        note_write(fd, p, (size_t)done, (uint64_t)at);
    return done;
}

ssize_t writev(int fd, const struct iovec *v, int vn)
{
    ssize_t all = 0;

    for (int i = 0; i < vn; i++) {
        ssize_t done = write(fd, v[i].iov_base, v[i].iov_len);
        if (done < 0)
            return all ? all : done;
        all += done;
    }
    return all;
}

int fdatasync(int fd)
{
    int r = (int)syscall(SYS_fdatasync, fd);
    if (r == 0)
        note_sync(fd);
    return r;
}

int fsync(int fd)
{
    int r = (int)syscall(SYS_fsync, fd);
    if (r == 0)
        note_sync(fd);
    return r;
}

int ftruncate(int fd, off_t n)
{
    char name[NAME];
    int r = (int)syscall(SYS_ftruncate, fd, n);

    if (r == 0 && fd_name(fd, name)) {
        uint64_t inode = inode_of(fd, name);
        struct event *e = event_new(EVENT_TRUNCATE);
        e->inode = inode;
        e->at = (uint64_t)n;
    }
    return r;
}

int ftruncate64(int fd, off64_t n)
{
    return ftruncate(fd, n);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    char a[NAME], b[NAME];
    bool ours = at_name(from_dir, from, a) && at_name(to_dir, to, b);
    char path[PATH_MAX + NAME + 2];

    if (ours) {
        snprintf(path, sizeof(path), "%s/%s", root, b);
        forget_inode(path);
    }
    int r = (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
    if (r == 0 && ours) {
        struct event *e = event_new(EVENT_RENAME);
        strcpy(e->name, a);
        strcpy(e->to, b);
    }
    return r;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dir, const char *file, int flags)
{
    char name[NAME], path[PATH_MAX + NAME + 2];
    bool ours = at_name(dir, file, name);

    if (ours) {
        snprintf(path, sizeof(path), "%s/%s", root, name);
        forget_inode(path);
    }
    int r = (int)syscall(SYS_unlinkat, dir, file, flags);
    if (r == 0 && ours)
        strcpy(event_new(EVENT_UNLINK)->name, name);
    return r;
}

int unlink(const char *file)
{
    return unlinkat(AT_FDCWD, file, 0);
}

/* ------------------------------------------------------------------ images */
struct file {
    uint64_t inode;
    char *p; /* as it is durable */
    size_t n, cap;
    size_t *pending; /* events that are not */
    size_t pending_count, pending_cap;
};
struct entry {
    char name[NAME];
    struct file *file;
};
struct disk {
    struct file *files[4096];
    size_t file_count;
    struct entry entries[512]; /* durable names */
    size_t entry_count;
    struct {
        size_t event;
        struct file *file; /* of CREATE */
    } folder[4096];        /* changes of folders that are not durable */
    size_t folder_count;
    uint64_t (*random)(void);
};

static struct file *file_of(struct disk *d, uint64_t inode, bool make)
{
    for (size_t i = d->file_count; !make && i > 0; i--)
        if (d->files[i - 1]->inode == inode)
            return d->files[i - 1];
    CHECK(d->file_count < 4096);
    struct file *f = calloc(1, sizeof(*f));
    CHECK(f);
    f->inode = inode;
    d->files[d->file_count++] = f;
    return f;
}

static void grow(struct file *f, size_t n)
{
    if (n > f->cap) {
        f->p = realloc(f->p, n * 2);
        CHECK(f->p);
        f->cap = n * 2;
    }
    if (n > f->n) {
        memset(f->p + f->n, 0, n - f->n);
        f->n = n;
    }
}

/* part: only some of its sectors. */
static void apply_write(struct disk *d, struct file *f, const struct event *e, bool part)
{
    if (e->kind == EVENT_TRUNCATE) {
        if (e->at < f->n)
            f->n = (size_t)e->at;
        grow(f, (size_t)e->at);
        return;
    }
    for (size_t i = 0; i < e->n;) {
        size_t step = SECTOR - (size_t)((e->at + i) % SECTOR);
        if (step > e->n - i)
            step = e->n - i;
        if (!part || d->random() % 2) {
            grow(f, (size_t)e->at + i + step);
            memcpy(f->p + e->at + i, e->bytes + i, step);
        }
        i += step;
    }
}

static void settle(struct disk *d, struct file *f)
{
    for (size_t i = 0; i < f->pending_count; i++)
        apply_write(d, f, &events[f->pending[i]], false);
    f->pending_count = 0;
}

static void set_entry(struct disk *d, const char *name, struct file *f)
{
    for (size_t i = 0; i < d->entry_count; i++) {
        if (strcmp(d->entries[i].name, name) == 0) {
            d->entries[i].file = f;
            return;
        }
    }
    CHECK(d->entry_count < 512);
    strcpy(d->entries[d->entry_count].name, name);
    d->entries[d->entry_count++].file = f;
}

static struct file *get_entry(struct disk *d, const char *name)
{
    for (size_t i = 0; i < d->entry_count; i++)
        if (strcmp(d->entries[i].name, name) == 0)
            return d->entries[i].file;
    return NULL;
}

static void apply_folder(struct disk *d, size_t k)
{
    const struct event *e = &events[d->folder[k].event];

    if (e->kind == EVENT_CREATE) {
        set_entry(d, e->name, d->folder[k].file);
    } else if (e->kind == EVENT_RENAME) {
        struct file *f = get_entry(d, e->name);
        set_entry(d, e->name, NULL);
        set_entry(d, e->to, f);
    } else {
        set_entry(d, e->name, NULL);
    }
}

static bool in_folder(const char *name, const char *folder)
{
    const char *slash = strrchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : 0;
    return strlen(folder) == n && memcmp(name, folder, n) == 0;
}

static void folder_sync(struct disk *d, const char *folder)
{
    size_t keep = 0;

    for (size_t i = 0; i < d->folder_count; i++) {
        const struct event *e = &events[d->folder[i].event];
        if (in_folder(e->name, folder))
            apply_folder(d, i);
        else
            d->folder[keep++] = d->folder[i];
    }
    d->folder_count = keep;
}

static void replay_event(struct disk *d, size_t at)
{
    const struct event *e = &events[at];
    struct file *f;

    switch (e->kind) {
    case EVENT_CREATE:
        f = file_of(d, e->inode, true);
        d->folder[d->folder_count].file = f;
        d->folder[d->folder_count++].event = at;
        break;
    case EVENT_RENAME:
    case EVENT_UNLINK:
        CHECK(d->folder_count < 4096);
        d->folder[d->folder_count++].event = at;
        break;
    case EVENT_FOLDER_SYNC:
        folder_sync(d, e->name);
        break;
    case EVENT_SYNC:
        settle(d, file_of(d, e->inode, false));
        break;
    default:
        f = file_of(d, e->inode, false);
        if (f->pending_count == f->pending_cap) {
            f->pending_cap = f->pending_cap ? f->pending_cap * 2 : 16;
            f->pending = realloc(f->pending, f->pending_cap * sizeof(*f->pending));
            CHECK(f->pending);
        }
        f->pending[f->pending_count++] = at;
    }
}

static void crash(struct disk *d, enum image_kind kind)
{
    /* A disk that loses all, one that loses nothing, and what is between. */
    uint64_t mood = d->random() % 4;

    for (size_t i = 0; i < d->file_count; i++) {
        struct file *f = d->files[i];
        for (size_t k = 0; k < f->pending_count; k++) {
            uint64_t r = kind == IMAGE_KILLED || mood == 0 ? 0 : mood == 1 ? 1 : d->random() % 3;
            if (r != 1)
                apply_write(d, f, &events[f->pending[k]], r == 2);
        }
        f->pending_count = 0;
    }
    size_t first = kind == IMAGE_KILLED || mood == 0 ? d->folder_count
                   : mood == 1                       ? 0
                                                     : d->random() % (d->folder_count + 1);
    for (size_t k = 0; k < first; k++)
        apply_folder(d, k);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    return remove(path);
}

static void make_folders(const char *to)
{
    static const char *const folders[] = {"", "/store", "/store/index", "/store/log"};
    char path[PATH_MAX];

    nftw(to, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", to, folders[i]);
        CHECK(mkdir(path, 0750) == 0);
    }
}

void recorder_image(size_t until, enum image_kind kind, const char *to, uint64_t (*random)(void))
{
    struct disk *d = calloc(1, sizeof(*d));
    bool was_on = on;

    CHECK(d);
    on = false;
    d->random = random;
    for (size_t i = 0; i < until; i++)
        replay_event(d, i);
    crash(d, kind);
    make_folders(to);
    for (size_t i = 0; i < d->entry_count; i++) {
        char path[PATH_MAX + NAME];
        struct file *f = d->entries[i].file;
        if (!f)
            continue;
        snprintf(path, sizeof(path), "%s/%s", to, d->entries[i].name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
        CHECK(fd >= 0);
        CHECK(f->n == 0 || pwrite(fd, f->p, f->n, 0) == (ssize_t)f->n);
        close(fd);
    }
    for (size_t i = 0; i < d->file_count; i++) {
        free(d->files[i]->p);
        free(d->files[i]->pending);
        free(d->files[i]);
    }
    free(d);
    on = was_on;
}
