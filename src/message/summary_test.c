/*
 * Whole messages: the corpus (ENVELOPE and BODYSTRUCTURE of each file are written down in
 * tests/corpus/mikel-mail.golden; they were compared with those of another server), flags, keys,
 * limits, and input made to be slow. SEALPOST_CORPUS names another folder of messages to go over;
 * SEALPOST_GOLDEN=write writes the golden file anew.
 */
#include "message/charset.h"
#include "message/mime.h"
#include "message/summary_testing.h"
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { FILES_MAX = 2000 };
static char *files[FILES_MAX];
static size_t file_count;

static int on_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    if (type == FTW_F && span_ends_nocase(span_cstr(path), SPAN(".eml")) && file_count < FILES_MAX)
        files[file_count++] = strdup(path);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* tests/corpus beside the source this was built from */
static void corpus_path(const char *name, char *ret, size_t size)
{
    struct span here = span_cstr(__FILE__);
    for (int up = 0; up < 3; up++)
        here = span_head(here, span_rfind(here, '/'));
    snprintf(ret, size, "%.*s/tests/corpus/%s", SPAN_ARG(here), name);
}

static void corpus_list(const char *folder)
{
    for (size_t i = 0; i < file_count; i++)
        free(files[i]);
    file_count = 0;
    nftw(folder, on_file, 16, FTW_PHYS);
    qsort(files, file_count, sizeof(files[0]), by_name);
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char piece[4096];
    size_t n;
    if (!f)
        return false;
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_put(out, piece, n);
    fclose(f);
    return !out->overflow;
}

/* Children lie in their parent's body, siblings do not overlap, every header is in front of its
 * body. */
static void check_tiles(struct span raw)
{
    struct mime m;
    mime_parse(raw, &message_limits_default, &m);
    for (uint32_t i = 0; i < m.count; i++) {
        const struct mime_node *n = &m.nodes[i], *parent = &m.nodes[n->parent];
        EXPECT(n->header_at <= n->header_end && n->header_end <= n->body_at &&
               n->body_at <= n->body_end);
        EXPECT(n->body_end <= raw.n);
        EXPECT(i == 0 || (n->parent < i && n->header_at >= parent->body_at &&
                          n->body_end <= parent->body_end));
        EXPECT(n->next == 0 || (n->next > i && n->body_end <= m.nodes[n->next].header_at));
        EXPECT(n->first_child == 0 || n->first_child == i + 1);
        EXPECT((n->kind == MIME_LEAF) == (n->first_child == 0));
        uint32_t lines = 0;
        for (uint32_t k = n->body_at; k < n->body_end; k++)
            lines += raw.p[k] == '\n';
        EXPECT_INT(n->body_lines, lines);
    }
    EXPECT_INT(m.nodes[0].body_end, raw.n);
    mime_done(&m);
}

/* What must hold of the text an IMAP client gets: brackets pair, literals have their length, no
 * line end outside them. */
static bool well_formed(struct span s)
{
    int depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"') {
            for (i++; i < s.n && s.p[i] != '"'; i++) {
                if ((unsigned char)s.p[i] > 127 || s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0)
                    return false;
                i += s.p[i] == '\\';
            }
        } else if (c == '{') {
            size_t close = span_find(span_skip(s, i), '}');
            uint64_t n;
            if (close == SPAN_NONE || !span_to_u64(span_sub(s, i + 1, close - 1), s.n, &n) ||
                !span_starts(span_skip(s, i + close), SPAN("}\r\n")) || i + close + 3 + n > s.n)
                return false;
            if (span_has(span_sub(s, i + close + 3, n), 0))
                return false;
            i += close + 2 + n;
        } else if (c == '\r' || c == '\n' || c == 0 || (unsigned char)c > 127) {
            return false;
        }
        depth += c == '(';
        depth -= c == ')';
        if (depth < 0)
            return false;
    }
    return depth == 0;
}

static void check_message(struct span raw)
{
    struct parsed p, again;
    if (!parsed_init(&p, raw) || !parsed_init(&again, raw)) {
        EXPECT(!"summary_make and summary_open");
        return;
    }
    EXPECT_SPAN(buf_span(&again.block), buf_span(&p.block));
    EXPECT(well_formed(p.s.envelope) && well_formed(p.s.body) && well_formed(p.s.bodystructure));
    EXPECT(p.s.overview.n == 0 || (!span_has(p.s.overview, '\n') && !span_has(p.s.overview, '\r')));
    struct part_range r;
    for (uint32_t i = 0; i < p.s.part_count; i++)
        EXPECT(summary_part_at(&p.s, i, &r));
    check_tiles(raw);
    parsed_done(&again);
    parsed_done(&p);
}

TEST(corpus_is_taken)
{
    char folder[1000];
    corpus_path("mikel-mail", folder, sizeof(folder));
    const char *env = getenv("SEALPOST_CORPUS");
    corpus_list(env ? env : folder);
    EXPECT(file_count > 90);
    for (size_t i = 0; i < file_count; i++) {
        struct buf raw BUF_AUTO = BUF(64 << 20), crlf BUF_AUTO = BUF(64 << 20);
        unit_case(files[i]);
        REQUIRE(read_file(files[i], &raw));
        put_crlf(&crlf, buf_span(&raw));
        check_message(buf_span(&raw));
        check_message(buf_span(&crlf));
    }
}

/* "@ name bytes bytes" LF envelope LF bodystructure LF */
static void put_golden(struct buf *out, const char *name, const struct summary *s)
{
    buf_printf(out, "@ %s %zu %zu\n", name, s->envelope.n, s->bodystructure.n);
    buf_put_span(out, s->envelope);
    buf_putc(out, '\n');
    buf_put_span(out, s->bodystructure);
    buf_putc(out, '\n');
}

TEST(corpus_is_as_written_down)
{
    char folder[1000], golden_path[1000];
    corpus_path("mikel-mail", folder, sizeof(folder));
    corpus_path("mikel-mail.golden", golden_path, sizeof(golden_path));
    corpus_list(folder);
    struct buf golden BUF_AUTO = BUF(8 << 20), got BUF_AUTO = BUF(8 << 20);
    for (size_t i = 0; i < file_count; i++) {
        struct buf raw BUF_AUTO = BUF(1 << 20), crlf BUF_AUTO = BUF(1 << 20);
        struct parsed p;
        REQUIRE(read_file(files[i], &raw));
        put_crlf(&crlf, buf_span(&raw));
        REQUIRE(parsed_init(&p, buf_span(&crlf)));
        put_golden(&got, files[i] + strlen(folder) + 1, &p.s);
        parsed_done(&p);
    }
    if (getenv("SEALPOST_GOLDEN")) {
        FILE *f = fopen(golden_path, "wb");
        REQUIRE(f);
        fwrite(got.p, 1, got.n, f);
        fclose(f);
    }
    REQUIRE(read_file(golden_path, &golden));
    EXPECT_INT(got.n, golden.n);
    struct span g = buf_span(&golden), h = buf_span(&got), want, have;
    while (span_split(&g, '\n', &want) && span_split(&h, '\n', &have))
        EXPECT_SPAN(have, want);
}

/* Real messages with bytes changed, cut and doubled. */
TEST(corpus_damaged)
{
    char folder[1000];
    corpus_path("mikel-mail", folder, sizeof(folder));
    corpus_list(folder);
    static const char nasty[] = "\r\n\0-:;\"<>()=?/\\,@ \xff{";
    for (size_t i = 0; i < file_count; i++) {
        struct buf raw BUF_AUTO = BUF(1 << 20);
        REQUIRE(read_file(files[i], &raw) && raw.n > 0);
        unit_case(files[i]);
        for (int round = 0; round < 20; round++) {
            for (int k = 0; k < 5; k++)
                raw.p[unit_random() % raw.n] = nasty[unit_random() % (sizeof(nasty) - 1)];
            check_message(span_head(buf_span(&raw), 1 + unit_random() % raw.n));
        }
    }
}

TEST(keys_and_flags)
{
    struct parsed p;
    REQUIRE(parsed_text(
        &p, "From: \"X\" <Joe@Example.ORG>\nSubject: Re: [l] hi\nDate: Tue, 24 Nov 2026 05:29:00 "
            "+0100\n"
            "Message-ID: <1@x>\nNewsgroups: a.b, c\nPath: x!y\nReferences: <r@x>\n <s@x>\n"
            "Followup-To: a.b\nDistribution: world\nControl: cancel <z@y>\nApproved: "
            "m@x\n\nline\nline\n"));
    EXPECT_SPAN(p.s.message_id, SPAN("<1@x>"));
    EXPECT_SPAN(p.s.references, SPAN("<r@x> <s@x>"));
    EXPECT_SPAN(p.s.base_subject, SPAN("HI"));
    EXPECT_SPAN(p.s.from_first, SPAN("joe@example.org"));
    EXPECT_SPAN(p.s.newsgroups, SPAN("a.b,c"));
    EXPECT_SPAN(p.s.followup_to, SPAN("a.b"));
    EXPECT_SPAN(p.s.distribution, SPAN("world"));
    EXPECT_SPAN(p.s.control, SPAN("cancel <z@y>"));
    EXPECT_SPAN(p.s.approved, SPAN("m@x"));
    EXPECT_SPAN(p.s.overview, SPAN("Re: [l] hi\t\"X\" <Joe@Example.ORG>\tTue, 24 Nov 2026 05:29:00 "
                                   "+0100\t<1@x>\t<r@x> <s@x>"));
    EXPECT_INT(p.s.sent_seconds, 1795494540);
    EXPECT_INT(p.s.sent_zone_minutes, 60);
    EXPECT_INT(p.s.body_lines, 2);
    EXPECT_INT(p.s.header_bytes, p.n - 12);
    EXPECT_INT(p.s.raw_bytes, p.n);
    EXPECT_INT(p.s.flags, SUMMARY_NEWS_VALID);
    parsed_done(&p);
    REQUIRE(parsed_text(&p, "Date: Tue, 24 Nov 2026 05:29:00 -0330\n\n"));
    EXPECT_INT(p.s.sent_zone_minutes, -210);
    parsed_done(&p);
    REQUIRE(parsed_text(&p, ""));
    EXPECT_INT(p.s.sent_seconds, INT64_MIN);
    EXPECT_INT(p.s.flags, 0);
    EXPECT_INT(p.s.part_count, 1);
    EXPECT_SPAN(p.s.overview, SPAN("\t\t\t\t"));
    parsed_done(&p);
}

TEST(flags)
{
    static const struct {
        struct span in;
        int want;
    } rows[] = {
        {SPAN("A: b\r\n\r\nplain\r\n"),                                                                 0                                     },
        {SPAN("A: b\r\n\r\n\xe9\r\n"),                                                                  SUMMARY_HAS_8BIT                      },
        {SPAN("A: \xe9\r\n\r\nx\r\n"),                                                                  SUMMARY_HAS_8BIT | SUMMARY_HEADER_8BIT},
        {SPAN("A: b\r\n\r\nx\0\r\n"),                                                                   SUMMARY_HAS_NUL                       },
        {SPAN("Content-Type: application/pdf\r\n\r\nx"),                                                SUMMARY_ATTACHMENT                    },
        {SPAN("Content-Type: multipart/mixed; "
              "boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a\r\nContent-Type: image/png\r\n\r\n\r\n"),
         SUMMARY_ATTACHMENT                                                                                                                   },
        {SPAN("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Disposition: "
              "attachment\r\n\r\nx"),
         SUMMARY_ATTACHMENT                                                                                                                   },
        {SPAN("Content-Type: multipart/related; "
              "boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a\r\nContent-Type: "
              "image/png\r\nContent-ID: <x@y>\r\n\r\n\r\n"),
         0                                                                                                                                    },
        {SPAN("Content-Type: multipart/signed; "
              "boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a\r\nContent-Type: "
              "application/pgp-signature; name=s.asc\r\n\r\n"),
         0                                                                                                                                    },
        {SPAN("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: "
              "message/rfc822\r\n\r\nA: \xe9\r\n\r\n"),
         SUMMARY_ATTACHMENT | SUMMARY_HAS_8BIT | SUMMARY_HEADER_8BIT                                                                          },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed p;
        REQUIRE(parsed_init(&p, rows[i].in));
        if (!EXPECT_INT(p.s.flags, rows[i].want))
            unit_fail(__FILE__, __LINE__, "row %zu", i);
        parsed_done(&p);
    }
}

TEST(summary_make_says_when_out_is_full)
{
    struct buf out BUF_AUTO = BUF(50);
    EXPECT_INT(summary_make(SPAN("A: b\r\n\r\n"), &message_limits_default, &out), -7);
    EXPECT_INT(out.n, 0);
}

/* The block keeps its greatest size whatever the message; what is left of it is still right. */
TEST(limit_of_the_block)
{
    static const char *const fillers[] = {"a@b.example, ",       "x",      "\\\"", "\xe9",
                                          "=?utf-8?q?=C3=A9?= ", "<a@b> ", "(",    "\0"};
    static const char *const names[] = {
        "To", "Subject", "References", "Content-Type: text/plain", "Newsgroups", "From"};
    for (size_t f = 0; f < sizeof(fillers) / sizeof(fillers[0]); f++)
        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            struct buf b BUF_AUTO = BUF(1 << 20);
            struct parsed p;
            buf_printf(&b, "%s: ", names[n]);
            while (b.n < 700000)
                if (!buf_put_cstr(&b, *fillers[f] ? fillers[f] : " ;a=b"))
                    break;
            buf_put_cstr(&b, "\r\n\r\nbody\r\n");
            unit_case(fillers[f]);
            REQUIRE(parsed_init(&p, buf_span(&b)));
            EXPECT(p.block.n <= message_limits_default.summary_bytes);
            EXPECT(well_formed(p.s.envelope) && well_formed(p.s.bodystructure));
            EXPECT_INT(p.s.header_bytes, b.n - 6);
            EXPECT_INT(p.s.body_lines, 1);
            parsed_done(&p);
        }
}

TEST(limit_of_parts_and_block)
{
    struct buf b BUF_AUTO = BUF(4 << 20);
    struct parsed p;
    buf_put_cstr(&b, "Content-Type: multipart/mixed; boundary=A\r\n\r\n");
    for (int i = 0; i < 900; i++)
        buf_printf(&b,
                   "--A\r\nContent-Type: message/rfc822; name=\"a name that is of some length, "
                   "number %d\"\r\n\r\nFrom: "
                   "somebody <somebody@example.org>\r\n\r\nx\r\n",
                   i);
    REQUIRE(parsed_init(&p, buf_span(&b)));
    EXPECT(p.block.n <= message_limits_default.summary_bytes);
    EXPECT(p.s.flags & SUMMARY_TRUNCATED);
    EXPECT(p.s.part_count > 100 && well_formed(p.s.bodystructure));
    parsed_done(&p);
}

TEST(limit_of_fields)
{
    struct buf b BUF_AUTO = BUF(4 << 20);
    struct parsed p;
    for (int i = 0; i < 100000; i++)
        buf_put_cstr(&b, i == 1000 ? "Subject: early\r\n" : "X-Filler: y\r\n");
    buf_put_cstr(&b, "From: late@x\r\n\r\nbody\r\n");
    REQUIRE(parsed_init(&p, buf_span(&b)));
    EXPECT_SPAN(p.s.envelope, SPAN("(NIL \"early\" NIL NIL NIL NIL NIL NIL NIL NIL)"));
    EXPECT(p.s.flags & SUMMARY_TRUNCATED);
    EXPECT_INT(p.s.header_bytes, b.n - 6);
    parsed_done(&p);
}

/* Sessions parse on the small stacks of fibers. */
#ifdef __SANITIZE_ADDRESS__
enum { STACK_BYTES = 256 * 1024 };
#else
enum { STACK_BYTES = 48 * 1024 };
#endif

static void *on_small_stack(void *raw)
{
    struct buf out BUF_AUTO = BUF(1 << 20);
    summary_make(buf_span(raw), &message_limits_default, &out);
    charset_forget();
    return NULL;
}

TEST(small_stack)
{
    for (int kind = 0; kind < 2; kind++) {
        struct buf b BUF_AUTO = BUF(1 << 20);
        for (int i = 0; i < 100; i++)
            if (kind)
                buf_put_cstr(
                    &b, "Subject: =?gb2312?q?=C4=E3?=\r\nContent-Type: message/rfc822\r\n\r\n");
            else
                buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%05d\r\n\r\n--b%05d\r\n",
                           i, i);
        pthread_attr_t attr;
        pthread_t thread;
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK_BYTES);
        REQUIRE(pthread_create(&thread, &attr, on_small_stack, &b) == 0);
        pthread_join(thread, NULL);
        pthread_attr_destroy(&attr);
    }
}

static void fill(struct buf *b, const char *head, const char *filler, size_t bytes)
{
    buf_put_cstr(b, head);
    while (b->n < bytes && buf_put_cstr(b, filler))
        ;
}

/* Twice the message, no more than about twice the time: measured against a bound that a square
 * would break by far. */
TEST(linear_time)
{
    static const struct {
        const char *head, *filler;
    } traps[] = {
        {"Content-Type: multipart/mixed; boundary=A\r\n\r\n",        "--A\r\n"                                        },
        {"Content-Type: multipart/mixed; boundary=A\r\n\r\n",        "--B\r\n"                                        },
        {"Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n",
         "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n"                                                   },
        {"",                                                         "Content-Type: message/rfc822\r\n\r\n"           },
        {"",                                                         "Content-Type: message/rfc822\r\n\r\nTo: a@b\r\n"},
        {"To: ",                                                     "a@b,"                                           },
        {"To: ",                                                     "<"                                              },
        {"To: ",                                                     "("                                              },
        {"Subject: ",                                                "=?utf-8?q?"                                     },
        {"Subject: ",                                                "\r\n "                                          },
        {"Subject: ",                                                " "                                              },
        {"References: ",                                             "<"                                              },
        {"References: ",                                             "<a@b>"                                          },
        {"Newsgroups: ",                                             "a,"                                             },
        {"Path: ",                                                   "!"                                              },
        {"Content-Type: text/plain",                                 ";a"                                             },
        {"Content-Type: text/plain; ",                               "\"\\"                                           },
        {"Content-Language: ",                                       ",;"                                             },
        {"Date: ",                                                   "("                                              },
        {"",                                                         "To: a@b\r\n"                                    },
        {"\r\n",                                                     "\n"                                             },
        {"",                                                         "\r"                                             },
        {"",                                                         ":\r\n"                                          },
    };
    for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
        struct buf b BUF_AUTO = BUF(4 << 20), out BUF_AUTO = BUF(1 << 20);
        fill(&b, traps[i].head, traps[i].filler, 2 << 20);
        clock_t start = clock();
        EXPECT_INT(summary_make(buf_span(&b), &message_limits_default, &out), 0);
        long ms = (clock() - start) * 1000 / CLOCKS_PER_SEC;
        if (getenv("SEALPOST_TIMES"))
            printf("%6ld ms  %s%s\n", ms, traps[i].head, traps[i].filler);
        unit_case(traps[i].filler);
        EXPECT(ms < 3000);
    }
}

/* 64 open boundaries that differ in their last bytes only. */
TEST(linear_time_of_many_boundaries)
{
    struct buf b BUF_AUTO = BUF(16 << 20), out BUF_AUTO = BUF(1 << 20);
    char same[61];
    memset(same, 'x', 60);
    same[60] = 0;
    for (int i = 0; i < 64; i++)
        buf_printf(&b, "Content-Type: multipart/mixed; boundary=%s%02d\r\n\r\n--%s%02d\r\n", same,
                   i, same, i);
    buf_put_cstr(&b, "\r\n");
    while (b.n < 8 << 20)
        buf_printf(&b, "--%szz\r\n", same);
    clock_t start = clock();
    EXPECT_INT(summary_make(buf_span(&b), &message_limits_default, &out), 0);
    EXPECT((clock() - start) * 1000 / CLOCKS_PER_SEC < 3000);
}
