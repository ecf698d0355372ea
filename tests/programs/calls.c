// Every call that waits or tells the time, with the time that it must take to the nanosecond; then it echoes.
// Each line on stderr is a claim: "ok NAME" or "FAILED NAME: ...".
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000LL
extern char **environ;

static int64_t now_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static int64_t now(void) { return now_of(CLOCK_MONOTONIC); }
static struct timespec ts(int64_t ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }

static int64_t began;
static void start(void) { began = now(); }
static void took(const char *name, int64_t wanted, int right) {
    int64_t got = now() - began;
    if (got == wanted && right)
        fprintf(stderr, "ok %s\n", name);
    else
        fprintf(stderr, "FAILED %s: %lld ns instead of %lld, right %d, errno %d\n", name, (long long)got,
                (long long)wanted, right, errno);
}

static volatile int alarms;
static void on_alarm(int signal) { (void)signal; alarms++; }

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int pipe_ends[2], flag;

static void *sleeper(void *ms) { usleep((long)ms * 1000); return ms; }
static void *poster(void *ms) { usleep((long)ms * 1000); sem_post(&semaphore); return 0; }
static void *writer(void *ms) { usleep((long)ms * 1000); return (void *)write(pipe_ends[1], "x", 1); }
static void *signaller(void *ms) {
    usleep((long)ms * 1000);
    pthread_mutex_lock(&mutex);
    flag = 1;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    return 0;
}
static void *killer(void *thread) { usleep(7000); pthread_kill(*(pthread_t *)thread, SIGUSR1); return 0; }
static void *locker(void *until) { return (void *)(long)pthread_mutex_timedlock(&mutex, until); }
static pthread_barrier_t barrier;
static void *arriver(void *ms) { usleep((long)ms * 1000); pthread_barrier_wait(&barrier); return 0; }
static void *waiter(void *set) { int signal = 0; sigwait(set, &signal); return (void *)(long)signal; }
static void *crasher(void *nothing) { usleep(3000); *(volatile int *)nothing = 1; return 0; }
static pthread_t begin(void *(*what)(void *), void *argument) {
    pthread_t thread;
    pthread_create(&thread, 0, what, argument);
    return thread;
}
static void drain(void) { char c; if (read(pipe_ends[0], &c, 1) != 1) abort(); }

static void sleeping(void) {
    struct timespec t = ts(123 * MS + 1), left;
    start(); int r = nanosleep(&t, 0); took("nanosleep", 123 * MS + 1, r == 0);
    start(); r = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, 0); took("clock_nanosleep relative", 123 * MS + 1, r == 0);
    t = ts(now() + 50 * MS);
    start(); r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0); took("clock_nanosleep absolute", 50 * MS, r == 0);
    t = ts(now_of(CLOCK_REALTIME) + 3 * MS);
    start(); r = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0); took("clock_nanosleep time of day", 3 * MS, r == 0);
    t = ts(1);
    start(); r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0); took("clock_nanosleep in the past", 0, r == 0);
    t = ts(0);
    start(); r = nanosleep(&t, 0); took("nanosleep for no time", 0, r == 0);
    t.tv_nsec = 1000000000;
    start(); r = nanosleep(&t, 0); took("nanosleep with a wrong time", 0, r == -1 && errno == EINVAL);
    pthread_t self = pthread_self(), k = begin(killer, &self);
    t = ts(100 * MS);
    start(); r = nanosleep(&t, &left);
    took("nanosleep interrupted", 7 * MS, r == -1 && errno == EINTR && left.tv_sec == 0 && left.tv_nsec == 93 * MS);
    pthread_join(k, 0);
    k = begin(killer, &self); t = (struct timespec){INT64_MAX, 999999999};
    start(); r = nanosleep(&t, 0); took("nanosleep for ever", 7 * MS, r == -1 && errno == EINTR); pthread_join(k, 0);
    k = begin(killer, &self);
    start(); r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0); took("clock_nanosleep for ever", 7 * MS, r == EINTR);
    pthread_join(k, 0);
    k = begin(killer, &self);
    start(); r = sleep(UINT32_MAX); took("sleep for 136 years", 7 * MS, r != 0); pthread_join(k, 0);
    start(); usleep(100); took("usleep", 100000, 1);
    start(); sleep(2); took("sleep", 2000 * MS, 1);
    start(); struct timeval tv; gettimeofday(&tv, 0);
    took("gettimeofday", 0, tv.tv_sec * 1000000LL + tv.tv_usec == now_of(CLOCK_REALTIME) / 1000 && time(0) == tv.tv_sec);
    struct timespec raw;
    start(); syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &raw);
    took("clock_gettime as a system call", 0, raw.tv_sec * 1000000000LL + raw.tv_nsec == now());
}

static void descriptors(void) {
    struct pollfd entry = {pipe_ends[0], POLLIN, 77};
    start(); int r = poll(&entry, 1, 250); took("poll in vain", 250 * MS, r == 0 && entry.revents == 0);
    start(); r = poll(&entry, 1, 0); took("poll without waiting", 0, r == 0);
    start(); r = poll(0, 0, 5); took("poll of nothing", 5 * MS, r == 0);
    struct timespec t = ts(3 * MS + 3);
    start(); r = ppoll(&entry, 1, &t, 0); took("ppoll in vain", 3 * MS + 3, r == 0);
    pthread_t w = begin(writer, (void *)20);
    start(); r = poll(&entry, 1, -1); took("poll", 20 * MS, r == 1 && entry.revents == POLLIN);
    pthread_join(w, 0); drain();
    fd_set set; FD_ZERO(&set); FD_SET(pipe_ends[0], &set);
    struct timeval tv = {0, 40000};
    start(); r = select(pipe_ends[0] + 1, &set, 0, 0, &tv); took("select in vain", 40 * MS, r == 0 && !FD_ISSET(pipe_ends[0], &set));
    tv = (struct timeval){0, 1500};
    start(); r = select(0, 0, 0, 0, &tv); took("select of nothing", 1500000, r == 0);
    w = begin(writer, (void *)11); FD_SET(pipe_ends[0], &set); tv = (struct timeval){1, 0};
    start(); r = select(pipe_ends[0] + 1, &set, 0, 0, &tv); took("select", 11 * MS, r == 1 && FD_ISSET(pipe_ends[0], &set));
    pthread_join(w, 0); drain();
    int e = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = 5}, got;
    epoll_ctl(e, EPOLL_CTL_ADD, pipe_ends[0], &event);
    start(); r = epoll_wait(e, &got, 1, 60); took("epoll_wait in vain", 60 * MS, r == 0);
    w = begin(writer, (void *)9);
    start(); r = epoll_wait(e, &got, 1, 1000); took("epoll_wait", 9 * MS, r == 1 && got.data.u32 == 5);
    pthread_join(w, 0);
    start(); r = epoll_wait(e, &got, 1, 2); took("epoll_wait after an edge", 2 * MS, r == 0);
    drain(); close(e);
    w = begin(writer, (void *)33);
    start(); drain(); took("read", 33 * MS, 1);
    pthread_join(w, 0);
    w = begin(writer, (void *)4); entry = (struct pollfd){pipe_ends[0], POLLIN, 0}; t = (struct timespec){INT64_MAX, 0};
    start(); r = ppoll(&entry, 1, &t, 0); took("ppoll for ever", 4 * MS, r == 1); pthread_join(w, 0); drain();
    w = begin(writer, (void *)4); start(); r = poll(&entry, 1, INT32_MAX); took("poll for 24 days", 4 * MS, r == 1);
    pthread_join(w, 0); drain();
    w = begin(writer, (void *)4); FD_SET(pipe_ends[0], &set); tv = (struct timeval){INT64_MAX / 2, 0};
    start(); r = select(pipe_ends[0] + 1, &set, 0, 0, &tv); took("select for ever", 4 * MS, r == 1); pthread_join(w, 0); drain();
    tv = (struct timeval){0, 0}; FD_SET(pipe_ends[0], &set);
    start(); r = select(pipe_ends[0] + 1, &set, 0, 0, &tv); took("select without waiting", 0, r == 0);
    t = ts(2500000); FD_SET(pipe_ends[0], &set);
    start(); r = pselect(pipe_ends[0] + 1, &set, 0, 0, &t, 0); took("pselect in vain", 2500000, r == 0 && !FD_ISSET(pipe_ends[0], &set));
    e = epoll_create1(0); t = ts(2 * MS + 7);
    start(); r = epoll_pwait2(e, &got, 1, &t, 0); took("epoll_pwait2 in vain", 2 * MS + 7, r == 0);
    start(); r = epoll_wait(e, &got, 1, 0); took("epoll_wait without waiting", 0, r == 0); close(e);
    int ev = eventfd(0, EFD_NONBLOCK); uint64_t count = 0;
    start(); r = read(ev, &count, 8); took("read that does not wait", 0, r == -1 && errno == EAGAIN);
    close(ev);
}

static void locks(void) {
    pthread_t other = begin(sleeper, (void *)70); void *result;
    start(); pthread_join(other, &result); took("pthread_join", 70 * MS, result == (void *)70);
    other = begin(sleeper, (void *)70);
    struct timespec t = ts(now_of(CLOCK_REALTIME) + 30 * MS);
    start(); int r = pthread_timedjoin_np(other, 0, &t); took("pthread_timedjoin_np in vain", 30 * MS, r == ETIMEDOUT);
    pthread_join(other, 0);
    sem_init(&semaphore, 0, 0);
    other = begin(poster, (void *)15);
    start(); r = sem_wait(&semaphore); took("sem_wait", 15 * MS, r == 0);
    pthread_join(other, 0);
    t = ts(now_of(CLOCK_REALTIME) + 25 * MS);
    start(); r = sem_timedwait(&semaphore, &t); took("sem_timedwait in vain", 25 * MS, r == -1 && errno == ETIMEDOUT);
    other = begin(signaller, (void *)12);
    start(); pthread_mutex_lock(&mutex);
    while (!flag) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex); took("pthread_cond_wait", 12 * MS, 1);
    pthread_join(other, 0);
    t = ts(now_of(CLOCK_REALTIME) + 45 * MS);
    start(); pthread_mutex_lock(&mutex); r = pthread_cond_timedwait(&condition, &mutex, &t);
    pthread_mutex_unlock(&mutex); took("pthread_cond_timedwait in vain", 45 * MS, r == ETIMEDOUT);
    pthread_condattr_t steady; pthread_cond_t other_condition;
    pthread_condattr_init(&steady); pthread_condattr_setclock(&steady, CLOCK_MONOTONIC); pthread_cond_init(&other_condition, &steady);
    t = ts(now() + 35 * MS + 5);
    start(); pthread_mutex_lock(&mutex); r = pthread_cond_timedwait(&other_condition, &mutex, &t);
    pthread_mutex_unlock(&mutex); took("a condition on the other clock in vain", 35 * MS + 5, r == ETIMEDOUT);
    t = ts(1); start(); pthread_mutex_lock(&mutex); r = pthread_cond_timedwait(&other_condition, &mutex, &t);
    pthread_mutex_unlock(&mutex); took("a condition in the past", 0, r == ETIMEDOUT);
    t = ts(now_of(CLOCK_REALTIME) + 2 * MS); start(); pthread_mutex_lock(&mutex); other = begin(locker, &t); pthread_join(other, &result);
    pthread_mutex_unlock(&mutex); took("pthread_mutex_timedlock in vain", 2 * MS, result == (void *)ETIMEDOUT);
    t = ts(now_of(CLOCK_REALTIME) - MS); start(); r = sem_timedwait(&semaphore, &t); took("sem_timedwait in the past", 0, r == -1 && errno == ETIMEDOUT);
    t = (struct timespec){INT64_MAX, 0}; other = begin(poster, (void *)6);
    start(); r = sem_timedwait(&semaphore, &t); took("sem_timedwait for ever", 6 * MS, r == 0); pthread_join(other, 0);
    pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER; pthread_rwlock_rdlock(&rw); t = ts(now_of(CLOCK_REALTIME) + 3 * MS);
    start(); r = pthread_rwlock_timedwrlock(&rw, &t); took("pthread_rwlock_timedwrlock in vain", 3 * MS, r == ETIMEDOUT);
    pthread_barrier_init(&barrier, 0, 3); pthread_t late = begin(arriver, (void *)5); other = begin(arriver, (void *)8);
    start(); pthread_barrier_wait(&barrier); took("pthread_barrier_wait", 8 * MS, 1); pthread_join(late, 0); pthread_join(other, 0);
    pthread_mutexattr_t attributes; pthread_mutex_t inheriting;
    pthread_mutexattr_init(&attributes); pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inheriting, &attributes);
    start(); r = pthread_mutex_lock(&inheriting) | pthread_mutex_unlock(&inheriting); took("a mutex that inherits", 0, r == 0);
    pthread_t crowd[200];
    start();
    for (long i = 0; i < 200; i++) crowd[i] = begin(sleeper, (void *)i);
    for (long i = 0; i < 200; i++) pthread_join(crowd[i], 0);
    took("200 threads", 199 * MS, 1);
}

static void timers(void) {
    struct itimerval interval = {{0, 10000}, {0, 25000}}, left;
    signal(SIGALRM, on_alarm); signal(SIGUSR1, on_alarm);
    alarms = 0; setitimer(ITIMER_REAL, &interval, 0);
    start(); pause(); took("setitimer", 25 * MS, alarms == 1);
    pause(); took("setitimer again", 35 * MS, alarms == 2);
    getitimer(ITIMER_REAL, &left); took("getitimer", 35 * MS, left.it_value.tv_usec == 10000 && left.it_interval.tv_usec == 10000);
    interval = (struct itimerval){{0, 0}, {0, 0}}; setitimer(ITIMER_REAL, &interval, 0);
    start(); alarm(3); int r = poll(0, 0, -1); took("alarm", 3000 * MS, r == -1 && errno == EINTR && alarms == 3);
    int t = timerfd_create(CLOCK_MONOTONIC, 0); uint64_t count = 0;
    struct itimerspec when = {ts(20 * MS), ts(30 * MS)}, rest;
    timerfd_settime(t, 0, &when, 0);
    start(); r = read(t, &count, 8); took("timerfd", 30 * MS, r == 8 && count == 1);
    usleep(65000); r = read(t, &count, 8); took("timerfd after some time", 95 * MS, r == 8 && count == 3);
    timerfd_gettime(t, &rest); took("timerfd_gettime", 95 * MS, rest.it_value.tv_nsec == 15 * MS);
    struct pollfd entry = {t, POLLIN, 0};
    r = poll(&entry, 1, -1); took("poll of a timerfd", 110 * MS, r == 1);
    int e = epoll_create1(0); struct epoll_event event = {.events = EPOLLIN}, got;
    r = read(t, &count, 8); epoll_ctl(e, EPOLL_CTL_ADD, t, &event);
    r = epoll_wait(e, &got, 1, -1); took("epoll_wait of a timerfd", 130 * MS, r == 1);
    close(e); close(t);
    t = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    when = (struct itimerspec){ts(0), ts(now_of(CLOCK_REALTIME) + 5 * MS)}; timerfd_settime(t, TFD_TIMER_ABSTIME, &when, 0);
    start(); r = read(t, &count, 8); took("timerfd not yet", 0, r == -1 && errno == EAGAIN);
    entry.fd = t; r = poll(&entry, 1, -1); took("absolute timerfd", 5 * MS, r == 1);
    close(t);
    t = timerfd_create(CLOCK_MONOTONIC, 0); when = (struct itimerspec){ts(1), ts(1)}; timerfd_settime(t, 0, &when, 0);
    start(); usleep(1000); r = read(t, &count, 8); took("a timerfd of a nanosecond", MS, r == 8 && count == MS); close(t);
    timer_t made; struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    alarms = 0; r = timer_create(CLOCK_MONOTONIC, &how, &made); when = (struct itimerspec){ts(0), ts(8 * MS)};
    timer_settime(made, 0, &when, 0);
    start(); pause(); took("timer_create", 8 * MS, r == 0 && alarms == 1);
    timer_delete(made);
    sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, 0);
    struct timespec wait = ts(6 * MS);
    start(); r = sigtimedwait(&set, 0, &wait); took("sigtimedwait in vain", 6 * MS, r == -1 && errno == EAGAIN);
    kill(getpid(), SIGUSR1); wait = ts(1000 * MS);
    start(); r = sigtimedwait(&set, 0, &wait); took("sigtimedwait", 0, r == SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &set, 0);
    interval = (struct itimerval){{0, 0}, {0, 3000}}; struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, 0); alarms = 0; setitimer(ITIMER_REAL, &interval, 0); pthread_t w = begin(writer, (void *)10);
    start(); drain(); took("read restarted after a signal", 10 * MS, alarms == 1); pthread_join(w, 0);
    action.sa_flags = 0; sigaction(SIGALRM, &action, 0); setitimer(ITIMER_REAL, &interval, 0); char c;
    start(); r = read(pipe_ends[0], &c, 1); took("read interrupted", 3 * MS, r == -1 && errno == EINTR && alarms == 2);
    setitimer(ITIMER_REAL, &interval, 0); start(); r = sem_wait(&semaphore);
    took("sem_wait interrupted", 3 * MS, r == -1 && errno == EINTR && alarms == 3);
    start(); alarm(100); r = alarm(0); took("alarm taken back", 0, r == 100);
    sigset_t both; sigemptyset(&both); sigaddset(&both, SIGUSR2); sigaddset(&both, SIGALRM); sigprocmask(SIG_BLOCK, &both, 0);
    w = begin(waiter, &both); void *taken; setitimer(ITIMER_REAL, &interval, 0);
    start(); pthread_join(w, &taken); took("sigwait", 3 * MS, taken == (void *)SIGALRM);
    int sfd = signalfd(-1, &both, 0); struct signalfd_siginfo told; setitimer(ITIMER_REAL, &interval, 0);
    start(); r = read(sfd, &told, sizeof told); took("signalfd", 3 * MS, r == sizeof told && told.ssi_signo == SIGALRM); close(sfd);
    sigprocmask(SIG_UNBLOCK, &both, 0);
    alarms = 0; raise(SIGUSR1); start(); took("raise", 0, alarms == 1);
}

static void processes(const char *self) {
    int status; start(); pid_t child = fork();
    if (child == 0) { usleep(17000); _exit(getppid() == 1 ? 1 : 5); }
    pid_t ended = waitpid(child, &status, 0);
    took("waitpid", 17 * MS, ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
    start(); child = fork();
    if (child == 0) { pause(); _exit(0); }
    usleep(2000); kill(child, SIGTERM); ended = wait(&status);
    took("a child that is ended by a signal", 2 * MS, ended == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    start(); child = fork();
    if (child == 0) { for (;;) sleep(100); }
    usleep(2000); kill(child, SIGKILL); siginfo_t info; int r = waitid(P_PID, child, &info, WEXITED);
    took("a child that is killed", 2 * MS, r == 0 && info.si_pid == child && info.si_status == SIGKILL);
    start(); child = fork();
    if (child == 0) abort();
    waitpid(child, &status, 0); took("a child that aborts", 0, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    char *arguments[] = {(char *)self, "chain", "4", 0};
    start(); r = posix_spawn(&child, self, 0, 0, arguments, environ); ended = waitpid(child, &status, 0);
    took("posix_spawn and a chain of programs", 40 * MS, r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 9);
    start(); r = system("sleep 0.5"); took("system", 500 * MS, r == 0);
    start(); child = fork();
    if (child == 0) { begin(sleeper, (void *)1000); pthread_exit(0); }
    waitpid(child, &status, 0); took("a first thread that ends first", 1000 * MS, WIFEXITED(status));
    start(); child = fork();
    if (child == 0) { begin(sleeper, (void *)1000); usleep(5000); execl(self, self, "chain", "0", (char *)0); }
    waitpid(child, &status, 0); took("a program executed beside a thread", 5 * MS, WIFEXITED(status) && WEXITSTATUS(status) == 9);
    start(); r = waitpid(-1, &status, WNOHANG); took("waitpid without a child", 0, r == -1 && errno == ECHILD);
    start(); child = fork();
    if (child == 0) { usleep(10000); _exit(0); }
    r = waitpid(child, &status, WNOHANG); took("waitpid that does not wait", 0, r == 0);
    waitpid(child, &status, 0);
    sem_t *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); sem_init(shared, 1, 0);
    start(); child = fork();
    if (child == 0) { usleep(6000); sem_post(shared); _exit(0); }
    r = sem_wait(shared); took("a semaphore of two processes", 6 * MS, r == 0); waitpid(child, &status, 0);
    start(); child = fork();
    if (child == 0) { usleep(4000); _exit(7); }
    pid_t other = fork();
    if (other == 0) { usleep(9000); _exit(8); }
    int p = syscall(SYS_pidfd_open, child, 0); struct pollfd entry = {p, POLLIN, 0};
    r = poll(&entry, 1, -1); took("poll of a process", 4 * MS, r == 1);
    r = waitid(3 /* P_PIDFD */, p, &info, WEXITED); took("waitid of a pidfd", 4 * MS, r == 0 && info.si_pid == child && info.si_status == 7);
    close(p); p = syscall(SYS_pidfd_open, other, 0);
    r = waitid(3, p, &info, WEXITED); took("waitid of a pidfd that lives", 9 * MS, r == 0 && info.si_pid == other && info.si_status == 8);
    close(p); start(); child = fork();
    if (child == 0) { pause(); _exit(0); }
    usleep(2000); p = syscall(SYS_pidfd_open, child, 0); syscall(SYS_pidfd_send_signal, p, SIGKILL, 0, 0); waitpid(child, &status, 0);
    took("pidfd_send_signal", 2 * MS, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); close(p);
    start(); child = fork();
    if (child == 0) { begin(sleeper, (void *)1000); begin(crasher, 0); for (;;) pause(); }
    waitpid(child, &status, 0); took("a thread that crashes", 3 * MS, WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    start(); kill(getpid(), SIGSTOP); raise(SIGSTOP); took("stopping oneself does nothing", 0, 1);
    start(); int ends[2]; r = pipe(ends); child = fork();
    if (child == 0) { char block[4096]; usleep(1000); close(ends[1]); while (read(ends[0], block, 4096) > 0); _exit(0); }
    close(ends[0]); char block[300000]; memset(block, 1, sizeof block);
    ssize_t written = write(ends[1], block, sizeof block); close(ends[1]); waitpid(child, &status, 0);
    took("a pipe that is full", 1 * MS, written == sizeof block);
}

static void chance(void) {
    unsigned char bytes[16], again[16];
    start(); int r = getrandom(bytes, 16, 0) == 16 && getrandom(again, 16, 0) == 16;
    took("getrandom", 0, r && memcmp(bytes, again, 16) != 0);
    unsigned char seeded[16]; int u = open("/dev/urandom", O_RDONLY);
    start(); r = read(u, seeded, 16); took("/dev/urandom", 0, r == 16); close(u);
    cpu_set_t set; start(); r = sched_getaffinity(0, sizeof set, &set); took("one processor", 0, sysconf(_SC_NPROCESSORS_ONLN) >= 1 && CPU_COUNT(&set) == 1);
    uint32_t low, high; __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    start(); took("the cycle counter", 0, ((uint64_t)high << 32 | low) == (uint64_t)now());
    start(); took("numbers", 0, syscall(SYS_gettid) == getpid() && getpgrp() == getpid() && getppid() == 1);
    for (int i = 0; i < 16; i++) fprintf(stderr, "%02x%02x", bytes[i], seeded[i]);
    fprintf(stderr, "\n");
}

int main(int count, char **arguments) {
    if (count == 3 && !strcmp(arguments[1], "chain")) {
        int left = atoi(arguments[2]); char text[16]; snprintf(text, 16, "%d", left - 1);
        if (left == 0) return 9;
        usleep(10000); execl(arguments[0], arguments[0], "chain", text, (char *)0);
    }
    setvbuf(stderr, 0, _IOLBF, 1 << 16);
    if (pipe(pipe_ends)) return 1;
    signal(SIGUSR1, on_alarm);
    sleeping(); descriptors(); locks(); timers(); processes(arguments[0]); chance();
    fprintf(stderr, "all claims made\n");
    execl(arguments[1], arguments[1], (char *)0);
    return 1;
}
