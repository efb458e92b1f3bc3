/* Contexts: their numbers are never used again, as in libkrun. Nothing here is thread-safe. */
#include "krun.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_CONTEXTS = 16, MAX_ARGS = 4096 };

static struct context contexts[MAX_CONTEXTS];
static int32_t next_id;

const char *behaviour(const char *name) {
  const char *value = getenv(name);
#ifdef KRUN_TEST_RUN
  if (value == NULL && strcmp(name, "A3S_KRUN_TEST_RUN") == 0) return KRUN_TEST_RUN;
#endif
#ifdef KRUN_TEST_RECORD
  if (value == NULL && strcmp(name, "A3S_KRUN_TEST_RECORD") == 0) return KRUN_TEST_RECORD;
#endif
#ifdef KRUN_TEST_SERIAL
  if (value == NULL && strcmp(name, "A3S_KRUN_TEST_SERIAL") == 0) return KRUN_TEST_SERIAL;
#endif
  return value;
}

bool setting(const char *name) {
  const char *value = getenv(name);
  return value != NULL && strcmp(value, "1") == 0;
}

struct context *find_context(uint32_t id) {
  for (int n = 0; n < MAX_CONTEXTS; n++) {
    if (contexts[n].used && contexts[n].id == id) return &contexts[n];
  }
  return NULL;
}

char *copy(const char *text) { return text == NULL ? NULL : strdup(text); }

uint64_t sum_of(const uint8_t *data, size_t length) {
  uint64_t sum = 0xcbf29ce484222325ULL;
  for (size_t n = 0; n < length; n++) sum = (sum ^ data[n]) * 0x100000001b3ULL;
  return sum;
}

void keep_descriptor(struct context *context, int fd) {
  if (fd < 0 || context->descriptor_count == MAX_ITEMS) return;
  if (fcntl(fd, F_GETFD) < 0) misuse("keep_descriptor", "the descriptor is not open");
  context->descriptors[context->descriptor_count++] = fd;
}

/* Rejects what Rust's `str::from_utf8` rejects. */
bool is_utf8(const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  while (*at != '\0') {
    uint32_t code;
    int more;
    if (*at < 0x80) {
      at++;
      continue;
    }
    if ((*at & 0xe0) == 0xc0) code = *at & 0x1f, more = 1;
    else if ((*at & 0xf0) == 0xe0) code = *at & 0x0f, more = 2;
    else if ((*at & 0xf8) == 0xf0) code = *at & 0x07, more = 3;
    else return false;
    const int bytes = more;
    for (at++; more > 0; more--, at++) {
      if ((*at & 0xc0) != 0x80) return false;
      code = code << 6 | (*at & 0x3f);
    }
    const uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
    if (code < lowest[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  }
  return true;
}

bool are_utf8(const char *const list[]) {
  for (int n = 0; list[n] != NULL; n++) {
    if (n == MAX_ARGS) misuse("are_utf8", "the list has no end");
    if (!is_utf8(list[n])) return false;
  }
  return true;
}

EXPORT int32_t krun_create_ctx(void) {
  for (int n = 0; n < MAX_CONTEXTS; n++) {
    struct context *free_one = &contexts[n];
    if (free_one->used) continue;
    memset(free_one, 0, sizeof *free_one);
    free_one->used = true;
    free_one->id = (uint32_t)next_id;
    free_one->vcpus = 1;
    free_one->ram_mib = 128;
    free_one->shutdown_fd =
        setting("A3S_KRUN_TEST_SHUTDOWN") ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    return recorded(__func__, next_id++, "");
  }
  misuse(__func__, "there are too many contexts");
}

EXPORT int32_t krun_free_ctx(uint32_t id) {
  struct context *context = find_context(id);
  if (context != NULL) context->used = false;
  return recorded(__func__, context == NULL ? -ENOENT : 0, "u", id);
}

EXPORT int32_t krun_get_shutdown_eventfd(uint32_t id) {
  struct context *context = find_context(id);
  if (context == NULL) return recorded(__func__, -ENOENT, "u", id);
  const int fd = context->shutdown_fd;
  return recorded(__func__, fd < 0 ? -EINVAL : fd, "u", id);
}

EXPORT int32_t krun_set_vm_config(uint32_t id, uint8_t vcpus, uint32_t ram_mib) {
  struct context *context = find_context(id);
  int32_t result = 0;
  if (context == NULL) result = -ENOENT;
  else if (vcpus == 0 || ram_mib == 0) result = -EINVAL;
  if (result == 0) {
    context->vcpus = vcpus;
    context->ram_mib = ram_mib;
  }
  return recorded(__func__, result, "uuu", id, (uint32_t)vcpus, ram_mib);
}

static bool logging;

static void log_once(const char *function) {
  if (logging) misuse(function, "the log is open");
  logging = true;
}

EXPORT int32_t krun_set_log_level(uint32_t level) {
  log_once(__func__);
  return recorded(__func__, 0, "u", level);
}

#if KRUN_RELEASE >= 11300
EXPORT int32_t krun_init_log(int target, uint32_t level, uint32_t style, uint32_t options) {
  const bool refused = target < -1 || target == 0 || style > 2 || options > 1;
  if (!refused) log_once(__func__);
  return recorded(__func__, refused ? -EINVAL : 0, "iuuu", target, level, style, options);
}
#endif

#if KRUN_RELEASE >= 11703
EXPORT int32_t krun_has_feature(uint64_t feature) {
  int32_t result = 0;
  if (feature > (KRUN_RELEASE >= 11900 ? 11 : 10)) result = -EINVAL;
#ifndef KRUN_NO_NET
  else if (feature == 0) result = 1;
#endif
#ifndef KRUN_NO_BLK
  else if (feature == 1) result = 1;
#endif
#ifdef KRUN_TEE
  else if (feature == 6 || feature == 7) result = 1;
#else
  else if (feature == 11) result = 1;
#endif
  return recorded(__func__, result, "U", feature);
}
#endif

#if KRUN_RELEASE >= 11600
EXPORT int32_t krun_get_max_vcpus(void) { return recorded(__func__, 288, ""); }
#endif

#if KRUN_RELEASE >= 11200
EXPORT int32_t krun_check_nested_virt(void) { return recorded(__func__, 0, ""); }
#endif
