/* cert_dialog.h: pages of questions at a terminal, one after the other, back and forth. */
#ifndef MANAGER_CERT_DIALOG_H
#define MANAGER_CERT_DIALOG_H

#include "manager/cert.h"

enum move { MOVE_NEXT, MOVE_BACK, MOVE_LEAVE };

struct wizard {
    struct call *call;
    int tty;
    const struct conf *conf;
    const struct conf_vserver *vserver;
    json_t *state;     /* CERT_SHOW, as of the last look */
    bool wants_own_ca; /* Delayed or Immediate Request */
    bool done;         /* something was done: the end */
    struct cert_request_msg request;
    struct cert_import import;
    char file[1024], root[1024], from[CERT_MSG_WORD_MAX + 1];
    unsigned choice;
    struct buf line;
};

typedef enum move (*page_fn)(struct wizard *w);
struct course {
    const char *title; /* as the menu has it */
    bool (*offered)(const struct wizard *w);
    page_fn pages[10]; /* NULL ends */
};
/* Through the pages, back and forth; MOVE_BACK: in front of the first. */
enum move dialog_run(struct wizard *w, const page_fn *pages);

void dialog_title(struct wizard *w, const char *title, const char *words);
/* "Label [what is there]: ". Enter keeps it, "-" empties it, b goes back, q leaves. */
enum move dialog_text(struct wizard *w, const char *label, char *value, size_t size);
/* A file to be written, w->file: another name, or it is overwritten. */
enum move dialog_out(struct wizard *w, const char *label);
/* Files that are there, with commas between, or none: as dialog_text, until each can be read. */
enum move dialog_given(struct wizard *w, const char *label, char *value, size_t size);
enum move dialog_exportable(struct wizard *w, bool *value);
/* Numbered rows were shown; a number from 1 to count. */
enum move dialog_choice(struct wizard *w, unsigned count, unsigned usual, unsigned *ret);
enum move dialog_yes(struct wizard *w, const char *question);
/* What went wrong, in words; the page is asked again. */
void dialog_fault(struct wizard *w, const struct err *e);

#endif
