/* What libkrun finds out when it builds a microVM, before it asks for KVM. */
#include "krun.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Interrupt lines 5 to 15, of which each virtio device has one. */
enum { LINES = 11, FORMAT_ELF = 1, FORMAT_PE_GZ = 2 };
/* Memory from here on begins at 4 GiB. */
enum { LOW_MEMORY_MIB = 3328 };

static bool read_at(int fd, void *data, size_t length, off_t offset) {
  return pread(fd, data, length, offset) == (ssize_t)length;
}

/* Each segment is loaded at its physical address, which has to be memory. */
static bool are_segments_loaded(int fd, const Elf64_Ehdr *header, uint64_t memory) {
  for (int n = 0; n < header->e_phnum; n++) {
    Elf64_Phdr segment;
    if (!read_at(fd, &segment, sizeof segment, (off_t)(header->e_phoff + n * sizeof segment))) {
      return false;
    }
    if (segment.p_type != PT_LOAD || segment.p_filesz == 0) continue;
    char last;
    const off_t end = (off_t)(segment.p_offset + segment.p_filesz);
    if (segment.p_paddr + segment.p_filesz > memory || !read_at(fd, &last, 1, end - 1)) return false;
  }
  return true;
}

static bool is_elf_kernel(const char *path, uint64_t memory) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  Elf64_Ehdr header;
  const bool loaded = read_at(fd, &header, sizeof header, 0) &&
                      memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
                      header.e_ident[EI_DATA] == ELFDATA2LSB &&
                      header.e_phentsize == sizeof(Elf64_Phdr) &&
                      are_segments_loaded(fd, &header, memory);
  close(fd);
  return loaded;
}

static int count_devices(const struct context *context) {
  const int cards = context->network_devices + (context->legacy_card ? 1 : 0);
  const bool implied = context->vsock == VSOCK_IMPLICIT && (cards == 0 || context->port_count > 0);
  const int vsock = implied || context->vsock == VSOCK_EXPLICIT ? 1 : 0;
#ifdef KRUN_TEE
  const int always = 0;
#else
  /* The balloon and the random numbers. */
  const int always = 2;
#endif
  const int disks = context->disk_count > 0
                        ? context->disk_count
                        : (context->root_disk != NULL) + (context->data_disk != NULL);
  const int implicit_console = context->no_implicit_console ? 0 : 1;
  return always + vsock + disks + implicit_console + context->virtio_count + context->share_count +
         context->served_count + cards;
}

int32_t check_limits(const struct context *context) {
  if (context->kernel != NULL) {
    const uint64_t memory = (uint64_t)context->ram_mib << 20;
    if (context->kernel_format == FORMAT_PE_GZ) return -EINVAL;
    if (context->kernel_format == FORMAT_ELF && !is_elf_kernel(context->kernel, memory)) {
      return -EINVAL;
    }
    /* libkrun gives the kernel 32 bits of the initrd's address. */
    if (context->initrd != NULL && context->ram_mib > LOW_MEMORY_MIB) {
      misuse("krun_start_enter", "the kernel does not find an initrd above 4 GiB");
    }
  }
  return count_devices(context) > LINES ? -EINVAL : 0;
}
