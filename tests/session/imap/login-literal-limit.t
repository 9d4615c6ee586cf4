# Before login a literal of more than 4096 bytes is refused.
S: /^\* OK /
C: a1 LOGIN {5000}
S: /^a1 BAD \[TOOBIG\]/
C: a2 LOGIN {5000+}
C* 5000 x
C: 
S: /^a2 BAD \[TOOBIG\]/
C: a3 NOOP
S: a3 OK Completed
