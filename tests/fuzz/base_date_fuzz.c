/* Dates: what is accepted prints, and what was printed reads back as the same instant. */
#include "base/check.h"
#include "base/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of(data, size);
    struct date d, back;
    int64_t v;

    /* within a day of either end of the four-digit years printing clamps */
    if (date_parse_rfc5322(s, &d) && d.seconds > -62135300000 && d.seconds < 253402000000) {
        BUF_AUTO struct buf b = BUF(100);
        CHECK(d.zone_minutes > -1440 && d.zone_minutes < 1440);
        CHECK(date_print_rfc5322(&b, d) && date_parse_rfc5322(buf_span(&b), &back));
        CHECK(back.seconds == d.seconds && back.zone_minutes == d.zone_minutes);
    }
    if (date_parse_imap(s, &d) && d.seconds > -62135300000 && d.seconds < 253402000000) {
        BUF_AUTO struct buf b = BUF(100);
        CHECK(date_print_imap(&b, d) && date_parse_imap(buf_span(&b), &back));
        CHECK(back.seconds == d.seconds && back.zone_minutes == d.zone_minutes);
    }
    date_parse_imap_day(s, &v);
    date_parse_nntp(span_head(s, size / 2), span_skip(s, size / 2), 1795498140, &v);
    return 0;
}
