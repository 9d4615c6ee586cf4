# Where client certificates are ignored none is asked for.
! certificate known
S: /^\* OK \[CAPABILITY .*AUTH=PLAIN/
C: a1 AUTHENTICATE EXTERNAL =
S: /^a1 NO /
C: a2 LOGIN alice secret
S: /^a2 OK/
