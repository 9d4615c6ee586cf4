/* Encoded words and MIME parameters; decoded text is UTF-8 on one line, encoded text decodes to
 * what it was. */
#include "base/check.h"
#include "base/utf8.h"
#include "message/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size), name, value;
    struct buf out BUF_AUTO = BUF(8 * size + 100), coded BUF_AUTO = BUF(64 * size + 100),
                   scratch BUF_AUTO = BUF(0);
    words_decode(in, &out);
    CHECK(utf8_valid(buf_span(&out)) && !span_has(buf_span(&out), '\n') &&
          !span_has(buf_span(&out), 0));
    words_encode(in, &coded);
    CHECK(utf8_is_ascii(buf_span(&coded)));
    struct param_scan s;
    size_t count = 0;
    param_scan_init(&s, in, &scratch);
    while (param_next(&s, &name, &value))
        CHECK(++count <= size && name.n > 0 && value.n <= size);
    buf_clear(&out);
    param_decode(in, "filename", &out);
    CHECK(utf8_valid(buf_span(&out)));
    return 0;
}
