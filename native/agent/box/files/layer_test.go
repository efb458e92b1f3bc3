package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/box/rootdir"
)

// layerOf writes a layer of an overlay's upper directory.
func layerOf(t *testing.T, upper, lower string) ([]byte, error) {
	t.Helper()
	u, err := rootdir.OpenDirectory(upper)
	must(t, err)
	defer syscall.Close(u.FD)
	l, err := rootdir.OpenDirectory(lower)
	must(t, err)
	defer syscall.Close(l.FD)
	var out bytes.Buffer
	err = Layer(context.Background(), u.FD, l, func() io.Writer { return &out })
	return out.Bytes(), err
}

// headersOf reads the headers of a layer in their order.
func headersOf(t *testing.T, layer []byte) []*tar.Header {
	t.Helper()
	var headers []*tar.Header
	reader := tar.NewReader(bytes.NewReader(layer))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return headers
		}
		must(t, err)
		headers = append(headers, header)
	}
}

// expectLayer checks the names of a layer, each with the target of a link.
func expectLayer(t *testing.T, upper, lower, want string) []*tar.Header {
	t.Helper()
	layer, err := layerOf(t, upper, lower)
	must(t, err)
	headers := headersOf(t, layer)
	var names []string
	for _, header := range headers {
		name := header.Name
		if header.Linkname != "" {
			name += ">" + header.Linkname
		}
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	return headers
}

func TestALayerOfNothingIsAnEmptyArchive(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	layer, err := layerOf(t, upper, lower)
	must(t, err)
	if len(layer) != 1024 || slices.ContainsFunc(layer, func(b byte) bool { return b != 0 }) {
		t.Errorf("got %d bytes", len(layer))
	}
	must(t, os.WriteFile(merged+"/made", nil, 0o644), os.Remove(merged+"/made"))
	expectLayer(t, upper, lower, "")
	must(t, os.Chmod(merged, 0o700))
	headers := expectLayer(t, upper, lower, "./")
	if headers[0].Mode != 0o700 {
		t.Errorf("the root has %o", headers[0].Mode)
	}
}

func TestALayerHasChangesRemovedNamesAndEachDirectoryBeforeThem(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	must(t, os.WriteFile(merged+"/etc/passwd", []byte("x"), 0o644), os.MkdirAll(merged+"/new/dir", 0o755), os.WriteFile(merged+"/new/dir/file", nil, 0o644),
		os.Remove(merged+"/etc/deep/file"), os.WriteFile(merged+"/gone", nil, 0o644), os.Remove(merged+"/gone"), os.RemoveAll(merged+"/untouched"))
	expectLayer(t, upper, lower, "./ etc/ etc/deep/ etc/deep/.wh.file etc/passwd new/ new/dir/ new/dir/file .wh.untouched")
	first, err := layerOf(t, upper, lower)
	must(t, err)
	second, err := layerOf(t, upper, lower)
	must(t, err)
	if !bytes.Equal(first, second) {
		t.Error("the same changes give two layers")
	}
}

func TestADirectoryThatWasMadeAnewHidesTheOldOne(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	must(t, os.RemoveAll(merged+"/var/again"), os.MkdirAll(merged+"/var/again/inner", 0o755), os.WriteFile(merged+"/var/again/same", nil, 0o644))
	expectLayer(t, upper, lower, "./ var/ var/again/ var/again/.wh..wh..opq var/again/inner/ var/again/same")
}

func TestADirectoryInPlaceOfAFileNeedsNoMark(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	must(t, os.Remove(merged+"/etc/passwd"), os.Mkdir(merged+"/etc/passwd", 0o755), os.WriteFile(merged+"/etc/passwd/x", nil, 0o644),
		os.RemoveAll(merged+"/var/again"), os.WriteFile(merged+"/var/again", nil, 0o644))
	expectLayer(t, upper, lower, "./ etc/ etc/passwd/ etc/passwd/x var/ var/again")
}

func TestALayerHasEveryKindOfFileButSockets(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	stamp := time.Unix(1_000_000_000, 0)
	must(t, os.WriteFile(merged+"/a", []byte("content"), 0o640), os.Chown(merged+"/a", 1000, 1001), os.Chmod(merged+"/a", 0o640|os.ModeSetuid),
		os.Chtimes(merged+"/a", stamp, stamp), os.Link(merged+"/a", merged+"/b"), os.Symlink("/etc/passwd", merged+"/c"), syscall.Mkfifo(merged+"/d", 0o600),
		syscall.Mknod(merged+"/e", syscall.S_IFCHR|0o600, 1<<8|3), syscall.Mknod(merged+"/f", syscall.S_IFSOCK|0o600, 0))
	headers := expectLayer(t, upper, lower, "./ a b>a c>/etc/passwd d e")
	file := headers[1]
	if file.Uid != 1000 || file.Gid != 1001 || file.Mode != 0o4640 || !file.ModTime.Equal(stamp) || file.Size != 7 || headers[2].Typeflag != tar.TypeLink {
		t.Errorf("got %+v", file)
	}
	if device := headers[5]; device.Typeflag != tar.TypeChar || device.Devmajor != 1 || device.Devminor != 3 {
		t.Errorf("got %+v", device)
	}
}

func TestALayerHasTheExtendedAttributesThatMeanTheSameEverywhere(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	must(t, os.WriteFile(merged+"/a", nil, 0o755), os.Mkdir(merged+"/d", 0o755))
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	must(t, syscall.Setxattr(merged+"/a", "security.capability", []byte(capability), 0))
	for _, name := range []string{"user.kept", "user.overlay.opaque", "user.a=b"} {
		if err := syscall.Setxattr(upper+"/a", name, []byte("y\x00"), 0); errors.Is(err, syscall.EOPNOTSUPP) {
			t.Skip("needs a tmpfs with extended attributes of users")
		} else {
			must(t, err)
		}
	}
	must(t, syscall.Setxattr(upper+"/d", "user.kept", nil, 0))
	headers := expectLayer(t, upper, lower, "./ a d/")
	for index, want := range []map[string]string{{}, {"security.capability": capability, "user.kept": "y\x00"}, {"user.kept": ""}} {
		got := map[string]string{}
		for key, value := range headers[index].PAXRecords {
			if name, found := strings.CutPrefix(key, "SCHILY.xattr."); found {
				got[name] = value
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s has %q, want %q", headers[index].Name, got, want)
		}
	}
}

func TestALayerKeepsNamesThatNoTextHas(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	names := []string{"\x01\n..", "-rf", "\xff\xfe", strings.Repeat("x", 255), "..."}
	for _, name := range names {
		must(t, os.WriteFile(merged+"/"+name, nil, 0o644))
	}
	slices.Sort(names)
	expectLayer(t, upper, lower, "./ "+strings.Join(names, " "))
}

func TestANameThatMeansARemovedFileIsRefusedBeforeTheLayerBegins(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	must(t, os.Mkdir(merged+"/etc/new", 0o755), os.WriteFile(merged+"/etc/new/.wh.passwd", nil, 0o644))
	layer, err := layerOf(t, upper, lower)
	expectCode(t, err, CodeInvalid, "/etc/new/.wh.passwd cannot be in a layer")
	if len(layer) != 0 {
		t.Errorf("%d bytes were written", len(layer))
	}
}

func TestALayerThatNobodyTakesEnds(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	must(t, os.WriteFile(merged+"/a", nil, 0o644))
	u, err := rootdir.OpenDirectory(upper)
	must(t, err)
	defer syscall.Close(u.FD)
	l, err := rootdir.OpenDirectory(lower)
	must(t, err)
	defer syscall.Close(l.FD)
	ctx, stop := context.WithCancel(context.Background())
	err = Layer(ctx, u.FD, l, func() io.Writer {
		stop()
		return io.Discard
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
