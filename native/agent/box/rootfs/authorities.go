package rootfs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// AuthoritiesDir has the certificates of the authorities that the box trusts besides those of its
// image: alone, for programs that have a list of their own and take more, and behind those of the
// image, for programs that take another list.
const (
	AuthoritiesDir = "/run/a3s/authorities"
	ownAuthorities = "box.pem"
	allAuthorities = "all.pem"
)

// bundles are the files that programs read their authorities from, by distribution: Debian, Alpine
// and others; Fedora; openSUSE; Alpine. Some are links to others.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// maxBundle bounds what is read of the image's; Debian's has 220 KB.
const maxBundle = 8 << 20

// mountAuthorities adds certificates to those that the image's programs trust. The files are
// mounted over the image's, which stay as they are.
func mountAuthorities(r rootdir.Root, authorities *[]string) error {
	if authorities == nil {
		return nil
	}
	present, image, err := readBundles(r)
	if err != nil {
		return err
	}
	mount, err := linux.NewMount("tmpfs", rootdir.Harmless, linux.Option{Key: "mode", Value: "0755"})
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	own := strings.Join(*authorities, "")
	if err := writeFile(mount, ownAuthorities, own); err != nil {
		return err
	}
	if err := writeFile(mount, allAuthorities, image+own); err != nil {
		return err
	}
	if err := linux.SetAttributes(mount, linux.Readonly, false); err != nil {
		return err
	}
	directory, err := r.Directory(AuthoritiesDir)
	if err != nil {
		return layers.NewDeviceError("mount at", AuthoritiesDir, err)
	}
	defer syscall.Close(directory)
	if err := linux.Attach(mount, directory); err != nil {
		return layers.NewDeviceError("mount at", AuthoritiesDir, err)
	}
	for _, path := range present {
		if err := cover(r, mount, path); err != nil {
			return layers.NewDeviceError("mount", path, err)
		}
	}
	return nil
}

// readBundles says which of the image's files there are, each once, and what is in the first. Those
// of one image have the same authorities.
func readBundles(r rootdir.Root) (present []string, content string, err error) {
	var seen []os.FileInfo
	for _, path := range bundles {
		file, err := openBundle(r, path)
		if err != nil {
			return nil, "", layers.NewDeviceError("read", path, err)
		}
		if file == nil {
			continue
		}
		info, err := file.Stat()
		if err == nil && slices.ContainsFunc(seen, func(other os.FileInfo) bool { return os.SameFile(info, other) }) {
			file.Close()
			continue
		}
		if err != nil {
			file.Close()
			return nil, "", layers.NewDeviceError("read", path, err)
		}
		seen = append(seen, info)
		read, err := io.ReadAll(io.LimitReader(file, maxBundle+1))
		if err := file.Close(); err != nil {
			return nil, "", layers.NewDeviceError("read", path, err)
		}
		if err == nil && len(read) > maxBundle {
			err = fmt.Errorf("it is larger than %d bytes", maxBundle)
		}
		if err != nil {
			return nil, "", layers.NewDeviceError("read", path, err)
		}
		present = append(present, path)
		if content == "" && len(read) > 0 {
			content = string(bytes.TrimRight(read, "\n")) + "\n"
		}
	}
	return present, content, nil
}

// openBundle returns nil for what is no regular file.
func openBundle(r rootdir.Root, path string) (*os.File, error) {
	place, err := openPresent(r, path)
	if err != nil || place < 0 {
		return nil, err
	}
	defer syscall.Close(place)
	var stat syscall.Stat_t
	if err := syscall.Fstat(place, &stat); err != nil {
		return nil, err
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil, nil
	}
	return os.Open(tree.ByDescriptor(place))
}

func writeFile(directory int, name, content string) error {
	fd, err := linux.OpenAt(directory, name, syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY, 0o444, linux.Beneath)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), name)
	if _, err := file.WriteString(content); err != nil {
		file.Close()
		return err
	}
	// Whatever the umask of this process.
	if err := file.Chmod(0o444); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// cover lays the file with all authorities over one of the image.
func cover(r rootdir.Root, authorities int, path string) error {
	mount, err := linux.CloneMount(authorities, allAuthorities, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return rootdir.AttachFile(r, mount, path)
}
