/* Configuration files: what is accepted keeps the rules that matter most, prints and parses back to
 * the same bytes. */
#include "base/check.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the text token at which it finds a syntax error. The parser's process ends
 * right after that. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig\n";
}

/* No accepted configuration lets a login or a stranger's mail through in clear. */
static void check_rules(const struct conf *c)
{
    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        for (uint32_t j = 0; j < v->endpoint_count; j++) {
            unsigned policy = v->endpoints[j].policy;
            bool clear = policy == POLICY_OPPORTUNISTIC || policy == POLICY_PUBLIC_HTTP;
            CHECK(v->endpoints[j].port > 0);
            CHECK(!clear || !v->require_secure_channel);
            CHECK(policy != POLICY_PUBLIC_HTTP || v->protocol == PROTOCOL_HTTP);
            CHECK(policy != POLICY_OPPORTUNISTIC || v->protocol == PROTOCOL_NNTP ||
                  (v->protocol == PROTOCOL_SMTP && v->smtp_kind == SMTP_MX));
        }
        CHECK(!v->anonymous_post || (v->protocol == PROTOCOL_NNTP && v->allow.n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BUF_AUTO struct buf problems = BUF(1 << 20), bytes = BUF(4 << 20), again = BUF(4 << 20);
    struct conf *c = conf_parse(span_of(data, size), "fuzz.conf", &problems);

    if (!c) {
        CHECK(problems.n > 0); /* never refused without a word */
        return 0;
    }
    check_rules(c);
    conf_wr(c, &bytes);
    struct conf *back = conf_rd(buf_span(&bytes));
    CHECK(back);
    conf_free(back);
    for (int comments = 0; comments < 2; comments++) {
        BUF_AUTO struct buf text = BUF(4 << 20);
        conf_print(c, comments, &text);
        buf_clear(&problems);
        back = conf_parse(buf_span(&text), "printed.conf", &problems);
        CHECK(back);
        buf_clear(&again);
        conf_wr(back, &again);
        CHECK(span_eq(buf_span(&again), buf_span(&bytes)));
        conf_free(back);
    }
    conf_free(c);
    return 0;
}
