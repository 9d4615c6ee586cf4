/* commands.h: the handlers that the rows of commands.def name. */
#ifndef IMAP_COMMANDS_H
#define IMAP_COMMANDS_H

#include "imap/state.h"

#define CMD(verb, handler, states, flags, syntax, rfc, help)                                       \
    void handler(struct session *s, struct command_line *c);
#include "imap/commands.def"
#undef CMD

#endif
