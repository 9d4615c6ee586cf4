# STARTTLS in the offered form: what was said in clear is forgotten.
! policy opportunistic
S: /^220 /
C: STARTTLS now
S: 501 5.5.4 STARTTLS takes no argument
C: EHLO there
S* 250-STARTTLS
S: 250 CHUNKING
C: STARTTLS
S: 220 2.0.0 Begin TLS
T
C: MAIL FROM:<a@remote.test>
S: 503 5.5.1 Send EHLO first
C: EHLO there
S: 250-mail.example.test
S: 250-PIPELINING
S: /^250-SIZE/
S: 250-8BITMIME
S: 250-SMTPUTF8
S: 250-DSN
S: 250-ENHANCEDSTATUSCODES
S: 250 CHUNKING
C: STARTTLS
S: 503 5.5.1 TLS is on already
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 502 5.5.1 No login here: use the submission service
C: MAIL FROM:<a@remote.test>
S: 250 2.1.0 Ok
C: RCPT TO:<alice@example.test>
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C: x
C: .
S: /^250 /
M 16 1
S0* /with ESMTPS \(TLSv1\.3 /
S0* x
S0: .
C: QUIT
S: /^221 /
S!
