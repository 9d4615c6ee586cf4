/* What lies in other people's folders: From lines, names, line ends. */
#include "manager/import.h"

#include "base/check.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct buf level = BUF(1 << 20), fit = BUF(1 << 20), file = BUF(1 << 20), lines = BUF(1 << 21);
    int64_t seconds = -1;
    int zone = 0;

    if (import_mbox_is_from(in, &seconds, &zone))
        CHECK(seconds > -86400 && zone > -1440 && zone < 1440);
    import_name_level(in, &level);
    CHECK(utf8_valid(buf_span(&level)));
    import_name_fit(buf_span(&level), &fit);
    CHECK(fit.n > 0 && fit.n <= STORE_NAME_MAX && utf8_valid(buf_span(&fit)));
    import_name_file(span_head(buf_span(&fit), STORE_NAME_MAX), size & 1, &file);
    CHECK(file.n < 250 && file.n > 0 && file.p[0] != '.');
    import_crlf(in, &lines);
    for (size_t i = 0; i < lines.n; i++)
        CHECK(lines.p[i] != '\n' || (i > 0 && lines.p[i - 1] == '\r'));
    buf_done(&level);
    buf_done(&fit);
    buf_done(&file);
    buf_done(&lines);
    return 0;
}
