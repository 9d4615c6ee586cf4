/* Against a plain loop, at every length and with the bytes at every place. */
#include "message/bytes.h"
#include "unit/unit.h"

enum { ROOM = 9000 };

static void against_loop(struct span s)
{
    uint32_t count = 0;
    bool eight = false, nul = false, got_eight, got_nul;

    for (size_t i = 0; i < s.n; i++) {
        count += s.p[i] == '\n';
        eight |= (s.p[i] & 128) != 0;
        nul |= s.p[i] == 0;
    }
    bytes_look(s, &got_eight, &got_nul);
    EXPECT_INT(bytes_count(s, '\n'), count);
    EXPECT(got_eight == eight && got_nul == nul);
}

TEST(one_byte_anywhere)
{
    static const char odd[] = {'\n', 0, (char)0x80, (char)0xff, 'y'};
    char text[100];

    for (size_t n = 0; n <= 70; n++)
        for (size_t at = 0; at < n; at++)
            for (size_t k = 0; k < sizeof(odd); k++) {
                memset(text, 'x', sizeof(text));
                text[at] = odd[k];
                text[n] = odd[k]; /* behind the end: does not count */
                against_loop(span_of(text, n));
            }
    against_loop(SPAN_EMPTY);
}

TEST(many)
{
    static char text[ROOM];

    memset(text, '\n', sizeof(text)); /* more than a lane can count */
    EXPECT_INT(bytes_count(span_of(text, sizeof(text)), '\n'), ROOM);
    EXPECT_INT(bytes_count(span_of(text + 1, 8191), '\n'), 8191);
    EXPECT_INT(bytes_count(span_of(text, sizeof(text)), 'x'), 0);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = unit_random() % 16 ? 'a' : (char)unit_random();
        size_t from = unit_random() % 40;
        against_loop(span_of(text + from, unit_random() % (ROOM - 40)));
    }
}
