# TLS from the first byte.
! kind submission
S: /^220 /
C: EHLO x
S* 250-AUTH PLAIN LOGIN
S: 250 CHUNKING
C: STARTTLS
S: 503 5.5.1 TLS is on already
C: MAIL FROM:<alice@example.test>
S: 530 5.7.0 Log in first
