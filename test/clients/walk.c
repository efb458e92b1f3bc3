/*
 * Prints one line for each file below a directory, in no order: what two unpackers of one image
 * must agree on.
 *
 *   PATH TAB TYPE MODE UID GID SIZE MTIME RDEV INODE:LINKS TAB XATTRS TAB CONTENT
 *
 * Names, link targets and values of attributes are in hexadecimal. CONTENT is a link's target, or
 * FNV-1a over a file's bytes. Names given after the directory are left out at its top.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static char **left_out;

static void fail(const char *what, const char *path) {
  fprintf(stderr, "walk: %s %s: %m\n", what, path);
  exit(1);
}

static void hex(const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void xattrs(int directory, const char *name, const char *path) {
  char link[64];
  int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  struct stat st;
  if (fstat(fd, &st) < 0) fail("stat", path);
  /* A link has none that an image may set; the way through /proc would follow it. */
  if (S_ISLNK(st.st_mode)) {
    close(fd);
    return;
  }
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  static char list[65536], value[65536];
  ssize_t size = listxattr(link, list, sizeof list);
  if (size < 0) fail("listxattr", path);
  char *names[1024];
  size_t count = 0;
  for (char *at = list; at < list + size && count < 1024; at += strlen(at) + 1) names[count++] = at;
  qsort(names, count, sizeof *names, by_name);
  for (size_t i = 0; i < count; i++) {
    ssize_t length = getxattr(link, names[i], value, sizeof value);
    if (length < 0) fail(names[i], path);
    printf("%s=", names[i]);
    hex(value, (size_t)length);
    putchar(',');
  }
  close(fd);
}

static void content(int directory, const char *name, const char *path, mode_t mode) {
  static unsigned char buffer[1 << 16];
  if (S_ISLNK(mode)) {
    ssize_t length = readlinkat(directory, name, (char *)buffer, sizeof buffer);
    if (length < 0) fail("readlink", path);
    hex(buffer, (size_t)length);
  }
  if (!S_ISREG(mode)) return;
  int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  uint64_t hash = 0xcbf29ce484222325;
  ssize_t length;
  while ((length = read(fd, buffer, sizeof buffer)) > 0)
    for (ssize_t i = 0; i < length; i++) hash = (hash ^ buffer[i]) * 0x100000001b3;
  if (length < 0) fail("read", path);
  printf("%016" PRIx64, hash);
  close(fd);
}

static void walk(int directory, const char *path, int top) {
  DIR *entries = fdopendir(directory);
  if (entries == NULL) fail("read", path);
  struct dirent *entry;
  while ((entry = readdir(entries)) != NULL) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (top) {
      char **skip = left_out;
      while (*skip != NULL && strcmp(*skip, name) != 0) skip++;
      if (*skip != NULL) continue;
    }
    char *child;
    if (asprintf(&child, "%s/%s", path, name) < 0) fail("name", path);
    struct stat st;
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0) fail("stat", child);
    hex(child, strlen(child));
    printf("\t%o %o %u %u %jd %jd.%09ld %u:%u %ju:%ju\t", st.st_mode & S_IFMT, st.st_mode & 07777, st.st_uid, st.st_gid,
           S_ISDIR(st.st_mode) ? (intmax_t)0 : (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
           major(st.st_rdev), minor(st.st_rdev), (uintmax_t)st.st_ino, S_ISDIR(st.st_mode) ? (uintmax_t)1 : (uintmax_t)st.st_nlink);
    xattrs(directory, name, child);
    putchar('\t');
    content(directory, name, child, st.st_mode);
    putchar('\n');
    if (S_ISDIR(st.st_mode)) {
      int below = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below < 0) fail("open", child);
      walk(below, child, 0);
    }
    free(child);
  }
  closedir(entries);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  left_out = argv + 2;
  int root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) fail("open", argv[1]);
  walk(root, "", 1);
  return fflush(stdout) == 0 ? 0 : 1;
}
