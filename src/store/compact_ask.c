/* What the command line asks about room, and asks for. */
#include "store/compact.h"

#include "base/check.h"
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static unsigned long long ull(uint64_t n)
{
    return n;
}

/* Without the braces around it. */
void compact_put_stat(struct engine *e, struct buf *out)
{
    struct compact_stats s = compact_stats(e->compact);
    uint64_t size = 0, live = 0, room = 0, index = 0;
    struct statvfs v;
    struct stat st;
    MDB_txn *t;
    int fd;

    if (mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &t) == 0) {
        for (size_t i = 0; i < e->journal.file_count; i++) {
            if (fstat(e->journal.files[i].fd, &st) == 0)
                size += (uint64_t)st.st_size;
            live += live_bytes(e, t, e->journal.files[i].number);
        }
        mdb_txn_abort(t);
    }
    if (statvfs(e->options.root, &v) == 0)
        room = (uint64_t)v.f_bavail * v.f_frsize;
    if (mdb_env_get_fd(e->index.env, &fd) == 0 && fstat(fd, &st) == 0)
        index = (uint64_t)st.st_size;
    buf_printf(out,
               "\"log_size\":%llu,\"live_bytes\":%llu,\"index_bytes\":%llu,\"disk_free\":%llu,"
               "\"reserve\":%llu,\"disk_full\":%s,\"compaction\":{\"phase\":\"%s\",\"asked\":%s,"
               "\"rounds\":%llu,\"files_removed\":%llu,\"bytes_removed\":%llu,"
               "\"bytes_copied\":%llu,\"messages_moved\":%llu,\"left\":%zu,\"damaged\":%llu}",
               ull(size), ull(live), ull(index), ull(room), ull(e->options.min_free_bytes),
               e->disk_full ? "true" : "false", compact_phase_name(s.phase),
               s.requested ? "true" : "false", ull(s.rounds), ull(s.files_removed),
               ull(s.bytes_removed), ull(s.bytes_copied), ull(s.rows_moved), s.refs_left,
               ull(s.damaged));
}

/* u8: files that are alive less than so many percent. */
int ask_compact(struct engine *e, struct intent *i)
{
    struct rd r = rd_of(i->payload);
    uint8_t percent = rd_u8(&r);

    if (!rd_done(&r) || percent == 0 || percent > 100)
        return -EINVAL;
    compact_request(e->compact, percent);
    return 0;
}
