/*
 * A guest that was taken over: it writes noise to its control port, its vsock and its network, then
 * takes its virtio devices from their drivers and gives them queues of random descriptors, so that
 * the VMM, the file server and the network's helper read what no driver would write.
 *
 * Its first answer to the host is noise too: that counts as an answer for the probe of an engine.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, QUEUES = 4, ENTRIES = 64, ROUNDS = 40, DATA_PAGES = 16 };

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t any(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void fill(void *bytes, size_t length) {
  for (size_t n = 0; n < length; n++) ((unsigned char *)bytes)[n] = (unsigned char)any();
}

static void say(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vprintf(format, values);
  va_end(values);
  fflush(stdout);
}

static void put_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  (void)!write(fd, text, strlen(text));
  close(fd);
}

static void load_modules(const char *order) {
  FILE *list = fopen(order, "r");
  char name[128], path[160];
  while (list && fgets(name, sizeof name, list)) {
    name[strcspn(name, "\n")] = 0;
    snprintf(path, sizeof path, "/modules/%s", name);
    int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    syscall(SYS_finit_module, fd, "", 0);
    close(fd);
  }
  if (list) fclose(list);
}

/* Noise at whatever the host says, and whenever it says something. */
static void answer_with_noise(void) {
  static char bytes[16384];
  for (;;) {
    DIR *ports = opendir("/dev");
    struct dirent *entry;
    while (ports && (entry = readdir(ports))) {
      char path[300];
      if (strncmp(entry->d_name, "vport", 5)) continue;
      snprintf(path, sizeof path, "/dev/%s", entry->d_name);
      int fd = open(path, O_RDWR);
      if (fd < 0) continue;
      while (read(fd, bytes, sizeof bytes) > 0) {
        fill(bytes, sizeof bytes);
        (void)!write(fd, bytes, sizeof bytes);
      }
      close(fd);
    }
    if (ports) closedir(ports);
    usleep(50000);
  }
}

static void send_frames(void) {
  unsigned char frame[1514];
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  struct ifreq card = {.ifr_flags = IFF_UP};
  strcpy(card.ifr_name, "eth0");
  while (ioctl(fd, SIOCSIFFLAGS, &card) < 0) usleep(50000);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0")};
  for (;;) {
    const size_t length = 14 + any() % (sizeof frame - 14);
    fill(frame, length);
    /* Half of them look like those of IPv4, IPv6 and ARP, for half of their bytes. */
    static const unsigned types[] = {0x0800, 0x86dd, 0x0806};
    const unsigned type = types[any() % 3];
    if (any() & 1) frame[12] = (unsigned char)(type >> 8), frame[13] = (unsigned char)type;
    if (any() & 1) memset(frame, 0xff, 6);
    if (any() & 1) frame[14] = type == 0x0800 ? 0x45 : 0x60;
    sendto(fd, frame, length, 0, (struct sockaddr *)&to, sizeof to);
    if (any() % 64 == 0) usleep(1000);
  }
}

static void use_vsock(void) {
  static char bytes[65536];
  for (;;) {
    struct sockaddr_vm host = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST};
    host.svm_port = (unsigned)(any() & 1 ? 1024 : any());
    int fd = socket(AF_VSOCK, any() & 1 ? SOCK_STREAM : SOCK_SEQPACKET, 0);
    if (fd < 0) return;
    if (connect(fd, (struct sockaddr *)&host, sizeof host) == 0) {
      fill(bytes, sizeof bytes);
      (void)!write(fd, bytes, sizeof bytes);
    }
    close(fd);
    usleep(5000);
  }
}

/* Memory whose addresses the devices get. */
struct pages {
  unsigned char *bytes;
  uint64_t physical[3 * QUEUES + DATA_PAGES];
};

static struct pages take_pages(void) {
  struct pages pages;
  const size_t count = sizeof pages.physical / sizeof *pages.physical;
  pages.bytes = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
  int map = open("/proc/self/pagemap", O_RDONLY);
  for (size_t n = 0; n < count; n++) {
    uint64_t entry = 0;
    (void)!pread(map, &entry, sizeof entry, (off_t)(((uintptr_t)pages.bytes / PAGE + n) * 8));
    pages.physical[n] = (entry & ((1ull << 55) - 1)) * PAGE;
  }
  close(map);
  return pages;
}

/* Descriptors that lead to data, to each other, to nothing. */
static void write_queue(struct pages *pages, int queue) {
  unsigned char *table = pages->bytes + (size_t)queue * 3 * PAGE;
  for (int n = 0; n < ENTRIES; n++) {
    uint64_t address = pages->physical[3 * QUEUES + any() % DATA_PAGES] + any() % PAGE;
    uint32_t length = (uint32_t)(any() % (2 * PAGE));
    if (any() % 16 == 0) address = any();
    if (any() % 16 == 0) length = (uint32_t)any();
    const uint16_t flags = (uint16_t)(any() % 8 == 0 ? any() : any() % 4);
    const uint16_t next = (uint16_t)(any() % 16 == 0 ? any() : any() % ENTRIES);
    memcpy(table + n * 16, &address, 8);
    memcpy(table + n * 16 + 8, &length, 4);
    memcpy(table + n * 16 + 12, &flags, 2);
    memcpy(table + n * 16 + 14, &next, 2);
  }
  unsigned char *available = table + PAGE;
  fill(available, 4 + 2 * ENTRIES);
  for (int n = 0; n < ENTRIES; n++) available[4 + 2 * n + 1] = 0;
  const uint16_t index = (uint16_t)(any() % 8 == 0 ? any() : any() % ENTRIES);
  memcpy(available + 2, &index, 2);
}

static void write_data(struct pages *pages) {
  unsigned char *data = pages->bytes + 3 * QUEUES * PAGE;
  fill(data, DATA_PAGES * PAGE);
  /* Some begin as a request to a file server does: a length and one of its operations. */
  for (int n = 0; n < DATA_PAGES; n++) {
    if (any() & 1) continue;
    const uint32_t header[2] = {(uint32_t)(any() % PAGE), (uint32_t)(any() % 56)};
    memcpy(data + n * PAGE, header, sizeof header);
    memset(data + n * PAGE + 17, 0, 7);
  }
}

static void set32(volatile unsigned char *base, size_t at, uint32_t value) {
  *(volatile uint32_t *)(base + at) = value;
}

/* Section 4.2.2 of virtio 1.2. */
static void abuse_mmio(volatile unsigned char *base, struct pages *pages) {
  set32(base, 0x70, 0);
  set32(base, 0x70, 3);
  for (uint32_t half = 0; half < 2; half++) {
    set32(base, 0x14, half);
    const uint32_t offered = *(volatile uint32_t *)(base + 0x10);
    set32(base, 0x24, half);
    set32(base, 0x20, any() % 4 == 0 ? (uint32_t)any() : offered);
  }
  set32(base, 0x70, 11);
  for (int queue = 0; queue < QUEUES; queue++) {
    write_queue(pages, queue);
    set32(base, 0x30, (uint32_t)queue);
    set32(base, 0x38, any() % 8 == 0 ? (uint32_t)any() : ENTRIES);
    for (int part = 0; part < 3; part++) {
      const uint64_t address = any() % 16 == 0 ? any() : pages->physical[queue * 3 + part];
      set32(base, 0x80 + 16 * (size_t)part, (uint32_t)address);
      set32(base, 0x84 + 16 * (size_t)part, (uint32_t)(address >> 32));
    }
    set32(base, 0x44, 1);
  }
  set32(base, 0x70, 15);
  for (int queue = 0; queue < QUEUES; queue++) set32(base, 0x50, (uint32_t)queue);
  if (any() % 4 == 0) set32(base, (any() % 128) * 4, (uint32_t)any());
}

/* Section 4.1.4.3. */
static void abuse_pci(volatile unsigned char *common, volatile unsigned char *notify,
                      uint32_t multiplier, struct pages *pages) {
  common[20] = 0;
  common[20] = 3;
  for (uint32_t half = 0; half < 2; half++) {
    set32(common, 0, half);
    const uint32_t offered = *(volatile uint32_t *)(common + 4);
    set32(common, 8, half);
    set32(common, 12, any() % 4 == 0 ? (uint32_t)any() : offered);
  }
  common[20] = 11;
  for (int queue = 0; queue < QUEUES; queue++) {
    write_queue(pages, queue);
    *(volatile uint16_t *)(common + 22) = (uint16_t)queue;
    *(volatile uint16_t *)(common + 24) = (uint16_t)(any() % 8 == 0 ? any() : ENTRIES);
    for (int part = 0; part < 3; part++) {
      const uint64_t address = any() % 16 == 0 ? any() : pages->physical[queue * 3 + part];
      set32(common, 32 + 8 * (size_t)part, (uint32_t)address);
      set32(common, 36 + 8 * (size_t)part, (uint32_t)(address >> 32));
    }
    *(volatile uint16_t *)(common + 28) = 1;
  }
  common[20] = 15;
  for (uint32_t queue = 0; queue < QUEUES; queue++) {
    *(volatile uint16_t *)(notify + queue * multiplier) = (uint16_t)queue;
  }
}

static void *map_at(const char *path, off_t offset, size_t length) {
  int fd = open(path, O_RDWR | O_SYNC);
  if (fd < 0) return NULL;
  void *found = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
  close(fd);
  return found == MAP_FAILED ? NULL : found;
}

/* Devices without their drivers: these would hold the registers, and write to them too. */
static void unbind(const char *bus, const char *name) {
  char path[300];
  snprintf(path, sizeof path, "/sys/bus/%s/devices/%s/driver/unbind", bus, name);
  put_file(path, name);
}

static int abuse_all_mmio(struct pages *pages) {
  static const struct { off_t base; size_t step; int count; } places[] = {
      {0xfeb00000, 0x200, 8}, {0xd0000000, 0x1000, 11}};
  int found = 0;
  for (int kind = 0; kind < 2; kind++) {
    unsigned char *all = map_at("/dev/mem", places[kind].base, 11 * 0x1000);
    for (int n = 0; all && n < places[kind].count; n++) {
      unsigned char *base = all + (size_t)n * places[kind].step;
      /* The magic value, and a device that is none of those that are left out. */
      if (*(volatile uint32_t *)base != 0x74726976) continue;
      if (*(volatile uint32_t *)(base + 8) == 0) continue;
      found++;
      abuse_mmio(base, pages);
    }
    if (all) munmap(all, 11 * 0x1000);
  }
  return found;
}

static int abuse_one_pci(const char *name, struct pages *pages) {
  char path[300];
  unsigned char config[256] = {0};
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/config", name);
  int fd = open(path, O_RDWR);
  if (fd < 0 || read(fd, config, sizeof config) < 64) return 0;
  if (config[0] != 0xf4 || config[1] != 0x1a) return close(fd), 0;
  const unsigned char command[2] = {0x06, 0x00};
  (void)!pwrite(fd, command, sizeof command, 4);
  close(fd);
  unsigned char *common = NULL, *notify = NULL;
  uint32_t multiplier = 0;
  for (unsigned at = config[0x34], left = 32; at >= 64 && at < 240 && left > 0; at = config[at + 1]) {
    left--;
    if (config[at] != 9) continue;
    uint32_t offset;
    memcpy(&offset, config + at + 8, 4);
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/resource%u", name, config[at + 4]);
    if (config[at + 3] == 1) common = map_at(path, (off_t)offset, PAGE);
    if (config[at + 3] == 2) {
      notify = map_at(path, (off_t)offset, PAGE);
      memcpy(&multiplier, config + at + 16, 4);
    }
  }
  if (!common || !notify) return 0;
  abuse_pci(common, notify, multiplier, pages);
  munmap(common, PAGE);
  munmap(notify, PAGE);
  return 1;
}

static void for_each_device(const char *bus, void (*act)(const char *, const char *)) {
  char path[64];
  snprintf(path, sizeof path, "/sys/bus/%s/devices", bus);
  DIR *devices = opendir(path);
  struct dirent *entry;
  while (devices && (entry = readdir(devices))) {
    if (entry->d_name[0] != '.') act(bus, entry->d_name);
  }
  if (devices) closedir(devices);
}

static int abuse_all_pci(struct pages *pages) {
  int found = 0;
  DIR *devices = opendir("/sys/bus/pci/devices");
  struct dirent *entry;
  while (devices && (entry = readdir(devices))) {
    if (entry->d_name[0] != '.') found += abuse_one_pci(entry->d_name, pages);
  }
  if (devices) closedir(devices);
  return found;
}

static void beside(void (*work)(void)) {
  const uint64_t seed = any();
  if (fork() != 0) return;
  state = seed;
  work();
  _exit(0);
}

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  mount("proc", "/proc", "proc", 0, "");
  load_modules("/modules/order.mmio");
  load_modules("/modules/order");
  load_modules("/modules/order.nic");
  say("fuzzing guest\n");
  beside(answer_with_noise);
  beside(send_frames);
  beside(use_vsock);
  sleep(4);
  say("without drivers\n");
  for_each_device("platform", unbind);
  for_each_device("pci", unbind);
  struct pages pages = take_pages();
  for (int round = 0; round < ROUNDS; round++) {
    write_data(&pages);
    const int found = abuse_all_mmio(&pages) + abuse_all_pci(&pages);
    if (round == 0) say("%d devices\n", found);
    usleep(50000);
  }
  say("fuzzed\n");
  for (;;) pause();
}
