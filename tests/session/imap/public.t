# Public folders and newsgroups: read by everybody, posted to with a right, changed by administrators only.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 LIST "" Public/%
S: * LIST (\HasNoChildren) "/" Public/local.closed
S: * LIST (\HasNoChildren) "/" Public/local.moderated
S: * LIST (\HasNoChildren) "/" Public/local.test
S: a1 OK List completed
C: a2 LIST Public/ ""
S: * LIST (\Noselect) "/" "Public/"
S: a2 OK List completed
C: a3 APPEND Public/local.test {155}
S: /^\+ /
C: From: Ann <ann@example.org>
C: To: Bob <bob@example.net>
C: Subject: first
C: Date: Wed, 17 Jul 1996 02:23:25 -0700
C: Message-ID: <1@example.org>
C:
C: hello world
C:
S: /^a3 OK \[APPENDUID [0-9]+ 1\]/
C: a4 SELECT Public/local.test
S: /^\* FLAGS /
S: * OK [PERMANENTFLAGS (\Seen)] Flags that are kept
S: * 1 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY /
S: * OK [UIDNEXT 2] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^a4 OK \[READ-WRITE\]/
C: a5 FETCH 1 (BODY.PEEK[TEXT]<0.5> FLAGS)
S: * 1 FETCH (FLAGS () BODY[TEXT]<0> {5}
S: hello)
S: a5 OK Fetch completed
C: a6 STORE 1 +FLAGS (\Deleted)
S: /^a6 NO /
C: a7 DELETE Public/local.test
S: /^a7 NO \[NOPERM\]/
C: a8 CREATE Public/new
S: /^a8 NO \[NOPERM\]/
C: a9 RENAME INBOX Public/inbox
S: /^a9 NO \[CANNOT\]/
C: a10 COPY 1 INBOX
S: /^a10 OK \[COPYUID [0-9]+ 1 1\]/
C: a11 SUBSCRIBE Public/local.test
S: a11 OK Subscribed
C: a12 LSUB "" *
S: * LSUB () "/" INBOX
S: * LSUB () "/" Archive
S: * LSUB () "/" Drafts
S: * LSUB () "/" Junk
S: * LSUB () "/" Public/local.test
S: * LSUB () "/" Sent
S: * LSUB () "/" Trash
S: a12 OK Lsub completed
C: a13 STATUS Public/local.test (MESSAGES UIDNEXT)
S: * STATUS Public/local.test (MESSAGES 1 UIDNEXT 2)
S: a13 OK Status completed
C: a14 STATUS Public (MESSAGES)
S: /^a14 NO \[NONEXISTENT\]/
C: a15 LIST "" %
S* /^\* LIST \(\\Noselect \\HasChildren\) "\/" Public$/
S* /^a15 OK /
C: a16 APPEND Public/local.closed {5+}
C: a:b
C:
S: /^a16 NO \[NOPERM\]/
S2: /^\* OK /
C2: b1 LOGIN nosubmit secret
S2: /^b1 OK /
C2: b2 APPEND Public/local.test {5+}
C2: a:b
C2:
S2: /^b2 NO \[NOPERM\]/
