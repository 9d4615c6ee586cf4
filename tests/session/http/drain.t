C+ GET /x HTTP/1.1\r\nHost: x\r\n\r\n
S* Nothing here.
C2+ GET /x HTTP/1.1\r\nHost: x\r\n
W 50
Z
S!
C2+ \r\n
S2: HTTP/1.1 404 Not Found
S2* Nothing here.
S2!
