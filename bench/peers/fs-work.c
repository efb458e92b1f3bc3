// One piece of work on files, and the milliseconds that it took, by the clock of where it runs:
// fs-work write|read|random|small DIRECTORY, fs-work tree DIRECTORY FILES, or
// fs-work time PROGRAM ...
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MIB = 1 << 20,
  LARGE_MIB = 64,
  RANDOM_WRITES = 200,
  SMALL_FILES = 10000,
  IN_DIRECTORY = 100,
  PAGE = 4096,
};

static char block[MIB];

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static int opened(const char *path, int flags) {
  int fd = open(path, flags, 0644);
  if (fd < 0) err(1, "%s", path);
  return fd;
}

static void synced(int fd) {
  if (fsync(fd) != 0) err(1, "fsync");
}

static void writeLarge(void) {
  int fd = opened("large", O_CREAT | O_TRUNC | O_WRONLY);
  for (int n = 0; n < LARGE_MIB; n++) {
    if (write(fd, block, MIB) != MIB) err(1, "write");
  }
  synced(fd);
  close(fd);
}

// What the kernel here has in its cache is read again.
static void readLarge(void) {
  int fd = opened("large", O_RDONLY);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  for (int n = 0; n < LARGE_MIB; n++) {
    if (read(fd, block, MIB) <= 0) err(1, "read");
  }
  close(fd);
}

static void writeRandom(void) {
  int fd = opened("large", O_WRONLY);
  srandom(1);
  for (int n = 0; n < RANDOM_WRITES; n++) {
    off_t at = (random() % (LARGE_MIB * (MIB / PAGE))) * (off_t)PAGE;
    if (pwrite(fd, block, PAGE, at) != PAGE) err(1, "pwrite");
    synced(fd);
  }
  close(fd);
}

static void each(int files, void (*act)(const char *path)) {
  char path[64];
  for (int n = 0; n < files; n++) {
    snprintf(path, sizeof path, "d%d", n / IN_DIRECTORY);
    if (n % IN_DIRECTORY == 0) mkdir(path, 0755);
    snprintf(path, sizeof path, "d%d/f%d", n / IN_DIRECTORY, n);
    act(path);
  }
}

static void make(const char *path) {
  int fd = opened(path, O_CREAT | O_EXCL | O_WRONLY);
  if (write(fd, block, 1024) != 1024) err(1, "write");
  close(fd);
}

static void look(const char *path) {
  char content[1024];
  int fd = opened(path, O_RDONLY);
  if (read(fd, content, sizeof content) != sizeof content) err(1, "read");
  close(fd);
}

static void removeFile(const char *path) {
  if (unlink(path) != 0) err(1, "%s", path);
}

// Makes, reads and removes.
static void small(void) {
  if (mkdir("small", 0755) != 0 || chdir("small") != 0) err(1, "small");
  each(SMALL_FILES, make);
  each(SMALL_FILES, look);
  each(SMALL_FILES, removeFile);
  char path[64];
  for (int n = 0; n < SMALL_FILES / IN_DIRECTORY; n++) {
    snprintf(path, sizeof path, "d%d", n);
    if (rmdir(path) != 0) err(1, "%s", path);
  }
  if (chdir("..") != 0 || rmdir("small") != 0) err(1, "small");
}

static void run(char **words) {
  pid_t child = fork();
  if (child == 0) {
    execv(words[0], words);
    err(1, "%s", words[0]);
  }
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) errx(1, "%s: %d", words[0], status);
}

int main(int count, char **words) {
  if (count < 3) return 2;
  const char *verb = words[1];
  memset(block, 'x', sizeof block);
  int isTime = strcmp(verb, "time") == 0;
  if (!isTime && chdir(words[2]) != 0) err(1, "%s", words[2]);
  double begun = now();
  if (isTime) run(words + 2);
  else if (strcmp(verb, "write") == 0) writeLarge();
  else if (strcmp(verb, "read") == 0) readLarge();
  else if (strcmp(verb, "random") == 0) writeRandom();
  else if (strcmp(verb, "small") == 0) small();
  else if (strcmp(verb, "tree") == 0 && count == 4) each(atoi(words[3]), make);
  else return 2;
  printf("%.3f\n", now() - begun);
  return 0;
}
