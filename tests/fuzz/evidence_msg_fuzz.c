/* What a process tells for the log of evidence: what is taken must be of the form that the log can hold, and come back as it went. */
#include "base/check.h"
#include "proc/child/evidence_msg.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct evidence_fact facts[EVIDENCE_FACTS_MAX];
    struct evidence_event e, again;
    struct buf b BUF_AUTO = BUF(8192);
    char hash[EVIDENCE_HASH_TEXT + 1];
    uint64_t number;

    rd_evidence_added(span_of(data, n), &number, hash);
    if (!rd_evidence_event(span_of(data, n), &e))
        return 0;
    CHECK(e.count <= EVIDENCE_FACTS_MAX && e.kind[0] != '\0');
    for (unsigned i = 0; i < e.count; i++) {
        CHECK(strcmp(e.facts[i].name, "hash") != 0 && strpbrk(e.facts[i].value, "\r\n\t") == NULL);
        facts[i] = (struct evidence_fact){e.facts[i].name, e.facts[i].value};
    }
    wr_evidence_event(&b, e.kind, e.role, e.instance, facts, e.count);
    CHECK(!b.overflow && rd_evidence_event(buf_span(&b), &again));
    for (unsigned i = 0, k = 0; i < e.count; i++)
        if (e.facts[i].value[0] != '\0') { /* empty ones are left out */
            CHECK(strcmp(again.facts[k].name, e.facts[i].name) == 0 &&
                  strcmp(again.facts[k].value, e.facts[i].value) == 0);
            k++;
        }
    return 0;
}
