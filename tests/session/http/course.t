# A session that waits for its next request is ended at once.
C+ GET /x HTTP/1.1\r\nHost: x\r\n\r\n
S* Nothing here.
K 1 enough
S!
V sessions 0
C2+ GET /x HTTP/1.1\r\nHost: x\r\n\r\n
S2* Nothing here.
