/* Certificate requests. */
#include "base/check.h"
#include "pki/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request *r = NULL;
    struct err e = {""};

    if (request_parse(span_of(data, size), &r, &e) < 0) {
        CHECK(e.text[0] && !r);
        return 0;
    }
    CHECK(r->spki_bytes > 0);
    for (const char *p = r->common_name; *p; p++)
        CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
    for (const char *p = r->subject; *p; p++)
        CHECK((unsigned char)*p >= 0x20);
    request_free(r);
    return 0;
}
