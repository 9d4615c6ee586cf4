/* cert_dialog.c: the questions themselves. */
#include "manager/cert_dialog.h"
#include "manager/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum move dialog_run(struct wizard *w, const page_fn *pages)
{
    unsigned at = 0;

    while (pages[at] != NULL) {
        enum move m = pages[at](w);
        if (m == MOVE_LEAVE || (m == MOVE_BACK && at == 0))
            return m;
        at = m == MOVE_BACK ? at - 1 : at + 1;
    }
    return MOVE_NEXT;
}

void dialog_title(struct wizard *w, const char *title, const char *words)
{
    cert_say(w->tty, "\n--- %s ---\n", title);
    if (words[0])
        cert_say(w->tty, "%s\n", words);
}

void dialog_fault(struct wizard *w, const struct err *e)
{
    cert_say(w->tty, "  ! %s\n", e->text);
}

/* NEXT: there is a line. */
static enum move read_answer(struct wizard *w)
{
    struct span line;

    if (!cert_read_line(w->tty, &w->line))
        return MOVE_LEAVE;
    line = span_trim(buf_span(&w->line));
    if (span_eq_cstr(line, "b"))
        return MOVE_BACK;
    return span_eq_cstr(line, "q") ? MOVE_LEAVE : MOVE_NEXT;
}

enum move dialog_text(struct wizard *w, const char *label, char *value, size_t size)
{
    for (;;) {
        struct span line;
        enum move m;
        cert_say(w->tty, "%s [%s]: ", label, value);
        m = read_answer(w);
        line = span_trim(buf_span(&w->line));
        if (m != MOVE_NEXT || line.n == 0)
            return m;
        if (span_eq_cstr(line, "-")) {
            value[0] = '\0';
            return MOVE_NEXT;
        }
        if (line.n < size && !span_has(line, '\0')) {
            span_to_cstr(line, value, size);
            return MOVE_NEXT;
        }
        cert_say(w->tty, "  ! that is longer than %zu bytes\n", size - 1);
    }
}

enum move dialog_choice(struct wizard *w, unsigned count, unsigned usual, unsigned *ret)
{
    for (;;) {
        struct span line;
        uint64_t n = usual;
        enum move m;
        cert_say(w->tty, "Number [%u]: ", usual);
        m = read_answer(w);
        line = span_trim(buf_span(&w->line));
        if (m != MOVE_NEXT)
            return m;
        if (line.n == 0 || (span_to_u64(line, count, &n) && n > 0)) {
            *ret = (unsigned)n;
            return MOVE_NEXT;
        }
        cert_say(w->tty, "  ! a number from 1 to %u, please; b goes back, q leaves\n", count);
    }
}

enum move dialog_given(struct wizard *w, const char *label, char *value, size_t size)
{
    for (;;) {
        char path[1024];
        struct span rest, one;
        enum move m = dialog_text(w, label, value, size);
        bool there = true;
        if (m != MOVE_NEXT)
            return m;
        rest = span_cstr(value);
        while (there && span_split(&rest, ',', &one))
            if (span_to_cstr(span_trim(one), path, sizeof path) && path[0] &&
                access(path, R_OK) != 0) {
                cert_say(w->tty, "  ! %s: %s\n", path, strerror(errno));
                there = false;
            }
        if (there)
            return m;
    }
}

enum move dialog_exportable(struct wizard *w, bool *value)
{
    unsigned n = *value ? 2 : 1;
    enum move m;

    cert_say(w->tty, "  1  The key stays with keyd for ever\n  2  Mark this certificate as "
                     "exportable\n");
    m = dialog_choice(w, 2, n, &n);
    *value = m == MOVE_NEXT ? n == 2 : *value;
    return m;
}

/* "certreq.txt" is there: "certreq-2.txt". */
static void propose_another(char *file, size_t size)
{
    struct span all = span_cstr(file);
    size_t slash = span_rfind(all, '/'), dot = span_rfind(all, '.');
    char was[1024], one[1024];

    if (dot == SPAN_NONE || (slash != SPAN_NONE && dot < slash))
        dot = all.n;
    snprintf(was, sizeof was, "%s", file);
    for (unsigned i = 2; i < 100; i++)
        if (snprintf(one, sizeof one, "%.*s-%u%s", (int)dot, was, i, was + dot) < (int)size &&
            access(one, F_OK) != 0) {
            snprintf(file, size, "%s", one);
            return;
        }
}

enum move dialog_out(struct wizard *w, const char *label)
{
    char before[sizeof w->file];

    for (;;) {
        unsigned n = 1;
        struct err e;
        enum move m;
        int r;
        snprintf(before, sizeof before, "%s", w->file);
        m = dialog_text(w, label, w->file, sizeof w->file);
        r = m != MOVE_NEXT ? 0
            : w->file[0]   ? cert_look_out(w->file, &e)
                           : err_set(&e, -EINVAL, "the name of a file, please");
        if (r == 0)
            return m;
        dialog_fault(w, &e);
        if (r != -EEXIST) {
            snprintf(w->file, sizeof w->file, "%s", before);
            continue;
        }
        cert_say(w->tty, "  1  Give another name\n  2  Overwrite it\n");
        m = dialog_choice(w, 2, 1, &n);
        if (m == MOVE_LEAVE || (m == MOVE_NEXT && n == 2))
            return m;
        propose_another(w->file, sizeof w->file);
    }
}

enum move dialog_yes(struct wizard *w, const char *question)
{
    for (;;) {
        struct span line;
        enum move m;
        cert_say(w->tty, "%s [yes/b/q]: ", question);
        m = read_answer(w);
        line = span_trim(buf_span(&w->line));
        if (m != MOVE_NEXT)
            return m;
        if (span_is(line, "yes") || span_is(line, "y"))
            return MOVE_NEXT;
        cert_say(w->tty, "  ! yes, b to go back, or q to leave without a change\n");
    }
}
