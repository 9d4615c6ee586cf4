# A message that goes in circles is stopped.
! policy opportunistic
! root hops = 5;
S: /^220 /
C+ EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S* /^354 /
C* 5 Received: from a by b\r\n
C+ \r\ntext\r\n.\r\n
S: /^250 /
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S* /^354 /
C* 6 Received: from a by b\r\n
C+ \r\ntext\r\n.\r\n
S: 554 5.4.6 Too many hops: this message goes in circles
# only the header counts
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n\r\n
S* /^354 /
C* 50 Received: from a by b\r\n
C+ .\r\n
S: /^250 /
