# Before and after login: every command in good and bad use.
! set limits.errors = 100;
S: +OK sealpost POP3 mail.example.test ready
C: CAPA
S: +OK Capability list follows
S: TOP
S: UIDL
S: RESP-CODES
S: AUTH-RESP-CODE
S: PIPELINING
S: USER
S: SASL PLAIN LOGIN
S: EXPIRE NEVER
S: UTF8 USER
S: IMPLEMENTATION sealpost
S: .
C: CAPA x
S: -ERR CAPA takes no argument
C: STAT
S: -ERR Log in first
C: LIST
S: -ERR Log in first
C: RETR 1
S: -ERR Log in first
C: NOOP
S: -ERR Log in first
C: NONSENSE
S: -ERR Unknown command
C: STLS
S: -ERR TLS is on already
C: UTF8
S: +OK UTF8 enabled
C: USER
S: -ERR Usage: USER name
C: PASS secret
S: -ERR USER comes first
C* 400 x
C: 
S: -ERR Unknown command
C+ USER 
C* 400 x
C: 
S: -ERR Name too long
C: USER alice
S: +OK Send PASS
C: PASS
S: -ERR Usage: PASS password
C: PASS wrong
S: -ERR [AUTH] Authentication failed
C: PASS secret
S: -ERR USER comes first
C: user alice
S: +OK Send PASS
C: PASS down
S: -ERR [SYS/TEMP] Login is not available, try again later
C: USER alice
S: +OK Send PASS
C: PASS secret
S: +OK 0 messages (0 octets)
C: USER alice
S: -ERR Not after login
C: AUTH PLAIN
S: -ERR Not after login
C: STLS
S: -ERR Not after login
C: CAPA
S* .
C: STAT
S: +OK 0 0
C: LIST
S: +OK 0 messages (0 octets)
S: .
C: LIST 1
S: -ERR No such message
C: UIDL
S: +OK Unique ids follow
S: .
C: RETR
S: -ERR Usage: RETR message
C: RETR 0
S: -ERR No such message
C: RETR -1
S: -ERR No such message
C: RETR 99999999999
S: -ERR No such message
C: DELE x
S: -ERR No such message
C: TOP 1
S: -ERR Usage: TOP message lines
C: TOP 1 x
S: -ERR Usage: TOP message lines
C: TOP 1 2 3
S: -ERR Usage: TOP message lines
C: TOP 1 -1
S: -ERR Usage: TOP message lines
C: TOP 1 99999999999999999999999
S: -ERR No such message
C: TOP 1 2
S: -ERR No such message
C: NOOP
S: +OK
C: NOOP x
S: -ERR NOOP takes no argument
C: RSET
S: +OK
C: QUIT
S: +OK Bye
S!
