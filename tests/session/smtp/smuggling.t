# Only CR LF . CR LF ends a message. What others might take for the end is content, and such content is refused.
! policy opportunistic
! set limits.errors = 100;
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: /^250 /
S: /^250 /
S: /^354 /
C+ Subject: 1\r\n\r\nx\n.\nMAIL FROM:<evil@remote.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nx\r\n.\r\n
S: /^550 5\.5\.2 Bare CR or LF/
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: 2\r\n\r\nx\n.\r\nMAIL FROM:<evil@remote.test>\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^550 5\.5\.2 /
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: 3\r\n\r\nx\r\n.\nMAIL FROM:<evil@remote.test>\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^550 5\.5\.2 /
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: 4\r\n\r\nx\r.\rMAIL FROM:<evil@remote.test>\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^550 5\.5\.2 /
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: 5\r\n\r\nx\r\n.\rMAIL FROM:<evil@remote.test>\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^550 5\.5\.2 /
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: 6\r\n\r\nx\r\n.\r\r\nMAIL FROM:<evil@remote.test>\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^550 5\.5\.2 /
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: 7\r\n\r\nx\x00y\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^550 5\.6\.0 A NUL /
# the end in many pieces
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: /^250 /
S: /^250 /
S: /^354 /
C+ Subject: 8\r
W 20
C+ \n\r
W 20
C+ \n.
W 20
C+ .dot\r\n
W 20
C+ .
W 20
C+ \r
W 20
C+ \n
S: /^250 /
M 16 1
S0* Subject: 8
S0: 
S0: .dot
S0: .
M 16 2
S0: no such message
S0: .
M 17 1
S0: no such message
S0: .
# an empty message ends at once
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n.\r\nNOOP\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 2\.0\.0 Ok: taken/
S: 250 2.0.0 Ok
C: QUIT
S: /^221 /
S!
