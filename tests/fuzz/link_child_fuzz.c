/* The payloads between supervisor, children and command line: whatever is read writes itself back
 * the same. */
#include "base/check.h"
#include "proc/child/child_msg.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct buf b BUF_AUTO = BUF(4096);
    struct child_start start;
    struct sandbox_report walls;
    struct child_alive alive;
    enum role role;
    unsigned instance;
    uint32_t x, y;

    if (rd_child_start(in, &start)) {
        wr_child_start(&b, &start);
        CHECK(span_eq(buf_span(&b), in));
    }
    buf_clear(&b);
    if (rd_child_ready(in, &walls)) {
        wr_child_ready(&b, &walls);
        CHECK(span_eq(buf_span(&b), in));
    }
    buf_clear(&b);
    if (rd_child_peer(in, &role, &instance)) {
        wr_child_peer(&b, role, instance);
        CHECK(span_eq(buf_span(&b), in));
    }
    buf_clear(&b);
    if (rd_child_listen(in, &x, &y)) {
        wr_child_listen(&b, x, y);
        CHECK(span_eq(buf_span(&b), in));
    }
    buf_clear(&b);
    if (rd_child_stop(in, &x)) {
        wr_child_stop(&b, x);
        CHECK(span_eq(buf_span(&b), in));
    }
    buf_clear(&b);
    if (rd_child_alive(in, &alive)) {
        wr_child_alive(&b, &alive);
        CHECK(span_eq(buf_span(&b), in));
    }
    return 0;
}
