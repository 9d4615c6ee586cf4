/*
 * search_bench.c: what the search index costs: N made messages are indexed in batches, then searched.
 *
 *     search_bench N FILE [BATCH] [TEXT-FILE]
 *
 * The messages have the shape of real ones: trace fields, a signature of 350 characters of base64, plain text of
 * one to four KB or text and HTML of fifteen, words by Zipf's law out of 120,000, a part of them not ASCII.
 */
#include "base/clock.h"
#include "base/log.h"
#include "message/search.h"
#include "search/index.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS = 120000, BATCH = 64, MESSAGE_MAX = 1 << 20 };

static char words[WORDS][24];
static double weight[WORDS];
static uint64_t seed = 88172645463325252u;

static uint64_t random_next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void make_words(void)
{
    static const char *const head[] = {"b",  "br", "d", "f",  "g", "h", "k", "l", "m",  "n", "p",
                                       "pr", "r",  "s", "st", "t", "v", "w", "z", "ch", "",  "tr"};
    static const char *const core[] = {"a",  "e",  "i",  "o",        "u",
                                       "ei", "ou", "ea", "\xc3\xbc", "\xc3\xa9"};
    static const char *const tail[] = {"", "", "n", "r", "s", "t", "nd", "ng", "l", "st", "m"};
    double sum = 0;

    for (int i = 0; i < WORDS; i++) {
        int n = 1 + (int)(random_next() % 3) + (i > 2000);
        for (int k = 0; k < n; k++) {
            size_t at = strlen(words[i]);
            snprintf(words[i] + at, sizeof(words[i]) - at, "%s%s%s", head[random_next() % 22],
                     core[random_next() % 100 < 94 ? random_next() % 8 : 8 + random_next() % 2],
                     k == n - 1 ? tail[random_next() % 11] : "");
        }
        weight[i] = sum += 1.0 / (i + 3);
    }
    for (int i = 0; i < WORDS; i++)
        weight[i] /= sum;
}

static const char *word(void)
{
    double at = (double)(random_next() >> 11) / 9007199254740992.0;
    int lo = 0, hi = WORDS - 1;

    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (weight[mid] < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return words[lo];
}

static void put_words(struct buf *b, size_t bytes, bool html)
{
    size_t end = b->n + bytes;

    for (unsigned i = 0; b->n < end; i++) {
        buf_put_cstr(b, i % 12 == 11 ? html ? "</p>\r\n<p style=\"margin:0\">" : "\r\n"
                        : i          ? " "
                                     : "");
        buf_put_cstr(b, word());
    }
}

static void put_noise(struct buf *b, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i++)
        buf_putc(b, letters[random_next() % 64]);
}

static void make_message(uint32_t i, struct buf *b)
{
    buf_clear(b);
    buf_printf(b,
               "Return-Path: <%s@%s.example>\r\nReceived: from mx%u.example (mx%u.example "
               "[192.0.2.%u])\r\n\tby mail.example.com with ESMTPS id ",
               word(), word(), i % 9, i % 9, i % 250);
    put_noise(b, 14);
    buf_put_cstr(b,
                 "\r\n\tfor <anna@example.com>; Mon, 02 Nov 2026 10:11:12 +0000\r\nDKIM-Signature: "
                 "v=1; a=rsa-sha256; d=example.net; s=sel; h=from:to:subject;\r\n\tb=");
    put_noise(b, 350);
    buf_printf(b, "\r\nFrom: %s %s <%s@%s.example>\r\nTo: Anna <anna@example.com>\r\nSubject: ",
               word(), word(), word(), word());
    put_words(b, 30, false);
    buf_printf(b, " %u\r\nDate: Mon, 02 Nov 2026 10:11:12 +0000\r\nMessage-ID: <", i);
    put_noise(b, 20);
    buf_put_cstr(b, "@mail.example.net>\r\nMIME-Version: 1.0\r\n");
    switch (i % 10) {
    case 0:
    case 1:
        buf_put_cstr(
            b, "Content-Type: multipart/alternative; "
               "boundary=\"=_x\"\r\n\r\n--=_x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
        put_words(b, 3000, false);
        buf_put_cstr(b,
                     "\r\n--=_x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>");
        put_words(b, 12000, true);
        buf_put_cstr(b, "</p></body></html>\r\n--=_x--\r\n");
        return;
    case 2:
    case 3:
    case 4:
        buf_put_cstr(b, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
        put_words(b, 4000, false);
        break;
    default:
        buf_put_cstr(b, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
        put_words(b, 1200, false);
    }
    if (i % 1000 == 7)
        buf_put_cstr(b, "\r\nzyxquark");
    buf_put_cstr(b, "\r\n");
}

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct sink {
    struct gram_text text;
    struct gram_set set;
    bool body;
};

static void on_piece(void *arg, struct span name, bool first, struct span folded)
{
    struct sink *s = arg;

    if (first)
        s->text = gram_text_begin(s->body ? GRAM_BODY : gram_place_of(name));
    gram_text_add(&s->text, folded, &s->set);
}

static void grams_of(struct span raw, struct sink *s)
{
    struct buf block BUF_AUTO = BUF(1 << 20);
    struct summary summary;

    gram_set_clear(&s->set);
    summary_make(raw, &message_limits_default, &block);
    if (!summary_open(buf_span(&block), &summary))
        return;
    s->body = false;
    search_header_each(span_head(raw, summary.header_bytes), on_piece, s);
    s->body = true;
    search_body_each(raw, &summary, on_piece, s);
}

static void search(struct search_index *x, const char *text, unsigned places)
{
    struct rangeset found = RANGESET_EMPTY;
    double best = 1e18;
    int e = 0;

    for (int i = 0; i < 5; i++) {
        double start = cpu_us();
        rangeset_clear(&found);
        e = search_index_find(x, 1, 1, places, span_cstr(text), NULL, NULL, &found);
        double took = cpu_us() - start;
        best = took < best ? took : best;
    }
    printf("find %-14s %8llu candidates %9.0f us%s\n", text,
           (unsigned long long)rangeset_count(&found), best, e < 0 ? " (cannot tell)" : "");
    rangeset_done(&found);
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    uint32_t batch = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : BATCH;
    FILE *out = argc > 4 ? fopen(argv[4], "w") : NULL;
    struct buf m BUF_AUTO = BUF(MESSAGE_MAX);
    double grams_us = 0, index_us = 0, tidy_us = 0, worst_us = 0;
    uint64_t bytes = 0, grams = 0;
    struct search_index *x;
    struct search_stat st;
    struct sink sink;

    log_open("search_bench", LOG_LEVEL_INFO);
    if (n == 0 || batch == 0 || argc < 3)
        return 2;
    search_index_remove(argv[2]);
    if (search_index_open(argv[2], &x) < 0)
        return 1;
    make_words();
    gram_set_init(&sink.set);
    for (uint32_t i = 1; i <= n;) {
        double at = cpu_us(), begin = at;
        uint64_t doc;
        search_index_begin(x);
        for (uint32_t k = 0; k < batch && i <= n; k++, i++) {
            index_us += cpu_us() - at;
            make_message(i, &m);
            if (out)
                fprintf(out, "%u %zu\n", i, m.n), fwrite(m.p, 1, m.n, out);
            bytes += m.n;
            at = cpu_us();
            grams_of(buf_span(&m), &sink);
            grams_us += cpu_us() - at;
            grams += sink.set.n;
            at = cpu_us();
            if (search_index_doc_add(x, i, 0, &sink.set, &doc) < 0 ||
                search_index_place_add(x, 1, i, doc) < 0)
                return 1;
        }
        begin = cpu_us();
        if (search_index_commit(x) < 0)
            return 1;
        index_us += cpu_us() - at;
        worst_us = cpu_us() - begin > worst_us ? cpu_us() - begin : worst_us;
        for (int more = 1; more > 0;) {
            at = cpu_us();
            more = search_index_tidy(x);
            tidy_us += cpu_us() - at;
            worst_us = cpu_us() - at > worst_us ? cpu_us() - at : worst_us;
        }
    }
    search_index_stat(x, &st);
    printf("%u messages, %.1f KB and %.0f grams each, batches of %u\n", n, (double)bytes / n / 1000,
           (double)grams / n, batch);
    printf("grams %.0f us, index %.0f us, merging %.0f us a message; longest step %.0f us; file "
           "%.1f KB a message, %.2f of the text\n",
           grams_us / n, index_us / n, tidy_us / n, worst_us, (double)st.bytes / n / 1000,
           (double)st.bytes / (double)bytes);
    static const unsigned all = (1u << GRAM_PLACES) - 1;
    search(x, "zyxquark", 1u << GRAM_BODY);
    search(x, words[60000], 1u << GRAM_BODY);
    search(x, words[20000], 1u << GRAM_BODY);
    search(x, words[2000], 1u << GRAM_BODY);
    search(x, words[100], 1u << GRAM_BODY);
    search(x, words[20000], 1u << GRAM_SUBJECT);
    search(x, words[20000], all);
    search(x, "notthereatall", all);
    search(x, "example.com", 1u << GRAM_FROM);
    gram_set_done(&sink.set);
    search_index_close(x);
    return 0;
}
