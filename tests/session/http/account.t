# /account: who the client's certificate stands for.
! set client_certificates = "accept";
! certificate known
C: GET /account HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 200 OK
S* /^Content-Type: application\/json/
S* 
S: {"account":"alice@example.test"}
