# LIST with options: RFC 5258, 5819, 6154.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 CREATE Vital (USE (\Important))
S: /^a1 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a2 CREATE Sent2 (USE (\Sent))
S: /^a2 NO \[USEATTR\]/
C: a3 CREATE Every (USE (\All))
S: /^a3 NO \[USEATTR\]/
C: a4 CREATE Bad (USE (\Nonsense))
S: /^a4 NO \[USEATTR\]/
C: a5 CREATE Bad (USE Sent)
S: /^a5 BAD /
C: a6 CREATE top/mid/leaf
S: /^a6 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a7 SUBSCRIBE top/mid/leaf
S: a7 OK Subscribed
C: a8 SUBSCRIBE lost
S: a8 OK Subscribed
C: b1 LIST (SUBSCRIBED) "" *
S: * LIST (\Subscribed \HasNoChildren) "/" INBOX
S: * LIST (\Subscribed \HasNoChildren \Archive) "/" Archive
S: * LIST (\Subscribed \HasNoChildren \Drafts) "/" Drafts
S: * LIST (\Subscribed \HasNoChildren \Junk) "/" Junk
S: * LIST (\Subscribed \HasNoChildren \Sent) "/" Sent
S: * LIST (\Subscribed \HasNoChildren \Trash) "/" Trash
S: * LIST (\NonExistent \Subscribed \HasNoChildren) "/" lost
S: * LIST (\Subscribed \HasNoChildren) "/" top/mid/leaf
S: b1 OK List completed
C: b2 LIST (SUBSCRIBED RECURSIVEMATCH) "" %
S: * LIST (\Subscribed \HasNoChildren) "/" INBOX
S: * LIST (\Subscribed \HasNoChildren \Archive) "/" Archive
S: * LIST (\Subscribed \HasNoChildren \Drafts) "/" Drafts
S: * LIST (\Subscribed \HasNoChildren \Junk) "/" Junk
S: * LIST (\Subscribed \HasNoChildren \Sent) "/" Sent
S: * LIST (\Subscribed \HasNoChildren \Trash) "/" Trash
S: * LIST (\NonExistent \Subscribed \HasNoChildren) "/" lost
S: /^\* LIST \(.*\\HasChildren\) "\/" top \("CHILDINFO" \("SUBSCRIBED"\)\)$/
S: b2 OK List completed
C: b3 LIST (RECURSIVEMATCH) "" %
S: /^b3 BAD /
C: b4 LIST (SPECIAL-USE) "" *
S: * LIST (\HasNoChildren \Archive) "/" Archive
S: * LIST (\HasNoChildren \Drafts) "/" Drafts
S: * LIST (\HasNoChildren \Junk) "/" Junk
S: * LIST (\HasNoChildren \Sent) "/" Sent
S: * LIST (\HasNoChildren \Trash) "/" Trash
S: * LIST (\HasNoChildren \Important) "/" Vital
S: b4 OK List completed
C: b5 LIST "" (INBOX Se%) RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES SIZE))
S: * LIST (\Subscribed \HasNoChildren) "/" INBOX
S: * STATUS INBOX (MESSAGES 0 SIZE 0)
S: * LIST (\Subscribed \HasNoChildren \Sent) "/" Sent
S: * STATUS Sent (MESSAGES 0 SIZE 0)
S: b5 OK List completed
C: b6 LIST () "" nothing RETURN ()
S: b6 OK List completed
C: b7 LIST "" * RETURN (BOGUS)
S: /^b7 BAD /
C: b8 LIST (BOGUS) "" *
S: /^b8 BAD /
C: b9 LIST "" (
S: /^b9 BAD /
C: b10 LIST (SUBSCRIBED REMOTE) "" Se*
S: * LIST (\Subscribed \HasNoChildren \Sent) "/" Sent
S: b10 OK List completed
