#include "acme/document.h"
#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>
#include <stdlib.h>

/* clang-format off */

TEST(directories)
{
#define URLS "\"newNonce\":\"https://ca/n\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\""
    static const struct {
        const char *text;
        int rc;
        const char *window;
        bool bound;
    } rows[] = {
        {"{" URLS "}", 0, "", false},
        {"{" URLS ",\"renewalInfo\":\"https://ca/r\",\"meta\":{\"externalAccountRequired\":true}}", 0, "https://ca/r", true},
        {"{" URLS ",\"keyChange\":\"https://ca/k\",\"revokeCert\":\"file:///etc/passwd\"}", 0, "", false},
        {"{" URLS ",\"renewalInfo\":\"http://ca/r\",\"meta\":{\"externalAccountRequired\":1}}", 0, "", false},
        {"{\"newNonce\":\"https://ca/n\",\"newAccount\":\"https://ca/a\"}", -EBADMSG, "", false},
        {"{\"newNonce\":\"http://ca/n\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\"}", -EBADMSG, "", false},
        {"{\"newNonce\":\"https://u:p@ca/n\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\"}", -EBADMSG, "", false},
        {"{\"newNonce\":\"https://ca/\\r\\nX\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\"}", -EBADMSG, "", false},
        {"{\"newNonce\":[],\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\"}", -EBADMSG, "", false},
        {"<html>", -EBADMSG, "", false},
        {"", -EBADMSG, "", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct acme_directory d;
        struct err e = {""};

        unit_case(rows[i].text);
        EXPECT_INT(acme_directory_read(span_cstr(rows[i].text), &d, &e), rows[i].rc);
        EXPECT((rows[i].rc == 0) == (e.text[0] == '\0'));
        if (rows[i].rc == 0) {
            EXPECT_STR(d.renewal_info, rows[i].window);
            EXPECT(d.account_bound == rows[i].bound);
            EXPECT_STR(d.key_change, strstr(rows[i].text, "keyChange") ? "https://ca/k" : "");
            EXPECT_STR(d.revoke, "");
        }
    }
    unit_case(NULL);
}

TEST(orders)
{
    static const struct {
        const char *text;
        int rc;
        enum acme_status status;
        unsigned count;
    } rows[] = {
        {"{\"status\":\"pending\",\"finalize\":\"https://ca/f\",\"authorizations\":[\"https://ca/1\",\"https://ca/2\"]}", 0, ACME_PENDING, 2},
        {"{\"status\":\"valid\",\"finalize\":\"https://ca/f\",\"authorizations\":[\"https://ca/1\"],\"certificate\":\"https://ca/c\"}", 0, ACME_VALID, 1},
        {"{\"status\":\"valid\",\"finalize\":\"https://ca/f\",\"authorizations\":[\"https://ca/1\"]}", -EBADMSG, 0, 0},
        {"{\"status\":\"valid\",\"finalize\":\"https://ca/f\",\"authorizations\":[\"https://ca/1\"],\"certificate\":\"file:///etc/passwd\"}", -EBADMSG, 0, 0},
        {"{\"status\":\"weird\",\"finalize\":\"https://ca/f\",\"authorizations\":[\"https://ca/1\"]}", -EBADMSG, 0, 0},
        {"{\"status\":\"ready\",\"authorizations\":[\"https://ca/1\"]}", -EBADMSG, 0, 0},
        {"{\"status\":\"ready\",\"finalize\":\"https://ca/f\",\"authorizations\":[]}", -EBADMSG, 0, 0},
        {"{\"status\":\"ready\",\"finalize\":\"https://ca/f\",\"authorizations\":[1]}", -EBADMSG, 0, 0},
        {"{\"status\":\"ready\",\"finalize\":\"https://ca/f\",\"authorizations\":[\"https://ca/1\",\"ftp://ca/2\"]}", -EBADMSG, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct acme_order o;
        struct err e = {""};

        unit_case(rows[i].text);
        EXPECT_INT(acme_order_read(span_cstr(rows[i].text), &o, &e), rows[i].rc);
        if (rows[i].rc == 0) {
            EXPECT_INT(o.status, rows[i].status);
            EXPECT_INT(o.count, rows[i].count);
            EXPECT_STR(o.authorizations[0], "https://ca/1");
            acme_order_done(&o);
        }
    }
    unit_case(NULL);
}

TEST(too_many_authorizations)
{
    struct buf b BUF_AUTO = BUF(16384);
    struct acme_order o;
    struct err e = {""};

    buf_put_cstr(&b, "{\"status\":\"ready\",\"finalize\":\"https://ca/f\",\"authorizations\":[\"https://ca/0\"");
    for (int i = 0; i < ACME_NAMES_MAX; i++)
        buf_put_cstr(&b, ",\"https://ca/1\"");
    buf_put_cstr(&b, "]}");
    EXPECT_INT(acme_order_read(buf_span(&b), &o, &e), -EBADMSG);
}

#define TOKEN "\"token\":\"0123456789abcdef_-\""
TEST(authorizations)
{
    static const struct {
        const char *challenges;
        unsigned count; /* that can be used */
    } rows[] = {
        {"[{\"type\":\"http-01\",\"url\":\"https://ca/h\"," TOKEN "}]", 1},
        {"[{\"type\":\"http-01\",\"url\":\"https://ca/h\"," TOKEN ",\"status\":\"invalid\",\"error\":{\"type\":\"urn:ietf:params:acme:error:dns\"}}]", 1},
        {"[{\"type\":\"http-01\",\"url\":\"https://ca/h\",\"token\":\"short\"}]", 0},
        {"[{\"type\":\"http-01\",\"url\":\"https://ca/h\",\"token\":\"../../../../etc/passwd\"}]", 0},
        {"[{\"type\":\"http-01\",\"url\":\"https://ca/h\",\"token\":\"0123456789abcdef%00\"}]", 0},
        {"[{\"type\":\"http-01\",\"url\":\"http://ca/h\"," TOKEN "}]", 0},
        {"[{\"url\":\"https://ca/h\"," TOKEN "}]", 0},
        {"[1,null,[],{\"type\":\"http-01\",\"url\":\"https://ca/h\"," TOKEN "}]", 1},
        {"{}", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(4096);
        struct acme_authorization a;
        struct err e = {""};

        unit_case(rows[i].challenges);
        buf_printf(&b, "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"},\"wildcard\":true,\"challenges\":%s}",
                   rows[i].challenges);
        REQUIRE(acme_authorization_read(buf_span(&b), &a, &e) == 0);
        EXPECT_STR(a.name, "a.example");
        EXPECT(a.wildcard && !a.is_address);
        EXPECT_INT(a.count, rows[i].count);
        EXPECT((acme_challenge_of(&a, "http-01") != NULL) == (rows[i].count > 0));
        EXPECT(acme_challenge_of(&a, "dns-01") == NULL);
        acme_authorization_done(&a);
    }
    unit_case(NULL);
}

/* Every type of the table says what to do; the CA's own words are shown, control bytes are not. */
TEST(problems_in_words)
{
    static const struct {
        const char *text, *want;
        bool passes;
    } rows[] = {
        {"{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"CAA says no\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"}}",
         "a.example: the CAA records of the name forbid this CA to issue for it (\"CAA says no\"); add a CAA record that names the CA to the domain, or "
         "choose a CA that the records name", false},
        {"{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"5 a week\",\"status\":429}",
         "the CA's rate limit is reached (\"5 a week\"); it is tried again when the CA allows it; fewer names or virtual servers with one certificate "
         "(cert assign) need fewer orders", true},
        {"{\"type\":\"urn:ietf:params:acme:error:compound\",\"detail\":\"two\",\"subproblems\":[{\"type\":\"x\",\"detail\":\"no\\u001b[31m\",\"identifier\":{\"value\":\"b.example\"}}]}",
         "b.example: the CA has several objections (\"no [31m\"); each is named", false},
        {"{\"type\":\"urn:example:other\",\"detail\":\"hm\",\"status\":500}", "the CA refuses (urn:example:other: hm)", true},
        {"{\"type\":\"about:blank\",\"status\":403}", "the CA refuses (about:blank)", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct acme_problem p;
        struct err e = {""};
        json_t *j = NULL;

        unit_case(rows[i].want);
        REQUIRE(acme_json_read(span_cstr(rows[i].text), &j, &e) == 0);
        EXPECT(acme_problem_read(j, &p));
        acme_problem_words(&p, NULL, &e);
        EXPECT_STR(e.text, rows[i].want);
        EXPECT(acme_problem_passes(&p) == rows[i].passes);
        json_decref(j);
    }
    unit_case(NULL);
}

TEST(windows)
{
    static const struct {
        const char *text;
        int rc;
    } rows[] = {
        {"{\"suggestedWindow\":{\"start\":\"2026-11-24T00:00:00Z\",\"end\":\"2026-11-25T00:00:00Z\"},\"explanationURL\":\"https://ca/why\"}", 0},
        {"{\"suggestedWindow\":{\"start\":\"2026-11-25T00:00:00Z\",\"end\":\"2026-11-24T00:00:00Z\"}}", -EBADMSG},
        {"{\"suggestedWindow\":{\"start\":\"2026-11-25T00:00:00Z\"}}", -EBADMSG},
        {"{\"suggestedWindow\":[]}", -EBADMSG},
        {"{}", -EBADMSG},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct acme_window w;
        struct err e = {""};

        unit_case(rows[i].text);
        EXPECT_INT(acme_window_read(span_cstr(rows[i].text), &w, &e), rows[i].rc);
        if (rows[i].rc == 0) {
            EXPECT_INT(w.start, 1795478400);
            EXPECT_INT(w.end - w.start, 86400);
            EXPECT_STR(w.explanation, "https://ca/why");
        }
    }
    unit_case(NULL);
}
