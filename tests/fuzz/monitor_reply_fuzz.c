/* Replies of hostile servers: first byte protocol, then lines. */
#include "base/check.h"
#include "monitor/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), line;
    enum conf_protocol p;

    if (rest.n == 0)
        return 0;
    p = (enum conf_protocol)((unsigned char)rest.p[0] % PROTOCOL_COUNT);
    rest = span_skip(rest, 1);
    while (span_split(&rest, '\n', &line)) {
        struct buf out BUF_AUTO = BUF(65536);
        struct span part;
        unsigned code = 1000;
        uint64_t bytes = 0;
        enum reply_kind kind;

        line = span_chomp(line);
        kind = reply_line(p, line, "p1", &code);
        CHECK(kind <= REPLY_NONSENSE && (code == 0 || (code >= 100 && code <= 599)));
        CHECK(kind != REPLY_NONSENSE || code == 0);
        part = reply_text(p, line);
        CHECK(part.n <= line.n);
        if (reply_literal(line, 1000, &bytes))
            CHECK(bytes <= 1000);
        if (reply_block_line(line, &part))
            CHECK(part.n == line.n || (part.n + 1 == line.n && line.p[0] == '.'));
        else
            CHECK(line.n == 1 && line.p[0] == '.');
        reply_has_word(line, "localhost");
        reply_has_word(line, "my-mail.example");
        reply_http_status(line, &code);
        if (reply_http_field(line, "Location", &part))
            CHECK(part.n < line.n);
        reply_challenge(p, line, &out);
    }
    return 0;
}
