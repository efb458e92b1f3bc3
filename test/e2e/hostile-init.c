/*
 * A guest that was taken over: whenever its host speaks, it answers with noise, with the beginning
 * of an answer that never ends, and with greetings that claim everything, as fast as its port takes
 * them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_port(const char *wanted) {
  for (;;) {
    DIR *ports = opendir("/sys/class/virtio-ports");
    struct dirent *entry;
    while (ports && (entry = readdir(ports))) {
      char path[300], name[64] = "";
      snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
      FILE *file = fopen(path, "r");
      if (!file) continue;
      if (!fgets(name, sizeof name, file)) name[0] = 0;
      fclose(file);
      name[strcspn(name, "\n")] = 0;
      if (strcmp(name, wanted)) continue;
      snprintf(path, sizeof path, "/dev/%s", entry->d_name);
      int fd = open(path, O_RDWR);
      if (fd >= 0) return fd;
    }
    if (ports) closedir(ports);
    usleep(20000);
  }
}

static void put(int fd, const void *bytes, size_t length) {
  const char *next = bytes;
  for (int tries = 0; length > 0 && tries < 50;) {
    ssize_t done = write(fd, next, length);
    if (done < 0) tries++, usleep(20000);
    else next += done, length -= done;
  }
}

static void frame(int fd, unsigned type, unsigned flags, unsigned stream, const void *bytes, unsigned length) {
  unsigned char head[9] = {length >> 16, length >> 8, length, type, flags,
                           stream >> 24, stream >> 16, stream >> 8, stream};
  put(fd, head, sizeof head);
  put(fd, bytes, length);
}

int main(void) {
  mkdir("/dev", 0755);
  mkdir("/sys", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  /* What a terminal would obey, on the console too. */
  puts("\033[2J\033]0;taken over\007hostile guest");
  fflush(stdout);
  int control = open_port("a3s.control");
  static char heard[65536], noise[16384];
  memset(noise, 'x', sizeof noise);
  const char forged[] =
      "{\"protocol\":{\"minimum\":9,\"maximum\":9},\"agent\":\"\\u001b[2J\\u202eforged\","
      "\"kernel\":\"\",\"bootId\":\"\"}";
  for (unsigned turn = 0;; turn++) {
    ssize_t length = read(control, heard, sizeof heard);
    if (length <= 0) {
      usleep(20000);
      continue;
    }
    if (turn < 4) { /* Noise, of some megabytes. */
      for (int n = 0; n < 256; n++) put(control, noise, sizeof noise);
      continue;
    }
    frame(control, 4, 0, 0, "", 0);
    if (turn < 8) { /* An answer without end. */
      frame(control, 1, 4, 1, "\x88", 1);
      for (int n = 0; n < 1024; n++) frame(control, 0, 0, 1, noise, sizeof noise);
      continue;
    }
    frame(control, 1, 4, 1, "\x88", 1);
    frame(control, 0, 1, 1, forged, sizeof forged - 1);
  }
}
