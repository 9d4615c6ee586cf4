/* The file of an identity, with a checksum that holds: what reads is written back as the same
 * bytes. */
#include "base/check.h"
#include "base/utf8.h"
#include "pki/identity.h"

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf in BUF_AUTO = BUF(4 << 20), out BUF_AUTO = BUF(4 << 20),
                  json BUF_AUTO = BUF(4 << 20);
    unsigned char sum[EVP_MAX_MD_SIZE];
    struct identity id;
    struct err e = {""};

    CHECK(identity_read(span_of(data, size), &id, &e) < 0 || (identity_done(&id), true));
    buf_put_cstr(&in, "sealpost identity 3\n");
    if (size > IDENTITY_FILE_MAX || !buf_put(&in, data, size))
        return 0;
    CHECK(EVP_Digest(in.p, in.n, sum, NULL, EVP_sha256(), NULL) == 1);
    buf_put(&in, sum, 32);
    if (identity_read(buf_span(&in), &id, &e) < 0) {
        CHECK(e.text[0]);
        return 0;
    }
    CHECK(identity_write(&id, &out));
    CHECK(span_eq(buf_span(&in), buf_span(&out)));
    identity_json(&id, 0, &json);
    CHECK(!json.overflow && utf8_valid(buf_span(&json)));
    identity_done(&id);
    return 0;
}
