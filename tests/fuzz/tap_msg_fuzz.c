/* Messages about taps: what the command line asks for, what a worker counts. */
#include "base/check.h"
#include "line/session_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tls_tap_request q;
    struct tls_tap_counts c;
    struct buf b BUF_AUTO = BUF(8192);

    if (rd_tap_open(span_of(data, n), &q)) {
        wr_tap_open(&b, &q);
        CHECK(span_eq(buf_span(&b), span_of(data, n)));
    }
    buf_clear(&b);
    if (rd_tap_counts(span_of(data, n), &c)) {
        wr_tap_counts(&b, &c);
        CHECK(span_eq(buf_span(&b), span_of(data, n)));
    }
    return 0;
}
