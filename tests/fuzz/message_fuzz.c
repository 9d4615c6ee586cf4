/* The whole way of a message: summary, its sections, search in it; then the input as a block from
 * the disk. */
#include "base/check.h"
#include "message/downgrade.h"
#include "message/search.h"
#include "message/summary.h"

static void use(struct span raw, const struct summary *s, const struct needle *n)
{
    struct part_range r;
    uint32_t path[3] = {1, 1, 1};
    for (uint32_t i = 0; i < s->part_count && i < 50; i++)
        if (summary_part_at(s, i, &r)) {
            struct buf text BUF_AUTO = BUF(1000);
            part_text(raw, &r, &text);
        }
    for (size_t depth = 0; depth <= 3; depth++)
        summary_part(s, path, depth, &r);
    search_body(raw, s, n);
    search_header_any(span_head(raw, s->header_bytes), n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span raw = span_of(data, size);
    struct message_limits small = {.header_bytes = 4096,
                                   .header_fields = 20,
                                   .parts = 10,
                                   .depth = 4,
                                   .addresses = 4,
                                   .summary_bytes = 8192};
    struct buf out BUF_AUTO = BUF(1 << 20), again BUF_AUTO = BUF(1 << 20),
                   tight BUF_AUTO = BUF(1 << 20), seven BUF_AUTO = BUF(4 << 20);
    struct needle *n = needle_new(SPAN("\xc3\x89n"));
    struct summary s;
    CHECK(summary_make(raw, &message_limits_default, &out) == 0);
    CHECK(summary_make(raw, &message_limits_default, &again) == 0);
    CHECK(span_eq(buf_span(&out), buf_span(&again)));
    CHECK(summary_open(buf_span(&out), &s));
    use(raw, &s, n);
    CHECK(summary_make(raw, &small, &tight) == 0 && tight.n <= small.summary_bytes);
    CHECK(summary_open(buf_span(&tight), &s));
    use(raw, &s, n);
    if (summary_open(raw, &s))
        use(raw, &s, n);
    needle_free(n);
    if (!downgrade_is_8bit(raw)) /* nothing to do */
        CHECK(downgrade(raw, &seven) != 0 || span_eq(buf_span(&seven), raw));
    else
        downgrade(raw, &seven);
    return 0;
}
