/* What a hostile server says in a SCRAM exchange: server-first, a line end, server-final. */
#include "base/check.h"
#include "monitor/scram.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), first = SPAN_EMPTY;
    struct buf out BUF_AUTO = BUF(4096), ours BUF_AUTO = BUF(8192), sent BUF_AUTO = BUF(4096);
    struct scram s;

    span_split(&rest, '\n', &first);
    /* many rounds are slow, not interesting */
    if (size > 8192 || span_find_span(first, SPAN("i=")) == SPAN_NONE ||
        first.n - span_find_span(first, SPAN("i=")) > 6)
        return 0;
    scram_init(&s, "user", "pencil");
    scram_first_with(&s, "abc", &sent);
    buf_put_cstr(&ours, "r=abc");
    buf_put_span(&ours, first);
    scram_final(&s, first, &out);
    buf_clear(&out);
    if (scram_final(&s, buf_span(&ours), &out))
        CHECK(span_find_span(buf_span(&out), SPAN(",p=")) != SPAN_NONE);
    scram_server_proved(&s, rest);
    scram_done(&s);
    return 0;
}
