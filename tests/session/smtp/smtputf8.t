# Addresses beyond ASCII: RFC 6531.
! kind submission
! set limits.errors = 100;
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: /^235 /
C: MAIL FROM:<alice@example.test>
S: 250 2.1.0 Ok
C+ RCPT TO:<j\xc3\xb6rg@remote.test>\r\n
S: 553 5.6.7 An address that is not ASCII needs the SMTPUTF8 parameter
C: RSET
S: /^250 /
C: MAIL FROM:<alice@example.test> SMTPUTF8=1
S: 501 5.5.4 Malformed value of SMTPUTF8
C+ MAIL FROM:<j\xc3\xb6rg@example.test> SMTPUTF8\r\n
S: 553 5.7.1 That sender address is not yours
C: MAIL FROM:<alice@example.test> SMTPUTF8
S: 250 2.1.0 Ok
C+ RCPT TO:<j\xf6rg@remote.test>\r\n
S: 501 5.1.3 That is not an address
C+ RCPT TO:<j\xc3\xb6rg@remote.test> ORCPT=utf-8;j\xc3\xb6rg@remote.test\r\n
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C+ Subject: gr\xc3\xbc\xc3\x9fe\r\n.\r\n
S: /^250 /
Q
S0: from <alice@example.test> SMTPUTF8 envid=
S0: to <jörg@remote.test> orcpt=utf-8;jörg@remote.test notify=0
S0: /^Received: /
S0* /UTF8SMTPSA/
S0* Subject: grüße
S0: .
