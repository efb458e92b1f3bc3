// Does to files what a shell cannot: file-probe map|flock|posix|direct|xattr FILE [VALUE], or
// file-probe storm DIRECTORY
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { BLOCK = 4096 };

static int said(const char *what) {
  printf("%s\n", what);
  fflush(stdout);
  return 0;
}

static int failed(void) { return said(strerrorname_np(errno)); }

// Prints who holds the file, and holds it until its input ends.
static int hold(int result) {
  if (result != 0) return errno == EAGAIN || errno == EACCES ? said("busy") : failed();
  said("locked");
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}

// Writes through a shared mapping, and prints what it then reads through it.
static int map(int fd, const char *value) {
  char *page = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return failed();
  if (value != NULL) {
    memcpy(page, value, strlen(value));
    if (msync(page, BLOCK, MS_SYNC) != 0) return failed();
  }
  char text[64];
  snprintf(text, sizeof text, "%s", page);
  text[strcspn(text, "\n")] = 0;
  return said(text);
}

// Writes and reads one block past the cache.
static int direct(int fd, const char *value) {
  char *block;
  if (posix_memalign((void **)&block, BLOCK, BLOCK) != 0) return said("no memory");
  memset(block, value[0], BLOCK);
  if (pwrite(fd, block, BLOCK, 0) != BLOCK || fsync(fd) != 0) return failed();
  memset(block, 0, BLOCK);
  if (pread(fd, block, BLOCK, 0) != BLOCK) return failed();
  return said(block[BLOCK - 1] == value[0] ? "written" : "read something else");
}

// A value of each attribute that the kernel itself reads, or one byte.
static int set(const char *file, const char *name) {
  static const unsigned char capability[20] = {0, 0, 0, 2, 0, 4};
  static const unsigned char acl[28] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 4, 0,
                                        4, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255};
  const void *value = "x";
  size_t size = 1;
  if (strcmp(name, "security.capability") == 0) value = capability, size = sizeof capability;
  if (strcmp(name, "system.posix_acl_access") == 0) value = acl, size = sizeof acl;
  return setxattr(file, name, value, size, 0) == 0 ? said("set") : failed();
}

// Asks for new names and opens a file, without pause, in the directories 0 to 7 below this one,
// until its input ends.
static int storm(const char *directory) {
  pid_t children[8];
  for (int i = 0; i < 8; i++) {
    children[i] = fork();
    if (children[i] != 0) continue;
    char absent[256], present[256];
    struct stat found;
    snprintf(present, sizeof present, "%s/%d/name", directory, i);
    for (long n = 0;; n++) {
      snprintf(absent, sizeof absent, "%s/%d/absent-%ld", directory, i, n);
      stat(absent, &found);
      int fd = open(present, O_RDONLY);
      if (fd >= 0) close(fd);
    }
  }
  hold(0);
  for (int i = 0; i < 8; i++) {
    kill(children[i], SIGKILL);
    waitpid(children[i], NULL, 0);
  }
  return 0;
}

int main(int count, char **words) {
  if (count < 3) return 2;
  const char *verb = words[1], *file = words[2], *value = count > 3 ? words[3] : NULL;
  if (strcmp(verb, "xattr") == 0) return set(file, value);
  if (strcmp(verb, "storm") == 0) return storm(file);
  int flags = strcmp(verb, "direct") == 0 ? O_DIRECT : 0;
  int fd = open(file, O_RDWR | O_CREAT | flags, 0666);
  if (fd < 0) return failed();
  if (strcmp(verb, "map") == 0) return map(fd, value);
  if (strcmp(verb, "direct") == 0) return direct(fd, value);
  if (strcmp(verb, "flock") == 0) return hold(flock(fd, LOCK_EX | LOCK_NB));
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return hold(fcntl(fd, F_SETLK, &whole));
}
