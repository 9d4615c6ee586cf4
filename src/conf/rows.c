#include "conf/rows.h"

#include "base/check.h"
#include "conf/syntax.h"

static const char *const protocol_names[] = {"pop3", "imap4", "smtp", "nntp", "http", NULL};
static const char *const policy_names[] = {"tls", "starttls", "opportunistic", "public", NULL};
static const char *const smtp_kind_names[] = {"mx", "submission", NULL};
static const char *const quota_reply_names[] = {"permanent", "temporary", NULL};
static const char *const tls_min_names[] = {"1.2", "1.3", NULL};
static const char *const client_certificates_names[] = {"ignore", "accept", "require", NULL};
static const char *const search_index_names[] = {"used", "always", "never", NULL};
static const char *const authority_kind_names[] = {"acme", "est", NULL};
static const char *const challenge_names[] = {"http-01", "tls-alpn-01", "dns-command", "dns-update",
                                              NULL};
static const char *const dane_names[] = {"off", "print", "publish", NULL};
static const char *const stapling_names[] = {"off", "on", "private", NULL};
static const char *const tsig_names[] = {"hmac-sha256", "hmac-sha384", "hmac-sha512", NULL};
static const char *const mta_sts_names[] = {"none", "testing", "enforce", NULL};
static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};

typedef struct conf in_ROOT;
typedef struct conf_vserver in_VSERVER;
typedef struct conf_endpoint in_ENDPOINT;
typedef struct conf_limits in_LIMITS;
typedef struct conf_connector in_CONNECTOR;
typedef struct conf_authority in_AUTHORITY;
typedef struct conf_mta_sts in_MTA_STS;
typedef struct conf_dane in_DANE;
typedef struct conf_acme_server in_ACME_SERVER;
typedef struct conf_est_server in_EST_SERVER;

#define REQUIRED NULL
#define DERIVED(words) "=" words

const struct row conf_rows[] = {
#define SECTION(scope_, title) {.type = ROW_SECTION, .scope = SCOPE_##scope_, .doc = title},
#define OPT(scope_, field, type_, min_, max_, def_, unit_, doc_, check_)                           \
    {.name = #field,                                                                               \
     .doc = doc_,                                                                                  \
     .def = def_,                                                                                  \
     .unit = unit_,                                                                                \
     .check = check_,                                                                              \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .offset = offsetof(in_##scope_, field),                                                       \
     .type = ROW_##type_,                                                                          \
     .scope = SCOPE_##scope_},
#define CHOICE(scope_, field, names_, def_, doc_)                                                  \
    {.name = #field,                                                                               \
     .doc = doc_,                                                                                  \
     .def = def_,                                                                                  \
     .unit = "",                                                                                   \
     .names = names_,                                                                              \
     .max = ARRAY_LEN(names_) - 2,                                                                 \
     .offset = offsetof(in_##scope_, field),                                                       \
     .type = ROW_CHOICE,                                                                           \
     .scope = SCOPE_##scope_},
#define LIST(scope_, field, count, element_, min_, max_, doc_)                                     \
    {.name = #field,                                                                               \
     .doc = doc_,                                                                                  \
     .def = min_ ? REQUIRED : "",                                                                  \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .offset = offsetof(in_##scope_, field),                                                       \
     .count_offset = offsetof(in_##scope_, count),                                                 \
     .type = ROW_LIST,                                                                             \
     .scope = SCOPE_##scope_,                                                                      \
     .element = SCOPE_##element_},
#define GROUP(scope_, field, element_, doc_)                                                       \
    {.name = #field,                                                                               \
     .doc = doc_,                                                                                  \
     .def = "",                                                                                    \
     .offset = offsetof(in_##scope_, field),                                                       \
     .type = ROW_GROUP,                                                                            \
     .scope = SCOPE_##scope_,                                                                      \
     .element = SCOPE_##element_},
#define PROTOCOL_DEFAULT(protocol, field, def)
#include "conf/options.def"
#undef SECTION
#undef OPT
#undef CHOICE
#undef LIST
#undef GROUP
#undef PROTOCOL_DEFAULT
};
const size_t conf_row_count = ARRAY_LEN(conf_rows);

/* A row's type and its field's must agree, or a write goes astray. */
typedef const char *field_STRING;
typedef bool field_BOOL;
typedef uint16_t field_U16;
typedef uint32_t field_U32;
typedef uint64_t field_U64;
typedef struct conf_strings field_STRINGS;
typedef struct conf_strings field_DURATIONS;
typedef struct conf_networks field_NETWORKS;
#define SAME_TYPE(a, b) _Static_assert(__builtin_types_compatible_p(__typeof__(a), b), #a)
#define FIELD(scope_, field) (((in_##scope_ *)0)->field)
#define SECTION(scope_, title)
#define OPT(scope_, field, type_, min_, max_, def_, unit_, doc_, check_)                           \
    SAME_TYPE(FIELD(scope_, field), field_##type_);
#define CHOICE(scope_, field, names_, def_, doc_) SAME_TYPE(FIELD(scope_, field), uint8_t);
#define LIST(scope_, field, count, element_, min_, max_, doc_)                                     \
    SAME_TYPE(FIELD(scope_, field), in_##element_ *);                                              \
    SAME_TYPE(FIELD(scope_, count), uint32_t);
#define GROUP(scope_, field, element_, doc_) SAME_TYPE(FIELD(scope_, field), in_##element_);
#define PROTOCOL_DEFAULT(protocol, field, def)
#include "conf/options.def"
#undef SECTION
#undef OPT
#undef CHOICE
#undef LIST
#undef GROUP
#undef PROTOCOL_DEFAULT

static const struct {
    enum conf_protocol protocol;
    const char *field, *def;
} protocol_defaults[] = {
#define SECTION(scope_, title)
#define OPT(scope_, field, type_, min_, max_, def_, unit_, doc_, check_)
#define CHOICE(scope_, field, names_, def_, doc_)
#define LIST(scope_, field, count, element_, min_, max_, doc_)
#define GROUP(scope_, field, element_, doc_)
#define PROTOCOL_DEFAULT(protocol, field, def) {protocol, #field, def},
#include "conf/options.def"
};

static const struct {
    size_t size;
    const char *word, *words;
} scopes[SCOPE_COUNT] = {
    [SCOPE_ROOT] = {sizeof(in_ROOT),        "server",         "the server"      },
    [SCOPE_VSERVER] = {sizeof(in_VSERVER),     "virtual server", "virtual servers" },
    [SCOPE_ENDPOINT] = {sizeof(in_ENDPOINT),    "endpoint",       "endpoints"       },
    [SCOPE_LIMITS] = {sizeof(in_LIMITS),      "limits",         "limits"          },
    [SCOPE_CONNECTOR] = {sizeof(in_CONNECTOR),   "connector",      "connectors"      },
    [SCOPE_AUTHORITY] = {sizeof(in_AUTHORITY),   "authority",      "authorities"     },
    [SCOPE_MTA_STS] = {sizeof(in_MTA_STS),     "MTA-STS policy", "MTA-STS policies"},
    [SCOPE_DANE] = {sizeof(in_DANE),        "DANE",           "DANE"            },
    [SCOPE_ACME_SERVER] = {sizeof(in_ACME_SERVER), "ACME server",    "ACME server"     },
    [SCOPE_EST_SERVER] = {sizeof(in_EST_SERVER),  "EST server",     "EST server"      },
};

size_t scope_size(enum conf_scope scope)
{
    return scopes[scope].size;
}

const char *scope_word(enum conf_scope scope)
{
    return scopes[scope].word;
}

const char *scope_words(enum conf_scope scope)
{
    return scopes[scope].words;
}

const struct row *row_find(enum conf_scope scope, struct span name)
{
    FOR_EACH_ROW(scope, row)
    {
        if (row->name && span_eq_cstr(name, row->name))
            return row;
    }
    return NULL;
}

enum { NEAR_MAX = 40 };

/* Insertions, deletions and replacements from a to b, case aside; at most NEAR_MAX bytes each. */
static unsigned edit_distance(struct span a, struct span b)
{
    unsigned line[NEAR_MAX + 1];

    for (size_t j = 0; j <= b.n; j++)
        line[j] = (unsigned)j;
    for (size_t i = 0; i < a.n; i++) {
        unsigned diagonal = line[0];
        line[0] = (unsigned)i + 1;
        for (size_t j = 0; j < b.n; j++) {
            unsigned best = diagonal + (ascii_lower(a.p[i]) != ascii_lower(b.p[j]));
            if (line[j] + 1 < best)
                best = line[j] + 1;
            if (line[j + 1] + 1 < best)
                best = line[j + 1] + 1;
            diagonal = line[j + 1];
            line[j + 1] = best;
        }
    }
    return line[b.n];
}

const struct row *row_nearest(enum conf_scope scope, struct span name)
{
    const struct row *nearest = NULL;
    unsigned best = (unsigned)name.n / 2 + 1;

    if (name.n > NEAR_MAX)
        return NULL;
    FOR_EACH_ROW(scope, row)
    {
        struct span known = span_cstr(row->name);
        if (!row->name || known.n > NEAR_MAX)
            continue;
        unsigned d = edit_distance(name, known);
        if (d < best) {
            best = d;
            nearest = row;
        }
    }
    return nearest;
}

bool row_required(const struct row *row)
{
    return row->type != ROW_SECTION && !row->def;
}

bool row_derived(const struct row *row)
{
    return row->def && row->def[0] == '=';
}

const char *row_default(const struct row *row, enum conf_protocol protocol)
{
    if (row->scope == SCOPE_LIMITS)
        for (size_t i = 0; i < ARRAY_LEN(protocol_defaults); i++)
            if (protocol_defaults[i].protocol == protocol &&
                strcmp(protocol_defaults[i].field, row->name) == 0)
                return protocol_defaults[i].def;
    return row_derived(row) ? NULL : row->def;
}

const char *conf_protocol_name(enum conf_protocol p)
{
    CHECK(p < PROTOCOL_COUNT);
    return protocol_names[p];
}

const char *conf_policy_name(enum conf_policy p)
{
    CHECK(p <= POLICY_PUBLIC_HTTP);
    return policy_names[p];
}
