# The certificate of a handshake after STARTTLS.
! policy starttls
! set client_certificates = "require";
! certificate known
S: /^\* OK \[CAPABILITY .*STARTTLS LOGINDISABLED/
C: a1 AUTHENTICATE EXTERNAL =
S: /^a1 (NO|BAD) /
C: a2 STARTTLS
S: /^a2 OK/
T
C: a3 CAPABILITY
S: /^\* CAPABILITY .*AUTH=EXTERNAL/
S: /^a3 OK/
C: a4 AUTHENTICATE EXTERNAL =
S: /^a4 OK/
