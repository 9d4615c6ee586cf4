/* Address lists and single mailboxes. */
#include "base/check.h"
#include "message/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size), local, domain;
    struct buf scratch BUF_AUTO = BUF(0);
    struct address_scan s;
    struct address a;
    size_t events = 0;
    address_scan_init(&s, in, &scratch);
    while (address_scan_next(&s, &a) != ADDRESS_END)
        CHECK(++events <= size + 1 && a.display.n + a.route.n + a.local.n + a.domain.n <= 2 * size);
    struct arena *arena = arena_new(16 * size + 100000);
    struct address *list;
    CHECK(address_list_parse(in, arena, 50, &list) <= 50);
    arena_free(arena);
    if (address_parse_mailbox(in, size % 2, &local, &domain))
        CHECK(local.n + 1 + domain.n == size && !span_has(domain, '@'));
    return 0;
}
