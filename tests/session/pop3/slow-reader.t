# A client that asks for much and does not read is given up; another one is served meanwhile.
! set limits.write_timeout = 1;
L 16 1000000 1234\r\n
D 17 a\r\n\r\n1\r\n
S: /^\+OK /
C: USER alice
S: +OK Send PASS
C: PASS secret
S: /^\+OK 1 messages/
C: RETR 1
C2: USER bob
C2: PASS hunter2
S2* /^\+OK 1 messages/
W 1500
C2: RETR 1
S2: +OK 8 octets
S2: a
S2: 
S2: 1
S2: .
V sessions 1
