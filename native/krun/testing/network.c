/* Network devices and vsock. */
#include "krun.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NEED_CONTEXT(kinds, ...)                    \
  struct context *context = find_context(id);       \
  if (context == NULL) return recorded(__func__, -ENOENT, kinds, __VA_ARGS__)

#define NEED_POINTER(pointer) \
  if ((pointer) == NULL) misuse(__func__, #pointer " is NULL")

enum {
  FLAG_VFKIT = 1,
  FLAG_DHCP = 2,
  GUEST_CSUM = 1 << 1,
  GUEST_OFFLOADS = 1 << 7 | 1 << 8 | 1 << 10,
  ALL_FEATURES = 1 << 0 | GUEST_CSUM | GUEST_OFFLOADS | 1 << 11 | 1 << 12 | 1 << 14,
};

#ifndef KRUN_NO_NET
#if KRUN_RELEASE >= 11500
static int32_t add_proxy(uint32_t id, const char *path, int fd, uint32_t features, uint32_t flags,
                         uint32_t known_flags) {
  if ((fd >= 0) == (path != NULL)) return -EINVAL;
  if ((flags & ~known_flags) != 0 || (features & ~(uint32_t)ALL_FEATURES) != 0) return -EINVAL;
  struct context *context = find_context(id);
  if (context == NULL) return -ENOENT;
  keep_descriptor(context, fd);
  context->network_devices++;
  return 0;
}

static void add_card(uint32_t id, const char *path, int fd, const uint8_t *mac) {
  struct context *context = find_context(id);
  if (context->card_count == MAX_ITEMS) misuse("add_card", "there are too many cards");
  struct card *card = &context->cards[context->card_count++];
  card->path = path == NULL ? NULL : copy(path);
  card->fd = fd;
  memcpy(card->mac, mac, sizeof card->mac);
}

EXPORT int32_t krun_add_net_unixstream(uint32_t id, const char *path, int fd, const uint8_t *mac,
                                       uint32_t features, uint32_t flags) {
  NEED_POINTER(mac);
  const int32_t result = add_proxy(id, path, fd, features, flags, FLAG_DHCP);
  if (result == 0) add_card(id, path, fd, mac);
  return recorded(__func__, result, "usimuu", id, path, fd, mac, features, flags);
}

EXPORT int32_t krun_add_net_unixgram(uint32_t id, const char *path, int fd, const uint8_t *mac,
                                     uint32_t features, uint32_t flags) {
  NEED_POINTER(mac);
  const int32_t result = add_proxy(id, path, fd, features, flags, FLAG_VFKIT | FLAG_DHCP);
  return recorded(__func__, result, "usimuu", id, path, fd, mac, features, flags);
}

EXPORT int32_t krun_add_net_tap(uint32_t id, const char *name, const uint8_t *mac,
                                uint32_t features, uint32_t flags) {
  NEED_POINTER(name);
  NEED_POINTER(mac);
  int32_t result = 0;
  struct context *context = find_context(id);
  if (!is_utf8(name) || (features & ~(uint32_t)ALL_FEATURES) != 0) result = -EINVAL;
  else if ((features & GUEST_OFFLOADS) != 0 && (features & GUEST_CSUM) == 0) result = -EINVAL;
  else if ((flags & ~(uint32_t)FLAG_DHCP) != 0) result = -EINVAL;
  else if (context == NULL) result = -ENOENT;
  else context->network_devices++;
  return recorded(__func__, result, "usmuu", id, name, mac, features, flags);
}
#endif

EXPORT int32_t krun_set_passt_fd(uint32_t id, int fd) {
  if (fd < 0) return recorded(__func__, -EINVAL, "ui", id, fd);
  NEED_CONTEXT("ui", id, fd);
  if (context->network_devices > 0) return recorded(__func__, -EINVAL, "ui", id, fd);
  keep_descriptor(context, fd);
  context->legacy_card = true;
  return recorded(__func__, 0, "ui", id, fd);
}

EXPORT int32_t krun_set_gvproxy_path(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  if (context->network_devices > 0) return recorded(__func__, -EINVAL, "us", id, path);
  context->legacy_card = true;
  return recorded(__func__, 0, "us", id, path);
}

EXPORT int32_t krun_set_net_mac(uint32_t id, const uint8_t *mac) {
  NEED_POINTER(mac);
  NEED_CONTEXT("um", id, mac);
  return recorded(__func__, 0, "um", id, mac);
}
#endif

/* Whether every entry is HOST:GUEST, and no port occurs twice on its side. */
static bool is_port_map(const char *const map[]) {
  unsigned hosts[MAX_ITEMS], guests[MAX_ITEMS];
  for (int n = 0; map[n] != NULL; n++) {
    char rest;
    if (n == MAX_ITEMS || sscanf(map[n], "%u:%u%c", &hosts[n], &guests[n], &rest) != 2) return false;
    if (hosts[n] > 65535 || guests[n] > 65535) return false;
    for (int other = 0; other < n; other++) {
      if (hosts[other] == hosts[n] || guests[other] == guests[n]) return false;
    }
  }
  return true;
}

EXPORT int32_t krun_set_port_map(uint32_t id, const char *const map[]) {
  NEED_POINTER(map);
  if (!is_port_map(map)) return recorded(__func__, -EINVAL, "ul", id, map);
  NEED_CONTEXT("ul", id, map);
  if (context->vsock == VSOCK_DISABLED) return recorded(__func__, -ENODEV, "ul", id, map);
  return recorded(__func__, context->network_devices > 0 ? -EINVAL : 0, "ul", id, map);
}

static int32_t map_port(uint32_t id, uint32_t port, const char *path, bool listening) {
  if (!is_utf8(path)) return -EINVAL;
  if (listening && access(path, F_OK) == 0) return -EEXIST;
  struct context *context = find_context(id);
  if (context == NULL) return -ENOENT;
  if (context->vsock == VSOCK_DISABLED) return -ENODEV;
  if (context->port_count == MAX_ITEMS) misuse(__func__, "there are too many ports");
  context->ports[context->port_count++] = (struct port){port, copy(path), listening};
  return 0;
}

EXPORT int32_t krun_add_vsock_port(uint32_t id, uint32_t port, const char *path) {
  NEED_POINTER(path);
  return recorded(__func__, map_port(id, port, path, false), "uus", id, port, path);
}

#if KRUN_RELEASE >= 11000
EXPORT int32_t krun_add_vsock_port2(uint32_t id, uint32_t port, const char *path, bool listening) {
  NEED_POINTER(path);
  const int32_t result = map_port(id, port, path, listening);
  return recorded(__func__, result, "uusb", id, port, path, (int)listening);
}
#endif

#if KRUN_RELEASE >= 11700
EXPORT int32_t krun_disable_implicit_vsock(uint32_t id) {
  NEED_CONTEXT("u", id);
  context->vsock = VSOCK_DISABLED;
  return recorded(__func__, 0, "u", id);
}

EXPORT int32_t krun_add_vsock(uint32_t id, uint32_t features) {
  if (features > 3) return recorded(__func__, -EINVAL, "uu", id, features);
  NEED_CONTEXT("uu", id, features);
  if (context->vsock != VSOCK_DISABLED) return recorded(__func__, -EEXIST, "uu", id, features);
  context->vsock = VSOCK_EXPLICIT;
  return recorded(__func__, 0, "uu", id, features);
}
#endif
