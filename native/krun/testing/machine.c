/* The machine and its workload: kernel, firmware, ids, program, displays. */
#include "krun.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns unless the context is there; `list` is what is recorded. */
#define NEED_CONTEXT(kinds, ...)                    \
  struct context *context = find_context(id);       \
  if (context == NULL) return recorded(__func__, -ENOENT, kinds, __VA_ARGS__)

/* libkrun follows these pointers without a look. */
#define NEED_POINTER(pointer) \
  if ((pointer) == NULL) misuse(__func__, #pointer " is NULL")

#ifdef KRUN_TEE
/* libkrun-sev exports it with two arguments, and refuses whatever they are. */
EXPORT int32_t krun_set_kernel(uint32_t id, const char *path) {
  return recorded(__func__, -EOPNOTSUPP, "us", id, path);
}

EXPORT int32_t krun_set_tee_config_file(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  context->tee_config = copy(path);
  return recorded(__func__, 0, "us", id, path);
}
#else
#if KRUN_RELEASE >= 11100
EXPORT int32_t krun_set_kernel(uint32_t id, const char *path, uint32_t format, const char *initrd,
                               const char *cmdline) {
  NEED_POINTER(path);
  struct stat file;
  bool refused = !is_utf8(path) || format > 5;
  refused = refused || (initrd != NULL && (!is_utf8(initrd) || stat(initrd, &file) != 0));
  refused = refused || (cmdline != NULL && !is_utf8(cmdline));
  /* A raw kernel is mapped at once. */
  refused = refused || (format == 0 && access(path, R_OK) != 0);
  if (refused) return recorded(__func__, -EINVAL, "ususs", id, path, format, initrd, cmdline);
  NEED_CONTEXT("ususs", id, path, format, initrd, cmdline);
  context->kernel = copy(path);
  context->kernel_format = format;
  context->initrd = copy(initrd);
  context->cmdline = copy(cmdline);
  return recorded(__func__, 0, "ususs", id, path, format, initrd, cmdline);
}
#endif

#if KRUN_RELEASE >= 11600
EXPORT int32_t krun_set_firmware(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  context->firmware = copy(path);
  return recorded(__func__, 0, "us", id, path);
}
#endif
#endif

#if KRUN_RELEASE >= 11600
EXPORT int32_t krun_set_kernel_console(uint32_t id, const char *console) {
  NEED_POINTER(console);
  if (!is_utf8(console)) return recorded(__func__, -EINVAL, "us", id, console);
  NEED_CONTEXT("us", id, console);
  return recorded(__func__, 0, "us", id, console);
}
#endif

/* Of these the library keeps nothing: they do not change what it does. */
#define RECORDED_SWITCH(name)                       \
  EXPORT int32_t name(uint32_t id, bool enable) {   \
    NEED_CONTEXT("ub", id, (int)enable);            \
    return recorded(__func__, 0, "ub", id, (int)enable); \
  }

#if KRUN_RELEASE >= 11200
RECORDED_SWITCH(krun_split_irqchip)
#endif
#if KRUN_RELEASE >= 11100
RECORDED_SWITCH(krun_set_nested_virt)
#endif
#if KRUN_RELEASE >= 10900
RECORDED_SWITCH(krun_set_snd_device)
#endif

#if KRUN_RELEASE >= 11100
EXPORT int32_t krun_setuid(uint32_t id, uid_t uid) {
  NEED_CONTEXT("uu", id, uid);
  context->has_uid = true;
  context->uid = uid;
  return recorded(__func__, 0, "uu", id, uid);
}

EXPORT int32_t krun_setgid(uint32_t id, gid_t gid) {
  NEED_CONTEXT("uu", id, gid);
  context->has_gid = true;
  context->gid = gid;
  return recorded(__func__, 0, "uu", id, gid);
}
#endif

#if KRUN_RELEASE >= 10901
EXPORT int32_t krun_set_smbios_oem_strings(uint32_t id, const char *const strings[]) {
  if (strings == NULL || !are_utf8(strings)) return recorded(__func__, -EINVAL, "ul", id, strings);
  NEED_CONTEXT("ul", id, strings);
  return recorded(__func__, 0, "ul", id, strings);
}
#endif

EXPORT int32_t krun_set_exec(uint32_t id, const char *path, const char *const argv[],
                             const char *const envp[]) {
  NEED_POINTER(path);
  const bool refused =
      !is_utf8(path) || (argv != NULL && !are_utf8(argv)) || (envp != NULL && !are_utf8(envp));
  if (refused) return recorded(__func__, -EINVAL, "usll", id, path, argv, envp);
  NEED_CONTEXT("usll", id, path, argv, envp);
  return recorded(__func__, 0, "usll", id, path, argv, envp);
}

EXPORT int32_t krun_set_env(uint32_t id, const char *const envp[]) {
  if (envp != NULL && !are_utf8(envp)) return recorded(__func__, -EINVAL, "ul", id, envp);
  NEED_CONTEXT("ul", id, envp);
  return recorded(__func__, 0, "ul", id, envp);
}

EXPORT int32_t krun_set_workdir(uint32_t id, const char *path) {
  NEED_POINTER(path);
  if (!is_utf8(path)) return recorded(__func__, -EINVAL, "us", id, path);
  NEED_CONTEXT("us", id, path);
  return recorded(__func__, 0, "us", id, path);
}

EXPORT int32_t krun_set_rlimits(uint32_t id, const char *const rlimits[]) {
  if (rlimits == NULL || !are_utf8(rlimits)) return recorded(__func__, -EINVAL, "ul", id, rlimits);
  NEED_CONTEXT("ul", id, rlimits);
  return recorded(__func__, 0, "ul", id, rlimits);
}

EXPORT int32_t krun_set_gpu_options(uint32_t id, uint32_t flags) {
  NEED_CONTEXT("uu", id, flags);
  return recorded(__func__, 0, "uu", id, flags);
}

EXPORT int32_t krun_set_gpu_options2(uint32_t id, uint32_t flags, uint64_t size) {
  NEED_CONTEXT("uuU", id, flags, size);
  return recorded(__func__, 0, "uuU", id, flags, size);
}

/* As in a build without GPU=1 and INPUT=1: the symbols are there, and refuse. */
#if KRUN_RELEASE >= 11500
EXPORT int32_t krun_add_display(uint32_t id, uint32_t width, uint32_t height) {
  return recorded(__func__, -ENOTSUP, "uuu", id, width, height);
}

EXPORT int32_t krun_display_set_edid(uint32_t id, uint32_t display, const uint8_t *edid,
                                     size_t size) {
  return recorded(__func__, -ENOTSUP, "uud", id, display, edid, size);
}

EXPORT int32_t krun_display_set_dpi(uint32_t id, uint32_t display, uint32_t dpi) {
  return recorded(__func__, -ENOTSUP, "uuu", id, display, dpi);
}

EXPORT int32_t krun_display_set_physical_size(uint32_t id, uint32_t display, uint16_t width,
                                              uint16_t height) {
  return recorded(__func__, -ENOTSUP, "uuuu", id, display, (uint32_t)width, (uint32_t)height);
}

EXPORT int32_t krun_display_set_refresh_rate(uint32_t id, uint32_t display, uint32_t rate) {
  return recorded(__func__, -ENOTSUP, "uuu", id, display, rate);
}

EXPORT int32_t krun_set_display_backend(uint32_t id, const void *backend, size_t size) {
  return recorded(__func__, -ENOTSUP, "ud", id, backend, size);
}
#endif

#if KRUN_RELEASE >= 11600
EXPORT int krun_add_input_device(uint32_t id, const void *config, size_t config_size,
                                 const void *events, size_t events_size) {
  return recorded(__func__, -ENOTSUP, "udd", id, config, config_size, events, events_size);
}

EXPORT int krun_add_input_device_fd(uint32_t id, int fd) {
  return recorded(__func__, -ENOTSUP, "ui", id, fd);
}
#endif
