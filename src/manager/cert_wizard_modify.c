/* cert_wizard_modify.c: the pages of a certificate that is in use, or is to be in the place of one: renewed, another
 * virtual server's, from a file, into a file, removed. */
#include "base/check.h"
#include "base/date.h"
#include "manager/cert_wizard.h"
#include "manager/password.h"
#include "manager/text.h"
#include "pki/keyd_msg.h"

#include <errno.h>
#include <stdio.h>

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

enum move wizard_page_renew(struct wizard *w)
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
    if (id != MSG_CERT_COPY || cert_waits(v)[0])
        return wizard_installed(w, v, "The certificate is successfully installed on ");
    buf_put_cstr(&renewal, ".\n");
    cert_renewal(v, &renewal);
    json_decref(v);
    return wizard_finished(w, "The certificate is successfully installed on ", w->vserver->name,
                           buf_cstr(&renewal));
}

enum move wizard_page_assign(struct wizard *w)
{
    dialog_title(w, "Available Certificates",
                 "It is shown here too, and followed when it is renewed.");
    return take_of_another(w, MSG_CERT_ASSIGN, "Assign it?");
}

enum move wizard_page_copy(struct wizard *w)
{
    dialog_title(w, "Available Certificates",
                 "It is installed here too, with the use of its key, and is then this virtual "
                 "server's own:\nwhat becomes of it there changes nothing here.");
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

enum move wizard_page_import_file(struct wizard *w)
{
    struct buf text BUF_AUTO = BUF(65536);
    struct err e = {""};
    json_t *v;
    enum move m;

    dialog_title(w, "Import a Certificate",
                 "A file with key and certificates: .pfx, .p12, or PEM.");
    do {
        v = NULL;
        m = dialog_given(w, "Path and file name", w->file, sizeof w->file);
        if (m == MOVE_NEXT)
            m = dialog_given(w, "Root certificate of the CA, if it is not publicly trusted",
                             w->root, sizeof w->root);
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

enum move wizard_page_import_install(struct wizard *w)
{
    struct err e = {""};
    enum move m;
    json_t *v;

    m = dialog_exportable(w, &w->import.exportable);
    if (m == MOVE_NEXT)
        m = dialog_yes(w, "Install this certificate and its key?");
    if (m != MOVE_NEXT)
        return m;
    if ((v = cert_import_install(w->call, &w->import, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    json_decref(v);
    return wizard_finished(w, "The certificate is successfully installed on ", w->vserver->name,
                           ".");
}

enum move wizard_page_export(struct wizard *w)
{
    struct buf pass = BUF(KEY_PASSPHRASE_MAX);
    struct err e = {""};
    enum move m;
    int r;

    dialog_title(w, "Export the Certificate", "With its key, as PKCS#12, under a passphrase.");
    if (cert_may_export(w->call, view_string(w->state, "current.key"), &e) < 0) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
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

enum move wizard_page_remove(struct wizard *w)
{
    struct err e = {""};
    enum move m;
    json_t *v;

    dialog_title(
        w, "Remove a Certificate",
        "Without one nobody gets in at the encrypted endpoints, until another is installed.\n"
        "For a day `sealpost cert rollback` brings this one back.");
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

/* The words of the article for what can be done one by one, too. */
enum move wizard_page_replace(struct wizard *w)
{
    static const page_fn ways[][3] = {
        {wizard_page_issue, NULL},
        {                       wizard_page_copy,             NULL    },
        { wizard_page_import_file,             wizard_page_import_install,                 NULL},
    };
    enum move m;

    dialog_title(w, "Replace the Current Certificate",
                 "The one in use stays until the other was checked and is in its place.");
    cert_say(w->tty, "  1  By a new one of an online certification authority\n"
                     "  2  By that of another virtual server\n"
                     "  3  By one from a file, with its key\n");
    m = dialog_choice(w, ARRAY_LEN(ways), 1, &w->choice);
    return m == MOVE_NEXT ? dialog_run(w, ways[w->choice - 1]) : m;
}
