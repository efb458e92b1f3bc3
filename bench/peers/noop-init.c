/* The shortest guest there is: the kernel's first program asks for the power to go off. */
#include <sys/reboot.h>

int main(void) {
  reboot(RB_POWER_OFF);
  return 1;
}
