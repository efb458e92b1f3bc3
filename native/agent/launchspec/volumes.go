package launchspec

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/spec"
)

// maxVolumes bounds the volumes of a box.
const maxVolumes = 16

// Volume is a sealed volume of the box, which outlives it.
type Volume struct {
	Name        string `json:"name"`
	Destination string `json:"destination"`
	// Policy is SealingExact or SealingUpgradable, whatever Spec.Sealing is, or PolicyBroker.
	Policy string `json:"policy"`
	// Init permits to make a volume of an empty disk.
	Init bool `json:"init"`
	// ID is the only volume that is opened, in hexadecimal digits; nil where Init is true.
	ID *string `json:"id"`
	// Key is the path at the broker of the volume's key; nil unless Policy is PolicyBroker.
	Key *string `json:"key"`
	// Counter is the path at the broker of the counter by which an older disk is noticed; nil for
	// none.
	Counter *string `json:"counter"`
}

// PolicyBroker has the broker decide which guests get the key of a volume.
const PolicyBroker = "broker"

// maxVolumeName leaves room in the purpose of an envelope.
const maxVolumeName = 57

func isVolumeName(text string) bool {
	return len(text) > 1 && len(text) <= maxVolumeName && isName(text)
}

func isVolumeID(text string) bool { return len(text) == 32 && matches(text, 32, isHex, isHex) }

// isVolumeDestination takes each path in its one spelling, and none where the agent mounts what the
// kernel has.
func isVolumeDestination(text string) bool {
	if !isAbsolute(text) || text == "/" || path.Clean(text) != text {
		return false
	}
	for _, kernels := range []string{"/proc", "/sys", "/dev"} {
		if text == kernels || strings.HasPrefix(text, kernels+"/") {
			return false
		}
	}
	return true
}

func (c *checks) volumes(s *Spec) {
	if s.Volumes == nil {
		return
	}
	c.between(int64(len(*s.Volumes)), 1, maxVolumes, "volumes")
	var names, destinations, counters []string
	if s.Tmpfs != nil {
		for _, t := range *s.Tmpfs {
			destinations = append(destinations, t.Destination)
		}
	}
	for index, v := range *s.Volumes {
		field := "volumes[" + strconv.Itoa(index) + "]."
		c.that(isVolumeName(v.Name), field+"name", "is not a name of a sealed volume")
		c.that(isVolumeDestination(v.Destination), field+"destination", "is not a clean absolute path outside of /proc, /sys and /dev")
		c.that(v.Policy == SealingExact || v.Policy == SealingUpgradable || v.Policy == PolicyBroker,
			field+"policy", "must be exact, upgradable or broker")
		c.that((v.Key != nil) == (v.Policy == PolicyBroker), field+"key", "must be there where policy is broker, and only there")
		c.that(v.Key == nil || isResource(*v.Key), field+"key", "is not repository/type/tag")
		c.that(v.Init == (v.ID == nil), field+"id", "must be there, unless init is true")
		c.that(v.ID == nil || isVolumeID(*v.ID), field+"id", "is not an id")
		c.that(v.Counter == nil || isResource(*v.Counter), field+"counter", "is not repository/type/tag")
		if v.Counter != nil {
			c.that(!slices.Contains(counters, *v.Counter), field+"counter", "is that of another volume")
			counters = append(counters, *v.Counter)
		}
		c.that(!slices.Contains(destinations, v.Destination), field+"destination", "is that of another mount")
		names, destinations = append(names, v.Name), append(destinations, v.Destination)
	}
	c.that(ascending(names), "volumes", "must be sorted by name, each once")
}

// Counted is how many volumes have a counter at the broker.
func (s *Spec) Counted() int { return s.count(func(v Volume) bool { return v.Counter != nil }) }

// Keyed is how many volumes have their key at the broker.
func (s *Spec) Keyed() int { return s.count(func(v Volume) bool { return v.Key != nil }) }

func (s *Spec) count(is func(v Volume) bool) int {
	count := 0
	if s.Volumes != nil {
		for _, v := range *s.Volumes {
			if is(v) {
				count++
			}
		}
	}
	return count
}

// volumeSerial is that of the disk of a volume.
func volumeSerial(index int) string { return "volume-" + strconv.Itoa(index) }

// VolumeOf is the volume whose disk has a serial.
func (s *Spec) VolumeOf(serial string) (Volume, bool) {
	if s.Volumes != nil {
		for index, v := range *s.Volumes {
			if volumeSerial(index) == serial {
				return v, true
			}
		}
	}
	return Volume{}, false
}

// mounts are those of volumes, the outermost first. An empty volume gets the files that the image
// has at its place.
func (s *Spec) mounts() []spec.Mount {
	if s.Volumes == nil {
		return nil
	}
	fill := true
	var mounts []spec.Mount
	for index, v := range *s.Volumes {
		serial := volumeSerial(index)
		mounts = append(mounts, spec.Mount{Kind: spec.MountDisk, Serial: &serial, Destination: v.Destination, Fill: &fill, Sealed: true})
	}
	slices.SortStableFunc(mounts, func(a, b spec.Mount) int { return len(a.Destination) - len(b.Destination) })
	return mounts
}

// VolumeBinding is what the keys of volumes are bound to in place of HOST_DATA: all of the spec,
// except for how an empty disk is treated and which volume is expected. So a box that makes a
// volume, and a later one that takes that volume alone, have the same keys.
func (s *Spec) VolumeBinding() [32]byte {
	bound := *s
	if s.Volumes != nil {
		volumes := slices.Clone(*s.Volumes)
		for index := range volumes {
			volumes[index].Init, volumes[index].ID = false, nil
		}
		bound.Volumes = &volumes
	}
	return sha256.Sum256(append([]byte("a3s-box/volume-binding/v1\x00"), canonical(&bound)...))
}

// WantedID is the id in bytes; nil for none.
func (v *Volume) WantedID() *[16]byte {
	if v.ID == nil {
		return nil
	}
	decoded, err := hex.DecodeString(*v.ID)
	if err != nil || len(decoded) != 16 {
		panic("launchspec: an id is not one: " + *v.ID)
	}
	id := [16]byte(decoded)
	return &id
}
