# An administrator ends a session; its marks are not carried out.
D 16 a\r\n\r\n1\r\n
C: USER alice
C: PASS secret
C: DELE 1
S* +OK Marked for removal
K 1 enough
S: -ERR [SYS/TEMP] Closing: enough
S!
M 16 1
S0* 1
S0: .
