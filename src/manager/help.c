/* help.c: what the rows say, for people: the list of commands, one command, the manual page. */
#include "base/check.h"
#include "manager/command.h"
#include "manager/table.h"
#include "manager/text.h"

enum { HELP_COLUMNS = 79 };

static struct span noun_of(const struct command *c)
{
    struct span words = span_cstr(c->words), head = words;

    span_split(&words, ' ', &head);
    return head;
}

/* "account add ADDRESS" and its sentence, for those that fn holds true for. */
static void put_commands(const char *noun, struct buf *out)
{
    static const struct table_column heads[] = {
        {"", 0          },
        {"", COLUMN_WRAP}
    };
    struct table *t = table_new(heads, ARRAY_LEN(heads));

    for (size_t i = 0; i < manager_command_count; i++) {
        const struct command *c = &manager_commands[i];
        struct buf left BUF_AUTO = BUF(256);
        if (noun != NULL && !span_eq_cstr(noun_of(c), noun))
            continue;
        buf_printf(&left, "  %s%s%s", c->words, *c->arguments ? " " : "", c->arguments);
        table_put(t, buf_span(&left));
        table_put(t, span_cstr(c->help));
    }
    table_print_fields(t, HELP_COLUMNS, out);
    table_free(t);
}

static void put_options(option_set among, struct buf *out)
{
    static const struct table_column heads[] = {
        {"", 0          },
        {"", COLUMN_WRAP}
    };
    struct table *t = table_new(heads, ARRAY_LEN(heads));

    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *o = &manager_options[i];
        struct buf left BUF_AUTO = BUF(256);
        if (!(among >> i & 1))
            continue;
        buf_printf(&left, "  --%s%s%s", o->name, *o->value ? " " : "", o->value);
        table_put(t, buf_span(&left));
        table_put(t, span_cstr(o->help));
    }
    table_print_fields(t, HELP_COLUMNS, out);
    table_free(t);
}

static option_set common_options(void)
{
    option_set common = ~(option_set)0;

    for (size_t i = 0; i < manager_command_count; i++)
        common &= manager_commands[i].options;
    return common;
}

void help_all(struct buf *out)
{
    buf_put_cstr(out, "sealpost " SEALPOST_VERSION
                      ": mail and news, every listener with a certificate of its own\n\n"
                      "usage: sealpost [options] COMMAND [arguments]\n\n");
    put_commands(NULL, out);
    buf_put_cstr(out, "\nEvery command:\n");
    put_options(common_options(), out);
    buf_put_cstr(out,
                 "\nExit status: 0 done, 1 refused or failed (the reason is told), 2 wrong usage.\n"
                 "`sealpost COMMAND --help` says more about one.\n");
}

void help_noun(const char *noun, struct buf *out)
{
    buf_printf(out, "usage: sealpost %s COMMAND [arguments]\n\n", noun);
    put_commands(noun, out);
}

void help_command(const struct command *c, struct buf *out)
{
    buf_printf(out, "usage: sealpost %s%s%s%s\n\n%s\n", c->words, *c->arguments ? " " : "",
               c->arguments, c->options & ~common_options() ? " [options]" : "", c->help);
    if (c->options & ~common_options()) {
        buf_put_cstr(out, "\nOptions:\n");
        put_options(c->options & ~common_options(), out);
    }
    buf_put_cstr(out, "\nEvery command:\n");
    put_options(common_options(), out);
}

int cmd_help(struct call *c, struct err *e)
{
    struct buf words BUF_AUTO = BUF(65536);
    const struct command *one;

    if (has_option(c, OPT_MAN)) {
        help_man(&c->out);
        return 0;
    }
    if (c->arg_count == 0) {
        help_all(&c->out);
        return 0;
    }
    for (unsigned i = 0; i < c->arg_count; i++)
        buf_printf(&words, "%s%s", i ? " " : "", c->args[i]);
    one = command_find(buf_span(&words));
    if (one != NULL) {
        help_command(one, &c->out);
        return 0;
    }
    for (size_t i = 0; i < manager_command_count; i++)
        if (span_eq(noun_of(&manager_commands[i]), buf_span(&words))) {
            help_noun(buf_cstr(&words), &c->out);
            return 0;
        }
    const char *near = command_nearest(buf_span(&words));
    return usage_error(e, "there is no command `%s`%s%s%s", text_quote(buf_span(&words)),
                       near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}
