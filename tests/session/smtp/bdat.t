# Chunks: RFC 3030.
! policy opportunistic
! set limits.errors = 100;
! set limits.message_bytes = 2000;
S: /^220 /
C: EHLO there
S* 250 CHUNKING
# wrong places; the octets are taken off whatever the answer is
C+ BDAT 6 LAST\r\nQUIT\r\n
S: 503 5.5.1 Send MAIL and RCPT first
C: MAIL FROM:<a@remote.test>
S: /^250 /
C+ BDAT 6\r\nQUIT\r\n
S: 554 5.5.1 No valid recipients
C: RCPT TO:<alice@example.test>
S: /^250 /
# the cut is in the middle of a line end
C+ BDAT 12\r\nSubject: hi\r
S: 250 2.0.0 12 octets taken
C: RCPT TO:<bob@example.test>
S: 503 5.5.1 Not now: bad sequence of commands
C: DATA
S: 503 5.5.1 Not now: bad sequence of commands
C: MAIL FROM:<a@remote.test>
S: 503 5.5.1 A message has been begun already
C+ BDAT 3\r\n\n\r\n
S: 250 2.0.0 3 octets taken
C+ BDAT 0\r\n
S: 250 2.0.0 0 octets taken
C+ BDAT 12\r\n.\r\n..\r\ntext\r
S: 250 2.0.0 12 octets taken
C+ BDAT 1 last\r\n\n
S: /^250 2\.0\.0 Ok: taken as /
M 16 1
S0* Subject: hi
S0: 
S0: .
S0: ..
S0: text
S0: .
# after an end nothing is left of it
C+ BDAT 3 LAST\r\nabc
S: 503 5.5.1 Send MAIL and RCPT first
# bare CR and LF, also across chunks
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 2\r\na\rBDAT 2 LAST\r\nb\n
S: /^250 /
S: /^250 /
S: 250 2.0.0 2 octets taken
S: /^550 5\.5\.2 /
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 2 LAST\r\na\r
S: /^250 /
S: /^250 /
S: /^550 5\.5\.2 /
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 3 LAST\r\na\x00b
S: /^250 /
S: /^250 /
S: /^550 5\.6\.0 /
# RSET in the middle
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 2\r\nabRSET\r\nBDAT 2 LAST\r\ncd
S: /^250 /
S: /^250 /
S: 250 2.0.0 2 octets taken
S: 250 2.0.0 Ok
S: 503 5.5.1 Send MAIL and RCPT first
# too large: the chunk that goes over it is refused, what follows has no message to belong to
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 1500\r\n
C* 1500 x
S: /^250 /
S: /^250 /
S: 250 2.0.0 1500 octets taken
C+ BDAT 1500\r\n
C* 1500 x
S: 552 5.3.4 Messages of more than 2000 bytes are not taken
C+ BDAT 4 LAST\r\nabcd
S: 503 5.5.1 Send MAIL and RCPT first
# an empty one
C+ MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 0 LAST\r\n
S: /^250 /
S: /^250 /
S: /^250 2\.0\.0 Ok: taken/
M 16 2
S0: no such message
S0: .
# the octets of a chunk that is refused are no commands, and its message is given up
C+ MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 6 FIRST\r\nRSET\r\nBDAT 6 LAST\r\nabcdefBDAT 4 LAST now\r\nabcd
S: /^250 /
S: /^250 /
S: 501 5.5.4 Usage: BDAT octets [LAST]
S: 503 5.5.1 Send MAIL and RCPT first
S: 501 5.5.4 Usage: BDAT octets [LAST]
# where the next command starts is not known after these
C: BDAT
S: 501 5.5.4 Usage: BDAT octets [LAST]
C: BDAT x
S: 421 4.5.4 mail.example.test How many octets BDAT brings is not known, closing
S!
C3: EHLO x
S3* 250 CHUNKING
C3: BDAT 99999999999
S3: 421 4.5.4 mail.example.test How many octets BDAT brings is not known, closing
S3!
