/* A guest that boots, says one line on its console, and never serves anybody. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
  puts("this guest has nothing to say");
  fflush(stdout);
  for (;;) pause();
}
