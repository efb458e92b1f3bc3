/* Disks, shared directories, consoles. */
#include "krun.h"

#include <string.h>
#include <unistd.h>

#define NEED_CONTEXT(kinds, ...)                    \
  struct context *context = find_context(id);       \
  if (context == NULL) return recorded(__func__, -ENOENT, kinds, __VA_ARGS__)

#define NEED_POINTER(pointer) \
  if ((pointer) == NULL) misuse(__func__, #pointer " is NULL")

#define NEED_ROOM(count) \
  if ((count) == MAX_ITEMS) misuse(__func__, "there are too many")

/* Older releases do without some of these. */
#define HELPER static __attribute__((unused))

#ifndef KRUN_NO_BLK
HELPER void add_disk(struct context *context, const char *name, const char *path, uint32_t format,
                     bool read_only) {
  NEED_ROOM(context->disk_count);
  context->disks[context->disk_count++] =
      (struct disk){copy(name), copy(path), format, read_only};
}

#if KRUN_RELEASE >= 10905
EXPORT int32_t krun_add_disk(uint32_t id, const char *name, const char *path, bool read_only) {
  NEED_POINTER(name);
  NEED_POINTER(path);
  if (!is_utf8(name) || !is_utf8(path)) {
    return recorded(__func__, -EINVAL, "ussb", id, name, path, (int)read_only);
  }
  NEED_CONTEXT("ussb", id, name, path, (int)read_only);
  add_disk(context, name, path, 0, read_only);
  return recorded(__func__, 0, "ussb", id, name, path, (int)read_only);
}
#endif

#if KRUN_RELEASE >= 11000
EXPORT int32_t krun_add_disk2(uint32_t id, const char *name, const char *path, uint32_t format,
                              bool read_only) {
  NEED_POINTER(name);
  NEED_POINTER(path);
  if (!is_utf8(name) || !is_utf8(path) || format > 2) {
    return recorded(__func__, -EINVAL, "ussub", id, name, path, format, (int)read_only);
  }
  NEED_CONTEXT("ussub", id, name, path, format, (int)read_only);
  add_disk(context, name, path, format, read_only);
  return recorded(__func__, 0, "ussub", id, name, path, format, (int)read_only);
}
#endif

#if KRUN_RELEASE >= 11700
EXPORT int32_t krun_add_disk3(uint32_t id, const char *name, const char *path, uint32_t format,
                              bool read_only, bool direct, uint32_t sync) {
  NEED_POINTER(name);
  NEED_POINTER(path);
  const char *kinds = "ussubbu";
  if (!is_utf8(name) || !is_utf8(path) || format > 2 || sync > 2) {
    return recorded(__func__, -EINVAL, kinds, id, name, path, format, (int)read_only, (int)direct,
                    sync);
  }
  NEED_CONTEXT(kinds, id, name, path, format, (int)read_only, (int)direct, sync);
  add_disk(context, name, path, format, read_only);
  return recorded(__func__, 0, kinds, id, name, path, format, (int)read_only, (int)direct, sync);
}
#endif

EXPORT int32_t krun_set_root_disk(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  context->root_disk = copy(path);
  return recorded(__func__, 0, "us", id, path);
}

EXPORT int32_t krun_set_data_disk(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  context->data_disk = copy(path);
  return recorded(__func__, 0, "us", id, path);
}
#endif

#ifndef KRUN_TEE
static const char ROOT_TAG[] = "/dev/root";

HELPER struct share *find_share(struct context *context, const char *tag) {
  for (int n = 0; n < context->share_count; n++) {
    if (strcmp(context->shares[n].tag, tag) == 0) return &context->shares[n];
  }
  return NULL;
}

static void add_share(struct context *context, const char *tag, const char *path, bool read_only) {
  NEED_ROOM(context->share_count);
  context->shares[context->share_count++] = (struct share){copy(tag), copy(path), read_only};
}

EXPORT int32_t krun_set_root(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  add_share(context, ROOT_TAG, path, false);
  return recorded(__func__, 0, "us", id, path);
}

static int32_t share(uint32_t id, const char *tag, const char *path, bool read_only) {
  if (tag == NULL || !is_utf8(tag) || (path != NULL && !is_utf8(path))) return -EINVAL;
  struct context *context = find_context(id);
  if (context == NULL) return -ENOENT;
  add_share(context, tag, path, read_only);
  return 0;
}

EXPORT int32_t krun_add_virtiofs(uint32_t id, const char *tag, const char *path) {
  return recorded(__func__, share(id, tag, path, false), "uss", id, tag, path);
}

EXPORT int32_t krun_add_virtiofs2(uint32_t id, const char *tag, const char *path, uint64_t size) {
  return recorded(__func__, share(id, tag, path, false), "ussU", id, tag, path, size);
}

#if KRUN_RELEASE >= 11800
EXPORT int32_t krun_add_virtiofs3(uint32_t id, const char *tag, const char *path, uint64_t size,
                                  bool read_only) {
  const int32_t result = share(id, tag, path, read_only);
  return recorded(__func__, result, "ussUb", id, tag, path, size, (int)read_only);
}
#endif

EXPORT int32_t krun_set_mapped_volumes(uint32_t id, const char *const volumes[]) {
  return recorded(__func__, -EINVAL, "ul", id, volumes);
}

#if !defined(KRUN_NO_BLK) && KRUN_RELEASE >= 11500
EXPORT int32_t krun_set_root_disk_remount(uint32_t id, const char *device, const char *type,
                                          const char *options) {
  NEED_POINTER(device);
  NEED_CONTEXT("usss", id, device, type, options);
  const bool refused = find_share(context, ROOT_TAG) != NULL || context->disk_count == 0;
  if (!refused) add_share(context, ROOT_TAG, NULL, false);
  return recorded(__func__, refused ? -EINVAL : 0, "usss", id, device, type, options);
}
#endif

#if KRUN_RELEASE >= 11900
EXPORT int32_t krun_disable_implicit_init(uint32_t id) {
  NEED_CONTEXT("u", id);
  return recorded(__func__, 0, "u", id);
}

static const uint8_t INIT[] = "\177ELF init of the test library";

EXPORT int32_t krun_get_default_init(const uint8_t **data, size_t *length) {
  if (data == NULL || length == NULL) return recorded(__func__, -EINVAL, "");
  *data = INIT;
  *length = sizeof INIT;
  return recorded(__func__, 0, "");
}

/* Directories inside a share are not kept: only names without a slash have a place. */
static int32_t overlay(struct context *context, const char *tag, const char *path) {
  if (tag == NULL || path == NULL) return -EINVAL;
  if (context == NULL || find_share(context, tag) == NULL) return -ENOENT;
  const char *name = path[0] == '/' ? path + 1 : path;
  if (name[0] == '\0' || name[strlen(name) - 1] == '/') return -EINVAL;
  return strchr(name, '/') == NULL ? 0 : -ENOENT;
}

EXPORT int32_t krun_fs_add_overlay_file(uint32_t id, const char *tag, const char *path,
                                        const uint8_t *data, size_t length, uint32_t mode,
                                        bool once) {
  struct context *context = find_context(id);
  int32_t result = overlay(context, tag, path);
  if (length > 0 && data == NULL) result = -EINVAL;
  if (result == 0 && length > 0) {
    NEED_ROOM(context->kept_count);
    context->kept[context->kept_count++] = (struct kept){data, length, sum_of(data, length)};
  }
  return recorded(__func__, result, "ussdub", id, tag, path, data, length, mode, (int)once);
}

EXPORT int32_t krun_fs_add_overlay_dir(uint32_t id, const char *tag, const char *path,
                                       uint32_t mode) {
  const int32_t result = overlay(find_context(id), tag, path);
  return recorded(__func__, result, "ussu", id, tag, path, mode);
}
#endif
#endif

#ifdef KRUN_VHOST_USER
/* A count of 0 leaves the queues to the backend, and ends the sizes at a 0. */
EXPORT int32_t krun_add_vhost_user_device(uint32_t id, uint32_t type, const char *socket,
                                          const char *name, uint16_t queues,
                                          const uint16_t *sizes) {
  const size_t length = queues * sizeof *sizes;
#define RECORD(result) recorded(__func__, result, "uussud", id, type, socket, name, \
                                (uint32_t)queues, (const uint8_t *)sizes, length)
  if (KRUN_VHOST_USER == 0) return RECORD(-ENOTSUP);
  NEED_POINTER(socket);
  if (!is_utf8(socket) || socket[0] == '\0') return RECORD(-EINVAL);
  struct context *context = find_context(id);
  if (context == NULL) return RECORD(-ENOENT);
  NEED_ROOM(context->served_count);
  const uint16_t size = queues > 0 && sizes != NULL ? sizes[queues - 1] : 256;
  context->served[context->served_count++] = (struct served){type, copy(socket), copy(name), size};
  return RECORD(0);
#undef RECORD
}
#endif

EXPORT int32_t krun_set_console_output(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  const bool refused = context->console_output;
  context->console_output = true;
  return recorded(__func__, refused ? -EINVAL : 0, "us", id, path);
}

#if KRUN_RELEASE >= 11600
EXPORT int32_t krun_disable_implicit_console(uint32_t id) {
  NEED_CONTEXT("u", id);
  context->no_implicit_console = true;
  return recorded(__func__, 0, "u", id);
}

EXPORT int32_t krun_add_virtio_console_default(uint32_t id, int in, int out, int err) {
  NEED_CONTEXT("uiii", id, in, out, err);
  NEED_ROOM(context->virtio_count);
  keep_descriptor(context, in);
  keep_descriptor(context, out);
  keep_descriptor(context, err);
  context->virtio[context->virtio_count++] = (struct console){false, in, out};
  return recorded(__func__, 0, "uiii", id, in, out, err);
}

EXPORT int32_t krun_add_serial_console_default(uint32_t id, int in, int out) {
  NEED_CONTEXT("uii", id, in, out);
  NEED_ROOM(context->serial_count);
  keep_descriptor(context, in);
  keep_descriptor(context, out);
  context->serial[context->serial_count++] = (struct console){false, in, out};
  return recorded(__func__, 0, "uii", id, in, out);
}
#endif

#if KRUN_RELEASE >= 11700
EXPORT int32_t krun_add_virtio_console_multiport(uint32_t id) {
  NEED_CONTEXT("u", id);
  NEED_ROOM(context->virtio_count);
  context->virtio[context->virtio_count] = (struct console){true, -1, -1};
  return recorded(__func__, context->virtio_count++, "u", id);
}

static bool has_ports(const struct context *context, uint32_t console) {
  return console < (uint32_t)context->virtio_count && context->virtio[console].multiport;
}

EXPORT int32_t krun_add_console_port_tty(uint32_t id, uint32_t console, const char *name, int tty) {
  int32_t result = 0;
  struct context *context = find_context(id);
  if (tty < 0 || (name != NULL && !is_utf8(name))) result = -EINVAL;
  else if (!isatty(tty)) result = -ENOTTY;
  else if (context == NULL) result = -ENOENT;
  else if (!has_ports(context, console)) result = -EINVAL;
  else keep_descriptor(context, tty);
  return recorded(__func__, result, "uusi", id, console, name, tty);
}

EXPORT int32_t krun_add_console_port_inout(uint32_t id, uint32_t console, const char *name, int in,
                                           int out) {
  int32_t result = 0;
  struct context *context = find_context(id);
  if (name != NULL && !is_utf8(name)) result = -EINVAL;
  else if (context == NULL) result = -ENOENT;
  else if (!has_ports(context, console)) result = -EINVAL;
  if (result == 0) {
    keep_descriptor(context, in);
    keep_descriptor(context, out);
  }
  return recorded(__func__, result, "uusii", id, console, name, in, out);
}
#endif
