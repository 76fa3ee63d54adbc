/* Preloaded, it looks into each block of memory that is given back, and writes down where one was given back that still
 * held a secret: what did it, how large the block was, which secret, and the frames from there to `main`, as offsets in
 * the file of each. It is compiled by tests/freed_memory.rs, which knows the secrets.
 *
 * FREED_SECRETS: a file with the texts to look for, one a line; in the variable itself they would be found.
 * FREED_REPORT:  the file that is written to.
 *
 * A block that grows counts as given back, for the allocator may move it and leaves what was in it; here it always does.
 * What was found is cleared: whoever gets the memory next has not put it there, and is not blamed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRETS = 32, FRAMES = 64, LINE = 16384 };

static void (*give_back)(void *);
static void *(*resize)(void *, size_t);
static struct { const char *text; size_t length; } secrets[SECRETS];
static int count;
static int report = -1;
static __thread int busy;

__attribute__((constructor)) static void begin(void) {
    give_back = dlsym(RTLD_NEXT, "free");
    resize = dlsym(RTLD_NEXT, "realloc");
    const char *path = getenv("FREED_REPORT"), *file = getenv("FREED_SECRETS");
    if (!path || !file) return;
    static char texts[4096];
    int from = open(file, O_RDONLY | O_CLOEXEC);
    if (from < 0 || read(from, texts, sizeof texts - 1) < 0) abort();
    close(from);
    char *rest = texts;
    for (char *one; count < SECRETS && (one = strsep(&rest, "\n"));)
        if (*one) {
            secrets[count].text = one;
            secrets[count++].length = strlen(one);
        }
    /* The first call loads what it needs, and allocates for it. */
    void *frame[1];
    backtrace(frame, 1);
    report = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int found_in(const void *block, size_t size) {
    for (int at = 0; at < count; at++)
        if (memmem(block, size, secrets[at].text, secrets[at].length)) return at;
    return -1;
}

static void tell(const char *what, size_t size, int secret) {
    void *frames[FRAMES];
    char line[LINE];
    int depth = backtrace(frames, FRAMES);
    int end = snprintf(line, LINE, "%d %s %zu %d", getpid(), what, size, secret);
    /* Without this function and the one that called it. */
    for (int at = 2; at < depth && end < LINE - 512; at++) {
        Dl_info place = {0};
        /* The call stands before the address that is returned to. */
        char *call = (char *)frames[at] - 1;
        if (dladdr(call, &place) && place.dli_fname)
            end += snprintf(line + end, 512, " %s+0x%tx", place.dli_fname, call - (char *)place.dli_fbase);
    }
    line[end++] = '\n';
    if (write(report, line, end) != end) abort();
}

/* Whether a secret was in it, which is gone then. */
static int look(const char *what, void *block) {
    if (!block || report < 0 || busy) return 0;
    busy = 1;
    size_t size = malloc_usable_size(block);
    int secret = found_in(block, size);
    if (secret >= 0) {
        tell(what, size, secret);
        if (strcmp(what, "free") == 0) memset(block, 0, size);
    }
    busy = 0;
    return secret >= 0;
}

void free(void *block) {
    look("free", block);
    if (give_back) give_back(block);
}

void *realloc(void *block, size_t size) {
    if (!look("realloc", block)) return resize(block, size);
    size_t held = malloc_usable_size(block);
    void *moved = malloc(size);
    if (!moved) return NULL;
    memcpy(moved, block, held < size ? held : size);
    memset(block, 0, held);
    give_back(block);
    return moved;
}
