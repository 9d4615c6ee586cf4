# QUOTA (RFC 9208): one root for an account that has a quota, none for others and for public folders.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN nosubmit secret
S1: /^l OK \[CAPABILITY .* QUOTA QUOTA=RES-STORAGE /
C1: a1 GETQUOTAROOT INBOX
S1: * QUOTAROOT INBOX ""
S1: * QUOTA "" (STORAGE 0 4)
S1: a1 OK Getquotaroot completed
C1: a2 APPEND Drafts {2000}
S1: /^\+ /
C1: Subject: x
C1: 
C* 1986 y
C1: 
S1: /^a2 OK /
C1: a3 GETQUOTA ""
S1: * QUOTA "" (STORAGE 2 4)
S1: a3 OK Getquota completed
C1: a4 APPEND Drafts {2097}
S1: /^\+ /
C1: Subject: x
C1: 
C* 2083 y
C1: 
S1: /^a4 NO \[OVERQUOTA\] /
C1: a5 APPEND Drafts {2096}
S1: /^\+ /
C1: Subject: x
C1: 
C* 2082 y
C1: 
S1: /^a5 OK /
C1: a6 GETQUOTAROOT Drafts
S1: * QUOTAROOT Drafts ""
S1: * QUOTA "" (STORAGE 4 4)
S1: a6 OK Getquotaroot completed
# What EXPUNGE would give back.
C1: b1 STATUS Drafts (DELETED-STORAGE)
S1: * STATUS Drafts (DELETED-STORAGE 0)
S1: b1 OK Status completed
C1: b2 SELECT Drafts
S* /^b2 OK /
C1: b3 STORE 2 +FLAGS.SILENT (\Deleted)
S1: b3 OK Store completed
C1: b4 STATUS Drafts (DELETED-STORAGE SIZE)
S1: * STATUS Drafts (SIZE 4096 DELETED-STORAGE 2096)
S1: b4 OK Status completed
C1: b5 LIST "" Drafts RETURN (STATUS (DELETED-STORAGE))
S1: /^\* LIST /
S1: * STATUS Drafts (DELETED-STORAGE 2096)
S1: b5 OK List completed
C1: b6 EXPUNGE
S1: * 2 EXPUNGE
S1: b6 OK Expunge completed
C1: b7 GETQUOTA ""
S1: * QUOTA "" (STORAGE 2 4)
S1: b7 OK Getquota completed
C1: c1 GETQUOTA other
S1: c1 NO [NONEXISTENT] No such quota root
C1: c2 GETQUOTAROOT nowhere
S1: /^c2 NO \[NONEXISTENT\] /
C1: c3 GETQUOTAROOT Public/local.test
S1: * QUOTAROOT Public/local.test
S1: c3 OK Getquotaroot completed
C1: c4 SETQUOTA "" (STORAGE 100)
S1: c4 BAD Unknown command
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN alice secret
S2: /^l OK \[CAPABILITY .* QUOTA QUOTA=RES-STORAGE /
C2: d1 GETQUOTAROOT INBOX
S2: * QUOTAROOT INBOX
S2: d1 OK Getquotaroot completed
C2: d2 GETQUOTA ""
S2: d2 NO [NONEXISTENT] No such quota root
