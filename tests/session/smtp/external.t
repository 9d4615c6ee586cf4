# AUTH EXTERNAL, RFC 4954.
! kind submission
! set client_certificates = "accept";
! certificate known
S: /^220 /
C: EHLO client.example
S* 250-AUTH EXTERNAL PLAIN LOGIN
S* /^250 /
C: AUTH EXTERNAL Ym9i
S: /^535 5\.7\.8 /
C: AUTH EXTERNAL =
S: /^235 2\.7\.0 /
C: MAIL FROM:<alice@example.test>
S: /^250 /
S2: /^220 /
C2: EHLO client.example
S2* /^250 /
C2: AUTH EXTERNAL
S2: 334 
C2: YWxpY2U=
S2: /^235 2\.7\.0 /
