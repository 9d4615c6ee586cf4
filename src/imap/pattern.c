#include "imap/pattern.h"

/* Does the literal byte p stand for byte i of name? Letters of an "INBOX" at the start fold. */
static bool same(char p, struct span name, size_t i, bool inbox)
{
    return p == name.p[i] || (inbox && i < 5 && ascii_upper(p) == name.p[i]);
}

/*
 * Only the last "*" and the last "%" after it need to be tried again: the earliest place where what
 * stands between two wildcards fits is as good as any later one, since the wildcard after it can
 * take up what is left out.
 */
bool pattern_match(struct span pattern, struct span name)
{
    const size_t none = SPAN_NONE;
    size_t p = 0, i = 0;
    size_t star = none, star_i = 0, percent = none, percent_i = 0;
    bool inbox = span_starts(name, SPAN("INBOX")) && (name.n == 5 || name.p[5] == '/');

    for (;;) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = ++p;
            star_i = i;
            percent = none;
            if (p == pattern.n)
                return true;
            continue;
        }
        if (p < pattern.n && pattern.p[p] == '%') {
            percent = ++p;
            percent_i = i;
            continue;
        }
        if (i == name.n && p == pattern.n)
            return true;
        if (i < name.n && p < pattern.n && same(pattern.p[p], name, i, inbox)) {
            p++;
            i++;
            continue;
        }
        /* a dead end: the last "%" takes one byte more, or else the last "*" does */
        if (percent != none && percent_i < name.n && name.p[percent_i] != '/') {
            i = ++percent_i;
            p = percent;
        } else if (star != none && star_i < name.n) {
            i = ++star_i;
            p = star;
            percent = none;
        } else {
            return false;
        }
    }
}
