# What the own CA has for everybody, in clear: the paths, POST, and what is no question. cad is away here.
! policy public
C+ GET /ca/issuing-1.crl HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 503 Service Unavailable
S* 
S: Not available at the moment.
C+ GET /ca/a-name-that-is-longer-than-any-file-that-a-ca-of-ours-could-have.crl HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 404 Not Found
S* 
S: Nothing here.
C+ POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n0123
S: HTTP/1.1 503 Service Unavailable
S* 
S: Not available at the moment.
C+ POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n
S: HTTP/1.1 400 Bad Request
S* 
S: /^An OCSP request/
C+ GET /ocsp HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 400 Bad Request
S* 
S: /^An OCSP request/
C+ GET /ocsp/MEIwQDA%2BMDwwOjAJBgUrDgMCGgUABBQ%3D HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 503 Service Unavailable
S* 
S: Not available at the moment.
C+ GET /ocsp/MEIw%2 HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 400 Bad Request
S* 
S: /^An OCSP request/
C+ GET /ocsp/!!!! HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 400 Bad Request
S* 
S: /^An OCSP request/
# only where it is meant
C+ POST /ca/issuing-1.crl HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n0123
S: HTTP/1.1 405 Method Not Allowed
S* Allow: GET, HEAD
S* 
S: Only GET and HEAD.
C+ POST /ca HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n0123
S: HTTP/1.1 405 Method Not Allowed
S* 
S: Only GET and HEAD.
V plaintext_bytes 0
