! set limits.idle_timeout = 1;
C+ GET / HT
S: HTTP/1.1 408 Request Timeout
S* Request Timeout
S!
C2+ GET /x HTTP/1.1\r\nHost: x\r\n\r\n
S2* Nothing here.
S2!
C3+ GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n
W 500
C3+ X: y\r\n
W 400
C3+ X: y\r\n
S3: HTTP/1.1 408 Request Timeout
S3* Request Timeout
S3!
