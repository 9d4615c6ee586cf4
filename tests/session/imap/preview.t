# PREVIEW (RFC 8970): the first words, of plain text or of what HTML shows; bounded, made at once.
S: /^\* OK \[CAPABILITY /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY .* PREVIEW /
D 16 Subject: x\r\n\r\nHello,\r\n  this is   the text.\r\n
D 16 Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/gif\r\n\r\nGIF\r\n--b\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html><head><title>No</title><style>p { x }</style></head><body><!-- no --><p>Gr=FC=DFe &amp; mehr</p>\r\n--b--\r\n
D 16 Subject: x\r\nContent-Type: image/gif\r\n\r\nGIF\r\n
D 16 Subject: x\r\n\r\n \r\n
C: a1 SELECT INBOX
S* /^a1 OK /
C: a2 FETCH 1:4 (PREVIEW)
S: * 1 FETCH (PREVIEW {24}
S: Hello, this is the text.)
S: * 2 FETCH (PREVIEW {14}
S: Grüße & mehr)
S: * 3 FETCH (PREVIEW NIL)
S: * 4 FETCH (PREVIEW "")
S: a2 OK Fetch completed
C: a3 UID FETCH 1 (FLAGS PREVIEW (LAZY))
S: * 1 FETCH (UID 1 FLAGS () PREVIEW {24}
S: Hello, this is the text.)
S: a3 OK Fetch completed
C: a4 FETCH 1 PREVIEW (FUZZY)
S: /^a4 BAD /
