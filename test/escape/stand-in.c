/*
 * Stands in for a VMM that its guest has taken over: it is started in the VMM's place, tries to get
 * out of its jail, and writes what became of each attempt to the socket `report` beside itself, one
 * a line: its name, and `denied` with the error, `bounded` or `OPEN`.
 *
 * The file `targets`, beside it as well, names what is outside: one a line, a kind and a value.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_TREE_CLONE_FLAG 1
enum { MOST_PROCESSES = 5000 };

static FILE *report;
static char directory[4096];

static void denied(const char *name) {
  fprintf(report, "%s denied %s\n", name, strerrorname_np(errno));
}

static void result(const char *name, bool open) {
  if (open) fprintf(report, "%s OPEN\n", name);
  else denied(name);
  fflush(report);
}

/* A call that must fail; what it gives is left to the end of the process. */
static void call(const char *name, long number, ...) {
  va_list rest;
  va_start(rest, number);
  long a[6];
  for (int n = 0; n < 6; n++) a[n] = va_arg(rest, long);
  va_end(rest);
  errno = 0;
  result(name, syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) >= 0);
}
#define CALL(name, number, ...) call(name, number, ##__VA_ARGS__, 0L, 0L, 0L, 0L, 0L, 0L)

/* The last value of a kind; the stand-in ends without one. */
static const char *target(const char *kind) {
  static char value[4096];
  char path[4200], found[64];
  snprintf(path, sizeof path, "%s/targets", directory);
  FILE *file = fopen(path, "r");
  if (file == NULL) _exit(2);
  bool has = false;
  char text[4096];
  while (fscanf(file, "%63s %4095[^\n]", found, text) == 2) {
    if (strcmp(found, kind) != 0) continue;
    strcpy(value, text);
    has = true;
  }
  fclose(file);
  if (!has) _exit(3);
  return value;
}

static void file_attempt(const char *name, const char *path, int flags) {
  errno = 0;
  result(name, open(path, flags | O_CLOEXEC) >= 0);
}

static void unix_attempt(const char *name, const char *path, bool abstract) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  /* The server of an abstract one, Node, pads its name with zeros to the whole length. */
  strncpy(address.sun_path + (abstract ? 1 : 0), path, sizeof address.sun_path - 2);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  errno = 0;
  result(name, connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
}

static void files(void) {
  file_attempt("read-other-disk", target("disk"), O_RDONLY);
  file_attempt("write-other-disk", target("disk"), O_WRONLY);
  file_attempt("read-state", target("state"), O_RDONLY);
  file_attempt("write-program", "/usr/bin/true", O_WRONLY);
  file_attempt("write-sysctl", "/proc/sys/kernel/core_pattern", O_WRONLY);
  file_attempt("sysrq", "/proc/sysrq-trigger", O_WRONLY);
  file_attempt("kernel-memory", "/dev/mem", O_RDWR);
  file_attempt("kernel-log", "/dev/kmsg", O_RDONLY);
  file_attempt("sysfs", "/sys/kernel", O_RDONLY);
  file_attempt("host-shared-memory", target("shm"), O_RDONLY);
  unix_attempt("other-monitor", target("monitor"), false);
  unix_attempt("control-socket", target("control"), false);
  unix_attempt("abstract-socket", target("abstract"), true);
  char device[4200];
  snprintf(device, sizeof device, "%s/disk-device", directory);
  errno = 0;
  result("make-device", mknod(device, S_IFBLK | 0666, 0x700) == 0);
}

static void processes(void) {
  const pid_t server = atoi(target("pid"));
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/environ", server);
  file_attempt("read-host-process", path, O_RDONLY);
  /* In its own process ids, 1 is a process of the jail. */
  file_attempt("host-init", "/proc/1/root/etc/passwd", O_RDONLY);
  errno = 0;
  result("signal-host-process", kill(server, 0) == 0);
  errno = 0;
  result("ptrace", ptrace(PTRACE_ATTACH, server, NULL, NULL) == 0);
  CALL("pidfd", SYS_pidfd_open, (long)server);
  struct iovec own = {path, sizeof path}, other = {(void *)0x400000, 8};
  CALL("read-host-memory", SYS_process_vm_readv, (long)server, (long)&own, 1L, (long)&other, 1L);
  CALL("write-host-memory", SYS_process_vm_writev, (long)server, (long)&own, 1L, (long)&other, 1L);
}

static void rights(void) {
  errno = 0;
  result("become-root", setresuid(0, 0, 0) == 0);
  errno = 0;
  result("longer-files", setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) == 0);
  errno = 0;
  /* Every jail has one group of an ordinary user, which it may set again. */
  result("another-group", setresgid(4, 4, 4) == 0);
  errno = 0;
  result("more-groups", setgroups(1, (gid_t[]){4}) == 0);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{~0u, ~0u, 0}, {0, 0, 0}};
  CALL("capabilities", SYS_capset, (long)&header, (long)data);
  errno = 0;
  result("lift-no-new-privileges", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  errno = 0;
  result("core-dump", setrlimit(RLIMIT_CORE, &limit) == 0);
  errno = 0;
  result("more-files", setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void namespaces(void) {
  CALL("new-user-namespace", SYS_unshare, (long)CLONE_NEWUSER);
  CALL("new-mount-namespace", SYS_unshare, (long)CLONE_NEWNS);
  CALL("new-network-namespace", SYS_unshare, (long)CLONE_NEWNET);
  CALL("new-pid-namespace", SYS_unshare, (long)CLONE_NEWPID);
  long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  result("clone-namespace", child > 0);
  char clone3[88] = {0};
  *(uint64_t *)clone3 = CLONE_NEWUSER;
  CALL("clone3-namespace", SYS_clone3, (long)clone3, (long)sizeof clone3);
  int fd = open("/proc/1/ns/mnt", O_RDONLY);
  CALL("enter-namespace", SYS_setns, (long)fd, 0L);
}

static void mounts(void) {
  CALL("mount", SYS_mount, (long)"none", (long)directory, (long)"tmpfs", 0L, 0L);
  CALL("mount-proc", SYS_mount, (long)"proc", (long)directory, (long)"proc", 0L, 0L);
  CALL("remount", SYS_mount, (long)"none", (long)"/usr", 0L, (long)(MS_REMOUNT | MS_BIND), 0L);
  CALL("unmount", SYS_umount2, (long)"/usr", (long)MNT_DETACH);
  CALL("pivot-root", SYS_pivot_root, (long)directory, (long)directory);
  CALL("chroot", SYS_chroot, (long)directory);
  CALL("open-tree", SYS_open_tree, -100L, (long)"/", (long)OPEN_TREE_CLONE_FLAG);
  CALL("fsopen", SYS_fsopen, (long)"tmpfs", 0L);
  CALL("mount-setattr", SYS_mount_setattr, -100L, (long)"/usr", 0L, (long)(uint64_t[4]){0}, 32L);
  char handle[64] = {0};
  *(unsigned int *)handle = 8;
  int mount_id = 0;
  CALL("name-to-handle", SYS_name_to_handle_at, -100L, (long)"/", (long)handle, (long)&mount_id, 0L);
  CALL("open-by-handle", SYS_open_by_handle_at, -100L, (long)handle, 0L);
  CALL("watch-file-system", SYS_fanotify_init, 0L, 0L);
}

static void socket_attempt(const char *name, int family, int type, int protocol) {
  errno = 0;
  result(name, socket(family, type, protocol) >= 0);
}

static void network(void) {
  socket_attempt("raw-socket", AF_INET, SOCK_RAW, 1);
  socket_attempt("packet-socket", AF_PACKET, SOCK_RAW, 0);
  socket_attempt("netlink-socket", AF_NETLINK, SOCK_RAW, 0);
  socket_attempt("vsock-socket", AF_VSOCK, SOCK_STREAM, 0);
  socket_attempt("crypto-socket", AF_ALG, SOCK_SEQPACKET, 0);
  socket_attempt("sctp-socket", AF_INET, SOCK_STREAM, 132);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)atoi(target("port")));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  errno = 0;
  result("host-loopback", connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  address.sin_addr.s_addr = inet_addr("169.254.169.254");
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  errno = 0;
  bool open = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS;
  result("metadata-service", open);
}

static void kernel(void) {
  char zeros[256] = {0};
  CALL("io-uring", SYS_io_uring_setup, 8L, (long)zeros);
  CALL("aio", SYS_io_setup, 8L, (long)&(long){0});
  /* 1: of the program's own faults alone, which needs no right. */
  CALL("userfaultfd", SYS_userfaultfd, 1L);
  CALL("bpf", SYS_bpf, 0L, (long)zeros, (long)sizeof zeros);
  *(uint32_t *)zeros = 1;
  *(uint32_t *)(zeros + 4) = 112;
  CALL("perf", SYS_perf_event_open, (long)zeros, 0L, -1L, -1L, 0L);
  CALL("keyring", SYS_keyctl, 0L, -3L, 1L);
  CALL("add-key", SYS_add_key, (long)"user", (long)"a", (long)"b", 1L, -3L);
  CALL("request-key", SYS_request_key, (long)"user", (long)"a", 0L, -3L);
  CALL("load-module", SYS_init_module, (long)zeros, 8L, (long)"");
  CALL("kexec", SYS_kexec_load, 0L, 0L, 0L, 0L);
  CALL("reboot", SYS_reboot, 0xfee1deadL, 672274793L, 0L, 0L);
  CALL("swap", SYS_swapon, (long)"/dev/zero", 0L);
  CALL("kernel-log-call", SYS_syslog, 3L, (long)zeros, 16L);
  CALL("ports", SYS_iopl, 3L);
  CALL("segments", SYS_modify_ldt, 0L, (long)zeros, 16L);
  CALL("personality", SYS_personality, 0x0040000L);
  CALL("clock", SYS_clock_settime, 0L, (long)(long[2]){1, 1});
  CALL("host-name", SYS_sethostname, (long)"a", 1L);
  CALL("quota", SYS_quotactl, 0L, 0L, 0L, 0L);
  CALL("shared-memory", SYS_shmget, 0L, 4096L, 01600L);
  CALL("move-pages", SYS_move_pages, 0L, 0L, 0L, 0L, 0L, 0L);
  CALL("splice-memory", SYS_vmsplice, 1L, 0L, 0L, 0L);
}

/* Attempts whose success would change the process, in one of their own. */
static void apart(void (*attempts)(void)) {
  pid_t child = fork();
  if (child == 0) {
    attempts();
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

/* Runs in a process of its own, which a filter may kill. */
static void killed(const char *name, void (*attempt)(void)) {
  pid_t child = fork();
  if (child == 0) {
    attempt();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) fprintf(report, "%s denied SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
  else fprintf(report, "%s OPEN\n", name);
  fflush(report);
}

/* getpid of i386. */
static void other_table(void) {
  long got = 20;
  __asm__ volatile("int $0x80" : "+a"(got) : : "memory", "r8", "r9", "r10", "r11");
}
static void x32_table(void) { syscall(0x40000000L + 39); }

/* What fills the file system of the directory that the stand-in is in. */
static void own_directory(void) {
  char path[4200];
  snprintf(path, sizeof path, "%s/made", directory);
  errno = 0;
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  result("make-file", fd >= 0);
  if (fd >= 0) close(fd);
  unlink(path);
  errno = 0;
  result("make-directory", mkdir(path, 0700) == 0);
  rmdir(path);
  errno = 0;
  result("make-link", symlink("/", path) == 0);
  unlink(path);
}

/* Of a file that it was given, whichever number that has. There is one, or there is no report. */
static void given_files(void) {
  signal(SIGXFSZ, SIG_IGN);
  int found = 0;
  bool longer = false;
  for (int fd = 3; fd < 64; fd++) {
    struct stat about;
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || fstat(fd, &about) != 0) continue;
    if (!S_ISREG(about.st_mode)) continue;
    found++;
    errno = 0;
    if (ftruncate(fd, 1L << 42) == 0 || pwrite(fd, "", 1, 1L << 41) == 1) {
      longer = true;
      if (ftruncate(fd, about.st_size) != 0) _exit(7);
    }
  }
  if (found == 0 && strcmp(target("given"), "1") == 0) _exit(8);
  if (found == 0) fprintf(report, "lengthen-disk denied EBADF\n");
  else result("lengthen-disk", longer);
}

static void take_memory(void) {
  errno = 0;
  void *got = mmap(NULL, 1UL << 40, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  result("fill-memory", got != MAP_FAILED);
  errno = 0;
  got = mmap(NULL, 1UL << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  result("shared-mapping", got != MAP_FAILED);
  file_attempt("shared-zeros", "/dev/zero", O_RDWR);
  errno = 0;
  result("memory-file", syscall(SYS_memfd_create, "a", 0) >= 0);
}

/* All at once, with an end of its own. */
static void fork_bomb(void) {
  static pid_t children[MOST_PROCESSES];
  int count = 0;
  errno = 0;
  while (count < MOST_PROCESSES) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      pause();
      _exit(0);
    }
    children[count++] = child;
  }
  if (count < MOST_PROCESSES) fprintf(report, "fork-bomb bounded %s\n", strerrorname_np(errno));
  else fprintf(report, "fork-bomb OPEN\n");
  for (int n = 0; n < count; n++) kill(children[n], SIGKILL);
  for (int n = 0; n < count; n++) waitpid(children[n], NULL, 0);
  fflush(report);
}

int main(void) {
  ssize_t length = readlink("/proc/self/exe", directory, sizeof directory - 1);
  if (length < 0) return 4;
  directory[length] = 0;
  *strrchr(directory, '/') = 0;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%.90s/report", directory);
  int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(to, (struct sockaddr *)&address, sizeof address) != 0) return 5;
  report = fdopen(to, "w");
  if (report == NULL) return 6;
  files();
  processes();
  rights();
  apart(namespaces);
  apart(mounts);
  network();
  kernel();
  killed("system-calls-of-i386", other_table);
  killed("system-calls-of-x32", x32_table);
  own_directory();
  given_files();
  take_memory();
  fork_bomb();
  fclose(report);
  return 0;
}
