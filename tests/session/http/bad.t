# What is no request, or too much of one, is refused and the connection ends.
C: NONSENSE
S: HTTP/1.1 400 Bad Request
S* Connection: close
S: 
S: Bad Request
S!
C2+ GET nothing HTTP/1.1\r\nHost: x\r\n\r\n
S2: HTTP/1.1 400 Bad Request
S2* Bad Request
S2!
C3+ GET / HTTP/1.1\r\n\r\n
S3: HTTP/1.1 400 Bad Request
S3* Bad Request
S3!
C4+ GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n
S4: HTTP/1.1 400 Bad Request
S4* Bad Request
S4!
C5+ GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n
S5: HTTP/1.1 400 Bad Request
S5* Bad Request
S5!
C6+ POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
S6: HTTP/1.1 400 Bad Request
S6* Bad Request
S6!
C7+ POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello
S7: HTTP/1.1 400 Bad Request
S7* Bad Request
S7!
C8+ CONNECT other.test:25 HTTP/1.1\r\nHost: x\r\n\r\n
S8: HTTP/1.1 400 Bad Request
S8* Bad Request
S8!
C9+ GET / HTTP/2.0\r\nHost: x\r\n\r\n
S9: HTTP/1.1 505 HTTP Version Not Supported
S9* HTTP Version Not Supported
S9!
