/* Certificates, chains and files with them, as strangers send them. First byte: which reader. */
#include "base/check.h"
#include "base/codec.h"
#include "base/utf8.h"
#include "pki/chain.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is printed never carries control bytes to a terminal. */
static void check_text(struct buf *b, bool lines)
{
    CHECK(utf8_valid(buf_span(b)));
    for (size_t i = 0; i < b->n; i++)
        CHECK((unsigned char)b->p[i] >= 0x20 || (lines && b->p[i] == '\n'));
}

static void look_at(const struct certificate *c)
{
    struct buf text BUF_AUTO = BUF(1 << 20), json BUF_AUTO = BUF(1 << 20),
                    spki BUF_AUTO = BUF(CERTIFICATE_DER_MAX);

    certificate_print(c, 1795500000, &text);
    check_text(&text, true);
    certificate_json(c, &json);
    CHECK(!json.overflow);
    check_text(&json, false);
    CHECK(certificate_spki(c, &spki) && certificate_has_spki(c, buf_span(&spki)));
    for (uint32_t i = 0; i < c->names.n; i++)
        certificate_name_matches(c, &c->names.v[i]);
    if (c->has_permitted)
        CHECK(permitted_covers(&c->permitted, &c->permitted));
}

static void check_chain(struct chain *c)
{
    struct err e = {""};
    struct buf bytes BUF_AUTO = BUF(CERTIFICATE_CHAIN_MAX * (CERTIFICATE_DER_MAX + 4)),
                     spki BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct chain again = CHAIN_NONE, roots = {{c->n ? c->v[c->n - 1] : NULL}, c->n ? 1 : 0};

    for (size_t i = 0; i < c->n; i++)
        look_at(c->v[i]);
    for (int p = CHAIN_SERVER; p <= CHAIN_CA; p++) {
        struct chain_want w = {
            .purpose = (enum chain_purpose)p, .roots = &roots, .now = 1795500000};
        if (c->n)
            w.names = &c->v[0]->names;
        if (chain_check(c, &w, &e) != CHAIN_FAULT_NONE)
            CHECK(e.text[0]);
    }
    CHECK(chain_write(c, &bytes) && chain_parse(buf_span(&bytes), &again, &e) == 0 &&
          again.n == c->n);
    if (again.n) {
        certificate_spki(again.v[again.n - 1], &spki);
        CHECK(chain_arrange(&again, buf_span(&spki)));
    }
    chain_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chain c = CHAIN_NONE;
    struct err e;
    struct span in;
    int rc;

    if (size < 1)
        return 0;
    in = span_of(data + 1, size - 1);
    rc = data[0] % 2 ? chain_parse(in, &c, &e) : chain_parse_file(in, &c, &e);
    if (rc == 0)
        check_chain(&c);
    else
        CHECK(c.n == 0 && e.text[0]);
    chain_done(&c);
    return 0;
}
