# Nobody makes this server send mail elsewhere without a login, however the address is written.
! policy opportunistic
! set limits.errors = 100;
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C: MAIL FROM:<alice@example.test>
S: 250 2.1.0 Ok
C: RCPT TO:<someone@remote.test>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: RCPT TO:<@example.test:someone@remote.test>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: RCPT TO:<@example.test,@remote.test:someone@remote.test>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: RCPT TO:<someone%remote.test@example.test>
S: 550 5.1.1 No such recipient here
C: RCPT TO:<"someone@remote.test"@example.test>
S: 550 5.1.1 No such recipient here
C: RCPT TO:<remote.test!someone@example.test>
S: 550 5.1.1 No such recipient here
C: RCPT TO:<someone@remote.test@example.test>
S: 501 5.1.3 That is not an address
C: RCPT TO:<someone@example.test@remote.test>
S: 501 5.1.3 That is not an address
C: RCPT TO:<"alice@example.test" someone@remote.test>
S: 501 5.1.3 That is not an address
C: RCPT TO:<alice@example.test.remote.test>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: RCPT TO:<alice@[127.0.0.1]>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: RCPT TO:<alice@localhost>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: RCPT TO:<alice@example.test.>
S: 501 5.1.3 That is not an address
C: RCPT TO:<alice@example.test> <someone@remote.test>
S: 501 5.5.4 Malformed or too many parameters
C+ RCPT TO:<someone@remote.test\x00@example.test>\r\n
S: 501 5.1.3 That is not an address
C+ RCPT TO:<alice@example.test\r>\r\n
S: 501 5.1.3 That is not an address
# an alias or a group that leads outside makes us send, too: only with a grant for it
C: RCPT TO:<friend@example.test>
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C: go on
C: .
S: /^250 /
Q
S0: from <alice@example.test> envid=
S0: to <friend@remote.test> orcpt=rfc822;friend@example.test notify=0
S0* go on
S0: .
C: MAIL FROM:<alice@example.test>
S: /^250 /
C: RCPT TO:<away@example.test>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: RCPT TO:<many@example.test>
S: 550 5.7.1 Relaying denied: not a recipient of this server
C: DATA
S: 554 5.5.1 No valid recipients
# a source route to us is taken off
C: RCPT TO:<@remote.test:alice@example.test>
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C: hello
C: .
S: /^250 /
M 16 1
S0: Return-Path: <alice@example.test>
S0: Delivered-To: alice@example.test
S0* hello
S0: .
Q
S0: nothing
S0: .
