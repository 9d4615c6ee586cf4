! set limits.errors = 3;
! set limits.line_bytes = 512;
S: /^\+OK /
C* 600 x
C: 
S: -ERR Line too long
C: x
S: -ERR Unknown command
C: x
S: -ERR Unknown command
S: -ERR Too many bad commands, closing
S!
