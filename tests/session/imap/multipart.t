# Sections of nested messages, BINARY, BODYSTRUCTURE, text search.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 APPEND INBOX {585}
S: /^\+ /
C: From: a@b.c
C: Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
C: MIME-Version: 1.0
C: Content-Type: multipart/mixed; boundary="B"
C:
C: preamble
C: --B
C: Content-Type: text/plain; charset=utf-8
C: Content-Transfer-Encoding: quoted-printable
C:
C: caf=C3=A9=
C: s
C: --B
C: Content-Type: message/rfc822
C:
C: From: in@ner.org
C: Subject: inside
C: Content-Type: multipart/alternative; boundary=C
C:
C: --C
C:
C: one
C: --C
C: Content-Type: text/html
C:
C: <b>two</b>
C: --C--
C: --B
C: Content-Type: application/octet-stream; name="f.bin"
C: Content-Transfer-Encoding: base64
C: Content-Disposition: attachment; filename="f.bin"
C:
C: AAEC/w==
C: --B--
C:
S: /^a1 OK /
C: s SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 2] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^s OK \[READ-WRITE\]/
C: b1 FETCH 1 BODYSTRUCTURE
S: /^\* 1 FETCH \(BODYSTRUCTURE \(\("text" "plain" \("charset" "utf-8"\) NIL NIL "quoted-printable" 13 .*\("message" "rfc822" .*"inside".*"alternative".*\("application" "octet-stream" \("name" "f.bin"\) NIL NIL "base64" 8 NIL \("attachment" \("filename" "f.bin"\)\).*"mixed" \("boundary" "B"\)/
S: b1 OK Fetch completed
C: b2 FETCH 1 BODY.PEEK[1]
S: * 1 FETCH (BODY[1] {13}
S: caf=C3=A9=
S: s)
S: b2 OK Fetch completed
C: b3 FETCH 1 BINARY.PEEK[1]
S: * 1 FETCH (BINARY[1] {6}
S: cafés)
S: b3 OK Fetch completed
C: b4 FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[3])
S: * 1 FETCH (BINARY.SIZE[1] 6 BINARY.SIZE[3] 4)
S: b4 OK Fetch completed
C: b5 FETCH 1 BODY.PEEK[2.HEADER.FIELDS (subject)]
S: * 1 FETCH (BODY[2.HEADER.FIELDS (subject)] {19}
S: Subject: inside
S: 
S: )
S: b5 OK Fetch completed
C: b6 FETCH 1 BODY.PEEK[2.2]
S: * 1 FETCH (BODY[2.2] {10}
S: <b>two</b>)
S: b6 OK Fetch completed
C: b7 FETCH 1 BODY.PEEK[2.2.MIME]
S: * 1 FETCH (BODY[2.2.MIME] {27}
S: Content-Type: text/html
S: 
S: )
S: b7 OK Fetch completed
C: b8 FETCH 1 BODY.PEEK[2.1.2]
S: * 1 FETCH (BODY[2.1.2] NIL)
S: b8 OK Fetch completed
C: b9 SEARCH TEXT "grüße" BODY "cafés" BODY "inside" NOT BODY "caf="
S: * SEARCH 1
S: b9 OK Search completed
C: b10 FETCH 1 BINARY[3]<1.2>
S: /^\* 1 FETCH \(FLAGS \(\\Seen\) BINARY\[3\]<1> ~?\{2\}$/
S: /^..\)$/
S: b10 OK Fetch completed
