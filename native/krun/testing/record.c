/* The record of calls: one JSON document a line, appended in one write. */
#include "krun.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 256 * 1024 };

static void put_text(FILE *out, const char *text) {
  if (text == NULL) {
    fputs("null", out);
    return;
  }
  fputc('"', out);
  for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\') fprintf(out, "\\%c", *at);
    else if (*at < 0x20) fprintf(out, "\\u%04x", *at);
    else fputc(*at, out);
  }
  fputc('"', out);
}

static void put_list(FILE *out, const char *const list[]) {
  if (list == NULL) {
    fputs("null", out);
    return;
  }
  fputc('[', out);
  for (int n = 0; list[n] != NULL; n++) {
    if (n > 0) fputc(',', out);
    put_text(out, list[n]);
  }
  fputc(']', out);
}

static void put_bytes(FILE *out, const uint8_t *data, size_t length) {
  fputc('"', out);
  for (size_t n = 0; data != NULL && n < length; n++) fprintf(out, "%02x", data[n]);
  fputc('"', out);
}

static void append(const char *line, size_t length) {
  const char *path = behaviour("A3S_KRUN_TEST_RECORD");
  if (path == NULL) return;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  /* The file that the library was compiled with is in the directory of one microVM. */
  if (fd < 0 && getenv("A3S_KRUN_TEST_RECORD") == NULL && errno == ENOENT) return;
  if (fd < 0 || write(fd, line, length) != (ssize_t)length) {
    perror("libkrun test: record");
    abort();
  }
  close(fd);
}

int32_t recorded(const char *function, int32_t result, const char *kinds, ...) {
  char *line = malloc(LINE_BYTES);
  FILE *out = fmemopen(line, LINE_BYTES, "w");
  fprintf(out, "{\"call\":\"%s\",\"arguments\":[", function);
  va_list values;
  va_start(values, kinds);
  for (const char *kind = kinds; *kind != '\0'; kind++) {
    if (kind != kinds) fputc(',', out);
    switch (*kind) {
      case 'u': fprintf(out, "%u", va_arg(values, uint32_t)); break;
      case 'i': fprintf(out, "%d", va_arg(values, int32_t)); break;
      case 'b': fputs(va_arg(values, int) ? "true" : "false", out); break;
      case 'U': fprintf(out, "%llu", (unsigned long long)va_arg(values, uint64_t)); break;
      case 's': put_text(out, va_arg(values, const char *)); break;
      case 'l': put_list(out, va_arg(values, const char *const *)); break;
      case 'm': put_bytes(out, va_arg(values, const uint8_t *), 6); break;
      case 'd': {
        const uint8_t *data = va_arg(values, const uint8_t *);
        put_bytes(out, data, va_arg(values, size_t));
        break;
      }
      default: abort();
    }
  }
  va_end(values);
  fprintf(out, "],\"result\":%d}\n", result);
  long length = ftell(out);
  fclose(out);
  append(line, (size_t)length);
  free(line);
  return result;
}

void misuse(const char *function, const char *what) {
  char line[512];
  int length = snprintf(line, sizeof line, "{\"misuse\":\"%s\",\"what\":\"%s\"}\n", function, what);
  append(line, (size_t)length);
  fprintf(stderr, "libkrun test: %s: %s\n", function, what);
  abort();
}
