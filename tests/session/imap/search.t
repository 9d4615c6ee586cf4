# SEARCH and ESEARCH; saved results.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: f0 APPEND INBOX {155}
S: /^\+ /
C: From: Ann <ann@example.org>
C: To: Bob <bob@example.net>
C: Subject: first
C: Date: Wed, 17 Jul 1996 02:23:25 -0700
C: Message-ID: <1@example.org>
C:
C: hello world
C:
S: /^f0 OK \[APPENDUID [0-9]+ 1\]/
C: f1 APPEND INBOX {118}
S: /^\+ /
C: From: Zoe <zoe@example.org>
C: Subject: second
C: Date: Thu, 18 Jul 1996 02:23:25 -0700
C:
C: caf=C3=A9 is not decoded here
C:
S: /^f1 OK \[APPENDUID [0-9]+ 2\]/
C: f2 APPEND INBOX {44}
S: /^\+ /
C: From: c@example.org
C: Subject: third
C:
C: bye
C:
S: /^f2 OK \[APPENDUID [0-9]+ 3\]/
C: s SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^s OK \[READ-WRITE\]/
C: a1 SEARCH ALL
S: * SEARCH 1 2 3
S: a1 OK Search completed
C: a2 SEARCH SUBJECT second
S: * SEARCH 2
S: a2 OK Search completed
C: a3 UID SEARCH NOT 2
S: * SEARCH 1 3
S: a3 OK Search completed
C: a4 SEARCH BODY nothere
S: * SEARCH
S: a4 OK Search completed
C: a5 SEARCH CHARSET UTF-8 TEXT {5}
S: /^\+ /
C: hello
S: * SEARCH 1
S: a5 OK Search completed
C: a6 SEARCH CHARSET KLINGON ALL
S: /^a6 NO \[BADCHARSET \(UTF-8 US-ASCII\)\]/
C: a7 SEARCH RETURN (MIN MAX COUNT) ALL
S: * ESEARCH (TAG "a7") MIN 1 MAX 3 COUNT 3
S: a7 OK Search completed
C: a8 UID SEARCH RETURN () OR SUBJECT first SUBJECT third
S: * ESEARCH (TAG "a8") UID ALL 1,3
S: a8 OK Search completed
C: a9 SEARCH RETURN (COUNT) DELETED
S: * ESEARCH (TAG "a9") COUNT 0
S: a9 OK Search completed
C: a10 SEARCH RETURN (MIN ALL) DELETED
S: * ESEARCH (TAG "a10")
S: a10 OK Search completed
C: a11 SEARCH RETURN (SAVE) FROM example.org NOT SUBJECT second
S: a11 OK Search completed
C: a12 FETCH $ UID
S: * 1 FETCH (UID 1)
S: * 3 FETCH (UID 3)
S: a12 OK Fetch completed
C: a13 SEARCH $ SUBJECT third
S: * SEARCH 3
S: a13 OK Search completed
C: a14 UID SEARCH RETURN (SAVE MIN) ALL
S: * ESEARCH (TAG "a14") UID MIN 1
S: a14 OK Search completed
C: a15 UID STORE $ +FLAGS.SILENT (\Deleted)
S: a15 OK Store completed
C: a16 SEARCH DELETED
S: * SEARCH 1
S: a16 OK Search completed
C: a17 UID EXPUNGE $
S: * 1 EXPUNGE
S: a17 OK Expunge completed
C: a18 FETCH $ UID
S: a18 OK Fetch completed
C: a19 SEARCH RETURN (SAVE) CHARSET KLINGON ALL
S: /^a19 NO \[BADCHARSET /
C: a20 SEARCH SINCE 1-Jan-1990 LARGER 10 SMALLER 100000 UNSEEN
S: * SEARCH 1 2
S: a20 OK Search completed
C: a21 SEARCH SENTON 18-Jul-1996
S: * SEARCH 1
S: a21 OK Search completed
C: a22 SEARCH
S: /^a22 BAD /
C: a23 SEARCH BOGUS
S: /^a23 BAD /
C: a24 SEARCH RETURN (BOGUS) ALL
S: /^a24 BAD /
C: a25 SEARCH NOT
S: /^a25 BAD /
C: a26 SEARCH 9
S: * SEARCH
S: a26 OK Search completed
C: a27 SEARCH ((((((((((((((((((((((((((((((((((((((((((((((((((((((ALL))))))))))))))))))))))))))))))))))))))))))))))))))))))
S: /^a27 BAD \[LIMIT\]/
