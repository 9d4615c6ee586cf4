# CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 CREATE a/b/c
S: /^a1 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a2 CREATE a/b/c
S: /^a2 NO \[ALREADYEXISTS\]/
C: a3 CREATE folder/
S: /^a3 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a4 CREATE inbox
S: /^a4 NO /
C: a5 CREATE a//b
S: /^a5 NO \[CANNOT\]/
C: a6 LIST "" *
S: * LIST (\HasNoChildren) "/" INBOX
S: * LIST (\HasNoChildren \Archive) "/" Archive
S: * LIST (\HasNoChildren \Drafts) "/" Drafts
S: * LIST (\HasNoChildren \Junk) "/" Junk
S: * LIST (\Noselect \HasChildren) "/" Public
S: * LIST (\HasNoChildren) "/" Public/local.closed
S: * LIST (\HasNoChildren) "/" Public/local.moderated
S: * LIST (\HasNoChildren) "/" Public/local.test
S: * LIST (\HasNoChildren \Sent) "/" Sent
S: * LIST (\HasNoChildren \Trash) "/" Trash
S: * LIST (\HasChildren) "/" a
S: * LIST (\HasChildren) "/" a/b
S: * LIST (\HasNoChildren) "/" a/b/c
S: * LIST (\HasNoChildren) "/" folder
S: a6 OK List completed
C: a7 LIST "" ""
S: * LIST (\Noselect) "/" ""
S: a7 OK List completed
C: a8 LIST a/ %
S: /^\* LIST \(.*\\HasChildren\) "\/" a\/b$/
S: a8 OK List completed
C: a9 RENAME a x
S: a9 OK Mailbox renamed
C: a10 LIST "" x/*
S: /^\* LIST .* x\/b$/
S: * LIST (\HasNoChildren) "/" x/b/c
S: a10 OK List completed
C: a11 RENAME nowhere y
S: /^a11 NO \[NONEXISTENT\]/
C: a12 RENAME x/b/c folder
S: /^a12 NO \[ALREADYEXISTS\]/
C: a13 SUBSCRIBE x/b/c
S: a13 OK Subscribed
C: a14 SUBSCRIBE not/there
S: a14 OK Subscribed
C: a15 LSUB "" *
S: * LSUB () "/" INBOX
S: * LSUB () "/" Archive
S: * LSUB () "/" Drafts
S: * LSUB () "/" Junk
S: * LSUB () "/" Sent
S: * LSUB () "/" Trash
S: * LSUB () "/" not/there
S: * LSUB () "/" x/b/c
S: a15 OK Lsub completed
C: a16 LSUB "" %
S: * LSUB () "/" INBOX
S: * LSUB () "/" Archive
S: * LSUB () "/" Drafts
S: * LSUB () "/" Junk
S: * LSUB () "/" Sent
S: * LSUB () "/" Trash
S: * LSUB (\Noselect) "/" not
S: * LSUB (\Noselect) "/" x
S: a16 OK Lsub completed
C: a17 UNSUBSCRIBE not/there
S: a17 OK Unsubscribed
C: a18 LSUB "" *
S: * LSUB () "/" INBOX
S: * LSUB () "/" Archive
S: * LSUB () "/" Drafts
S: * LSUB () "/" Junk
S: * LSUB () "/" Sent
S: * LSUB () "/" Trash
S: * LSUB () "/" x/b/c
S: a18 OK Lsub completed
C: a19 DELETE folder
S: a19 OK Mailbox deleted
C: a20 DELETE folder
S: /^a20 NO \[NONEXISTENT\]/
C: a21 DELETE INBOX
S: /^a21 NO \[CANNOT\]/
C: a22 STATUS x/b/c (MESSAGES RECENT UNSEEN DELETED SIZE UIDNEXT)
S: * STATUS x/b/c (MESSAGES 0 RECENT 0 UIDNEXT 1 UNSEEN 0 DELETED 0 SIZE 0)
S: a22 OK Status completed
C: a23 STATUS nowhere (MESSAGES)
S: /^a23 NO \[NONEXISTENT\]/
C: a24 STATUS INBOX (BOGUS)
S: /^a24 BAD /
C: a25 STATUS INBOX ()
S: /^a25 BAD /
C: a26 DELETE Public/none
S: /^a26 NO /
C: a27 CREATE Public
S: /^a27 NO \[CANNOT\]/
