package sandbox

import (
	"errors"
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
	"a3s.dev/box/agent/uevent"
)

// nicName is the name of the box's network device.
const nicName = "eth0"

// loopbackIndex is the index of lo in every network namespace.
const loopbackIndex = 1

// linkLocal holds the metadata services of clouds, which boxes must not reach.
var linkLocal = netip.MustParsePrefix("169.254.0.0/16")

// Network is a network namespace for a box, set up.
type Network struct {
	namespace int
	config    spec.Network
	// system is a directory with the /sys that shows this namespace.
	system rootdir.Root
	// inside is connected to the namespace.
	inside *netlink.Connection
	// counters is open on what its devices have received and sent.
	counters int
	// index is that of eth0, 0 where there is none.
	index int
	// cards are the devices by their names; nil before there was another than eth0.
	cards map[string]card
}

// NIC is a network device outside of the box's namespace; index 0 is none.
type NIC struct {
	index int
	// mac is empty where nobody has asked.
	mac string
	// outside is connected to the namespace that it is in.
	outside *netlink.Connection
}

// network returns the network of a spec: the existing one, reconfigured where the spec differs, or
// a new one.
func (s *Sandbox) network(config *spec.Network) (*Network, error) {
	if made := s.networks[config.Kind]; made != nil {
		lost, err := made.hasLostCard()
		if err != nil {
			return nil, err
		}
		if lost {
			device, err := s.findNIC(config.MAC)
			if err != nil {
				return nil, err
			}
			return made, s.takeCard(made, config, device)
		}
		if err := made.reconfigure(config); err != nil {
			return nil, err
		}
		return made, made.setMAC(config.MAC)
	}
	device := NIC{}
	if config.Kind != spec.NetworkNone {
		var err error
		if device, err = s.findNIC(config.MAC); err != nil {
			return nil, err
		}
	}
	n, err := s.MakeNetwork(config, device)
	if err != nil {
		return nil, err
	}
	if config.MAC == nil && device.index != 0 {
		// The host has chosen it, and names the card by it from then on.
		n.config.MAC = &device.mac
	}
	return n, n.setMAC(config.MAC)
}

// hasLostCard says whether the host has detached eth0, as it does from a guest that waits for a box
// of any network.
func (n *Network) hasLostCard() (bool, error) {
	if n.index == 0 {
		return false, nil
	}
	_, err := n.inside.Index(nicName)
	if errors.Is(err, syscall.ENODEV) {
		return true, nil
	}
	return false, err
}

// takeCard gives a network the card that the host has attached in place of its first one.
func (s *Sandbox) takeCard(n *Network, config *spec.Network, device NIC) error {
	n.config, n.index = *config, device.index
	return s.thread.do(func() error {
		if err := linux.SetNamespace(n.namespace, syscall.CLONE_NEWNET); err != nil {
			return err
		}
		return n.bringIn(device)
	})
}

// reconfigure gives eth0 other addresses and another gateway. The device stays up and in its
// namespace: Linux 6.12 locks up when a virtio network device is taken down or moved while its
// announcement after a resume is pending. Guests of templates made by the present host announce
// none.
func (n *Network) reconfigure(config *spec.Network) error {
	if n.config.EqualButMAC(config) {
		return nil
	}
	before := n.config
	n.config = *config
	n.config.MAC = before.MAC
	moved := *before.Address != *config.Address || *before.PrefixLength != *config.PrefixLength
	for _, step := range []func() error{
		func() error { return n.inside.Up(n.index, uint32(*config.MTU)) },
		func() error {
			if !moved {
				return nil
			}
			return n.inside.AddAddress(n.index, ipv4(*config.Address), int(*config.PrefixLength))
		},
		func() error { return n.inside.ReplaceDefaultRoute(n.index, ipv4(*config.Gateway)) },
		func() error {
			if !moved {
				return nil
			}
			// Last, since the routes of a device go with its last address.
			return n.inside.RemoveAddress(n.index, ipv4(*before.Address), int(*before.PrefixLength))
		},
		func() error { return n.replaceIPv6(before.IPv6, config.IPv6) },
	} {
		if err := step(); err != nil {
			return &layers.DeviceError{Kind: "network device", Name: nicName, Cause: err}
		}
	}
	return nil
}

// findNIC waits for the network device of an address, or for any where none is given: a launch spec
// leaves the address to the host.
func (s *Sandbox) findNIC(address *string) (NIC, error) {
	mac := ""
	if address != nil {
		mac = *address
	}
	found, err := uevent.Wait(layers.AttachDeadline, func() (NIC, bool, error) { return findLink(mac) })
	if err != nil {
		return NIC{}, &layers.DeviceError{Kind: "network device", Name: mac, Cause: err}
	}
	found.outside = s.outside
	return found, nil
}

// findLink finds a virtio network device outside of every box, by its address; any when that is
// empty.
func findLink(mac string) (NIC, bool, error) {
	const list = "/sys/class/net"
	entries, err := os.ReadDir(list)
	if err != nil {
		return NIC{}, false, err
	}
	for _, entry := range entries {
		address, err := os.ReadFile(list + "/" + entry.Name() + "/address")
		has := strings.TrimSpace(string(address))
		if err != nil || !isVirtio(list+"/"+entry.Name()) || mac != "" && has != mac {
			continue
		}
		text, err := os.ReadFile(list + "/" + entry.Name() + "/ifindex")
		if err != nil {
			continue
		}
		index, err := strconv.Atoi(strings.TrimSpace(string(text)))
		return NIC{index: index, mac: has}, err == nil, err
	}
	return NIC{}, false, nil
}

// isVirtio says whether a device is a virtio card: no box has another one, whatever its host has
// plugged into the guest.
func isVirtio(device string) bool {
	driver, err := os.Readlink(device + "/device/driver")
	return err == nil && path.Base(driver) == "virtio_net"
}

// newNetwork is one of which nothing has been made.
func newNetwork(config *spec.Network, index int) *Network {
	return &Network{namespace: -1, config: *config, system: rootdir.Root{FD: -1}, counters: -1, index: index}
}

// MakeNetwork makes a network namespace and moves the device there.
func (s *Sandbox) MakeNetwork(config *spec.Network, device NIC) (*Network, error) {
	n := newNetwork(config, device.index)
	err := s.thread.do(func() error { return n.make(device, s) })
	s.networks[config.Kind] = n
	return n, err
}

func (n *Network) make(device NIC, s *Sandbox) (err error) {
	if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
		return err
	}
	if n.namespace, err = linux.OpenAt(-1, "/proc/thread-self/ns/net", syscall.O_RDONLY, 0, 0); err != nil {
		return err
	}
	if n.inside, err = netlink.Open(); err != nil {
		return err
	}
	if n.counters, err = linux.OpenAt(-1, "/proc/thread-self/net/dev", syscall.O_RDONLY, 0, 0); err != nil {
		return err
	}
	if err := n.bringIn(device); err != nil {
		return err
	}
	return n.mountSystem(s)
}

// bringIn moves a device into the namespace of this thread, and configures it.
func (n *Network) bringIn(device NIC) error {
	if device.index != 0 {
		if err := device.outside.Move(device.index, n.namespace, nicName); err != nil {
			return &layers.DeviceError{Kind: "network device", Name: nicName, Cause: err}
		}
	}
	// First, so that IPv6 is off before the device comes up.
	if err := n.writeSysctls(); err != nil {
		return err
	}
	return n.configure()
}

// mountSystem makes the /sys that shows the network namespace of this thread.
func (n *Network) mountSystem(s *Sandbox) (err error) {
	n.system, err = rootfs.MountNetworkSystem(s.texts, s.protection)
	return err
}

// configure gives the namespace its addresses and routes.
func (n *Network) configure() error {
	if err := n.inside.Up(loopbackIndex, 0); err != nil {
		return &layers.DeviceError{Kind: "network device", Name: "lo", Cause: err}
	}
	if n.index == 0 {
		return nil
	}
	var err error
	if n.index, err = n.inside.Index(nicName); err != nil {
		return &layers.DeviceError{Kind: "network device", Name: nicName, Cause: err}
	}
	for _, step := range []func() error{
		func() error {
			return n.inside.AddAddress(n.index, ipv4(*n.config.Address), int(*n.config.PrefixLength))
		},
		announceWhenUp,
		func() error { return n.inside.Up(n.index, uint32(*n.config.MTU)) },
		func() error { return n.inside.AddDefaultRoute(n.index, ipv4(*n.config.Gateway)) },
		func() error { return n.replaceIPv6(nil, n.config.IPv6) },
		n.refuseLinkLocal,
	} {
		if err := step(); err != nil {
			return &layers.DeviceError{Kind: "network device", Name: nicName, Cause: err}
		}
	}
	return nil
}

// refuseLinkLocal may be repeated: the route outlives a card.
func (n *Network) refuseLinkLocal() error {
	err := n.inside.AddUnreachable(linkLocal.Addr().As4(), linkLocal.Bits())
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// setMAC gives eth0 another address. The kernel announces it to the network as it does when the
// device comes up.
func (n *Network) setMAC(mac *string) error {
	if mac == nil || n.config.MAC != nil && *n.config.MAC == *mac {
		return nil
	}
	if err := n.inside.SetAddress(n.index, parseMAC(*mac)); err != nil {
		return &layers.DeviceError{Kind: "network device", Name: *mac, Cause: err}
	}
	n.config.MAC = mac
	return nil
}

// inUse returns the network of the box; nil before it has one.
func (s *Sandbox) inUse() *Network {
	for _, n := range s.networks {
		if n.namespace == s.Namespaces.Network {
			return n
		}
	}
	return nil
}

// HasNIC says whether the box has a network device.
func (s *Sandbox) HasNIC() bool { return s.inUse().index != 0 }

// Readdress gives the box's network device another address, and ends the box's connections to
// others.
func (s *Sandbox) Readdress(mac *string) error {
	n := s.inUse()
	if err := n.setMAC(mac); err != nil {
		return err
	}
	return s.thread.do(n.disconnect)
}

// disconnect ends the box's connections to others.
func (n *Network) disconnect() (err error) {
	if err := linux.SetNamespace(n.namespace, syscall.CLONE_NEWNET); err != nil {
		return err
	}
	diag, err := netlink.OpenDiag()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, diag.Close()) }()
	if err := diag.Disconnect(ipv4(*n.config.Address)); err != nil {
		return &layers.DeviceError{Kind: "connections of", Name: nicName, Cause: err}
	}
	return nil
}

// parseMAC reads an address that spec.IsMAC accepts.
func parseMAC(text string) (mac [6]byte) {
	for index := range mac {
		octet, _ := strconv.ParseUint(text[3*index:3*index+2], 16, 8)
		mac[index] = byte(octet)
	}
	return mac
}

// announceWhenUp makes the kernel announce the device's address when the device comes up, or gets
// another one. passt reads the address from the first frame; until then it cannot deliver a
// connection to a box that only listens.
func announceWhenUp() error {
	return os.WriteFile("/proc/sys/net/ipv4/conf/"+nicName+"/arp_notify", []byte("1"), 0)
}

func ipv4(text string) [4]byte { return netip.MustParseAddr(text).As4() }

func text(address [4]byte) string { return netip.AddrFrom4(address).String() }

// writeSysctls sets what Docker sets: any user may listen on any port and send pings. A card has no
// IPv6 before the host says which.
func (n *Network) writeSysctls() error {
	values := [][2]string{
		{"net/ipv4/ip_unprivileged_port_start", "0"},
		{"net/ipv4/ping_group_range", "0 2147483647"},
		// Of the devices that come later.
		{"net/ipv6/conf/default/disable_ipv6", "1"},
	}
	if n.index != 0 {
		values = append(values, [2]string{"net/ipv6/conf/" + nicName + "/disable_ipv6", "1"})
	}
	for _, value := range values {
		if err := os.WriteFile("/proc/sys/"+value[0], []byte(value[1]), 0); err != nil {
			return err
		}
	}
	return nil
}

// maxDevices is more than the kernel has in the file of a namespace's devices.
const maxDevices = 16 << 10

// Devices reads the box's /proc/net/dev; it is empty before the box has a network.
func (s *Sandbox) Devices() (string, error) {
	network := s.inUse()
	if network == nil {
		return "", nil
	}
	content := make([]byte, maxDevices)
	n, err := syscall.Pread(network.counters, content, 0)
	if err != nil {
		return "", &os.PathError{Op: "read", Path: "net/dev", Err: err}
	}
	return string(content[:n]), nil
}

// close closes what has been made.
func (n *Network) close() error {
	var err error
	if n.inside != nil {
		err = n.inside.Close()
	}
	for _, fd := range []int{n.namespace, n.counters, n.system.FD} {
		if fd >= 0 {
			err = errors.Join(err, syscall.Close(fd))
		}
	}
	return err
}
