/* What a server answers to a hello made by hand: the same whole and as it grows. */
#include "base/check.h"
#include "monitor/hello.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_of(data, size);
    struct hello_answer whole = {0}, part = {0};
    enum hello_kind kind = hello_parse(all, &whole), early = HELLO_MORE;

    for (size_t n = 0; n < size && n < 300 && early == HELLO_MORE; n++)
        early = hello_parse(span_head(all, n), &part);
    CHECK(early == HELLO_MORE || early == kind);
    if (early == HELLO_TAKEN)
        CHECK(part.version == whole.version && part.suite == whole.suite &&
              part.compressed == whole.compressed);
    hello_version_name(whole.version);
    hello_suite_name(whole.suite);
    CHECK(hello_alert_name(whole.alert) != NULL);
    return 0;
}
