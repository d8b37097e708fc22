// Loaded into a node by the nemesis (LD_PRELOAD): its disk becomes slow, hangs or fails, and its wall clock
// jumps, while it runs and without its knowledge. What holds stands in a file (RAFT3D_SHIM) that both sides
// have mapped: the nemesis writes the first four numbers, this side counts what it did in the others.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile int64_t sync_delay_ms; // every sync takes so much longer
  volatile int64_t hang;          // syncs do not come back while this is not 0
  volatile int64_t sync_errno;    // syncs fail with this while it is not 0
  volatile int64_t clock_ms;      // added to the wall clock
  int64_t slowed, hung, failed;   // counts
};

static struct control nothing;
static struct control *control = &nothing;

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("RAFT3D_SHIM");
  if (path == NULL) return;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) abort(); // a nemesis that does nothing would look like a product that stands everything
  void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) abort();
  close(file);
  control = mapped;
}

static void sleep_ms(int64_t ms) {
  struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

// What happens to a sync before it is carried out. 0, or the error it ends with.
static int fate(void) {
  if (control->hang) {
    __atomic_add_fetch(&control->hung, 1, __ATOMIC_RELAXED);
    while (control->hang) sleep_ms(10);
  }
  if (control->sync_delay_ms > 0) {
    __atomic_add_fetch(&control->slowed, 1, __ATOMIC_RELAXED);
    sleep_ms(control->sync_delay_ms);
  }
  int error = (int)control->sync_errno;
  if (error != 0) __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
  return error;
}

static int is_durable(int file) {
  int flags = fcntl(file, F_GETFL);
  return flags >= 0 && (flags & O_DSYNC) != 0;
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

int fsync(int file) {
  int error = fate();
  if (error != 0) return errno = error, -1;
  return REAL("fsync", int (*)(int))(file);
}

int fdatasync(int file) {
  int error = fate();
  if (error != 0) return errno = error, -1;
  return REAL("fdatasync", int (*)(int))(file);
}

// A write to a file opened with O_DSYNC comes back when the disk has it: it is a sync as well.
#define WRITES(name, arguments, values)                                                       \
  ssize_t name arguments {                                                                    \
    int error = is_durable(file) ? fate() : 0;                                                \
    if (error != 0) return errno = error, -1;                                                 \
    return REAL(#name, ssize_t(*) arguments) values;                                          \
  }

WRITES(write, (int file, const void *bytes, size_t length), (file, bytes, length))
WRITES(pwrite, (int file, const void *bytes, size_t length, off_t at), (file, bytes, length, at))
WRITES(pwrite64, (int file, const void *bytes, size_t length, off64_t at), (file, bytes, length, at))
WRITES(pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at))
WRITES(pwritev64, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at))

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = REAL("clock_gettime", int (*)(clockid_t, struct timespec *));
  int result = real(clock, at);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t shift = control->clock_ms;
    int64_t nanoseconds = at->tv_nsec + (shift % 1000) * 1000000;
    at->tv_sec += shift / 1000;
    if (nanoseconds < 0) nanoseconds += 1000000000, at->tv_sec -= 1;
    if (nanoseconds >= 1000000000) nanoseconds -= 1000000000, at->tv_sec += 1;
    at->tv_nsec = (long)nanoseconds;
  }
  return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
