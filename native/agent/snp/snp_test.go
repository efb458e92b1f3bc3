package snp

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// vectors are the cases that the verifier of relying parties is tested with as well.
const vectors = "../../../test/vectors/reports"

type vector struct {
	Name     string `json:"name"`
	Comment  string `json:"comment"`
	Report   []byte `json:"report"`
	Expected string `json:"expected"`
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no vectors in %s", vectors)
	}
	read := make([]vector, len(paths))
	for index, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &read[index]); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return read
}

// codeOf is "accepted", or the code of the error.
func codeOf(t testing.TB, report []byte) string {
	t.Helper()
	parsed, err := Parse(report)
	if err == nil {
		return "accepted"
	}
	var refusal *Error
	if !errors.As(err, &refusal) || parsed != nil {
		t.Fatalf("got %v, %v", parsed, err)
	}
	return string(refusal.Code)
}

func TestParseDecidesAsTheVectorsSay(t *testing.T) {
	codes := map[string]int{}
	for _, v := range readVectors(t) {
		codes[v.Expected]++
		if got := codeOf(t, v.Report); got != v.Expected {
			t.Errorf("%s: got %s, want %s (%s)", v.Name, got, v.Expected, v.Comment)
		}
	}
	for _, code := range []Code{
		"accepted", CodeLength, CodeVersion, CodeReserved, CodeGuestPolicy, CodeVMPL, CodeSignatureAlgorithm,
		CodeKeyInfo, CodeSignatureEncoding, CodeProduct, CodeTCB,
	} {
		if codes[string(code)] == 0 {
			t.Errorf("no vector expects %s", code)
		}
	}
}

// sample is a report of version 5 from a Milan whose bytes differ from each other.
func sample() []byte {
	report := make([]byte, Size)
	fill := func(at, size int, value byte) {
		copy(report[at:], bytes.Repeat([]byte{value}, size))
	}
	binary.LittleEndian.PutUint32(report[versionAt:], 5)
	binary.LittleEndian.PutUint32(report[guestSVNAt:], 7)
	binary.LittleEndian.PutUint64(report[policyAt:], 0x3001f)
	binary.LittleEndian.PutUint32(report[vmplAt:], 1)
	binary.LittleEndian.PutUint32(report[signatureAlgoAt:], ecdsaP384SHA384)
	fill(reportDataAt, 64, 0x11)
	fill(measurementAt, 48, 0x22)
	fill(hostDataAt, 32, 0x33)
	fill(idKeyDigestAt, 48, 0x44)
	fill(authorKeyDigestAt, 48, 0x55)
	copy(report[reportedTCBAt:], []byte{4, 0, 0, 0, 0, 0, 24, 213})
	copy(report[cpuidAt:], []byte{0x19, 0x01, 0x01})
	fill(chipIDAt, 64, 0x66)
	fill(mitVectorsAt, 16, 0x77)
	report[signatureRAt] = 1
	report[signatureSAt] = 1
	return report
}

func TestParseReadsTheFields(t *testing.T) {
	data := sample()
	report, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if report.Version != 5 || report.GuestSVN != 7 || report.Policy != 0x3001f || report.VMPL != 1 {
		t.Errorf("got %+v", report)
	}
	for name, c := range map[string]struct {
		got   []byte
		size  int
		value byte
	}{
		"report data":       {report.ReportData[:], 64, 0x11},
		"measurement":       {report.Measurement[:], 48, 0x22},
		"host data":         {report.HostData[:], 32, 0x33},
		"ID key digest":     {report.IDKeyDigest[:], 48, 0x44},
		"author key digest": {report.AuthorKeyDigest[:], 48, 0x55},
		"chip ID":           {report.ChipID[:], 64, 0x66},
	} {
		if !bytes.Equal(c.got, bytes.Repeat([]byte{c.value}, c.size)) {
			t.Errorf("%s: got %x", name, c.got)
		}
	}
	if report.ReportedTCB != [8]byte{4, 0, 0, 0, 0, 0, 24, 213} {
		t.Errorf("reported TCB: got %x", report.ReportedTCB)
	}
}

func TestParseKeepsTheOrderOfTheChecks(t *testing.T) {
	report := sample()
	faults := []struct {
		code  Code
		at    int
		value byte
	}{
		{CodeTCB, launchTCBAt + 2, 1},
		{CodeProduct, cpuidAt, 0x17},
		{CodeSignatureEncoding, Size - 1, 1},
		{CodeKeyInfo, keyInfoAt, 7 << 2},
		{CodeSignatureAlgorithm, signatureAlgoAt, 2},
		{CodeVMPL, vmplAt, 4},
		{CodeGuestPolicy, policyAt + 2, 0},
		{CodeReserved, 0x4c, 1},
		{CodeVersion, versionAt, 6},
	}
	for _, fault := range faults {
		report[fault.at] = fault.value
		if got := codeOf(t, report); got != string(fault.code) {
			t.Errorf("got %s, want %s", got, fault.code)
		}
	}
	if got := codeOf(t, report[1:]); got != string(CodeLength) {
		t.Errorf("got %s, want %s", got, CodeLength)
	}
}

func TestErrorNamesItsCode(t *testing.T) {
	_, err := Parse(nil)
	if want := "report-length: 0 bytes, not 1184"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v.Report)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		given := bytes.Clone(data)
		code := codeOf(t, data)
		if code == "accepted" && len(data) != Size {
			t.Errorf("%d bytes were accepted", len(data))
		}
		if !bytes.Equal(data, given) {
			t.Error("the bytes were changed")
		}
	})
}
