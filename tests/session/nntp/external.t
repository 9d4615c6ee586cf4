# AUTHINFO SASL EXTERNAL, RFC 4643.
! set client_certificates = "accept";
! certificate known
S: /^200 /
C: CAPABILITIES
S* SASL EXTERNAL PLAIN LOGIN
S* .
C: AUTHINFO SASL EXTERNAL Ym9i
S: 481 Authentication failed
C: AUTHINFO SASL EXTERNAL =
S: 281 Logged in
S2: /^200 /
C2: AUTHINFO SASL EXTERNAL
S2: 383 
C2: YWxpY2U=
S2: 281 Logged in
