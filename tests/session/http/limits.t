# Targets, headers and bodies have limits.
C+ GET /
C* 3000 x
C+  HTTP/1.1\r\nHost: x\r\n\r\n
S: HTTP/1.1 414 URI Too Long
S* URI Too Long
S!
C2+ GET / HTTP/1.1\r\nHost: x\r\nX: 
C2* 40000 x
C2+ \r\n\r\n
S2: HTTP/1.1 431 Request Header Fields Too Large
S2* Request Header Fields Too Large
S2!
C3+ GET / HTTP/1.1\r\nHost: x\r\n
C3* 12000 a: b\r\n
S3: HTTP/1.1 431 Request Header Fields Too Large
S3* Request Header Fields Too Large
S3!
C4+ POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n
C4* 70000 x
S4: HTTP/1.1 413 Content Too Large
S4* Content Too Large
S4!
C5+ GET / HTTP/1.1\r\nHost: 
C5* 300 x
C5+ \r\n\r\n
S5: HTTP/1.1 400 Bad Request
S5* Bad Request
S5!
