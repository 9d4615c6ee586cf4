/* OCSP requests: from anybody who reaches the HTTP virtual server. */
#include "base/check.h"
#include "pki/ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ocsp_question q = {NULL, 0, {0}, 0};
    struct err e = {""};

    if (ocsp_question_parse(span_of(data, size), &q, &e) < 0) {
        CHECK(e.text[0] && !q.ids && q.id_count == 0);
        return 0;
    }
    CHECK(q.id_count > 0 && q.id_count <= OCSP_IDS_MAX && q.nonce_bytes <= OCSP_NONCE_MAX);
    for (unsigned i = 0; i < q.id_count; i++) {
        const char *serial = ocsp_id_serial(&q, i);
        CHECK(strlen(serial) < CERTIFICATE_SERIAL_MAX);
        CHECK(strspn(serial, "0123456789abcdef") == strlen(serial));
    }
    ocsp_question_done(&q);
    return 0;
}
