/*
 * vet.c: is a block one that summary_make could have made? Its texts go to clients as they stand,
 * so the grammar of each is read from end to end; a reader that found a line end or a parenthesis
 * too many would hand the peer of a broken worker a way to speak in the server's name.
 */
#include "message/block.h"

enum { VET_DEPTH_MAX = 100, ZONE_MAX = 100 * 60 };

/* ------------------------------------------------------------------ bytes, eight at a time */
#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

static inline uint64_t word_at(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

/* Not zero if a byte is less than n (n <= 128). The lowest bit set is exact, others may not be. */
static inline uint64_t any_below(uint64_t w, unsigned char n)
{
    return (w - ONES * n) & ~w & HIGHS;
}

static inline uint64_t any_is(uint64_t w, unsigned char c)
{
    return any_below(w ^ ONES * c, 1);
}

static bool forbidden(char c, bool tab)
{
    return c == 0 || c == '\r' || c == '\n' || (c == '\t' && !tab);
}

/* One line at most: no CR, LF, NUL; TAB where it says so. */
static bool one_line(struct span s, bool tab)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8)
        if (any_below(word_at(s.p + i), ' '))
            for (size_t k = i; k < i + 8; k++)
                if (forbidden(s.p[k], tab))
                    return false;
    for (; i < s.n; i++)
        if (forbidden(s.p[i], tab))
            return false;
    return true;
}

/* A line without blanks. */
static bool one_word(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
            return false;
    return true;
}

/* ------------------------------------------------------------------ the grammar of IMAP texts */
struct text {
    const char *p, *end;
    uint32_t depth;
};

static inline bool eat(struct text *t, char c)
{
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

static inline bool at(const struct text *t, char c)
{
    return t->p < t->end && *t->p == c;
}

static bool vet_nil(struct text *t)
{
    if (t->end - t->p < 3 || memcmp(t->p, "NIL", 3) != 0)
        return false;
    t->p += 3;
    return true;
}

/* number = 1*DIGIT, below 2^32, no zeros in front */
static bool vet_number(struct text *t, uint32_t *ret)
{
    const char *start = t->p;
    uint64_t v = 0;
    while (t->p < t->end && ascii_is_digit(*t->p) && t->p - start < 11)
        v = v * 10 + (uint64_t)(*t->p++ - '0');
    if (t->p == start || v > UINT32_MAX || (*start == '0' && t->p - start > 1))
        return false;
    *ret = (uint32_t)v;
    return true;
}

/* quoted = DQUOTE *(TEXT-CHAR but "\" and DQUOTE / "\" ("\" / DQUOTE)) DQUOTE; the first DQUOTE is
 * eaten. *ret is what stands between them. */
static bool vet_quoted(struct text *t, struct span *ret)
{
    const char *start = t->p;
    while (t->p < t->end) {
        while (t->end - t->p >= 8) {
            uint64_t w = word_at(t->p);
            uint64_t odd = any_below(w, ' ') | any_is(w, '"') | any_is(w, '\\') | (w & HIGHS);
            if (odd) {
                t->p += __builtin_ctzll(odd) / 8;
                break;
            }
            t->p += 8;
        }
        if (t->p == t->end)
            return false;
        unsigned char c = (unsigned char)*t->p++;
        if (c == '"') {
            *ret = span_between(start, t->p - 1);
            return true;
        }
        if (c == 0 || c == '\r' || c == '\n' || c >= 128)
            return false;
        if (c == '\\' && !eat(t, '"') && !eat(t, '\\'))
            return false;
    }
    return false;
}

/* literal = "{" number "}" CRLF *CHAR8; CHAR8 is anything but NUL */
static bool vet_literal(struct text *t, struct span *ret)
{
    uint32_t n;
    if (!vet_number(t, &n) || !eat(t, '}') || !eat(t, '\r') || !eat(t, '\n') ||
        n > (size_t)(t->end - t->p) || memchr(t->p, 0, n))
        return false;
    *ret = span_of(t->p, n);
    t->p += n;
    return true;
}

static inline bool vet_string(struct text *t, struct span *ret)
{
    return eat(t, '"') ? vet_quoted(t, ret) : eat(t, '{') && vet_literal(t, ret);
}

/* nstring = string / nil */
static inline bool vet_nstring(struct text *t)
{
    struct span s;
    return at(t, 'N') ? vet_nil(t) : vet_string(t, &s);
}

/* count times: SP nstring */
static bool vet_nstrings(struct text *t, int count)
{
    while (count-- > 0)
        if (!eat(t, ' ') || !vet_nstring(t))
            return false;
    return true;
}

/* "(" 1*("(" nstring 3*(SP nstring) ")") ")" / nil */
static bool vet_addresses(struct text *t)
{
    if (!eat(t, '('))
        return vet_nil(t);
    do
        if (!eat(t, '(') || !vet_nstring(t) || !vet_nstrings(t, 3) || !eat(t, ')'))
            return false;
    while (at(t, '('));
    return eat(t, ')');
}

/* envelope = "(" date SP subject 6*(SP addresses) SP in-reply-to SP message-id ")" */
static bool vet_envelope(struct text *t)
{
    if (!eat(t, '(') || !vet_nstring(t) || !vet_nstrings(t, 1))
        return false;
    for (int i = 0; i < 6; i++)
        if (!eat(t, ' ') || !vet_addresses(t))
            return false;
    return vet_nstrings(t, 2) && eat(t, ')');
}

/* "(" string *(SP string) ")" / nil; pairs: an even number of them */
static bool vet_strings(struct text *t, bool pairs)
{
    struct span s;
    size_t n = 0;
    if (!eat(t, '('))
        return vet_nil(t);
    do
        if (!vet_string(t, &s))
            return false;
    while (n++, eat(t, ' '));
    return eat(t, ')') && !(pairs && n % 2);
}

/* body-fld-dsp = "(" string SP body-fld-param ")" / nil */
static bool vet_disposition(struct text *t)
{
    struct span s;
    if (!eat(t, '('))
        return vet_nil(t);
    return vet_string(t, &s) && eat(t, ' ') && vet_strings(t, true) && eat(t, ')');
}

/* SP disposition SP language SP location */
static bool vet_extensions(struct text *t)
{
    return eat(t, ' ') && vet_disposition(t) && eat(t, ' ') && vet_strings(t, false) &&
           vet_nstrings(t, 1);
}

static bool vet_body(struct text *t, bool full);

/* 1*body SP subtype [SP params extensions]; the parenthesis outside is the caller's */
static bool vet_multipart(struct text *t, bool full)
{
    struct span subtype;
    do
        if (!vet_body(t, full))
            return false;
    while (at(t, '('));
    return eat(t, ' ') && vet_string(t, &subtype) &&
           (!full || (eat(t, ' ') && vet_strings(t, true) && vet_extensions(t)));
}

/* type SP subtype SP params SP id SP description SP encoding SP octets [SP envelope SP body SP
 * lines / SP lines] [SP md5 extensions] */
static bool vet_single(struct text *t, bool full)
{
    struct span type, subtype, encoding;
    uint32_t n;
    if (!vet_string(t, &type) || !eat(t, ' ') || !vet_string(t, &subtype) || !eat(t, ' ') ||
        !vet_strings(t, true) || !vet_nstrings(t, 2) || !eat(t, ' ') || !vet_string(t, &encoding) ||
        !eat(t, ' ') || !vet_number(t, &n))
        return false;
    bool message =
        span_is(type, "message") && (span_is(subtype, "rfc822") || span_is(subtype, "global"));
    if (message && (!eat(t, ' ') || !vet_envelope(t) || !eat(t, ' ') || !vet_body(t, full)))
        return false;
    if ((message || span_is(type, "text")) && (!eat(t, ' ') || !vet_number(t, &n)))
        return false;
    return !full || (vet_nstrings(t, 1) && vet_extensions(t));
}

static bool vet_body(struct text *t, bool full)
{
    if (!eat(t, '(') || ++t->depth > VET_DEPTH_MAX)
        return false;
    bool good = at(t, '(') ? vet_multipart(t, full) : vet_single(t, full);
    t->depth--;
    return good && eat(t, ')');
}

static bool all_envelope(struct span s)
{
    struct text t = {s.p, s.p + s.n, 0};
    return vet_envelope(&t) && t.p == t.end;
}

static bool all_body(struct span s, bool full)
{
    struct text t = {s.p, s.p + s.n, 0};
    return vet_body(&t, full) && t.p == t.end;
}

/* ------------------------------------------------------------------ lines and lists */
/* subject TAB from TAB date TAB message-id TAB references */
static bool vet_overview(struct span s)
{
    size_t tabs = 0;
    for (const char *p = s.p, *end = s.p + s.n; p < end && (p = memchr(p, '\t', (size_t)(end - p)));
         p++)
        tabs++;
    return tabs == 4 && one_line(s, true);
}

static bool vet_message_id(struct span s)
{
    return s.n == 0 || (s.n > 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' && one_word(s));
}

/* ------------------------------------------------------------------ numbers */
static bool within(uint32_t from, uint32_t bytes, uint32_t all)
{
    return from <= all && bytes <= all - from;
}

static bool vet_part(const struct summary *s, uint32_t index)
{
    struct part_range r;
    if (!summary_part_at(s, index, &r))
        return false;
    return within(r.header_at, r.header_bytes, s->raw_bytes) &&
           within(r.body_at, r.body_bytes, s->raw_bytes) && r.body_lines <= r.body_bytes &&
           one_line(r.type, true) && one_line(r.encoding, true) && one_line(r.charset, true);
}

static bool vet_date(const struct summary *s)
{
    const int64_t far = (int64_t)1 << 40; /* about 34,000 years */
    bool sane = s->sent_seconds == INT64_MIN || (s->sent_seconds > -far && s->sent_seconds < far);
    return sane && s->sent_zone_minutes > -ZONE_MAX && s->sent_zone_minutes < ZONE_MAX;
}

bool summary_vet(struct span block, uint32_t body_bytes)
{
    struct summary s;
    if (!summary_open(block, &s) || s.raw_bytes != body_bytes || s.flags & ~SUMMARY_ALL ||
        s.body_lines > body_bytes || !vet_date(&s))
        return false;
    for (uint32_t i = 0; i < s.part_count; i++)
        if (!vet_part(&s, i))
            return false;
    return all_envelope(s.envelope) && all_body(s.bodystructure, true) && all_body(s.body, false) &&
           vet_overview(s.overview) && vet_message_id(s.message_id) &&
           one_line(s.references, false) && one_line(s.base_subject, false) &&
           one_line(s.from_first, false) && one_word(s.newsgroups) &&
           one_line(s.followup_to, true) && one_line(s.distribution, true) &&
           one_line(s.control, true) && one_line(s.approved, true);
}
