/*
 * A library with libkrun's ABI for tests. It keeps the rules of release 1.19.0, records each call,
 * and ends the process where libkrun would run into undefined behaviour.
 *
 * Compiled with KRUN_RELEASE (major * 10000 + minor * 100 + patch) it has the functions of that
 * release alone; KRUN_NO_NET, KRUN_NO_BLK and KRUN_TEE leave out what such builds do not have.
 * KRUN_VHOST_USER has what the branch after 1.19.0 has: 1 as a build with VHOST_USER=1, 0 as one
 * without.
 *
 * The environment of its process says what it does:
 *   A3S_KRUN_TEST_RECORD    the file that calls are appended to, one JSON document a line
 *   A3S_KRUN_TEST_RUN       what krun_start_enter does; see start.c
 *   A3S_KRUN_TEST_SHUTDOWN  `1`: there is a shutdown descriptor, as on macOS
 *   A3S_KRUN_TEST_KRUNFW    `1`: libkrunfw was found
 *   A3S_KRUN_TEST_CONSOLE   how many bytes the guest writes to its console
 */
#ifndef A3S_KRUN_TEST_H
#define A3S_KRUN_TEST_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef KRUN_RELEASE
#define KRUN_RELEASE 11900
#endif

#define EXPORT __attribute__((visibility("default")))

enum { MAX_ITEMS = 64 };

struct disk {
  char *id;
  char *path;
  uint32_t format;
  bool read_only;
};

struct share {
  char *tag;
  char *path;
  bool read_only;
};

/* A device that another program serves, at a socket. */
struct served {
  uint32_t type;
  char *socket;
  char *name;
  uint16_t queue_size;
};

struct port {
  uint32_t port;
  char *path;
  bool listen;
};

/* A multi-port console has ports of its own; the other kind has descriptors. */
struct console {
  bool multiport;
  int in;
  int out;
};

/* Memory of the caller that must not change. */
struct kept {
  const uint8_t *data;
  size_t length;
  uint64_t sum;
};

/* A network card that leads to a socket: at a path, or as a descriptor. */
struct card {
  char *path;
  int fd;
  uint8_t mac[6];
};

enum vsock { VSOCK_IMPLICIT, VSOCK_DISABLED, VSOCK_EXPLICIT };

struct context {
  bool used;
  uint32_t id;
  uint8_t vcpus;
  uint32_t ram_mib;
  char *kernel;
  uint32_t kernel_format;
  char *initrd;
  char *cmdline;
  char *firmware;
  char *tee_config;
  struct disk disks[MAX_ITEMS];
  int disk_count;
  char *root_disk;
  char *data_disk;
  bool block_root;
  struct share shares[MAX_ITEMS];
  int share_count;
  struct served served[MAX_ITEMS];
  int served_count;
  struct port ports[MAX_ITEMS];
  int port_count;
  enum vsock vsock;
  int network_devices;
  struct card cards[MAX_ITEMS];
  int card_count;
  bool legacy_card;
  struct console virtio[MAX_ITEMS];
  int virtio_count;
  struct console serial[MAX_ITEMS];
  int serial_count;
  bool console_output;
  bool no_implicit_console;
  struct kept kept[MAX_ITEMS];
  int kept_count;
  int descriptors[MAX_ITEMS];
  int descriptor_count;
  int shutdown_fd;
  bool has_uid;
  uid_t uid;
  bool has_gid;
  gid_t gid;
};

/* contexts.c */
struct context *find_context(uint32_t id);
bool is_utf8(const char *text);
bool are_utf8(const char *const list[]);
char *copy(const char *text);
uint64_t sum_of(const uint8_t *data, size_t length);
void keep_descriptor(struct context *context, int fd);
bool setting(const char *name);
/*
 * The value of a variable, or the one that the library was compiled with: the shim of a server has
 * no variables of a test.
 */
const char *behaviour(const char *name);

/* record.c */
/*
 * Appends a call and returns its result. The kinds of the values: `u` and `i` numbers, `b` a
 * boolean, `U` 64 bits, `s` a text or NULL, `l` a list or NULL, `m` six bytes, `d` bytes and their
 * length.
 */
int32_t recorded(const char *function, int32_t result, const char *kinds, ...);
/* Records what libkrun could not survive, and aborts. */
void misuse(const char *function, const char *what) __attribute__((noreturn));

/* limits.c */
int32_t check_limits(const struct context *context);

/* boot.c */
int boot_qemu(const struct context *context);

#endif
