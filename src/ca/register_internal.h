/* register_internal.h: SQLite as the files of the register use it. */
#ifndef CA_REGISTER_INTERNAL_H
#define CA_REGISTER_INTERNAL_H

#include "ca/register.h"

#include <sqlite3.h>

struct ca_register {
    sqlite3 *db;
    unsigned depth; /* of transactions */
};

struct reg_statement {
    struct ca_register *reg;
    sqlite3_stmt *s;
    int at; /* the next parameter */
};

int reg_open(struct ca_register *r, struct reg_statement *q, const char *sql, struct err *e);
void reg_close(struct reg_statement *q);
/* The next parameter; text and bytes must stay until reg_close. */
void reg_text(struct reg_statement *q, const char *text);
void reg_int(struct reg_statement *q, int64_t v);
void reg_blob(struct reg_statement *q, struct span s);
/* 1: a row; 0: no more; negative errno */
int reg_step(struct reg_statement *q, const char *doing, struct err *e);
const char *reg_column(struct reg_statement *q, int i);
int reg_execute(struct ca_register *r, const char *sql, struct err *e);
/* Within another transaction: a step of it, which is undone alone. */
int reg_begin(struct ca_register *r, struct err *e);
/* COMMIT, or ROLLBACK where rc is negative. */
int reg_finish(struct ca_register *r, int rc, struct err *e);

/* What `gone` has revoked is revoked in `to`: register_carry.c */
int reg_carry_revoked(struct ca_register *gone, struct ca_register *to,
                      struct register_carried *ret, struct err *e);

/* To the schema of this program, in a transaction. */
int reg_prepare(struct ca_register *r, struct err *e);

#define CERT_COLUMNS                                                                               \
    "id, issuer, state, revoked_at, reason, profile, requester, issued_at, der, part"
#define CERT_COLUMNS_OF_C                                                                          \
    "id, c.issuer, c.state, c.revoked_at, c.reason, c.profile, c.requester, c.issued_at, c.der,"   \
    " c.part"
int reg_read_cert(struct reg_statement *q, struct cert_record *c, struct err *e);

#endif
