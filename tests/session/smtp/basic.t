# Strangers deliver mail in clear: every command in good and bad use.
! policy opportunistic
! set limits.errors = 100;
S: 220 mail.example.test ESMTP sealpost
C: NOOP
S: 250 2.0.0 Ok
C: noop with words
S: 250 2.0.0 Ok
C: MAIL FROM:<a@remote.test>
S: 503 5.5.1 Send EHLO first
C: RCPT TO:<alice@example.test>
S: 503 5.5.1 Send MAIL first
C: DATA
S: 503 5.5.1 Send MAIL and RCPT first
C: EHLO
S: 501 5.5.4 Usage: EHLO host
C: EHLO bad host
S: 501 5.5.4 Usage: EHLO host
C: HELO <x>
S: 501 5.5.4 Usage: HELO host
C+ HELO \xc3\xa9.test\r\n
S: 501 5.5.4 Usage: HELO host
C: HELO there.remote.test
S: 250 mail.example.test
C: EHLO there.remote.test
S: 250-mail.example.test
S: 250-PIPELINING
S: 250-SIZE 52428800
S: 250-8BITMIME
S: 250-SMTPUTF8
S: 250-DSN
S: 250-ENHANCEDSTATUSCODES
S: 250-STARTTLS
S: 250 CHUNKING
C: VRFY
S: 501 5.5.4 Usage: VRFY address
C: VRFY alice
S: /^252 2\.5\.2 /
C: EXPN list
S: /^502 5\.7\.0 /
C: HELP
S: /^214-2\.0\.0 HELO host/
S* /^214 2\.0\.0 End of help/
C: HELP DATA
S: /^214-2\.0\.0 DATA /
S: 214 2.0.0 End of help
C: NONSENSE
S: 500 5.5.1 Unknown command
C: 
S: 500 5.5.1 Unknown command
C:  QUIT
S: 500 5.5.1 Unknown command
C: MAILFROM:<a@b.test>
S: 500 5.5.1 Unknown command
C: RSET now
S: 501 5.5.4 RSET takes no argument
C: DATA now
S: 501 5.5.4 DATA takes no argument
# the sender
C: MAIL
S: 501 5.5.4 Usage: MAIL FROM:<path> [parameters]
C: MAIL FROM
S: 501 5.5.4 Usage: MAIL FROM:<path> [parameters]
C: MAIL FROM:a@remote.test
S: 501 5.5.4 Usage: MAIL FROM:<path> [parameters]
C: MAIL FROM:<a@remote.test
S: 501 5.5.4 Usage: MAIL FROM:<path> [parameters]
C: MAIL FROM:<a>
S: 501 5.1.3 That is not an address
C: MAIL FROM:<@>
S: 501 5.5.4 Usage: MAIL FROM:<path> [parameters]
C: MAIL FROM:<a@remote.test> UNKNOWN=1
S: 555 5.5.4 Unknown parameter UNKNOWN
C: MAIL FROM:<a@remote.test> AUTH=<>
S: 555 5.5.4 Unknown parameter AUTH
C: MAIL FROM:<a@remote.test> =
S: 501 5.5.4 Malformed or too many parameters
C: MAIL FROM:<a@remote.test> SIZE=1 SIZE=2
S: 501 5.5.4 Malformed or too many parameters
C: MAIL FROM:<a@remote.test>X
S: 501 5.5.4 Malformed or too many parameters
C: MAIL FROM:<a@remote.test> BODY=BINARYMIME
S: 501 5.5.4 Malformed value of BODY
C: mail from: <a@remote.test> size=100 body=8bitmime
S: 250 2.1.0 Ok
C: MAIL FROM:<a@remote.test>
S: 503 5.5.1 A message has been begun already
C: DATA
S: 554 5.5.1 No valid recipients
# recipients
C: RCPT TO:<>
S: 501 5.1.3 That is not an address
C: RCPT FROM:<alice@example.test>
S: 501 5.5.4 Usage: RCPT TO:<path> [parameters]
C: RCPT TO:<nobody@example.test>
S: 550 5.1.1 No such recipient here
C: RCPT TO:<disabled@example.test>
S: 550 5.2.1 That mailbox is disabled
C: RCPT TO:<down@example.test>
S: 451 4.3.0 The directory is not available, try again later
C: RCPT TO:<alice@EXAMPLE.test>
S: 250 2.1.5 Ok
C: RCPT TO:<postmaster>
S: 250 2.1.5 Ok
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: /^538 5\.7\.11 /
C: STARTTLS
S: /^503 /
C: RSET
S: 250 2.0.0 Ok
C: DATA
S: 503 5.5.1 Send MAIL and RCPT first
# one message
C: MAIL FROM:<>
S: 250 2.1.0 Ok
C: RCPT TO:<alice@example.test>
S: 250 2.1.5 Ok
C: DATA
S: 354 Send the message, end with CRLF.CRLF
C: Subject: one
C: 
C: ..stuffed
C: .. 
C: text
C: .
S: /^250 2\.0\.0 Ok: taken as [0-9a-z]+$/
M 16 1
S0: Return-Path: <>
S0: Delivered-To: alice@example.test
S0: /^Received: from there\.remote\.test/
S0* /by mail\.example\.test/
S0* Subject: one
S0: 
S0: .stuffed
S0: . 
S0: text
S0: .
V plaintext_credentials 1
V plaintext_bytes 0
C: QUIT
S: 221 2.0.0 Bye
S!
