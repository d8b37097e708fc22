// The network of a nemesis run: a switch in user space, between TAP devices that stand in the nodes' network
// namespaces. Every frame passes through here, so a link can be cut in one direction, lose, delay, reorder and
// double packets, on any kernel that has namespaces: netem is not needed.
//
//   wire SEED NAMESPACE...     e.g. wire 7 /proc/self/ns/net /run/netns/n1 /run/netns/n2
//
// Port i is the i-th namespace. Its device is `wire` with the address 02:00:00:00:00:<i>; the caller gives
// it its IP address and its neighbours (there is no ARP: what is not for a known port is dropped).
// It takes commands on its standard input, one a line, and answers each with one line:
//
//   link FROM TO CUT LOSS DELAY JITTER TWICE   cut: 0 or 1; loss, twice: of 1000; delay, jitter: ms
//   count                                      -> forwarded dropped lost delayed doubled
//
// It ends when its standard input does.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <net/if_arp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MAX 16
#define FRAME_MAX 2048
// What a link keeps back at most, as a real queue does; beyond it packets are lost.
#define WAITING_MAX 20000

struct link {
  int cut, loss, delay, jitter, twice;
};

struct frame {
  struct frame *next;
  int64_t due;
  int to;
  int length;
  uint8_t bytes[];
};

static int ports, devices[PORTS_MAX];
static struct link links[PORTS_MAX][PORTS_MAX];
static struct frame *waiting;
static int waiting_count;
static uint64_t forwarded, dropped, lost, delayed, doubled;
static uint64_t chance;

static void die(const char *what) {
  fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

// xorshift64*: the same seed gives the same fates to the same order of packets.
static uint32_t draw(uint32_t below) {
  chance ^= chance >> 12;
  chance ^= chance << 25;
  chance ^= chance >> 27;
  return (uint32_t)((chance * 0x2545f4914f6cdd1dULL) >> 32) % below;
}

static int open_device(const char *name_space, int port) {
  int space = open(name_space, O_RDONLY | O_CLOEXEC);
  if (space < 0 || setns(space, CLONE_NEWNET) != 0) die(name_space);
  close(space);
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0) die("/dev/net/tun");
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "wire");
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(device, TUNSETIFF, &request) != 0) die("TUNSETIFF");
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  memcpy(request.ifr_hwaddr.sa_data, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)port}, 6);
  if (ioctl(device, SIOCSIFHWADDR, &request) != 0) die("SIOCSIFHWADDR");
  return device;
}

static void deliver(int to, const uint8_t *bytes, int length) {
  // A device whose queue is full loses the packet, as devices do.
  if (write(devices[to], bytes, length) == length) forwarded++;
  else dropped++;
}

static void hold(int to, const uint8_t *bytes, int length, int64_t due) {
  if (waiting_count >= WAITING_MAX) {
    dropped++;
    return;
  }
  struct frame *frame = malloc(sizeof *frame + length);
  if (frame == NULL) die("memory");
  frame->due = due;
  frame->to = to;
  frame->length = length;
  memcpy(frame->bytes, bytes, length);
  // Behind those that are due at the same time: without jitter nothing changes places.
  struct frame **at = &waiting;
  while (*at != NULL && (*at)->due <= due) at = &(*at)->next;
  frame->next = *at;
  *at = frame;
  waiting_count++;
  delayed++;
}

static void pass(int from, int to, const uint8_t *bytes, int length) {
  const struct link *link = &links[from][to];
  if (link->delay == 0 && link->jitter == 0) {
    deliver(to, bytes, length);
    return;
  }
  int jitter = link->jitter == 0 ? 0 : (int)draw((uint32_t)link->jitter + 1);
  hold(to, bytes, length, now_ms() + link->delay + jitter);
}

static void take(int from) {
  static const uint8_t prefix[5] = {2, 0, 0, 0, 0};
  uint8_t bytes[FRAME_MAX];
  for (;;) {
    ssize_t length = read(devices[from], bytes, sizeof bytes);
    if (length < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == EIO) return; // EIO: the device is down
      die("read");
    }
    int to = length > 5 && memcmp(bytes, prefix, 5) == 0 ? bytes[5] : PORTS_MAX;
    if (to >= ports || to == from) continue; // broadcast and multicast: nobody here needs them
    const struct link *link = &links[from][to];
    if (link->cut) {
      dropped++;
    } else if (link->loss > 0 && (int)draw(1000) < link->loss) {
      lost++;
    } else {
      pass(from, to, bytes, (int)length);
      if (link->twice > 0 && (int)draw(1000) < link->twice) {
        doubled++;
        pass(from, to, bytes, (int)length);
      }
    }
  }
}

static void release(void) {
  int64_t now = now_ms();
  while (waiting != NULL && waiting->due <= now) {
    struct frame *frame = waiting;
    waiting = frame->next;
    waiting_count--;
    deliver(frame->to, frame->bytes, frame->length);
    free(frame);
  }
}

static void command(const char *line) {
  struct link link;
  int from, to;
  if (strcmp(line, "count") == 0) {
    printf("%lu %lu %lu %lu %lu\n", forwarded, dropped, lost, delayed, doubled);
  } else if (sscanf(line, "link %d %d %d %d %d %d %d", &from, &to, &link.cut, &link.loss,
                    &link.delay, &link.jitter, &link.twice) == 7 &&
             from >= 0 && from < ports && to >= 0 && to < ports) {
    links[from][to] = link;
    printf("ok\n");
  } else {
    printf("not understood: %s\n", line);
  }
  fflush(stdout);
}

// Commands come in pieces; only whole lines count.
static int take_commands(void) {
  static char text[4096];
  static size_t held;
  ssize_t got = read(0, text + held, sizeof text - 1 - held);
  if (got <= 0) return 0;
  held += (size_t)got;
  text[held] = 0;
  char *end;
  while ((end = strchr(text, '\n')) != NULL) {
    *end = 0;
    command(text);
    held -= (size_t)(end + 1 - text);
    memmove(text, end + 1, held + 1);
  }
  return 1;
}

int main(int count, char **arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ports = count - 2;
  if (ports < 2 || ports > PORTS_MAX) {
    fprintf(stderr, "usage: wire SEED NAMESPACE NAMESPACE...\n");
    return 2;
  }
  chance = strtoull(arguments[1], NULL, 10) * 2 + 1;
  for (int port = 0; port < ports; port++) devices[port] = open_device(arguments[port + 2], port);
  printf("ready\n");
  fflush(stdout);
  struct pollfd watched[PORTS_MAX + 1];
  for (;;) {
    watched[0] = (struct pollfd){.fd = 0, .events = POLLIN};
    for (int port = 0; port < ports; port++)
      watched[port + 1] = (struct pollfd){.fd = devices[port], .events = POLLIN};
    int64_t wait = waiting == NULL ? -1 : waiting->due - now_ms();
    if (waiting != NULL && wait < 0) wait = 0;
    if (poll(watched, (nfds_t)ports + 1, (int)wait) < 0 && errno != EINTR) die("poll");
    release();
    for (int port = 0; port < ports; port++)
      if (watched[port + 1].revents & POLLIN) take(port);
    if (watched[0].revents != 0 && !take_commands()) return 0;
  }
}
