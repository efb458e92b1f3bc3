package rootfs

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

const (
	ofImage = "# the image's\nAAAA\n"
	ofBox   = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
)

func TestAuthoritiesOfTheBoxStandBehindThoseOfItsImage(t *testing.T) {
	r, inside := imageForTest(t)
	must(t, os.MkdirAll(inside+"/etc/ssl/certs", 0o755), os.MkdirAll(inside+"/etc/pki/tls/certs", 0o755),
		os.WriteFile(inside+"/etc/ssl/certs/ca-certificates.crt", []byte(ofImage+"\n"), 0o644),
		os.Symlink("/etc/ssl/certs/ca-certificates.crt", inside+"/etc/pki/tls/certs/ca-bundle.crt"),
		os.Symlink("certs/ca-certificates.crt", inside+"/etc/ssl/cert.pem"),
		os.Mkdir(inside+"/etc/ssl/ca-bundle.pem", 0o755))
	must(t, mountAuthorities(r, &[]string{ofBox}))
	for path, want := range map[string]string{
		"/etc/ssl/certs/ca-certificates.crt": ofImage + ofBox,
		"/etc/ssl/cert.pem":                  ofImage + ofBox,
		AuthoritiesDir + "/all.pem":          ofImage + ofBox,
		AuthoritiesDir + "/box.pem":          ofBox,
	} {
		got, err := os.ReadFile(inside + path)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
		if err := os.WriteFile(inside+path, nil, 0); !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: writing got %v", path, err)
		}
	}
	// What the image has is as it was.
	must(t, syscall.Unmount(inside+"/etc/ssl/certs/ca-certificates.crt", 0))
	if got, err := os.ReadFile(inside + "/etc/ssl/certs/ca-certificates.crt"); err != nil || string(got) != ofImage+"\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnImageWithoutAuthoritiesGetsNoFileOfThem(t *testing.T) {
	r, inside := imageForTest(t)
	must(t, mountAuthorities(r, nil))
	if entries, err := os.ReadDir(inside); err != nil || len(entries) > 0 {
		t.Errorf("got %v, %v", entries, err)
	}
	must(t, mountAuthorities(r, &[]string{ofBox}))
	if got, err := os.ReadFile(inside + AuthoritiesDir + "/all.pem"); err != nil || string(got) != ofBox {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := os.Stat(inside + "/etc"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestAuthoritiesThatAreNoSmallFileAreRefused(t *testing.T) {
	r, inside := imageForTest(t)
	must(t, os.MkdirAll(inside+"/etc/ssl", 0o755), os.WriteFile(inside+"/etc/ssl/cert.pem", make([]byte, maxBundle+1), 0o644))
	if err := mountAuthorities(r, &[]string{ofBox}); err == nil {
		t.Error("a large file was read")
	}
	must(t, os.Remove(inside+"/etc/ssl/cert.pem"), syscall.Mkfifo(inside+"/etc/ssl/cert.pem", 0o600))
	must(t, mountAuthorities(r, &[]string{ofBox}))
}
