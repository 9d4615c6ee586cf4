# AUTH EXTERNAL, RFC 5034.
! set client_certificates = "accept";
! certificate known
S: /^\+OK /
C: CAPA
S* SASL EXTERNAL PLAIN LOGIN
S* .
C: AUTH EXTERNAL Ym9i
S: -ERR [AUTH] Authentication failed
C: AUTH EXTERNAL
S: + 
C: 
S: +OK 0 messages (0 octets)
S2: /^\+OK /
C2: AUTH EXTERNAL =
S2: +OK 0 messages (0 octets)
C2: QUIT
S2: +OK Bye
