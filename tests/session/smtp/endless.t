# A message that is over the limit and does not end is not read for ever.
! policy opportunistic
! set limits.message_bytes = 100000;
S: /^220 /
C+ EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S* /^354 /
C* 420000 x
S: /^500 5\.5\.2 /
S!
