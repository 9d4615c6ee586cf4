#include "base/json.h"

#include "base/utf8.h"

bool json_put_string(struct buf *b, struct span s)
{
    uint32_t c;

    buf_putc(b, '"');
    while (utf8_next(&s, &c)) {
        if (c == '"' || c == '\\') {
            buf_putc(b, '\\');
            buf_putc(b, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(b, "\\u%04x", (unsigned)c);
        } else {
            utf8_put(b, c);
        }
    }
    return buf_putc(b, '"');
}
