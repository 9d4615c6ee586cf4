/* What we write, libpcap reads. */
#include "capture/pcapng.h"

#include "unit/unit.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TEST(read_back)
{
    static const char *const frames[] = {"a", "four", "hello, wire", ""};
    char path[] = "/tmp/pcapng_test.XXXXXX", why[PCAP_ERRBUF_SIZE] = "";
    struct buf b BUF_AUTO = BUF(100000);
    struct pcap_pkthdr *h;
    const unsigned char *bytes;
    int fd = mkstemp(path);
    pcap_t *p;

    pcapng_header(&b, 1, 262144, "lo", "tcp port 25");
    for (unsigned i = 0; i < 4; i++)
        pcapng_packet(&b, 1700000000123456 + i, span_cstr(frames[i]), 100 + i);
    pcapng_statistics(&b, 1700000000123456, 4, 1);
    REQUIRE(fd >= 0 && write(fd, b.p, b.n) == (ssize_t)b.n);
    close(fd);
    p = pcap_open_offline(path, why);
    unlink(path);
    EXPECT_STR(why, "");
    REQUIRE(p != NULL);
    EXPECT_INT(pcap_datalink(p), 1);
    EXPECT_INT(pcap_snapshot(p), 262144);
    for (unsigned i = 0; i < 4; i++) {
        REQUIRE(pcap_next_ex(p, &h, &bytes) == 1);
        EXPECT_INT(h->len, 100 + i);
        EXPECT_INT(h->ts.tv_sec, 1700000000);
        EXPECT_INT(h->ts.tv_usec, 123456 + i);
        EXPECT_SPAN(span_of(bytes, h->caplen), span_cstr(frames[i]));
    }
    EXPECT_INT(pcap_next_ex(p, &h, &bytes), PCAP_ERROR_BREAK);
    pcap_close(p);
}
