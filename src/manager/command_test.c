#include "manager/command.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>

enum { WORDS_MAX = 100 };

/* "account add a@b --json" */
static int parse(const char *line, struct call *ret, char *store, size_t size, struct err *e)
{
    char *argv[WORDS_MAX] = {(char *)(uintptr_t) "sealpost"};
    struct span rest = span_cstr(line), word;
    int argc = 1;
    size_t at = 0;

    *ret = (struct call){.program = "sealpost"};
    e->text[0] = '\0';
    while (span_split(&rest, ' ', &word) && argc < WORDS_MAX) {
        CHECK(at + word.n + 1 < size);
        memcpy(store + at, word.p, word.n);
        store[at + word.n] = '\0';
        argv[argc++] = store + at;
        at += word.n + 1;
    }
    return command_parse(ret, argc, argv, e);
}

TEST(lines)
{
    static const struct {
        const char *line;
        int want;
        const char *words; /* of the command; NULL: none */
        unsigned args;
        const char *error; /* in the reason */
    } rows[] = {
        {"status",                       0,          "status",       0, NULL                  },
        {"--config x status",            0,          "status",       0, NULL                  },
        {"status --config x",            0,          "status",       0, NULL                  },
        {"status --config=x --json",     0,          "status",       0, NULL                  },
        {"account add a@b",              0,          "account add",  1, NULL                  },
        {"account add --name Alice a@b", 0,          "account add",  1, NULL                  },
        {"account add a@b --name=",      0,          "account add",  1, NULL                  },
        {"account add -- --strange",     0,          "account add",  1, NULL                  },
        {"verify",                       0,          "verify",       0, NULL                  },
        {"verify a b c",                 0,          "verify",       3, NULL                  },
        {"check-config",                 0,          "check-config", 0, NULL                  },
        {"check-config file",            0,          "check-config", 1, NULL                  },
        {"queue retry 1 2 3",            0,          "queue retry",  3, NULL                  },
        {"queue delete",                 EXIT_USAGE, "queue delete", 0, "missing"             },
        {"account add",                  EXIT_USAGE, "account add",  0, "missing"             },
        {"account add a b",              EXIT_USAGE, "account add",  2, "too many"            },
        {"status now",                   EXIT_USAGE, "status",       1, "too many"            },
        {"alias add a",                  EXIT_USAGE, "alias add",    1, "missing"             },
        {"account",                      EXIT_USAGE, NULL,           0, "help account"        },
        {"account frob",                 EXIT_USAGE, NULL,           0, "help account"        },
        {"frobnicate",                   EXIT_USAGE, NULL,           0, "there is no command" },
        {"acount add",                   EXIT_USAGE, NULL,           0, "`account add`"       },
        {"account lst",                  EXIT_USAGE, NULL,           0, "`account list`"      },
        {"stauts",                       EXIT_USAGE, NULL,           0, "`status`"            },
        {"status --jsn",                 EXIT_USAGE, NULL,           0, "--json"              },
        {"status --json=1",              EXIT_USAGE, NULL,           0, "no value"            },
        {"status --config",              EXIT_USAGE, NULL,           0, "needs a value"       },
        {"status --name x",              EXIT_USAGE, "status",       0, "has no option --name"},
        {"status -x",                    EXIT_USAGE, NULL,           0, "two dashes"          },
        {"account add --help",           0,          "account add",  0, NULL                  },
        {"account --help",               0,          NULL,           1, NULL                  },
        {"-h",                           0,          NULL,           0, NULL                  },
        {"",                             0,          NULL,           0, NULL                  },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct call c;
        struct err e;
        char store[1000];
        unit_case(rows[i].line);
        EXPECT_INT(parse(rows[i].line, &c, store, sizeof store, &e), rows[i].want);
        EXPECT_STR(c.command ? c.command->words : "none", rows[i].words ? rows[i].words : "none");
        if (rows[i].want == 0)
            EXPECT_INT(c.arg_count, rows[i].args);
        if (rows[i].error != NULL && strstr(e.text, rows[i].error) == NULL)
            unit_fail(__FILE__, __LINE__, "\"%s\" does not hold \"%s\"", e.text, rows[i].error);
    }
    unit_case(NULL);
}

TEST(values)
{
    struct call c;
    struct err e;
    char store[1000];

    EXPECT_INT(parse("account add --name=A --config f a@b --json", &c, store, sizeof store, &e), 0);
    EXPECT_STR(c.option[OPT_NAME], "A");
    EXPECT_STR(c.option[OPT_CONFIG], "f");
    EXPECT(has_option(&c, OPT_JSON) && !has_option(&c, OPT_HELP));
    EXPECT_STR(c.args[0], "a@b");
    /* a value may look like an option */
    EXPECT_INT(parse("account add a@b --name --json", &c, store, sizeof store, &e), 0);
    EXPECT_STR(c.option[OPT_NAME], "--json");
    EXPECT(!has_option(&c, OPT_JSON));
}

TEST(too_many)
{
    struct buf line BUF_AUTO = BUF(4000);
    struct call c;
    struct err e;
    char store[4000];

    buf_put_cstr(&line, "verify");
    for (unsigned i = 0; i < 80; i++)
        buf_printf(&line, " v%u", i);
    EXPECT_INT(parse(buf_cstr(&line), &c, store, sizeof store, &e), EXIT_USAGE);
}

TEST(distances)
{
    static const struct {
        const char *a, *b;
        unsigned n;
    } rows[] = {
        {"",       "",        0},
        {"a",      "",        1},
        {"abc",    "abc",     0},
        {"abc",    "ABC",     0},
        {"abc",    "acb",     1},
        {"abc",    "abcd",    1},
        {"abcd",   "bcd",     1},
        {"kitten", "sitting", 3},
        {"ca",     "abc",     3},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        EXPECT_INT(edit_distance(span_cstr(rows[i].a), span_cstr(rows[i].b)), rows[i].n);
        EXPECT_INT(edit_distance(span_cstr(rows[i].b), span_cstr(rows[i].a)), rows[i].n);
    }
}

/* Every row has what the help needs, and no two have the same words. */
TEST(rows)
{
    for (size_t i = 0; i < manager_command_count; i++) {
        const struct command *c = &manager_commands[i];
        unit_case(c->words);
        EXPECT(c->help[0] != '\0' && c->help[strlen(c->help) - 1] == '.');
        EXPECT(c->options & ((option_set)1 << OPT_JSON));
        EXPECT(command_find(span_cstr(c->words)) == c);
        struct buf b BUF_AUTO = BUF(65536);
        help_command(c, &b);
        EXPECT(span_find_span(buf_span(&b), span_cstr(c->words)) != SPAN_NONE);
    }
    unit_case(NULL);
}

TEST(help_fits)
{
    struct buf b BUF_AUTO = BUF(1 << 20);
    struct span rest, line;

    help_all(&b);
    rest = buf_span(&b);
    while (span_split(&rest, '\n', &line))
        EXPECT(line.n <= 80);
    for (size_t i = 0; i < manager_command_count; i++)
        EXPECT(span_find_span(buf_span(&b), span_cstr(manager_commands[i].words)) != SPAN_NONE);
}

/* doc/man/sealpost.1 is what the rows say: `sealpost help --man > doc/man/sealpost.1`. */
TEST(manual_page_is_up_to_date)
{
    char path[4096];
    struct buf made BUF_AUTO = BUF(1 << 20);
    struct span file = span_cstr(__FILE__);
    size_t root = span_find_span(file, SPAN("/src/manager/"));
    char have[256 * 1024];
    FILE *f;
    size_t n;

    REQUIRE(root != SPAN_NONE);
    snprintf(path, sizeof path, "%.*s/doc/man/sealpost.1", (int)root, file.p);
    REQUIRE((f = fopen(path, "r")) != NULL);
    n = fread(have, 1, sizeof have, f);
    fclose(f);
    help_man(&made);
    EXPECT(span_eq(buf_span(&made), span_of(have, n)));
}
