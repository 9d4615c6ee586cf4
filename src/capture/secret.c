#include "capture/secret.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STATES_MAX = 65000,
    FORM_BYTES_MAX = 3 * SECRET_BYTES_MAX,
    NAME_BYTES = 80,
    ROW = 256,
    STRIDE = SECRET_BYTES_MIN -
             1, /* no form is shorter: in so many places at least it has two bytes in a row */
};

/* What a state means when it is reached. */
struct leaf {
    uint8_t secret; /* from 1; 0: none ends here */
    const char *form;
    uint16_t length;
};

struct secrets {
    char names[SECRETS_MAX][NAME_BYTES];
    unsigned count;
    uint16_t (*next)[ROW]; /* after secrets_link: for every byte; before: 0 is none */
    struct leaf *leaves;
    unsigned states, room;
    bool linked;
    unsigned char
        pairs[65536 / 8]; /* of two bytes: do they stand in the first STRIDE places of a form? */
};

struct secrets *secrets_new(void)
{
    struct secrets *s = calloc(1, sizeof *s);

    CHECK(s != NULL);
    s->room = 256;
    s->next = calloc(s->room, sizeof *s->next);
    s->leaves = calloc(s->room, sizeof *s->leaves);
    CHECK(s->next != NULL && s->leaves != NULL);
    s->states = 1;
    return s;
}

void secrets_free(struct secrets *s)
{
    if (s == NULL)
        return;
    secret_wipe(s->next, s->room * sizeof *s->next);
    free(s->next);
    free(s->leaves);
    free(s);
}

unsigned secrets_count(const struct secrets *s)
{
    return s->count;
}

/* ---- building ---------------------------------------------------------------------------- */

static unsigned new_state(struct secrets *s)
{
    if (s->states == s->room) {
        s->room *= 2;
        s->next = realloc(s->next, s->room * sizeof *s->next);
        s->leaves = realloc(s->leaves, s->room * sizeof *s->leaves);
        CHECK(s->next != NULL && s->leaves != NULL);
        memset(s->next + s->states, 0, s->states * sizeof *s->next);
        memset(s->leaves + s->states, 0, s->states * sizeof *s->leaves);
    }
    return s->states++;
}

static unsigned pair_of(const char *two)
{
    return (unsigned)(unsigned char)two[0] << 8 | (unsigned char)two[1];
}

static void add_form(struct secrets *s, const char *form, struct span bytes)
{
    unsigned at = 0;

    if (bytes.n < SECRET_BYTES_MIN || s->states + bytes.n > STATES_MAX)
        return;
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        if (s->next[at][c] == 0) {
            unsigned fresh = new_state(s);
            s->next[at][c] = (uint16_t)fresh;
        }
        at = s->next[at][c];
    }
    for (size_t i = 0; i < STRIDE; i++) {
        unsigned pair = pair_of(bytes.p + i);
        s->pairs[pair / 8] |= (unsigned char)(1u << pair % 8);
    }
    if (s->leaves[at].secret == 0)
        s->leaves[at] = (struct leaf){(uint8_t)s->count, form, (uint16_t)bytes.n};
}

/* The characters that depend on the secret alone, wherever it stands in the encoded text. */
static void add_base64(struct secrets *s, struct span secret)
{
    static const size_t depends_from[3] = {0, 2, 3};
    static const char *const names[3] = {"base64", "base64, one byte in", "base64, two bytes in"};

    for (unsigned k = 0; k < 3; k++) {
        struct buf in BUF_AUTO = BUF(SECRET_BYTES_MAX + 2), out BUF_AUTO = BUF(FORM_BYTES_MAX);
        size_t end = (k + secret.n) * 8 / 6;
        for (unsigned i = 0; i < k; i++)
            buf_putc(&in, '\0');
        buf_put_span(&in, secret);
        base64_encode(&out, buf_span(&in));
        add_form(s, names[k], span_sub(buf_span(&out), depends_from[k], end - depends_from[k]));
        for (size_t i = 0; i < out.n; i++)
            out.p[i] = out.p[i] == '+' ? '-' : out.p[i] == '/' ? '_' : out.p[i];
        add_form(s, "base64url", span_sub(buf_span(&out), depends_from[k], end - depends_from[k]));
        secret_wipe(in.p, in.n);
        secret_wipe(out.p, out.n);
    }
}

static bool is_plain(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* Every byte as `before` and two digits; only_odd: letters and digits stay. */
static void add_escaped(struct secrets *s, const char *form, struct span secret, const char *before,
                        bool only_odd, bool upper)
{
    struct buf b BUF_AUTO = BUF(FORM_BYTES_MAX);

    for (size_t i = 0; i < secret.n; i++) {
        if (only_odd && is_plain(secret.p[i]))
            buf_putc(&b, secret.p[i]);
        else
            buf_printf(&b, upper ? "%s%02X" : "%s%02x", before, (unsigned char)secret.p[i]);
    }
    add_form(s, form, buf_span(&b));
    secret_wipe(b.p, b.n);
}

static void add_utf16(struct secrets *s, struct span secret, bool big)
{
    struct buf b BUF_AUTO = BUF(2 * SECRET_BYTES_MAX);

    for (size_t i = 0; i < secret.n; i++) {
        buf_putc(&b, big ? '\0' : secret.p[i]);
        buf_putc(&b, big ? secret.p[i] : '\0');
    }
    add_form(s, big ? "UTF-16BE" : "UTF-16LE", buf_span(&b));
    secret_wipe(b.p, b.n);
}

static void add_case(struct secrets *s, struct span secret, char (*to)(char))
{
    char text[SECRET_BYTES_MAX];

    for (size_t i = 0; i < secret.n; i++)
        text[i] = to(secret.p[i]);
    add_form(s, "in another case", span_of(text, secret.n));
    secret_wipe(text, sizeof text);
}

bool secrets_add(struct secrets *s, const char *name, struct span secret)
{
    CHECK(!s->linked);
    if (secret.n < SECRET_BYTES_MIN || secret.n > SECRET_BYTES_MAX || s->count == SECRETS_MAX)
        return false;
    snprintf(s->names[s->count++], NAME_BYTES, "%s", name);
    add_form(s, "as it is", secret);
    add_case(s, secret, ascii_lower);
    add_case(s, secret, ascii_upper);
    add_base64(s, secret);
    for (unsigned i = 0; i < 4; i++) {
        add_escaped(s, "quoted-printable", secret, "=", i & 1, i & 2);
        add_escaped(s, "percent-encoded", secret, "%", i & 1, i & 2);
    }
    add_escaped(s, "hexadecimal", secret, "", false, false);
    add_escaped(s, "hexadecimal", secret, "", false, true);
    add_utf16(s, secret, false);
    add_utf16(s, secret, true);
    return true;
}

/* Where no path goes on, the longest suffix that is the beginning of a form does. */
static void link_states(struct secrets *s)
{
    unsigned *queue = calloc(s->states, sizeof *queue);
    uint16_t *suffix = calloc(s->states, sizeof *suffix);
    unsigned head = 0, tail = 0;

    CHECK(queue != NULL && suffix != NULL);
    for (unsigned c = 0; c < ROW; c++)
        if (s->next[0][c] != 0)
            queue[tail++] = s->next[0][c];
    while (head < tail) {
        unsigned at = queue[head++];
        if (s->leaves[at].secret == 0)
            s->leaves[at] = s->leaves[suffix[at]];
        for (unsigned c = 0; c < ROW; c++) {
            unsigned to = s->next[at][c];
            if (to != 0) {
                suffix[to] = s->next[suffix[at]][c];
                queue[tail++] = to;
            } else {
                s->next[at][c] = s->next[suffix[at]][c];
            }
        }
    }
    free(queue);
    free(suffix);
    s->linked = true;
}

/* ---- scanning ---------------------------------------------------------------------------- */

static bool hit(const struct secrets *s, uint32_t state, size_t end, struct secret_hit *ret)
{
    const struct leaf *l = &s->leaves[state];

    if (l->secret == 0)
        return false;
    *ret = (struct secret_hit){s->names[l->secret - 1], l->form, l->length, end};
    return true;
}

static uint32_t step(const struct secrets *s, uint32_t state, char c)
{
    return s->next[state][(unsigned char)c];
}

/* The same without line ends, blanks and soft line breaks. True: a hit. */
static bool fold_step(const struct secrets *s, struct secret_scan *scan, char c, size_t end,
                      struct secret_hit *ret)
{
    if (c == '\r' || c == '\n' || c == ' ' || c == '\t') {
        scan->soft &= c != '\n';
        return false;
    }
    if (scan->soft) { /* it was none */
        scan->soft = false;
        scan->folded = step(s, scan->folded, '=');
    }
    if (c == '=') {
        scan->soft = true;
        return false;
    }
    scan->folded = step(s, scan->folded, c);
    return hit(s, scan->folded, end, ret);
}

static bool is_in_form(const struct secrets *s, const char *two)
{
    unsigned pair = pair_of(two);

    return s->pairs[pair / 8] >> pair % 8 & 1;
}

/* Without folding, the way of all ciphertext: nearly every byte leads back to the beginning. There, a form that begins within the next STRIDE
 * bytes has the last of these and the one behind it; if no form has such a pair, all of them are passed by. */
static bool scan_raw(const struct secrets *s, struct secret_scan *scan, struct span bytes,
                     size_t *at, struct secret_hit *ret)
{
    uint32_t state = scan->raw;
    size_t i = *at;

    while (i < bytes.n) {
        while (state == 0 && bytes.n - i > STRIDE && !is_in_form(s, bytes.p + i + STRIDE - 1))
            i += STRIDE;
        state = s->next[state][(unsigned char)bytes.p[i++]];
        if (state != 0 && hit(s, state, i, ret)) {
            scan->raw = state;
            *at = i;
            return true;
        }
    }
    scan->raw = state;
    *at = i;
    return false;
}

bool secrets_scan(const struct secrets *given, struct secret_scan *scan, struct span bytes,
                  bool fold, size_t *at, struct secret_hit *ret)
{
    const struct secrets *s = given;

    if (!s->linked)
        link_states((struct secrets *)(uintptr_t)s);
    if (!fold)
        return scan_raw(s, scan, bytes, at, ret);
    while (*at < bytes.n) {
        char c = bytes.p[(*at)++];
        bool found;
        scan->raw = step(s, scan->raw, c);
        found = hit(s, scan->raw, *at, ret);
        if (fold_step(s, scan, c, *at, found ? &(struct secret_hit){0} : ret))
            found = true;
        if (found)
            return true;
    }
    return false;
}
