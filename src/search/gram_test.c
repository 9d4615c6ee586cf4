#include "base/check.h"
#include "message/search.h"
#include "message/summary_testing.h"
#include "search/read.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static void grams_of(const char *text, enum gram_place place, struct gram_set *set)
{
    struct gram_text t = gram_text_begin(place);

    gram_text_add(&t, span_cstr(text), set);
}

static bool has(const struct gram_set *set, uint32_t want)
{
    uint32_t at = 0, gram;

    while (gram_set_next(set, &at, &gram))
        if (gram == want)
            return true;
    return false;
}

static bool has_all(const struct gram_set *set, const struct gram_set *of)
{
    uint32_t at = 0, gram;

    while (gram_set_next(of, &at, &gram))
        if (!has(set, gram))
            return false;
    return true;
}

TEST(gram_counts)
{
    static const struct {
        const char *text;
        uint32_t n;
    } rows[] = {
        {"",                                     0},
        {"ab",                                   0},
        {"abc",                                  1},
        {"abcd",                                 2},
        {"aaaaaa",                               1},
        {"ab cd",                                1}, /* "b c": none begins or ends with a blank */
        {"to be",                                1},
        {"a b",                                  1},
        {"a\r\nbc",                              0},
        {"abc\r\ndef",                           2},
        {"\xc3\xbc\x62\x65",                     1}, /* übe */
        {"\xe4\xb8\xad",                         0},
        {"\xe4\xb8\xad\xe6\x96\x87",             1}, /* two of a script without blanks */
        {"\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97", 2},
        {"a\xe4\xb8\xad\x62",                    2},
        {"ab\xe4\xb8\xad",                       1},
        {"\xe4\xb8\xad \xe6\x96\x87",            0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gram_set set;
        gram_set_init(&set);
        unit_case(rows[i].text);
        EXPECT_INT(gram_needle(span_cstr(rows[i].text), GRAM_BODY, &set), rows[i].n);
        EXPECT_INT(set.n, rows[i].n);
        gram_set_done(&set);
    }
}

TEST(grams_by_place)
{
    static const struct {
        const char *name;
        enum gram_place place;
    } rows[] = {
        {"Subject",    GRAM_SUBJECT},
        {"FROM",       GRAM_FROM   },
        {"cc",         GRAM_TO     },
        {"References", GRAM_IDS    },
        {"X-Subject",  GRAM_OTHER  },
        {"",           GRAM_OTHER  },
    };
    struct gram_set a, b;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        EXPECT_INT(gram_place_of(span_cstr(rows[i].name)), rows[i].place);
    gram_set_init(&a);
    gram_set_init(&b);
    grams_of("word", GRAM_FROM, &a);
    grams_of("word", GRAM_TO, &b);
    EXPECT(a.n == 2 && b.n == 2 && !has_all(&a, &b));
    gram_set_done(&a);
    gram_set_done(&b);
}

TEST(gram_sets_grow_and_fill)
{
    struct gram_set set;
    char text[16];

    gram_set_init(&set);
    for (unsigned i = 0; i < GRAMS_OF_MESSAGE + 1000; i++) {
        snprintf(text, sizeof text, "%c%c%c", 0x21 + i % 64, 0x21 + i / 64 % 64, 0x21 + i / 4096);
        grams_of(text, GRAM_BODY, &set);
    }
    EXPECT(set.full);
    EXPECT_INT(set.n, GRAMS_OF_MESSAGE);
    gram_set_clear(&set);
    EXPECT(set.n == 0 && !set.full);
    grams_of("again", GRAM_BODY, &set);
    EXPECT_INT(set.n, 3);
    gram_set_done(&set);
}

/* However a text is cut into pieces, every part of it has grams of the whole only. */
TEST(grams_of_a_part_are_grams_of_the_whole)
{
    static const char *const letters[] = {"a",
                                          "b",
                                          "c",
                                          " ",
                                          "\r\n",
                                          "\xc3\xa9",
                                          "\xd0\xb6",
                                          "\xe4\xb8\xad",
                                          "\xe3\x81\x82",
                                          "\xf0\x9f\x98\x80",
                                          "0"};

    for (int round = 0; round < 3000; round++) {
        struct buf text BUF_AUTO = BUF(4096);
        size_t at[65], n = 1 + unit_random() % 64;
        struct gram_set whole, part;
        gram_set_init(&whole);
        gram_set_init(&part);
        for (size_t i = 0; i < n; i++) {
            at[i] = text.n;
            buf_put_cstr(&text, letters[unit_random() % ARRAY_LEN(letters)]);
        }
        at[n] = text.n;
        struct gram_text t = gram_text_begin(GRAM_BODY);
        for (size_t i = 0; i < n;) {
            size_t end = i + 1 + unit_random() % (n - i);
            gram_text_add(&t, span_of(text.p + at[i], at[end] - at[i]), &whole);
            i = end;
        }
        size_t from = unit_random() % n, to = from + 1 + unit_random() % (n - from);
        gram_needle(span_of(text.p + at[from], at[to] - at[from]), GRAM_BODY, &part);
        EXPECT(has_all(&whole, &part));
        gram_set_done(&whole);
        gram_set_done(&part);
    }
}

/* ------------------------------------------------------------------ the truth is message/search.h */

static bool must_be_found(const struct parsed *p, enum gram_place place, const char *name,
                          const struct needle *n)
{
    struct span header = span_head(parsed_raw(p), p->s.header_bytes);

    return place == GRAM_BODY ? search_body(parsed_raw(p), &p->s, n)
                              : search_header(header, name, n);
}

static struct span some_of(const struct buf *text)
{
    size_t from = unit_random() % text->n, n = 1 + unit_random() % 24;

    while (from > 0 && ((unsigned char)text->p[from] & 0xc0) == 0x80)
        from--;
    if (n > text->n - from)
        n = text->n - from;
    while (from + n < text->n && ((unsigned char)text->p[from + n] & 0xc0) == 0x80)
        n++;
    return span_of(text->p + from, n);
}

static void put_piece(void *arg, struct span name, bool first, struct span folded)
{
    buf_put_span(arg, folded);
}

static unsigned asked, found, passed;

static void ask(const struct parsed *p, const struct gram_set *set, struct span text)
{
    static const struct {
        enum gram_place place;
        const char *name;
    } rows[] = {
        {GRAM_SUBJECT, "subject"   },
        {GRAM_FROM,    "from"      },
        {GRAM_TO,      "to"        },
        {GRAM_IDS,     "message-id"},
        {GRAM_OTHER,   "received"  },
        {GRAM_BODY,    NULL        },
    };
    struct needle *n = needle_new(text);

    if (!n)
        return;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gram_set needle;
        gram_set_init(&needle);
        gram_needle(needle_folded(n), rows[i].place, &needle);
        bool truth = must_be_found(p, rows[i].place, rows[i].name, n), may = has_all(set, &needle);
        asked++;
        found += truth;
        passed += may;
        EXPECT(may || !truth);
        gram_set_done(&needle);
    }
    needle_free(n);
}

static void try_message(struct span raw)
{
    struct buf text BUF_AUTO = BUF(16 << 20);
    struct gram_set set;
    struct parsed p;

    gram_set_init(&set);
    if (parsed_init(&p, raw)) {
        read_grams_of(parsed_raw(&p), 0, &p.s, &set);
        search_header_each(span_head(raw, p.s.header_bytes), put_piece, &text);
        search_body_each(raw, &p.s, put_piece, &text);
        for (int i = 0; text.n && i < 40; i++)
            ask(&p, &set, some_of(&text));
        for (int i = 0; raw.n && i < 10; i++) /* of what is encoded, too */
            ask(&p, &set, some_of(&(struct buf){p.raw, p.n, p.n, p.n, false}));
    }
    parsed_done(&p);
    gram_set_done(&set);
}

static void try_file(const char *path)
{
    struct buf raw BUF_AUTO = BUF(16 << 20), crlf BUF_AUTO = BUF(16 << 20);
    FILE *f = fopen(path, "rb");
    char piece[8192];
    size_t n;

    while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(&raw, piece, n);
    if (f)
        fclose(f);
    put_crlf(&crlf, buf_span(&raw));
    unit_case(path);
    try_message(buf_span(&crlf));
    unit_case(NULL);
}

static void try_folder(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    char path[600];
    struct stat st;

    while (d && (entry = readdir(d))) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            try_folder(path);
        else
            try_file(path);
    }
    if (d)
        closedir(d);
}

/* Whatever the search would find has all grams of what was looked for. */
TEST(nothing_is_lost)
{
    static const char made[] =
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?b?YXVzIEv2bG4=?=\r\nFrom: "
        "=?koi8-r?q?=F0=D2=C9=D7=C5=D4?= <a@b.example>\r\n"
        "To: x@y.example,\r\n\tSecond <z@y.example>\r\nMessage-ID: <1@x.example>\r\n"
        "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\nContent-Type: text/plain; "
        "charset=utf-8\r\n"
        "Content-Transfer-Encoding: "
        "base64\r\n\r\nR3LDvMOfZSBhdXMgS8O2bG4gw5xCRVIgYWxsZSBCZXJnZQ==\r\n--A\r\n"
        "Content-Type: text/html; charset=iso-2022-jp\r\n\r\n<b>\x1b$B$\"$$F|K\\8l\x1b(B</b> "
        "and\r\n--A\r\n"
        "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: "
        "quoted-printable\r\n\r\n=F0=D2=C9=D7=C5=D4 =\r\n=CD=C9=D2\r\n"
        "--A\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside "
        "=?utf-8?q?=C3=A9t=C3=A9?=\r\n\r\nquoted text\r\n--A--\r\n";
    char folder[1000];

    asked = found = passed = 0;
    for (int i = 0; i < 10; i++)
        try_message(span_cstr(made));
    /* beside the source that this was built from */
    snprintf(folder, sizeof folder, "%.*s/tests/corpus/mikel-mail",
             (int)(strstr(__FILE__, "/src/search/") - __FILE__), __FILE__);
    try_folder(folder);
    printf("%u questions, %u found, %u candidates\n", asked, found, passed);
    EXPECT(asked > 10000 && found > 2000);
    EXPECT(passed < asked / 2);
}
