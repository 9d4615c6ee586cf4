# stored is away: temporary answers, and nothing is said to be taken that is not.
! policy opportunistic
S: /^220 /
C+ EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S* /^354 /
C+ Subject: in between\r\n\r\nx\r\n
W 50
-
+
C: .
S: /^250 /
M 16 1
S0* Subject: in between
S0: 
S0: x
S0: .
