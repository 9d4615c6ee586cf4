# tag = 1*<any ASTRING-CHAR except "+"> (RFC 9051 section 9): what is none is never echoed.
S: /^\* OK /
C: + NOOP
S: * BAD Unknown command
C: * NOOP
S: * BAD Unknown command
C: (a NOOP
S: * BAD Unknown command
C: "x" NOOP
S: * BAD Unknown command
C: a{ NOOP
S: * BAD Unknown command
C: a\b NOOP
S: * BAD Unknown command
C: a% NOOP
S: * BAD Unknown command
C: a]b.7 NOOP
S: a]b.7 OK Completed
