/*
 * A guest that says, at the debug port, what its kernel was given besides kernel, initrd and
 * command line, and powers off.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUG_PORT 0x402
#define TABLES "/sys/firmware/acpi/tables"

static void say(const char *format, ...) {
  char line[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (const char *at = line; *at; at++) outb(*at, DEBUG_PORT);
}

static void say_file(const char *name, const char *path) {
  char text[2048] = "";
  FILE *file = fopen(path, "r");
  if (file) {
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    text[strcspn(text, "\n")] = 0;
  }
  say("%s %s\n", name, file ? text : "-");
}

static int by_name(const struct dirent **one, const struct dirent **other) { return strcmp((*one)->d_name, (*other)->d_name); }

/*
 * Name, size and FNV-1a of each table; processors and memory are in none but APIC, the addresses of
 * tables in none but FACP.
 */
static void say_tables(void) {
  struct dirent **entries;
  int count = scandir(TABLES, &entries, NULL, by_name);
  for (int at = 0; at < count; at++) {
    char path[512];
    struct stat found;
    snprintf(path, sizeof path, TABLES "/%s", entries[at]->d_name);
    FILE *file = stat(path, &found) == 0 && S_ISREG(found.st_mode) ? fopen(path, "r") : NULL;
    if (!file) continue;
    unsigned long long hash = 0xcbf29ce484222325;
    int size = 0;
    for (int byte; (byte = fgetc(file)) != EOF; size++) hash = (hash ^ byte) * 0x100000001b3;
    fclose(file);
    if (strcmp(entries[at]->d_name, "FACP") == 0) hash = 0;
    say("acpi %s %d %016llx\n", entries[at]->d_name, size, hash);
  }
}

/* EFI's configuration tables, without their addresses. */
static void say_systab(void) {
  char line[256];
  FILE *file = fopen("/sys/firmware/efi/systab", "r");
  while (file && fgets(line, sizeof line, file)) {
    line[strcspn(line, "=")] = 0;
    say("efi %s\n", line);
  }
  if (file) fclose(file);
}

int main(void) {
  mkdir("/sys", 0755);
  mkdir("/proc", 0755);
  mount("sysfs", "/sys", "sysfs", 0, "");
  mount("proc", "/proc", "proc", 0, "");
  iopl(3);
  say("init\n");
  say_file("cmdline", "/proc/cmdline");
  say_file("cpus", "/sys/devices/system/cpu/online");
  say_tables();
  say_systab();
  say("dmi %s\n", access("/sys/class/dmi/id", F_OK) == 0 ? "yes" : "no");
  reboot(RB_POWER_OFF);
  for (;;) pause();
}
