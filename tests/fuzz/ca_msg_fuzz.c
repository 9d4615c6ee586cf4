/* The messages that administer the own CA: what is read is written again the same. */
#include "base/check.h"
#include "pki/ca_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_of(data, size);
    struct buf again BUF_AUTO = BUF(2 * CERTIFICATE_CHAIN_BYTES + 64);
    struct ca_find_msg find;
    struct ca_requests_msg requests;
    struct ca_decide_msg decide;
    struct ca_root_msg root;
    struct ca_ask_msg ask;
    struct ca_install_msg install;
    struct ca_restore_msg restore;

    if (rd_ca_find(body, &find)) {
        wr_ca_find(&again, &find);
        CHECK(span_eq(buf_span(&again), body));
        buf_clear(&again);
    }
    if (rd_ca_requests(body, &requests)) {
        wr_ca_requests(&again, &requests);
        CHECK(span_eq(buf_span(&again), body));
        buf_clear(&again);
    }
    if (rd_ca_decide(body, &decide)) {
        wr_ca_decide(&again, &decide);
        CHECK(span_eq(buf_span(&again), body));
        buf_clear(&again);
    }
    if (rd_ca_root(body, &root)) {
        CHECK(root.verb < CA_ROOT_VERBS);
        wr_ca_root(&again, &root);
        CHECK(span_eq(buf_span(&again), body));
        buf_clear(&again);
    }
    if (rd_ca_ask(body, &ask)) {
        wr_ca_ask(&again, &ask);
        CHECK(span_eq(buf_span(&again), body));
        buf_clear(&again);
    }
    if (rd_ca_install(body, &install)) {
        wr_ca_install(&again, &install);
        CHECK(span_eq(buf_span(&again), body));
        buf_clear(&again);
    }
    if (rd_ca_restore(body, &restore)) {
        CHECK(restore.count <= CA_RESTORE_KEYS_MAX);
        wr_ca_restore(&again, &restore);
        CHECK(span_eq(buf_span(&again), body));
    }
    return 0;
}
