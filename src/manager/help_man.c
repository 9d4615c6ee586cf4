/* help_man.c: sealpost(1) from the rows. */
#include "base/check.h"
#include "manager/command.h"

/* Text for roff: dashes and backslashes as they are, no line that begins like a request. */
static void put_roff(struct buf *out, const char *s)
{
    for (const char *p = s; *p; p++) {
        if (*p == '-')
            buf_put_cstr(out, "\\-");
        else if (*p == '\\')
            buf_put_cstr(out, "\\e");
        else if ((*p == '.' || *p == '\'') && p == s)
            buf_printf(out, "\\&%c", *p);
        else
            buf_putc(out, *p);
    }
}

static void put_option(struct buf *out, const struct option_row *o)
{
    buf_put_cstr(out, ".TP\n\\fB\\-\\-");
    put_roff(out, o->name);
    buf_put_cstr(out, "\\fR");
    if (*o->value) {
        buf_put_cstr(out, " \\fI");
        put_roff(out, o->value);
        buf_put_cstr(out, "\\fR");
    }
    buf_putc(out, '\n');
    put_roff(out, o->help);
    buf_putc(out, '\n');
}

static void put_command(struct buf *out, const struct command *c, option_set common)
{
    buf_put_cstr(out, ".SS ");
    buf_put_cstr(out, "sealpost ");
    put_roff(out, c->words);
    if (*c->arguments) {
        buf_putc(out, ' ');
        put_roff(out, c->arguments);
    }
    buf_putc(out, '\n');
    put_roff(out, c->help);
    buf_putc(out, '\n');
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if ((c->options & ~common) >> i & 1)
            put_option(out, &manager_options[i]);
}

void help_man(struct buf *out)
{
    option_set common = ~(option_set)0;

    for (size_t i = 0; i < manager_command_count; i++)
        common &= manager_commands[i].options;
    buf_put_cstr(
        out,
        ".\\\" Made by `sealpost help --man`; do not edit.\n"
        ".TH SEALPOST 1 \"\" \"sealpost " SEALPOST_VERSION "\" \"System Manager\"\n"
        ".SH NAME\nsealpost \\- manages a sealpost mail and news server\n"
        ".SH SYNOPSIS\n.B sealpost\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n"
        ".SH DESCRIPTION\n"
        "Talks to a running server through \\fIDATA\\fR/control.sock, which root, the user who "
        "started the server and the members of the group of option \\fIadmin_group\\fR may "
        "use. Tables are made to fit the terminal; programs ask for \\fB\\-\\-json\\fR.\n"
        ".SH OPTIONS OF EVERY COMMAND\n");
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (common >> i & 1)
            put_option(out, &manager_options[i]);
    buf_put_cstr(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < manager_command_count; i++)
        put_command(out, &manager_commands[i], common);
    buf_put_cstr(
        out, ".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\nRefused or failed; the reason is on standard "
             "error, with \\fB\\-\\-json\\fR on standard output as an object with the member "
             "\\fIerror\\fR.\n.TP\n2\nWrong usage.\n"
             ".SH ENVIRONMENT\n.TP\nSEALPOST_CONFIG\nThe configuration file where "
             "\\fB\\-\\-config\\fR is not given.\n.TP\nCOLUMNS\nWidth of tables on a terminal.\n"
             ".SH FILES\n.TP\n./run/sealpost.conf\nThe configuration where none is named.\n"
             ".TP\n\\fIDATA\\fR/control.sock\nThe control socket of the running server.\n"
             ".TP\nsettings.env\nBeside the configuration: accounts that \\fBverify\\fR logs in "
             "with.\n");
}
