/*
 * command.h: the command line `sealpost` (System Manager). Commands are the rows of commands.def,
 * options those of options.def; parser, help, manual page and suggestions come from them.
 *
 * A handler says what it has to say as JSON (view.h prints it as a table for people) or as text
 * into call->out; both go to standard output when it has returned, so that a command that fails
 * halfway leaves no half table behind.
 */
#ifndef MANAGER_COMMAND_H
#define MANAGER_COMMAND_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"

#include <stdio.h>

enum option_id {
#define OPTION(id, name, value, help) OPT_##id,
#include "manager/options.def"
#undef OPTION
    OPTION_COUNT
};

struct option_row {
    const char *name;  /* without "--" */
    const char *value; /* what stands behind it, "" for a switch */
    const char *help;
};
extern const struct option_row manager_options[OPTION_COUNT];

enum {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_CLIENTS = 3, /* capture --audit: the server is proved, what its clients sent is not */
};
enum { ARGUMENTS_MAX = 64, OUTPUT_MAX = 64 << 20 };

struct call;
/* 0; a negative errno with the reason (exit status 1; an empty reason: all has been said);
 * EXIT_USAGE with the reason. */
typedef int (*command_fn)(struct call *c, struct err *e);

typedef unsigned __int128 option_set; /* a bit per option_id; there are more than 64 */

struct command {
    const char *words; /* "account add" */
    command_fn run;
    const char *arguments; /* "ADDRESS [NAME...]" */
    option_set options;    /* bit per option_id, besides those that every command has */
    const char *help;      /* one sentence */
};
extern const struct command manager_commands[];
extern const size_t manager_command_count;

struct control;
struct call {
    const struct command *command;
    const char *program; /* argv[0] */
    const char *args[ARGUMENTS_MAX];
    unsigned arg_count;
    const char *option[OPTION_COUNT]; /* NULL: not given; switches are "" */
    unsigned columns;                 /* of the terminal; 0: standard output is none */
    struct buf out;
    struct control *control; /* made by call_control */
};

static inline bool has_option(const struct call *c, enum option_id o)
{
    return c->option[o] != NULL;
}

/* What a command line means. 0, or EXIT_USAGE with the reason; c->command is NULL when there is
 * none in it (help was asked for, or nothing). */
int command_parse(struct call *c, int argc, char *const *argv, struct err *e);
/* The whole of it: parse, run, print. Returns the exit status. */
int manager_main(int argc, char **argv);

/* Of a handler: a wrong value of an argument or option. Returns EXIT_USAGE. */
int usage_error(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Of the words given so far the commands that begin with them; NULL ends. */
const struct command *command_find(struct span words);
/* "account add" for "acount ad"; NULL: nothing is near. */
const char *command_nearest(struct span words);
const char *option_nearest(struct span name, option_set among);
/* Letters to change, add, take away or swap. */
unsigned edit_distance(struct span a, struct span b);

/* help.c */
void help_all(struct buf *out);
void help_noun(const char *noun, struct buf *out); /* the commands of one noun */
void help_command(const struct command *c, struct buf *out);
void help_man(struct buf *out); /* the manual page, roff */
int cmd_help(struct call *c, struct err *e);

/* One row a command: its handler. */
#define COMMAND(words, handler, arguments, options, help)                                          \
    int handler(struct call *c, struct err *e);
#include "manager/commands.def"
#undef COMMAND

#endif
