/*
 * capture_cost: what it costs to look at captured traffic: a bounded amount of it, made in memory, through the parser of `sealpost capture`,
 * with an audit's secrets. Prints the processor time a gigabyte, by packet size.
 *
 *   bench.capture_cost [MEGABYTES]     256, at most 4096
 */
#include "base/check.h"
#include "base/random.h"
#include "capture/observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FRAME_MAX = 65535, HEADERS = 40 };

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put32(unsigned char *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* IPv4 and TCP of a server's packet to a client. */
static void headers(unsigned char *p, size_t payload, uint32_t seq, unsigned flags)
{
    static const unsigned char fixed[20] = {0x45, 0, 0,   0, 0, 0, 0x40, 0, 64, 6,
                                            0,    0, 127, 0, 0, 1, 127,  0, 0,  1};
    size_t n = payload + HEADERS;

    memset(p, 0, HEADERS);
    memcpy(p, fixed, sizeof fixed);
    p[2] = (unsigned char)(n >> 8);
    p[3] = (unsigned char)n;
    p[21] = 25;
    p[22] = 0x9c;
    p[23] = 0x40;
    put32(p + 24, seq);
    p[32] = 0x50;
    p[33] = (unsigned char)flags;
}

static void one_size(size_t payload, uint64_t megabytes)
{
    struct observe_endpoint e = {
        .vserver = "v", .protocol = PROTOCOL_IMAP4, .policy = POLICY_TLS_ONLY, .end = {.port = 25}};
    struct secrets *s = secrets_new();
    struct observe *o;
    unsigned char *frame = malloc(FRAME_MAX);
    uint64_t total = megabytes << 20, done = 0, packets = 0;
    uint32_t seq = 1;
    double start;

    CHECK(frame != NULL);
    secrets_add(s, "a password", SPAN("correct-horse-battery"));
    secrets_add(s, "a body", SPAN("k3j5h2k3j4h5k2j3h4k5j2h3"));
    o = observe_new(&e, 1, s, NULL, NULL);
    headers(frame, 0, 0, TCP_SYN | TCP_ACK);
    observe_packet(o, LINK_RAW, span_of(frame, HEADERS), HEADERS, 0);
    random_bytes(frame + HEADERS, payload);
    /* each packet one record */
    frame[HEADERS] = 0x17;
    frame[HEADERS + 1] = frame[HEADERS + 2] = 3;
    frame[HEADERS + 3] = (unsigned char)((payload - 5) >> 8);
    frame[HEADERS + 4] = (unsigned char)(payload - 5);
    start = cpu_seconds();
    while (done < total) {
        headers(frame, payload, seq, TCP_ACK);
        observe_packet(o, LINK_RAW, span_of(frame, HEADERS + payload),
                       (uint32_t)(HEADERS + payload), 0);
        seq += (uint32_t)payload;
        done += payload;
        packets++;
    }
    observe_finish(o);
    CHECK(observe_counts(o, 0)->tls_bytes == done && observe_counts(o, 0)->gaps == 0);
    double took = cpu_seconds() - start;
    printf("%6zu bytes a packet: %.2f s of CPU per GB, %.0f ns a packet, %.2f Gbit/s on one core\n",
           payload, took / (double)done * 1e9, took / (double)packets * 1e9,
           (double)done * 8 / took / 1e9);
    observe_free(o);
    secrets_free(s);
    free(frame);
}

int main(int argc, char **argv)
{
    unsigned long megabytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 256;

    if (megabytes == 0 || megabytes > 4096) {
        fprintf(stderr, "usage: %s [MEGABYTES]   at most 4096\n", argv[0]);
        return 2;
    }
    one_size(1448, megabytes);
    one_size(16384, megabytes);
    return 0;
}
