# A certificate that does not hold stands for nobody.
! set client_certificates = "accept";
! certificate unknown
C: GET /account HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 403 Forbidden
S* 
S: Only with a client certificate that stands for an account.
