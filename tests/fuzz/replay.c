/* replay.c: runs a harness on the files of its corpus, with any compiler: replay FOLDER. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static void run(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n = 0, cap = 1 << 20;
    uint8_t *all = malloc(cap);

    if (!f || !all || (n = fread(all, 1, cap, f)) == cap) {
        fprintf(stderr, "%s cannot be read, or is over 1 MiB\n", path);
        exit(1);
    }
    fclose(f);
    /* of exactly its size, so that reading past it is seen */
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        exit(1);
    memcpy(exact, all, n);
    free(all);
    fprintf(stderr, "%s\r", path); /* the last one is where it failed */
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

int main(int argc, char **argv)
{
    size_t count = 0;
    struct dirent *e;
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;

    if (!d) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    while ((e = readdir(d))) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
        run(path);
        count++;
    }
    closedir(d);
    printf("%zu inputs\n", count);
    return count ? 0 : 1;
}
