/*
 * What busybox lacks. "socket-probe FAMILY" says whether a stream socket of the address family can
 * be made: "ok", or the error's name. "socket-probe udp PORT" answers each datagram with "udp " and
 * its text.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int answer(int port) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)}, client;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0) return 1;
  for (;;) {
    char text[64] = "udp ";
    socklen_t length = sizeof client;
    ssize_t n = recvfrom(fd, text + 4, sizeof text - 4, 0, (struct sockaddr *)&client, &length);
    if (n < 0) return 1;
    sendto(fd, text, n + 4, 0, (struct sockaddr *)&client, length);
  }
}

int main(int argc, char **argv) {
  if (argc == 3) return answer(atoi(argv[2]));
  int family = argc == 2 ? atoi(argv[1]) : -1;
  int fd = socket(family, SOCK_STREAM, 0);
  puts(fd >= 0 ? "ok" : strerrorname_np(errno));
  return 0;
}
