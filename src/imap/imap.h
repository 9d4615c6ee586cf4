/*
 * imap.h: IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) for people.
 *
 * Commands are rows of commands.def, capabilities rows of capabilities.def. A session of IMAP4rev1
 * becomes one of IMAP4rev2 by ENABLE IMAP4rev2: mailbox names are then UTF-8 instead of modified
 * UTF-7, SEARCH answers with ESEARCH, SELECT with LIST and without RECENT.
 */
#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include "line/session.h"

extern const struct protocol imap_protocol;

#endif
