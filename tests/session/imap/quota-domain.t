# The quota of a domain: a second root, filled by all accounts of it together; delivery, APPEND and COPY end there.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN nosubmit secret
S2: /^l OK /
U example.test 6144
C1: a1 GETQUOTAROOT INBOX
S1: * QUOTAROOT INBOX "example.test"
S1: * QUOTA "example.test" (STORAGE 0 6)
S1: a1 OK Getquotaroot completed
C2: b1 GETQUOTAROOT INBOX
S2: * QUOTAROOT INBOX "" "example.test"
S2: * QUOTA "" (STORAGE 0 4)
S2: * QUOTA "example.test" (STORAGE 0 6)
S2: b1 OK Getquotaroot completed
C1: a2 APPEND INBOX {3014}
S1: /^\+ /
C1: Subject: x
C1: 
C* 3000 y
C1: 
S1: /^a2 OK /
C2: b2 APPEND INBOX {2048}
S2: /^\+ /
C2: Subject: x
C2: 
C2* 2034 y
C2: 
S2: /^b2 OK /
C2: b3 GETQUOTA EXAMPLE.test
S2: * QUOTA "example.test" (STORAGE 5 6)
S2: b3 OK Getquota completed
# there is room in the account, but not in its domain
C2: b4 APPEND INBOX {1100}
S2: /^\+ /
C2: Subject: x
C2: 
C2* 1086 y
C2: 
S2: /^b4 NO \[OVERQUOTA\] /
C1: a3 SELECT INBOX
S1* /^a3 OK /
C1: a4 COPY 1 Drafts
S1: /^a4 NO \[OVERQUOTA\] /
C1: a5 MOVE 1 Drafts
S1: /^\* OK \[COPYUID /
S1: * 1 EXPUNGE
S1: a5 OK Move completed
C1: a6 DELETE Drafts
S1: a6 OK Mailbox deleted
C2: b5 GETQUOTA "example.test"
S2: * QUOTA "example.test" (STORAGE 2 6)
S2: b5 OK Getquota completed
C2: b6 APPEND INBOX {1100}
S2: /^\+ /
C2: Subject: x
C2: 
C2* 1086 y
C2: 
S2: /^b6 OK /
# the administrator takes it away
U example.test 0
C1: a7 GETQUOTAROOT INBOX
S1: * QUOTAROOT INBOX
S1: a7 OK Getquotaroot completed
C1: a8 GETQUOTA "example.test"
S1: a8 NO [NONEXISTENT] No such quota root
C1: a9 GETQUOTA "example.org"
S1: a9 NO [NONEXISTENT] No such quota root
