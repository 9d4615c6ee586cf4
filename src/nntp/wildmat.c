#include "nntp/wildmat.h"

#include "base/utf8.h"

bool wildmat_valid(struct span w)
{
    if (!w.n || w.n > WILDMAT_MAX_BYTES || !utf8_valid(w))
        return false;
    bool empty = true; /* of the pattern at hand, after its '!' */
    for (size_t i = 0; i < w.n; i++) {
        unsigned char c = (unsigned char)w.p[i];
        if (c == ',') {
            if (empty)
                return false;
            empty = true;
        } else if (c == '!') {
            if (!empty || (i && w.p[i - 1] == '!'))
                return false;
        } else if (c <= 32 || c == 127 || c == '[' || c == ']' || c == '\\') {
            return false;
        } else {
            empty = false;
        }
    }
    return !empty;
}

static size_t char_bytes(struct span s)
{
    struct span rest = s;
    uint32_t c;
    utf8_next(&rest, &c);
    return s.n - rest.n;
}

/* One pattern: '*' any text, '?' any one character. Goes back to the last '*' only, so time is the
 * product of the lengths at most. */
static bool match_one(struct span p, struct span s)
{
    struct span star = SPAN_EMPTY, retry = SPAN_EMPTY;
    bool has_star = false;

    while (s.n) {
        if (p.n && p.p[0] == '*') {
            has_star = true;
            star = p = span_skip(p, 1);
            retry = s;
        } else if (p.n && p.p[0] == '?') {
            p = span_skip(p, 1);
            s = span_skip(s, char_bytes(s));
        } else if (p.n && p.p[0] == s.p[0]) {
            p = span_skip(p, 1);
            s = span_skip(s, 1);
        } else if (has_star) {
            p = star;
            s = retry = span_skip(retry, char_bytes(retry));
        } else {
            return false;
        }
    }
    while (p.n && p.p[0] == '*')
        p = span_skip(p, 1);
    return p.n == 0;
}

bool wildmat_match(struct span w, struct span name)
{
    bool matched = false;
    struct span one;

    while (w.n) {
        if (!span_split(&w, ',', &one)) {
            one = w;
            w = SPAN_EMPTY;
        }
        bool negative = one.n && one.p[0] == '!';
        if (match_one(span_skip(one, negative), name))
            matched = !negative;
    }
    return matched;
}
