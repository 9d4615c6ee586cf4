/* What an alarm says, of certd and of the watch: what is read is written again the same, and holds nothing that a terminal or a mail would take for more than text. */
#include "base/check.h"
#include "proc/child/order_msg.h"

static void check_alarm(const struct cert_alarm_msg *a)
{
    CHECK(a->text.n <= ORDER_TEXT_MAX);
    for (size_t i = 0; i < a->text.n; i++)
        CHECK(a->text.p[i] == '\n' || (a->text.p[i] >= 32 && a->text.p[i] < 127));
    for (const char *p = a->subject; *p; p++)
        CHECK(*p >= 32 && *p < 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_of(data, size);
    struct buf again BUF_AUTO = BUF(8192);
    struct watch_alarm_msg watch;
    struct cert_alarm_msg cert;

    if (rd_watch_alarm(body, &watch)) {
        check_alarm(&watch.alarm);
        wr_watch_alarm(&again, &watch);
        CHECK(span_eq(buf_span(&again), body));
        buf_clear(&again);
    }
    if (rd_cert_alarm(body, &cert)) {
        check_alarm(&cert);
        wr_cert_alarm(&again, &cert);
        CHECK(span_eq(buf_span(&again), body));
    }
    return 0;
}
