#include "conf/syntax.h"

#include "base/parse.h"
#include "conf/conf.h"

#include <arpa/inet.h>

enum { LABEL_MAX = 63, DOMAIN_MAX = 253 };

const char *check_none(struct span s)
{
    return NULL;
}

static bool is_name_byte(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-';
}

/* Letters, digits and '-', which stands at neither end. */
static bool is_label(struct span s)
{
    if (s.n == 0 || s.n > LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_byte(s.p[i]))
            return false;
    return true;
}

const char *check_name(struct span s)
{
    return is_label(s) ? NULL
                       : "is not a name. Use letters, digits and '-' (not at the ends), as in "
                         "\"imap4-default\"";
}

static bool is_domain(struct span s)
{
    struct span label = SPAN_EMPTY;

    if (s.n == 0 || s.n > DOMAIN_MAX || s.p[s.n - 1] == '.')
        return false;
    while (span_split(&s, '.', &label))
        if (!is_label(label))
            return false;
    /* a last label of digits would be half an address */
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_digit(label.p[i]))
            return true;
    return false;
}

const char *check_domain(struct span s)
{
    return is_domain(s) ? NULL
                        : "is not a domain name. Write it as in \"mail.example.org\", without "
                          "wildcards, international names in their xn-- form";
}

static bool is_ip(struct span s)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char raw[16];

    return span_to_cstr(s, text, sizeof text) &&
           (inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1);
}

const char *check_ip(struct span s)
{
    return is_ip(s) ? NULL
                    : "is not a numeric address. Write it as in \"192.0.2.1\" or \"2001:db8::1\"";
}

const char *check_host(struct span s)
{
    return is_ip(s) || is_domain(s)
               ? NULL
               : "is neither a domain name nor a numeric address. Write it as in "
                 "\"mail.example.org\" or \"192.0.2.1\"";
}

const char *check_mx(struct span s)
{
    return is_domain(span_starts(s, SPAN("*.")) ? span_skip(s, 2) : s)
               ? NULL
               : "is not the name of a mail server. Write it as in \"mx.example.org\" or "
                 "\"*.example.org\"";
}

const char *check_network(struct span s)
{
    struct conf_network n;

    return conf_network_parse(s, &n)
               ? NULL
               : "is not an address or network. Write it as in \"192.0.2.1\", "
                 "\"10.0.0.0/8\" or \"2001:db8::/32\"";
}

const char *check_address(struct span s)
{
    size_t at = span_rfind(s, '@');
    bool ok = at != SPAN_NONE && at > 0 && at <= 64 && is_domain(span_skip(s, at + 1));

    for (size_t i = 0; ok && i < at; i++)
        ok = s.p[i] > 0x20 && s.p[i] < 0x7f && !strchr("()<>[]:;@\\,\"", s.p[i]);
    return ok ? NULL : "is not a mail address. Write it as in \"postmaster@example.org\"";
}

static bool is_port(struct span s)
{
    uint64_t port;

    return s.n <= 5 && span_to_u64(s, 65535, &port) && port > 0;
}

const char *check_dns_server(struct span s)
{
    struct span address = s;
    size_t at = span_find(s, '@');
    bool ok = true;

    if (at != SPAN_NONE) {
        address = span_head(s, at);
        ok = is_port(span_skip(s, at + 1));
    }
    return ok && is_ip(address) ? NULL
                                : "is not a DNS server. Write its numeric address, with a port as "
                                  "in \"127.0.0.1@5353\"";
}

bool smart_host_split(struct span s, struct span *ret_host, uint16_t *ret_port)
{
    struct span host = s, port = SPAN_EMPTY;
    uint64_t number = 0;

    if (parse_char(&s, '[')) {
        if (!parse_until(&s, ']', DOMAIN_MAX, &host) || !is_ip(host))
            return false;
        parse_char(&s, ']');
        port = s;
    } else if (is_ip(s)) {
        port = SPAN_EMPTY;
    } else {
        size_t colon = span_find(s, ':');
        host = span_head(s, colon);
        port = colon == SPAN_NONE ? SPAN_EMPTY : span_skip(s, colon);
        if (!is_domain(host) && !is_ip(host))
            return false;
    }
    if (port.n && (port.p[0] != ':' || !is_port(span_skip(port, 1)) ||
                   !span_to_u64(span_skip(port, 1), 65535, &number)))
        return false;
    *ret_host = host;
    *ret_port = (uint16_t)number;
    return true;
}

const char *check_smart_host(struct span s)
{
    struct span host;
    uint16_t port;

    return smart_host_split(s, &host, &port)
               ? NULL
               : "is not a host. Write it as in \"relay.example.org\", \"relay.example.org:587\" "
                 "or "
                 "\"[192.0.2.1]:25\"";
}

const char *check_address_space(struct span s)
{
    if (span_eq(s, SPAN("*")) || is_domain(s) ||
        (s.n && s.p[0] == '.' && is_domain(span_skip(s, 1))))
        return NULL;
    return "is not an address space. Write \"*\", a domain (\"example.org\") or all below one "
           "(\".example.org\")";
}

/* A file of one folder: nothing that leads out of it. */
const char *check_trust(struct span s)
{
    if (s.n == 0 || s.n > 64 || s.p[0] == '.')
        return "is no name of a file. Write own-ca, or the name of a PEM file in certs/trust";
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' &&
            s.p[i] != '_')
            return "is no name of a file. Write letters, digits, '.', '-' and '_'; the file "
                   "belongs "
                   "into certs/trust of the data folder";
    return NULL;
}

const char *check_key_type(struct span s)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (span_eq_cstr(s, types[i]))
            return NULL;
    return "is not a kind of key. Use \"p256\", \"p384\", \"ed25519\", \"rsa2048\", \"rsa3072\" or "
           "\"rsa4096\"";
}

const char *check_challenge(struct span s)
{
    static const char *const kinds[] = {"http-01", "dns-01", "tls-alpn-01"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_eq_cstr(s, kinds[i]))
            return NULL;
    return "is no kind of challenge. Use \"http-01\", \"dns-01\" or \"tls-alpn-01\"";
}

static bool is_user_name(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && c != '_' && (i == 0 || (!ascii_is_digit(c) && c != '-')))
            return false;
    }
    return true;
}

const char *check_user_prefix(struct span s)
{
    return is_user_name(s) ? NULL
                           : "cannot begin a user's name. Use lower case letters, digits, '-' and "
                             "'_', as in \"sealpost-\"";
}

const char *check_group(struct span s)
{
    return is_user_name(s) ? NULL
                           : "is not a group's name. Use lower case letters, digits, '-' and '_', "
                             "as in \"mailadmin\"";
}

/* http(s)://host[:port][/path]: what a URL may hold, and a host */
static bool is_address_of_web(struct span s, bool clear)
{
    if (clear && span_starts_nocase(s, SPAN("http://")))
        s = span_skip(s, 7);
    else if (span_starts_nocase(s, SPAN("https://")))
        s = span_skip(s, 8);
    else
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127 || strchr("\"<>\\^`{|}@", s.p[i]))
            return false;
    return s.n > 0 && s.p[0] != '/' && s.p[0] != ':' && s.p[0] != '?' && s.p[0] != '#';
}

const char *check_web_address(struct span s)
{
    return is_address_of_web(s, true)
               ? NULL
               : "is no address. Write http://host/path or https://host/path";
}

const char *check_https_address(struct span s)
{
    return is_address_of_web(s, false) ? NULL : "is no secure address. Write https://host/path";
}

const char *check_program(struct span s)
{
    return s.n > 1 && s.p[0] == '/' && s.p[s.n - 1] != '/'
               ? NULL
               : "is no program. Write its absolute path; it is run without a shell, so without "
                 "arguments";
}
