#include "manager/evidence_settings.h"
#include "manager/evidence_since.h"

#include "base/check.h"
#include "manager/evidence_log.h"
#include "manager/view.h"
#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>

static json_t *load(const char *text)
{
    struct err e;
    json_t *v = view_parse(span_cstr(text), "a test", &e);

    CHECK(v != NULL);
    return v;
}

/* Rows as "where|what|old|new" lines; null as -. */
static void expect_rows(const json_t *rows, const char *want)
{
    struct buf got BUF_AUTO = BUF(65536);
    size_t i;
    json_t *one;

    json_array_foreach((json_t *)(uintptr_t)rows, i, one)
    {
        const char *old = json_string_value(json_object_get(one, "old")),
                   *now = json_string_value(json_object_get(one, "new"));
        buf_printf(&got, "%s|%s|%s|%s\n", view_string(one, "where"), view_string(one, "what"),
                   old != NULL ? old : "-", now != NULL ? now : "-");
    }
    EXPECT_STR(buf_cstr(&got), want);
}

TEST(settings)
{
    static const struct {
        const char *name, *old, *now, *want;
    } rows[] = {
        {"the same",                          "a = 1; b = ( { name = \"x\"; y = [\"1\"]; } );",
         "a = 1;\nb = ( { name = \"x\"; y = [\"1\"]; } );",                                                                                                          ""                           },
        {"a number, a text, a truth",         "a = 1; b = \"x\"; c = true;",                    "a = 2; b = \"\"; c = false;",
         "|a|1|2\n|b|x|\"\"\n|c|true|false\n"                                                                                                                                                     },
        {"come and gone",                     "a = 1;",                                         "b = \"1 min\";",                                                    "|a|1|-\n|b|-|1 min\n"       },
        {"a list of texts",                   "a = [\"x\", \"y\"];",                            "a = [\"x\"];",                                                      "|a|[\"x\", \"y\"]|[\"x\"]\n"},
        {"in a group",                        "d = { e = { f = 1; }; };",                       "d = { e = { f = 2; }; };",                                          "d e|f|1|2\n"                },
        {"by name, whatever their order",
         "v = ( { name = \"a\"; k = 1; }, { name = \"b\"; k = 1; } );",                         "v = ( { name = \"b\"; k = 2; }, { name = \"a\"; k = 1; } );",       "v b|k|1|2\n"                },
        {"one came, one went",                "v = ( { name = \"a\"; k = 1; } );",              "v = ( { name = \"b\"; } );",
         "v|a|{ name = \"a\"; k = 1 }|-\nv|b|-|{ name = \"b\" }\n"                                                                                                                                },
        {"the first of a list",               "v = ();",                                        "v = ( { domain = \"d.example\"; } );",
         "v|d.example|-|{ domain = \"d.example\" }\n"                                                                                                                                             },
        {"endpoints by address and port",
         "e = ( { address = \"::1\"; port = 25; policy = \"tls\"; } );",                        "e = ( { address = \"::1\"; port = 25; policy = \"starttls\"; } );",
         "e ::1:25|policy|tls|starttls\n"                                                                                                                                                         },
        {"by place where nothing names them", "c = ( { k = 1; }, { k = 2; } );",
         "c = ( { k = 1; }, { k = 3; } );",                                                                                                                          "c 2|k|2|3\n"                },
        {"none at all",                       "a = = 1;",                                       "a = 1;",
         "|the configuration as a whole|cannot be taken apart|is another\n"                                                                                                                       },
        {"no file is read",                   "  @include \"/etc/passwd\"\na = 1;",             "a = 1;",
         "|the configuration as a whole|cannot be taken apart|is another\n"                                                                                                                       },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *got = json_array();
        unit_case(rows[i].name);
        evidence_settings(got, rows[i].old, rows[i].now);
        expect_rows(got, rows[i].want);
        json_decref(got);
    }
    unit_case(NULL);
}

/* Two long lists that differ at their end only are different, although only their beginning is shown. */
TEST(settings_that_are_long)
{
    struct buf a BUF_AUTO = BUF(1 << 20), b BUF_AUTO = BUF(1 << 20);
    json_t *got = json_array();

    buf_put_cstr(&a, "n = [\"0\"");
    for (unsigned i = 1; i < 5000; i++)
        buf_printf(&a, ", \"%u\"", i);
    buf_put_span(&b, buf_span(&a));
    buf_put_cstr(&a, ", \"x\"];");
    buf_put_cstr(&b, ", \"y\"];");
    evidence_settings(got, buf_cstr(&a), buf_cstr(&b));
    EXPECT_INT(json_array_size(got), 1);
    EXPECT(strlen(view_string(json_array_get(got, 0), "old")) < 2100);
    json_decref(got);
}

#define CERT(SERIAL, SOURCE, HISTORY)                                                              \
    "{\"current\":{\"serial\":\"" SERIAL "\",\"source\":\"" SOURCE                                 \
    "\",\"not_after\":1800000000,\"certificate\":{\"names\":[\"a\",\"b\"]}},\"next\":{\"state\":"  \
    "\"none\"},\"off\":false,\"history\":[" HISTORY "]}"
#define NOTE(TIME, FROM, TO)                                                                       \
    "{\"time\":" TIME ",\"slot\":\"next\",\"from\":\"" FROM "\",\"to\":\"" TO                      \
    "\",\"serial\":\"\",\"note\":\"why\"}"
#define CHECKED(NAME, RESULT)                                                                      \
    "{\"vserver\":\"v\",\"endpoint\":\"::1:25\",\"check\":\"" NAME "\",\"result\":\"" RESULT       \
    "\",\"detail\":\"said\"}"
#define HOLDER(NAME, VALUE, STATE)                                                                 \
    "{\"account\":\"a@b\",\"name\":\"" NAME "\",\"by\":\"key\",\"value\":\"" VALUE                 \
    "\",\"serial\":\"0a\",\"state\":\"" STATE "\",\"ends\":1800000000}"
#define ROOT(OF, HASH) "{\"of\":\"" OF "\",\"subject\":\"CN=r\",\"sha256\":\"" HASH "\"}"

TEST(reports)
{
    json_t *old = load(
        "{\"settings\":\"a = 1;\",\"certificates\":{\"v\":" CERT("01", "own CA", NOTE("1", "none", "key")) ",\"gone\":" CERT(
            "09", "own CA",
            "") "},"
                "\"probe\":[" CHECKED("names", "PASS") "," CHECKED("chain", "FAIL") "," CHECKED(
                    "old",
                    "PASS") "],\"capture\":{\"attested\":{},\"proved\":true,\"verdict\":\"clean\","
                            "\"mode\":\"m\","
                            "\"totals\":{\"endpoints\":[{\"vserver\":\"v\",\"endpoint\":\"::1:25\","
                            "\"handshakes\":{\"TLS 1.3\":7},\"offences\":{}}]}},"
                            "\"accounts\":[" HOLDER("laptop", "k1", "valid") "," HOLDER(
                                "phone", "k2",
                                "valid") "," HOLDER("same", "k3",
                                                    "valid") "],"
                                                             "\"trust\":[" ROOT(
                                                                 "own CA",
                                                                 "aa") "," ROOT("v",
                                                                                "bb") "],"
                                                                                      "\"log\":{"
                                                                                      "\"entries\":"
                                                                                      "[{\"n\":1}]}"
                                                                                      "}");
    json_t *now = load("{\"settings\":\"a = 2;\",\"certificates\":{\"v\":" CERT(
        "02", "external CA",
        NOTE("1", "none", "key") "," NOTE(
            "2", "staged",
            "live")) "},"
                     "\"probe\":[" CHECKED("names", "FAIL") "," CHECKED("chain", "FAIL") "," CHECKED(
                         "fresh",
                         "PASS") "],\"capture\":{\"attested\":{},\"proved\":false,\"verdict\":\"1 "
                                 "offences\",\"mode\":"
                                 "\"m\",\"totals\":{\"endpoints\":[{\"vserver\":\"v\",\"endpoint\":"
                                 "\"::1:25\",\"handshakes\":{\"TLS 1.3\":9,\"TLS "
                                 "1.0\":1},\"offences\":"
                                 "{\"old-version\":1}}]}},"
                                 "\"accounts\":[" HOLDER("laptop", "k1", "revoked") "," HOLDER(
                                     "same", "k4",
                                     "valid") "," HOLDER("new", "k5",
                                                         "valid") "],"
                                                                  "\"trust\":[" ROOT(
                                                                      "own CA",
                                                                      "aa") "," ROOT("v",
                                                                                     "cc") "],"
                                                                                           "\"log\""
                                                                                           ":{"
                                                                                           "\"entri"
                                                                                           "es\":[{"
                                                                                           "\"n\":"
                                                                                           "1},{"
                                                                                           "\"n\":"
                                                                                           "2}]}}");
    json_t *since = evidence_since(old, now), *none = evidence_since(now, now);

    expect_rows(json_object_get(since, "settings"), "|a|1|2\n");
    expect_rows(json_object_get(since, "certificates"),
                "v|serial|01|02\nv|source|own CA|external CA\n"
                "gone|serial|09|-\ngone|source|own CA|-\ngone|names|a, b|-\n"
                "gone|validity|until 2027-01-15|-\n");
    expect_rows(json_object_get(since, "history"), "v|next: staged \xe2\x86\x92 live|-|why\n");
    expect_rows(json_object_get(since, "probe"), "v ::1:25|names|PASS|FAIL, said\n"
                                                 "v ::1:25|old|PASS|-\n"
                                                 "v ::1:25|fresh|-|PASS\n");
    expect_rows(json_object_get(since, "capture"),
                "|audit|proved: no marked secret and nothing beyond the plain grammar can be "
                "read|not proved\n|verdict|clean|1 offences\n"
                "v ::1:25|TLS versions|TLS 1.3|TLS 1.3, TLS 1.0\n"
                "v ::1:25|offences|-|old-version\n");
    expect_rows(json_object_get(since, "accounts"),
                "a@b|certificate laptop|known by key, valid, serial 0a, until 2027-01-15|known by "
                "key, revoked, serial 0a, until 2027-01-15\n"
                "a@b|certificate phone|known by key, valid, serial 0a, until 2027-01-15|-\n"
                "a@b|certificate same|known by key, valid, serial 0a, until 2027-01-15, k3|known "
                "by key, valid, serial 0a, until 2027-01-15, k4\n"
                "a@b|certificate new|-|known by key, valid, serial 0a, until 2027-01-15\n");
    expect_rows(json_object_get(since, "trust"), "v|CN=r|SHA-256 bb|-\nv|CN=r|-|SHA-256 cc\n");
    EXPECT_INT(json_array_size(json_object_get(since, "log")), 1);
    EXPECT_INT(json_array_size(json_object_get(since, "unknown")), 0);
    EXPECT_INT(evidence_changes(since, "probe"), 3);
    EXPECT_INT(evidence_changes(none, NULL), 0);
    json_decref(since);
    json_decref(none);
    /* a report of before accounts and trust were in it: what it did not say is no change */
    json_object_del(old, "accounts");
    json_object_del(old, "trust");
    since = evidence_since(old, now);
    EXPECT_INT(evidence_changes(since, "accounts") + evidence_changes(since, "trust"), 0);
    EXPECT_INT(json_array_size(json_object_get(since, "unknown")), 2);
    json_decref(since);
    json_decref(old);
    json_decref(now);
}

static json_t *report_of(const char *hostname, const char *root, struct evidence_log *l)
{
    return json_pack("{s:s,s:s,s:[{s:s,s:s}],s:{s:O}}", "format", "f", "hostname", hostname,
                     "trust", "of", "own CA", "sha256", root, "log", "entries", l->entries);
}

TEST(whose)
{
    struct evidence_log l, other;
    struct err e = {""};
    json_t *here, *same, *rewritten, *foreign, *format;

    evidence_log_init(&l);
    evidence_log_init(&other);
    evidence_log_add(&l, "settings", 1, json_object());
    evidence_log_add(&other, "settings", 2, json_object());
    here = report_of("here", "aa", &l);
    same = report_of("another name then", "bb", &l); /* the log says so, whatever else changed */
    rewritten = report_of("here", "aa", &other);
    foreign = report_of("here", "bb", &other);
    format = report_of("here", "aa", &l);
    json_object_set_new(format, "format", json_string("g"));
    EXPECT_INT(evidence_follows(same, here, "x", &e), 0);
    EXPECT_INT(evidence_follows(rewritten, here, "x", &e), -EBADMSG);
    EXPECT(strstr(e.text, "rewritten") != NULL);
    EXPECT_INT(evidence_follows(foreign, here, "x", &e), -EINVAL);
    EXPECT(strstr(e.text, "another installation") != NULL);
    EXPECT_INT(evidence_follows(format, here, "x", &e), -EBADMSG);
    json_decref(here);
    json_decref(same);
    json_decref(rewritten);
    json_decref(foreign);
    json_decref(format);
    evidence_log_done(&l);
    evidence_log_done(&other);
}
