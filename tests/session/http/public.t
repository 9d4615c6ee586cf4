# In clear only what is for everybody; the rest is shown the way to TLS.
! policy public
C+ GET / HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 301 Moved Permanently
S* Location: https://mail.example.test:20443/
S* 
S: Secure channel required: https://mail.example.test:20443/
C+ GET /some/page HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 301 Moved Permanently
S* Location: https://mail.example.test:20443/some/page
S* 
S: /^Secure channel required/
C+ GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 301 Moved Permanently
S* 
S: /^Secure channel required/
C+ GET /health HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 503 Service Unavailable
S: /^Date/
S: /^Server/
S: Content-Type: application/json
S: /^Content-Length/
S: X-Content-Type-Options: nosniff
S: X-Frame-Options: DENY
S: Cache-Control: no-store
S: /^Content-Security-Policy/
S: 
S: /^\{"status":"degraded"/
C+ HEAD /ca.pem HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 503 Service Unavailable
S* 
V plaintext_bytes 0
C+ GET /x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 301 Moved Permanently
S* Location: https://mail.example.test:20443/x%0d%0aSet-Cookie:%20a=b
S* 
S: /^Secure channel required/
