/* OCSP answers: from whoever sits at the address of a responder, over HTTP. First byte: at what hour they come. The certificates
 * are fixed, so that an answer of the corpus, whose signature holds, reaches what stands behind that. */
#include "base/check.h"
#include "pki/staple.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#include "staple_certs.h"

static struct chain chain;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct staple_answer a = {.state = OCSP_UNKNOWN, .this_update = -1, .next_update = -1};
    struct err e = {""};
    int64_t now;
    int rc;

    if (chain.n == 0)
        CHECK(chain_parse_file(span_cstr(staple_certs), &chain, &e) == 0 && chain.n == 2);
    if (size < 1)
        return 0;
    now = STAPLE_CERTS_NOW + ((int64_t)data[0] - 128) * 3600;
    rc = staple_check(span_of(data + 1, size - 1), chain.v[0], chain.v[1], now, &a, &e);
    if (rc < 0) {
        CHECK(e.text[0] && a.next_update == -1);
        return 0;
    }
    CHECK(size - 1 <= OCSP_ANSWER_MAX && a.state <= OCSP_UNKNOWN);
    CHECK(a.next_update > now && a.next_update > a.this_update &&
          a.this_update <= now + STAPLE_SKEW_SECONDS);
    return 0;
}
