/* cert.h: what the commands of certificates and the wizard share: each step as a function that
 * takes its values, wherever they come from. */
#ifndef MANAGER_CERT_H
#define MANAGER_CERT_H

#include "manager/control.h"
#include "manager/view.h"
#include "pki/cert_msg.h"
#include "pki/container.h"
#include "pki/identity.h"
#include "pki/key.h"

enum { CERT_REQUEST_MODE = 0644, CERT_NAME_BYTES = 200 };
#define CERT_REQUEST_FILE "certreq.txt"

/* --- asking certd (cert.c) */

/* One word, or none (NULL). NULL with the reason. */
json_t *cert_ask(struct call *c, enum msg_id id, const char *word, struct err *e);
json_t *cert_ask_body(struct call *c, enum msg_id id, struct span body, struct err *e);
/* The running configuration's row; NULL with the reason. */
const struct conf_vserver *cert_vserver(struct call *c, const char *name, struct err *e);

/* --- requests (cert_request.c) */

/* "Default IMAP4 Virtual Server" */
void cert_default_name(const struct conf_vserver *v, char ret[CERT_MSG_LABEL_MAX + 1]);
/* The names that clients use from outside; of one that listens on loopback alone, and for a CA that
 * is not on the network, its addresses too. */
void cert_default_names(struct call *c, const struct conf_vserver *v, bool online,
                        struct cert_names *ret);
/* Names with commas between, added. EXIT_USAGE with the reason. */
int cert_add_names(struct cert_names *n, enum cert_name_type type, const char *list, struct err *e);
bool cert_key_type_known(const char *type);
/* May a request be written there? Nothing is written. -EEXIST: a plain file is there already. */
int cert_look_out(const char *file, struct err *e);
/* The same of --out, which the reason names. */
int cert_check_out(const char *file, struct err *e);
/* Makes it and writes the file, which the caller has looked at; the answer of certd, or NULL with
 * the reason. */
json_t *cert_request(struct call *c, const struct cert_request_msg *m, const char *file,
                     struct err *e);

/* The request that waits, into a file once more. */
int cert_write_pending(struct call *c, const char *vserver, const char *file, struct err *e);

/* --- orders (cert_order.c) */

/* The request goes to m->authority at once. Waits until the certificate is installed, or for some minutes; progress on
 * tty (-1: none). What certd says then, or NULL with the reason. */
json_t *cert_order(struct call *c, const struct cert_request_msg *m, bool wait, int tty,
                   struct err *e);
/* What certd says of a certificate that is staged and waits, in words; "": it does not. */
const char *cert_waits(const json_t *v);
/* Tells how it went, as the result of a command. */
int cert_order_done(struct call *c, json_t *take_v, const struct cert_request_msg *m);

/* --- files (cert_install.c) */

struct cert_files {
    struct buf bytes; /* each as wr_cert_file */
    unsigned count;
};
void cert_files_init(struct cert_files *f);
void cert_files_done(struct cert_files *f); /* wipes */
/* At most CONTAINER_BYTES_MAX, a plain file. */
int cert_read_file(const char *path, struct buf *out, struct err *e);
int cert_files_add(struct cert_files *f, enum cert_file_kind kind, const char *path, struct err *e);
void cert_files_add_bytes(struct cert_files *f, enum cert_file_kind kind, const char *name,
                          struct span bytes);
/* The roots of --root, else those of the system. */
int cert_files_add_roots(struct cert_files *f, const char *root, struct err *e);
/* certd looks at them, or installs (m->install). NULL with the reason. */
json_t *cert_offer(struct call *c, const struct cert_offer_msg *m, const struct cert_files *f,
                   struct err *e);
/* CERT_ASSIGN, CERT_COPY: what `from` shows, on that virtual server too. NULL with the reason. */
json_t *cert_take_of(struct call *c, enum msg_id id, const char *vserver, const char *from,
                     struct err *e);
/* How one that was copied is renewed: a sentence. */
void cert_renewal(const json_t *v, struct buf *out);
/* The Certificate Summary, for people. */
void cert_summary(const json_t *offer, struct buf *out);

/* --- files with a key (cert_import.c, cert_open.c) */

/* Opens them in a jail of its own. As container_open. */
int cert_open(const char *const *paths, unsigned count, struct span passphrase, bool legacy,
              struct container_key *k, struct err *e);
/* The files behind the command's first argument, asking for the passphrase where they need one. */
int cert_open_asking(struct call *c, struct container_key *key, struct err *e);
/* To keyd, under that label. -EEXIST: it has the key already. */
int cert_import_key(struct call *c, const struct container_key *k, const char *label,
                    unsigned purposes, bool exportable, struct key_info *ret, struct err *e);
/* The same; a key that is there under that label is fine. -EEXIST: it is another's. */
int cert_import_key_once(struct call *c, const struct container_key *k, const char *label,
                         unsigned purposes, bool exportable, struct key_info *ret, struct err *e);
struct cert_import {
    const char *vserver, *name, *root;
    struct container_key key;
    struct cert_files files;
    bool exportable;
};
/* certd looks at what was opened. */
json_t *cert_import_look(struct call *c, struct cert_import *i, struct err *e);
/* The key goes to keyd, the rest to certd, and live. */
json_t *cert_import_install(struct call *c, struct cert_import *i, struct err *e);
/* -EPERM with what to do: the key was not made exportable. */
int cert_may_export(struct call *c, const char *key_id, struct err *e);
int cert_export(struct call *c, const char *vserver, const char *file, struct span passphrase,
                struct err *e);

/* --- a terminal (cert_ask.c) */

/* Shows `text` and asks; with --yes neither. 0: yes; -ECANCELED: no; -ENOTTY with what to do. */
int cert_confirm(struct call *c, struct span text, const char *question, struct err *e);
/* What is to be printed at once, safe. */
void cert_say(int tty, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line, without its end; false: the terminal is gone or was ended with ^D. */
bool cert_read_line(int tty, struct buf *out);
int cert_open_terminal(struct err *e); /* descriptor */

#endif
