# A certificate that does not hold does no harm, and is nobody's.
! set client_certificates = "accept";
! certificate unknown
S: /^\* OK \[CAPABILITY .*AUTH=PLAIN/
C: a1 AUTHENTICATE EXTERNAL =
S: /^a1 NO /
C: a2 LOGIN alice secret
S: /^a2 OK/
