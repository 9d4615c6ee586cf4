/*
 * The search index: any bytes as messages of its process, and any message against any needle: what the search finds has all
 * grams of the needle.
 */
#include "base/check.h"
#include "message/search.h"
#include "search/read.h"
#include "search/search_msg.h"

static void codecs(struct span s)
{
    struct search_found found = {.uids = RANGESET_EMPTY};
    struct search_find find;
    enum search_op_index op;
    uint64_t account;

    rd_search_find(s, &find);
    rd_search_index(s, &op, &account);
    if (rd_search_found(s, &found))
        CHECK(found.uids.n == 0 || rangeset_max(&found.uids) < found.upto);
    rangeset_done(&found.uids);
}

static bool has(const struct gram_set *set, uint32_t want)
{
    uint32_t at = 0, gram;

    while (gram_set_next(set, &at, &gram))
        if (gram == want)
            return true;
    return false;
}

static void compare(struct span raw, const struct summary *s, const struct gram_set *set,
                    const struct needle *n)
{
    struct gram_set of;
    uint32_t at = 0, gram;
    bool all = true;

    gram_set_init(&of);
    gram_needle(needle_folded(n), GRAM_BODY, &of);
    while (all && gram_set_next(&of, &at, &gram))
        all = has(set, gram);
    CHECK(all || set->full || !search_body(raw, s, n));
    gram_set_done(&of);
}

static void message(struct span needle, struct span raw)
{
    struct buf block BUF_AUTO = BUF(1 << 20);
    struct needle *n = needle_new(needle);
    struct gram_set set;
    struct summary s;

    gram_set_init(&set);
    if (n && summary_make(raw, &message_limits_default, &block) == 0 &&
        summary_open(buf_span(&block), &s)) {
        read_grams_of(raw, 0, &s, &set);
        compare(raw, &s, &set, n);
    }
    gram_set_done(&set);
    needle_free(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of((const char *)data, size);

    codecs(s);
    if (size > 0) {
        size_t n = data[0] % 16;
        s = span_skip(s, 1);
        message(span_head(s, n), span_skip(s, n));
    }
    return 0;
}
