/* cert_wizard.c: the Certificate Wizard: pages in the order of the article, each with what is usual
 * in brackets. Nothing is done before its summary was shown and answered with yes. */
#include "manager/cert_wizard.h"
#include "base/check.h"
#include "base/date.h"
#include "manager/password.h"
#include "manager/text.h"
#include "pki/keyd_msg.h"

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

/* --- the pending request
 * ------------------------------------------------------------------------------------------------------
 */

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
        m = dialog_text(w, "Path and file name", w->file, sizeof w->file);
        if (m == MOVE_NEXT)
            m = dialog_text(w, "Root certificate of the CA, if it is not publicly trusted", w->root,
                            sizeof w->root);
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

/* --- renew, assign, import, export, remove
 * -------------------------------------------------------------------------------------- */

static enum move page_renew_elsewhere(struct wizard *w)
{
    struct err e = {""};
    enum move m = wizard_page_file(w);
    json_t *v;

    if (m != MOVE_NEXT)
        return m;
    dialog_title(w, "Request File Summary", "");
    cert_say(w->tty,
             "  Virtual server       %s\n  Subject              %s\n"
             "  File name            %s\n",
             w->vserver->name, view_string(w->state, "current.certificate.subject"), w->file);
    m = dialog_yes(w, "Make a new key and the request?");
    if (m != MOVE_NEXT)
        return m;
    cert_names_done(&w->request.names);
    w->request = (struct cert_request_msg){.as_current = true};
    snprintf(w->request.vserver, sizeof w->request.vserver, "%s", w->vserver->name);
    if ((v = cert_request(w->call, &w->request, w->file, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    json_decref(v);
    return wizard_finished(w, "A request for the renewal was created. File name: ", w->file, "");
}

/* By the authority that it came from: the same names. */
static enum move page_renew_online(struct wizard *w)
{
    char authority[CERT_MSG_WORD_MAX + 1];
    enum move m;

    snprintf(authority, sizeof authority, "%s", view_string(w->state, "current.origin"));
    dialog_title(w, "Renew the Current Certificate", "");
    cert_say(w->tty,
             "Its authority, %s, is asked for another one, and it is installed.\n"
             "  1  With a new key\n  2  With the key in use\n",
             authority);
    m = dialog_choice(w, 2, 1, &w->choice);
    if (m == MOVE_NEXT)
        m = dialog_yes(w, "Renew it?");
    if (m != MOVE_NEXT)
        return m;
    cert_names_done(&w->request.names);
    w->request = (struct cert_request_msg){.as_current = true, .same_key = w->choice == 2};
    return wizard_submit(w, authority);
}

static enum move page_renew(struct wizard *w)
{
    struct buf body BUF_AUTO = BUF(128);
    struct cert_renew_msg q = {.same_key = false};
    const char *source = view_string(w->state, "current.source");
    struct err e = {""};
    enum move m;
    json_t *v;

    if (strcmp(source, "external CA") == 0 && view_string(w->state, "current.origin")[0])
        return page_renew_online(w);
    if (strcmp(source, "external CA") == 0 || strcmp(source, "import") == 0)
        return page_renew_elsewhere(w);
    dialog_title(w, "Renew the Current Certificate", "The own CA makes a new one at once.");
    cert_say(w->tty, "  1  With a new key\n  2  With the key in use\n");
    m = dialog_choice(w, 2, 1, &w->choice);
    if (m == MOVE_NEXT)
        m = dialog_yes(w, "Renew it?");
    if (m != MOVE_NEXT)
        return m;
    q.same_key = w->choice == 2;
    snprintf(q.vserver, sizeof q.vserver, "%s", w->vserver->name);
    wr_cert_renew(&body, &q);
    if ((v = cert_ask_body(w->call, MSG_CERT_RENEW, buf_span(&body), &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    if (cert_waits(v)[0])
        return wizard_installed(w, v, "");
    json_decref(v);
    return wizard_finished(w, "The certificate of ", w->vserver->name, " is renewed.");
}

enum { OTHERS_MAX = 64 };

/* The certificates that others show, numbered, with the end of each. */
static unsigned list_others(struct wizard *w, const json_t *rows, const char *ret[OTHERS_MAX])
{
    const json_t *row;
    unsigned n = 0;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        const char *name = view_string(row, "vserver"), *origin = view_string(row, "origin");
        struct buf day BUF_AUTO = BUF(64);
        if (n == OTHERS_MAX || strcmp(name, w->vserver->name) == 0 ||
            view_string(row, "serial")[0] == '\0')
            continue;
        date_print_iso(&day, json_integer_value(json_object_get(row, "not_after")));
        ret[n++] = name;
        cert_say(w->tty, "  %u  that of %s (%s%s%s, until %.10s)\n", n, name,
                 view_string(row, "source"), origin[0] ? " " : "", origin, buf_cstr(&day));
    }
    return n;
}

static enum move take_of_another(struct wizard *w, enum msg_id id, const char *question)
{
    json_t *list, *v = NULL;
    const char *others[OTHERS_MAX];
    struct buf renewal BUF_AUTO = BUF(1024);
    struct err e = {""};
    unsigned n;
    enum move m = MOVE_BACK;

    if ((list = cert_ask(w->call, MSG_CERT_LIST, NULL, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    n = list_others(w, json_object_get(list, "certificates"), others);
    if (n == 0)
        cert_say(w->tty, "  ! no other virtual server has a certificate\n");
    else if ((m = dialog_choice(w, n, 1, &w->choice)) == MOVE_NEXT)
        m = dialog_yes(w, question);
    if (m == MOVE_NEXT &&
        (v = cert_take_of(w->call, id, w->vserver->name, others[w->choice - 1], &e)) == NULL) {
        dialog_fault(w, &e);
        m = MOVE_BACK;
    }
    json_decref(list);
    if (m != MOVE_NEXT)
        return m;
    cert_renewal(v, &renewal);
    if (id == MSG_CERT_COPY)
        cert_say(w->tty, "\n%s\n", buf_cstr(&renewal));
    return wizard_installed(w, v, "The certificate is successfully installed on ");
}

static enum move page_assign(struct wizard *w)
{
    dialog_title(w, "Available Certificates",
                 "It is shown here too, and followed when it is renewed.");
    return take_of_another(w, MSG_CERT_ASSIGN, "Assign it?");
}

static enum move page_copy(struct wizard *w)
{
    dialog_title(w, "Available Certificates",
                 "It is installed here too, with the use of its key, and is then this virtual "
                 "server's own: what becomes of it there changes nothing here.");
    return take_of_another(w, MSG_CERT_COPY, "Copy it?");
}

static int open_file(struct wizard *w, struct err *e)
{
    const char *paths[] = {w->file};
    struct buf pass = BUF(KEY_PASSPHRASE_MAX);
    bool legacy = false;
    int r;

    container_key_done(&w->import.key);
    container_key_init(&w->import.key);
    r = cert_open(paths, 1, SPAN_EMPTY, legacy, &w->import.key, e);
    if (r == -EPERM) {
        dialog_fault(w, e);
        if (dialog_yes(w, "Take it as it is?") != MOVE_NEXT)
            return r;
        legacy = true;
        r = cert_open(paths, 1, SPAN_EMPTY, legacy, &w->import.key, e);
    }
    if (r == -EACCES && w->import.key.needs_passphrase &&
        (r = passphrase_ask(w->file, false, &pass, e)) == 0)
        r = cert_open(paths, 1, span_of(pass.p ? pass.p : "", pass.n), legacy, &w->import.key, e);
    password_done(&pass);
    return r;
}

static enum move page_import_file(struct wizard *w)
{
    struct buf text BUF_AUTO = BUF(65536);
    struct err e = {""};
    json_t *v;
    enum move m;

    dialog_title(w, "Import a Certificate",
                 "A file with key and certificates: .pfx, .p12, or PEM.");
    do {
        v = NULL;
        m = dialog_text(w, "Path and file name", w->file, sizeof w->file);
        if (m == MOVE_NEXT)
            m = dialog_text(w, "Root certificate of the CA, if it is not publicly trusted", w->root,
                            sizeof w->root);
        if (m != MOVE_NEXT)
            return m;
        w->import.vserver = w->vserver->name;
        w->import.root = w->root[0] ? w->root : NULL;
        if (open_file(w, &e) < 0 || (v = cert_import_look(w->call, &w->import, &e)) == NULL)
            dialog_fault(w, &e);
    } while (v == NULL);
    cert_summary(v, &text);
    json_decref(v);
    cert_say(w->tty, "\n--- %.*s", SPAN_ARG(buf_span(&text)));
    return MOVE_NEXT;
}

static enum move page_import_install(struct wizard *w)
{
    struct err e = {""};
    enum move m;
    json_t *v;

    cert_say(w->tty, "  1  The key stays with keyd for ever\n  2  Mark this certificate as "
                     "exportable\n");
    m = dialog_choice(w, 2, 1, &w->choice);
    if (m == MOVE_NEXT)
        m = dialog_yes(w, "Install this certificate and its key?");
    if (m != MOVE_NEXT)
        return m;
    w->import.exportable = w->choice == 2;
    if ((v = cert_import_install(w->call, &w->import, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    json_decref(v);
    return wizard_finished(w, "The certificate is successfully installed on ", w->vserver->name,
                           ".");
}

static enum move page_export(struct wizard *w)
{
    struct buf pass = BUF(KEY_PASSPHRASE_MAX);
    struct err e = {""};
    enum move m;
    int r;

    dialog_title(w, "Export the Certificate", "With its key, as PKCS#12, under a passphrase.");
    for (;;) {
        m = dialog_out(w, "File name");
        if (m != MOVE_NEXT)
            return m;
        r = passphrase_ask(w->file, true, &pass, &e);
        if (r == 0)
            r = cert_export(w->call, w->vserver->name, w->file, buf_span(&pass), &e);
        password_done(&pass);
        pass = BUF(KEY_PASSPHRASE_MAX);
        if (r == 0)
            return wizard_finished(w, "The certificate and its key are in ", w->file, ".");
        dialog_fault(w, &e);
    }
}

static enum move page_remove(struct wizard *w)
{
    struct err e = {""};
    enum move m;
    json_t *v;

    dialog_title(
        w, "Remove a Certificate",
        "Without one the encrypted endpoints refuse everybody, until another is installed.");
    cert_say(w->tty, "  %s\n  issued by %s\n", view_string(w->state, "current.certificate.subject"),
             view_string(w->state, "current.certificate.issuer"));
    m = dialog_yes(w, "Remove it?");
    if (m != MOVE_NEXT)
        return m;
    if ((v = cert_ask(w->call, MSG_CERT_REMOVE, w->vserver->name, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    json_decref(v);
    return wizard_finished(w, "The certificate of ", w->vserver->name, " is removed.");
}

/* --- the menu
 * -------------------------------------------------------------------------------------------------------------------
 */

static const struct course courses[] = {
    {"Process the pending request and install the certificate",
     is_pending,                                                            {page_answer_file, page_answer_install}},
    {"Delete the pending request",                              is_pending, {page_cancel}                          },
    {"Create a new certificate",                                may_create, {wizard_page_when, wizard_page_create} },
    {"Renew the current certificate",                           shows_one,  {page_renew}                           },
    {"Assign the certificate of another virtual server",        always,     {page_assign}                          },
    {"Copy the certificate of another virtual server",          always,     {page_copy}                            },
    {"Import a certificate from a file",                        always,     {page_import_file, page_import_install}},
    {"Export the current certificate to a file",                shows_one,  {page_export}                          },
    {"Remove the current certificate",                          shows_one,  {page_remove}                          },
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
