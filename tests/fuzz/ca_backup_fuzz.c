/* The head of the file that the CA is kept in: what is read is written again the same, and the register begins where it ends. */
#include "base/check.h"
#include "manager/ca_backup_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data, size);
    struct buf again BUF_AUTO = BUF(CA_BACKUP_HEAD_MAX);
    struct ca_backup_head h;
    uint64_t at;

    if (!rd_ca_backup_head(bytes, &h, &at))
        return 0;
    CHECK(at <= size && h.count <= CA_RESTORE_KEYS_MAX && h.rounds <= CA_BACKUP_ROUNDS_MAX);
    CHECK(at + h.register_bytes > at && at + h.register_bytes < INT64_MAX);
    wr_ca_backup_head(&again, &h);
    CHECK(!again.overflow && span_eq(buf_span(&again), span_head(bytes, at)));
    return 0;
}
