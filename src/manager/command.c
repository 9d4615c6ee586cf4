/* command.c: from argv to a row of commands.def, and the course of one command. */
#include "manager/command.h"

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "manager/control.h"
#include "manager/text.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define O(id) ((option_set)1 << OPT_##id)
enum { COLUMNS_MIN = 40 };

const struct option_row manager_options[OPTION_COUNT] = {
#define OPTION(id, name, value, help) [OPT_##id] = {name, value, help},
#include "manager/options.def"
#undef OPTION
};
_Static_assert(OPTION_COUNT <= 128, "options are bits");

const struct command manager_commands[] = {
#define COMMAND(words, handler, arguments, options, help)                                          \
    {words, handler, arguments, (options) | O(CONFIG) | O(JSON) | O(HELP) | O(VERSION), help},
#include "manager/commands.def"
#undef COMMAND
};
const size_t manager_command_count = ARRAY_LEN(manager_commands);

int usage_error(struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return EXIT_USAGE;
}

/* ---- finding ----------------------------------------------------------------------------- */

const struct command *command_find(struct span words)
{
    for (size_t i = 0; i < manager_command_count; i++)
        if (span_eq_cstr(words, manager_commands[i].words))
            return &manager_commands[i];
    return NULL;
}

static bool is_noun(struct span word)
{
    for (size_t i = 0; i < manager_command_count; i++) {
        struct span w = span_cstr(manager_commands[i].words), head;
        if (span_split(&w, ' ', &head) && w.n > 0 && span_eq(head, word))
            return true;
    }
    return false;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment. */
unsigned edit_distance(struct span a, struct span b)
{
    enum { LENGTH_MAX = 63 };
    unsigned char row[3][LENGTH_MAX + 1];

    if (a.n > LENGTH_MAX || b.n > LENGTH_MAX)
        return LENGTH_MAX;
    for (size_t k = 0; k <= b.n; k++)
        row[0][k] = (unsigned char)k;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned char *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = (unsigned char)i;
        for (size_t k = 1; k <= b.n; k++) {
            bool same = ascii_lower(a.p[i - 1]) == ascii_lower(b.p[k - 1]);
            unsigned best = least(least(last[k] + 1u, now[k - 1] + 1u), last[k - 1] + !same);
            if (i > 1 && k > 1 && ascii_lower(a.p[i - 1]) == ascii_lower(b.p[k - 2]) &&
                ascii_lower(a.p[i - 2]) == ascii_lower(b.p[k - 1]))
                best = least(best, before[k - 2] + 1u);
            now[k] = (unsigned char)best;
        }
    }
    return row[a.n % 3][b.n];
}

static bool near_enough(unsigned distance, size_t length)
{
    return distance <= (length < 6 ? 2 : 3) && distance < length;
}

/* Bytes of the noun and its blank where both have the same: only the verb is then wrong. */
static size_t same_noun(struct span a, struct span b)
{
    size_t n = span_find(a, ' ');

    return n != SPAN_NONE && n < b.n && span_eq(span_head(a, n + 1), span_head(b, n + 1)) ? n + 1
                                                                                          : 0;
}

const char *command_nearest(struct span words)
{
    const char *best = NULL;
    unsigned least_distance = UINT32_MAX;

    for (size_t i = 0; i < manager_command_count; i++) {
        unsigned d = edit_distance(words, span_cstr(manager_commands[i].words));
        if (d < least_distance &&
            near_enough(d, words.n - same_noun(words, span_cstr(manager_commands[i].words)))) {
            least_distance = d;
            best = manager_commands[i].words;
        }
    }
    return best;
}

const char *option_nearest(struct span name, option_set among)
{
    const char *best = NULL;
    unsigned least_distance = UINT32_MAX;

    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        unsigned d = edit_distance(name, span_cstr(manager_options[i].name));
        if (among >> i & 1 && d < least_distance && near_enough(d, name.n)) {
            least_distance = d;
            best = manager_options[i].name;
        }
    }
    return best;
}

/* ---- parsing ----------------------------------------------------------------------------- */

static int unknown_option(struct span name, option_set among, struct err *e)
{
    const char *near = option_nearest(name, among);

    if (near != NULL)
        return usage_error(e, "there is no option --%s; did you mean --%s?", text_quote(name),
                           near);
    return usage_error(e, "there is no option --%s", text_quote(name));
}

static bool option_by_name(struct span name, enum option_id *ret)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (span_eq_cstr(name, manager_options[i].name)) {
            *ret = (enum option_id)i;
            return true;
        }
    return false;
}

/* One argument that begins with "--"; *i moves past a value that stands apart. */
static int take_option(struct call *c, int argc, char *const *argv, int *i, struct err *e)
{
    struct span text = span_cstr(argv[*i] + 2), name = text;
    size_t equals = span_find(text, '=');
    const char *value = NULL;
    enum option_id o;

    if (equals != SPAN_NONE) {
        name = span_head(text, equals);
        value = argv[*i] + 2 + equals + 1;
    }
    if (!option_by_name(name, &o))
        return unknown_option(name, ~(option_set)0, e);
    if (manager_options[o].value[0] == '\0') {
        if (value != NULL)
            return usage_error(e, "--%s takes no value", manager_options[o].name);
        value = "";
    } else if (value == NULL) {
        if (*i + 1 >= argc)
            return usage_error(e, "--%s needs a value: --%s %s", manager_options[o].name,
                               manager_options[o].name, manager_options[o].value);
        value = argv[++*i];
    }
    c->option[o] = value;
    return 0;
}

struct arity {
    unsigned least, most;
};

static struct arity arity_of(const char *arguments)
{
    struct span rest = span_cstr(arguments), word;
    struct arity a = {0, 0};

    while (span_split(&rest, ' ', &word)) {
        if (span_has(word, '.'))
            a.most = ARGUMENTS_MAX;
        else
            a.most++;
        a.least += word.p[0] != '[';
    }
    return a;
}

static int check_arity(const struct call *c, struct err *e)
{
    struct arity a = arity_of(c->command->arguments);

    if (c->arg_count >= a.least && c->arg_count <= a.most)
        return 0;
    return usage_error(e, "%s: sealpost %s%s%s",
                       c->arg_count < a.least ? "something is missing" : "too many arguments",
                       c->command->words, *c->command->arguments ? " " : "", c->command->arguments);
}

static int check_options(const struct call *c, struct err *e)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (c->option[i] != NULL && !(c->command->options >> i & 1))
            return usage_error(e,
                               "`%s` has no option --%s; `sealpost %s --help` lists those it has",
                               c->command->words, manager_options[i].name, c->command->words);
    return 0;
}

static int unknown_command(const char *const *words, unsigned n, struct err *e)
{
    struct buf all BUF_AUTO = BUF(4096);
    const char *near = NULL;

    for (unsigned i = 0; i < n && i < 2; i++)
        buf_printf(&all, "%s%s", i ? " " : "", words[i]);
    near = command_nearest(buf_span(&all));
    if (near == NULL && n > 0)
        near = command_nearest(span_cstr(words[0]));
    if (near != NULL)
        return usage_error(e, "there is no command `%s`; did you mean `%s`?",
                           text_quote(buf_span(&all)), near);
    if (n > 0 && is_noun(span_cstr(words[0])))
        return usage_error(e, "there is no command `%s`; `sealpost help %s` lists those of %s",
                           text_quote(buf_span(&all)), words[0], words[0]);
    return usage_error(e, "there is no command `%s`; `sealpost help` lists all",
                       text_quote(buf_span(&all)));
}

enum { WORDS_MAX = 4 }; /* of a command */

/* The row whose words are the first one to four; the rest are arguments. */
static int choose_command(struct call *c, const char *const *words, unsigned n, struct err *e)
{
    unsigned used = 0;

    for (unsigned take = n < WORDS_MAX ? n : WORDS_MAX; take > 0 && c->command == NULL; take--) {
        struct buf all BUF_AUTO = BUF(65536);
        for (unsigned i = 0; i < take; i++)
            buf_printf(&all, "%s%s", i ? " " : "", words[i]);
        c->command = command_find(buf_span(&all));
        used = take;
    }
    if (c->command == NULL)
        return has_option(c, OPT_HELP) && n == 1 && is_noun(span_cstr(words[0]))
                   ? 0
                   : unknown_command(words, n, e);
    c->arg_count = n - used;
    memcpy(c->args, words + used, c->arg_count * sizeof *words);
    return 0;
}

int command_parse(struct call *c, int argc, char *const *argv, struct err *e)
{
    const char *words[ARGUMENTS_MAX + 2];
    unsigned n = 0;
    bool only_words = false;
    int r;

    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(argv[i], "-h") == 0) {
            c->option[OPT_HELP] = "";
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            if ((r = take_option(c, argc, argv, &i, e)) != 0)
                return r;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            return usage_error(e, "there is no option %s; options have two dashes and a word",
                               text_quote(span_cstr(argv[i])));
        } else if (n == ARRAY_LEN(words)) {
            return usage_error(e, "more than %d arguments; give them in several commands",
                               ARGUMENTS_MAX);
        } else {
            words[n++] = argv[i];
        }
    }
    if (n == 0)
        return 0;
    r = choose_command(c, words, n, e);
    if (r == 0 && c->command == NULL)
        c->args[c->arg_count++] = words[0]; /* --help for a noun */
    if (r != 0 || c->command == NULL || has_option(c, OPT_HELP))
        return r;
    r = check_options(c, e);
    return r != 0 ? r : check_arity(c, e);
}

/* ---- running ----------------------------------------------------------------------------- */

static unsigned terminal_columns(void)
{
    struct winsize w = {0};
    const char *given = getenv("COLUMNS");
    uint64_t n;

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (given != NULL && span_to_u64(span_cstr(given), 10000, &n) && n >= COLUMNS_MIN)
        return (unsigned)n;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= COLUMNS_MIN)
        return w.ws_col;
    return 80;
}

static bool write_out(struct call *c)
{
    if (c->out.n > 0 && fwrite(c->out.p, 1, c->out.n, stdout) != c->out.n)
        return false;
    return fflush(stdout) == 0;
}

/* Programs that asked for JSON get the reason as JSON too. */
static void report(const struct call *c, int r, const struct err *e)
{
    struct buf line BUF_AUTO = BUF(8192);

    if (e->text[0] == '\0')
        return;
    if (has_option(c, OPT_JSON)) {
        buf_put_cstr(&line, "{\"error\":");
        json_put_string(&line, span_cstr(e->text));
        buf_put_cstr(&line, "}\n");
        fwrite(line.p, 1, line.n, stdout);
        return;
    }
    buf_put_cstr(&line, "sealpost");
    if (c->command != NULL)
        buf_printf(&line, " %s", c->command->words);
    buf_put_cstr(&line, ": ");
    text_put_safe(&line, span_cstr(e->text), true);
    buf_putc(&line, '\n');
    fwrite(line.p, 1, line.n, stderr);
    (void)r;
}

static int show_help(struct call *c)
{
    if (c->command != NULL)
        help_command(c->command, &c->out);
    else if (c->arg_count > 0)
        help_noun(c->args[0], &c->out);
    else
        help_all(&c->out);
    return 0;
}

static int run(struct call *c, struct err *e)
{
    if (has_option(c, OPT_VERSION)) {
        buf_put_cstr(&c->out, "sealpost " SEALPOST_VERSION "\n");
        return 0;
    }
    if (has_option(c, OPT_HELP))
        return show_help(c);
    if (c->command == NULL) {
        help_all(&c->out);
        return EXIT_USAGE;
    }
    return c->command->run(c, e);
}

int manager_main(int argc, char **argv)
{
    struct call c = {.program = argv[0], .columns = terminal_columns(), .out = BUF(OUTPUT_MAX)};
    struct err e = {""};
    int r;

    log_open("sealpost", LOG_LEVEL_ERROR);
    setlocale(LC_CTYPE, "C.UTF-8"); /* widths of characters */
    signal(SIGPIPE, SIG_IGN);
    r = command_parse(&c, argc, argv, &e);
    if (r == 0)
        r = run(&c, &e);
    if (!write_out(&c) && r == 0 && errno != EPIPE)
        r = err_set(&e, -errno, "standard output cannot be written: %s", strerror(errno));
    if (r != 0)
        report(&c, r, &e);
    control_free(c.control);
    buf_done(&c.out);
    return r == 0 ? EXIT_DONE : r < 0 ? EXIT_REFUSED : r;
}
