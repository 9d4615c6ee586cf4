D 16 a\r\n\r\n1\r\n
C: USER alice
C: PASS secret
C: DELE 1
S* +OK Marked for removal
C2: CAPA
S2* .
Z
S: -ERR [SYS/TEMP] Closing: the server stops
S!
S2: -ERR [SYS/TEMP] Closing: the server stops
S2!
M 16 1
S0* 1
S0: .
