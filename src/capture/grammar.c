#include "capture/grammar.h"

#include "base/check.h"
#include "base/parse.h"
#include "capture/grammar_http.h"

const struct offence_row offence_rows[OFFENCE_COUNT] = {
#define OFFENCE(id, name, whose, meaning, remedy) {name, meaning, remedy, WHOSE_##whose},
#include "capture/offences.def"
#undef OFFENCE
};

enum clear { CLEAR_STRICT, CLEAR_OPEN, CLEAR_NEVER };

static const struct word {
    enum conf_protocol protocol;
    const char *word;
    enum grammar_kind kind;
    enum clear clear;
} words[] = {
#define WORD(protocol, word, kind, clear) {PROTOCOL_##protocol, word, KIND_##kind, CLEAR_##clear},
#include "capture/words.def"
#undef WORD
};

void grammar_init(struct grammar *g, enum conf_protocol protocol, enum conf_policy policy,
                  bool require_secure)
{
    memset(g, 0, sizeof *g);
    g->protocol = protocol;
    g->policy = policy;
    g->strict = policy == POLICY_STARTTLS_REQUIRED && require_secure;
    g->in_header[0] = g->in_header[1] = false;
}

static void offend(struct grammar_result *r, enum offence o, const char *why)
{
    if (r->offence >= 0 && offence_rows[r->offence].whose == WHOSE_SERVER)
        return; /* the worse one is told */
    r->offence = (int)o;
    r->why = why;
}

/* ---- commands that wait for their answer -------------------------------------------------- */

static void push(struct grammar *g, enum grammar_kind kind, bool forbidden, uint64_t tag)
{
    if (g->open_n == GRAMMAR_OPEN_MAX) { /* no honest client: the oldest is forgotten */
        g->open_first++;
        g->open_n--;
    }
    g->open[(g->open_first + g->open_n++) % GRAMMAR_OPEN_MAX] =
        (struct grammar_open){(uint8_t)kind, forbidden, tag};
}

static bool pop(struct grammar *g, struct grammar_open *ret)
{
    if (g->open_n == 0)
        return false;
    *ret = g->open[g->open_first++ % GRAMMAR_OPEN_MAX];
    g->open_n--;
    return true;
}

static const struct grammar_open *first_open(const struct grammar *g)
{
    return g->open_n > 0 ? &g->open[g->open_first % GRAMMAR_OPEN_MAX] : NULL;
}

/* IMAP answers in any order. */
static bool pop_tag(struct grammar *g, uint64_t tag, struct grammar_open *ret)
{
    for (unsigned i = 0; i < g->open_n; i++) {
        unsigned at = (g->open_first + i) % GRAMMAR_OPEN_MAX;
        if (g->open[at].tag != tag)
            continue;
        *ret = g->open[at];
        for (; i > 0; i--) {
            unsigned to = (g->open_first + i) % GRAMMAR_OPEN_MAX;
            g->open[to] = g->open[(g->open_first + i - 1) % GRAMMAR_OPEN_MAX];
        }
        g->open_first++;
        g->open_n--;
        return true;
    }
    return false;
}

/* ---- the client -------------------------------------------------------------------------- */

static const struct word *find_word(enum conf_protocol p, struct span word)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].protocol == p && span_is(word, words[i].word))
            return &words[i];
    return NULL;
}

bool grammar_knows(enum conf_protocol protocol, struct span word)
{
    return find_word(protocol, word) != NULL;
}

/* "{12}", "{12+}" at the end of an IMAP line. */
static bool ends_in_literal(struct span line, uint64_t *ret, bool *ret_at_once)
{
    size_t at = span_rfind(line, '{');
    struct span n;

    if (at == SPAN_NONE || line.n < 3 || line.p[line.n - 1] != '}')
        return false;
    n = span_sub(line, at + 1, line.n - at - 2);
    *ret_at_once = n.n > 0 && n.p[n.n - 1] == '+';
    if (*ret_at_once)
        n.n--;
    return span_to_u64(n, UINT32_MAX, ret);
}

static void imap_literal(struct grammar *g, struct span line)
{
    uint64_t n;
    bool at_once;

    g->continues = ends_in_literal(line, &n, &at_once);
    if (!g->continues)
        return;
    if (at_once)
        g->raw[0] = n;
    else
        g->literal = n + 1;
}

static void chunk(struct grammar *g, struct span rest)
{
    struct span word;
    uint64_t n;

    if (parse_word(&rest, 20, &word) && span_to_u64(word, UINT32_MAX, &n))
        g->raw[0] = n;
}

static void client_line(struct grammar *g, struct span line, struct grammar_result *r)
{
    struct span rest = line, tag = SPAN_EMPTY, word;
    const struct word *w;
    bool forbidden, answers_login;
    enum grammar_kind kind;

    if (g->in_data) {
        r->is_data = true;
        g->in_data = !span_eq_cstr(line, ".");
        if (!g->in_data && g->data_answered)
            push(g, KIND_SAY, false, 0);
        return;
    }
    if (g->continues) {
        r->is_data = true;
        imap_literal(g, line);
        return;
    }
    if (g->asked_tls) {
        g->behind = true;
        offend(r, OFFENCE_CLIENT_BEHIND, NULL);
    }
    if (g->protocol == PROTOCOL_IMAP4)
        parse_word(&rest, GRAMMAR_LINE_MAX, &tag);
    if (!parse_word(&rest, GRAMMAR_LINE_MAX, &word))
        word = SPAN_EMPTY;
    answers_login = g->login_goes_on;
    g->login_goes_on = false;
    r->part = answers_login ? PART_SECRET : PART_COMMAND;
    w = answers_login ? NULL : find_word(g->protocol, word);
    kind = answers_login ? KIND_LOGIN : w ? w->kind : KIND_SAY;
    forbidden = w != NULL ? w->clear == CLEAR_NEVER || (g->strict && w->clear != CLEAR_STRICT)
                          : g->strict || answers_login;
    if (forbidden)
        offend(r, kind == KIND_LOGIN ? OFFENCE_CLIENT_LOGIN : OFFENCE_CLIENT_WORDS, NULL);
    push(g, kind, forbidden, span_hash(tag));
    if (kind == KIND_STARTTLS)
        g->asked_tls = true;
    if (kind == KIND_CHUNK)
        chunk(g, rest);
    /* an article follows at once (RFC 4644 section 2.5) */
    if (w != NULL && span_is(word, "TAKETHIS")) {
        g->in_data = true;
        g->data_answered = false;
    }
    if (g->protocol == PROTOCOL_IMAP4)
        imap_literal(g, line);
}

/* ---- the server -------------------------------------------------------------------------- */

/* Does a line of capabilities offer a login? */
static bool offers_login(enum conf_protocol p, struct span line)
{
    struct span word;

    switch (p) {
    case PROTOCOL_SMTP:
        return span_starts_nocase(line, SPAN("AUTH")) &&
               (line.n == 4 || line.p[4] == ' ' || line.p[4] == '=');
    case PROTOCOL_POP3:
        return parse_word(&line, 64, &word) &&
               (span_is(word, "USER") || (span_is(word, "SASL") && span_trim(line).n > 0));
    case PROTOCOL_NNTP:
        /* the line itself may say that there is nothing now (RFC 4643 section 2.1) */
        return parse_word(&line, 64, &word) &&
               (span_is(word, "AUTHINFO") || span_is(word, "SASL")) && span_trim(line).n > 0;
    case PROTOCOL_IMAP4:
        while (parse_word(&line, GRAMMAR_LINE_MAX, &word)) {
            word = span_starts(word, SPAN("[")) ? span_skip(word, 1) : word;
            if (span_starts_nocase(word, SPAN("AUTH=")))
                return true;
        }
        return false;
    default:
        return false;
    }
}

/* The last line of the answer to a command. good: it was not refused. */
static void answered(struct grammar *g, const struct grammar_open *c, bool good, bool goes_on,
                     struct grammar_result *r)
{
    if (c->kind == KIND_STARTTLS) {
        g->asked_tls = false;
        if (good)
            r->starts_tls = true;
        else
            g->behind = false;
        return;
    }
    if (c->forbidden && good)
        offend(r, c->kind == KIND_LOGIN ? OFFENCE_LOGIN_ACCEPTED : OFFENCE_ACCEPTED, NULL);
    if (c->kind == KIND_DATA && goes_on)
        g->in_data = g->data_answered = true;
}

static bool is_multi_line(unsigned code)
{
    return code == 100 || code == 101 || code == 215 || (code >= 220 && code <= 222) ||
           code == 224 || code == 225 || code == 230 || code == 231;
}

static void server_block(struct grammar *g, struct span line, struct grammar_result *r)
{
    if (span_eq_cstr(line, ".")) {
        g->in_block = false;
        return;
    }
    r->is_data = !g->block_is_capabilities;
    if (g->block_is_capabilities && offers_login(g->protocol, line))
        offend(r, OFFENCE_OFFERED, NULL);
}

/* SMTP and NNTP: three digits. */
static void server_code(struct grammar *g, struct span line, struct grammar_result *r)
{
    struct span rest = line;
    struct grammar_open c;
    const struct grammar_open *open = first_open(g);
    unsigned code;
    bool more;

    if (!parse_fixed_digits(&rest, 3, &code) || code < 100 || code > 599 ||
        (rest.n > 0 && rest.p[0] != ' ' && rest.p[0] != '-')) {
        offend(r, OFFENCE_WORDS, "it does not begin with a code");
        return;
    }
    more = rest.n > 0 && rest.p[0] == '-';
    if (more && g->protocol == PROTOCOL_NNTP) {
        offend(r, OFFENCE_WORDS, "NNTP has no replies of several lines with a code each");
        return;
    }
    if (g->protocol == PROTOCOL_SMTP && open != NULL && open->kind == KIND_CAPABILITIES &&
        offers_login(g->protocol, span_skip(rest, 1)))
        offend(r, OFFENCE_OFFERED, NULL);
    if (more)
        return;
    if (!g->greeted) {
        g->greeted = true;
        return;
    }
    if (!pop(g, &c)) {
        /* the server may say goodbye by itself */
        if (code != 421 && code != 400 && code != 205)
            offend(r, OFFENCE_WORDS, "an answer that nobody asked for");
        return;
    }
    answered(g, &c, code < 400, code >= 300 && code < 400, r);
    /* NNTP's 381 asks for another command (RFC 4643 section 2.3) */
    g->login_goes_on = c.kind == KIND_LOGIN && code >= 300 && code < 400 && code != 381;
    if (g->protocol == PROTOCOL_NNTP && is_multi_line(code)) {
        g->in_block = true;
        g->block_is_capabilities = c.kind == KIND_CAPABILITIES;
    }
}

static void server_pop3(struct grammar *g, struct span line, struct grammar_result *r)
{
    struct span rest = line;
    struct grammar_open c;
    const struct grammar_open *open = first_open(g);
    bool ok = parse_lit(&rest, "+OK");

    if (!ok && parse_lit(&rest, "+ ")) {
        if (open != NULL && open->kind == KIND_LOGIN)
            offend(r, OFFENCE_LOGIN_ACCEPTED, "the server goes on with it");
        else
            offend(r, OFFENCE_WORDS, "a continuation outside a login");
        g->continues = true;
        return;
    }
    if ((!ok && !parse_lit(&rest, "-ERR")) || (rest.n > 0 && rest.p[0] != ' ')) {
        offend(r, OFFENCE_WORDS, "neither +OK nor -ERR");
        return;
    }
    if (!g->greeted) {
        g->greeted = true;
        return;
    }
    if (!pop(g, &c)) {
        if (ok)
            offend(r, OFFENCE_WORDS, "an answer that nobody asked for");
        return;
    }
    answered(g, &c, ok, false, r);
    if (ok && c.kind == KIND_CAPABILITIES)
        g->in_block = g->block_is_capabilities = true;
}

static void imap_untagged(struct grammar *g, struct span rest, struct grammar_result *r)
{
    static const char *const said[] = {"OK", "NO", "BAD", "BYE", "CAPABILITY", "ID", "ENABLED"};
    struct span word, all = rest;

    if (!parse_word(&rest, 64, &word))
        word = SPAN_EMPTY;
    if (span_is(word, "PREAUTH")) {
        offend(r, OFFENCE_LOGIN_ACCEPTED, "PREAUTH: everybody is logged in");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (span_is(word, said[i])) {
            g->greeted = true;
            /* response codes may hold capabilities as well */
            if (offers_login(PROTOCOL_IMAP4, all))
                offend(r, OFFENCE_OFFERED, NULL);
            return;
        }
    offend(r, g->strict ? OFFENCE_ACCEPTED : OFFENCE_WORDS, "data that need TLS or a command");
}

static void server_imap(struct grammar *g, struct span line, struct grammar_result *r)
{
    struct span rest = line, tag, word;
    struct grammar_open c;

    if (parse_lit(&rest, "* ")) {
        imap_untagged(g, rest, r);
        return;
    }
    if (rest.n > 0 && rest.p[0] == '+') {
        const struct grammar_open *open = first_open(g);
        if (g->literal > 0) {
            g->raw[0] = g->literal - 1;
            g->literal = 0;
        } else {
            g->continues = true;
        }
        if (open != NULL && open->forbidden)
            offend(r, open->kind == KIND_LOGIN ? OFFENCE_LOGIN_ACCEPTED : OFFENCE_ACCEPTED,
                   "the server goes on with it");
        return;
    }
    if (!parse_word(&rest, GRAMMAR_LINE_MAX, &tag) || !parse_word(&rest, 64, &word) ||
        !(span_is(word, "OK") || span_is(word, "NO") || span_is(word, "BAD"))) {
        offend(r, OFFENCE_WORDS, "neither untagged nor OK, NO or BAD with a tag");
        return;
    }
    if (!pop_tag(g, span_hash(tag), &c)) {
        offend(r, OFFENCE_WORDS, "an answer that nobody asked for");
        return;
    }
    g->literal = 0;
    g->continues = false;
    answered(g, &c, span_is(word, "OK"), false, r);
    if (offers_login(PROTOCOL_IMAP4, rest))
        offend(r, OFFENCE_OFFERED, NULL);
}

static void server_line(struct grammar *g, struct span line, struct grammar_result *r)
{
    if (g->in_block) {
        server_block(g, line, r);
        return;
    }
    switch (g->protocol) {
    case PROTOCOL_POP3:
        g->continues = false;
        server_pop3(g, line, r);
        break;
    case PROTOCOL_IMAP4:
        server_imap(g, line, r);
        break;
    default:
        server_code(g, line, r);
        break;
    }
}

void grammar_line(struct grammar *g, bool from_server, struct span line, struct grammar_result *ret)
{
    *ret = (struct grammar_result){.offence = -1, .part = PART_COMMAND};
    if (g->protocol == PROTOCOL_HTTP)
        grammar_http_line(g, from_server, line, ret);
    else if (from_server)
        server_line(g, line, ret);
    else
        client_line(g, line, ret);
}

uint64_t grammar_raw(const struct grammar *g, bool from_server)
{
    return g->raw_to_end[from_server] ? UINT64_MAX : g->raw[from_server];
}

void grammar_raw_taken(struct grammar *g, bool from_server, uint64_t n)
{
    if (!g->raw_to_end[from_server])
        g->raw[from_server] -= n < g->raw[from_server] ? n : g->raw[from_server];
}
