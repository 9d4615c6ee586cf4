# More articles than fit one batch, and as many as one stretch of the history.
N 300 local.test
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S* 281 Logged in
C: GROUP local.test
S: 211 300 1 300 local.test
C: OVER 1-
S: 224 Overview follows
S* /^300	/
S: .
C: LISTGROUP
S: /^211 /
S: 1
S* 300
S: .
C: NEWNEWS local.* 20200101 000000
S: /^230 /
S= 300 /^<[0-9]+@many>$/
S: .
