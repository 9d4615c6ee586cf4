# stored is away: reading goes on, removing says that it could not.
D 16 a\r\n\r\n1\r\n
C: USER alice
C: PASS secret
S* /^\+OK 1 messages/
-
C: RETR 1
S: +OK 8 octets
S: a
S: 
S: 1
S: .
+
C: DELE 1
S: +OK Marked for removal
C: QUIT
S: +OK Bye
S!
M 16 1
S0: no such message
S0: .
