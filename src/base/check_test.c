#include "base/check.h"

#include "base/fd.h"
#include "unit/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(holds)
{
    int evaluated = 0;

    CHECK(++evaluated == 1);
    EXPECT_INT(evaluated, 1);
    EXPECT_INT(ARRAY_LEN(((int[]){1, 2, 3})), 3);
}

TEST(fails_with_abort)
{
    int p[2], status = 0;
    char text[600] = {0};

    REQUIRE(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(p[1], STDERR_FILENO);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    fd_close(&p[1]);
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT(read(p[0], text, sizeof text - 1) > 0);
    EXPECT(strstr(text, "check_test.c:") && strstr(text, "CHECK failed: 1 + 1 == 3\n"));
    fd_close(&p[0]);
}
