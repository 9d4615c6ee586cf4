! root trusted = ["127.0.0.0/8"];
C+ GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 200 OK
S* /^sealpost_sessions\{vserver="test"\} 1$/
S* /^sealpost_plaintext_bytes_total\{vserver="test"\} 0$/
C2+ GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n
S2: HTTP/1.1 404 Not Found
S2* Nothing here.
X
X2
