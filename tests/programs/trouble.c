// A node that does something unusual, as its first argument says, and then executes the second one, which echoes.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

// Two threads that wake each other.
static void *play(void *own) {
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (turn != (int)(long)own) pthread_cond_wait(&condition, &mutex);
        turn = 1 - turn;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

int main(int count, char **arguments) {
    const char *what = arguments[1];
    if (!strcmp(what, "asks for ever"))
        for (;;) syscall(SYS_getpid);
    if (!strcmp(what, "asks until a time")) {
        // The time is read without the system, so nothing else tells that this is a wait.
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        time_t end = now.tv_sec * 1000 + now.tv_nsec / 1000000 + 50;
        for (; now.tv_sec * 1000 + now.tv_nsec / 1000000 < end; clock_gettime(CLOCK_MONOTONIC, &now)) syscall(SYS_getpid);
    }
    if (!strcmp(what, "plays for ever")) {
        pthread_t other;
        pthread_create(&other, 0, play, (void *)1);
        play((void *)0);
    }
    if (!strcmp(what, "locks")) {
        int file = open(arguments[3], O_RDWR);
        if (file < 0 || flock(file, LOCK_EX)) return 1;
    }
    if (!strcmp(what, "connects") || !strcmp(what, "listens")) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(count > 3 ? atoi(arguments[3]) : 0)};
        inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
        int s = socket(AF_INET, SOCK_STREAM, 0);
        int failed = !strcmp(what, "connects") ? connect(s, (void *)&to, sizeof to)
                                               : bind(s, (void *)&to, sizeof to) || listen(s, 1);
        if (failed) return 1;
    }
    if (!strcmp(what, "traces") && (ptrace(PTRACE_TRACEME, 0, 0, 0) != -1 || errno != EPERM)) return 1;
    if (!strcmp(what, "writes") || !strcmp(what, "writes little")) {
        // 10 MiB at once, while nobody reads.
        size_t size = 10 << 20, step = !strcmp(what, "writes") ? size : 1000;
        char *block = malloc(size);
        for (size_t i = 0; i < size; i++) block[i] = i % 100 == 99 ? '\n' : 'x';
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        for (size_t at = 0; at < size; at += step)
            for (size_t done = 0; done < step && at + done < size;) {
                size_t left = at + step > size ? size - at : step;
                ssize_t written = write(2, block + at + done, left - done);
                if (written <= 0) return 1;
                done += written;
            }
        clock_gettime(CLOCK_MONOTONIC, &after);
        if (memcmp(&before, &after, sizeof after)) return 1;
    }
    if (!strcmp(what, "never reads"))
        for (;;) sleep(1);
    if (!strcmp(what, "closes stdin")) {
        close(0);
        for (;;) sleep(1);
    }
    if (!strcmp(what, "waits for a time of day") && fork() == 0) {
        struct timespec end, now;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += 60;
        pthread_mutex_lock(&mutex);
        while (pthread_cond_timedwait(&condition, &mutex, &end) != ETIMEDOUT);
        clock_gettime(CLOCK_REALTIME, &now);
        fprintf(stderr, now.tv_sec >= end.tv_sec ? "woken\n" : "woken early\n");
        _exit(0);
    }
    execl(arguments[2], arguments[2], (char *)0);
    return 1;
}
