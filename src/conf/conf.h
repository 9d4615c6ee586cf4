/*
 * conf.h: the configuration as a constant struct. It is parsed from a libconfig file in a jailed child of the supervisor, by the
 * option rows of options.def, handed to every process as bytes (conf_codec.c) and replaced whole on reload. Every field has a
 * row; name, default, unit, range and meaning stand there. Strings are never NULL. Nothing here is secret.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <netinet/in.h>

enum conf_protocol {
    PROTOCOL_POP3,
    PROTOCOL_IMAP4,
    PROTOCOL_SMTP,
    PROTOCOL_NNTP,
    PROTOCOL_HTTP,
    PROTOCOL_COUNT
};
/* What may happen outside TLS on an endpoint. */
enum conf_policy {
    POLICY_TLS_ONLY,          /* TLS from the first byte */
    POLICY_STARTTLS_REQUIRED, /* nothing but greeting, capabilities, STARTTLS and QUIT before TLS */
    POLICY_OPPORTUNISTIC,     /* port 25: mail may come in clear, no login ever */
    POLICY_PUBLIC_HTTP,       /* status, CRL, CA certificate, ACME answers in clear */
};
/* SMTP virtual servers only. */
enum conf_smtp_kind { SMTP_MX, SMTP_SUBMISSION };
enum conf_quota_reply { QUOTA_REPLY_PERMANENT, QUOTA_REPLY_TEMPORARY };
enum conf_authority_kind { AUTHORITY_ACME, AUTHORITY_EST };
enum conf_challenge {
    CHALLENGE_HTTP,
    CHALLENGE_TLS_ALPN,
    CHALLENGE_DNS_COMMAND,
    CHALLENGE_DNS_UPDATE
};
enum conf_tsig { TSIG_SHA256, TSIG_SHA384, TSIG_SHA512 };
enum conf_dane_mode { DANE_OFF, DANE_PRINT, DANE_PUBLISH };
enum conf_stapling { STAPLING_OFF, STAPLING_ON, STAPLING_PRIVATE };
enum conf_tls_min { TLS_MIN_1_2, TLS_MIN_1_3 };
/* What is done about certificates of clients. */
enum conf_client_certificates {
    CLIENT_CERTIFICATES_IGNORE,
    CLIENT_CERTIFICATES_ACCEPT,
    CLIENT_CERTIFICATES_REQUIRE
};

enum conf_mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE };

/* Whose search index is kept. */
enum conf_search_index { SEARCH_INDEX_OF_USED, SEARCH_INDEX_OF_ALL, SEARCH_INDEX_OF_NONE };

struct conf_strings {
    const char **v;
    uint32_t n;
};

struct conf_network { /* an address or a prefix of addresses; IPv4 as ::ffff:a.b.c.d */
    struct in6_addr address;
    uint8_t bits; /* 0 … 128 */
};
struct conf_networks {
    struct conf_network *v;
    uint32_t n;
};

struct conf_endpoint {
    const char *address; /* numeric IPv4 or IPv6 */
    uint16_t port;
    uint8_t policy; /* enum conf_policy */
};

struct conf_limits {                  /* per virtual server; sizes in bytes, times in seconds */
    uint32_t connections;             /* at once, all workers */
    uint32_t connections_per_address; /* trusted networks are exempt */
    uint32_t idle_timeout;            /* waiting for a command */
    uint32_t
        login_timeout; /* from accept to login (POP3, IMAP4), or to the first command that is accepted */
    uint32_t write_timeout; /* a client that does not read */
    uint32_t line_bytes;    /* a command line without literals */
    uint32_t literal_bytes; /* all literals of one command but the message of APPEND */
    uint32_t message_bytes; /* one message */
    uint32_t errors;        /* bad commands before the session is ended */
    uint32_t auth_failures; /* per session */
    uint32_t recipients;    /* SMTP: per message */
    uint32_t messages;      /* SMTP: per session */
    uint32_t session_bytes; /* output waiting for a slow client */
};

struct conf_vserver {
    const char *name; /* "imap4-default": letters, digits, '-' */
    uint8_t protocol; /* enum conf_protocol */
    bool enabled;
    struct conf_strings
        names; /* DNS names and addresses for the certificate; the first is EHLO/greeting name; default hostname */
    struct conf_endpoint *endpoints;
    uint32_t endpoint_count;
    bool require_secure_channel;
    bool require_128bit;
    uint8_t tls_min;             /* enum conf_tls_min */
    uint8_t smtp_kind;           /* enum conf_smtp_kind */
    uint8_t quota_reply;         /* enum conf_quota_reply */
    const char *key_type;        /* "p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096" */
    uint8_t client_certificates; /* enum conf_client_certificates */
    struct conf_strings client_trust; /* "own-ca", names of files in certs/trust */
    struct conf_networks allow, deny; /* connection control; empty allow: everybody */
    const char *second_source;        /* "own-ca", "none", or an authority */
    uint8_t dane;                     /* enum conf_dane_mode */
    uint8_t ocsp_stapling;            /* enum conf_stapling */
    struct conf_limits limits;
    bool
        anonymous_read; /* NNTP: read without login (after TLS where a secure channel is required) */
    bool anonymous_post; /* NNTP */
};

struct conf_dane { /* where TLSA records are published (RFC 2136) */
    const char *server, *zone;
    const char *tsig_name, *tsig_key_file;
    uint8_t tsig_algorithm; /* enum conf_tsig */
    uint32_t ttl;           /* seconds */
    bool ca;                /* 2 1 1 too */
};

struct conf_acme_server { /* others get certificates of the own CA by ACME (RFC 8555) */
    bool enabled;
    bool require_eab;          /* accounts need a key of `sealpost ca acme eab create` */
    struct conf_strings names; /* and all below them */
    struct conf_networks networks;
    struct conf_strings challenges; /* "http-01", "dns-01", "tls-alpn-01" */
    const char *profile;
    const char *terms;            /* address of terms that an account must agree to; empty: none */
    uint16_t http_port, tls_port; /* of those who are checked */
    struct conf_networks connect_to; /* empty: all but loopback, link-local and multicast */
    uint32_t accounts, accounts_per_hour, orders_per_hour, names_per_order;
    uint32_t order_hours, authorization_days;
};
struct conf_est_server { /* the same by EST (RFC 7030) */
    bool enabled;
    bool accounts;     /* certificates to log in with, for accounts, by their password */
    bool certificates; /* a first enrolment by a certificate that client_trust vouches for */
    struct conf_strings names;
    struct conf_networks networks;
    const char *profile;
};

struct conf_authority { /* a CA that is asked over the network */
    const char *name;
    uint8_t kind;                       /* enum conf_authority_kind */
    const char *url;                    /* ACME: the directory; EST: what stands before /cacerts */
    const char *contact;                /* mail address for the CA; empty: none */
    uint8_t challenge;                  /* enum conf_challenge */
    const char *eab_kid, *eab_key_file; /* external account binding */
    const char *trust_file; /* PEM, trusted for the CA's own server; empty: the machine's */
    const char *root_file;  /* PEM, what it issues must lead there; empty: the machine's */
    bool private;           /* its server may have a private address */
    const char *user, *password_file;  /* EST */
    const char *certificate_file;      /* EST: shown at the first enrolment; empty: none */
    const char *dns_command;           /* a program: present|withdraw NAME VALUE */
    const char *dns_server, *dns_zone; /* RFC 2136 */
    const char *tsig_name, *tsig_key_file;
    uint8_t tsig_algorithm; /* enum conf_tsig */
    uint32_t dns_wait;      /* seconds until the record is everywhere */
    bool rehearse;
    const char *rehearsal_url;
};

struct conf_mta_sts { /* a policy of RFC 8461; see conf/mta_sts.h */
    const char *domain;
    uint8_t mode; /* enum conf_mta_sts_mode */
    struct conf_strings
        mx;           /* names or "*.domain"; empty: the DNS names of the mx virtual servers */
    uint32_t max_age; /* seconds */
};

struct conf_connector { /* SMTP connector: where mail for an address space goes */
    const char *name;
    const char *address_space; /* "*" or a domain, ".domain" for all below it */
    uint16_t cost;             /* 1 … 100 */
    const char *smart_host;    /* host[:port], "[1.2.3.4]:25"; empty: MX lookup */
    bool tls_required;
    const char
        *tls_name; /* name that the certificate must have; empty: not verified (opportunistic) */
    const char
        *tls_ca_file; /* PEM, trusted for tls_name instead of the machine's CAs; empty: those */
    const char *user, *password_file; /* AUTH at the smart host; empty: none */
};

struct conf {
    const char *domain;                /* the first local domain; accounts are user@domain */
    struct conf_strings local_domains; /* domain included */
    const char *hostname;              /* of this server */
    const char *organization;          /* for CA names and the Organization field */
    const char
        *postmaster;  /* address that double bounces and alarms go to; default postmaster@domain */
    const char *data; /* folder, absolute or relative to the configuration file */
    uint16_t workers_access, workers_mx; /* sessiond processes; 0: one a core / one */
    const char *
        user_prefix; /* users sealpost-keyd …; created by the installer; empty: do not change user */
    const char *admin_group; /* members may use the control socket besides root and the owner */
    struct conf_networks
        trusted;       /* trusted networks: exempt from per-address limits and throttling */
    uint8_t log_level; /* enum log_level */

    /* certificates and own CA */
    struct conf_strings ca_dns,
        ca_ip; /* permitted names of the issuing CA; default: domains, hostname, loopback */
    uint32_t cert_days; /* life of a virtual server's certificate; default 90 */
    uint32_t ca_days, root_days;
    uint32_t crl_hours; /* default 24 */
    bool crl_delta;
    struct conf_strings ca_officer; /* profiles whose requests wait for approval */
    struct conf_acme_server acme_server;
    struct conf_dane dane;
    struct conf_est_server est_server;
    const char *alarm_webhook; /* URL that alarms are posted to; empty: none */
    uint32_t watch_seconds;    /* a round of the standing probe; default 60 */
    /* passwords */
    uint32_t argon2_memory_kib, argon2_passes, auth_threads, auth_cache_seconds;
    uint32_t throttle_failures,
        throttle_window_seconds; /* per address and per account before delays start */
    /* store */
    uint64_t log_file_bytes;  /* size of one log file; default 256 MiB */
    uint64_t index_map_bytes; /* LMDB map; default 1 TiB */
    uint32_t change_log_days;
    uint32_t acl_entries, metadata_entries, metadata_bytes;
    uint32_t compact_live_percent; /* log files less alive are compacted; default 50, 0: never */
    uint64_t compact_rate_bytes;   /* a second; default 16 MiB, 0: no limit */
    uint64_t reserve_bytes; /* of the disk; below that no new mail is taken; default 128 MiB */
    uint8_t search_index;   /* enum conf_search_index */
    uint32_t search_index_days;
    uint32_t ring_bytes;  /* per worker; default 8 MiB */
    uint32_t spool_bytes; /* larger messages in flight per worker; default 256 MiB */
    /* outgoing */
    struct conf_strings retry; /* seconds between tries: "60", "300", …; the last repeats */
    uint32_t queue_days;       /* then it bounces */
    uint32_t delay_notice_hours;
    uint32_t outbound_connections, outbound_per_domain;
    uint16_t outbound_port;          /* 25 */
    struct conf_strings dns_servers; /* address[@port]; empty: /etc/resolv.conf */
    const char *dns_trust_anchor;    /* file; empty: no DNSSEC validation */
    uint32_t hops;                   /* Received fields before a message is a loop */

    struct conf_vserver *vservers;
    uint32_t vserver_count;
    struct conf_connector *connectors;
    uint32_t connector_count;
    struct conf_authority *authorities;
    uint32_t authority_count;
    struct conf_mta_sts *mta_sts;
    uint32_t mta_sts_count;

    struct arena *arena; /* owns everything here */
};

/* `text` is the file; `file` its name for messages. Parses and checks. All problems are reported, one line each ("file:line: what. remedy"),
 * in `problems` (warnings start with "warning: "); NULL when there is an error. conf_free() the result. */
struct conf *conf_parse(struct span text, const char *file, struct buf *problems);
void conf_free(struct conf *c); /* NULL is fine */
/* In the file's own syntax, from the rows; `comments`: every option with its meaning and default. parse(print(c)) equals c. */
void conf_print(const struct conf *c, bool comments, struct buf *out);
/* As bytes for the other processes. */
void conf_wr(const struct conf *c, struct buf *out);
struct conf *conf_rd(struct span bytes); /* NULL: not a configuration */

const char *conf_protocol_name(enum conf_protocol p); /* "imap4" */
const char *conf_policy_name(enum conf_policy p); /* "tls", "starttls", "opportunistic", "public" */
bool conf_network_parse(struct span s, struct conf_network *ret); /* 10.0.0.0/8, ::1 */
bool conf_network_print(const struct conf_network *n, struct buf *out);
bool conf_networks_match(const struct conf_networks *n, const struct in6_addr *a);
bool conf_domain_is_local(const struct conf *c, struct span domain);
const struct conf_authority *conf_authority_by_name(const struct conf *c, const char *name);
const struct conf_vserver *conf_vserver_by_name(const struct conf *c, const char *name);

#endif
