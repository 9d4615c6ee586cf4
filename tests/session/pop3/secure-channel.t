# STLS required: nothing but the way into TLS, and every refusal says so.
! policy starttls
! set limits.errors = 100;
S: +OK sealpost POP3 mail.example.test ready
C: CAPA
S: +OK Capability list follows
S: TOP
S: UIDL
S: RESP-CODES
S: AUTH-RESP-CODE
S: PIPELINING
S: STLS
S: EXPIRE NEVER
S: UTF8 USER
S: IMPLEMENTATION sealpost
S: .
C: USER alice
S: -ERR [AUTH] No login without TLS: use STLS first
C: PASS secret
S: -ERR [AUTH] No login without TLS: use STLS first
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: -ERR [AUTH] No login without TLS: use STLS first
C: STAT
S: -ERR [AUTH] Secure channel required: use STLS first
C: RETR 1
S: -ERR [AUTH] Secure channel required: use STLS first
C: UTF8
S: -ERR [AUTH] Secure channel required: use STLS first
C: NONSENSE
S: -ERR Unknown command
C: STLS x
S: -ERR STLS takes no argument
V plaintext_credentials 3
C: STLS
S: +OK Begin TLS
T
C: PASS secret
S: -ERR USER comes first
C: CAPA
S* SASL PLAIN LOGIN
S* .
C: USER alice
S: +OK Send PASS
C: PASS secret
S: +OK 0 messages (0 octets)
V plaintext_bytes 0
C2: QUIT
S2: /^\+OK sealpost/
S2: +OK Bye
S2!
C3+ STLS\r\nCAPA\r\n
S3: /^\+OK sealpost/
S3: +OK Begin TLS
S3!
