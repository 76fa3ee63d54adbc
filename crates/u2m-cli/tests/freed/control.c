/* Gives back four blocks of which two held a secret: that these are found shows that the others would be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) void leaves_it(char *block, const char *secret) {
    strcpy(block, secret);
    free(block);
}

__attribute__((noinline)) void outgrows_it(char *block, const char *secret) {
    strcpy(block, secret);
    block = realloc(block, 1 << 20);
    if (strcmp(block, secret) != 0) abort();
    memset(block, 0, 1 << 20);
    free(block);
}

__attribute__((noinline)) void clears_it(char *block, const char *secret) {
    strcpy(block, secret);
    memset(block, 0, strlen(secret));
    __asm__ volatile("" ::: "memory");
    free(block);
}

int main(int argc, char **argv) {
    const char *secret = argc > 1 ? argv[1] : "";
    leaves_it(malloc(256), secret);
    outgrows_it(malloc(256), secret);
    clears_it(malloc(256), secret);
    free(calloc(1, 256));
    return 0;
}
