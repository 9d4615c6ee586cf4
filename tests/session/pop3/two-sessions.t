# Two sessions of one account, and somebody else who removes.
D 16 a\r\n\r\n1\r\n
D 16 a\r\n\r\n2\r\n
C: USER alice
C: PASS secret
C2: USER alice
C2: PASS secret
S* +OK 2 messages (16 octets)
S2* +OK 2 messages (16 octets)
C: DELE 1
S: +OK Marked for removal
C: QUIT
S: +OK Bye
S!
C2: STAT
S2: +OK 2 16
C2: RETR 1
S2: -ERR The message has been removed elsewhere
C2: UIDL 1
S2: /^\+OK 1 /
D 16 a\r\n\r\n3\r\n
C2: STAT
S2: +OK 2 16
C2: DELE 1
S2: +OK Marked for removal
E 16 2
C2: DELE 2
S2: +OK Marked for removal
C2: QUIT
S2: +OK Bye
S2!
M 16 3
S0* 3
S0: .
