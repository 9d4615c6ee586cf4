# Before login: what everybody may ask, and what needs one.
! set limits.errors = 100;
S: 200 mail.example.test sealpost NNTP ready
C: CAPABILITIES
S: 101 Capability list follows
S: VERSION 2
S: IMPLEMENTATION sealpost
S: AUTHINFO USER SASL
S: SASL PLAIN LOGIN
S: READER
S: LIST ACTIVE ACTIVE.TIMES NEWSGROUPS COUNTS OVERVIEW.FMT HEADERS SUBSCRIPTIONS
S: OVER MSGID
S: HDR
S: NEWNEWS
S: .
C: CAPABILITIES AUTOUPDATE
S* .
C: MODE READER
S: 200 Posting allowed
C: MODE STREAM
S: 500 Unknown command
C: mode 	 reader
S: 200 Posting allowed
C: MODE READER x
S: 501 MODE READER takes no argument
C: STARTTLS
S: 502 TLS is on already
C: DATE
S: /^111 20[0-9]{12}$/
C: HELP
S: 100 Commands
S: /^  CAPABILITIES \[keyword\] -- /
S* .
C: NONSENSE
S: 500 Unknown command
C: GROUP
S: 501 Usage: GROUP newsgroup
C: GROUP local.test
S: 480 Log in first
C: LISTGROUP
S: 480 Log in first
C: NEXT
S: 480 Log in first
C: LAST
S: 480 Log in first
C: ARTICLE 1
S: 480 Log in first
C: HEAD <x@y>
S: 480 Log in first
C: BODY
S: 480 Log in first
C: STAT 1
S: 480 Log in first
C: OVER 1-
S: 480 Log in first
C: XOVER <x@y>
S: 480 Log in first
C: HDR Subject 1-
S: 480 Log in first
C: LIST
S: 480 Log in first
C: LIST ACTIVE
S: 480 Log in first
C: LIST COUNTS
S: 480 Log in first
C: LIST NEWSGROUPS
S: 480 Log in first
C: LIST ACTIVE.TIMES
S: 480 Log in first
C: LIST SUBSCRIPTIONS
S: 480 Log in first
C: NEWGROUPS 20200101 000000 GMT
S: 480 Log in first
C: NEWNEWS * 20200101 000000 GMT
S: 480 Log in first
C: POST
S: 480 Log in first
C: LIST OVERVIEW.FMT
S: 215 Order of fields
S: Subject:
S: From:
S: Date:
S: Message-ID:
S: References:
S: :bytes
S: :lines
S: Xref:full
S: .
C: LIST HEADERS
S* .
C: LIST HEADERS RANGE
S* .
C: LIST HEADERS x
S: 501 Usage: LIST HEADERS [MSGID|RANGE]
C: LIST NONSENSE
S: 501 Unknown LIST keyword
C: IHAVE <x@y>
S: 500 Unknown command
C: QUIT now
S: 501 QUIT takes no argument
C: QUIT
S: 205 Bye
S!
