/* The messages about certificates: what reads is written back as the same bytes. First byte: which.
 */
#include "base/check.h"
#include "pki/cert_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct buf *b, struct span in)
{
    CHECK(!b->overflow && span_eq(buf_span(b), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b BUF_AUTO = BUF(1 << 20);
    struct span in;
    struct ca_issue_msg issue;
    struct ca_issued_msg issued;
    struct ca_list_msg list;
    struct ca_revoke_msg revoke;
    struct cert_identity_msg identity;
    struct cert_staple_msg staple;
    char word[CERT_MSG_WORD_MAX + 1];
    int64_t ca;

    if (size < 1)
        return 0;
    in = span_of(data + 1, size - 1);
    switch (data[0] % 9) {
    case 0:
        if (rd_ca_issue(in, &issue)) { /* names are made canonical: the second round is equal */
            struct ca_issue_msg again;
            wr_ca_issue(&b, &issue);
            CHECK(rd_ca_issue(buf_span(&b), &again));
            CHECK(cert_names_same(&issue.names, &again.names) &&
                  span_eq(issue.request, again.request));
            cert_names_done(&again.names);
            cert_names_done(&issue.names);
        }
        break;
    case 1:
        if (rd_ca_issued(in, &issued)) {
            wr_ca_issued(&b, &issued);
            same(&b, in);
        }
        break;
    case 2:
        if (rd_ca_list(in, &list)) {
            wr_ca_list(&b, &list);
            same(&b, in);
        }
        break;
    case 3:
        if (rd_ca_revoke(in, &revoke)) {
            wr_ca_revoke(&b, &revoke);
            same(&b, in);
        }
        break;
    case 4:
        if (rd_ca_crl(in, &ca)) {
            wr_ca_crl(&b, ca);
            same(&b, in);
        }
        break;
    case 6: {
        struct ca_state_msg state;
        if (rd_ca_state(in, &state)) {
            wr_ca_state(&b, &state);
            same(&b, in);
        }
        break;
    }
    case 5:
        if (rd_cert_word(in, word)) {
            wr_cert_word(&b, word);
            same(&b, in);
        }
        break;
    case 8:
        if (rd_cert_staple(in, &staple)) {
            wr_cert_staple(&b, &staple);
            same(&b, in);
        }
        break;
    default:
        if (rd_cert_identity(in, &identity)) {
            wr_cert_identity(&b, &identity);
            same(&b, in);
        }
    }
    return 0;
}
