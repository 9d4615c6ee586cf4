# The server stops: who waits is told, who is in the middle of something may end it, nobody new comes in.
! policy opportunistic
S: /^220 /
C2: EHLO x
S2* 250 CHUNKING
C2+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nab
S2* /^354 /
Z
S: 421 4.3.2 mail.example.test Closing: the server stops
S!
C3: NOOP
S3!
C2+ \r\n.\r\n
S2: /^250 2\.0\.0 Ok: taken/
S2: 421 4.3.2 mail.example.test Closing: the server stops
S2!
M 16 1
S0* ab
S0: .
