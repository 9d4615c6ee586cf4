# AUTHENTICATE EXTERNAL (RFC 4422 appendix A): offered where the client has shown a certificate that holds.
! set client_certificates = "accept";
! certificate known
S: /^\* OK \[CAPABILITY .*AUTH=EXTERNAL AUTH=PLAIN/
C: a1 AUTHENTICATE EXTERNAL =
S: /^a1 OK \[CAPABILITY /
C: a2 SELECT INBOX
S* /^a2 OK/
# with an empty answer to the empty challenge
S2: /^\* OK /
C2: a1 AUTHENTICATE EXTERNAL
S2: /^\+ ?$/
C2: 
S2: /^a1 OK \[CAPABILITY /
# as the account that it stands for
S3: /^\* OK /
C3: a1 AUTHENTICATE EXTERNAL YWxpY2VAZXhhbXBsZS50ZXN0
S3: /^a1 OK \[CAPABILITY /
# as somebody else
S4: /^\* OK /
C4: a1 AUTHENTICATE EXTERNAL Ym9i
S4: /^a1 NO \[AUTHENTICATIONFAILED\]/
C4: a2 LOGIN bob hunter2
S4: /^a2 OK/
