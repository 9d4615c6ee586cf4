/*
 * The argument parsers of IMAP. The first byte chooses one, the rest is what it reads. Besides
 * memory errors: a parser that fails leaves its cursor, one that succeeds moves it forward, and
 * what is printed reads back.
 */
#include "imap/arg.h"
#include "imap/envelope.h"
#include "imap/fetch.h"
#include "imap/modseq.h"
#include "imap/pattern.h"
#include "imap/search.h"
#include "imap/status.h"

#include "base/check.h"

#include <stdlib.h>

static void check_moved(bool ok, struct span before, struct span after)
{
    if (!ok)
        CHECK(after.p == before.p && after.n == before.n);
    else
        CHECK(after.n <= before.n && (after.n == 0 || after.p + after.n == before.p + before.n));
}

static void strings(struct span in, struct arena *a)
{
    bool (*const fns[])(struct span *, struct arena *, size_t,
                        struct span *) = {arg_string, arg_astring, arg_nstring, arg_list_mailbox};

    for (size_t i = 0; i < ARRAY_LEN(fns); i++) {
        struct span c = in, got = SPAN_EMPTY;
        bool ok = fns[i](&c, a, 1000, &got);
        check_moved(ok, in, c);
        if (!ok || !got.p || span_has(got, '\r') || span_has(got, '\n'))
            continue;
        struct buf b BUF_AUTO = BUF(4096);
        struct span again, back;
        CHECK(print_astring(&b, got));
        again = buf_span(&b);
        CHECK(arg_astring(&again, a, 1000, &back) && again.n == 0 && span_eq(back, got));
    }
}

static void small(struct span in)
{
    struct span c = in, text;
    struct date d;
    int64_t day;
    uint64_t n;
    unsigned items;
    bool binary;
    struct arg_flags flags = {0};

    check_moved(arg_date_time(&c, &d), in, c);
    c = in;
    check_moved(arg_day(&c, &day), in, c);
    c = in;
    check_moved(arg_announcement(&c, &n, &binary), in, c);
    c = in;
    check_moved(arg_store_flags(&c, &flags), in, c);
    CHECK(flags.keyword_count <= STORE_KEYWORDS_MAX);
    c = in;
    check_moved(arg_set(&c, &text), in, c);
    c = in;
    check_moved(status_items_parse(&c, &items), in, c);

    struct buf mailbox BUF_AUTO = BUF(256);
    envelope_first_mailbox(in, ENVELOPE_CC, &mailbox);
    envelope_is_reply(in);

    struct select_params params;
    c = in;
    bool ok = select_params_parse(&c, &params);
    check_moved(ok, in, c);
    CHECK(!ok || rangeset_count(&params.numbers) == rangeset_count(&params.uids));
    select_params_done(&params);
}

static void search(struct span in, struct arena *a)
{
    struct rangeset uids = RANGESET_EMPTY, saved = RANGESET_EMPTY;
    struct search_program p;

    rangeset_add(&uids, 3, 9);
    rangeset_add(&uids, 20, 20);
    rangeset_add(&saved, 5, 25);
    struct view *v = view_new(1, 1, &uids);
    struct search_context x = {v, &saved};
    struct keywords k = {.n = 1, .name = {SPAN("k")}};
    struct span c = in;
    if (search_parse(&c, a, &x, &p) == SEARCH_OK) {
        CHECK(c.n == 0 && p.root);
        search_keywords(&p, &k);
        /* what the index decides can be run without a store */
        struct search_message m;
        struct message_info info = {.uid = 5, .flags = 1, .size = 100};
        search_message_init(&m, NULL);
        if (p.root->cost == 0)
            search_match(&p, &m, &info);
        search_message_done(&m);
    }
    search_done(&p);
    rangeset_done(&saved);
    view_unref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 8192)
        return 0;

    char *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    struct span in = span_of(copy, size - 1);
    struct arena *a = arena_new(1 << 20);
    struct fetch_plan plan;
    struct span c = in;
    size_t half = in.n / 2;

    switch (data[0] % 5) {
    case 0:
        strings(in, a);
        break;
    case 1:
        small(in);
        break;
    case 2:
        check_moved(fetch_parse(&c, a, &plan), in, c);
        break;
    case 3:
        search(in, a);
        break;
    case 4:
        pattern_match(span_head(in, half), span_skip(in, half));
        break;
    }
    arena_free(a);
    free(copy);
    return 0;
}
