/*
 * ca_backup_head.h: how the file begins that the CA is kept in (ca_backup.c). It comes from outside: nothing in it is believed before both digests
 * at the file's end fit.
 *
 *   "sealpost CA backup 1\n"
 *   span salt, u32 rounds              of the passphrase (PBKDF2, HMAC-SHA-256)
 *   i64 when, u16 count, then for each key: cstr name of its CA, bool root, cstr id at keyd,
 *   span key                           PKCS#8, encrypted by keyd under the same passphrase
 *   u64 size                           of the register, which follows
 */
#ifndef MANAGER_CA_BACKUP_HEAD_H
#define MANAGER_CA_BACKUP_HEAD_H

#include "pki/ca_msg.h"
#include "pki/keyd_msg.h"

enum {
    CA_BACKUP_HEAD_MAX = 512 * 1024,
    CA_BACKUP_ROUNDS_MAX = 10000000,
    CA_BACKUP_SALT_MAX = 64,
    CA_BACKUP_SEALED_MAX = 8192,
};
#define CA_BACKUP_REGISTER_MAX ((uint64_t)1 << 44)

struct ca_backup_key {
    char name[65], id[2 * KEY_ID_BYTES + 1];
    bool root;
    struct span sealed; /* borrowed */
};

struct ca_backup_head {
    struct span salt; /* borrowed */
    uint32_t rounds;
    int64_t when;
    uint16_t count;
    struct ca_backup_key keys[CA_RESTORE_KEYS_MAX];
    uint64_t register_bytes;
};

void wr_ca_backup_head(struct buf *b, const struct ca_backup_head *h);
/* bytes: the file from its beginning, at least as far as the head goes; more may follow. The spans point into it. */
bool rd_ca_backup_head(struct span bytes, struct ca_backup_head *ret, uint64_t *ret_register_at);

#endif
