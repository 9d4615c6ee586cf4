/* cert_wizard_create.c: the pages of a new certificate: a request to be sent later, an authority over the
 * network, the own CA. */
#include "base/check.h"
#include "manager/cert_wizard.h"
#include "manager/observatory.h"
#include "manager/text.h"

#include <errno.h>
#include <stdio.h>

enum { OFFERED_MAX = 20 };

enum move wizard_page_when(struct wizard *w)
{
    unsigned n = w->wants_own_ca ? 2 : 1;
    enum move m;

    dialog_title(w, "Delayed or Immediate Request", "");
    cert_say(w->tty, "  1  Prepare the request now, but send it later (another CA)\n"
                     "  2  Send the request immediately to an online certification authority\n");
    m = dialog_choice(w, 2, n, &n);
    w->wants_own_ca = n == 2;
    return m;
}

static const struct {
    const char *type, *words;
} key_types[] = {
    {"p256",    "ECDSA, 256 bit; fast, every client of today"  },
    {"p384",    "ECDSA, 384 bit; slower"                       },
    {"ed25519", "EdDSA, 256 bit; fast, few CAs and clients yet"},
    {"rsa2048", "RSA, 2048 bit; for old clients"               },
    {"rsa3072", "RSA, 3072 bit; costs three times as much"     },
    {"rsa4096", "RSA, 4096 bit; costs seven times as much"     },
};

static enum move page_name(struct wizard *w)
{
    unsigned usual = 1;
    enum move m;

    dialog_title(w, "Name and Bit Length",
                 "The name is for your lists only; clients do not see it.");
    m = dialog_text(w, "Name", w->request.name, sizeof w->request.name);
    if (m != MOVE_NEXT)
        return m;
    cert_say(w->tty,
             "Bit length. A longer key length will affect performance and, as a result, can "
             "be considered more expensive.\n");
    for (unsigned i = 0; i < ARRAY_LEN(key_types); i++) {
        cert_say(w->tty, "  %u  %-8s %s\n", i + 1, key_types[i].type, key_types[i].words);
        if (strcmp(key_types[i].type, w->request.key_type) == 0)
            usual = i + 1;
    }
    m = dialog_choice(w, ARRAY_LEN(key_types), usual, &usual);
    if (m != MOVE_NEXT)
        return m;
    snprintf(w->request.key_type, sizeof w->request.key_type, "%s", key_types[usual - 1].type);
    return dialog_exportable(w, &w->request.exportable);
}

/* The fields as they are now, or the reason on the terminal. */
static bool fields_fit(struct wizard *w)
{
    struct cert_subject s = cert_fields_subject(&w->request.fields);
    struct err e;

    if (cert_subject_check(&s, &e) == 0)
        return true;
    dialog_fault(w, &e);
    return false;
}

static enum move page_organization(struct wizard *w)
{
    struct cert_fields *f = &w->request.fields;
    enum move m;

    dialog_title(w, "Organization Information",
                 "As the CA has it; its web site says, or what it sent you when you registered.");
    do {
        m = dialog_text(w, "Organization", f->organization, sizeof f->organization);
        if (m == MOVE_NEXT)
            m = dialog_text(w, "Organizational unit", f->unit, sizeof f->unit);
    } while (m == MOVE_NEXT && !fields_fit(w));
    return m;
}

/* "a.example, b.example" → the names, the common name first. */
static bool take_names(struct wizard *w, const char *list)
{
    struct cert_names n = CERT_NAMES_EMPTY;
    struct span rest = span_cstr(list), one;
    struct err e = {""};

    if (w->request.fields.common_name[0] &&
        cert_names_add_any(&n, span_cstr(w->request.fields.common_name)) < 0)
        err_set(&e, -EINVAL, "%s is no name of a host; give one that clients connect to",
                text_quote(span_cstr(w->request.fields.common_name)));
    while (!e.text[0] && span_split(&rest, ',', &one))
        if (span_trim(one).n > 0 && cert_names_add_any(&n, span_trim(one)) < 0)
            err_set(&e, -EINVAL, "%s is neither a DNS name nor an address",
                    text_quote(span_trim(one)));
    if (!e.text[0] && n.n == 0)
        err_set(&e, -EINVAL, "a certificate needs at least one name");
    if (e.text[0]) {
        dialog_fault(w, &e);
        cert_names_done(&n);
        return false;
    }
    cert_names_done(&w->request.names);
    w->request.names = n;
    return true;
}

static void list_names(const struct cert_names *n, char *ret, size_t size)
{
    struct buf text BUF_AUTO = BUF(size - 1);

    cert_names_print(n, &text);
    if (!span_to_cstr(buf_span(&text), ret, size))
        ret[0] = '\0';
}

static bool list_has(const char *list, const char *name)
{
    struct span rest = span_cstr(list), one;

    while (span_split(&rest, ',', &one))
        if (span_eq_nocase(span_trim(one), span_cstr(name)))
            return true;
    return false;
}

/* The rows that may be put into a certificate and are not in the list; too many to be told apart stand under "(others)". */
static unsigned asked_names(const json_t *rows, const char *common_name, const char *list,
                            const char *ret[OFFERED_MAX])
{
    unsigned n = 0;
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        struct cert_names one = CERT_NAMES_EMPTY;
        const char *name = view_string(row, "name");
        if (n < OFFERED_MAX && !list_has(list, name) && !list_has(common_name, name) &&
            cert_names_add_any(&one, span_cstr(name)) == 0)
            ret[n++] = name;
        cert_names_done(&one);
    }
    return n;
}

/* "1,3" or "all": those are added to the list, once. False: it is neither. */
static bool add_asked(const char *const *names, unsigned n, const char *which, char *list,
                      size_t size)
{
    struct span rest = span_cstr(which), one;
    bool all = span_is(span_trim(rest), "all"), chosen[OFFERED_MAX] = {false};

    while (!all && span_split(&rest, ',', &one)) {
        uint64_t k;
        if (span_is(span_trim(one), "none") || span_trim(one).n == 0)
            continue;
        if (!span_to_u64(span_trim(one), n, &k) || k == 0)
            return false;
        chosen[k - 1] = true;
    }
    for (unsigned i = 0; i < n; i++) {
        size_t have = strlen(list);
        if ((all || chosen[i]) && have + strlen(names[i]) + 3 < size)
            snprintf(list + have, size - have, "%s%s", have ? ", " : "", names[i]);
    }
    return true;
}

/* What clients have really asked for, which is anybody's word: nothing is taken by itself. */
static enum move offer_asked(struct wizard *w, char *list, size_t size)
{
    json_t *rows = observatory_names(w->call->control, w->vserver->name);
    const char *names[OFFERED_MAX];
    unsigned n = asked_names(rows, w->request.fields.common_name, list, names);
    char which[200] = "none";
    enum move m = MOVE_NEXT;
    size_t i;
    const json_t *row;

    if (n > 0)
        cert_say(w->tty,
                 "Clients have asked for these names (SNI; how often), which no certificate here "
                 "covers. Take only those that are yours.\n");
    for (unsigned k = 0; k < n; k++)
        json_array_foreach(rows, i, row)
        {
            if (view_string(row, "name") == names[k])
                cert_say(w->tty, "  %u  %s (%lld)\n", k + 1, names[k],
                         (long long)json_integer_value(json_object_get(row, "count")));
        }
    while (n > 0) {
        m = dialog_text(w, "Add which of them (numbers with commas, all, none)", which,
                        sizeof which);
        if (m != MOVE_NEXT || add_asked(names, n, which, list, size))
            break;
        cert_say(w->tty, "  ! numbers from 1 to %u with commas between, all, or none\n", n);
        snprintf(which, sizeof which, "none");
    }
    json_decref(rows);
    return m;
}

static enum move page_common_name(struct wizard *w)
{
    struct cert_fields *f = &w->request.fields;
    char list[2048];
    enum move m;

    dialog_title(
        w, "Your Site's Common Name",
        "If clients come from the Internet, it must be a fully qualified domain name that can "
        "be resolved externally,\nand lead to this virtual server. Clients look at the "
        "alternative names; the common name is one of them.");
    list_names(&w->request.names, list, sizeof list);
    do {
        m = dialog_text(w, "Common name", f->common_name, sizeof f->common_name);
        if (m == MOVE_NEXT)
            m = offer_asked(w, list, sizeof list);
        if (m == MOVE_NEXT)
            m = dialog_text(w, "Alternative names, with commas between", list, sizeof list);
    } while (m == MOVE_NEXT && (!fields_fit(w) || !take_names(w, list)));
    return m;
}

static enum move page_geography(struct wizard *w)
{
    struct cert_fields *f = &w->request.fields;
    enum move m;

    dialog_title(w, "Geographical Information", "");
    do {
        const char *code;
        m = dialog_text(w, "Country/Region (two letters, or its name)", f->country,
                        sizeof f->country);
        code = country_find(span_cstr(f->country));
        if (code != NULL)
            snprintf(f->country, sizeof f->country, "%s", code);
        if (m == MOVE_NEXT && !fields_fit(w)) {
            f->country[0] = '\0';
            continue;
        }
        if (m == MOVE_NEXT)
            m = dialog_text(w, "State/Province", f->state, sizeof f->state);
        if (m == MOVE_NEXT)
            m = dialog_text(w, "City/Locality", f->locality, sizeof f->locality);
        if (m != MOVE_NEXT || fields_fit(w))
            return m;
    } while (m == MOVE_NEXT);
    return m;
}

enum move wizard_page_file(struct wizard *w)
{
    dialog_title(w, "Certificate Request File Name", "");
    if (!w->file[0])
        snprintf(w->file, sizeof w->file, "%s", CERT_REQUEST_FILE);
    return dialog_out(w, "File name");
}

static void summarize(struct wizard *w)
{
    const struct cert_fields *f = &w->request.fields;
    const char *country = country_name(span_cstr(f->country));
    char list[2048];

    list_names(&w->request.names, list, sizeof list);
    cert_say(w->tty,
             "  Virtual server       %s\n  Name                 %s\n"
             "  Key                  %s%s\n  Organization         %s\n"
             "  Organizational unit  %s\n  Common name          %s\n"
             "  Alternative names    %s\n  Country/Region       %s%s%s%s\n"
             "  State/Province       %s\n  City/Locality        %s\n"
             "  File name            %s\n",
             w->vserver->name, w->request.name, w->request.key_type,
             w->request.exportable ? ", exportable" : "", f->organization, f->unit, f->common_name,
             list, f->country, country ? " (" : "", country ? country : "", country ? ")" : "",
             f->state, f->locality, w->file);
}

static enum move page_request_summary(struct wizard *w)
{
    struct err e = {""};
    enum move m;
    json_t *v;

    dialog_title(w, "Request File Summary",
                 "If something is not correct, go back until you reach the page.");
    summarize(w);
    m = dialog_yes(w, "Make the key and the request?");
    if (m != MOVE_NEXT)
        return m;
    snprintf(w->request.vserver, sizeof w->request.vserver, "%s", w->vserver->name);
    if ((v = cert_request(w->call, &w->request, w->file, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    json_decref(v);
    return wizard_finished(
        w,
        "A certificate request was created. Send the file to your CA; when you have the "
        "answer, start the wizard again.\nFile name: ",
        w->file, "");
}

/* What was asked for is in service, or why it is not yet. Takes v over. */
enum move wizard_installed(struct wizard *w, json_t *take_v, const char *words)
{
    if (strcmp(view_string(take_v, "pending.state"), "pending") == 0)
        wizard_finished(
            w, "The request is pending at the CA; the certificate is installed by itself on ",
            w->vserver->name, ".");
    else if (cert_waits(take_v)[0])
        wizard_finished(w, "The certificate is staged: ", cert_waits(take_v), ".");
    else
        wizard_finished(w, words, w->vserver->name, ".");
    json_decref(take_v);
    return MOVE_NEXT;
}

enum move wizard_submit(struct wizard *w, const char *authority)
{
    struct err e = {""};
    json_t *v;

    snprintf(w->request.vserver, sizeof w->request.vserver, "%s", w->vserver->name);
    snprintf(w->request.authority, sizeof w->request.authority, "%s", authority);
    v = cert_order(w->call, &w->request, true, w->tty, &e);
    w->request.authority[0] = '\0';
    if (v == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    return wizard_installed(w, v, "A certificate is successfully installed on ");
}

/* Another CA over the network: the key as the configuration has it. */
static enum move page_order(struct wizard *w)
{
    const struct conf_authority *a = &w->conf->authorities[w->choice - 2];
    char list[2048];
    enum move m;

    list_names(&w->request.names, list, sizeof list);
    dialog_title(w, "Certificate Request Submission",
                 "The request goes to the authority now; the certificate is installed when it is "
                 "there, and renewed by itself.");
    cert_say(w->tty,
             "  Virtual server       %s\n  Key                  %s\n"
             "  Names                %s\n  Authority            %s\n",
             w->vserver->name, w->request.key_type, list, a->name);
    m = dialog_yes(w, "Send the request and install the certificate?");
    return m == MOVE_NEXT ? wizard_submit(w, a->name) : m;
}

enum move wizard_page_issue(struct wizard *w)
{
    static const page_fn at_authority[] = {page_common_name, page_order, NULL};
    struct err e = {""};
    enum move m;
    json_t *v;

    dialog_title(w, "Choose a Certification Authority", "");
    cert_say(w->tty, "  1  The own CA of this server\n");
    for (uint32_t i = 0; i < w->conf->authority_count; i++)
        cert_say(w->tty, "  %u  %s (%s, %s)\n", i + 2, w->conf->authorities[i].name,
                 w->conf->authorities[i].kind == AUTHORITY_EST ? "EST" : "ACME",
                 w->conf->authorities[i].url);
    if (w->conf->authority_count == 0)
        cert_say(w->tty, "Others (ACME, EST) are here when they stand in `authorities` of the "
                         "configuration.\n");
    m = dialog_choice(w, 1 + w->conf->authority_count, 1, &w->choice);
    if (m != MOVE_NEXT)
        return m;
    if (w->choice > 1) {
        cert_names_done(&w->request.names);
        cert_default_names(w->call, w->vserver, true, &w->request.names);
        return dialog_run(w, at_authority);
    }
    dialog_title(
        w, "Certificate Request Submission",
        "The own CA takes names, key and organization from the configuration of the virtual "
        "server.");
    cert_say(w->tty,
             "  Virtual server       %s\n  Key                  %s\n"
             "  Organization         %s\n",
             w->vserver->name, w->vserver->key_type, w->conf->organization);
    m = dialog_yes(w, "Send the request and install the certificate?");
    if (m != MOVE_NEXT)
        return m;
    if ((v = cert_ask(w->call, MSG_CERT_ISSUE, w->vserver->name, &e)) == NULL) {
        dialog_fault(w, &e);
        return MOVE_BACK;
    }
    return wizard_installed(w, v, "A certificate is successfully installed on ");
}

enum move wizard_page_create(struct wizard *w)
{
    static const page_fn delayed[] = {page_name,
                                      page_organization,
                                      page_common_name,
                                      page_geography,
                                      wizard_page_file,
                                      page_request_summary,
                                      NULL};
    static const page_fn at_once[] = {wizard_page_issue, NULL};

    return dialog_run(w, w->wants_own_ca ? at_once : delayed);
}
