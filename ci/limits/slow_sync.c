/* Preloaded into a node, makes its disk slow: every sync takes SYNC_DELAY_MS longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void pause_for(void) {
    const char *ms = getenv("SYNC_DELAY_MS");
    if (ms) usleep((useconds_t)atoi(ms) * 1000);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    pause_for();
    return real(fd);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    pause_for();
    return real(fd);
}
