# All in one packet, with refusals in between; replies keep the order.
! policy opportunistic
S: /^220 /
C+ EHLO x\r\nMAIL FROM:<a@remote.test>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<x@remote.test>\r\nDATA\r\nSubject: p\r\n\r\nx\r\n.\r\nRSET\r\nVRFY a\r\nQUIT\r\nNOOP\r\n
S* 250 CHUNKING
S: 250 2.1.0 Ok
S: 550 5.1.1 No such recipient here
S: 250 2.1.5 Ok
S: /^550 5\.7\.1 /
S: /^354 /
S: /^250 2\.0\.0 Ok: taken/
S: 250 2.0.0 Ok
S: /^252 /
S: 221 2.0.0 Bye
S!
# a second EHLO gives the transaction up; a new MAIL after it
C2: EHLO x
S2* 250 CHUNKING
C2+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nEHLO y\r\nDATA\r\n
S2: /^250 /
S2: /^250 /
S2* 250 CHUNKING
S2: 503 5.5.1 Send MAIL and RCPT first
# lines that end with a bare LF are lines
C2+ NOOP\nNOOP\n
S2: 250 2.0.0 Ok
S2: 250 2.0.0 Ok
C2+ NO
W 50
C2+ OP\r
W 50
C2+ \n
S2: 250 2.0.0 Ok
X2
