/*
 * The memory of a tap in the server, written by a worker that has been taken over: counters and records of any kind, and more of them
 * while it is read. The first bytes become the counters, the rest the records; all goes through the parser of packets.
 */
#include "base/check.h"
#include "base/codec.h"
#include "capture/observe.h"
#include "capture/source.h"

#include <sys/mman.h>

enum { PAGE = 4096 };

static void on_frame(void *arg, struct span frame, uint32_t wire_bytes, int64_t time_us)
{
    observe_packet(arg, LINK_RAW, frame, wire_bytes, time_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct observe_endpoint end = {.vserver = "v",
                                   .protocol = PROTOCOL_IMAP4,
                                   .policy = POLICY_STARTTLS_REQUIRED,
                                   .end = {.port = 143}};
    struct observe *o = observe_new(&end, 1, NULL, NULL, NULL);
    struct rd r = rd_of(span_of(data, n));
    uint64_t head = rd_u64(&r), more = rd_u64(&r), received, dropped;
    struct feed *f;
    struct source *s;
    struct err e;
    char *p;

    CHECK(feed_make(FEED_BYTES_MIN, &f, &e) == 0);
    p = mmap(NULL, PAGE + FEED_BYTES_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, feed_fd(f), 0);
    CHECK(p != MAP_FAILED);
    if (r.n > 0)
        memcpy(p + PAGE, r.p, r.n < FEED_BYTES_MIN ? r.n : FEED_BYTES_MIN);
    memcpy(p + 64, &head, 8);
    s = source_of_feeds(&f, 1);
    source_read(s, 1000, on_frame, o);
    memcpy(p + 64, &more, 8);
    source_read(s, 1000, on_frame, o);
    CHECK(source_statistics(s, &received, &dropped));
    source_close(s);
    observe_finish(o);
    observe_free(o);
    munmap(p, PAGE + FEED_BYTES_MIN);
    return 0;
}
