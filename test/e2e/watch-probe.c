/*
 * Prints the inotify events of the paths in its arguments, each a line `NAME KIND`. Its mask is
 * that of Node's fs.watch.
 */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv) {
  static char buffer[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
  int fd = inotify_init1(IN_CLOEXEC);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++) {
    if (inotify_add_watch(fd, argv[i],
                          IN_ATTRIB | IN_CREATE | IN_MODIFY | IN_DELETE | IN_DELETE_SELF |
                              IN_MOVE_SELF | IN_MOVED_FROM | IN_MOVED_TO) < 0) {
      perror(argv[i]);
      return 1;
    }
  }
  puts("ready");
  for (;;) {
    ssize_t size = read(fd, buffer, sizeof buffer);
    if (size <= 0) return 1;
    for (char *at = buffer; at < buffer + size;) {
      struct inotify_event *event = (struct inotify_event *)at;
      printf("%s %s\n", event->len > 0 ? event->name : ".",
             event->mask & IN_MODIFY ? "modified" : "other");
      at += sizeof *event + event->len;
    }
  }
}
