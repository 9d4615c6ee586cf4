S: /^\+OK /
C+ USER alice\r\nPASS 1\r\nUSER alice\r\nPASS 2\r\nUSER alice\r\nPASS 3\r\nUSER alice\r\nPASS secret\r\n
S: +OK Send PASS
S: -ERR [AUTH] Authentication failed
S: +OK Send PASS
S: -ERR [AUTH] Authentication failed
S: +OK Send PASS
S: -ERR [AUTH] Authentication failed
S!
