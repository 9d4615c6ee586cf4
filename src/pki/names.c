#include "pki/names.h"
#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

void cert_names_done(struct cert_names *n)
{
    if (!n)
        return;
    for (uint32_t i = 0; i < n->n; i++)
        free(n->v[i].text);
    free(n->v);
    *n = CERT_NAMES_EMPTY;
}

static bool label_byte(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/* label *("." label), each 1 to 63 bytes, together at most 253; the first label may be "*" if
 * others follow */
static bool dns_name_valid(struct span s)
{
    size_t label = 0;

    if (s.n == 0 || s.n > 253)
        return false;
    if (s.n > 2 && s.p[0] == '*' && s.p[1] == '.')
        s = span_skip(s, 2);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') {
            if (label == 0 || s.p[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!label_byte(s.p[i]) || (label == 0 && s.p[i] == '-') || ++label > 63)
            return false;
    }
    return label > 0 && s.p[s.n - 1] != '-';
}

static bool local_part_valid(struct span s)
{
    static const char marks[] = "!#$%&'*+-/=?^_`{|}~.";

    if (s.n == 0 || s.n > 64 || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && s.p[i - 1] == '.')
            return false;
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) &&
            !memchr(marks, s.p[i], sizeof(marks) - 1))
            return false;
    }
    return true;
}

unsigned cert_name_ip_bytes(const char *text, unsigned char ret[16])
{
    if (inet_pton(AF_INET, text, ret) == 1)
        return 4;
    return inet_pton(AF_INET6, text, ret) == 1 ? 16 : 0;
}

static void lower(char *p)
{
    for (; *p; p++)
        *p = ascii_lower(*p);
}

/* The one way of writing a name, so that equal names have equal texts. */
static bool canonical(enum cert_name_type type, struct span text, char out[CERT_NAME_TEXT_MAX])
{
    unsigned char ip[16];
    unsigned bytes;
    size_t at;

    if (!span_to_cstr(text, out, CERT_NAME_TEXT_MAX))
        return false;
    switch (type) {
    case CERT_NAME_DNS:
        if (text.n && text.p[text.n - 1] == '.')
            return false;
        lower(out);
        return dns_name_valid(text);
    case CERT_NAME_IP:
        bytes = cert_name_ip_bytes(out, ip);
        return bytes &&
               inet_ntop(bytes == 4 ? AF_INET : AF_INET6, ip, out, CERT_NAME_TEXT_MAX) != NULL;
    case CERT_NAME_EMAIL:
        at = span_rfind(text, '@');
        if (at == SPAN_NONE || !local_part_valid(span_head(text, at)) ||
            span_starts(span_skip(text, at + 1), SPAN("*")) ||
            !dns_name_valid(span_skip(text, at + 1)))
            return false;
        lower(out + at);
        return true;
    case CERT_NAME_TYPES:
        break;
    }
    return false;
}

static bool has_canonical(const struct cert_names *n, enum cert_name_type type, const char *text)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (n->v[i].type == type && strcmp(n->v[i].text, text) == 0)
            return true;
    return false;
}

int cert_names_add(struct cert_names *n, enum cert_name_type type, struct span text)
{
    char out[CERT_NAME_TEXT_MAX];

    if (!canonical(type, text, out))
        return -EINVAL;
    if (has_canonical(n, type, out))
        return 0;
    if (n->n == CERT_NAMES_MAX)
        return -E2BIG;
    if (!n->v) {
        n->v = calloc(CERT_NAMES_MAX, sizeof(*n->v));
        CHECK(n->v);
    }
    n->v[n->n].type = (uint8_t)type;
    n->v[n->n].text = span_dup(span_cstr(out));
    n->n++;
    return 0;
}

int cert_names_add_any(struct cert_names *n, struct span text)
{
    char out[CERT_NAME_TEXT_MAX];

    if (canonical(CERT_NAME_IP, text, out))
        return cert_names_add(n, CERT_NAME_IP, text);
    return cert_names_add(n, span_has(text, '@') ? CERT_NAME_EMAIL : CERT_NAME_DNS, text);
}

bool cert_names_has(const struct cert_names *n, enum cert_name_type type, struct span text)
{
    char out[CERT_NAME_TEXT_MAX];
    return canonical(type, text, out) && has_canonical(n, type, out);
}

bool cert_names_same(const struct cert_names *a, const struct cert_names *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!has_canonical(b, a->v[i].type, a->v[i].text))
            return false;
    return true;
}

int cert_names_copy(struct cert_names *dst, const struct cert_names *src)
{
    for (uint32_t i = 0; i < src->n; i++) {
        int rc = cert_names_add(dst, src->v[i].type, span_cstr(src->v[i].text));
        if (rc < 0)
            return rc;
    }
    return 0;
}

void cert_names_print(const struct cert_names *n, struct buf *out)
{
    for (uint32_t i = 0; i < n->n; i++)
        buf_printf(out, "%s%s", i ? ", " : "", n->v[i].text);
}

const char *cert_name_type_name(enum cert_name_type t)
{
    static const char *const names[CERT_NAME_TYPES] = {
        [CERT_NAME_DNS] = "DNS", [CERT_NAME_IP] = "IP", [CERT_NAME_EMAIL] = "email"};
    CHECK(t < CERT_NAME_TYPES);
    return names[t];
}
