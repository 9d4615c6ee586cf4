/* Fields of a header block, one by one and selected; Message-IDs; what is written of them again. */
#include "base/check.h"
#include "message/build.h"
#include "message/header.h"
#include "message/news.h"
#include "message/thread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span raw = span_of(data, size), rest = span_head(raw, header_block_bytes(raw)), id;
    const struct span names[] = {SPAN("subject"), SPAN("to")};
    struct header_field f;
    while (header_next(&rest, &f)) {
        struct buf line BUF_AUTO = BUF(size + 1), text BUF_AUTO = BUF(8 * size + 100),
                        field BUF_AUTO = BUF(64 * size + 1000);
        CHECK(header_unfold(f.value, &line) && !span_has(buf_span(&line), '\n') &&
              !span_has(buf_span(&line), 0));
        header_decode(f.value, &text);
        CHECK(!span_has(buf_span(&text), '\n') && !span_has(buf_span(&text), '\r'));
        CHECK(build_field(&field, "X", f.value, size % 2));
        struct span again = buf_span(&field);
        CHECK(header_next(&again, &f) && again.n == 0);
    }
    struct buf out BUF_AUTO = BUF(8 * size + 1000);
    header_select(raw, names, 2, size % 2, &out);
    for (rest = raw; message_id_next(&rest, &id);)
        CHECK(id.n >= 5 && id.p[0] == '<' && id.p[id.n - 1] == '>');
    thread_base_subject(raw, &out);
    struct fields fields;
    fields_collect(raw, &message_limits_default, &fields);
    news_valid(&fields);
    news_overview(&fields, &out);
    return 0;
}
