/*
 * A guest that relays bytes between its control port and its secure processor's port.
 * It ends when it reads a line that says "poweroff" at the control port.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
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
      // A port reads as ended while nobody holds its other end. A read that waits, since somebody
      // came after poll saw that, would wait for an answer to what is not asked yet.
      int fd = open(path, O_RDWR | O_NONBLOCK);
      if (fd >= 0) return fd;
    }
    if (ports) closedir(ports);
    usleep(20000);
  }
}

static void put(int fd, const char *bytes, ssize_t length) {
  while (length > 0) {
    ssize_t done = write(fd, bytes, length);
    if (done < 0) usleep(20000);
    else bytes += done, length -= done;
  }
}

int main(void) {
  mkdir("/dev", 0755);
  mkdir("/sys", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  int control = open_port("a3s.control"), processor = open_port("a3s.sp");
  static char bytes[65536];
  for (;;) {
    struct pollfd both[2] = {{control, POLLIN, 0}, {processor, POLLIN, 0}};
    poll(both, 2, 1000);
    for (int from = 0; from < 2; from++) {
      if (!(both[from].revents & POLLIN)) continue;
      ssize_t length = read(both[from].fd, bytes, sizeof bytes);
      if (length <= 0) {
        usleep(20000);
        continue;
      }
      if (from == 0 && length >= 9 && !memcmp(bytes, "poweroff\n", 9)) {
        sync();
        reboot(RB_POWER_OFF);
      }
      put(both[1 - from].fd, bytes, length);
    }
  }
}
