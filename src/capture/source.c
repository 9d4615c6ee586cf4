#include "capture/source.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/fd.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    FEED_LINK = 101,  /* raw IP */
    LOOK_BUSY_MS = 2, /* writers of feeds ring no bell: they make no system call */
    LOOK_IDLE_MS = 20,
    IDLE_AFTER_LOOKS = 100,
    TURN = 64, /* frames of one feed, before the next is looked at */
};

struct source {
    pcap_t *pcap;         /* NULL: frames of others */
    int feed;             /* a socket, or the timer that says when to look at feeds */
    unsigned char *frame; /* room for one */
    struct feed *feeds[SOURCE_FEEDS_MAX];
    bool broken[SOURCE_FEEDS_MAX];
    unsigned feed_count, feed_next, idle_looks;
    uint64_t received;
    int link;
    source_fn fn;
    void *arg;
};

void source_filter(const uint16_t *ports, unsigned count, const char *more, struct buf *out)
{
    buf_put_cstr(out, "tcp and (");
    for (unsigned i = 0; i < count; i++)
        buf_printf(out, "%sport %u", i ? " or " : "", ports[i]);
    buf_putc(out, ')');
    if (more != NULL && more[0] != '\0')
        buf_printf(out, " and (%s)", more);
}

static int set_filter(pcap_t *p, const char *filter, struct err *e)
{
    struct bpf_program program;
    int r;

    if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return err_set(e, -EINVAL, "the filter \"%.300s\" is none: %s", filter, pcap_geterr(p));
    r = pcap_setfilter(p, &program);
    pcap_freecode(&program);
    return r == 0 ? 0 : err_set(e, -EINVAL, "the filter is not taken: %s", pcap_geterr(p));
}

static int activate(pcap_t *p, const char *interface, struct err *e)
{
    int r;

    pcap_set_snaplen(p, SOURCE_SNAP_BYTES);
    pcap_set_promisc(p, 0);
    pcap_set_timeout(p, 50);
    pcap_set_immediate_mode(p, 0);
    pcap_set_buffer_size(p, SOURCE_BUFFER_BYTES);
    r = pcap_activate(p);
    if (r >= 0)
        return 0;
    if (r == PCAP_ERROR_PERM_DENIED)
        return err_set(e, -EPERM,
                       "capturing packets is not permitted here: it needs root, or CAP_NET_RAW");
    return err_set(e, r == PCAP_ERROR_NO_SUCH_DEVICE ? -ENODEV : -EIO, "%s: %s %s", interface,
                   pcap_statustostr(r), pcap_geterr(p));
}

int source_open(const char *interface, const char *filter, struct source **ret, struct err *e)
{
    const char *name = interface != NULL ? interface : "any";
    char why[PCAP_ERRBUF_SIZE] = "";
    struct source *s;
    pcap_t *p = pcap_create(name, why);
    int r;

    if (p == NULL)
        return err_set(e, -EIO, "%s: %s", name, why);
    if ((r = activate(p, name, e)) != 0 || (r = set_filter(p, filter, e)) != 0) {
        pcap_close(p);
        return r;
    }
    if (pcap_setnonblock(p, 1, why) != 0) {
        pcap_close(p);
        return err_set(e, -EIO, "%s: %s", name, why);
    }
    s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->pcap = p;
    s->link = pcap_datalink(p);
    *ret = s;
    return 0;
}

struct source *source_of_feed(int fd)
{
    struct source *s = calloc(1, sizeof *s);

    CHECK(s != NULL && (s->frame = malloc(FEED_RECORD_MAX)) != NULL);
    s->feed = fd;
    s->link = FEED_LINK;
    return s;
}

static void look_every(const struct source *s, long ms)
{
    struct itimerspec t = {
        {0, ms * 1000000},
        {0, ms * 1000000}
    };

    CHECK(timerfd_settime(s->feed, 0, &t, NULL) == 0);
}

struct source *source_of_feeds(struct feed *const *feeds, unsigned count)
{
    struct source *s = source_of_feed(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));

    CHECK(s->feed >= 0 && count <= SOURCE_FEEDS_MAX);
    memcpy(s->feeds, feeds, count * sizeof *feeds);
    s->feed_count = count;
    look_every(s, LOOK_BUSY_MS);
    return s;
}

void source_close(struct source *s)
{
    if (s == NULL)
        return;
    if (s->pcap != NULL)
        pcap_close(s->pcap);
    else
        fd_close(&s->feed);
    for (unsigned i = 0; i < s->feed_count; i++)
        feed_free(s->feeds[i]);
    free(s->frame);
    free(s);
}

int source_fd(const struct source *s)
{
    return s->pcap == NULL ? s->feed : pcap_get_selectable_fd(s->pcap);
}

int source_link(const struct source *s)
{
    return s->link;
}

static void on_packet(unsigned char *arg, const struct pcap_pkthdr *h, const unsigned char *bytes)
{
    struct source *s = (struct source *)(void *)arg;

    s->fn(s->arg, span_of(bytes, h->caplen), h->len,
          (int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec);
}

/* One frame with its time before it. */
static void give(struct source *s, size_t n, source_fn fn, void *arg)
{
    struct rd r = rd_of(span_of(s->frame, n));
    int64_t time_us = rd_i64(&r);

    s->received++;
    fn(arg, span_of(r.p, r.n), (uint32_t)r.n, time_us);
}

static int read_socket(struct source *s, int max, source_fn fn, void *arg)
{
    int k = 0;

    for (; k < max; k++) {
        ssize_t n = recv(s->feed, s->frame, FEED_RECORD_MAX, MSG_DONTWAIT);
        if (n <= 8)
            break;
        give(s, (size_t)n, fn, arg);
    }
    return k;
}

/* At most TURN frames of one of them. */
static int read_feed(struct source *s, unsigned i, int max, source_fn fn, void *arg)
{
    int k = 0, n;

    while (k < max && k < TURN && !s->broken[i] && (n = feed_get(s->feeds[i], s->frame)) != 0) {
        s->broken[i] = n <= 8;
        if (n > 8) {
            give(s, (size_t)n, fn, arg);
            k++;
        }
    }
    return k;
}

static int read_feeds(struct source *s, int max, source_fn fn, void *arg)
{
    uint64_t ticks;
    unsigned empty = 0;
    int k = 0;
    ssize_t ignored = read(s->feed, &ticks, sizeof ticks);

    (void)ignored;
    while (k < max && empty < s->feed_count) {
        int n = read_feed(s, s->feed_next, max - k, fn, arg);
        s->feed_next = (s->feed_next + 1) % s->feed_count;
        empty = n > 0 ? 0 : empty + 1;
        k += n;
    }
    if (k > 0 && s->idle_looks >= IDLE_AFTER_LOOKS)
        look_every(s, LOOK_BUSY_MS);
    s->idle_looks = k > 0 ? 0 : s->idle_looks + 1;
    if (s->idle_looks == IDLE_AFTER_LOOKS)
        look_every(s, LOOK_IDLE_MS);
    return k;
}

static void count_feeds(const struct source *s, uint64_t *ret_dropped)
{
    for (unsigned i = 0; i < s->feed_count; i++) {
        uint64_t records, bytes;
        feed_dropped(s->feeds[i], &records, &bytes);
        *ret_dropped += records + s->broken[i];
    }
}

int source_read(struct source *s, int max, source_fn fn, void *arg)
{
    int n;

    if (s->pcap == NULL)
        return s->feed_count > 0 ? read_feeds(s, max, fn, arg) : read_socket(s, max, fn, arg);

    s->fn = fn;
    s->arg = arg;
    n = pcap_dispatch(s->pcap, max, on_packet, (unsigned char *)s);
    return n >= 0 ? n : -EIO;
}

bool source_statistics(struct source *s, uint64_t *ret_received, uint64_t *ret_dropped)
{
    struct pcap_stat st;

    if (s->pcap == NULL) {
        *ret_received = s->received;
        *ret_dropped = 0;
        count_feeds(s, ret_dropped);
        return true;
    }
    if (pcap_stats(s->pcap, &st) != 0)
        return false;
    *ret_received = st.ps_recv;
    *ret_dropped = (uint64_t)st.ps_drop + st.ps_ifdrop;
    return true;
}
