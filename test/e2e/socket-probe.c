/*
 * Says whether a stream socket of the address family in its argument can be made: "ok", or the
 * error's name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
  int family = argc == 2 ? atoi(argv[1]) : -1;
  int fd = socket(family, SOCK_STREAM, 0);
  puts(fd >= 0 ? "ok" : strerrorname_np(errno));
  return 0;
}
