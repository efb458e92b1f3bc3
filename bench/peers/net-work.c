// One piece of work on connections, and the milliseconds that it took, by the clock of where it
// runs: net-work serve PORT, or net-work VERB ADDRESS PORT COUNT, where VERB is
//   throughput   COUNT MiB are sent, and their arrival is confirmed
//   download     the other way
//   latency      COUNT bytes go there and back, one after the other
//   connections  COUNT connections are made, with a byte there and back in each
//   requests     COUNT requests of HTTP, over four connections that are kept
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, CONNECTIONS = 4 };

static char block[MIB];

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static void all(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t done = send(fd, bytes, count, MSG_NOSIGNAL);
    if (done <= 0) err(1, "send");
    bytes += done;
    count -= done;
  }
}

static char one(int fd) {
  char byte;
  if (recv(fd, &byte, 1, 0) != 1) err(1, "recv");
  return byte;
}

static void undelayed(int fd) {
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

// What a client wants is its first byte.
static void answer(int fd) {
  undelayed(fd);
  char verb;
  if (recv(fd, &verb, 1, 0) != 1) return;
  if (verb == 't') {
    while (recv(fd, block, sizeof block, 0) > 0) {
    }
    all(fd, "t", 1);
  } else if (verb == 'd') {
    unsigned count = 0;
    if (recv(fd, &count, sizeof count, MSG_WAITALL) != sizeof count) return;
    for (unsigned n = 0; n < count; n++) all(fd, block, MIB);
  } else {
    char byte;
    while (recv(fd, &byte, 1, 0) == 1) all(fd, &byte, 1);
  }
}

static void serve(const char *port) {
  signal(SIGCHLD, SIG_IGN);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  if (bind(fd, (void *)&at, sizeof at) != 0 || listen(fd, 1024) != 0) err(1, "port %s", port);
  for (;;) {
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) err(1, "accept");
    if (fork() == 0) {
      answer(client);
      _exit(0);
    }
    close(client);
  }
}

static struct sockaddr_in target;

static void find(const char *host, const char *port) {
  target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  if (inet_pton(AF_INET, host, &target.sin_addr) != 1) errx(1, "%s is no address", host);
}

static int opened(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (void *)&target, sizeof target) != 0) err(1, "connect");
  undelayed(fd);
  return fd;
}

static void throughput(unsigned count) {
  int fd = opened();
  all(fd, "t", 1);
  for (unsigned n = 0; n < count; n++) all(fd, block, MIB);
  shutdown(fd, SHUT_WR);
  one(fd);
}

static void download(unsigned count) {
  int fd = opened();
  all(fd, "d", 1);
  all(fd, (char *)&count, sizeof count);
  size_t left = (size_t)count * MIB;
  while (left > 0) {
    ssize_t got = recv(fd, block, sizeof block, 0);
    if (got <= 0) err(1, "recv");
    left -= got;
  }
}

static void latency(unsigned count) {
  int fd = opened();
  all(fd, "e", 1);
  for (unsigned n = 0; n < count; n++) {
    all(fd, "x", 1);
    one(fd);
  }
}

static void connections(unsigned count) {
  for (unsigned n = 0; n < count; n++) {
    int fd = opened();
    all(fd, "ex", 2);
    one(fd);
    close(fd);
  }
}

// The answers have a length, and a body that fits into the buffer.
static void request(int fd) {
  static const char text[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
  all(fd, text, sizeof text - 1);
  size_t got = 0;
  for (;;) {
    ssize_t more = recv(fd, block + got, sizeof block - 1 - got, 0);
    if (more <= 0) err(1, "recv");
    got += more;
    block[got] = 0;
    char *end = strstr(block, "\r\n\r\n"), *length = strcasestr(block, "content-length:");
    if (end == NULL) continue;
    if (strncmp(block, "HTTP/1.1 200", 12) != 0 || length == NULL) errx(1, "%.60s", block);
    if (got >= (size_t)(end + 4 - block) + atoi(length + 15)) return;
  }
}

static void requests(unsigned count) {
  for (int n = 0; n < CONNECTIONS; n++) {
    if (fork() != 0) continue;
    int fd = opened();
    for (unsigned at = 0; at < count / CONNECTIONS; at++) request(fd);
    _exit(0);
  }
  for (int n = 0, status; n < CONNECTIONS; n++) {
    if (wait(&status) < 0 || status != 0) errx(1, "requests failed");
  }
}

static const struct {
  const char *name;
  void (*work)(unsigned);
} VERBS[] = {
    {"throughput", throughput}, {"download", download}, {"latency", latency},
    {"connections", connections}, {"requests", requests},
};

int main(int count, char **words) {
  if (count == 3 && strcmp(words[1], "serve") == 0) serve(words[2]);
  if (count != 5) return 2;
  find(words[2], words[3]);
  for (size_t n = 0; n < sizeof VERBS / sizeof *VERBS; n++) {
    if (strcmp(words[1], VERBS[n].name) != 0) continue;
    double begun = now();
    VERBS[n].work(atoi(words[4]));
    printf("%.3f\n", now() - begun);
    return 0;
  }
  return 2;
}
