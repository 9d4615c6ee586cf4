# Aliases and groups: each mailbox gets one copy, each newsgroup one article.
! policy opportunistic
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C: MAIL FROM:<a@remote.test>
S: /^250 /
C: RCPT TO:<alice@example.test>
S: /^250 /
C: RCPT TO:<list@example.test>
S: /^250 /
C: RCPT TO:<ALICE@example.test>
S: /^250 /
C: RCPT TO:<postmaster@example.test>
S: /^250 /
C: RCPT TO:<local.test@example.test>
S: /^250 /
C: RCPT TO:<gone@example.test>
S: /^250 /
C: DATA
S: /^354 /
C: Subject: for all
C: Message-ID: <one@remote.test>
C: 
C: text
C: .
S: /^250 /
M 16 1
S0: Return-Path: <a@remote.test>
S0: Delivered-To: alice@example.test
S0* text
S0: .
M 16 2
S0: no such message
S0: .
M 17 1
S0: Return-Path: <a@remote.test>
S0: Delivered-To: list@example.test
S0* text
S0: .
M local.test 1
S0: Return-Path: <a@remote.test>
S0: Delivered-To: local.test@example.test
S0: Path: mail.example.test!not-for-mail
S0: Newsgroups: local.test
S0: /^Received: /
S0* Subject: for all
S0: Message-ID: <one@remote.test>
S0: 
S0: text
S0: .
# the same again: the newsgroup has it already, the people get another copy
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<local.test@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: /^250 /
S: /^250 /
S: /^250 /
S: /^354 /
C+ Message-ID: <one@remote.test>\r\n\r\nagain\r\n.\r\n
S: /^250 /
M local.test 2
S0: no such message
S0: .
M 17 2
S0* again
S0: .
C+ MAIL FROM:<a@remote.test>\r\nRCPT TO:<local.test@example.test>\r\nDATA\r\nMessage-ID: <one@remote.test>\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 /
# no Message-ID, or one that is none: the article gets one
C+ MAIL FROM:<>\r\nRCPT TO:<local.test@example.test>\r\nDATA\r\nFrom: x@y.test\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 /
M local.test 2
S0* /^Message-ID: <.+>$/
S0: Subject: (no subject)
S0* x
S0: .
C+ MAIL FROM:<>\r\nRCPT TO:<local.test@example.test>\r\nDATA\r\nMessage-ID: nonsense\r\nSubject: s\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 /
M local.test 3
S0* /^Message-ID: <.+>$/
S0* Message-ID: nonsense
S0* x
S0: .
# groups that take no mail from strangers, and one that is not there
C+ MAIL FROM:<>\r\nRCPT TO:<moderated@example.test>\r\nDATA\r\nApproved: me\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: 550 5.7.1 Not allowed to send there
C+ MAIL FROM:<>\r\nRCPT TO:<closed@example.test>\r\nDATA\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: 550 5.7.1 Not allowed to send there
C+ MAIL FROM:<>\r\nRCPT TO:<nogroup@example.test>\r\nDATA\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: 550 5.1.1 The recipients are no more
C+ MAIL FROM:<>\r\nRCPT TO:<gone@example.test>\r\nDATA\r\n\r\nx\r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: 550 5.1.1 The recipients are no more
