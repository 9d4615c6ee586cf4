/* cert_wizard.h: what the files of the Certificate Wizard have of each other. */
#ifndef MANAGER_CERT_WIZARD_H
#define MANAGER_CERT_WIZARD_H

#include "manager/cert_dialog.h"

/* Says so, and that the wizard is over. */
enum move wizard_finished(struct wizard *w, const char *before, const char *what,
                          const char *behind);
/* What was asked for is in service, or why it is not yet. Takes v (CERT_SHOW) over. */
enum move wizard_installed(struct wizard *w, json_t *take_v, const char *words);

/* cert_wizard_create.c: Delayed or Immediate Request, and the pages that follow from the answer */
enum move wizard_page_when(struct wizard *w);
enum move wizard_page_create(struct wizard *w);
enum move wizard_page_issue(struct wizard *w); /* at once, by an authority that is chosen */
enum move wizard_page_file(struct wizard *w);  /* where the request goes */
/* The request as it stands, to that authority over the network. */
enum move wizard_submit(struct wizard *w, const char *authority);

/* cert_wizard_modify.c */
enum move wizard_page_renew(struct wizard *w);
enum move wizard_page_replace(struct wizard *w);
enum move wizard_page_assign(struct wizard *w);
enum move wizard_page_copy(struct wizard *w);
enum move wizard_page_import_file(struct wizard *w);
enum move wizard_page_import_install(struct wizard *w);
enum move wizard_page_export(struct wizard *w);
enum move wizard_page_remove(struct wizard *w);

#endif
