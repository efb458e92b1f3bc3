package layers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// names are the serial numbers of the disks in the order of their devices, where the VMM cannot
// give disks serial numbers. They are set while the guest boots.
var names []string

// NameDisks gives the disks of the guest serial numbers, in the order of their devices. All of them
// are there from the start.
func NameDisks(serials []string) error {
	for n, serial := range serials {
		if !isSerial(serial) || slices.Contains(serials[:n], serial) {
			return fmt.Errorf("%q is no name of one more disk", serial)
		}
	}
	names = append([]string{}, serials...)
	return nil
}

func isSerial(text string) bool {
	return text != "" && len(text) <= 20 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// errDisks is a guest whose disks are not those that the host has named.
var errDisks = errors.New("there are other disks than the host has named")

// listByOrder returns the device files of virtio disks by the names that they have in their order.
// A disk without a name is an error: each would then be taken for another. The kernel numbers
// virtio devices in the order in which it finds them, which is that of their addresses.
func listByOrder(directory string, names []string) (map[string]string, error) {
	links, err := filepath.Glob(directory + "/vd*/device")
	if err != nil {
		return nil, err
	}
	type disk struct {
		number int
		device string
	}
	var disks []disk
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			return nil, err
		}
		digits, found := strings.CutPrefix(filepath.Base(target), "virtio")
		number, err := strconv.Atoi(digits)
		if !found || err != nil {
			return nil, fmt.Errorf("%w: %s leads to %s", errDisks, link, target)
		}
		disks = append(disks, disk{number, "/dev/" + filepath.Base(filepath.Dir(link))})
	}
	if len(disks) > len(names) {
		return nil, fmt.Errorf("%w: %d, not %d", errDisks, len(disks), len(names))
	}
	if len(disks) < len(names) {
		// The others are still to come.
		return map[string]string{}, nil
	}
	slices.SortFunc(disks, func(a, b disk) int { return a.number - b.number })
	named := map[string]string{}
	for n, disk := range disks {
		named[names[n]] = disk.device
	}
	return named, nil
}
