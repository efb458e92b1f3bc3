/*
 * krun_start_enter. A3S_KRUN_TEST_RUN says what the microVM does:
 *   exit:N     it ends at once, and the process with status N
 *   wait       it runs until it is asked to shut down, and returns the bytes of its vsock ports,
 *              which it shows on its console too
 *   return:N   libkrun returns the error N
 *   signal:N   the VMM dies of a signal
 *   boot       the described microVM boots, in QEMU
 *   exec:PATH  the process becomes this program, with the jail, rights and files of the VMM
 */
#include "krun.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* About what libkrun needs to build its VMM, and more than koffi gives by itself. */
enum { STACK_BYTES = 4 * 1024 * 1024 };

static void use_stack(void) {
  volatile char room[STACK_BYTES];
  for (size_t n = 0; n < sizeof room; n += 1024) room[n] = 1;
}

static int32_t check_files(const struct context *context) {
  if (context->kernel != NULL && access(context->kernel, R_OK) != 0) return -EINVAL;
  for (int n = 0; n < context->disk_count; n++) {
    const struct disk *disk = &context->disks[n];
    int fd = open(disk->path, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) return -EINVAL;
    close(fd);
  }
  return 0;
}

/* What the caller promised to leave alone is as it was. */
static void check_promises(const struct context *context) {
  for (int n = 0; n < context->kept_count; n++) {
    const struct kept *kept = &context->kept[n];
    if (sum_of(kept->data, kept->length) != kept->sum) {
      misuse("krun_start_enter", "the bytes of an overlay file have changed");
    }
  }
  for (int n = 0; n < context->descriptor_count; n++) {
    if (fcntl(context->descriptors[n], F_GETFD) < 0) {
      misuse("krun_start_enter", "a descriptor was closed");
    }
  }
}

static int console_of(const struct context *context) {
  if (context->serial_count > 0) return context->serial[0].out;
  return context->virtio_count > 0 ? context->virtio[0].out : -1;
}

static void write_console(const struct context *context) {
  const char *bytes = getenv("A3S_KRUN_TEST_CONSOLE");
  int out = console_of(context);
  if (bytes == NULL || out < 0) return;
  char line[32];
  for (long n = 0; n < atol(bytes) / 10; n++) {
    snprintf(line, sizeof line, "%09ld\n", n);
    if (write(out, line, 10) != 10) misuse("write_console", "the console takes nothing");
  }
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  /* A client that finds the socket can connect: it gets its name once it listens. */
  char unnamed[sizeof address.sun_path];
  int length = snprintf(unnamed, sizeof unnamed, "%s.new", path);
  if (length >= (int)sizeof unnamed) return -1;
  strcpy(address.sun_path, unnamed);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  return listen(fd, 8) == 0 && rename(unnamed, path) == 0 ? fd : -1;
}

enum { MAX_POLLED = 1 + 2 * MAX_ITEMS };

/* Returns a connection's bytes, and shows them on the console. False when it has ended. */
static bool echo(int fd, int console) {
  char bytes[4096];
  ssize_t length = read(fd, bytes, sizeof bytes);
  if (length > 0 && console >= 0 && write(console, bytes, (size_t)length) != length) return false;
  return length > 0 && write(fd, bytes, (size_t)length) == length;
}

static int wait_for_shutdown(const struct context *context) {
  struct pollfd polled[MAX_POLLED] = {{.fd = context->shutdown_fd, .events = POLLIN}};
  int listeners = 1;
  for (int n = 0; n < context->port_count; n++) {
    if (!context->ports[n].listen) continue;
    int fd = listen_at(context->ports[n].path);
    if (fd < 0) return -EINVAL;
    polled[listeners++] = (struct pollfd){.fd = fd, .events = POLLIN};
  }
  int count = listeners;
  for (;;) {
    if (poll(polled, (nfds_t)count, -1) < 0) continue;
    if (polled[0].revents != 0) _exit(0);
    for (int n = listeners; n < count; n++) {
      if (polled[n].revents == 0 || echo(polled[n].fd, console_of(context))) continue;
      close(polled[n].fd);
      polled[n--] = polled[--count];
    }
    for (int n = 1; n < listeners; n++) {
      if (polled[n].revents == 0 || count == MAX_POLLED) continue;
      polled[count++] = (struct pollfd){.fd = accept(polled[n].fd, NULL, NULL), .events = POLLIN};
    }
  }
}

static int32_t run(struct context *context) {
  const char *mode = behaviour("A3S_KRUN_TEST_RUN");
  int number = 0;
  if (mode == NULL) misuse("krun_start_enter", "A3S_KRUN_TEST_RUN is not set");
  write_console(context);
  if (sscanf(mode, "exit:%d", &number) == 1) _exit(number);
  if (sscanf(mode, "return:%d", &number) == 1) return -number;
  if (sscanf(mode, "signal:%d", &number) == 1) raise(number);
  if (strcmp(mode, "wait") == 0) return wait_for_shutdown(context);
  if (strncmp(mode, "exec:", 5) == 0) {
    execl(mode + 5, mode + 5, (char *)NULL);
    return -errno;
  }
  if (strcmp(mode, "boot") == 0) return boot_qemu(context);
  misuse("krun_start_enter", "A3S_KRUN_TEST_RUN is unknown");
}

EXPORT int32_t krun_start_enter(uint32_t id) {
  prctl(PR_SET_NAME, "libkrun VM");
  struct context *found = find_context(id);
  if (found == NULL) return recorded(__func__, -ENOENT, "u", id);
  struct context context = *found;
  found->used = false;
  use_stack();
  const bool bundled = setting("A3S_KRUN_TEST_KRUNFW");
  if (context.kernel == NULL && context.firmware == NULL && !bundled) {
    return recorded(__func__, -ENOENT, "u", id);
  }
#ifdef KRUN_TEE
  if (context.tee_config == NULL) return recorded(__func__, -EINVAL, "u", id);
#endif
  int32_t result = check_files(&context);
  if (result == 0) result = check_limits(&context);
  if (result != 0) return recorded(__func__, result, "u", id);
  if (context.has_gid && setgid(context.gid) != 0) return recorded(__func__, -errno, "u", id);
  if (context.has_uid && setuid(context.uid) != 0) return recorded(__func__, -errno, "u", id);
  check_promises(&context);
  recorded(__func__, 0, "u", id);
  return run(&context);
}
