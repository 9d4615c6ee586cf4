/* cert_wizard.c: the Certificate Wizard: pages in the order of the article, each with what is usual
 * in brackets. Nothing is done before its summary was shown and answered with yes. */
#include "manager/cert_wizard.h"
#include "base/check.h"
#include "base/date.h"
#include "manager/text.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum move wizard_finished(struct wizard *w, const char *before, const char *what,
                          const char *behind)
{
    cert_say(w->tty, "\n%s%s%s\n\nThe wizard is finished.\n", before, what, behind);
    w->done = true;
    return MOVE_NEXT;
}

static bool shows_one(const struct wizard *w)
{
    const char *state = view_string(w->state, "current.state");
    return strcmp(state, "live") == 0 || strcmp(state, "renewing") == 0;
}

static bool is_pending(const struct wizard *w)
{
    return strcmp(view_string(w->state, "pending.state"), "pending") == 0;
}

static bool may_create(const struct wizard *w)
{
    return !is_pending(w);
}

static bool always(const struct wizard *w)
{
    return true;
}

/* --- the pending request */

/* File names with commas between. */
static bool add_files(struct wizard *w, struct cert_files *f, struct err *e)
{
    struct span rest = span_cstr(w->file), one;
    char path[1024];
    int r = 0;

    while (r == 0 && span_split(&rest, ',', &one))
        if (span_to_cstr(span_trim(one), path, sizeof path) && path[0])
            r = cert_files_add(f, CERT_FILE_ANSWER, path, e);
    if (r == 0 && f->count == 0)
        r = err_set(e, -EINVAL, "type the path of the file that you received from the CA");
    if (r == 0)
        r = cert_files_add_roots(f, w->root[0] ? w->root : NULL, e);
    return r == 0;
}

static json_t *offer(struct wizard *w, bool install, struct err *e)
{
    struct cert_offer_msg m = {.source = IDENTITY_EXTERNAL, .install = install};
    struct cert_files f;
    json_t *v = NULL;

    snprintf(m.vserver, sizeof m.vserver, "%s", w->vserver->name);
    cert_files_init(&f);
    if (add_files(w, &f, e))
        v = cert_offer(w->call, &m, &f, e);
    cert_files_done(&f);
    return v;
}

static enum move page_answer_file(struct wizard *w)
{
    struct buf text BUF_AUTO = BUF(65536);
    struct err e = {""};
    json_t *v;
    enum move m;

    dialog_title(
        w, "Process a Pending Request",
        "The file that the CA sent: .cer, .crt, .pem or .p7b; further files behind it, with "
        "commas between.\nA CA that nobody knows but you needs its root certificate.");
    do {
        m = dialog_given(w, "Path and file name", w->file, sizeof w->file);
        if (m == MOVE_NEXT)
            m = dialog_given(w, "Root certificate of the CA, if it is not publicly trusted",
                             w->root, sizeof w->root);
        if (m != MOVE_NEXT)
            return m;
        if ((v = offer(w, false, &e)) == NULL)
            dialog_fault(w, &e);
    } while (v == NULL);
    cert_summary(v, &text);
    json_decref(v);
    cert_say(w->tty, "\n--- %.*s", SPAN_ARG(buf_span(&text)));
    return MOVE_NEXT;
}

static enum move page_answer_install(struct wizard *w)
{
    struct err e = {""};
    enum move m = dialog_yes(w, "Install this certificate?");
    json_t *v;

    if (m != MOVE_NEXT)
        return m;
    if ((v = offer(w, true, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    return wizard_installed(w, v, "The certificate is successfully installed on ");
}

static enum move page_again(struct wizard *w)
{
    struct err e = {""};
    enum move m = wizard_page_file(w);

    if (m != MOVE_NEXT)
        return m;
    if (cert_write_pending(w->call, w->vserver->name, w->file, &e) < 0) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    return wizard_finished(w, "The pending request was written. File name: ", w->file, "");
}

static enum move page_cancel(struct wizard *w)
{
    struct buf body BUF_AUTO = BUF(128);
    struct err e = {""};
    enum move m;

    dialog_title(
        w, "Delete a Pending Request",
        "Its key is deleted too: an answer that comes later cannot be installed any more.");
    m = dialog_yes(w, "Delete it?");
    if (m != MOVE_NEXT)
        return m;
    wr_cert_word(&body, w->vserver->name);
    if (control_call(w->call->control, ROLE_CERTD, 0, MSG_CERT_CANCEL, buf_span(&body), NULL, &e) <
        0) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    return wizard_finished(w, "The pending request of ", w->vserver->name, " is deleted.");
}

/* --- the menu */

static const struct course courses[] = {
    {"Process the pending request and install the certificate",
     is_pending,                                                            {page_answer_file, page_answer_install}              },
    {"Write the pending request to a file again",               is_pending, {page_again}                                         },
    {"Delete the pending request",                              is_pending, {page_cancel}                                        },
    {"Create a new certificate",                                may_create, {wizard_page_when, wizard_page_create}               },
    {"Renew the current certificate",                           shows_one,  {wizard_page_renew}                                  },
    {"Replace the current certificate",                         shows_one,  {wizard_page_replace}                                },
    {"Assign the certificate of another virtual server",        always,     {wizard_page_assign}                                 },
    {"Copy the certificate of another virtual server",          always,     {wizard_page_copy}                                   },
    {"Import a certificate from a file",
     always,                                                                {wizard_page_import_file, wizard_page_import_install}},
    {"Export the current certificate to a file",                shows_one,  {wizard_page_export}                                 },
    {"Remove the current certificate",                          shows_one,  {wizard_page_remove}                                 },
};

static void begin_request(struct wizard *w)
{
    struct cert_request_msg *m = &w->request;

    cert_names_done(&m->names);
    memset(m, 0, sizeof *m);
    cert_default_name(w->vserver, m->name);
    snprintf(m->key_type, sizeof m->key_type, "%s", w->vserver->key_type);
    snprintf(m->fields.organization, sizeof m->fields.organization, "%s", w->conf->organization);
    cert_default_names(w->call, w->vserver, false, &m->names);
    if (m->names.n > 0 && strlen(m->names.v[0].text) <= 64)
        snprintf(m->fields.common_name, sizeof m->fields.common_name, "%s", m->names.v[0].text);
    w->file[0] = w->root[0] = '\0';
    w->wants_own_ca = false;
}

static int look(struct wizard *w, struct err *e)
{
    json_decref(w->state);
    w->state = cert_ask(w->call, MSG_CERT_SHOW, w->vserver->name, e);
    return w->state != NULL ? 0 : -EIO;
}

static void say_pending(const struct wizard *w)
{
    const char *authority = view_string(w->state, "pending.origin");
    struct buf day BUF_AUTO = BUF(64);

    date_print_iso(&day, json_integer_value(view_get(w->state, "pending.since")));
    cert_say(w->tty, "Requested: %s, on %.10s%s%s\n", view_string(w->state, "pending.name"),
             buf_cstr(&day), authority[0] ? " of " : "", authority);
}

static enum move menu(struct wizard *w)
{
    const struct course *shown[ARRAY_LEN(courses)];
    unsigned n = 0, chosen;
    enum move m;

    dialog_title(w,
                 is_pending(w)  ? "Pending Certificate Request"
                 : shows_one(w) ? "Modify the Current Certificate Assignment"
                                : "Server Certificate",
                 is_pending(w)
                     ? "A certificate request is pending: it waits for the answer of its CA."
                     : "");
    if (is_pending(w))
        say_pending(w);
    if (shows_one(w))
        cert_say(w->tty, "In use: %s, issued by %s\n",
                 view_string(w->state, "current.certificate.subject"),
                 view_string(w->state, "current.certificate.issuer"));
    for (size_t i = 0; i < ARRAY_LEN(courses); i++)
        if (courses[i].offered(w)) {
            shown[n++] = &courses[i];
            cert_say(w->tty, "  %u  %s\n", n, courses[i].title);
        }
    m = dialog_choice(w, n, 1, &chosen);
    if (m != MOVE_NEXT)
        return MOVE_LEAVE; /* there is nothing in front */
    begin_request(w);
    return dialog_run(w, shown[chosen - 1]->pages);
}

static int run(struct wizard *w, struct err *e)
{
    cert_say(w->tty,
             "Welcome to the Certificate Wizard for the virtual server %s.\n"
             "Enter takes what stands in brackets, - empties it, b goes back, q leaves. Nothing is "
             "done before its summary.\n",
             w->vserver->name);
    while (!w->done) {
        int r = look(w, e);
        if (r < 0)
            return r;
        if (menu(w) == MOVE_LEAVE)
            return err_set(e, -ECANCELED, "left; nothing more was changed");
    }
    return 0;
}

int cmd_cert_wizard(struct call *c, struct err *e)
{
    struct wizard w = {.call = c, .line = BUF(4096)};
    int r;

    if ((w.vserver = cert_vserver(c, c->args[0], e)) == NULL)
        return -ENOENT;
    if ((w.conf = control_conf(c->control, e)) == NULL)
        return -EIO;
    if ((w.tty = cert_open_terminal(e)) < 0)
        return w.tty;
    cert_files_init(&w.import.files);
    container_key_init(&w.import.key);
    r = run(&w, e);
    container_key_done(&w.import.key);
    cert_files_done(&w.import.files);
    cert_names_done(&w.request.names);
    json_decref(w.state);
    buf_done(&w.line);
    close(w.tty);
    return r;
}
