/* Configurations as bytes: what is accepted writes back to the same bytes, and is one that a file
 * could have said. */
#include "base/check.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static const char *const starts[] = {
    "domain = \"a\"; hostname = \"b.a\"; vservers = ();",
    "domain = \"a\"; hostname = \"b.a\"; trusted = [\"10.0.0.0/8\"]; vservers = ("
    "{ name = \"i\"; protocol = \"imap4\"; endpoints = ({ port = 1; }); },"
    "{ name = \"m\"; protocol = \"smtp\"; endpoints = ({ port = 2; policy = \"opportunistic\"; }); "
    "});"
    "connectors = ({ name = \"k\"; address_space = \"*\"; smart_host = \"c:5\"; });",
};

/* Starts over from a true configuration now and then: the format is too strict to be found by
 * chance. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    if (size < 64 || seed % 16 == 0) {
        BUF_AUTO struct buf bytes = BUF(1 << 16), problems = BUF(1 << 16);
        const char *text = starts[seed / 16 % ARRAY_LEN(starts)];
        struct conf *c = conf_parse(span_cstr(text), "start", &problems);
        CHECK(c);
        conf_wr(c, &bytes);
        conf_free(c);
        if (bytes.n <= max) {
            memcpy(data, bytes.p, bytes.n);
            size = bytes.n;
        }
    }
    return LLVMFuzzerMutate(data, size, max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *c = conf_rd(span_of(data, size));
    BUF_AUTO struct buf bytes = BUF(4 << 20), text = BUF(4 << 20), problems = BUF(1 << 16);

    if (!c)
        return 0;
    conf_wr(c, &bytes);
    CHECK(span_eq(buf_span(&bytes), span_of(data, size)));
    conf_print(c, false, &text);
    struct conf *back = conf_parse(buf_span(&text), "printed", &problems);
    CHECK(back);
    conf_free(back);
    conf_free(c);
    return 0;
}
