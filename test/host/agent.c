/*
 * The command channel of an emulated host, on its side: runs programs that are asked for over a
 * virtio-serial port.
 *
 * A frame is: length of the payload (u32, little-endian), number of the command (u32), kind (u8),
 * payload.
 *   to the host:   S start: cwd NUL argc NUL argv... NUL env... NUL    I input    E end of input    K signal (u8), to its group
 *   from the host: O output    e error output    X end: exit status (u8), signal (u8)
 * It may be process 1: it then reaps whatever is orphaned.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMMANDS = 64, HEADER = 9, CHUNK = 32768, MOST_OUTPUT = 1 << 20, MOST_PAYLOAD = 1 << 22 };

struct buffer { char *bytes; size_t length, room; };
struct command { uint32_t number; pid_t pid; int input, output[2], ended, status, end_of_input; struct buffer pending; };

static struct command commands[COMMANDS];
static struct buffer received, sent;
static int wake[2];

static void fail(const char *what) {
  fprintf(stderr, "host agent: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void append(struct buffer *b, const void *bytes, size_t length) {
  if (b->length + length > b->room) {
    b->room = (b->length + length) * 2;
    if (!(b->bytes = realloc(b->bytes, b->room))) fail("memory");
  }
  memcpy(b->bytes + b->length, bytes, length);
  b->length += length;
}

static void drop(struct buffer *b, size_t length) {
  memmove(b->bytes, b->bytes + length, b->length - length);
  b->length -= length;
}

static void answer(uint32_t number, char kind, const void *payload, uint32_t length) {
  append(&sent, &length, 4);
  append(&sent, &number, 4);
  append(&sent, &kind, 1);
  append(&sent, payload, length);
}

static int open_port(const char *wanted) {
  char path[300], name[100];
  for (;; usleep(20000)) {
    DIR *ports = opendir("/sys/class/virtio-ports");
    if (!ports) continue;
    for (struct dirent *entry; (entry = readdir(ports));) {
      snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
      FILE *file = fopen(path, "r");
      if (!file) continue;
      int right = fgets(name, sizeof name, file) && (name[strcspn(name, "\n")] = 0, !strcmp(name, wanted));
      fclose(file);
      snprintf(path, sizeof path, "/dev/%s", entry->d_name);
      int port = right ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
      if (port < 0) continue;
      closedir(ports);
      return port;
    }
    closedir(ports);
  }
}

static void child_ended(int signal) {
  (void)signal;
  int before = errno;
  if (write(wake[1], "", 1) < 0 && errno != EAGAIN) _exit(1);
  errno = before;
}

static void start(uint32_t number, char *payload, size_t length) {
  static char *words[4096];
  size_t count = 0;
  for (char *at = payload; at < payload + length && count < 4094; at += strlen(at) + 1) words[count++] = at;
  words[count] = 0;
  size_t argc = count > 2 ? (size_t)atol(words[1]) : 0;
  struct command *c = commands;
  while (c < commands + COMMANDS && c->number) c++;
  if (c == commands + COMMANDS || argc == 0 || argc > count - 2) {
    const char why[] = "host agent: cannot start: malformed, or too many commands\n";
    answer(number, 'e', why, sizeof why - 1);
    answer(number, 'X', "\177\0", 2);
    return;
  }
  int in[2], out[2], err[2], executed[2];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(executed, O_CLOEXEC)) fail("pipe");
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    signal(SIGPIPE, SIG_DFL);
    setsid();
    dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
    char **env = words + 2 + argc;
    static char *argv[4096];
    memcpy(argv, words + 2, argc * sizeof *argv);
    environ = env;
    if (!chdir(words[0])) execvp(argv[0], argv);
    fprintf(stderr, "host agent: cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
  }
  close(in[0]), close(out[1]), close(err[1]), close(executed[1]);
  /* Until then it may have no group of its own, and a signal to that group would be lost. */
  while (read(executed[0], &(char){0}, 1) < 0 && errno == EINTR) continue;
  close(executed[0]);
  fcntl(in[1], F_SETFL, O_NONBLOCK);
  *c = (struct command){.number = number, .pid = pid, .input = in[1], .output = {out[0], err[0]}};
}

static struct command *find(uint32_t number) {
  for (struct command *c = commands; c < commands + COMMANDS; c++)
    if (number && c->number == number) return c;
  return 0;
}

static void accept_frames(void) {
  while (received.length >= HEADER) {
    uint32_t length, number;
    memcpy(&length, received.bytes, 4);
    memcpy(&number, received.bytes + 4, 4);
    if (length > MOST_PAYLOAD) errno = EMSGSIZE, fail("frame");
    if (received.length < HEADER + length) return;
    char kind = received.bytes[8], *payload = received.bytes + HEADER;
    struct command *c = find(number);
    if (kind == 'S') start(number, payload, length);
    else if (c && kind == 'I' && c->input >= 0) append(&c->pending, payload, length);
    else if (c && kind == 'E') c->end_of_input = 1;
    else if (c && kind == 'K' && length == 1 && !c->ended) kill(-c->pid, payload[0]);
    drop(&received, HEADER + length);
  }
}

static void reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    for (struct command *c = commands; c < commands + COMMANDS; c++)
      if (c->number && c->pid == pid) c->ended = 1, c->status = status;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void feed(struct command *c) {
  if (c->input < 0) return;
  while (c->pending.length) {
    ssize_t n = write(c->input, c->pending.bytes, c->pending.length);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) c->pending.length = 0, c->end_of_input = 1;
    else drop(&c->pending, n);
  }
  if (c->end_of_input) shut(&c->input);
}

static void collect(struct command *c, int which) {
  static char chunk[CHUNK];
  ssize_t n = read(c->output[which], chunk, sizeof chunk);
  if (n < 0 && errno == EINTR) return;
  if (n <= 0) shut(&c->output[which]);
  else answer(c->number, which ? 'e' : 'O', chunk, n);
}

/*
 * As with a child of Node, a command ends when its process has and nobody holds its outputs any
 * more.
 */
static void finish(struct command *c) {
  if (!c->number || !c->ended || c->output[0] >= 0 || c->output[1] >= 0) return;
  char end[2] = {WIFEXITED(c->status) ? WEXITSTATUS(c->status) : 0, WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0};
  answer(c->number, 'X', end, 2);
  shut(&c->input);
  free(c->pending.bytes);
  *c = (struct command){0};
}

static void receive(int port) {
  static char chunk[CHUNK];
  ssize_t n = read(port, chunk, sizeof chunk);
  if (n > 0) append(&received, chunk, n), accept_frames();
  else if (n < 0 && errno != EAGAIN && errno != EINTR) fail("port");
  /* Nobody is at the other end: the next client begins with a frame. */
  else if (n == 0) received.length = sent.length = 0, usleep(20000);
}

int main(int argc, char **argv) {
  /* `-`: its input is the channel, a socket. */
  int port = argc > 1 && !strcmp(argv[1], "-") ? 0 : open_port(argc > 1 ? argv[1] : "a3s.host");
  if (fcntl(port, F_SETFL, O_NONBLOCK) || fcntl(port, F_SETFD, FD_CLOEXEC)) fail("port");
  if (pipe2(wake, O_CLOEXEC | O_NONBLOCK)) fail("pipe");
  signal(SIGPIPE, SIG_IGN);
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = child_ended, .sa_flags = SA_RESTART}, 0);
  for (;;) {
    struct pollfd polled[2 + 3 * COMMANDS] = {{wake[0], POLLIN, 0}, {port, POLLIN, 0}};
    if (sent.length) polled[1].events |= POLLOUT;
    for (int i = 0; i < COMMANDS; i++) {
      struct pollfd *p = polled + 2 + 3 * i;
      struct command *c = commands + i;
      int reads = c->number && sent.length < MOST_OUTPUT;
      int writes = c->number && c->input >= 0 && (c->pending.length || c->end_of_input);
      p[0] = (struct pollfd){writes ? c->input : -1, POLLOUT, 0};
      for (int k = 0; k < 2; k++) p[1 + k] = (struct pollfd){reads ? c->output[k] : -1, POLLIN, 0};
    }
    if (poll(polled, 2 + 3 * COMMANDS, -1) < 0 && errno != EINTR) fail("poll");
    char woken[64];
    while (read(wake[0], woken, sizeof woken) > 0) continue;
    reap();
    if (polled[1].revents & (POLLIN | POLLHUP)) receive(port);
    for (int i = 0; i < COMMANDS; i++) {
      struct command *c = commands + i;
      if (!c->number) continue;
      if (polled[2 + 3 * i].revents) feed(c);
      for (int k = 0; k < 2; k++)
        if (polled[3 + 3 * i + k].revents && c->output[k] >= 0) collect(c, k);
      finish(c);
    }
    if (sent.length) {
      ssize_t n = write(port, sent.bytes, sent.length);
      if (n > 0) drop(&sent, n);
      else if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE && errno != ENODEV) fail("port");
    }
  }
}
