# A message of many chunks, its dots at their borders, read by a client that is slow at first.
L 16 300000 .x\r\n
S: /^\+OK /
C: USER alice
S: +OK Send PASS
C: PASS secret
S: +OK 1 messages (1200000 octets)
C: RETR 1
W 300
S: +OK 1200000 octets
S= 300000 ..x
S: .
C: TOP 1 1
S: +OK 1200000 octets
S= 300000 ..x
S: .
C: QUIT
S: +OK Bye
S!
