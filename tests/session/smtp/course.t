# Sessions that an administrator ends, a reload in between, and the end of the server.
! policy opportunistic
S: /^220 /
K 1 for maintenance
S: 421 4.3.2 mail.example.test Closing: for maintenance
S!
C2: EHLO x
S2* 250 CHUNKING
C2+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nab
S2* /^354 /
# in the middle of a message no farewell fits
K 2 now
S2!
C3: EHLO x
S3* 250 CHUNKING
R
C3+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nab\r\n.\r\n
S3* /^250 2\.0\.0 Ok: taken/
C4: EHLO x
S4* 250 CHUNKING
X3
X4
V sessions 0
