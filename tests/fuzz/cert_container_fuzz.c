/* Files with certificates and keys, as strangers send them. First byte: which reader, and with what
 * passphrase. The work that a file may ask for is bounded, so no input takes long. */
#include "base/check.h"
#include "pki/container.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void certificates(struct span in)
{
    struct chain c = CHAIN_NONE;
    struct err e = {""};

    if (container_certificates(in, &c, &e) < 0)
        CHECK(e.text[0]);
    else
        CHECK(c.n > 0);
    for (size_t i = 0; i < c.n; i++)
        for (size_t k = 0; k < i; k++)
            CHECK(!span_eq(certificate_der(c.v[i]), certificate_der(c.v[k])));
    chain_done(&c);
}

static void with_key(struct span in, unsigned how)
{
    struct container_key k;
    struct err e = {""};
    int rc;

    container_key_init(&k);
    rc = container_open(in,
                        how & 1   ? SPAN("fuzz")
                        : how & 2 ? SPAN("")
                                  : SPAN_EMPTY,
                        how & 4, &k, &e);
    if (rc < 0)
        CHECK(e.text[0]);
    CHECK((k.pkcs8.n > 0) == (k.spki.n > 0));
    if (k.needs_passphrase)
        CHECK(rc == -13 && !(how & 3)); /* EACCES */
    for (const char *p = k.name; *p; p++)
        CHECK((unsigned char)*p >= 0x20);
    container_key_done(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (data[0] & 8)
        certificates(span_of(data + 1, size - 1));
    else
        with_key(span_of(data + 1, size - 1), data[0]);
    return 0;
}
