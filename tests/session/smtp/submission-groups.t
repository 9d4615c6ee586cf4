# The same groups for people of this server.
! kind submission
! set limits.errors = 100;
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: /^235 /
C+ MAIL FROM:<alice@example.test>\r\nRCPT TO:<local.test@example.test>\r\nDATA\r\nSubject: s\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 /
M local.test 1
S0* /^Message-ID: <.+>$/
S0* x
S0: .
C+ MAIL FROM:<alice@example.test>\r\nRCPT TO:<closed@example.test>\r\nDATA\r\nSubject: s\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: 550 5.7.1 Not allowed to send there
C+ MAIL FROM:<alice@example.test>\r\nRCPT TO:<moderated@example.test>\r\nDATA\r\nApproved: alice\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: 550 5.7.1 Not allowed to send there
C+ MAIL FROM:<alice@example.test>\r\nRCPT TO:<nogroup@example.test>\r\nDATA\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: 550 5.1.1 The recipients are no more
# a group with two hundred people elsewhere: one message in the queue
C+ MAIL FROM:<alice@example.test>\r\nRCPT TO:<many@example.test>\r\nDATA\r\nSubject: many\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 /
Q
S0: from <alice@example.test> envid=
S0: to <person-0@remote.test> orcpt=rfc822;many@example.test notify=0
S0* to <person-199@remote.test> orcpt=rfc822;many@example.test notify=0
S0* x
S0: .
Q
S0: nothing
S0: .
# so many targets come with another message
C: MAIL FROM:<alice@example.test>
S: /^250 /
C: RCPT TO:<many@example.test>
S: /^250 /
C: RCPT TO:<many@example.test>
S: /^250 /
C: RCPT TO:<many@example.test>
S: /^250 /
C: RCPT TO:<many@example.test>
S: 452 4.5.3 Too many recipients
C: RCPT TO:<bob@example.test>
S: /^250 /
C: DATA
S: /^354 /
C: .
S: /^250 /
