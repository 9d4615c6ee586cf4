/* Problem documents, RFC 7807 as RFC 8555 section 6.7 uses them. */
#include "enrol/server.h"

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"

static const char *const names[PROBLEM_COUNT] = {
    "",
#define PROBLEM(id, name, status) name,
#include "enrol/problems.def"
#undef PROBLEM
};
static const unsigned statuses[PROBLEM_COUNT] = {
    200,
#define PROBLEM(id, name, status) status,
#include "enrol/problems.def"
#undef PROBLEM
};

const char *problem_name(enum enrol_problem p)
{
    CHECK((unsigned)p < PROBLEM_COUNT);
    return names[p];
}

unsigned problem_status(enum enrol_problem p)
{
    CHECK((unsigned)p < PROBLEM_COUNT);
    return statuses[p];
}

void problem_put(struct buf *b, enum enrol_problem p, unsigned status, struct span detail)
{
    buf_printf(b, "{\"type\":\"urn:ietf:params:acme:error:%s\",\"status\":%u,\"detail\":", names[p],
               status);
    json_put_string(b, detail);
    if (p == PROBLEM_BAD_SIGNATURE_ALGORITHM)
        buf_put_cstr(b, ",\"algorithms\":[\"ES256\",\"ES384\",\"ES512\",\"RS256\",\"EdDSA\"]");
    buf_putc(b, '}');
}

__attribute__((format(printf, 4, 0))) static bool
answer(struct call *c, enum enrol_problem p, unsigned status, const char *fmt, va_list ap)
{
    struct buf detail BUF_AUTO = BUF(2000);

    buf_vprintf(&detail, fmt, ap);
    c->a->status = (uint16_t)status;
    snprintf(c->a->type, sizeof(c->a->type), "application/problem+json");
    c->a->location[0] = '\0';
    buf_clear(c->out);
    problem_put(c->out, p, status, buf_span(&detail));
    buf_putc(c->out, '\n');
    c->en->counts.refused++;
    return false;
}

bool problem(struct call *c, enum enrol_problem p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    answer(c, p, statuses[p], fmt, ap);
    va_end(ap);
    return false;
}

bool problem_status_set(struct call *c, enum enrol_problem p, unsigned status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    answer(c, p, status, fmt, ap);
    va_end(ap);
    return false;
}

bool problem_internal(struct call *c, const struct err *e)
{
    log_error("enrolment: %s", e->text);
    return problem(c, PROBLEM_SERVER_INTERNAL, "The server cannot do this at the moment.");
}
