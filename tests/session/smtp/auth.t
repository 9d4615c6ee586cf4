# Logging in for submission, and what may be sent then.
! kind submission
! set limits.errors = 100;
S: /^220 /
C: AUTH PLAIN
S: 503 5.5.1 Send EHLO first
C: EHLO there
S* 250-AUTH PLAIN LOGIN
S: 250 CHUNKING
C: MAIL FROM:<alice@example.test>
S: 530 5.7.0 Log in first
C: AUTH
S: 501 5.5.4 Usage: AUTH mechanism [initial-response]
C: AUTH NTLM
S: 504 5.5.4 Unknown authentication mechanism
C: AUTH PLAIN !!!
S: 501 5.5.2 Not base64
C: AUTH PLAIN AGFs aWNl
S: 501 5.5.4 Usage: AUTH mechanism [initial-response]
C: AUTH PLAIN
S: 334 
C: *
S: 501 5.7.0 Authentication cancelled
C: AUTH PLAIN
S: 334 
C: x
S: 501 5.5.2 Not base64
C: AUTH PLAIN
S: 334 
C* 13000 x
C: 
S: 501 5.5.2 Malformed authentication exchange
C: AUTH PLAIN =
S: 501 5.5.2 Malformed authentication exchange
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: *
S: 501 5.7.0 Authentication cancelled
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: YWxpY2U=
S: 334 UGFzc3dvcmQ6
C: *
S: 501 5.7.0 Authentication cancelled
# wrong password
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: 535 5.7.8 Authentication failed
# password "down"
C: AUTH PLAIN AGFsaWNlAGRvd24=
S: 454 4.7.0 Login is not available, try again later
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: YWxpY2U=
S: 334 UGFzc3dvcmQ6
C: c2VjcmV0
S: 235 2.7.0 Logged in
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 503 5.5.1 Logged in already
C: EHLO there
S: 250-mail.example.test
S: 250-PIPELINING
S: /^250-SIZE/
S: 250-8BITMIME
S: 250-SMTPUTF8
S: 250-DSN
S: 250-ENHANCEDSTATUSCODES
S: 250 CHUNKING
C: MAIL FROM:<bob@example.test>
S: 553 5.7.1 That sender address is not yours
C: MAIL FROM:<someone@remote.test>
S: 553 5.7.1 That sender address is not yours
C: MAIL FROM:<alice@example.test> AUTH=<>
S: 250 2.1.0 Ok
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: /^503 5\.5\.1 /
C: RCPT TO:<someone@remote.test>
S: 250 2.1.5 Ok
C: RCPT TO:<away@example.test>
S: 250 2.1.5 Ok
C: RCPT TO:<Someone@Remote.test>
S: 250 2.1.5 Ok
C: RCPT TO:<bob@example.test>
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C: Subject: out
C: 
C: text
C: .
S: /^250 2\.0\.0 Ok: taken as /
Q
S0: from <alice@example.test> envid=
S0: to <someone@remote.test> orcpt= notify=0
S0: /^Received: /
S0* /^Message-ID: <.+@mail\.example\.test>$/
S0: /^Date: /
S0: From: alice@example.test
S0: Subject: out
S0: 
S0: text
S0: .
Q
S0: nothing
S0: .
M 17 1
S0: Return-Path: <alice@example.test>
S0: Delivered-To: bob@example.test
S0: /^Received: from there/
# where somebody wrote from is nobody's business
S0: /by mail\.example\.test with ESMTPSA \(TLS/
S0* Subject: out
S0: 
S0: text
S0: .
# one who may not send outside
C2: EHLO x
S2* 250 CHUNKING
C2: AUTH PLAIN AG5vc3VibWl0AHNlY3JldA==
S2: 235 2.7.0 Logged in
C2: MAIL FROM:<nosubmit@example.test>
S2: 250 2.1.0 Ok
C2: RCPT TO:<someone@remote.test>
S2: /^550 5\.7\.1 Relaying denied/
C2: RCPT TO:<away@example.test>
S2: /^550 5\.7\.1 Relaying denied/
C2: RCPT TO:<alice@example.test>
S2: 250 2.1.5 Ok
C2: QUIT
S2: /^221 /
S2!
