# A blank before the colon hides a field from some readers and not from others: RFC 9112 section 5.1.
C+ GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n
S: HTTP/1.1 400 Bad Request
S* Bad Request
S!
C2+ GET / HTTP/1.1\r\nHost : x\r\n\r\n
S2: HTTP/1.1 400 Bad Request
S2* Bad Request
S2!
C3+ GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello
S3: HTTP/1.1 400 Bad Request
S3* Bad Request
S3!
