# Requests over TLS: the pages, keep-alive, HEAD, what is not there.
C: GET / HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 200 OK
S: /^Date: ..., [0-9]{2} ... 20[0-9]{2} [0-9:]{8} GMT$/
S: Server: sealpost
S: Content-Type: text/html; charset=utf-8
S: /^Content-Length: [1-9][0-9]*$/
S: X-Content-Type-Options: nosniff
S* /^Strict-Transport-Security: /
S: 
S* /<\/html>$/
# the connection stays; HEAD has no body
C: HEAD / HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 200 OK
S* /^Content-Length: [1-9]/
S* 
C: GET /nothing HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 404 Not Found
S* 
S: Nothing here.
C: POST / HTTP/1.1
C: Host: localhost
C: Content-Length: 5
C: 
C+ hello
S: HTTP/1.1 405 Method Not Allowed
S* Allow: GET, HEAD
S* 
S: Only GET and HEAD.
C: POST / HTTP/1.1
C: Host: localhost
C: Transfer-Encoding: chunked
C: 
C+ 3\r\nabc\r\n0\r\n\r\n
S: HTTP/1.1 405 Method Not Allowed
S* 
S: Only GET and HEAD.
C: GET /health HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 503 Service Unavailable
S* Content-Type: application/json
S* 
S: {"status":"degraded","store":true,"login":false}
C: GET /metrics HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 403 Forbidden
S* 
S* /trusted/
C: GET /ca.pem HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 503 Service Unavailable
S* 
S* /not available/
C: GET /ca.crt HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 503 Service Unavailable
S* 
S* /not available/
C: GET http://localhost/nothing?query#x HTTP/1.1
C: Host: localhost
C: 
S: HTTP/1.1 404 Not Found
S* 
S: Nothing here.
C: GET /nothing HTTP/1.1
C: Host: localhost
C: Connection: close
C: 
S: HTTP/1.1 404 Not Found
S* Connection: close
S: 
S: Nothing here.
S!
# several in one packet, in pieces, and an old client
C2+ GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.0\r\n\r\n
S2: HTTP/1.1 404 Not Found
S2* Nothing here.
S2: HTTP/1.1 404 Not Found
S2* Nothing here.
S2: HTTP/1.1 404 Not Found
S2* Connection: close
S2* Nothing here.
S2!
C3+ GE
W 20
C3+ T / HT
W 20
C3+ TP/1.1\r\nHo
W 20
C3+ st: x\r\n\r
W 20
C3+ \n
S3: HTTP/1.1 200 OK
S3* /<\/html>$/
