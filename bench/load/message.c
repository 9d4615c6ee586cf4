#include "load.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char boundary[] = "=_part_5f2c9e";
static const char words[] =
    "the quick sealed post carries letters and news between friends over old wires ";

static size_t put_text(char *to, size_t bytes, bool html)
{
    size_t n = 0;

    while (n + 78 <= bytes) {
        n += (size_t)sprintf(to + n, html ? "<p>%.65s</p>\r\n" : "%.72s\r\n", words + n % 5);
    }
    return n;
}

char *message_new(const char *group)
{
    char *m = malloc(opt.bytes + 2048), date[64];
    time_t now = time(NULL);
    size_t n;

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime(&now));
    n = (size_t)sprintf(
        m,
        "From: Ada Sender <ada@elsewhere.test>\r\n%s%s\r\nSubject: message ################ of a "
        "benchmark\r\nDate: %s\r\n"
        "Message-ID: <################@bench.elsewhere.test>\r\nMIME-Version: 1.0\r\n",
        group ? "Newsgroups: "
              : "To: Bob Receiver <bob@example.test>, list@example.test\r\nX-Mailer: ",
        group ? group : "bench 1", date);
    if (group) {
        n += (size_t)sprintf(m + n, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
        n += put_text(m + n, opt.bytes > n ? opt.bytes - n : 0, false);
    } else {
        n += (size_t)sprintf(
            m + n,
            "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: "
            "text/plain; charset=utf-8\r\n\r\n",
            boundary, boundary);
        n += put_text(m + n, opt.bytes > n ? (opt.bytes - n) / 2 : 0, false);
        n += (size_t)sprintf(m + n, "\r\n--%s\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
                             boundary);
        n += put_text(m + n, opt.bytes > n + 60 ? opt.bytes - n - 60 : 0, true);
        n += (size_t)sprintf(m + n, "\r\n--%s--\r\n", boundary);
    }
    message_next(m);
    return m;
}

void message_next(char *message)
{
    static atomic_uint_fast64_t counter;
    static uint64_t base;
    static const char *const places[] = {"\r\nSubject: message ", "\r\nMessage-ID: <"};
    char id[17];

    if (!base)
        base = (uint64_t)time(NULL) << 32 ^ (uint64_t)getpid() << 24;
    snprintf(id, sizeof id, "%016llx", (unsigned long long)(base + atomic_fetch_add(&counter, 1)));
    for (unsigned i = 0; i < 2; i++)
        memcpy(strstr(message, places[i]) + strlen(places[i]), id, 16);
}
