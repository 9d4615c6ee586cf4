# The paths of ACME and EST, in clear: nothing is answered there but the way to TLS. enrold is away here.
! policy public
C+ GET /acme/directory HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 301 Moved Permanently
S* 
S: /^Secure channel required: https:/
C+ POST /acme/new-order HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}
S: HTTP/1.1 301 Moved Permanently
S* 
S: /^Secure channel required: https:/
C+ POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\nContent-Length: 2\r\n\r\n{}
S: HTTP/1.1 301 Moved Permanently
S* 
S: /^Secure channel required: https:/
C+ DELETE /acme/new-order HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 405 Method Not Allowed
S* 
S: Only GET and HEAD.
V plaintext_bytes 0
