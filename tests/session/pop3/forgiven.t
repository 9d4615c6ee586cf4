# Errors of a long login are forgiven in time.
! set limits.errors = 3;
S: /^\+OK /
C: USER alice
S: +OK Send PASS
C: PASS secret
S: /^\+OK /
C: x
S: -ERR Unknown command
C: x
S: -ERR Unknown command
C* 60 NOOP\r\n
S= 60 +OK
C: x
S: -ERR Unknown command
C: x
S: -ERR Unknown command
S: -ERR Too many bad commands, closing
S!
