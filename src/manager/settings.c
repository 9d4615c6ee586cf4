#include "manager/settings.h"

#include "base/fd.h"
#include "base/parse.h"
#include "base/random.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>

static bool is_name(unsigned char c)
{
    return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || c == '_';
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
            return true;
    return false;
}

/* NULL, or what is wrong. */
static const char *parse_line(struct span line, struct setting *ret)
{
    struct span name, value;

    if (parse_lit(&line, "export ") && parse_blanks(&line) > 0)
        line = span_trim(line);
    if (!parse_while(&line, is_name, 1, SETTINGS_NAME_MAX, &name) || ascii_is_digit(name.p[0]) ||
        !parse_char(&line, '='))
        return "not of the form NAME=value";
    value = line;
    if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\'')) {
        if (value.p[value.n - 1] != value.p[0])
            return "a quote that is not closed";
        value = span_sub(value, 1, value.n - 2);
    }
    if (has_control(value))
        return "control characters in the value";
    if (!span_to_cstr(value, ret->value, sizeof ret->value))
        return "a value that is too long";
    span_to_cstr(name, ret->name, sizeof ret->name);
    return NULL;
}

int settings_parse(struct span text, const char *file, struct settings *ret, struct err *e)
{
    struct span line;
    unsigned number = 0;

    ret->n = 0;
    while (span_split(&text, '\n', &line)) {
        const char *wrong = NULL;
        number++;
        line = span_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (ret->n == SETTINGS_MAX)
            wrong = "too many settings";
        else
            wrong = parse_line(line, &ret->v[ret->n]);
        if (wrong != NULL) {
            settings_wipe(ret);
            return err_set(e, -EINVAL, "%s:%u: %s", text_quote(span_cstr(file)), number, wrong);
        }
        ret->n++;
    }
    return 0;
}

int settings_read(const char *file, struct settings *ret, struct err *e)
{
    struct buf text = BUF(SETTINGS_FILE_MAX);
    int r;

    ret->n = 0;
    buf_reserve(&text, SETTINGS_FILE_MAX);
    r = file_read(AT_FDCWD, file, SETTINGS_FILE_MAX, &text, e);
    if (r != 0)
        err_set(e, r, "%s cannot be read: %s", text_quote(span_cstr(file)), strerror(-r));
    else
        r = settings_parse(buf_span(&text), file, ret, e);
    if (text.p != NULL)
        secret_wipe(text.p, text.cap);
    buf_done(&text);
    return r;
}

const char *settings_get(const struct settings *s, const char *name)
{
    for (unsigned i = s->n; i-- > 0;)
        if (strcmp(s->v[i].name, name) == 0)
            return s->v[i].value;
    return NULL;
}

void settings_wipe(struct settings *s)
{
    secret_wipe(s, sizeof *s);
    s->n = 0;
}
