/*
 * order_msg.h: payloads of the messages about orders at other CAs (messages.def, section 900).
 *
 *   CERT_CHALLENGE  the token (all of it)         → what to answer, as text; -ENOENT: not ours
 *   CERT_PROOF      cstr name, cstr key id, span certificate (DER; empty: it is over)
 *   CERT_COMMAND    cstr authority, bool present, cstr name, cstr value
 *                                                 → what the command wrote; negative: it failed
 *   CERT_ALARM      cstr subject, span text       → the reason, where it is negative
 *   WATCH_ALARM     cstr virtual server, cstr event, then as CERT_ALARM
 */
#ifndef PROC_ORDER_MSG_H
#define PROC_ORDER_MSG_H

#include "base/codec.h"

enum {
    ORDER_NAME_MAX = 255,
    ORDER_VALUE_MAX = 255,
    ORDER_WORD_MAX = 63,
    ORDER_CERTIFICATE_MAX = 4096,
    ORDER_TOKEN_MAX = 256,
    ORDER_SUBJECT_MAX = 200,
    ORDER_TEXT_MAX = 4096,
};

struct cert_proof_msg {
    char name[ORDER_NAME_MAX + 1]; /* as clients write it into SNI */
    char key_id[65];
    struct span certificate; /* into the body */
};
void wr_cert_proof(struct buf *b, const struct cert_proof_msg *m);
bool rd_cert_proof(struct span body, struct cert_proof_msg *ret);

struct cert_command_msg {
    char authority[ORDER_WORD_MAX + 1];
    bool present;
    char name[ORDER_NAME_MAX + 1];   /* of the TXT record: letters, digits, '-', '_', '.' */
    char value[ORDER_VALUE_MAX + 1]; /* base64url */
};
void wr_cert_command(struct buf *b, const struct cert_command_msg *m);
bool rd_cert_command(struct span body, struct cert_command_msg *ret);

struct cert_alarm_msg {
    char subject[ORDER_SUBJECT_MAX + 1];
    struct span text; /* into the body; printable lines */
};
void wr_cert_alarm(struct buf *b, const struct cert_alarm_msg *m);
bool rd_cert_alarm(struct span body, struct cert_alarm_msg *ret);

struct watch_alarm_msg {
    char vserver[ORDER_WORD_MAX + 1], event[ORDER_WORD_MAX + 1];
    struct cert_alarm_msg alarm;
};
void wr_watch_alarm(struct buf *b, const struct watch_alarm_msg *m);
bool rd_watch_alarm(struct span body, struct watch_alarm_msg *ret);

#endif
