# Submission with STARTTLS required: nothing but the way into TLS.
! kind submission
! policy starttls
! set limits.errors = 100;
S: 220 mail.example.test ESMTP sealpost
C: MAIL FROM:<alice@example.test>
S: 530 5.7.0 Secure channel required: send STARTTLS first
C: RCPT TO:<bob@example.test>
S: 530 5.7.0 Secure channel required: send STARTTLS first
C: DATA
S: 530 5.7.0 Secure channel required: send STARTTLS first
C: BDAT 4 LAST
S: 530 5.7.0 Secure channel required: send STARTTLS first
C: VRFY alice
S: 530 5.7.0 Secure channel required: send STARTTLS first
C: EXPN list
S: 530 5.7.0 Secure channel required: send STARTTLS first
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 538 5.7.11 No login without TLS: send STARTTLS first
C: EHLO there
S: 250-mail.example.test
S: 250-PIPELINING
S: /^250-SIZE/
S: 250-8BITMIME
S: 250-SMTPUTF8
S: 250-DSN
S: 250-ENHANCEDSTATUSCODES
S: 250-STARTTLS
S: 250 CHUNKING
C: NOOP
S: 250 2.0.0 Ok
C: RSET
S: 250 2.0.0 Ok
V plaintext_credentials 1
V plaintext_bytes 0
C: STARTTLS
S: 220 2.0.0 Begin TLS
T
C: EHLO there
S* 250-AUTH PLAIN LOGIN
S: 250 CHUNKING
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 235 2.7.0 Logged in
C: QUIT
S: /^221 /
S!
