# A message of 4 MB: streamed in, streamed out, searched.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 APPEND INBOX {4000027}
S: /^\+ /
C: Subject: big
C: 
C* 400000 abcdefgh\r\n
C: end of it
C: 
S: /^a1 OK \[APPENDUID /
C: a2 SELECT INBOX
S* /^a2 OK /
C: a3 FETCH 1 (RFC822.SIZE BODY.PEEK[]<4000012.100>)
S: * 1 FETCH (RFC822.SIZE 4000027 BODY[]<4000012> {15}
S: gh
S: end of it
S: )
S: a3 OK Fetch completed
C: a4 FETCH 1 BODY.PEEK[TEXT]
S: * 1 FETCH (BODY[TEXT] {4000011}
S: abcdefgh
S* /^end of it$/
S: )
S: a4 OK Fetch completed
C: a5 SEARCH BODY "end of it"
S: * SEARCH 1
S: a5 OK Search completed
C: a6 SEARCH BODY "end of that"
S: * SEARCH
S: a6 OK Search completed
