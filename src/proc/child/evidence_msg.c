#include "proc/child/evidence_msg.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

static void wr_printable(struct buf *b, const char *value)
{
    char text[EVIDENCE_VALUE_MAX + 1];
    size_t n = 0;

    for (; value[n] != '\0' && n < EVIDENCE_VALUE_MAX; n++)
        text[n] = value[n] >= 32 && value[n] < 127 ? value[n] : '?';
    wr_span(b, span_of(text, n));
}

void wr_evidence_event(struct buf *b, const char *kind, uint8_t role, uint8_t instance,
                       const struct evidence_fact *facts, unsigned count)
{
    uint8_t n = 0;

    for (unsigned i = 0; i < count; i++)
        n += facts[i].value != NULL && facts[i].value[0] != '\0';
    CHECK(n <= EVIDENCE_FACTS_MAX);
    wr_cstr(b, kind);
    wr_u8(b, role);
    wr_u8(b, instance);
    wr_u8(b, n);
    for (unsigned i = 0; i < count; i++)
        if (facts[i].value != NULL && facts[i].value[0] != '\0') {
            wr_cstr(b, facts[i].name);
            wr_printable(b, facts[i].value);
        }
}

static bool is_word(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* What the supervisor writes itself is not for others to say. */
static bool is_fact(const char *name)
{
    static const char *const own[] = {"n", "at", "kind", "prev", "hash", "asked", "by"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (strcmp(name, own[i]) == 0)
            return false;
    return is_word(name);
}

static bool is_printable(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s < 32 || *s > 126)
            return false;
    return true;
}

bool rd_evidence_event(struct span body, struct evidence_event *ret)
{
    struct rd r = rd_of(body);
    struct evidence_event e;

    rd_cstr(&r, e.kind, sizeof e.kind);
    e.role = rd_u8(&r);
    e.instance = rd_u8(&r);
    e.count = rd_u8(&r);
    if (r.bad || e.count > EVIDENCE_FACTS_MAX || !is_word(e.kind))
        return false;
    for (unsigned i = 0; i < e.count; i++) {
        rd_cstr(&r, e.facts[i].name, sizeof e.facts[i].name);
        rd_cstr(&r, e.facts[i].value, sizeof e.facts[i].value);
        if (r.bad || !is_fact(e.facts[i].name) || !is_printable(e.facts[i].value))
            return false;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(e.facts[i].name, e.facts[k].name) == 0)
                return false;
    }
    if (!rd_done(&r))
        return false;
    *ret = e;
    return true;
}

void wr_evidence_added(struct buf *b, uint64_t number, const char *hash)
{
    wr_u64(b, number);
    wr_cstr(b, hash);
}

bool rd_evidence_added(struct span body, uint64_t *ret_number, char hash[EVIDENCE_HASH_TEXT + 1])
{
    struct rd r = rd_of(body);
    uint64_t number = rd_u64(&r);
    char text[EVIDENCE_HASH_TEXT + 1];

    rd_cstr(&r, text, sizeof text);
    if (!rd_done(&r))
        return false;
    *ret_number = number;
    memcpy(hash, text, sizeof text);
    return true;
}
