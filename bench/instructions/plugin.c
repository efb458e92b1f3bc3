/*
 * A TCG plugin of QEMU that counts what an emulated host with KVM executes, apart for the host and
 * for the guests that its KVM runs (AMD SVM), and for kernel and user each.
 *
 *   -plugin plugin.so,counts=PATH       one line of totals is appended to PATH at each mark
 *
 * A mark is an instruction that does nothing, `nopl MARK(%rax)`, which marked.c executes. A line
 * is:
 *
 *   host-user host-kernel guest-user guest-kernel entries
 *
 * where entries is how often a guest was entered. QEMU keeps the code of a guest apart from that of
 * its host, so whose a block is need be known only when it is translated. A guest begins with
 * VMRUN, and the host goes on with the instruction behind it. Kernel is the upper half of the
 * address space; firmware counts as user. A block that a fault ends early counts whole.
 *
 * One virtual processor only: whose code is translated is known of one.
 *
 * Debian has no package with qemu-plugin.h, so the few parts of its interface that are used are
 * declared here, as its documentation describes version 4 (QEMU 9.2 and newer).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} plugin_u64;
struct plugin_info {
	const char *target_name;
	struct { int min, cur; } version;
	bool system_emulation;
	struct { int smp_vcpus, max_vcpus; } system;
};
enum { INLINE_ADD_U64 = 0 };
enum { NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *, int op, plugin_u64, uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int flags, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t);
uint64_t qemu_plugin_u64_sum(plugin_u64);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 4;

static const uint8_t VMRUN[] = {0x0f, 0x01, 0xd8};
static const uint8_t MARK[] = {0x0f, 0x1f, 0x80, 0x33, 0x5a, 0xb0, 0x00}; /* as in marked.c */

/* Of the one virtual processor; in the order in which a line has them. */
struct counts {
	uint64_t instructions[2][2]; /* [guest][kernel] */
	uint64_t entries;
};

static struct qemu_plugin_scoreboard *counts;
static FILE *file;
static bool in_guest;

/* Where a host goes on after a guest: behind each VMRUN that was translated. A kernel has a few. */
static uint64_t resumes[16];
static size_t resume_count;

static plugin_u64 counter(size_t offset)
{
	return (plugin_u64){counts, offset};
}

static plugin_u64 instructions(bool guest, bool kernel)
{
	size_t index = (guest ? 2 : 0) + (kernel ? 1 : 0);
	return counter(offsetof(struct counts, instructions) + index * sizeof(uint64_t));
}

static void enter(unsigned vcpu, void *data)
{
	(void)vcpu, (void)data;
	in_guest = true;
}

static void leave(unsigned vcpu, void *data)
{
	(void)vcpu, (void)data;
	in_guest = false;
}

static void mark(unsigned vcpu, void *data)
{
	(void)vcpu, (void)data;
	for (int guest = 0; guest < 2; guest++)
		for (int kernel = 0; kernel < 2; kernel++)
			fprintf(file, "%" PRIu64 " ", qemu_plugin_u64_sum(instructions(guest, kernel)));
	fprintf(file, "%" PRIu64 "\n", qemu_plugin_u64_sum(counter(offsetof(struct counts, entries))));
	fflush(file);
}

static bool is_resume(uint64_t address)
{
	for (size_t i = 0; i < resume_count; i++)
		if (resumes[i] == address)
			return true;
	return false;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	(void)id;
	size_t n = qemu_plugin_tb_n_insns(tb);
	uint64_t start = qemu_plugin_tb_vaddr(tb);
	if (is_resume(start)) {
		/* Nothing between VMRUN and here was the host's. */
		in_guest = false;
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, 0), leave, NO_REGISTERS, NULL);
	}
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
		tb, INLINE_ADD_U64, instructions(in_guest, start >> 63), n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint8_t bytes[sizeof MARK];
		size_t size = qemu_plugin_insn_data(insn, bytes, sizeof bytes);
		if (size == sizeof MARK && memcmp(bytes, MARK, size) == 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS, NULL);
		if (in_guest || size != sizeof VMRUN || memcmp(bytes, VMRUN, size) != 0)
			continue;
		uint64_t next = qemu_plugin_insn_vaddr(insn) + size;
		if (!is_resume(next) && resume_count < sizeof resumes / sizeof *resumes)
			resumes[resume_count++] = next;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, enter, NO_REGISTERS, NULL);
		qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
			tb, INLINE_ADD_U64, counter(offsetof(struct counts, entries)), 1);
	}
}

EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv)
{
	if (!info->system_emulation || info->system.smp_vcpus != 1 || strcmp(info->target_name, "x86_64") != 0) {
		fprintf(stderr, "plugin: an emulated x86-64 machine with one processor is needed\n");
		return -1;
	}
	const char *path = argc == 1 && strncmp(argv[0], "counts=", 7) == 0 ? argv[0] + 7 : "";
	file = fopen(path, "a");
	if (file == NULL) {
		fprintf(stderr, "plugin: cannot open counts=\"%s\": %s\n", path, strerror(errno));
		return -1;
	}
	counts = qemu_plugin_scoreboard_new(sizeof(struct counts));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
