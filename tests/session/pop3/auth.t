# SASL: RFC 5034.
! set limits.errors = 100;
S: /^\+OK /
C: AUTH
S: +OK Mechanisms follow
S: PLAIN
S: LOGIN
S: .
C: AUTH CRAM-MD5
S: -ERR Unknown authentication mechanism
C: AUTH PLAIN *
S: -ERR Malformed authentication exchange
C: AUTH PLAIN
S: + 
C: *
S: -ERR Authentication cancelled
C: AUTH PLAIN
S: + 
C: ===
S: -ERR Malformed authentication exchange
C: AUTH PLAIN x y
S: -ERR Usage: AUTH [mechanism [initial-response]]
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: -ERR [AUTH] Authentication failed
C: AUTH PLAIN
S: + 
C: AGFsaWNlAHNlY3JldA==
S: +OK 0 messages (0 octets)
C: QUIT
S: +OK Bye
S!
C2: AUTH LOGIN
S2* + VXNlcm5hbWU6
C2: Ym9i
S2: + UGFzc3dvcmQ6
C2: aHVudGVyMg==
S2: +OK 0 messages (0 octets)
