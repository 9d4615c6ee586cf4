# DELE, RSET and QUIT; what is deleted goes at QUIT only.
D 16 a\r\n\r\n1\r\n
D 16 a\r\n\r\n2\r\n
D 16 a\r\n\r\n3\r\n
S: /^\+OK /
C: USER alice
S: +OK Send PASS
C: PASS secret
S: +OK 3 messages (24 octets)
C: UIDL
S: +OK Unique ids follow
S: /^1 ([0-9a-f]{16})$/
S: /^2 ([0-9a-f]{16})$/
S: /^3 ([0-9a-f]{16})$/
S: .
C: DELE 2
S: +OK Marked for removal
C: DELE 2
S: -ERR No such message
C: RETR 2
S: -ERR No such message
C: TOP 2 0
S: -ERR No such message
C: UIDL 2
S: -ERR No such message
C: LIST 2
S: -ERR No such message
C: STAT
S: +OK 2 16
C: LIST
S: +OK 2 messages (16 octets)
S: 1 8
S: 3 8
S: .
C: UIDL
S: +OK Unique ids follow
S: /^1 /
S: /^3 /
S: .
C: RSET
S: +OK
C: STAT
S: +OK 3 24
C: DELE 1
S: +OK Marked for removal
# without QUIT nothing goes
X
V sessions 0
C: USER alice
C: PASS secret
S: /^\+OK sealpost/
S: +OK Send PASS
S: +OK 3 messages (24 octets)
C: UIDL 1
S: /^\+OK 1 ([0-9a-f]{16})$/
C: DELE 3
S: +OK Marked for removal
C: DELE 1
S: +OK Marked for removal
C: QUIT
S: +OK Bye
S!
M 16 1
S0: no such message
S0: .
M 16 2
S0* 2
S0: .
M 16 3
S0: no such message
S0: .
# the numbers start again, the ids stay; what has come since is there
D 16 a\r\n\r\n4\r\n
C2: USER alice
C2: PASS secret
S2: /^\+OK sealpost/
S2: +OK Send PASS
S2: +OK 2 messages (16 octets)
C2: UIDL
S2: +OK Unique ids follow
S2: /^1 [0-9a-f]{8}00000002$/
S2: /^2 [0-9a-f]{8}00000004$/
S2: .
