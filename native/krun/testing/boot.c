/*
 * Boots the described microVM in QEMU, emulated unless A3S_KRUN_TEST_ACCEL names an accelerator.
 *
 * A card that leads to a socket is one of QEMU's. Shares are not there.
 *
 * A vsock port that the host connects to becomes a virtio-serial port behind the same socket: QEMU
 * has vsock only where the host's kernel has. Its name in the guest is that of
 * A3S_KRUN_TEST_SERIAL. Disks keep their ids as serials.
 */
#include "krun.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 512, MAX_DESCRIPTOR = 64 };

struct command {
  char *arguments[MAX_ARGUMENTS];
  int count;
};

static void add(struct command *command, const char *format, ...) {
  if (command->count == MAX_ARGUMENTS - 1) misuse("boot_qemu", "there are too many arguments");
  va_list values;
  va_start(values, format);
  if (vasprintf(&command->arguments[command->count++], format, values) < 0) abort();
  va_end(values);
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
  add(command, "q35");
  add(command, "-accel");
  add(command, "%s", accelerator == NULL ? "tcg" : accelerator);
  add(command, "-cpu");
  add(command, "%s", accelerator == NULL ? "max" : "host");
  add(command, "-smp");
  add(command, "%u", context->vcpus);
  add(command, "-m");
  add(command, "%uM", context->ram_mib);
  add(command, "-kernel");
  add(command, "%s", context->kernel);
  if (context->initrd != NULL) {
    add(command, "-initrd");
    add(command, "%s", context->initrd);
  }
  add(command, "-append");
  add(command, "%s", context->cmdline == NULL ? "" : context->cmdline);
}

static void describe_disks(struct command *command, const struct context *context) {
  for (int n = 0; n < context->disk_count; n++) {
    const struct disk *disk = &context->disks[n];
    add(command, "-drive");
    add(command, "if=none,id=disk%d,format=%s,readonly=%s,file=%s", n,
        disk->format == 1 ? "qcow2" : "raw", disk->read_only ? "on" : "off", disk->path);
    add(command, "-device");
    add(command, "virtio-blk-pci,drive=disk%d,serial=%s,disable-legacy=on", n, disk->id);
  }
}

static void describe_ports(struct command *command, const struct context *context) {
  const char *name = behaviour("A3S_KRUN_TEST_SERIAL");
  add(command, "-device");
  add(command, "virtio-rng-pci,disable-legacy=on");
  add(command, "-device");
  add(command, "virtio-serial-pci,disable-legacy=on");
  for (int n = 0; n < context->port_count; n++) {
    const struct port *port = &context->ports[n];
    if (!port->listen || name == NULL) continue;
    add(command, "-chardev");
    add(command, "socket,id=port%d,path=%s,server=on,wait=off", n, port->path);
    add(command, "-device");
    add(command, "virtserialport,chardev=port%d,name=%s", n, name);
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
    add(command, "-device");
    add(command, "virtio-net-pci,netdev=net%d,disable-legacy=on,mac=%02x:%02x:%02x:%02x:%02x:%02x", n,
        mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
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
  describe_disks(&command, context);
  describe_ports(&command, context);
  describe_cards(&command, context);
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
