package dm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"syscall"
	"testing"
)

// TestAMessageHasTheBytesOfTheKernelsInterface holds every byte against struct dm_ioctl and struct
// dm_target_spec of linux/dm-ioctl.h.
func TestAMessageHasTheBytesOfTheKernelsInterface(t *testing.T) {
	got, err := message("layer-0", flagReadonly|flagSecure, &Target{Sectors: 0x0102030405, Kind: "verity", Params: []byte("1 /dev/vda")})
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 312+40+16)
	// version, data_size, data_start, target_count, open_count, flags.
	copy(want, []byte{4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x70, 1, 0, 0, 0x38, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x80, 0, 0})
	copy(want[48:], "layer-0")
	// sector_start is 0; length, status, next, target_type, then the parameters with their NUL,
	// padded to 8 bytes.
	copy(want[320:], []byte{5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 56, 0, 0, 0})
	copy(want[336:], "verity")
	copy(want[352:], "1 /dev/vda")
	if !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", hex.EncodeToString(got), hex.EncodeToString(want))
	}
}

func TestIoctlNumbersAreTheKernels(t *testing.T) {
	for command, want := range map[uintptr]uintptr{
		cmdVersion: 0xc138fd00, cmdCreate: 0xc138fd03, cmdRemove: 0xc138fd04, cmdSuspend: 0xc138fd06, cmdTableLoad: 0xc138fd09,
	} {
		if got := request(command); got != want {
			t.Errorf("%d: got %#x, want %#x", command, got, want)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("x", nameBytes)
	for name, c := range map[string]struct {
		name   string
		target *Target
	}{
		"a name":     {long, nil},
		"a kind":     {"x", &Target{Kind: long[:kindBytes]}},
		"parameters": {"x", &Target{Params: make([]byte, maxMessage-headerBytes-specBytes)}},
	} {
		if _, err := message(c.name, 0, c.target); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, length := range []int{0, 7, 8, 9} {
		buffer, err := message(long[:nameBytes-1], 0, &Target{Kind: long[:kindBytes-1], Params: []byte(long[:length])})
		if err != nil || len(buffer)%8 != 0 || buffer[len(buffer)-1] != 0 {
			t.Errorf("%d bytes of parameters: got %d bytes, %v", length, len(buffer), err)
		}
	}
}

func TestAMinorNumberIsDecoded(t *testing.T) {
	for device, want := range map[uint64]uint64{253<<8 | 7: 7, 253<<8 | 255: 255, 1<<20 | 253<<8: 256, 0xfff<<20 | 253<<8 | 1: 0xfff01} {
		if got := minor(device); got != want {
			t.Errorf("%#x: got %d, want %d", device, got, want)
		}
	}
}

func TestTheTableOfVerityNamesRootAndSalt(t *testing.T) {
	v := &Verity{Bytes: 1232896, Root: [32]byte{0xab}, Salt: [32]byte{31: 0xcd}}
	got := v.target("/dev/vdb")
	want := "1 /dev/vdb /dev/vdb 4096 4096 301 301 sha256 ab" + strings.Repeat("00", 31) + " " + strings.Repeat("00", 31) + "cd"
	if string(got.Params) != want || got.Kind != "verity" || got.Sectors != 2408 {
		t.Errorf("got %s of %d sectors: %s", got.Kind, got.Sectors, got.Params)
	}
}

// TestATreeHasTheSizeThatVeritysetupGivesIt has the sizes that src/images/verity/hash-tree.test.ts
// has of veritysetup.
func TestATreeHasTheSizeThatVeritysetupGivesIt(t *testing.T) {
	for blocks, want := range map[int64]int64{
		1: 0, 2: 1, 127: 1, 128: 1, 129: 3, 128 * 128: 129, 128*128 + 1: 129 + 1 + 2, 40_000: 313 + 3 + 1,
	} {
		v := &Verity{Bytes: blocks * blockBytes}
		if got := v.treeBytes(); got != want*blockBytes || v.Check() != nil {
			t.Errorf("%d blocks: got %d bytes, want %d blocks", blocks, got, want)
		}
	}
}

func TestASizeWithoutATreeIsRefused(t *testing.T) {
	for _, bytes := range []int64{-1 << 63, -4096, 0, 1, 4095, 4097, maxBytes + blockBytes, 1<<63 - 4096, 1<<63 - 1} {
		var refused *VerityError
		if err := (&Verity{Bytes: bytes}).Check(); !errors.As(err, &refused) {
			t.Errorf("%d: got %v", bytes, err)
		}
		// Nothing is opened for it.
		if _, err := OpenVerity("x", "/no/such/disk", &Verity{Bytes: bytes}); !errors.As(err, &refused) {
			t.Errorf("%d: got %v", bytes, err)
		}
	}
	largest := &Verity{Bytes: maxBytes}
	if err := largest.Check(); err != nil || largest.Bytes+largest.treeBytes() < maxBytes {
		t.Errorf("got %v", err)
	}
}

func TestTablesOfAnEncryptedDiskNameCipherAndIntegrity(t *testing.T) {
	lower := integrityTarget("/dev/vdc", 65536)
	if got := string(lower.Params); got != "/dev/vdc 0 48 D 4 block_size:4096 interleave_sectors:32768 journal_sectors:1 fix_padding" ||
		lower.Kind != "integrity" || lower.Sectors != 65536 {
		t.Errorf("got %s: %s", lower.Kind, got)
	}
	key := bytes.Repeat([]byte{0x5a}, keyBytes)
	upper := cryptTarget("/dev/dm-3", 65536, key)
	want := "capi:authenc(hmac(sha256),xts(aes))-random " + strings.Repeat("5a", 96) + " 0 /dev/dm-3 0 2 integrity:48:aead sector_size:4096"
	if string(upper.Params) != want || upper.Kind != "crypt" || upper.Sectors != 65536 {
		t.Errorf("got %s: %s", upper.Kind, upper.Params)
	}
	if cap(upper.Params) != len(upper.Params) {
		t.Error("the key may have been copied on the way")
	}
}

// FuzzDataSectors: what is said to fit does, with the areas that dm-integrity puts before each run
// of data.
func FuzzDataSectors(f *testing.F) {
	for _, sectors := range []int64{minDiskSectors, 286720, 1 << 21, 33152 + 1024, 33152 + 1024 + 384, maxBytes / SectorBytes} {
		f.Add(sectors)
	}
	f.Fuzz(func(t *testing.T, sectors int64) {
		if sectors < minDiskSectors || sectors > maxBytes/SectorBytes {
			return
		}
		data := dataSectors(sectors)
		runs := (data + runSectors - 1) / runSectors
		if data <= 0 || data%8 != 0 || headSectors+runs*tagSectors+data > sectors {
			t.Fatalf("%d of %d sectors", data, sectors)
		}
		if used := headSectors + runs*tagSectors + data; sectors-used > tagSectors+8 {
			t.Fatalf("%d sectors are not used", sectors-used)
		}
	})
}
