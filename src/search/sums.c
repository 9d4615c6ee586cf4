#include "search/sums.h"

#include <stdbool.h>

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PAGE_MIN = 512, PAGE_MAX = 8192 };

struct sums_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *root;

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct sums_file *)(void *)f)->real;
}

/* ------------------------------------------------------------------ pages */

static bool is_page(int n, sqlite3_int64 at)
{
    return n >= PAGE_MIN && n <= PAGE_MAX && (n & (n - 1)) == 0 && at % n == 0;
}

/* Where it stands is part of it: a page in another's place is wrong, too. */
static uint64_t sum_of(const void *page, int n, sqlite3_int64 at)
{
    return XXH3_64bits_withSeed(page, (size_t)n - SUM_BYTES, (XXH64_hash_t)at);
}

static int page_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    uint64_t want;
    int rc = real_of(f)->pMethods->xRead(real_of(f), p, n, at);

    if (rc != SQLITE_OK || !is_page(n, at))
        return rc;
    memcpy(&want, (const char *)p + n - SUM_BYTES, SUM_BYTES);
    return want == sum_of(p, n, at) ? SQLITE_OK : SQLITE_IOERR_DATA;
}

static int page_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    char page[PAGE_MAX];
    uint64_t sum;

    if (!is_page(n, at))
        return SQLITE_IOERR_WRITE; /* nothing else is ever written into a database */
    memcpy(page, p, (size_t)n - SUM_BYTES);
    sum = sum_of(page, n, at);
    memcpy(page + n - SUM_BYTES, &sum, SUM_BYTES);
    return real_of(f)->pMethods->xWrite(real_of(f), page, n, at);
}

/* ------------------------------------------------------------------ all else as it is */

static int f_close(sqlite3_file *f)
{
    return real_of(f)->pMethods ? real_of(f)->pMethods->xClose(real_of(f)) : SQLITE_OK;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int f_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int f_check_lock(sqlite3_file *f, int *ret)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_device(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* Version 1: neither shared memory (one process, one connection: exclusive) nor mapped pages. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = f_close,
    .xRead = page_read,
    .xWrite = page_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check_lock,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    struct sums_file *s = (struct sums_file *)(void *)f;

    (void)vfs;
    if (!(flags & SQLITE_OPEN_MAIN_DB))
        return root->xOpen(root, name, f, flags, ret_flags);
    memset(s, 0, sizeof(*s));
    s->real = (sqlite3_file *)(void *)(s + 1);
    int rc = root->xOpen(root, name, s->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        s->base.pMethods = &methods;
    return rc;
}

int sums_register(void)
{
    static sqlite3_vfs vfs;

    if (root)
        return SQLITE_OK;
    root = sqlite3_vfs_find(NULL);
    if (!root)
        return SQLITE_ERROR;
    vfs = *root;
    vfs.pNext = NULL;
    vfs.zName = SUMS_VFS;
    vfs.szOsFile = (int)sizeof(struct sums_file) + root->szOsFile;
    vfs.xOpen = vfs_open;
    return sqlite3_vfs_register(&vfs, 0);
}

int sums_reserve(sqlite3 *db)
{
    int n = SUM_BYTES;

    return sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &n);
}
