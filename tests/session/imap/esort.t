# ESORT (RFC 5267 section 3): SORT with RETURN.
S: /^\* OK \[CAPABILITY /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY .* ESORT /
D 16 Subject: c\r\n\r\n1\r\n
D 16 Subject: a\r\n\r\n1\r\n
D 16 Subject: b\r\n\r\n1\r\n
D 16 Subject: d\r\n\r\n1\r\n
D 16 Subject: e\r\n\r\n1\r\n
C: a1 SELECT INBOX
S* /^a1 OK /
C: a2 SORT RETURN () (SUBJECT) UTF-8 ALL
S: * ESEARCH (TAG "a2") ALL 2:3,1,4:5
S: a2 OK Completed
C: a3 UID SORT RETURN (MIN MAX COUNT) (REVERSE SUBJECT) UTF-8 UID 1:3
S: * ESEARCH (TAG "a3") UID MIN 1 MAX 2 COUNT 3
S: a3 OK Completed
C: a4 SORT RETURN (SAVE MIN) (SUBJECT) UTF-8 ALL
S: * ESEARCH (TAG "a4") MIN 2
S: a4 OK Completed
C: a5 FETCH $ UID
S: * 2 FETCH (UID 2)
S: a5 OK Fetch completed
C: a6 SORT RETURN (COUNT ALL) (SUBJECT) UTF-8 SUBJECT nothing
S: * ESEARCH (TAG "a6") COUNT 0
S: a6 OK Completed
C: a7 SORT RETURN (SAVE) (SUBJECT) UTF-8 SUBJECT e
S: a7 OK Completed
C: a8 SORT (SUBJECT) UTF-8 $
S: * SORT 5
S: a8 OK Completed
C: a9 SORT RETURN (BEST) (SUBJECT) UTF-8 ALL
S: /^a9 BAD /
C: a10 SORT RETURN (COUNT ALL) (SUBJECT) UTF-8 MODSEQ 1
S: /^\* OK \[HIGHESTMODSEQ [0-9]+\]/
S: /^\* ESEARCH \(TAG "a10"\) COUNT 5 ALL 2:3,1,4:5 MODSEQ [0-9]+/
S: a10 OK Completed
