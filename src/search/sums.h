/*
 * sums.h: a layer below SQLite (a VFS) that puts a checksum into the last SUM_BYTES of each page of
 * a database and proves it whenever the page is read. A page that is not what was written makes the
 * read fail (SQLITE_IOERR_DATA) instead of the search miss something. Pages that still lie in the write-ahead log have
 * SQLite's own checksums.
 */
#ifndef SEARCH_SUMS_H
#define SEARCH_SUMS_H

#include <sqlite3.h>

enum { SUM_BYTES = 8 };
#define SUMS_VFS "sealpost-sums"

/* Once per process; an SQLite error code. */
int sums_register(void);
/* Of a database that has no page yet: keeps the room free. */
int sums_reserve(sqlite3 *db);

#endif
