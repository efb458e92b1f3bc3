/*
 * Boots the described microVM in QEMU, emulated unless A3S_KRUN_TEST_ACCEL names an accelerator.
 *
 * QEMU's machine `microvm` has what libkrun has on x86-64: virtio-mmio devices that the kernel's
 * command line names, no PCI, no ACPI, a serial port, and a reset in place of power off. It has
 * places for eight devices, with the interrupt lines from 5. The balloon of libkrun, which no guest
 * uses, is left out, and where there is no place for it the source of random numbers. Devices have
 * the order of libkrun's.
 *
 * A card that leads to a socket is one of QEMU's, and so is virtio-fs of a file server. QEMU takes
 * its tag from the device's name: it does not ask the server. Directories that libkrun would serve
 * itself are not there.
 *
 * A vsock port that the host connects to becomes a virtio-serial port behind the same socket: QEMU
 * has vsock only where the host's kernel has. Its name in the guest is that of
 * A3S_KRUN_TEST_SERIAL.
 */
#include "krun.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { MAX_ARGUMENTS = 512, MAX_DESCRIPTOR = 64, PLACES = 8, SERIAL_BYTES = 20 };

struct command {
  char *arguments[MAX_ARGUMENTS];
  int count;
  /* The values of -device, in the order of libkrun's devices. */
  char *devices[PLACES];
  int device_count;
};

static char *format_text(const char *format, va_list values) {
  char *text;
  if (vasprintf(&text, format, values) < 0) abort();
  return text;
}

static void add(struct command *command, const char *format, ...) {
  if (command->count == MAX_ARGUMENTS - 1) misuse("boot_qemu", "there are too many arguments");
  va_list values;
  va_start(values, format);
  command->arguments[command->count++] = format_text(format, values);
  va_end(values);
}

/* A device with a place of its own on the bus. */
static void add_device(struct command *command, const char *format, ...) {
  if (command->device_count == PLACES) misuse("boot_qemu", "QEMU has no place for one more device");
  va_list values;
  va_start(values, format);
  command->devices[command->device_count++] = format_text(format, values);
  va_end(values);
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct reading {
  double seconds;
  unsigned long long counter;
};

/* Clock and counter at one moment: of some tries the one that nothing came between. */
static struct reading read_both(void) {
  enum { TRIES = 16 };
  struct reading best = {0};
  double least = 1e9;
  for (int n = 0; n < TRIES; n++) {
    const double before = seconds_now();
    const unsigned long long counter = __rdtsc();
    const double took = seconds_now() - before;
    if (took >= least) continue;
    least = took;
    best = (struct reading){before + took / 2, counter};
  }
  return best;
}

/* The rate of the time stamp counter, which guests of the emulation read as it is. */
static unsigned long measure_counter_khz(void) {
  const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
  const struct reading start = read_both();
  nanosleep(&pause, NULL);
  const struct reading end = read_both();
  return (unsigned long)((double)(end.counter - start.counter) / (end.seconds - start.seconds) /
                         1000);
}

static void describe_machine(struct command *command, const struct context *context) {
  const char *accelerator = getenv("A3S_KRUN_TEST_ACCEL");
  add(command, "qemu-system-x86_64");
  add(command, "-nodefaults");
  add(command, "-no-user-config");
  add(command, "-display");
  add(command, "none");
  add(command, "-no-reboot");
  add(command, "-machine");
  /* The clock stands for that of KVM. */
  add(command, "microvm,acpi=off,pic=off,pit=off,rtc=on,isa-serial=%s",
      context->serial_count == 0 ? "off" : "on");
  add(command, "-accel");
  add(command, "%s", accelerator == NULL ? "tcg" : accelerator);
  add(command, "-cpu");
  add(command, "%s", accelerator == NULL ? "max" : "host");
  add(command, "-smp");
  add(command, "%u", context->vcpus);
  add(command, "-m");
  add(command, "%uM", context->ram_mib);
  /* A backend maps the guest's memory. */
  if (context->served_count > 0) {
    add(command, "-object");
    add(command, "memory-backend-memfd,id=memory,size=%uM,share=on", context->ram_mib);
    add(command, "-machine");
    add(command, "memory-backend=memory");
  }
  add(command, "-kernel");
  add(command, "%s", context->kernel);
  if (context->initrd != NULL) {
    add(command, "-initrd");
    add(command, "%s", context->initrd);
  }
  add(command, "-append");
  const char *cmdline = context->cmdline == NULL ? "" : context->cmdline;
  /* KVM says the rate of the counter to its guests. */
  if (accelerator == NULL) add(command, "%s tsc_early_khz=%lu", cmdline, measure_counter_khz());
  else add(command, "%s", cmdline);
}

/* libkrun makes a serial number of the file, and leaves the id of the disk to itself. */
static void describe_disks(struct command *command, const struct context *context) {
  for (int n = 0; n < context->disk_count; n++) {
    const struct disk *disk = &context->disks[n];
    struct stat file;
    char serial[64];
    if (stat(disk->path, &file) != 0) misuse("boot_qemu", "a disk is not there");
    snprintf(serial, sizeof serial, "%llu%llu%llu", (unsigned long long)file.st_dev,
             (unsigned long long)file.st_rdev, (unsigned long long)file.st_ino);
    add(command, "-drive");
    add(command, "if=none,id=disk%d,format=%s,readonly=%s,file=%s", n,
        disk->format == 1 ? "qcow2" : "raw", disk->read_only ? "on" : "off", disk->path);
    add_device(command, "virtio-blk-device,drive=disk%d,serial=%.*s", n, SERIAL_BYTES, serial);
  }
}

static void describe_ports(struct command *command, const struct context *context) {
  const char *name = behaviour("A3S_KRUN_TEST_SERIAL");
  if (context->vsock == VSOCK_DISABLED || name == NULL) return;
  add_device(command, "virtio-serial-device");
  for (int n = 0; n < context->port_count; n++) {
    const struct port *port = &context->ports[n];
    if (!port->listen) continue;
    add(command, "-chardev");
    add(command, "socket,id=port%d,path=%s,server=on,wait=off", n, port->path);
  }
}

enum { VIRTIO_FS = 26 };

static void describe_served(struct command *command, const struct context *context) {
  for (int n = 0; n < context->served_count; n++) {
    const struct served *served = &context->served[n];
    if (served->type != VIRTIO_FS) misuse("boot_qemu", "a device that is served is no virtio-fs");
    if (served->name == NULL) misuse("boot_qemu", "virtio-fs has no name for its tag");
    add(command, "-chardev");
    add(command, "socket,id=served%d,path=%s", n, served->socket);
    add_device(command, "vhost-user-fs-device,chardev=served%d,tag=%s,queue-size=%u", n,
               served->name, served->queue_size);
  }
}

static void describe_cards(struct command *command, const struct context *context) {
  for (int n = 0; n < context->card_count; n++) {
    const struct card *card = &context->cards[n];
    const uint8_t *mac = card->mac;
    add(command, "-netdev");
    if (card->path != NULL) {
      add(command, "stream,id=net%d,server=off,addr.type=unix,addr.path=%s", n, card->path);
    } else {
      add(command, "stream,id=net%d,server=off,addr.type=fd,addr.str=%d", n, card->fd);
    }
    add_device(command, "virtio-net-device,netdev=net%d,mac=%02x:%02x:%02x:%02x:%02x:%02x", n,
               mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  }
}

/* QEMU gives its last place to the first device, and libkrun its first. */
static void place_devices(struct command *command, const struct context *context) {
  for (int n = command->device_count - 1; n >= 0; n--) {
    add(command, "-device");
    add(command, "%s", command->devices[n]);
  }
  const char *name = behaviour("A3S_KRUN_TEST_SERIAL");
  for (int n = 0; n < context->port_count; n++) {
    if (!context->ports[n].listen || name == NULL) continue;
    add(command, "-device");
    add(command, "virtserialport,chardev=port%d,name=%s", n, name);
  }
}

static void describe_console(struct command *command, const struct context *context) {
  if (context->serial_count == 0) return;
  add(command, "-chardev");
  add(command, "stdio,id=console,signal=off");
  add(command, "-serial");
  add(command, "chardev:console");
}

/* QEMU finds the console at its standard input and output. */
static void run_qemu(const struct command *command, const struct context *context) {
  if (context->serial_count > 0) {
    dup2(context->serial[0].in, STDIN_FILENO);
    dup2(context->serial[0].out, STDOUT_FILENO);
  }
  /* Node closes what it was started with for programs: standard error, files of the description. */
  for (int fd = 0; fd < MAX_DESCRIPTOR; fd++) fcntl(fd, F_SETFD, 0);
  execvp(command->arguments[0], (char **)command->arguments);
}

int boot_qemu(const struct context *context) {
  if (context->kernel == NULL) return -ENOENT;
  struct command command = {.count = 0};
  describe_machine(&command, context);
  add(&command, "-global");
  /* libkrun's devices are those of virtio 1.0 and newer. */
  add(&command, "virtio-mmio.force-legacy=false");
  const int others = context->disk_count + context->card_count + context->served_count;
  if (others + 2 <= PLACES) add_device(&command, "virtio-rng-device");
  describe_disks(&command, context);
  describe_ports(&command, context);
  describe_cards(&command, context);
  describe_served(&command, context);
  place_devices(&command, context);
  describe_console(&command, context);
  pid_t pid = fork();
  if (pid < 0) return -errno;
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_qemu(&command, context);
    _exit(127);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
