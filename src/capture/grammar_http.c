#include "capture/grammar_http.h"

#include "base/check.h"
#include "base/parse.h"

static void offend(struct grammar_result *r, enum offence o, const char *why)
{
    r->offence = (int)o;
    r->why = why;
}

/* What may be had in clear: what has to be, before a client trusts anything. */
static bool is_public(struct span path)
{
    static const char *const below[] = {"/ca/", "/ocsp/", "/.well-known/"};
    static const char *const pages[] = {"/health", "/ca.pem", "/ca.crt", "/ocsp"};

    path = span_head(path, span_find(path, '?'));
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (span_eq_cstr(path, pages[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(below); i++)
        if (span_starts(path, span_cstr(below[i])))
            return true;
    return false;
}

static bool is_version(struct span s)
{
    return span_eq_cstr(s, "HTTP/1.1") || span_eq_cstr(s, "HTTP/1.0");
}

static void begin_message(struct grammar *g, bool server)
{
    g->in_header[server] = true;
    g->has_body[server] = g->chunked[server] = false;
    g->body[server] = 0;
}

static void request_line(struct grammar *g, struct span line, struct grammar_result *r)
{
    struct span method, path, version;

    if (line.n == 0)
        return;
    if (!parse_word(&line, 32, &method) || !parse_word(&line, GRAMMAR_LINE_MAX, &path) ||
        !parse_word(&line, 16, &version) || !is_version(version)) {
        offend(r, OFFENCE_CLIENT_WORDS, "no request of HTTP/1");
        g->public_page = false;
        return;
    }
    g->public_page = is_public(path);
    g->head = span_eq_cstr(method, "HEAD");
    begin_message(g, false);
}

static void status_line(struct grammar *g, struct span line, struct grammar_result *r)
{
    struct span version, code;
    uint64_t n = 0;

    if (!parse_word(&line, 16, &version) || !is_version(version) || !parse_word(&line, 3, &code) ||
        !span_to_u64(code, 599, &n) || n < 100) {
        offend(r, OFFENCE_WORDS, "no answer of HTTP/1");
        return;
    }
    g->status = (unsigned)n;
    if (n >= 200 && n < 300 && !g->public_page)
        offend(r, OFFENCE_ACCEPTED, "a page that is not public");
    begin_message(g, true);
}

static bool field_is(struct span line, const char *name, struct span *ret_value)
{
    size_t at = span_find(line, ':');

    if (at == SPAN_NONE || !span_is(span_head(line, at), name))
        return false;
    *ret_value = span_trim(span_skip(line, at + 1));
    return true;
}

static void end_of_header(struct grammar *g, bool server)
{
    bool none = server && (g->head || g->status < 200 || g->status == 204 || g->status == 304);

    g->in_header[server] = false;
    if (none || g->chunked[server])
        return;
    if (g->has_body[server])
        g->raw[server] = g->body[server];
    else if (server)
        g->raw_to_end[1] = true;
}

static void header_line(struct grammar *g, bool server, struct span line, struct grammar_result *r)
{
    struct span value;

    if (line.n == 0)
        end_of_header(g, server);
    else if (field_is(line, "Content-Length", &value))
        g->has_body[server] = span_to_u64(value, INT64_MAX, &g->body[server]);
    else if (field_is(line, "Transfer-Encoding", &value))
        g->chunked[server] = span_ends_nocase(value, SPAN("chunked"));
    else if (!server &&
             (field_is(line, "Authorization", &value) || field_is(line, "Cookie", &value)))
        offend(r, OFFENCE_CLIENT_LOGIN, NULL);
    else if (server && field_is(line, "Set-Cookie", &value))
        offend(r, OFFENCE_LOGIN_ACCEPTED, "a cookie in clear");
    else if (span_find(line, ':') == SPAN_NONE && line.p[0] != ' ' && line.p[0] != '\t')
        offend(r, server ? OFFENCE_WORDS : OFFENCE_CLIENT_WORDS, "no header field");
}

/* "1a;extension", the chunk, CRLF, …, "0", trailers, an empty line */
static void chunk_line(struct grammar *g, bool server, struct span line, struct grammar_result *r)
{
    uint64_t n = 0;
    size_t i = 0;

    r->is_data = true;
    for (; i < line.n && i < 15; i++) {
        char c = ascii_lower(line.p[i]);
        if (ascii_is_digit(c))
            n = n * 16 + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n * 16 + (uint64_t)(c - 'a' + 10);
        else
            break;
    }
    if (i == 0 && line.n > 0) {
        offend(r, server ? OFFENCE_WORDS : OFFENCE_CLIENT_WORDS, "no length of a chunk");
        g->chunked[server] = false;
    } else if (i > 0 && n > 0) {
        g->raw[server] = n;
    } else if (i > 0) {
        g->chunked[server] = false;
        g->has_body[server] = true; /* none follows the trailers */
        g->body[server] = 0;
        g->in_header[server] = true;
    }
}

void grammar_http_line(struct grammar *g, bool server, struct span line, struct grammar_result *r)
{
    r->part = g->in_header[server] ? PART_FIELD : PART_COMMAND;
    if (g->in_header[server])
        header_line(g, server, line, r);
    else if (g->chunked[server])
        chunk_line(g, server, line, r);
    else if (server)
        status_line(g, line, r);
    else
        request_line(g, line, r);
}
